"""An idle cloud sleeps."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cloud.site import Site
from tests.daemon import Daemon

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

LOOK = 5.0
"""Seconds that we look."""


def switches(pid: int) -> int:
    """How often the threads of a process went to sleep, so far (proc(5), status)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        rows = (task / "status").read_text().splitlines()
        total += next(int(r.split()[1]) for r in rows if r.startswith("voluntary_ctxt_switches"))
    return total


def test_nothing_wakes_more_than_once_a_second(daemon: Daemon, site: Site) -> None:
    group = site.group("idle")
    guest = site.launch(site.public, group)
    assert daemon.process is not None
    inside = int((daemon.state / "instances" / guest.id / "pid").read_text())
    for pid in (daemon.process.pid, inside):
        time.sleep(2)  # what the launch began has ended
        before = switches(pid)
        time.sleep(LOOK)
        assert switches(pid) - before <= LOOK
