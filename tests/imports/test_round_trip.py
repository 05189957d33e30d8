"""Whatever a cloud is like: what is written of it, read and written again is the same bytes."""

from __future__ import annotations

import json
import re

import pytest

from gureum.compile import compile_all
from gureum.resources import REGISTRY
from tests.agreement.draw import Draw
from tests.agreement.draw_ipv6 import DualDraw
from tests.agreement.replay import Replay
from tests.conftest import Cloud
from tests.imports.accounts import exported, imported, texts

SEEDS = range(12)
_NUMBER = re.compile(r"number=\d+")


@pytest.mark.parametrize("drawn", [Draw, DualDraw], ids=["IPv4", "dual-stack"])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_clouds(drawn: type[Draw], seed: int) -> None:
    there = Replay([*drawn(seed).calls, {"settle": True}]).cloud
    files = texts(exported(there))
    here = Cloud()
    report = imported(here, {name: json.loads(text) for name, text in files.items()})
    assert report.left == []
    assert report.lost == {}
    assert report.mapped == []
    assert report.assumed == []
    again = texts(exported(here))
    assert again.keys() == files.keys()
    for name, text in files.items():
        assert again[name] == text, name
    assert here.program() == compile_all(REGISTRY, here.store.view)
    assert network(here) == network(there)


def network(cloud: Cloud) -> set[str]:
    """The abstract network, but for the numbers of route tables, which nothing shows."""
    return {_NUMBER.sub("", str(statement)) for statement in cloud.program().statements}
