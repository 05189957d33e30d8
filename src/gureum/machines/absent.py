"""The machine room of a cloud without machines: instances are records, with their network and no
processes.

For test suites that need the API and the network only: nothing is unpacked, started or waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gureum.machines.room import MachineError, MachineStatus, check_id
from gureum.program import Machine


class NoMachines:
    """A :class:`~gureum.machines.room.MachineRoom` in which everything starts and nothing runs.

    What is up is remembered for the life of the daemon; the next one is told again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._machines: dict[str, MachineStatus] = {}

    def observe(self) -> dict[str, MachineStatus]:
        """Every instance that was started and not deleted, by id."""
        with self._lock:
            return dict(self._machines)

    def observe_one(self, id: str) -> MachineStatus | None:  # noqa: A002
        """One instance, or None if it was never started."""
        with self._lock:
            return self._machines.get(id)

    def start(self, machine: Machine, netns: Path) -> None:
        """Take note that it is up."""
        with self._lock:
            status = MachineStatus("running", machine.boot, None, machine.image)
            self._machines[check_id(machine.id)] = status

    def stop(self, id: str, grace: float) -> None:  # noqa: A002
        """Take note that it is not."""
        with self._lock:
            known = self._machines.get(id)
            if known is not None:
                self._machines[id] = MachineStatus("exited", 0, None, known.image)

    def delete(self, id: str) -> None:  # noqa: A002
        """Forget it."""
        with self._lock:
            self._machines.pop(id, None)

    def equip(self, machine: Machine) -> None:
        """Nothing runs that could see a volume."""

    def contents(self) -> set[str]:
        """No volume has content."""
        return set()

    def copy_content(self, source: str, target: str) -> None:
        """There is none."""

    def copy_disk(self, id: str, target: str) -> None:  # noqa: A002
        """There is none."""

    def remove_content(self, id: str) -> None:  # noqa: A002
        """There is none."""

    def on_exit(self, callback: Callable[[str], None]) -> None:
        """Nothing ends by itself."""

    def console(self, id: str) -> bytes:  # noqa: A002
        """Nobody writes anything."""
        return b""

    def exec_argv(
        self,
        id: str,  # noqa: A002
        argv: Sequence[str],
        *,
        tty: bool,
        env: Mapping[str, str] = {},
    ) -> list[str]:
        """There is nothing to run anything in.

        Raises:
            MachineError: always.
        """
        raise MachineError(f"{id} is a record only: the daemon was started with --no-machines")

    def close(self) -> None:
        """There is nothing to be closed."""


def refuse_leftovers(state: Path) -> None:
    """Do not take over a folder whose instances have processes or disks, which nobody would see to.

    Raises:
        MachineError: there are some.
    """
    folder = state / "instances"
    if folder.is_dir() and any(folder.iterdir()):
        raise MachineError(
            f"{folder} holds machines: terminate their instances, or start without --no-machines"
        )
