"""What is written down of an instance beside its disk, and whether its process still lives."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from gureum.machines.runtime import cgroup_of

log = logging.getLogger(__name__)

FILE = "instance.json"


@dataclass(frozen=True, slots=True)
class Record:
    """``host_boot`` is the host's own boot id and ``started`` the start time of ``pid`` in clock
    ticks (proc(5), stat field 22): together they tell a process from a later one with the same
    number.  ``stopped`` is set before we end it.  ``lower`` is the directory of the image's lowest
    layer and ``above`` are those of the others, the highest last.  ``root`` is the volume that the
    disk is, empty where that was never told."""

    image: str
    lower: str
    boot: int
    host_boot: str
    stopped: bool = False
    pid: int | None = None
    started: int | None = None
    above: tuple[str, ...] = ()
    root: str = ""

    @property
    def layers(self) -> tuple[Path, ...]:
        """The image's layers, the lowest first."""
        return (Path(self.lower), *map(Path, self.above))


def load(folder: Path) -> Record | None:
    """The record in an instance's folder, if there is one that can be read: after a loss of power
    it may be empty, and then nothing of the instance runs."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Record(**{**found, "above": tuple(found.get("above", ()))})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError) as error:
        log.warning("%s: its record is unreadable: %s", folder.name, error)
        return None


def save(folder: Path, record: Record) -> None:
    """Replace the record as a whole, or not at all."""
    new = folder / f".{FILE}"
    new.write_text(json.dumps(asdict(record)), encoding="utf-8")
    new.rename(folder / FILE)


def host_boot() -> str:
    """An id of the time since the host was started.  Source: random(4)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since the host did; None if it has ended, also if
    nobody has yet taken note of that (a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses, and may contain any character.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def living(record: Record, folder: Path, cgroup: str) -> Record | None:
    """The record with its process, if that lives, else None.

    A daemon that was killed between starting a container and writing that down left the runtime's
    PID file; such a process is ours if it is in the cgroup that we named.
    """
    if record.host_boot != host_boot():
        return None
    if record.pid is not None:
        return record if start_time(record.pid) == record.started else None
    try:
        pid = int((folder / "pid").read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    started = start_time(pid)
    if started is None or cgroup_of(pid, "pids") != cgroup:
        return None
    return Record(**{**asdict(record), "pid": pid, "started": started})


def open_pidfd(record: Record) -> int | None:
    """A file descriptor of the record's process, or None if it has ended."""
    assert record.pid is not None
    try:
        pidfd = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return None
    if start_time(record.pid) != record.started:  # the number was given away meanwhile
        os.close(pidfd)
        return None
    return pidfd
