"""Fixtures of the command line's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.clouds import Served


@pytest.fixture
def served() -> Iterator[Served]:
    """An empty cloud in memory, served on a unix socket."""
    made = Served()
    yield made
    made.close()


@pytest.fixture
def shop(served: Served) -> Served:
    """The small workshop, served on a unix socket."""
    served.build()
    return served


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this shell has set for AWS clients must not decide a test."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "GUREUM_STATE"):
        monkeypatch.delenv(name, raising=False)
