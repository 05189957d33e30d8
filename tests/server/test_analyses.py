"""Analyses that run beside the writer: waiting, going on, failing, taken up after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from gureum.resources import REGISTRY
from gureum.resources.access_scope import AccessScope, AccessScopeAnalysis
from gureum.server.analyses import Analyses
from gureum.server.networks import Networks
from tests.conftest import Cloud
from tests.kernel.packets import eventually
from tests.resources.building import make_vpc
from tests.resources.test_access_scope import INTERNET, is_done


@pytest.fixture
def networks(cloud: Cloud) -> Networks:
    return Networks(cloud.store, REGISTRY, lambda host, version: False)


@contextmanager
def thread(cloud: Cloud, networks: Networks) -> Iterator[Analyses]:
    """Not started yet; it hears of what is begun from now on."""
    made = Analyses(cloud.store, networks, lambda: "2026-11-24T09:00:00.000Z")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def analyses(cloud: Cloud, networks: Networks) -> Iterator[Analyses]:
    """There before anything is begun, but not started yet."""
    with thread(cloud, networks) as made:
        yield made


@contextmanager
def held_up(cloud: Cloud, networks: Networks) -> Iterator[None]:
    """No analysis comes to its end in this block: reachability is asked by one at a time."""
    with networks.reach(cloud.store.view):
        yield


def taken_up(analyses: Analyses) -> bool:
    """Whether the thread has seen that there is something to do."""
    return eventually(lambda: not analyses._wake.is_set())


def begin(cloud: Cloud, token: str = "t") -> str:
    made = cloud.call(
        "CreateNetworkInsightsAccessScope", MatchPaths=[{"Source": INTERNET}], ClientToken=token
    )
    key = made["NetworkInsightsAccessScope"]["NetworkInsightsAccessScopeId"]
    started = cloud.call(
        "StartNetworkInsightsAccessScopeAnalysis",
        NetworkInsightsAccessScopeId=key,
        ClientToken=token,
    )["NetworkInsightsAccessScopeAnalysis"]
    return str(started["NetworkInsightsAccessScopeAnalysisId"])


def shown(cloud: Cloud, key: str) -> dict[str, Any]:
    answer = cloud.call(
        "DescribeNetworkInsightsAccessScopeAnalyses", NetworkInsightsAccessScopeAnalysisIds=[key]
    )
    shape: dict[str, Any] = answer["NetworkInsightsAccessScopeAnalyses"][0]
    return shape


def done(cloud: Cloud, key: str) -> bool:
    return cloud.store.until(lambda view: is_done(view, key), 20)


def test_others_write_while_an_analysis_looks(
    cloud: Cloud, networks: Networks, analyses: Analyses
) -> None:
    analyses.start()
    with held_up(cloud, networks):
        key = begin(cloud)
        assert taken_up(analyses)
        make_vpc(cloud)
        now = shown(cloud, key)
        assert (now["Status"], "EndDate" in now) == ("running", False)
        findings = cloud.call(
            "GetNetworkInsightsAccessScopeAnalysisFindings",
            NetworkInsightsAccessScopeAnalysisId=key,
        )
        assert (findings["AnalysisStatus"], findings["AnalysisFindings"]) == ("running", [])
    assert done(cloud, key)
    after = shown(cloud, key)
    assert (after["Status"], after["FindingsFound"]) == ("succeeded", "false")
    assert (after["AnalyzedEniCount"], after["EndDate"].hour) == (0, 9)


def test_one_after_the_other(cloud: Cloud, analyses: Analyses) -> None:
    analyses.start()
    keys = [begin(cloud, f"t{number}") for number in range(5)]
    assert all(done(cloud, key) for key in keys)


def test_what_was_running_is_taken_up_at_the_start(cloud: Cloud, networks: Networks) -> None:
    key = begin(cloud)
    assert shown(cloud, key)["Status"] == "running"
    with thread(cloud, networks) as analyses:
        analyses.start()
        assert done(cloud, key)
    assert shown(cloud, key)["Status"] == "succeeded"


def test_one_that_was_deleted_meanwhile_stays_away(
    cloud: Cloud, networks: Networks, analyses: Analyses
) -> None:
    analyses.start()
    with held_up(cloud, networks):
        key = begin(cloud)
        assert taken_up(analyses)
        cloud.call(
            "DeleteNetworkInsightsAccessScopeAnalysis", NetworkInsightsAccessScopeAnalysisId=key
        )
    other = begin(cloud, "other")
    assert done(cloud, other)
    assert key not in cloud.store.view.rows


def test_a_failure_is_told_and_ends_nothing(cloud: Cloud, analyses: Analyses) -> None:
    key = begin(cloud)
    analysis = cloud.store.view.find(AccessScopeAnalysis, key)
    scope = cloud.store.view.find(AccessScope, analysis.scope if analysis else None)
    assert scope is not None
    cloud.system(lambda txn: txn.put(replace(scope, content="no content that anybody can read")))
    analyses.start()
    assert done(cloud, key)
    failed = shown(cloud, key)
    assert (failed["Status"], failed["FindingsFound"]) == ("failed", "unknown")
    assert "log" in failed["StatusMessage"]
    assert "read" not in failed["StatusMessage"]
    other = begin(cloud, "other")
    assert done(cloud, other)
    assert shown(cloud, other)["Status"] == "succeeded"
