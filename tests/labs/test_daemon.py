"""Labs on a real daemon: real instances, real packets, and nothing left of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gureum.labs.lab import account_of
from tests.daemon import Daemon
from tests.kernel.packets import eventually

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240)]

SERVED = 10.0
"""Seconds until what an instance's user data starts must listen."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("labs") / "state", "--no-host-link")
    made.start()
    yield made
    made.close()


def lab(daemon: Daemon, *words: str, status: int = 0) -> Any:
    done = daemon.gureum("lab", *words, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "name", ["closed-door", "inspector", "asleep", "open-but-no-ping", "knocking-at-the-nat"]
)
def test_a_lab_from_start_to_stop(daemon: Daemon, name: str) -> None:
    before = namespaces(daemon)
    asked = lab(daemon, "start", name)["question"]
    assert rows_of(daemon, name)
    assert disks(daemon)
    found = lab(daemon, "check", name, status=1)
    assert (found["verdict"], found["packet"]) == ("blocked", False)
    lab(daemon, "solve", name)
    found = lab(daemon, "check", name)
    assert (found["verdict"], found["packet"]) == ("solved", True)
    somebody_answers(daemon, name, asked)
    lab(daemon, "stop", name)
    assert rows_of(daemon, name) == []
    assert eventually(lambda: namespaces(daemon) == before, SERVED)
    assert disks(daemon) == []


def somebody_answers(daemon: Daemon, name: str, asked: dict[str, str]) -> None:
    """Not only the kernel: the service of the story is there."""
    words = ("explain", "--account", account_of(name), *asked.values())
    answers = eventually(lambda: daemon.gureum(*words).returncode == 0, SERVED)
    assert answers, daemon.gureum(*words).stdout


def rows_of(daemon: Daemon, name: str) -> list[str]:
    """What the database still has of a lab's account."""
    with sqlite3.connect(daemon.state / "gureum.db") as database:
        rows = database.execute("SELECT id, body FROM rows").fetchall()
    account = account_of(name).encode()
    return [key for key, body in rows if account in body]


def namespaces(daemon: Daemon) -> set[str]:
    return {path.name for path in Path("/run/netns").glob(f"gu{daemon.tag}-*")}


def disks(daemon: Daemon) -> list[str]:
    """What the machines have left on disk."""
    return [path.name for path in daemon.state.rglob("i-*")]


def test_a_started_lab_outlives_the_daemon(daemon: Daemon) -> None:
    lab(daemon, "start", "wrong-badge")
    daemon.kill()
    daemon.start()
    (found,) = (each for each in lab(daemon, "list") if each["name"] == "wrong-badge")
    assert found["started"]
    lab(daemon, "solve", "wrong-badge")
    assert lab(daemon, "check", "wrong-badge")["packet"] is True
    assert [each["name"] for each in lab(daemon, "stop", "--all")] == ["wrong-badge"]
    assert rows_of(daemon, "wrong-badge") == []
