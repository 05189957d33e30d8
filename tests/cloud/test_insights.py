"""AWS's Reachability Analyzer by the AWS CLI: what it finds is what packets do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cloud.aws import aws
from tests.cloud.site import Site
from tests.daemon import Daemon
from tests.kernel.packets import LONG, SHORT, eventually, listening, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ANY = "0.0.0.0/0"


def found(daemon: Daemon, *path: str) -> dict[str, Any]:
    """A finished analysis of a new path."""
    made = aws(daemon, "create-network-insights-path", *path)["NetworkInsightsPath"]
    key = ("--network-insights-path-id", made["NetworkInsightsPathId"])
    started = aws(daemon, "start-network-insights-analysis", *key)["NetworkInsightsAnalysis"]
    assert started["Status"] == "running"
    only = ("--network-insights-analysis-ids", started["NetworkInsightsAnalysisId"])
    (analysis,) = aws(daemon, "describe-network-insights-analyses", *only)[
        "NetworkInsightsAnalyses"
    ]
    assert analysis["Status"] == "succeeded"
    return dict(analysis)


def test_the_analyser_and_the_packet_agree(daemon: Daemon, site: Site) -> None:
    web = site.launch(site.public, site.group("web", ("tcp", 80, ANY)), public=True)
    gateways = site.ec2.describe_internet_gateways(
        Filters=[{"Name": "attachment.vpc-id", "Values": [site.vpc]}]
    )["InternetGateways"]
    gateway = gateways[0]["InternetGatewayId"]
    me, ip = daemon.netns("host-me"), web.show()["PublicIpAddress"]
    ends = ("--source", gateway, "--destination", web.id, "--protocol", "tcp")
    with listening(web.ns, 80), listening(web.ns, 81):
        for port, works in ((80, True), (81, False)):
            analysis = found(daemon, *ends, "--destination-port", str(port))
            assert analysis["NetworkPathFound"] is works
            seen = tcp(me, ip, port, patience=LONG if works else SHORT)
            assert seen == ("open" if works else "timeout")
    (block,) = analysis["Explanations"]
    assert block["ExplanationCode"] == "ENI_SG_RULES_MISMATCH"


def _state(daemon: Daemon, analysis: str) -> str:
    """The status of an analysis of an access scope."""
    (found,) = aws(
        daemon, "describe-network-insights-access-scope-analyses",
        "--network-insights-access-scope-analysis-ids", analysis,
    )["NetworkInsightsAccessScopeAnalyses"]  # fmt: skip
    return str(found["Status"])


def test_an_access_scope_finds_what_the_internet_reaches(daemon: Daemon, site: Site) -> None:
    web = site.launch(site.public, site.group("page", ("tcp", 80, ANY)), public=True)
    db = site.launch(site.private, site.group("rows", ("tcp", 3306, ANY)))
    internet = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::InternetGateway"]}}
    both = {"ResourceStatement": {"Resources": [web.id, db.id]}}
    paths = json.dumps([{"Source": internet, "Destination": both}])
    scope = aws(daemon, "create-network-insights-access-scope", "--match-paths", paths)
    key = scope["NetworkInsightsAccessScope"]["NetworkInsightsAccessScopeId"]
    started = aws(
        daemon, "start-network-insights-access-scope-analysis",
        "--network-insights-access-scope-id", key,
    )["NetworkInsightsAccessScopeAnalysis"]  # fmt: skip
    only = ("--network-insights-access-scope-analysis-id",
            started["NetworkInsightsAccessScopeAnalysisId"])  # fmt: skip
    assert eventually(lambda: _state(daemon, only[1]) != "running", LONG * 4)
    assert _state(daemon, only[1]) == "succeeded"
    (finding,) = aws(daemon, "get-network-insights-access-scope-analysis-findings", *only)[
        "AnalysisFindings"
    ]
    assert finding["FindingComponents"][-1]["Component"]["Id"] == web.id
    with listening(web.ns, 80):
        assert tcp(daemon.netns("host-me"), web.show()["PublicIpAddress"], 80) == "open"
