"""Containers of instances as processes: what their room hears of."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import asdict

import pytest

from gureum.machines import record
from gureum.machines.nested import NestedRoom, room
from gureum.machines.nested.room import RECORD, Running
from tests.machines.rooms import Room

pytestmark = pytest.mark.kernel

INSTANCE, CONTAINER = "i-1", "c-1"


def told(made: Room, pid: int) -> threading.Event:
    """An event that is set when the room tells of a container whose parent is ``pid``."""
    heard = threading.Event()
    nested = NestedRoom(made.machines, lambda instance: heard.set())
    folder = nested.folder(INSTANCE, CONTAINER)
    folder.mkdir(parents=True)
    started = record.start_time(pid) or 1
    running = Running(1, pid, started, pid, started, record.host_boot())
    (folder / RECORD).write_text(json.dumps(asdict(running)))
    nested.watch(INSTANCE, CONTAINER)
    return heard


def test_the_end_of_a_container_is_heard_of(one_room: Room) -> None:
    with subprocess.Popen(["sleep", "100"]) as parent:
        heard = told(one_room, parent.pid)
        assert not heard.is_set()
        parent.kill()
        assert heard.wait(5)


def test_one_that_has_ended_before_it_is_watched_is_heard_of(one_room: Room) -> None:
    """As one that is killed the moment that it was started."""
    with subprocess.Popen(["true"]) as parent:
        os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
    assert told(one_room, parent.pid).wait(5)


def test_a_signal_for_one_that_has_just_gone_is_no_error(
    one_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and the signal it may end and be forgotten."""
    nested = NestedRoom(one_room.machines, lambda instance: None)
    with subprocess.Popen(["sleep", "100"]) as process:
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
