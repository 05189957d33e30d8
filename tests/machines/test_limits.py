"""What an instance may use is in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from gureum.machines.runtime import cgroup_of
from tests.machines.rooms import Room, alive, machine, until

pytestmark = pytest.mark.kernel


def test_its_processes_are_first_to_be_ended(room: Room) -> None:
    room.start(machine())
    assert room.exec("cat /proc/1/oom_score_adj").strip() == "500"
    assert "write error" in room.exec("echo -1 >/proc/1/oom_score_adj", check=False)


def value(pid: int | None, controller: str, one: str, two: str) -> str:
    """A cgroup's setting for a process: the file ``one`` under version 1, else ``two``."""
    assert pid is not None
    path = cgroup_of(pid, controller).lstrip("/")
    files = (Path("/sys/fs/cgroup", controller, path, one), Path("/sys/fs/cgroup", path, two))
    return next(file.read_text().strip() for file in files if file.exists())


def test_the_kernel_has_the_limits(room: Room) -> None:
    pid = room.start(machine(cpus=2, memory=96)).pid
    assert value(pid, "memory", "memory.limit_in_bytes", "memory.max") == str(96 << 20)
    assert value(pid, "pids", "pids.max", "pids.max") == "1024"
    quota = value(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0]
    assert quota == "200000"


def test_out_of_memory_ends_the_process_and_not_the_instance(room: Room) -> None:
    pid = room.start(machine(memory=48)).pid
    room.wait_console("is up")
    # tail(1) keeps a last line of any length.
    assert "137" in room.exec("tail /dev/zero; echo $?").split()
    assert alive(pid)
    assert room.exec("echo fine") == "fine\n"


def test_a_fork_bomb_ends_at_the_limit(room: Room) -> None:
    pid = room.start(machine(memory=256)).pid
    room.wait_console("is up")
    room.exec("while sleep 60 >/dev/null 2>&1 & do :; done", check=False)
    # The shell that could not fork has ended, and so has what ran it.
    assert 1000 < int(value(pid, "pids", "pids.current", "pids.current")) <= 1024
    assert alive(pid)
    room.machines.stop("i-1", 5)
    until(lambda: not alive(pid), "the end")


def test_limits_cannot_be_raised_from_inside(room: Room) -> None:
    room.start(machine())
    hard = int(room.exec("ulimit -Hn"))
    assert room.exec(f"ulimit -Hn {hard + 1} && echo raised", check=False) != "raised\n"
    assert room.exec("ulimit -Hc").strip() == "0"
    assert "Max core file size        0                    0" in room.exec("cat /proc/1/limits")
    # No cgroup can be written to, for none can be seen.
    assert "cgroup" not in room.exec("cut -d' ' -f3 /proc/mounts")
    assert "denied" in room.exec("mount -t cgroup2 none /mnt", check=False)
