"""Access scopes and analyses of them through the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.model import View
from gureum.resources import REGISTRY
from gureum.resources.access_scope import AccessScopeAnalysis
from gureum.server import access_scopes
from gureum.server.analyses import Analyses
from gureum.server.networks import Networks
from tests.conftest import Cloud
from tests.explain.test_walk import ANY, Shop

INTERNET = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::InternetGateway"]}}
INTERFACES = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::NetworkInterface"]}}


@pytest.fixture
def shop(cloud: Cloud) -> Iterator[Shop]:
    networks = Networks(cloud.store, REGISTRY, lambda host, version: False)
    analyses = Analyses(cloud.store, networks, lambda: cloud.now)
    analyses.start()
    yield Shop(cloud)
    analyses.stop()


def statement(**header: list[str]) -> dict[str, Any]:
    return {"PacketHeaderStatement": header}


def one(key: str) -> dict[str, Any]:
    return {"ResourceStatement": {"Resources": [key]}}


def scope(shop: Shop, **paths: Any) -> str:
    token = f"s{shop.cloud.store.view.revision}"
    made = shop.cloud.call("CreateNetworkInsightsAccessScope", ClientToken=token, **paths)
    return str(made["NetworkInsightsAccessScope"]["NetworkInsightsAccessScopeId"])


def analysis(shop: Shop, key: str) -> dict[str, Any]:
    """A finished analysis of a scope."""
    started = shop.cloud.call(
        "StartNetworkInsightsAccessScopeAnalysis",
        NetworkInsightsAccessScopeId=key,
        ClientToken=f"a{shop.cloud.store.view.revision}",
    )["NetworkInsightsAccessScopeAnalysis"]
    assert started["Status"] == "running"
    only = [started["NetworkInsightsAccessScopeAnalysisId"]]
    assert shop.cloud.store.until(lambda view: is_done(view, only[0]), 20)
    (found,) = shop.cloud.call(
        "DescribeNetworkInsightsAccessScopeAnalyses", NetworkInsightsAccessScopeAnalysisIds=only
    )["NetworkInsightsAccessScopeAnalyses"]
    assert found["Status"] == "succeeded"
    return dict(found)


def is_done(view: View, key: str) -> bool:
    row = view.find(AccessScopeAnalysis, key)
    return row is not None and row.result != ""


def findings(shop: Shop, found: dict[str, Any], **more: Any) -> dict[str, Any]:
    key = found["NetworkInsightsAccessScopeAnalysisId"]
    answer = shop.cloud.call(
        "GetNetworkInsightsAccessScopeAnalysisFindings",
        NetworkInsightsAccessScopeAnalysisId=key,
        **more,
    )
    assert answer["AnalysisStatus"] == "succeeded"
    return answer


def ways(shop: Shop, *match: dict[str, Any], exclude: Any = ()) -> list[list[str]]:
    """The ids on each way that a scope of these paths finds."""
    found = analysis(shop, scope(shop, MatchPaths=list(match), ExcludePaths=list(exclude)))
    listed = findings(shop, found)["AnalysisFindings"]
    assert found["FindingsFound"] == ("true" if listed else "false")
    return [[each["Component"]["Id"] for each in one["FindingComponents"]] for one in listed]


def test_what_the_internet_reaches(shop: Shop) -> None:
    (way,) = ways(shop, {"Source": INTERNET, "Destination": INTERFACES})
    assert way[0] == shop.gateway
    assert way[-1] == shop.web


def test_an_open_database_is_found(shop: Shop) -> None:
    wanted = {"Source": INTERNET, "Destination": one(shop.db)}
    assert ways(shop, wanted) == []
    address = shop.cloud.call("AllocateAddress")["AllocationId"]
    shop.cloud.call("AssociateAddress", AllocationId=address, InstanceId=shop.db)
    shop.cloud.call("AssociateRouteTable", RouteTableId=shop.table, SubnetId=shop.private)
    shop.cloud.call(
        "AuthorizeSecurityGroupIngress", GroupId=shop.db_group, IpProtocol="tcp",
        FromPort=3306, ToPort=3306, CidrIp=ANY,
    )  # fmt: skip
    (way,) = ways(shop, wanted)
    assert way[-1] == shop.db
    arn = f"arn:aws:ec2:ap-northeast-2:123456789012:instance/{shop.db}"
    assert ways(shop, {"Source": INTERNET, "Destination": one(arn)}) == [way]


def test_headers_narrow_a_path(shop: Shop) -> None:
    def found(**header: list[str]) -> int:
        source = INTERNET | statement(**header)
        return len(ways(shop, {"Source": source, "Destination": one(shop.web)}))

    assert found(DestinationPorts=["80"]) == 1
    assert found(DestinationPorts=["1-79", "81-65535"]) == 0
    assert found(Protocols=["udp"]) == 0
    assert found(Protocols=["tcp"], SourcePorts=["1024-2000"]) == 1
    assert found(SourceAddresses=["198.19.7.0/24"]) == 1
    assert found(SourceAddresses=["198.19.7.0/24", "10.0.0.0/8"]) == 1
    assert found(SourceAddresses=["198.19.7.0/24", "198.19.9.0/24"]) == 1, "the same way"
    assert found(DestinationAddresses=["203.0.113.0/24"]) == 0


def test_the_internet_is_looked_at_in_the_pieces_that_a_scope_tells_apart(shop: Shop) -> None:
    port = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    group = {"GroupId": shop.web_group}
    shop.cloud.call("RevokeSecurityGroupIngress", **group, **port, CidrIp=ANY)
    shop.cloud.call("AuthorizeSecurityGroupIngress", **group, **port, CidrIp="198.19.0.0/16")
    match = {"Source": INTERNET, "Destination": one(shop.web)}

    def excluding(*blocks: str) -> int:
        return len(ways(shop, match, exclude=[{"Source": statement(SourceAddresses=[*blocks])}]))

    assert excluding("198.18.0.0/16") == 1
    assert excluding("198.19.255.0/24") == 1, "the other addresses are there all the same"
    assert excluding("198.19.0.0/16") == 0
    assert excluding(ANY) == 0


def test_excluded_ways_are_no_findings(shop: Shop) -> None:
    inside = {"Source": one(shop.web), "Destination": one(shop.db)}
    (way,) = ways(shop, inside)
    assert ways(shop, inside, exclude=[{"Destination": one(shop.db)}]) == []
    assert ways(shop, inside, exclude=[{"Destination": one(shop.web)}]) == [way]
    port = {"Destination": statement(DestinationPorts=["3306"])}
    assert ways(shop, inside, exclude=[port]) == []
    assert ways(shop, inside, exclude=[{"ThroughResources": [one(shop.gateway)]}]) == [way]


def test_an_exclusion_of_some_headers_hides_no_others(shop: Shop) -> None:
    shop.cloud.call(
        "AuthorizeSecurityGroupIngress", GroupId=shop.db_group, IpProtocol="tcp",
        FromPort=1, ToPort=65535, CidrIp="10.0.0.0/8",
    )  # fmt: skip
    inside = {"Source": one(shop.web), "Destination": one(shop.db)}

    def found(**header: list[str]) -> int:
        return len(ways(shop, inside, exclude=[{"Destination": statement(**header)}]))

    assert found(DestinationPorts=["1-1023"]) == 1
    assert found(DestinationPorts=["1-1023", "1024-65535"]) == 0
    assert found(SourcePorts=["1024-40000"]) == 1
    assert found(Protocols=["udp"]) == 1
    callers = {"Source": one(shop.web) | statement(SourcePorts=["1024-2000"])}
    some = [{"Source": statement(SourcePorts=["1000-1999"])}]
    every = [{"Source": statement(SourcePorts=["1000-2000"])}]
    assert ways(shop, inside | callers, exclude=some) != []
    assert ways(shop, inside | callers, exclude=every) == []


def test_through_resources(shop: Shop) -> None:
    inside = {"Source": one(shop.web), "Destination": one(shop.db)}
    assert len(ways(shop, inside | {"ThroughResources": [one(shop.db_group)]})) == 1
    assert ways(shop, inside | {"ThroughResources": [INTERNET]}) == []


def test_what_an_analysis_leaves_out_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    match = {"Source": INTERNET, "Destination": INTERFACES}
    monkeypatch.setattr(access_scopes, "MAX_FINDINGS", 0)
    found = analysis(shop, scope(shop, MatchPaths=[match]))
    assert (found["FindingsFound"], found["AnalyzedEniCount"]) == ("unknown", 2)
    assert "0 findings are kept" in found["WarningMessage"]
    monkeypatch.undo()
    monkeypatch.setattr(access_scopes, "MAX_PAIRS", 1)
    found = analysis(shop, scope(shop, MatchPaths=[{"Destination": one(shop.db)}]))
    assert "narrow the access scope" in found["WarningMessage"]


def test_analyses_are_found_by_their_time(shop: Shop) -> None:
    found = analysis(shop, scope(shop, MatchPaths=[{"Source": INTERNET}]))
    at = found["StartDate"]

    def listed(**times: Any) -> int:
        answer = shop.cloud.call("DescribeNetworkInsightsAccessScopeAnalyses", **times)
        return len(answer["NetworkInsightsAccessScopeAnalyses"])

    second = timedelta(seconds=1)
    assert listed(AnalysisStartTimeBegin=at, AnalysisStartTimeEnd=at) == 1, "both included"
    assert listed(AnalysisStartTimeBegin=at + second) == 0
    assert listed(AnalysisStartTimeEnd=at - second) == 0


def test_findings_come_in_pages(shop: Shop) -> None:
    for port in range(1000, 1012):
        shop.cloud.call(
            "AuthorizeSecurityGroupIngress", GroupId=shop.web_group, IpProtocol="tcp",
            FromPort=port * 2, ToPort=port * 2, CidrIp=ANY,
        )  # fmt: skip
    match = {"Source": INTERNET, "Destination": one(shop.web)}
    found = analysis(shop, scope(shop, MatchPaths=[match]))
    first = findings(shop, found, MaxResults=10)
    rest = findings(shop, found, MaxResults=10, NextToken=first["NextToken"])
    assert len(first["AnalysisFindings"]) == 10
    assert "NextToken" not in rest
    keys = [each["FindingId"] for each in first["AnalysisFindings"] + rest["AnalysisFindings"]]
    key = found["NetworkInsightsAccessScopeAnalysisId"]
    assert keys == [f"{key}-{number}" for number in range(1, 14)]
    assert len(findings(shop, found, MaxResults=1000)["AnalysisFindings"]) == 13


def test_a_scope_keeps_its_content(shop: Shop) -> None:
    match = [{"Source": INTERNET, "Destination": statement(DestinationPorts=["22"])}]
    key = scope(shop, MatchPaths=match)
    content = shop.cloud.call(
        "GetNetworkInsightsAccessScopeContent", NetworkInsightsAccessScopeId=key
    )["NetworkInsightsAccessScopeContent"]
    assert content["MatchPaths"] == match
    (shown,) = shop.cloud.call("DescribeNetworkInsightsAccessScopes")["NetworkInsightsAccessScopes"]
    assert shown["NetworkInsightsAccessScopeId"] == key


def test_a_scope_goes_after_its_analyses(shop: Shop) -> None:
    key = scope(shop, MatchPaths=[{"Source": INTERNET}])
    done = analysis(shop, key)["NetworkInsightsAccessScopeAnalysisId"]
    call, code = shop.cloud.call, "AnalysisExistsForNetworkInsightsAccessScope"
    with pytest.raises(ApiError) as raised:
        call("DeleteNetworkInsightsAccessScope", NetworkInsightsAccessScopeId=key)
    assert raised.value.code == code
    call("DeleteNetworkInsightsAccessScopeAnalysis", NetworkInsightsAccessScopeAnalysisId=done)
    call("DeleteNetworkInsightsAccessScope", NetworkInsightsAccessScopeId=key)
    assert call("DescribeNetworkInsightsAccessScopes")["NetworkInsightsAccessScopes"] == []


@pytest.mark.parametrize(
    ("side", "code"),
    [
        (statement(SourceAddresses=["10.0.0.300"]), "InvalidParameterValue"),
        (statement(DestinationPorts=["90-80"]), "InvalidParameterValue"),
        (statement(DestinationPorts=["http"]), "InvalidParameterValue"),
        (statement(SourcePrefixLists=["pl-0123456789abcdef0"]), "InvalidParameterValue"),
        ({"ResourceStatement": {"ResourceTypes": ["AWS::S3::Bucket"]}}, "InvalidParameterValue"),
    ],
)
def test_bad_statements_are_refused(shop: Shop, side: dict[str, Any], code: str) -> None:
    with pytest.raises(ApiError) as raised:
        scope(shop, MatchPaths=[{"Source": side}])
    assert raised.value.code == code
    with pytest.raises(ApiError) as nothing:
        scope(shop)
    assert nothing.value.code == "MissingParameter"


def test_rules_about_ipv6_are_no_hindrance(shop: Shop) -> None:
    shop.cloud.call("AssociateVpcCidrBlock", VpcId=shop.vpc, AmazonProvidedIpv6CidrBlock=True)
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    shop.cloud.call("AuthorizeSecurityGroupIngress", GroupId=shop.web_group, IpPermissions=[rule])
    found = analysis(shop, scope(shop, MatchPaths=[{"Source": INTERNET}]))
    assert found["FindingsFound"] == "true"
