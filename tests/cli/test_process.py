"""The daemon as a process: its lock and its log."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from gureum.cli.process import has_ended, is_served, log_path, log_since, log_size, until
from gureum.server.daemon import only_one
from gureum.server.settings import RunningError


def test_a_state_folder_is_served_while_its_lock_is_held(tmp_path: Path) -> None:
    assert not is_served(tmp_path / "missing")
    assert not is_served(tmp_path)
    with only_one(tmp_path):
        assert is_served(tmp_path)
        with pytest.raises(RunningError), only_one(tmp_path):
            pass
    assert not is_served(tmp_path)


def test_looking_at_the_lock_does_not_keep_it(tmp_path: Path) -> None:
    with only_one(tmp_path):
        pass
    assert not is_served(tmp_path)
    with (tmp_path / "daemon.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_only_new_lines_of_a_log_are_read(tmp_path: Path) -> None:
    assert (log_size(tmp_path), log_since(tmp_path, 0)) == (0, [])
    log_path(tmp_path).write_text("old\n")
    offset = log_size(tmp_path)
    with log_path(tmp_path).open("a") as file:
        file.write("new\nnewer\n")
    assert log_since(tmp_path, offset) == ["new", "newer"]


def test_waiting_ends_with_an_answer_or_with_the_time() -> None:
    answers = iter([None, None, "now"])
    assert until(lambda: next(answers), 10) == "now"
    assert until(lambda: None, 0.01) is None


def test_a_process_is_waited_for() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        process = os.pidfd_open(sleeper.pid)
        try:
            assert not has_ended(process, 0.01)
            sleeper.terminate()
            assert has_ended(process, 10)
        finally:
            os.close(process)
