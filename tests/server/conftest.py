"""Clouds that check signatures, and policies too, for the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.secured import Secured


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    made = Secured()
    yield made
    made.close()


@pytest.fixture(scope="module")
def enforced() -> Iterator[Secured]:
    made = Secured("enforce")
    yield made
    made.close()
