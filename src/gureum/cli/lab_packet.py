"""A real packet for a lab's question, where one can be sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gureum.cli import prober
from gureum.cli.client import Daemon
from gureum.cli.failure import Failure
from gureum.cli.program import command_line, listen, need

_PATIENCE = 1.0
"""Seconds; an answer takes milliseconds here."""


def packet(daemon: Daemon, source: str, address: str, service: str) -> bool | None:
    """Whether somebody answers a packet from a place, be it by refusing; None where none can be
    sent: the place does not run, we have no rights, a program is missing."""
    try:
        argv = command_line(daemon, source, _argv(address, service))
        done = listen(argv)
    except Failure:
        return None
    if service == "icmp":
        return {0: True, 1: False}.get(done.returncode)
    try:
        state = json.loads(done.stdout)["state"]
    except ValueError:
        return None
    return state in (prober.OPEN, prober.REFUSED)


def _argv(address: str, service: str) -> list[str]:
    if service == "icmp":
        return [need("ping"), "-c1", f"-W{_PATIENCE}", "-n", address]
    protocol, _, port = service.rpartition("/")
    script = [sys.executable, "-I", str(Path(prober.__file__).resolve())]
    return [*script, address, port, protocol or "tcp", str(_PATIENCE), "1"]
