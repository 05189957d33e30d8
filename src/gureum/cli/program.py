"""Runs programs where packets are: in instances, on internet hosts, in routers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from gureum.cli.client import Daemon
from gureum.cli.failure import Failure

NOT_FOUND = 127
"""The status of a program that is not there, as shells have it."""


def command_line(
    daemon: Daemon,
    place: str,
    argv: Sequence[str],
    *,
    net_only: bool = True,
    tty: bool = False,
    env: Mapping[str, str] | None = None,
) -> list[str]:
    """The command line that runs ``argv`` in a place: with ``net_only`` a program of this machine
    in the place's network, else one of the instance's own."""
    body = {
        "place": place,
        "argv": list(argv),
        "tty": tty,
        "env": dict(env or {}),
        "net_only": net_only,
    }
    return [str(word) for word in daemon.post("/exec", body)["argv"]]


def target_of(daemon: Daemon, source: str, target: str, *, ipv6: bool) -> dict[str, Any]:
    """The ``address`` by which one place reaches another, and the places."""
    version = "1" if ipv6 else None
    found: dict[str, Any] = daemon.get("/target", source=source, target=target, ipv6=version)
    return found


def become(argv: Sequence[str]) -> NoReturn:
    """Be that program from here on: it has our terminal, signals and exit status.

    Raises:
        Failure: it is not there.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606 - a shell would be in the way
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed on this machine", NOT_FOUND) from None
    except PermissionError as error:
        raise Failure(f"{argv[0]} cannot be run: {error.strerror}", 126) from None


def listen(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and keep what it says."""
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise Failure(f"{argv[0]} is not installed on this machine", NOT_FOUND) from None


def need(program: str) -> str:
    """The path of a program of this machine.

    Raises:
        Failure: it is not installed.
    """
    found = shutil.which(program)
    if found is None:
        raise Failure(f"{program} is not installed on this machine", NOT_FOUND)
    return found
