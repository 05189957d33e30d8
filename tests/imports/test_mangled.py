"""Answers that are none: whatever is missing or wrong in files, it is told, and nothing breaks."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest

from gureum.compile import compile_all
from gureum.errors import ApiError
from gureum.imports import export
from gureum.resources import REGISTRY
from tests.conftest import Cloud
from tests.fuzz.furnished import furnished
from tests.imports.accounts import imported

_OTHER: tuple[Any, ...] = (
    None,
    "",
    "x",
    0,
    -1,
    [],
    {},
    ["x"],
    {"a": 1},
    True,
    "10.0.0.0/8",
    "::/0",
)


def mangled(dice: Random, value: Any, chance: float) -> Any:
    """A value with some of what is in it gone or something else."""
    if dice.random() < chance:
        return dice.choice(_OTHER)
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if dice.random() >= chance}
        return {name: mangled(dice, item, chance) for name, item in kept.items()}
    if isinstance(value, list):
        return [mangled(dice, item, chance) for item in value]
    return value


@pytest.mark.parametrize("seed", range(20))
def test_mangled_answers(seed: int) -> None:
    dice = Random(seed)
    files = export(furnished(), "123456789012", "ap-northeast-2").files
    broken = mangled(dice, copy.deepcopy(files), dice.choice((0.005, 0.01, 0.05)))
    if not isinstance(broken, dict):
        return
    cloud = Cloud()
    before = cloud.store.view
    try:
        report = imported(cloud, broken)
    except ApiError:
        assert cloud.store.view is before
        return
    assert not report.whole
    assert cloud.program() == compile_all(REGISTRY, cloud.store.view)
    for action in ("DescribeVpcs", "DescribeInstances", "DescribeRouteTables"):
        cloud.call(action)


@pytest.mark.parametrize("key", ["vpc-../../../etc", "x", "vpc-0", "subnet-00000000000000001", ""])
def test_an_id_is_what_ids_are(key: str) -> None:
    """Ids name files and links of the machine."""
    report = imported(Cloud(), {"a.json": {"Vpcs": [{"VpcId": key, "CidrBlock": "10.0.0.0/16"}]}})
    assert [(what, why) for what, _, why in report.left] == [
        ("Vpcs", f"'{key}' is no id of a vpc"),
    ]


def test_wrong_types_are_told() -> None:
    item = {"VpcId": "vpc-00000000", "CidrBlock": "10.0.0.0/16", "IsDefault": "yes"}
    report = imported(Cloud(), {"a.json": {"Vpcs": [item, {"CidrBlock": 1}]}})
    assert [why for _, _, why in report.left] == [
        "it is not what AWS answers: .IsDefault is no boolean",
        "it has no VpcId",
    ]
