"""Fixtures of the kernel tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.lab import Lab


@pytest.fixture(params=["netfilter", "isolated"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab for each way of filtering inside a segment; it must leave nothing behind."""
    made = Lab(request.param)
    yield made
    assert made.close() == []


@pytest.fixture
def one_lab() -> Iterator[Lab]:
    """A lab where the way of filtering makes no difference."""
    made = Lab("netfilter")
    yield made
    assert made.close() == []
