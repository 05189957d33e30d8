"""Records, and telling a process from a later one of the same number."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from gureum.machines import record
from gureum.machines.record import Record
from gureum.machines.runtime import cgroup_of
from tests.machines.rooms import until

SOME = Record("gureum-base", "/images/x/rootfs", 3, record.host_boot())


def test_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert record.load(tmp_path) is None
    assert record.load(tmp_path / "absent") is None
    record.save(tmp_path, SOME)
    assert record.load(tmp_path) == SOME
    later = replace(SOME, pid=17, started=99, stopped=True)
    record.save(tmp_path, later)
    assert record.load(tmp_path) == later
    assert [path.name for path in tmp_path.iterdir()] == [record.FILE]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"image": "x"}', "null"])
def test_a_damaged_one_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / record.FILE).write_text(text)
    assert record.load(tmp_path) is None


def test_start_time() -> None:
    ours = record.start_time(os.getpid())
    assert ours is not None
    assert ours == record.start_time(os.getpid())
    child = subprocess.Popen(["true"])
    until(lambda: record.start_time(child.pid) is None, "the end, before anybody took note of it")
    child.wait()
    assert record.start_time(child.pid) is None


def test_start_time_of_a_program_with_a_strange_name(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with subprocess.Popen([program, "60"]) as child:
        stat = Path(f"/proc/{child.pid}/stat")
        until(lambda: ") S " in stat.read_text(), "its sleep")
        fields = stat.read_text().split()
        assert str(record.start_time(child.pid)) == fields[fields.index("S") + 19]
        child.kill()


def test_who_lives(tmp_path: Path) -> None:
    ours = replace(SOME, pid=os.getpid(), started=record.start_time(os.getpid()))
    assert record.living(ours, tmp_path, "/x") == ours
    assert ours.started is not None
    assert record.living(replace(ours, started=ours.started - 1), tmp_path, "/x") is None
    assert record.living(replace(ours, host_boot="earlier"), tmp_path, "/x") is None
    assert record.living(SOME, tmp_path, "/x") is None


def test_a_pid_file_counts_in_the_right_cgroup_only(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(str(os.getpid()))
    here = cgroup_of(os.getpid(), "pids")
    found = record.living(SOME, tmp_path, here)
    assert found == replace(SOME, pid=os.getpid(), started=record.start_time(os.getpid()))
    assert record.living(SOME, tmp_path, here + "x") is None
    for text in ("", "x", "99999999"):
        (tmp_path / "pid").write_text(text)
        assert record.living(SOME, tmp_path, here) is None


def test_pidfd() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        known = replace(SOME, pid=child.pid, started=record.start_time(child.pid))
        pidfd = record.open_pidfd(known)
        assert pidfd is not None
        os.close(pidfd)
        assert record.open_pidfd(replace(known, started=1)) is None
        child.kill()
    assert record.open_pidfd(known) is None
