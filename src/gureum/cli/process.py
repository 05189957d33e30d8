"""The daemon as a process: started in the background, waited for, its log read."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from gureum.server.settings import lock_path

T = TypeVar("T")

LOG_NAME = "daemon.log"

_STEP = 0.05
"""Seconds between two looks at something that is about to happen."""


def log_path(state: Path) -> Path:
    """The log of a daemon in the background."""
    return state / LOG_NAME


def launch(state: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a daemon in a session of its own, its log appended to :func:`log_path`."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "gureum", "--state", str(state), "serve", *arguments]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    log = os.open(log_path(state), flags, 0o600)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(log)


def log_size(state: Path) -> int:
    """Bytes of the log so far."""
    path = log_path(state)
    return path.stat().st_size if path.exists() else 0


def log_since(state: Path, offset: int) -> list[str]:
    """The lines of the log from a byte on."""
    path = log_path(state)
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace").splitlines()


def is_served(state: Path) -> bool:
    """Whether a daemon holds the lock of the state folder.

    Raises:
        PermissionError: the folder belongs to another user.
    """
    path = lock_path(state)
    if not path.exists():
        return False
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def has_ended(process: int, seconds: float) -> bool:
    """Wait for a process, given as a pidfd, to end; whether it has in that time."""
    ready, _, _ = select.select([process], [], [], seconds)
    return bool(ready)


def until(look: Callable[[], T | None], seconds: float) -> T | None:
    """The first answer that is not None, or None when the time is over."""
    end = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < end:
        time.sleep(_STEP)
    return found


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show that something takes its time: a line that moves on a terminal, one line elsewhere.
    What is given changes the text."""
    from gureum.cli.output import clean, console

    out = console(stderr=True)
    if not out.is_terminal:
        out.print(text)
        yield lambda more: None
        return
    with out.status(text) as shown:
        yield lambda more: shown.update(f"{text} {clean(more)}")
