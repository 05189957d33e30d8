"""Namespaces, key pairs and a machine room for the tests, all of which go when the test ends."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gureum.images import ImageStore
from gureum.machines import Machines, MachineStatus
from gureum.machines.record import start_time
from gureum.program import Machine

PATIENCE = 15.0

ADDRESS = "10.9.0.10"
OUTSIDE = "10.9.0.1"


def run(*argv: str | Path, check: bool = True, timeout: float = PATIENCE) -> str:
    """What a program printed, its errors included; it must succeed unless ``check`` is off."""
    done = subprocess.run(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0 or not check, f"{argv}: {done.returncode}: {done.stdout}"
    return done.stdout


def until(condition: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
    """Wait for a condition."""
    end = time.monotonic() + timeout
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"waited {timeout} s in vain for {what}"
        pause.wait(0.01)


@contextmanager
def namespace(path: Path, *, own_user: bool = True) -> Iterator[Path]:
    """An empty network namespace kept at ``path``; with a user namespace of its own (identity
    mapping), or owned by the host's."""
    path.touch()
    command = ["unshare", *(["--user"] if own_user else []), "--net", "sh", "-c", "echo; read _"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "\n"
        own = Path("/proc", str(holder.pid))
        if own_user:
            for name in ("uid_map", "gid_map"):
                (own / name).write_text("0 0 65536\n")
        run("mount", "--bind", own / "ns/net", path)
        holder.stdin.close()
    try:
        yield path
    finally:
        run("umount", path)
        path.unlink()


def inside(netns: Path, *argv: str | Path, check: bool = True) -> str:
    """Run a program in a network namespace."""
    return run("nsenter", f"--net={netns}", *argv, check=check)


def connect(outside: Path, netns: Path, address: str = ADDRESS, gateway: str = OUTSIDE) -> None:
    """Join two namespaces by a link: eth0 with ``address`` in ``netns``, ``peer`` in
    ``outside``."""
    with netns.open("rb") as file:
        target = f"/proc/self/fd/{file.fileno()}"
        subprocess.run(
            ["nsenter", f"--net={outside}", "ip", "link", "add", "peer", "type", "veth",
             "peer", "name", "eth0", "netns", target],
            check=True, pass_fds=(file.fileno(),),
        )  # fmt: skip
    inside(outside, "ip", "address", "add", f"{gateway}/24", "dev", "peer")
    inside(outside, "ip", "link", "set", "peer", "up")
    inside(netns, "ip", "address", "add", f"{address}/24", "dev", "eth0")
    for link in ("eth0", "lo"):
        inside(netns, "ip", "link", "set", link, "up")
    inside(netns, "ip", "route", "add", "default", "via", gateway)


def machine(id: str = "i-1", **changes: Any) -> Machine:  # noqa: A002
    """An instance as the compiler would ask for it."""
    made = Machine(
        id=id,
        image="gureum-base",
        hostname="ip-10-9-0-10.ap-northeast-2.compute.internal",
        ip=ADDRESS,
        resolvers=("10.9.0.2",),
        search=("ap-northeast-2.compute.internal",),
        cpus=1,
        memory=128,
        boot=1,
        keys=(),
        user_data="",
    )
    return replace(made, **changes)


def alive(pid: int | None) -> bool:
    """Whether a process has not ended; one whose parent has not yet taken note of that has."""
    return pid is not None and start_time(pid) is not None


def cgroups(tag: str) -> list[str]:
    """The cgroups of a cloud on this host, in all hierarchies."""
    return [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/gureum-{tag}-*")]


def tree(folder: Path) -> list[str]:
    """Every file and folder below."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class Room:
    """A machine room in a folder, the namespaces of its instances, and one that they are
    connected to."""

    def __init__(self, folder: Path, tag: str, only: str | None = None) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.tag = tag
        self.images = ImageStore()
        self._stack = ExitStack()
        self._only = only
        self.ended: list[str] = []
        self.machines = self.open()

    def open(self) -> Machines:
        """One more daemon on the same folder; what ends by itself goes to ``ended``."""
        made = Machines(self.state, self.tag, self.images, only=self._only)
        made.on_exit(self.ended.append)
        return made

    def namespace(self, name: str, *, own_user: bool = True) -> Path:
        return self._stack.enter_context(namespace(self.folder / name, own_user=own_user))

    def start(self, wanted: Machine, netns: Path | None = None) -> MachineStatus:
        """Start, in a new empty namespace unless told."""
        self.machines.start(wanted, netns or self.namespace(f"net-{wanted.id}"))
        return self.status(wanted.id)

    def status(self, key: str = "i-1") -> MachineStatus:
        status = self.machines.observe_one(key)
        assert status is not None
        return status

    def exec(self, script: str, key: str = "i-1", *, check: bool = True) -> str:
        """What a shell script prints inside."""
        argv = self.machines.exec_argv(key, ["sh", "-c", script], tty=False)
        return run(*argv, check=check)

    def console(self, key: str = "i-1") -> str:
        return self.machines.console(key).decode()

    def wait_console(self, text: str, key: str = "i-1", timeout: float = PATIENCE) -> None:
        until(lambda: text in self.console(key), f"{text!r} on the console", timeout)

    def wait_listen(self, port: int, key: str = "i-1") -> None:
        """Wait until somebody inside listens on a TCP port."""
        wanted = re.compile(f":{port:04X} 0+:0000 0A")
        until(lambda: wanted.search(self.exec("cat /proc/net/tcp*", key)), f"port {port}")

    def close(self) -> None:
        """Delete everything."""
        with self._stack:
            for key in self.machines.observe():
                self.machines.delete(key)
            self.machines.close()
