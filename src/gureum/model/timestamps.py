"""Times as rows and answers hold them; texts of this form sort as the times do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def timestamp(at: datetime) -> str:
    """ISO 8601, UTC, milliseconds: ``2026-11-24T08:00:00.000Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(at: datetime) -> str:
    """ISO 8601, UTC, whole seconds, as events have it: ``2026-11-24T08:00:00Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(then: str, now: str) -> timedelta:
    """The time from one timestamp to another."""
    return datetime.fromisoformat(now) - datetime.fromisoformat(then)
