"""Rules that name groups beyond a peering connection: members, stale ones, other accounts."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.compile import compile_all
from gureum.program import Member
from gureum.resources import REGISTRY
from tests.conftest import Cloud
from tests.resources.building import make_group, make_interface, make_subnet, make_vpc, plug_in
from tests.resources.test_vpc_peering import OTHER, ask, joined, settle

ME = "123456789012"


def permission(group: str, **more: Any) -> list[dict[str, Any]]:
    pair = {"GroupId": group, **more}
    return [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}]


def admit(cloud: Cloud, group: str, peer: str, **more: Any) -> str:
    """The id of a new rule that lets members of a peer's group in."""
    answer = cloud.call(
        "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=permission(peer, **more)
    )
    return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def member(cloud: Cloud, vpc: str, group: str, cidr: str) -> str:
    """The address of an interface that is up and has a group; its subnet has a block of its own."""
    subnet = make_subnet(cloud, vpc, cidr)
    eni = make_interface(cloud, subnet, Groups=[group])
    plug_in(cloud, eni["NetworkInterfaceId"], f"i-{eni['NetworkInterfaceId'][4:]}")
    return str(eni["PrivateIpAddress"])


def members(cloud: Cloud, router: str) -> set[tuple[str, str]]:
    """Groups with the addresses that they stand for in a VPC's rules."""
    program = cloud.program()
    assert program.statements == compile_all(REGISTRY, cloud.store.view).statements
    found = (each for each in program.statements if isinstance(each, Member))
    return {(each.group, each.ip) for each in found if each.router == router}


def stale(cloud: Cloud, vpc: str) -> list[dict[str, Any]]:
    answer = cloud.call("DescribeStaleSecurityGroups", VpcId=vpc)
    return list(answer["StaleSecurityGroupSet"])


def test_members_beyond_a_peering_are_known_while_it_is_active(cloud: Cloud) -> None:
    one, two, key = joined(cloud)
    web, rows = make_group(cloud, one), make_group(cloud, two, "rows")
    before = member(cloud, one, web, "10.0.1.0/24")
    rule = admit(cloud, rows, web)
    assert (web, before) in members(cloud, two)
    after = member(cloud, one, web, "10.0.2.0/24")
    assert {(web, before), (web, after)} <= members(cloud, two)
    assert not {name for name, _ in members(cloud, one)} & {rows}
    cloud.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert members(cloud, two) == set()
    (shown,) = cloud.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[rule])[
        "SecurityGroupRules"
    ]
    assert shown["ReferencedGroupInfo"] == {
        "GroupId": web,
        "UserId": ME,
        "VpcId": one,
        "VpcPeeringConnectionId": key,
        "PeeringStatus": "deleting",
    }


