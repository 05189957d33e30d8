"""Taking down what is not there, and what must not be done by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from gureum.engines import EngineError
from gureum.server import daemon
from gureum.server.settings import failure_path
from tests.cli.clouds import Served, run


def test_nothing_is_taken_down_where_nothing_was(tmp_path: Path) -> None:
    result = run(tmp_path / "state", "down")
    assert result.exit_code == 0
    assert "Nothing is running" in result.stderr
    assert not (tmp_path / "state").exists()


def test_a_wipe_asks_first(tmp_path: Path) -> None:
    kept = tmp_path / "gureum.db"
    kept.write_text("rows")
    assert run(tmp_path, "down", "--wipe", input="n\n").exit_code == 1
    assert run(tmp_path, "down", "--wipe", input="").exit_code == 1
    assert kept.exists()


def test_a_wipe_takes_what_is_the_cloud_s_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "gureum.db").write_text("rows")
    (tmp_path / "instances" / "i-1").mkdir(parents=True)
    for kept in ("images", "mine"):
        (tmp_path / kept).mkdir()
    assert run(tmp_path, "down", "--wipe", "--yes").exit_code == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"images", "mine", "daemon.lock"}


def test_keeping_and_wiping_exclude_each_other(tmp_path: Path) -> None:
    assert run(tmp_path, "down", "--keep", "--wipe").exit_code == 2


def test_what_could_not_be_taken_down_is_left_for_the_command_to_tell(served: Served) -> None:
    served.engine.fail_next = 1
    with pytest.raises(EngineError):
        daemon._tear_down(served.parts)
    assert failure_path(served.state).read_text() == "fake: told to fail\n"
