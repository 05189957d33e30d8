"""Whatever a cloud is like: what is written of it, read and written again is the same bytes."""

from __future__ import annotations

import json
import re

import pytest

from gureum.compile import compile_all
from gureum.imports import export
from gureum.resources import REGISTRY
from gureum.resources.instance import Instance, observed
from tests.agreement.draw import Draw
from tests.agreement.draw_ipv6 import DualDraw
from tests.agreement.draw_transit import TransitDraw
from tests.agreement.replay import Replay
from tests.conftest import Cloud
from tests.fuzz.furnished import furnished
from tests.imports.accounts import exported, imported, texts

SEEDS = range(4)
_NUMBER = re.compile(r"number=\d+")


@pytest.mark.parametrize(
    "drawn", [Draw, DualDraw, TransitDraw], ids=["IPv4", "dual-stack", "transit"]
)
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


NOT_WRITTEN = {
    *("image", "network-insights-access-scope"),
    "snapshot",
    # Records of things that no machine is behind here.
    *("fpga-image", "image-usage-report"),
    *("store-image-task", "stored-disk"),
}
"""Kinds that neither way knows yet; of the attachments those that are not of a VPC.  This set is
only ever made smaller, but for kinds that are new."""


def test_something_of_everything() -> None:
    view = furnished()
    found = export(view, "123456789012", "ap-northeast-2")
    assert set(found.left) == NOT_WRITTEN
    files, here = texts(found.files), Cloud()
    report = imported(here, found.files)
    assert report.left == []
    assert (report.lost, report.mapped, report.assumed) == ({}, [], [])
    for row in list(view.all(Instance)):
        if row.state == "running":
            here.system(observed, here.now, row.id, "running")
    again = texts(export(here.store.view, here.account, here.region).files)
    for name, text in files.items():
        assert again[name] == text, name
