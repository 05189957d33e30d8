"""Predictions agree with real packets: random clouds in the kernel, and all that ever disagreed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agreement.__main__ import PER_CLOUD
from tests.agreement.compare import compare
from tests.agreement.draw import Draw
from tests.agreement.replay import ApiCall, Replay
from tests.agreement.shrink import REGRESSIONS, shrunk
from tests.kernel.lab import Lab

PACKETS = 2000
FIRST_SEED = 1
"""The soak (``python -m tests.agreement``) goes on with other ones."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = Lab("auto")
    yield made
    assert made.close() == []


@pytest.mark.kernel
@pytest.mark.timeout(600)
def test_random_clouds(lab: Lab) -> None:
    sent, answered, seed = 0, 0, FIRST_SEED
    while sent < PACKETS:
        draw = Draw(seed)
        found = compare(lab, Replay(draw.calls), draw.questions(PER_CLOUD))
        assert found.wrong == (), f"seed {seed}"
        sent, answered, seed = sent + found.sent, answered + found.answered, seed + 1
    assert answered > PACKETS / 10, "both verdicts must be among them"


@pytest.mark.kernel
@pytest.mark.parametrize("path", sorted(REGRESSIONS.glob("*.json")), ids=lambda path: path.stem)
def test_what_once_disagreed(lab: Lab, path: Path) -> None:
    stored = json.loads(path.read_text())
    replay = Replay(stored["calls"])
    assert replay.refused == []
    found = compare(lab, replay, stored["questions"])
    assert (found.sent, found.wrong) == (len(stored["questions"]), ())


def test_what_is_not_needed_is_left_out() -> None:
    calls: list[ApiCall] = [{"do": f"Call{number}"} for number in range(20)]
    needed = [calls[3], calls[4], calls[17]]
    asked = 0

    def fails(part: list[ApiCall]) -> bool:
        nonlocal asked
        asked += 1
        return all(each in part for each in needed)

    assert shrunk(calls, fails) == needed
    assert asked < 80


def test_a_cloud_can_be_drawn_again() -> None:
    first, second = Draw(7), Draw(7)
    assert first.calls == second.calls
    assert list(first.questions(50)) == list(second.questions(50))
    assert Draw(8).calls != first.calls


def test_few_calls_of_a_drawn_cloud_are_refused() -> None:
    """A generator whose calls are refused would test empty clouds."""
    drawn = [Draw(seed).calls for seed in range(1, 9)]
    refused = sum(len(Replay(calls).refused) for calls in drawn)
    assert refused < sum(map(len, drawn)) / 8
