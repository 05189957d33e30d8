"""Network namespaces for instances: each owned by a user namespace of its own.

A capability counts in a user namespace and those below it.  If the host's own user namespace owned
an instance's network namespace, CAP_NET_ADMIN over it would be CAP_NET_ADMIN over every network
namespace that the instance can name, and it can name the one at the other end of its link: by the
``link-netnsid`` that ``ip link`` shows.  ``RTM_DELLINK`` with ``IFLA_TARGET_NETNSID`` then removes
a neighbour's interface, a macvlan on the other side passes every filter.  (Seen; now a test.)

So the namespace is made below a new user namespace, and the container joins both.  Users and
groups are mapped to themselves: files keep their owners and the disks need no shifting, while all
capabilities of the instance count inside only.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

from gureum.machines.room import MachineError

# Debian's users end at 65534 (nobody).
MAPPING = "0 0 65536\n"

# linux/nsfs.h: _IO(0xb7, 0x1), the user namespace that owns another namespace.
NS_GET_USERNS = 0xB701


def create(path: Path) -> None:
    """Make an empty network namespace, and the user namespace that owns it, and keep it at
    ``path`` as ``ip netns add`` does.

    Raises:
        FileExistsError: ``path`` is taken.
        MachineError: the kernel refused.
    """
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.touch(mode=0o400, exist_ok=False)
    try:
        _create(path)
    except BaseException:
        path.unlink()
        raise


def _create(path: Path) -> None:
    with subprocess.Popen(
        ["unshare", "--user", "--net", "sh", "-c", "echo; read _"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stderr
        if holder.stdout.readline() != "\n":
            raise MachineError(f"{path}: no user namespace: {holder.stderr.read().strip()}")
        own = Path("/proc", str(holder.pid))
        (own / "uid_map").write_text(MAPPING, encoding="ascii")
        (own / "gid_map").write_text(MAPPING, encoding="ascii")
        call = ["mount", "--bind", str(own / "ns/net"), str(path)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        holder.stdin.close()
    if done.returncode != 0:
        raise MachineError(f"{path}: {done.stderr.strip()}")


def owner(path: Path) -> int | None:
    """A file descriptor of the user namespace that owns a network namespace; None if that is the
    one we are in.

    Raises:
        MachineError: ``path`` is no namespace.
    """
    try:
        with path.open("rb") as file:
            fd: int = fcntl.ioctl(file.fileno(), NS_GET_USERNS)
    except OSError as error:
        raise MachineError(f"{path} is no network namespace: {error}") from error
    os.set_inheritable(fd, False)
    if os.path.samestat(os.fstat(fd), Path("/proc/self/ns/user").stat()):
        os.close(fd)
        return None
    return fd
