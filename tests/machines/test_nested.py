"""Containers of instances as processes: what their room hears of."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import pytest

from gureum.machines import record
from gureum.machines.nested import NestedRoom, room
from gureum.machines.nested.room import RECORD, Running
from tests.kernel.packets import eventually
from tests.machines.rooms import Room

pytestmark = pytest.mark.kernel

INSTANCE, CONTAINER = "i-1", "c-1"


def told(made: Room, pid: int, conmon: int) -> list[str]:
    """What the room tells of a container with that process and that parent: grows as it does."""
    heard: list[str] = []
    nested = NestedRoom(made.machines, heard.append)
    folder = nested.folder(INSTANCE, CONTAINER)
    folder.mkdir(parents=True)
    starts = [record.start_time(each) or 1 for each in (pid, conmon)]
    running = Running(1, pid, starts[0], conmon, starts[1], record.host_boot())
    (folder / RECORD).write_text(json.dumps(asdict(running)))
    nested.watch(INSTANCE, CONTAINER)
    return heard


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that would run on, ended in the end."""
    with subprocess.Popen(["sleep", "100"]) as process:
        try:
            yield process
        finally:
            process.kill()


def gone() -> int:
    """The number of a process that has ended and was forgotten."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_the_end_of_a_container_is_heard_of(one_room: Room) -> None:
    with sleeper() as parent:
        heard = told(one_room, parent.pid, parent.pid)
        assert heard == []
        parent.kill()
        assert eventually(lambda: heard == [INSTANCE], 5)


def test_one_that_has_ended_before_it_is_watched_is_heard_of(one_room: Room) -> None:
    """As one that is killed the moment that it was started."""
    assert told(one_room, gone(), gone()) == [INSTANCE]


def test_one_whose_parent_was_killed_is_heard_of_when_it_ends(one_room: Room) -> None:
    """And not before: who is told looks at once, and would be told again and again."""
    with sleeper() as process:
        heard = told(one_room, process.pid, gone())
        assert heard == []
        process.kill()
        assert eventually(lambda: heard == [INSTANCE], 5)


def test_a_signal_for_one_that_has_just_gone_is_no_error(
    one_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and the signal it may end and be forgotten."""
    nested = NestedRoom(one_room.machines, lambda instance: None)
    with sleeper() as process:
        started = record.start_time(process.pid) or 1
        pidfd = os.pidfd_open(process.pid)
        running = Running(1, process.pid, started, process.pid, started, record.host_boot())
        folder = nested.folder(INSTANCE, CONTAINER)
        folder.mkdir(parents=True)
        (folder / RECORD).write_text(json.dumps(asdict(running)))
        monkeypatch.setattr(nested, "running", lambda *_: running)
        process.kill()
        process.wait()
    monkeypatch.setattr(room, "_open_pidfd", lambda *_: pidfd)
    assert nested.kill(INSTANCE, CONTAINER, 9) is False
