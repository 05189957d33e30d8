"""The network for questions follows the commits, and is always that of the revision asked about."""

from __future__ import annotations

import pytest

from gureum.compile import compile_all
from gureum.model import View
from gureum.program import InternetHost, Statement
from gureum.resources import REGISTRY
from gureum.server import networks
from gureum.server.networks import Networks
from tests.conftest import Cloud


@pytest.fixture
def followed(cloud: Cloud) -> Networks:
    return Networks(cloud.store, REGISTRY, lambda host, version: False)


def wanted(view: View) -> frozenset[Statement]:
    return frozenset(compile_all(REGISTRY, view).statements)


def subnet(cloud: Cloud, number: int) -> str:
    vpc = cloud.call("CreateVpc", CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
    made = cloud.call("CreateSubnet", VpcId=vpc, CidrBlock=f"10.{number}.1.0/24")
    return str(made["Subnet"]["SubnetId"])


def test_each_question_is_answered_at_its_revision(cloud: Cloud, followed: Networks) -> None:
    views = [cloud.store.view]
    for number in range(4):
        subnet(cloud, number)
        views.append(cloud.store.view)
        if number != 1:  # several commits wait for one question
            assert followed.statements(cloud.store.view) == wanted(cloud.store.view)
    for view in (views[1], views[4], views[2]):
        assert followed.statements(view) == wanted(view), "an older revision is asked about too"


def test_a_commit_before_the_first_question_is_not_lost(cloud: Cloud, followed: Networks) -> None:
    """It is later than the view that the question is about, and earlier than the question."""
    view = cloud.store.view
    subnet(cloud, 1)
    assert followed.statements(view) == wanted(view)
    subnet(cloud, 2)
    assert followed.statements(cloud.store.view) == wanted(cloud.store.view)


def test_nothing_is_compiled_anew_that_did_not_change(
    cloud: Cloud, followed: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    subnet(cloud, 1)
    followed.statements(cloud.store.view)
    monkeypatch.setattr(followed._compiler, "load", None)
    subnet(cloud, 2)
    assert followed.statements(cloud.store.view) == wanted(cloud.store.view)
    assert followed.at(cloud.store.view) is followed.at(cloud.store.view)


def test_commits_that_nobody_asks_about_are_not_kept(
    cloud: Cloud, followed: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "FOLLOWED", 3)
    followed.statements(cloud.store.view)
    for number in range(3):
        subnet(cloud, number)
    assert len(followed._waiting) <= 3
    assert followed.statements(cloud.store.view) == wanted(cloud.store.view)


def test_one_more_host_is_nobody_else_s(cloud: Cloud, followed: Networks) -> None:
    network = followed.at(cloud.store.view)
    more = network.with_host(InternetHost("guest", "198.19.0.77"))
    assert more.named("guest")
    assert not network.named("guest")
