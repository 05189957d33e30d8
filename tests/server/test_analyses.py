"""Analyses that run beside the writer: waiting, going on, failing, taken up after a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gureum.kind import Shape
from gureum.resources import REGISTRY
from gureum.server import access_scopes
from gureum.server.analyses import Analyses
from gureum.server.networks import Networks
from tests.conftest import Cloud
from tests.resources.building import make_vpc
from tests.resources.test_access_scope import INTERNET, is_done

FOUND: Shape = {"AnalyzedEniCount": 7, "WarningMessage": "", "findings": []}


class Gate:
    """Stands for a search that takes until it is let go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *_: Any) -> Shape:
        self.begun.set()
        assert self.go_on.wait(20)
        return FOUND


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    made = Gate()
    monkeypatch.setattr(access_scopes, "analyse", made)
    return made


@pytest.fixture
def analyses(cloud: Cloud) -> Iterator[Analyses]:
    """Not started yet."""
    networks = Networks(cloud.store, REGISTRY, lambda host, version: False)
    made = Analyses(cloud.store, networks, lambda: "2026-11-24T09:00:00.000Z")
    yield made
    made.stop()


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


def test_others_write_while_an_analysis_looks(cloud: Cloud, analyses: Analyses, gate: Gate) -> None:
    analyses.start()
    key = begin(cloud)
    assert gate.begun.wait(20)
    make_vpc(cloud)
    assert (shown(cloud, key)["Status"], "EndDate" in shown(cloud, key)) == ("running", False)
    findings = cloud.call(
        "GetNetworkInsightsAccessScopeAnalysisFindings", NetworkInsightsAccessScopeAnalysisId=key
    )
    assert (findings["AnalysisStatus"], findings["AnalysisFindings"]) == ("running", [])
    gate.go_on.set()
    assert done(cloud, key)
    after = shown(cloud, key)
    assert (after["Status"], after["FindingsFound"]) == ("succeeded", "false")
    assert (after["AnalyzedEniCount"], after["EndDate"].hour) == (7, 9)


def test_one_after_the_other(cloud: Cloud, analyses: Analyses, gate: Gate) -> None:
    gate.go_on.set()
    analyses.start()
    keys = [begin(cloud, f"t{number}") for number in range(5)]
    assert all(done(cloud, key) for key in keys)


def test_what_was_running_is_taken_up_at_the_start(cloud: Cloud, analyses: Analyses) -> None:
    key = begin(cloud)
    assert shown(cloud, key)["Status"] == "running"
    analyses.start()
    assert done(cloud, key)
    assert shown(cloud, key)["Status"] == "succeeded"


def test_one_that_was_deleted_meanwhile_stays_away(
    cloud: Cloud, analyses: Analyses, gate: Gate
) -> None:
    analyses.start()
    key = begin(cloud)
    assert gate.begun.wait(20)
    cloud.call("DeleteNetworkInsightsAccessScopeAnalysis", NetworkInsightsAccessScopeAnalysisId=key)
    gate.go_on.set()
    other = begin(cloud, "other")
    assert done(cloud, other)
    assert key not in cloud.store.view.rows


def test_a_failure_is_told_and_ends_nothing(
    cloud: Cloud, analyses: Analyses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Shape:
        raise ValueError("broken on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(access_scopes, "analyse", broken)
        analyses.start()
        key = begin(cloud)
        assert done(cloud, key)
    failed = shown(cloud, key)
    assert (failed["Status"], failed["FindingsFound"]) == ("failed", "unknown")
    assert "log" in failed["StatusMessage"]
    assert "purpose" not in failed["StatusMessage"]
    other = begin(cloud, "other")
    assert done(cloud, other)
    assert shown(cloud, other)["Status"] == "succeeded"
