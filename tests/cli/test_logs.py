"""The daemon's log lines."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

from gureum.cli.logs import OneLine

REQUEST = "2f8d2c56-0c54-4a8b-9f4e-1c2f6a6d0001"


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("gureum.server.app", logging.INFO, "", 0, message, args, info)
    made.created, made.msecs = 1_795_507_200.5, 500.0
    return made


def test_a_line_has_time_level_place_and_request() -> None:
    line = OneLine(as_json=False).format(record("%s %s:%s", REQUEST, "ec2", "RunInstances"))
    place = "server.app"
    assert line == f"2026-11-24T08:00:00.500Z info    {place} request={REQUEST} ec2:RunInstances"


def test_an_event_is_one_line_whatever_is_in_it() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as caught:
        event = record("a\nb", error=caught)
    for as_json in (False, True):
        assert "\n" not in OneLine(as_json=as_json).format(event)
    assert "ValueError: two\\nlines" in OneLine(as_json=False).format(event)


def test_json_has_the_same_facts() -> None:
    event = json.loads(OneLine(as_json=True).format(record(f"{REQUEST} failed")))
    assert event == {
        "time": "2026-11-24T08:00:00.500Z",
        "level": "info",
        "logger": "server.app",
        "request": REQUEST,
        "message": "failed",
    }


WRITER = """
import logging, sys
from gureum.cli import logs
logs.LOG_SIZE = 4096
logs.log_to_stderr(level="info", as_json=False)
for number in range(200):
    logging.getLogger("gureum.test").info("event %d", number)
print("and what is printed")
"""


def test_the_log_of_a_daemon_begins_anew_when_it_is_large(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    _write(log)
    assert {path.name for path in tmp_path.iterdir()} == {"daemon.log", "daemon.log.1"}
    older, newer = (log.with_name(name).read_text() for name in ("daemon.log.1", "daemon.log"))
    assert 4096 < len(older) < 4300
    assert len(newer) < 4300
    assert newer.splitlines()[-1] == "and what is printed"
    lines = (older + newer).splitlines()[:-1]
    numbers = [int(line.rsplit(maxsplit=1)[1]) for line in lines]
    assert numbers == list(range(numbers[0], 200)), "no event is lost on the way"


def test_a_file_of_somebody_s_own_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "mine.log"
    _write(log)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.log"]
    assert len(log.read_text().splitlines()) == 201


def _write(log: Path) -> None:
    with log.open("ab") as file:
        subprocess.run([sys.executable, "-c", WRITER], stdout=file, stderr=file, check=True)
