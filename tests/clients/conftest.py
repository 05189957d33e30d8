"""A daemon for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemon import Daemon


@pytest.fixture(scope="module")
def daemon(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A running daemon; everything it made is gone afterwards.  A file's ``OPTIONS`` are added to
    its command line."""
    options = getattr(request.module, "OPTIONS", ("--no-host-link", "--no-machines"))
    made = Daemon(tmp_path_factory.mktemp("client") / "state", *options)
    made.start()
    yield made
    made.close()
