"""A short soak; ``python -m tests.fuzz SECONDS SEED`` is a long one."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gureum.errors import ApiError
from gureum.kind import Call, Shape
from gureum.resources import REGISTRY
from tests.fuzz.check import ACTIONS, CODES, FuzzError, Target, session
from tests.fuzz.furnished import furnished
from tests.fuzz.requests import Drawn

SECONDS = 8.0
PER_CLOUD = 120


def test_one_wrong_request_after_another() -> None:
    """Whatever was done before: each is answered, and a refusal changes nothing."""
    end, seed = time.monotonic() + SECONDS, 1
    found: dict[str, int] = {}
    while time.monotonic() < end or seed < 4:
        for code, count in session(Random(seed), furnished(), PER_CLOUD).items():
            found[code] = found.get(code, 0) + count
        seed += 1
    assert found["done"] > 20
    assert len(found) > 20, "most requests got no further than a few checks"


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(action=st.sampled_from(ACTIONS), dice=st.randoms(use_true_random=False))
def test_one_wrong_request(action: str, dice: Random) -> None:
    """The same for single requests, which hypothesis makes short where one fails."""
    target = Target(furnished())
    target.send(Drawn(dice, target.store.view, action))


def test_every_action_can_be_drawn() -> None:
    for action in ACTIONS:
        assert Drawn(Random(1), furnished(), action).body().startswith(b"Action=")
    assert len(ACTIONS) == len(REGISTRY.actions) + len(REGISTRY.listings)


def test_codes_are_told_apart() -> None:
    assert "InvalidVpcID.NotFound" in CODES
    assert "InvalidVpcId.NotFund" not in CODES


class Broken:
    """An action that does not do what it should."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __call__(self, call: Call) -> Shape:
        if self.how == "code":
            raise ApiError("InvalidVpcId.NotFund", "There is no such code.")
        if self.how == "crash":
            return {"Vpc": {"VpcId": call.params["NotThere"]}}
        return {"Vpc": {"Nonsense": 1}}


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("code", "InvalidVpcId.NotFund is no code of AWS"),
        ("crash", "CreateVpc: KeyError in test_fuzz.py"),
        ("answer", "CreateVpc: MisfitError in encoder.py"),
    ],
)
def test_a_broken_action_is_found(how: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up code, a stack trace, an answer that is none."""
    monkeypatch.setitem(REGISTRY.actions, "CreateVpc", Broken(how))
    drawn = Drawn(Random(1), furnished(), "CreateVpc")
    drawn.parameters = {"CidrBlock": "10.0.0.0/16"}
    with pytest.raises(FuzzError) as caught:
        Target(furnished()).send(drawn)
    assert caught.value.kind.startswith(kind)