def test_members_have_their_ipv6_addresses_too(cloud: Cloud) -> None:
    one, two, _ = joined(cloud)
    web, rows = make_group(cloud, one), make_group(cloud, two, "rows")
    admit(cloud, rows, web)
    cloud.call("AssociateVpcCidrBlock", VpcId=one, AmazonProvidedIpv6CidrBlock=True)
    (vpc,) = cloud.call("DescribeVpcs", VpcIds=[one])["Vpcs"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    cidr = f"{block.removesuffix('::/56')}::/64"
    subnet = make_subnet(cloud, one, "10.0.1.0/24", Ipv6CidrBlock=cidr)
    eni = make_interface(cloud, subnet, Groups=[web], Ipv6AddressCount=1)
    plug_in(cloud, eni["NetworkInterfaceId"])
    assert (web, eni["Ipv6Addresses"][0]["Ipv6Address"]) in members(cloud, two)


def test_a_rule_that_goes_takes_the_members_along(cloud: Cloud) -> None:
    one, two, _ = joined(cloud)
    web, rows = make_group(cloud, one), make_group(cloud, two, "rows")
    ip = member(cloud, one, web, "10.0.1.0/24")
    rule = admit(cloud, rows, web)
    assert (web, ip) in members(cloud, two)
    cloud.call("RevokeSecurityGroupIngress", GroupId=rows, SecurityGroupRuleIds=[rule])
    assert members(cloud, two) == set()


def test_a_group_beyond_a_peering_is_shown_with_it(cloud: Cloud) -> None:
    one, two, key = joined(cloud)
    web, rows = make_group(cloud, one), make_group(cloud, two, "rows")
    admit(cloud, rows, web, Description="the shop")
    (group,) = cloud.call("DescribeSecurityGroups", GroupIds=[rows])["SecurityGroups"]
    ((pair,),) = (item["UserIdGroupPairs"] for item in group["IpPermissions"])
    assert pair == {
        "GroupId": web,
        "UserId": ME,
        "VpcId": one,
        "VpcPeeringConnectionId": key,
        "PeeringStatus": "active",
        "Description": "the shop",
    }
    error = cloud.error(
        "AuthorizeSecurityGroupIngress", GroupId=rows, IpPermissions=permission(web, UserId=ME)
    )
    assert error.code == "InvalidPermission.Duplicate"
    answer = cloud.call("DescribeSecurityGroupReferences", GroupId=[web, rows])
    reference = {"GroupId": web, "ReferencingVpcId": two, "VpcPeeringConnectionId": key}
    assert answer["SecurityGroupReferenceSet"] == [reference]


def test_without_a_peering_it_is_refused(cloud: Cloud) -> None:
    one, two = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    web, rows = make_group(cloud, one), make_group(cloud, two, "rows")
    wanted = {"GroupId": rows, "IpPermissions": permission(web)}
    assert cloud.error("AuthorizeSecurityGroupIngress", **wanted).code == "InvalidGroup.NotFound"
    ask(cloud, one, two)
    assert cloud.error("AuthorizeSecurityGroupIngress", **wanted).code == "InvalidGroup.NotFound"


def test_stale_rules_can_be_found_and_revoked(cloud: Cloud) -> None:
    one, two, key = joined(cloud)
    web, rows = make_group(cloud, one), make_group(cloud, two, "rows")
    admit(cloud, rows, web)
    assert stale(cloud, two) == []
    cloud.call("DeleteSecurityGroup", GroupId=web)  # who is named beyond a peering may go
    (group,) = stale(cloud, two)
    assert (group["GroupId"], group["StaleIpPermissionsEgress"]) == (rows, [])
    (item,) = group["StaleIpPermissions"]
    assert item["UserIdGroupPairs"][0]["GroupId"] == web
    assert item["UserIdGroupPairs"][0]["VpcPeeringConnectionId"] == key
    gone = {"GroupId": rows, "IpPermissions": permission(web, UserId=ME)}
    cloud.call("RevokeSecurityGroupIngress", **gone)
    assert stale(cloud, two) == []


def test_a_rule_is_stale_once_the_peering_is_gone(cloud: Cloud) -> None:
    one, two, key = joined(cloud)
    web, rows = make_group(cloud, one), make_group(cloud, two, "rows")
    admit(cloud, rows, web)
    cloud.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    settle(cloud, key)
    (group,) = stale(cloud, two)
    (item,) = group["StaleIpPermissions"]
    assert item["UserIdGroupPairs"][0]["PeeringStatus"] == "deleted"


def test_the_group_of_another_account(cloud: Cloud) -> None:
    other = Cloud(account=OTHER)
    other.store, other.dispatch, other.compiler = cloud.store, cloud.dispatch, cloud.compiler
    one, two = make_vpc(cloud), make_vpc(other, "10.1.0.0/16")
    web, rows = make_group(cloud, one), make_group(other, two, "rows")
    ip = member(cloud, one, web, "10.0.1.0/24")
    wanted = {"GroupId": rows, "IpPermissions": permission(web, UserId=ME)}
    assert other.error("AuthorizeSecurityGroupIngress", **wanted).code == "InvalidGroup.NotFound"
    key = ask(cloud, one, two, PeerOwnerId=OTHER)["VpcPeeringConnectionId"]
    other.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    error = other.error(
        "AuthorizeSecurityGroupIngress", GroupId=rows, IpPermissions=permission(web)
    )
    assert error.code == "InvalidGroup.NotFound", "whose it is must be said"
    other.call("AuthorizeSecurityGroupIngress", **wanted)
    assert (web, ip) in members(cloud, two)


@pytest.mark.parametrize("egress", [False, True])
def test_a_rule_can_be_changed_to_a_far_group(cloud: Cloud, egress: bool) -> None:
    one, two, key = joined(cloud)
    web, rows = make_group(cloud, one), make_group(cloud, two, "rows")
    action = f"AuthorizeSecurityGroup{'Egress' if egress else 'Ingress'}"
    plain = [
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "1.2.3.4/32"}]}
    ]
    made = cloud.call(action, GroupId=rows, IpPermissions=plain)["SecurityGroupRules"][0]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "ReferencedGroupId": web}
    change = {"SecurityGroupRuleId": made["SecurityGroupRuleId"], "SecurityGroupRule": rule}
    cloud.call("ModifySecurityGroupRules", GroupId=rows, SecurityGroupRules=[change])
    (shown,) = cloud.call(
        "DescribeSecurityGroupRules", SecurityGroupRuleIds=[made["SecurityGroupRuleId"]]
    )["SecurityGroupRules"]
    assert shown["ReferencedGroupInfo"]["VpcPeeringConnectionId"] == key
