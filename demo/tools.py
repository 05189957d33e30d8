"""Runs Gureum's commands and reads what they say."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 1.5
"""Seconds after which a packet counts as lost; on one machine it takes under a millisecond."""

GUREUM = [sys.executable, "-m", "gureum"]


def gureum(*args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command of Gureum's."""
    return subprocess.run(
        [*GUREUM, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def said(*args: str) -> str:
    """The output of a command that must succeed.

    Raises:
        RuntimeError: it did not.
    """
    done = gureum(*args)
    if done.returncode != 0:
        raise RuntimeError(f"gureum {' '.join(args)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def facts(*args: str) -> Any:
    """The output of a command as JSON; the command may tell of a failure."""
    done = gureum(*args, "--json")
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        raise RuntimeError(f"gureum {' '.join(args)}: {done.stderr.strip()}") from None


def inside(place: str, *argv: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    """Run a program in an instance or on an internet host."""
    return gureum("exec", place, "--", *argv, timeout=timeout)


def port(source: str, target: str, number: int) -> str:
    """What a connection attempt meets: ``open``, ``refused``, ``filtered`` or ``unreachable``."""
    return str(facts("port", source, target, str(number), "--timeout", str(PATIENCE))["state"])


def fetch(source: str, url: str) -> tuple[int, str]:
    """curl's HTTP status (0 for no answer) and what was served."""
    done = inside(source, "curl", "-s", "-m", str(PATIENCE), "-w", "\n%{http_code}", url)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body.strip()


class Ssh:
    """ssh from the internet with one key."""

    def __init__(self, key: Path) -> None:
        self.key = key

    def run(self, target: str, *command: str, via: str | None = None) -> tuple[int, str]:
        """The exit status and output of a command on an instance."""
        jump = ("--via", via) if via else ()
        done = gureum("ssh", target, "-i", str(self.key), *jump, "--", *command, timeout=30)
        return done.returncode, done.stdout.strip() or done.stderr.strip()


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
