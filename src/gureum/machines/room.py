"""What the reconciler may ask of the machine room, whoever carries it out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from gureum.program import Machine

State = Literal["running", "exited"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class MachineError(Exception):
    """An instance or image could not be handled; the text names what was attempted, on which id,
    and what the kernel or the program that we ran answered."""


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """What is known of one instance.

    ``boot`` is the counter it was last started with.  It is 0 for an instance that did not end by
    itself: stopped through :meth:`MachineRoom.stop`, or gone with the host's own restart; so an
    ``exited`` instance whose ``boot`` is the wanted one has shut itself down.  ``image`` is the
    name the instance was made from.
    """

    state: State
    boot: int
    pid: int | None
    image: str


class MachineRoom(Protocol):
    """Processes and disks of instances.  Every change may be asked for twice; all of it may be
    called from several threads, for different instances at the same time."""

    def observe(self) -> dict[str, MachineStatus]:
        """Every instance that has a disk, by id, as it is now."""

    def observe_one(self, id: str) -> MachineStatus | None:  # noqa: A002 - the id of an instance
        """One instance, or None if it has no disk."""

    def start(self, machine: Machine, netns: Path) -> None:
        """Make the instance run with ``machine.boot`` in the network namespace ``netns``.

        Blocks until PID 1 runs.  Nothing happens if it runs with this boot already; if it runs with
        another it is stopped first.  Where its root volume is another than at the last start, its
        disk becomes the content of that one, and it starts with a new one.

        Raises:
            MachineError: it does not run; what was begun has been undone, the disk is kept.
        """

    def stop(self, id: str, grace: float) -> None:  # noqa: A002
        """End the instance, by SIGTERM to PID 1 and after ``grace`` seconds by SIGKILL.  The disk
        is kept.  Unknown ids are as good as stopped ones."""

    def delete(self, id: str) -> None:  # noqa: A002
        """End the instance at once and remove its disk and console."""

    def equip(self, machine: Machine) -> None:
        """Make the volumes of a running instance those of ``machine``; one that does not run gets
        them when it starts.

        Raises:
            MachineError: a volume could not be mounted or unmounted.
        """

    def contents(self) -> set[str]:
        """The ids of the volumes and snapshots that have content."""

    def copy_content(self, source: str, target: str) -> None:
        """Give ``target`` a copy of what ``source`` has, unless it has content or ``source`` has
        none.

        Raises:
            MachineError: it could not be copied.
        """

    def copy_disk(self, id: str, target: str) -> None:  # noqa: A002
        """Give the snapshot ``target`` a copy of what an instance has on its disk beside its image,
        unless it has content or the instance no disk.

        Raises:
            MachineError: it could not be copied.
        """

    def remove_content(self, id: str) -> None:  # noqa: A002
        """Remove the content of a volume or snapshot, if there is any."""

    def on_exit(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(id)``, from a thread of the room's own, when an instance ends by
        itself."""

    def console(self, id: str) -> bytes:  # noqa: A002
        """The last 64 KiB that PID 1 and its children wrote, over all boots; empty if unknown."""

    def exec_argv(
        self,
        id: str,  # noqa: A002
        argv: Sequence[str],
        *,
        tty: bool,
        env: Mapping[str, str] = {},
    ) -> list[str]:
        """The command line of a host process that runs ``argv`` as root inside the instance, with
        its own streams as the streams of that process and its exit status as its own.

        Raises:
            MachineError: the instance does not run.
        """

    def close(self) -> None:
        """Watch no more; instances keep running."""


def check_id(id: str) -> str:  # noqa: A002
    """The id itself, if it is safe as a file name, container name and cgroup name.

    Raises:
        MachineError: it is not.
    """
    if not _ID.fullmatch(id):
        raise MachineError(f"{id!r} is no instance id: letters, digits, '-' and '_' only")
    return id
