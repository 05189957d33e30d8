"""Each lesson on a running cloud: what it teaches holds, and nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.lessons.test_texts import LESSONS, NAMES

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]

PATIENCE = 300
"""Seconds for a lesson on a busy machine; it takes some 30 on an idle one."""


def teach(daemon: Daemon, script: Path) -> subprocess.CompletedProcess[str]:
    """Run a lesson as a learner does."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(script)],
        env={**os.environ, "GUREUM_STATE": str(daemon.state), "PATH": tools},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def left(daemon: Daemon) -> list[str]:
    """What the account has that it did not have at first: nothing but terminated instances."""
    ec2 = daemon.ec2()
    found = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    reservations = ec2.describe_instances()["Reservations"]
    instances = [each for one in reservations for each in one["Instances"]]
    gone = ("terminated", "shutting-down")
    found += [each["InstanceId"] for each in instances if each["State"]["Name"] not in gone]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_holds_and_leaves_nothing(daemon: Daemon, name: str) -> None:
    done = teach(daemon, LESSONS / name / "lesson.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  ok     " in done.stdout
    assert "WRONG" not in done.stdout
    assert left(daemon) == []


def test_a_lesson_that_does_not_hold_says_so_and_cleans_up(daemon: Daemon, tmp_path: Path) -> None:
    """The same lesson about a subnet that is no hub."""
    text = (LESSONS / "hub-leaks" / "lesson.sh").read_text(encoding="utf-8")
    assert '"$room" hub' in text
    lesson = tmp_path / "hub-leaks" / "lesson.sh"
    lesson.parent.mkdir()
    lesson.write_text(text.replace('"$room" hub', '"$room" fabric'), encoding="utf-8")
    (tmp_path / "common.sh").write_bytes((LESSONS / "common.sh").read_bytes())
    done = teach(daemon, lesson)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "WRONG  third has read it" in done.stdout
    assert left(daemon) == []
