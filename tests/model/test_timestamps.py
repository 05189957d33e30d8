"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from gureum.model.timestamps import timestamp


def test_times_are_in_utc_with_milliseconds() -> None:
    seoul = timezone(timedelta(hours=9))
    assert timestamp(datetime(2026, 11, 24, 17, 0, 0, 1999, seoul)) == "2026-11-24T08:00:00.001Z"


def test_texts_sort_as_the_times_do() -> None:
    first = datetime(2026, 11, 24, 8, 0, 0, 999_000, UTC)
    times = [first + timedelta(milliseconds=step) for step in range(3)]
    assert sorted(map(timestamp, times)) == list(map(timestamp, times))
