"""The machine room in memory behaves as the real one where its users can see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gureum.machines import FakeMachines, MachineError, MachineRoom, MachineStatus
from tests.machines.rooms import machine

NETNS = Path("/run/netns/x")


def test_is_a_machine_room() -> None:
    room: MachineRoom = FakeMachines()
    room.close()


def test_life() -> None:
    room = FakeMachines()
    ended: list[str] = []
    room.on_exit(ended.append)
    room.start(machine(), NETNS)
    room.start(machine(), NETNS)
    assert room.observe() == {"i-1": MachineStatus("running", 1, 1001, "gureum-base")}
    room.exits("i-1")
    assert ended == ["i-1"]
    assert room.observe_one("i-1") == MachineStatus("exited", 1, None, "gureum-base")
    room.start(machine(boot=2), NETNS)
    room.stop("i-1", 1)
    room.stop("i-2", 1)
    assert room.observe_one("i-1") == MachineStatus("exited", 0, None, "gureum-base")
    assert room.console("i-1") == b"boot 1\nboot 2\n"
    room.delete("i-1")
    room.delete("i-1")
    assert room.observe() == {}
    assert room.calls == ["start i-1 boot=1", "start i-1 boot=2", "stop i-1", "delete i-1"]
    assert ended == ["i-1"]


def test_fails_as_often_as_told() -> None:
    room = FakeMachines()
    room.failures["i-1"] = 1
    with pytest.raises(MachineError, match="i-1: told to fail"):
        room.start(machine(), NETNS)
    room.start(machine(), NETNS)
    assert room.exec_argv("i-1", ["id"], tty=False, env={"A": "b"}) == ["env", "A=b", "id"]


def test_refuses_what_the_real_one_refuses() -> None:
    room = FakeMachines()
    with pytest.raises(MachineError, match="is no instance id"):
        room.start(machine("../i-1"), NETNS)
    with pytest.raises(MachineError, match="does not run"):
        room.exec_argv("i-1", ["id"], tty=False)
