"""A short soak; ``python -m tests.fuzz SECONDS SEED`` is a long one."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gureum.ram
import gureum.resources
from gureum.errors import ApiError
from gureum.kind import Call, Shape
from gureum.model import Resource
from gureum.resources import REGISTRY
from tests.fuzz.check import ACTIONS, CODES, FuzzError, Target, session
from tests.fuzz.furnished import furnished
from tests.fuzz.requests import Drawn
from tests.wiring import service_model

CLOUDS, PER_CLOUD = 30, 120
"""Always the same requests: the soak looks for new ones."""


def test_one_wrong_request_after_another() -> None:
    """Whatever was done before: each is answered, and a refusal changes nothing."""
    found: Counter[str] = Counter()
    for seed in range(1, CLOUDS + 1):
        found += Counter(session(Random(seed), furnished(), PER_CLOUD))
    assert found["done"] > 20
    assert len(found) > 20, "most requests got no further than a few checks"


@settings(
    max_examples=400,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
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
    view = furnished()  # by the real action
    monkeypatch.setitem(REGISTRY.actions, "CreateVpc", Broken(how))
    drawn = Drawn(Random(1), view, "CreateVpc")
    drawn.parameters = {"CidrBlock": "10.0.0.0/16"}
    with pytest.raises(FuzzError) as caught:
        Target(view).send(drawn)
    assert caught.value.kind.startswith(kind)


OWN = {"InvalidInternetHost.NotFound"}
"""Codes about things that AWS does not have; no API call answers with them."""


def codes_in(folder: Path) -> dict[str, str]:
    """The codes of refusals in the files of a folder, and in which."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for code in _codes(node):
                found[code] = path.name
    return found


def exceptions(service: str) -> set[str]:
    """The codes that a service has by its model."""
    model = service_model(service)
    shapes = (model.shape_for(name) for name in model.shape_names)
    return {str(shape.name) for shape in shapes if shape.metadata.get("exception")}


def test_every_code_of_ram_is_in_its_model() -> None:
    found = codes_in(Path(gureum.ram.__file__).parent)
    assert len(found) > 5
    known = exceptions("ram")
    assert {code: where for code, where in found.items() if code not in known} == {}


def test_every_code_in_the_source_is_known() -> None:
    """Also those that no wrong request has met yet."""
    found = codes_in(Path(gureum.resources.__file__).parent)
    for row in Resource.by_kind.values():
        if row.__module__.startswith("gureum.resources."):
            found[row.not_found] = found[row.malformed or row.not_found] = row.__module__
    assert len(found) > 150
    known = CODES | OWN | exceptions("ram")  # shares are rows beside what is shared
    assert {code: where for code, where in found.items() if code not in known} == {}


def _codes(node: ast.AST) -> Iterator[str]:
    """The codes of refusals, where they stand as texts."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ApiError":
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value
