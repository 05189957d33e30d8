"""The cgroups of instances and of containers in them, in whichever versions are mounted.

Sources: cgroups(7); Linux, ``cgroup-v1/cgroups.rst`` and ``cgroup-v2.rst``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_UNIFIED = ROOT / "cgroup.controllers"

SYSTEM = "system"
"""Where an instance's own processes are under version 2 once it has containers: a cgroup with
limits below it holds no processes itself."""

PATIENCE = 2.0
"""Seconds that processes which were killed may take to leave their cgroup."""


def is_unified() -> bool:
    """Whether the controllers are those of version 2."""
    return _UNIFIED.exists()


def hierarchies() -> list[Path]:
    """The roots of all hierarchies; under version 2 there is one."""
    if is_unified():
        return [ROOT]
    return [path for path in sorted(ROOT.iterdir()) if path.is_dir() and not path.is_symlink()]


def folders(cgroup: str) -> Iterator[Path]:
    """A cgroup's folder in each hierarchy that has it."""
    for root in hierarchies():
        path = root / cgroup.lstrip("/")
        if path.is_dir():
            yield path


def processes(cgroup: str) -> set[int]:
    """The processes in a cgroup, by the host's numbers."""
    found: set[int] = set()
    for folder in folders(cgroup):
        with contextlib.suppress(OSError):
            found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
    return found


def read(cgroup: str, controller: str, name: str) -> str:
    """A file of a cgroup, or "" where there is none; under version 2 the controller is part of the
    name."""
    base = ROOT if is_unified() else ROOT / controller
    try:
        return (base / cgroup.lstrip("/") / name).read_text()
    except OSError:
        return ""


def freeze(cgroup: str) -> bool:
    """Stop all processes of a cgroup and of those below it where they are; whether they have."""
    return _freezer(ROOT / cgroup.lstrip("/"), frozen=True)


def thaw(cgroup: str) -> None:
    """Let all processes of a cgroup go on, and of those below it, whoever stopped them."""
    base = ROOT if is_unified() else ROOT / "freezer"
    for path, _, _ in os.walk(base / cgroup.lstrip("/")):
        _freezer(ROOT / Path(path).relative_to(base), frozen=False)


def _freezer(folder: Path, *, frozen: bool) -> bool:
    """Source: Linux, ``cgroup-v1/freezer-subsystem.rst``; ``cgroup-v2.rst``, ``cgroup.freeze``."""
    if is_unified():
        file, word, told, done = "cgroup.freeze", str(int(frozen)), "cgroup.events", "frozen 1"
    else:
        folder = ROOT / "freezer" / folder.relative_to(ROOT)
        file, told, done = "freezer.state", "freezer.state", "FROZEN"
        word = "FROZEN" if frozen else "THAWED"
    until = time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):  # it has just gone
        (folder / file).write_text(word)
        while frozen and done not in (folder / told).read_text():
            if time.monotonic() > until:
                return False
            time.sleep(0.002)
        return True
    return False


def make_room(cgroup: str) -> str:
    """Have a running instance's cgroup take cgroups with limits below it; the one in which
    processes of its own are to be from now on.

    Under version 1 nothing is to be done.  Under version 2 all its processes move down.
    """
    if not is_unified():
        return cgroup
    top = ROOT / cgroup.lstrip("/")
    below = top / SYSTEM
    below.mkdir(exist_ok=True)
    for _ in range(100):  # they may fork meanwhile
        moving = (top / "cgroup.procs").read_text().split()
        if not moving:
            break
        for pid in moving:
            with contextlib.suppress(ProcessLookupError):
                (below / "cgroup.procs").write_text(pid)
    wanted = "+cpu +memory +pids"
    (top / "cgroup.subtree_control").write_text(wanted)
    return f"{cgroup}/{SYSTEM}"


def remove(cgroup: str) -> None:
    """Remove a cgroup with all below it; what still has processes after some time stays."""
    for folder in list(folders(cgroup)):
        for path, _, _ in os.walk(folder, topdown=False):
            _remove_one(Path(path))


def _remove_one(folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > until:
                return
            time.sleep(0.005)
        else:
            return
