"""Fixtures of the machine room's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.images import ImageStore
from tests.machines.rooms import Room

# Two runs of these tests at once on one host keep apart.
TAG = f"{os.getpid() & 0xFFFF:04x}"


@pytest.fixture(params=["crun", "runc"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    """A machine room for each runtime."""
    made = Room(tmp_path, TAG, request.param)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def one_room(tmp_path: Path) -> Iterator[Room]:
    """A machine room where the runtime makes no difference: the one that was chosen."""
    made = Room(tmp_path, TAG)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def debian() -> str:
    """The name of the Debian image, which is there."""
    ImageStore().ensure("debian-12")
    return "debian-12"
