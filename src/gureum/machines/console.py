"""Consoles: what PID 1 and its children print, kept in two files of bounded size.

The writer must outlive the daemon, must not grow with a hostile instance, and must cost next to
nothing a hundred times.  So each instance has a shell with one ``dd``, both BusyBox, at the end of
its console's pipe: it ends when the last writer does, and a full disk or a dead daemon does not
stop the instance.  A file in place of the pipe would have no bound while the daemon is down; a pipe
to the daemon would break with it.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

# What EC2's GetConsoleOutput keeps.
KEPT = 64 * 1024

# dd makes one write per read, so lines appear at once; after this many reads of at most BLOCK bytes
# the shell looks at the size, so a file is never larger than KEPT + READS * BLOCK.
READS = 256
BLOCK = 4096

_WRITER = f"""
cd "$1" || exit
while :; do
    before=$(stat -c %s console 2>/dev/null || echo 0)
    dd bs={BLOCK} count={READS} 2>/dev/null >>console || exec cat >/dev/null
    after=$(stat -c %s console)
    [ "$after" -gt "$before" ] || exit
    [ "$after" -lt {KEPT} ] || mv -f console console.1
done
"""

# The writer's input is the pipe; it keeps nothing else of ours open, above all not the instance's
# lock (8).  nice: printing must not be a way to more of the processor than one was given.  The
# double fork makes the writer nobody's child here.  $1 is the folder, the rest what prints.
_SPLIT = f"""
exec 3<&0 8>&2
( nice -n 10 busybox setsid busybox sh -c {shlex.quote(_WRITER)} gureum-console "$1" \
    <&3 >/dev/null 2>&1 3<&- 8>&- & )
shift
exec "$@" </dev/null 2>&1 3<&-
"""


def wrap(folder: Path, argv: list[str]) -> list[str]:
    """A command line that runs ``argv`` and a writer to ``folder``.

    Its standard input and output are the two ends of one pipe: the writer reads it, ``argv`` gets
    it as output and error stream.  ``argv`` finds the caller's error stream as descriptor 8.
    """
    return ["sh", "-c", _SPLIT, "gureum", str(folder), *argv]


def tail(folder: Path) -> bytes:
    """The last :data:`KEPT` bytes."""
    data = b""
    for name in ("console", "console.1"):
        try:
            with (folder / name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - KEPT + len(data)))
                data = file.read(KEPT - len(data)) + data
        except FileNotFoundError:
            continue  # never started, or moved between two looks
    return data
