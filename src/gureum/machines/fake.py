"""A machine room in memory, for tests of what drives one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gureum.machines.room import MachineError, MachineStatus, check_id
from gureum.program import Machine


class FakeMachines:
    """Keeps what was asked for; ``exits`` plays an instance that ends by itself, ``fail`` one that
    cannot be started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._machines: dict[str, MachineStatus] = {}
        self._callbacks: list[Callable[[str], None]] = []
        self._next_pid = 1000
        self.equipped: dict[str, tuple[tuple[str, str], ...]] = {}
        self.disks: dict[str, str] = {}
        """The snapshots that disks began with."""
        self.roots: dict[str, str] = {}
        """The volumes that disks are."""
        self.content: dict[str, str] = {}
        """What volumes and snapshots hold: a text that tells where it came from."""
        self.consoles: dict[str, bytes] = {}
        self.netns: dict[str, Path] = {}
        self.calls: list[str] = []
        """``start i-1 boot=1``, ``stop i-1``, ``delete i-1``: changes in the order they came."""
        self.failures: dict[str, int] = {}
        """How many further starts of an id fail."""

    def observe(self) -> dict[str, MachineStatus]:
        """See :class:`~gureum.machines.room.MachineRoom`; so all others."""
        with self._lock:
            return dict(self._machines)

    def observe_one(self, id: str) -> MachineStatus | None:  # noqa: A002
        with self._lock:
            return self._machines.get(id)

    def start(self, machine: Machine, netns: Path) -> None:
        with self._lock:
            key = check_id(machine.id)
            status = self._machines.get(key)
            if status and status.state == "running" and status.boot == machine.boot:
                return
            self.calls.append(f"start {key} boot={machine.boot}")
            if self.failures.get(key, 0) > 0:
                self.failures[key] -= 1
                raise MachineError(f"{key}: told to fail")
            self._next_pid += 1
            self.netns[key] = netns
            self.consoles[key] = self.consoles.get(key, b"") + f"boot {machine.boot}\n".encode()
            self.equipped[key] = machine.volumes
            old = self.roots.get(key, machine.root)
            if old != machine.root:
                self.content.setdefault(old, f"disk of {key}")
                self.disks[key] = machine.disk
            self.roots[key] = machine.root
            self.disks.setdefault(key, machine.disk)
            self._fill(machine)
            self._machines[key] = MachineStatus(
                "running", machine.boot, self._next_pid, machine.image
            )

    def stop(self, id: str, grace: float) -> None:  # noqa: A002
        with self._lock:
            status = self._machines.get(id)
            if status is not None:
                self.calls.append(f"stop {id}")
                self._machines[id] = replace(status, state="exited", boot=0, pid=None)

    def delete(self, id: str) -> None:  # noqa: A002
        with self._lock:
            if self._machines.pop(id, None) is not None:
                self.calls.append(f"delete {id}")
            self.consoles.pop(id, None)
            self.netns.pop(id, None)

    def equip(self, machine: Machine) -> None:
        with self._lock:
            status = self._machines.get(machine.id)
            if status is not None and status.state == "running":
                self.equipped[machine.id] = machine.volumes
                self._fill(machine)

    def _fill(self, machine: Machine) -> None:
        for _, key in machine.volumes:
            self.content.setdefault(key, f"first of {machine.id}")

    def contents(self) -> set[str]:
        with self._lock:
            return set(self.content)

    def copy_content(self, source: str, target: str) -> None:
        with self._lock:
            if source in self.content:
                self.content.setdefault(target, self.content[source])

    def copy_disk(self, id: str, target: str) -> None:  # noqa: A002
        with self._lock:
            if id in self._machines:
                self.content.setdefault(target, f"disk of {id}")

    def remove_content(self, id: str) -> None:  # noqa: A002
        with self._lock:
            self.content.pop(id, None)

    def on_exit(self, callback: Callable[[str], None]) -> None:
        self._callbacks.append(callback)

    def console(self, id: str) -> bytes:  # noqa: A002
        return self.consoles.get(id, b"")

    def exec_argv(
        self,
        id: str,  # noqa: A002
        argv: Sequence[str],
        *,
        tty: bool,
        env: Mapping[str, str] = {},
    ) -> list[str]:
        status = self.observe_one(id)
        if status is None or status.state != "running":
            raise MachineError(f"{id} does not run")
        return ["env", *(f"{name}={value}" for name, value in env.items()), *argv]

    def close(self) -> None:
        self._callbacks.clear()

    # --- for tests ------------------------------------------------------------------------------
    def exits(self, id: str) -> None:  # noqa: A002
        """The instance ends by itself; those who asked are told."""
        with self._lock:
            status = self._machines[id]
            self._machines[id] = replace(status, state="exited", pid=None)
        for callback in list(self._callbacks):
            callback(id)
