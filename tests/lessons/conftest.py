"""A daemon for all lessons, which they must leave as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemon import Daemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A running daemon; everything it made is gone afterwards."""
    made = Daemon(tmp_path_factory.mktemp("lessons") / "state", "--no-host-link")
    made.start()
    yield made
    made.close()
