"""The daemon's log lines."""

from __future__ import annotations

import json
import logging

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
