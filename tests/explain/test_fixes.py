"""Every fix mends its block when it is run: broken clouds, the AWS CLI, the explanation after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.explain.conftest import Site

ANY = "0.0.0.0/0"
FREE = "an address of the inner subnet that nobody has"
"""Stands in a question for an address that the test finds: those of instances are drawn."""

ROUNDS = 4
"""Explanations until an exchange works: a packet that gets further may meet the next block."""

Break = Callable[[Site], None]


def codes(found: dict[str, Any]) -> list[str]:
    """The codes of all blocks of the network, forth and back."""
    traces = [found["forth"], found["back"], *found["others"]]
    steps = [step for trace in traces if trace for step in trace["steps"]]
    return [str(each["code"]) for each in steps if not each["passed"] and each["kind"] != "listen"]


def mended(site: Site, *question: str) -> list[list[str]]:
    """Run what is proposed until the exchange works, as it must; the codes of each round."""
    met: list[list[str]] = []
    for _ in range(ROUNDS):
        found = site.explain(*question)
        if found["reach"] == "all":
            return met
        met.append(codes(found))
        assert found["fixes"], f"no fix for {met}"
        for fix in found["fixes"]:
            site.shell(fix["commands"])
    assert site.explain(*question)["reach"] == "all", met
    return met


def _asked(site: Site, question: list[str]) -> list[str]:
    """The question with an address in the place of ``FREE``."""
    taken = {site.shown(name)["PrivateIpAddress"] for name in ("web", "db")}
    free = next(ip for ip in ("192.168.55.140", "192.168.55.141") if ip not in taken)
    return [free if word == FREE else word for word in question]


def _nothing(site: Site) -> None:
    pass


def _acl(site: Site, subnet: str, *entries: dict[str, Any]) -> None:
    call = site.api.call
    vpc, key = site.ids["shop"], site.ids[subnet]
    acl = call("CreateNetworkAcl", VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for entry in entries:
        call("CreateNetworkAclEntry", NetworkAclId=acl, **entry)
    site.api.join_acl(acl, key)


def _entry(number: int, egress: bool, action: str, **more: Any) -> dict[str, Any]:
    return {
        "RuleNumber": number,
        "Egress": egress,
        "Protocol": "-1",
        "RuleAction": action,
        "CidrBlock": ANY,
        **more,
    }


def _empty_acl(site: Site) -> None:
    _acl(site, "outside")


def _no_answers(site: Site) -> None:
    """The answers may go to the ports of some clients only."""
    some = {"Protocol": "6", "PortRange": {"From": 1024, "To": 40000}}
    _acl(site, "outside", _entry(100, False, "allow"), _entry(100, True, "allow", **some))


def _shadowed(site: Site) -> None:
    """A deny before the allow, and no free number just before it."""
    entries = (
        _entry(99, False, "allow", CidrBlock="203.0.113.0/24"),
        _entry(100, False, "deny"),
        _entry(200, False, "allow"),
        _entry(100, True, "allow"),
    )
    _acl(site, "outside", *entries)


def _no_default_route(site: Site) -> None:
    site.api.call("DeleteRoute", RouteTableId=site.ids["out"], DestinationCidrBlock=ANY)


def _detached(site: Site) -> None:
    """AWS lets a gateway go only when no public address is mapped."""
    site.api.call("TerminateInstances", InstanceIds=[site.ids["web"]])
    site.until("web", "terminated")
    where = {"InternetGatewayId": site.ids["gate"], "VpcId": site.ids["shop"]}
    site.api.call("DetachInternetGateway", **where)
    site.run("web", "outside", group="www")


def _inside_to_gateway(site: Site) -> None:
    table = site.make(
        "CreateRouteTable", "RouteTable", "RouteTableId", "wrong", VpcId=site.ids["shop"]
    )
    call = site.api.call
    route = {"DestinationCidrBlock": ANY, "GatewayId": site.ids["gate"]}
    call("CreateRoute", RouteTableId=table, **route)
    call("AssociateRouteTable", RouteTableId=table, SubnetId=site.ids["inside"])


def _stopped(site: Site) -> None:
    site.api.call("StopInstances", InstanceIds=[site.ids["db"]])
    site.until("db", "stopped")


def _empty_group(site: Site) -> None:
    vpc = site.ids["shop"]
    group = site.api.call("CreateSecurityGroup", GroupName="e", Description="e", VpcId=vpc)
    key = str(group["GroupId"])
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}]}]
    site.api.call("RevokeSecurityGroupEgress", GroupId=key, IpPermissions=everything)
    eni = site.shown("db")["NetworkInterfaces"][0]["NetworkInterfaceId"]
    site.api.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni, Groups=[key])


def _closed_region(site: Site) -> None:
    mode = {"InternetGatewayBlockMode": "block-bidirectional"}
    site.api.call("ModifyVpcBlockPublicAccessOptions", **mode)


CASES: list[tuple[Break, list[str], list[str]]] = [
    (_nothing, ["me", "web", "22"], ["ENI_SG_RULES_MISMATCH"]),
    (_nothing, ["web", "db", "3306"], ["ENI_SG_RULES_MISMATCH"]),
    (_nothing, ["web", "db"], ["ENI_SG_RULES_MISMATCH"]),
    (_nothing, ["web", "db", "proto/47"], ["ENI_SG_RULES_MISMATCH"]),
    (_nothing, ["db", "mirror", "443"], ["NO_ROUTE_TO_DESTINATION"]),
    (_nothing, ["me", "db", "22"], ["IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS"]),
    (
        _nothing,
        ["db", "web", "8080", "--source-ip", FREE],
        ["ENI_ADDRESS_RESTRICTION", "NO_POSSIBLE_DESTINATION"],
    ),
    (_empty_acl, ["me", "web", "8080"], ["SUBNET_ACL_RESTRICTION"] * 2),
    (_no_answers, ["me", "web", "8080"], ["SUBNET_ACL_RESTRICTION"]),
    (_shadowed, ["me", "web", "8080"], ["SUBNET_ACL_RESTRICTION"]),
    (_no_default_route, ["me", "web", "8080"], ["NO_ROUTE_TO_DESTINATION"]),
    (_detached, ["web", "mirror", "80"], ["BAD_STATE_ROUTE"]),
    (_inside_to_gateway, ["db", "mirror", "80"], ["IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"]),
    (_stopped, ["web", "db", "22"], ["BAD_STATE"]),
    (_stopped, ["db", "web", "8080"], ["BAD_STATE"]),
    (_closed_region, ["me", "web", "8080"], ["VPC_BLOCK_PUBLIC_ACCESS_ENABLED"]),
    (_closed_region, ["web", "mirror", "80"], ["VPC_BLOCK_PUBLIC_ACCESS_ENABLED"]),
    (_empty_group, ["db", "web", "8080"], ["SG_HAS_NO_RULES"]),
    (_empty_group, ["web", "db", "22"], ["SG_HAS_NO_RULES"]),
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("broken", "question", "expected"), CASES)
def test_a_fix_mends(site: Site, broken: Break, question: list[str], expected: list[str]) -> None:
    broken(site)
    assert mended(site, *_asked(site, question))[0] == expected


def test_a_fix_admits_no_more_than_it_must(site: Site) -> None:
    """One port, one sender: the neighbours of both stay outside."""
    for fix in site.explain("me", "web", "22")["fixes"]:
        site.shell(fix["commands"])
    assert site.explain("me", "web", "22")["reach"] == "all"
    assert site.explain("me", "web", "23")["reach"] == "none"
    assert site.explain("stranger", "web", "22")["reach"] == "none"


def test_what_nobody_can_mend_has_no_fix(site: Site) -> None:
    assert site.explain("me", "192.168.55.9", "22")["fixes"] == []
    assert site.explain("web", "10.9.9.9", "22")["fixes"] == []
