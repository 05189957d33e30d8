"""Network namespaces that belong to a user namespace of their own: those of instances.

A capability counts in a user namespace and those below it.  If the user namespace of the machine
owned an instance's network namespace, CAP_NET_ADMIN over it would be CAP_NET_ADMIN over every
network namespace that the instance can name, and it can name the one at the other end of its link:
by the ``link-netnsid`` that ``ip link`` shows.  ``RTM_DELLINK`` with ``IFLA_TARGET_NETNSID`` then
removes a neighbour's interface, and a macvlan made on the other side passes every filter.

So an instance's network namespace is made below a new user namespace, which the container joins
too.  Users and groups are mapped to themselves: files keep their owners and disks need no shifting,
while all capabilities of the instance count inside only.  We stand above: all that we do in other
network namespaces works in these.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MAPPING = "0 0 65536\n"
"""Debian's users end at 65534 (nobody)."""
_GET_USERNS = 0xB701
"""linux/nsfs.h: ``_IO(0xb7, 0x1)``, the user namespace that owns another namespace."""


def new_network() -> int:
    """A file descriptor of a new network namespace in a new user namespace; both live as long as
    the descriptor, or what is made of it, does.

    A process with several threads cannot make a user namespace, so a helper does and is gone
    before this returns (about 2 ms).

    Raises:
        OSError: the kernel refused.
    """
    with _helper(["unshare", "--user", "--net", "cat"]) as own:
        for name in ("uid_map", "gid_map"):
            (own / name).write_text(MAPPING, encoding="ascii")
        return os.open(own / "ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_network_of(owner: int) -> int:
    """A file descriptor of a new network namespace that belongs to a user namespace, by descriptor.

    Raises:
        OSError: the kernel refused.
    """
    path = f"/proc/{os.getpid()}/fd/{owner}"
    with _helper(["nsenter", f"--user={path}", "unshare", "--net", "cat"]) as own:
        return os.open(own / "ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def _helper(argv: Sequence[str]) -> Iterator[Path]:
    """Its folder in ``/proc``, while a program is in the namespaces that it has entered or made.

    Raises:
        OSError: it could not.
    """
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as helper:
        assert helper.stdin
        assert helper.stdout
        assert helper.stderr
        helper.stdin.write(b"?")  # cat(1) repeats it once it is where it should be
        if helper.stdout.read(1) != b"?":
            words = helper.stderr.read().decode(errors="replace").strip()
            raise OSError(f"no namespace: {words}")
        yield Path("/proc", str(helper.pid))


def owner(network: int) -> int:
    """A file descriptor of the user namespace that owns a network namespace, by descriptor.

    Raises:
        OSError: the descriptor is no namespace.
    """
    found: int = fcntl.ioctl(network, _GET_USERNS)
    os.set_inheritable(found, False)
    return found


def is_owned_apart(network: int) -> bool:
    """Whether a network namespace, by descriptor, belongs to a user namespace other than ours.

    Raises:
        OSError: the descriptor is no namespace.
    """
    above = owner(network)
    try:
        return not os.path.samestat(os.fstat(above), Path("/proc/self/ns/user").stat())
    finally:
        os.close(above)
