"""Analyses of access scopes over IPv6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gureum.explain import Network
from gureum.reach import Dual
from gureum.resources.access_scope import AccessScope
from gureum.server.access_scopes import analyse
from tests.conftest import Cloud
from tests.explain.test_ipv6 import ANY, BLOCK, ME, Shop

INTERNET = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::InternetGateway"]}}
ONLY_OUT = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::EgressOnlyInternetGateway"]}}
INTERFACES = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::NetworkInterface"]}}


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    return Shop(cloud)


def analysed(shop: Shop, *match: Mapping[str, Any], exclude: Any = ()) -> dict[str, Any]:
    """What an analysis of a scope of these paths keeps."""
    made = shop.cloud.call(
        "CreateNetworkInsightsAccessScope",
        ClientToken=f"s{shop.cloud.store.view.revision}",
        MatchPaths=list(match),
        ExcludePaths=list(exclude),
    )
    key = made["NetworkInsightsAccessScope"]["NetworkInsightsAccessScopeId"]
    view = shop.cloud.store.view
    row = view.find(AccessScope, key)
    assert row is not None
    statements: list[Any] = [*shop.cloud.program().statements, ME]
    return dict(analyse(view, Network(statements), Dual(statements), row))


def ways(shop: Shop, *match: Mapping[str, Any], exclude: Any = ()) -> list[list[str]]:
    found = analysed(shop, *match, exclude=exclude)["findings"]
    return [[each["Component"]["Id"] for each in one] for one in found]


def header(**members: list[str]) -> dict[str, Any]:
    return {"PacketHeaderStatement": members}


def test_what_the_internet_reaches_over_ipv6(shop: Shop) -> None:
    found = analysed(shop, {"Source": INTERNET, "Destination": INTERFACES})
    assert found["AnalyzedEniCount"] == 2, "each once"
    (way,) = found["findings"]
    assert (way[0]["Component"]["Id"], way[-1]["Component"]["Id"]) == (shop.gateway, shop.web)
    rule = next(each["SecurityGroupRule"] for each in way if "SecurityGroupRule" in each)
    assert (rule["Cidr"], rule["PortRange"]) == (ANY, {"From": 80, "To": 80})
    group = {"GroupId": shop.web_group, "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    permission = {**group, "Ipv6Ranges": [{"CidrIpv6": ANY}]}
    del permission["GroupId"]
    shop.cloud.call(
        "RevokeSecurityGroupIngress", GroupId=shop.web_group, IpPermissions=[permission]
    )
    assert ways(shop, {"Source": INTERNET, "Destination": INTERFACES}) == []


def test_what_leaves_by_an_egress_only_gateway_does_not_leave_by_the_other(shop: Shop) -> None:
    one = {"ResourceStatement": {"Resources": [shop.db]}}
    out = ways(shop, {"Source": one, "Destination": ONLY_OUT})
    assert {way[0] for way in out} == {shop.db}
    assert all(shop.only_out in way for way in out)
    assert ways(shop, {"Source": one, "Destination": INTERNET}) == []
    assert ways(shop, {"Source": ONLY_OUT, "Destination": one}) == []


def test_both_versions_between_interfaces_are_findings_of_their_own(shop: Shop) -> None:
    ends = {
        side: {"ResourceStatement": {"Resources": [key]}}
        for side, key in (("Source", shop.web), ("Destination", shop.db))
    }
    found = ways(shop, ends)
    assert len(found) == 2
    narrow = ends["Source"] | header(SourceAddresses=[BLOCK])
    assert len(ways(shop, ends | {"Source": narrow})) == 1
    excluded = [{"Source": header(SourceAddresses=["10.0.0.0/8"])}]
    assert len(ways(shop, ends, exclude=excluded)) == 1
    near = shop.launch(shop.public, shop.db_group, "3fff:1:2:301::b")
    ends["Destination"] = {"ResourceStatement": {"Resources": [near]}}
    assert len(ways(shop, ends)) == 2


def test_addresses_of_ipv6_narrow_a_path(shop: Shop) -> None:
    def found(*blocks: str, **more: Any) -> int:
        source = INTERNET | header(SourceAddresses=[*blocks])
        return len(ways(shop, {"Source": source, "Destination": INTERFACES}, **more))

    assert found("3fff:800::/48") == 1
    assert found("3fff:800::10") == 1
    assert found("0.0.0.0/0") == 0
    assert found(BLOCK) == 0, "nobody on the internet has an address of the VPC"
    assert found(ANY, exclude=[{"Source": header(SourceAddresses=["3fff::/20"])}]) == 1
    assert found(ANY, exclude=[{"Source": header(SourceAddresses=["2000::/3"])}]) == 0


def test_a_rule_for_a_part_of_the_internet_is_found(shop: Shop) -> None:
    """The other block is a VPC's: nobody outside has an address of it."""
    block = {"Ipv6Pool": "Amazon", "Ipv6CidrBlock": "3fff:1:2:400::/56"}
    shop.cloud.call("CreateVpc", CidrBlock="10.9.0.0/16", **block)
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    rule["Ipv6Ranges"] = [{"CidrIpv6": "3fff:900::/32"}, {"CidrIpv6": block["Ipv6CidrBlock"]}]
    shop.cloud.call("AuthorizeSecurityGroupIngress", GroupId=shop.web_group, IpPermissions=[rule])
    ssh = {"Source": INTERNET | header(DestinationPorts=["22"]), "Destination": INTERFACES}
    assert len(ways(shop, ssh)) == 1
