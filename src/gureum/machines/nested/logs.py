"""What a container printed, as conmon keeps it: ``time stream P|F text``, one piece a line.

Source: conmon(8), ``k8s-file``; Kubernetes, "CRI log format".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD = 64
BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line: when (RFC 3339), on which stream (1 or 2), what; ``whole`` if the line
    ends with it, and then ``text`` ends with its line feed."""

    at: str
    stream: int
    text: bytes
    whole: bool


def piece(line: bytes) -> Piece | None:
    """One line of the file; None where it is none."""
    parts = line.split(b" ", 3)
    if len(parts) < 4 or parts[1] not in (b"stdout", b"stderr"):
        return None
    whole = parts[2] == b"F"
    text = parts[3].rstrip(b"\n")
    stream = 1 if parts[1] == b"stdout" else 2
    return Piece(parts[0].decode("ascii", "replace"), stream, text + b"\n" * whole, whole)


class Log:
    """Reads a log from its beginning on, also while it grows and when conmon begins a new one."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log"
        self._inode = 0
        self._offset = 0

    def more(self) -> Iterator[Piece]:
        """What has come since we last looked."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            inode = self._path.stat().st_ino
            size = file.seek(0, 2)
            if inode != self._inode or size < self._offset:
                self._inode, self._offset = inode, 0
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # half written
                self._offset += len(line)
                found = piece(line)
                if found is not None:
                    yield found


def last_lines(pieces: list[Piece], count: int) -> list[Piece]:
    """The pieces of the last ``count`` lines."""
    seen = 0
    for at in range(len(pieces) - 1, -1, -1):
        if pieces[at].whole:
            seen += 1
            if seen > count:
                return pieces[at + 1 :]
    return pieces if count else []
