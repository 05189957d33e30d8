"""Telling when processes end."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.machines.watch import Watch, wait
from tests.machines.rooms import until

DESCRIPTORS = Path("/proc/self/fd")


class Sleepers:
    """Processes that wait to be ended, and a watch over them."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.watch = Watch(self.ended.append)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, key: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "60"])
        self.processes.append(process)
        self.watch.add(key, os.pidfd_open(process.pid))
        return process

    def close(self) -> None:
        self.watch.close()
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    made = Sleepers()
    yield made
    made.close()


def test_tells_once_for_each(sleepers: Sleepers) -> None:
    first, second = sleepers.start("a"), sleepers.start("b")
    first.kill()
    until(lambda: sleepers.ended == ["a"], "the end of a")
    second.kill()
    until(lambda: sleepers.ended == ["a", "b"], "the end of b")


def test_news_of_an_earlier_process_do_not_end_the_watch_of_a_later_one(
    sleepers: Sleepers,
) -> None:
    """A restarted instance's pidfd gets the number of the one before; what select(2) had said of
    that comes late."""
    process = sleepers.start("a")
    sleepers.watch._tell("a", sleepers.watch._pidfds["a"])
    assert sleepers.ended == []
    process.kill()
    until(lambda: sleepers.ended == ["a"], "the end of a")


def test_what_was_dropped_is_not_told(sleepers: Sleepers) -> None:
    first, second = sleepers.start("a"), sleepers.start("b")
    sleepers.watch.drop("a")
    sleepers.watch.drop("unknown")
    first.kill()
    first.wait()
    second.kill()
    until(lambda: sleepers.ended, "the end of b")
    assert sleepers.ended == ["b"]


def test_a_new_process_of_a_key_replaces_the_old(sleepers: Sleepers) -> None:
    first = sleepers.start("a")
    held = len(list(DESCRIPTORS.iterdir()))
    second = sleepers.start("a")
    assert len(list(DESCRIPTORS.iterdir())) == held
    first.kill()
    first.wait()
    second.kill()
    until(lambda: sleepers.ended, "the end of the second")
    assert sleepers.ended == ["a"]


def test_news_of_a_process_that_was_dropped_meanwhile(sleepers: Sleepers) -> None:
    sleepers.start("a")
    sleepers.watch._tell("a", 99_999)
    sleepers.watch._tell("b", 99_999)
    assert sleepers.ended == []


def test_one_that_has_ended_already(sleepers: Sleepers) -> None:
    process = subprocess.Popen(["true"])
    pidfd = os.pidfd_open(process.pid)
    process.wait()
    sleepers.watch.add("a", pidfd)
    until(lambda: sleepers.ended == ["a"], "the end of a")


def test_a_callback_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    def fail(key: str) -> None:
        ended.append(key)
        raise RuntimeError("no")

    watch = Watch(fail)
    with caplog.at_level(logging.ERROR):
        for key in ("a", "b"):
            process = subprocess.Popen(["true"])
            watch.add(key, os.pidfd_open(process.pid))
            process.wait()
        until(lambda: ended == ["a", "b"], "both ends")
    watch.close()
    assert "a has ended, and what should follow failed" in caplog.text


def test_closing_leaves_no_descriptor() -> None:
    before = sorted(DESCRIPTORS.iterdir())
    made = Sleepers()
    made.start("a")
    made.close()
    assert sorted(DESCRIPTORS.iterdir()) == before


def test_wait() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        pidfd = os.pidfd_open(process.pid)
        assert not wait(pidfd, 0.01)
        process.kill()
        assert wait(pidfd, 10)
        os.close(pidfd)
