"""The evaluator against an independent reading of AWS's pages; what must hold of any policies."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gureum.identity.evaluate import Outcome, evaluate
from tests.identity.draw import Draw, policies, request
from tests.identity.oracle import Case, decide
from tests.identity.soak import soak

SEEDS = st.integers(0, 2**32)
PLACES = st.sampled_from(["identity", "resources", "boundary", "session"])


@pytest.mark.timeout(180)
def test_an_independent_reading_agrees_on_twenty_thousand_requests() -> None:
    ends, wrong = soak(20_000, 1)
    assert wrong == []
    assert ends.total() == 20_000
    assert min(ends[each.value] for each in Outcome) > 1_000, "each end is met often"


def outcome(case: Case) -> Outcome:
    return evaluate(policies(case), request(case)).outcome


def with_statement(case: Case, place: str, effect: str, draw: Draw) -> Case | None:
    """The case with one more statement in its first policy of a place; None if there is none."""
    documents = list(getattr(case, place) or ())
    if not documents:
        return None
    first = documents[0]
    more = draw.statement(effect, principals=place == "resources")
    documents[0] = {**first, "Statement": [*listed(first["Statement"]), more]}
    changes: dict[str, Any] = {place: documents}
    return replace(case, **changes)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@settings(max_examples=300, deadline=None)
@given(SEEDS, PLACES)
def test_one_more_allow_never_takes_access_away(seed: int, place: str) -> None:
    draw = Draw(seed)
    for case in draw.cases(4):
        more = with_statement(case, place, "Allow", draw)
        if more is not None and outcome(case) is Outcome.ALLOWED:
            assert outcome(more) is Outcome.ALLOWED


@settings(max_examples=300, deadline=None)
@given(SEEDS, PLACES)
def test_one_more_deny_never_gives_access(seed: int, place: str) -> None:
    draw = Draw(seed)
    for case in draw.cases(4):
        more = with_statement(case, place, "Deny", draw)
        if more is not None and outcome(case) is not Outcome.ALLOWED:
            assert outcome(more) is not Outcome.ALLOWED


@settings(max_examples=300, deadline=None)
@given(SEEDS)
def test_the_order_of_statements_and_policies_does_not_matter(seed: int) -> None:
    dice = random.Random(seed)
    for case in Draw(seed).cases(4):
        documents = [
            {**each, "Statement": dice.sample(found, len(found))}
            for each in case.identity
            for found in [listed(each["Statement"])]
        ]
        dice.shuffle(documents)
        assert outcome(replace(case, identity=documents)) is outcome(case)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_a_decision_names_statements_that_apply_with_its_effect(seed: int) -> None:
    for case in Draw(seed).cases(4):
        decision = evaluate(policies(case), request(case))
        assert decision.outcome.value == decide(case)
        effect = "Deny" if decision.outcome is Outcome.EXPLICIT_DENY else "Allow"
        assert all(each.applies and each.effect == effect for each in decision.deciders)
        assert set(decision.deciders) <= set(decision.trace)
        implicit = decision.outcome is Outcome.IMPLICIT_DENY
        assert (decision.missing is not None) == implicit
        assert bool(decision.deciders) != (implicit or decision.root)
