"""Prefix lists in rules and routes: what is stored, counted and asked of the network."""

from __future__ import annotations

from typing import Any

from gureum.program import Filter, Route
from tests.conftest import Cloud
from tests.resources.building import (
    make_gateway,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
    only,
    plug_in,
)
from tests.resources.routing import make_table, refusal, table
from tests.resources.test_prefix_list import change, make_list, show


def https(key: str, **more: Any) -> dict[str, Any]:
    pair = {"PrefixListId": key, **more}
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [pair]}


def allow(cloud: Cloud, group: str, *rules: dict[str, Any]) -> str:
    answer = cloud.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=list(rules))
    return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def peers(cloud: Cloud, group: str) -> dict[str, str]:
    """What a group's filter lets in: the other ends, each with the rule that says so."""
    found = (each for each in cloud.program().statements if isinstance(each, Filter))
    (filter_,) = (each for each in found if each.id == f"{group}/in")
    return {rule.peer: rule.why for rule in filter_.rules}


def worn(cloud: Cloud) -> str:
    """A group that an interface in a running host has."""
    vpc = make_vpc(cloud)
    group = make_group(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc), Groups=[group])
    plug_in(cloud, eni["NetworkInterfaceId"])
    return group


def test_a_rule_with_a_list_is_shown_and_revoked_by_it(cloud: Cloud) -> None:
    group, key = make_group(cloud, make_vpc(cloud)), make_list(cloud, "198.51.100.0/24")
    item = https(key, Description="offices")
    rule = allow(cloud, group, item)
    (shape,) = cloud.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[rule])[
        "SecurityGroupRules"
    ]
    assert (shape["PrefixListId"], shape["Description"]) == (key, "offices")
    found = only({"ip-permission.prefix-list-id": key})
    (shown,) = cloud.call("DescribeSecurityGroups", Filters=found)["SecurityGroups"]
    assert shown["IpPermissions"][0]["PrefixListIds"] == item["PrefixListIds"]
    words = f"peer: {key}, TCP, from port: 443, to port: 443, ALLOW"
    again = {"GroupId": group, "IpPermissions": [https(key)]}
    assert refusal(cloud, "AuthorizeSecurityGroupIngress", **again) == (
        "InvalidPermission.Duplicate",
        f'the specified rule "{words}" already exists',
    )
    gone = cloud.call("RevokeSecurityGroupIngress", GroupId=group, IpPermissions=[https(key)])
    assert gone["RevokedSecurityGroupRules"][0]["PrefixListId"] == key
    missing = https("pl-00000000000000001")
    code, _ = refusal(
        cloud, "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[missing]
    )
    assert code == "InvalidPrefixListID.NotFound"


def test_entries_are_lines_of_the_filter_and_follow_the_list(cloud: Cloud) -> None:
    group, key = worn(cloud), make_list(cloud, "198.51.100.0/24", "203.0.113.0/24")
    rule = allow(cloud, group, https(key))
    assert peers(cloud, group) == {"198.51.100.0/24": rule, "203.0.113.0/24": rule}
    change(
        cloud,
        key,
        1,
        AddEntries=[{"Cidr": "192.0.2.0/24"}],
        RemoveEntries=[{"Cidr": "203.0.113.0/24"}],
    )
    assert peers(cloud, group) == {"198.51.100.0/24": rule, "192.0.2.0/24": rule}
    other = make_list(cloud, "10.9.0.0/16")
    update = {"IpProtocol": "-1", "PrefixListId": other}
    cloud.call(
        "ModifySecurityGroupRules",
        GroupId=group,
        SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": update}],
    )
    assert peers(cloud, group) == {"10.9.0.0/16": rule}


def test_a_list_counts_as_its_size(cloud: Cloud) -> None:
    group = make_group(cloud, make_vpc(cloud))
    key, full = make_list(cloud, size=59), "RulesPerSecurityGroupLimitExceeded"
    allow(cloud, group, https(key))
    one = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    allow(cloud, group, one)
    two = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
    asked = {"GroupId": group, "IpPermissions": [two]}
    assert refusal(cloud, "AuthorizeSecurityGroupIngress", **asked)[0] == full
    six = make_list(cloud, size=60, AddressFamily="IPv6")
    allow(cloud, group, https(six))  # the families are counted apart
    cloud.call("ModifyManagedPrefixList", PrefixListId=key, MaxEntries=60)
    shape = show(cloud, key)
    assert (shape["State"], shape["MaxEntries"]) == ("modify-failed", 59)
    assert group in shape["StateMessage"]
    cloud.call("ModifyManagedPrefixList", PrefixListId=key, MaxEntries=58)
    assert (show(cloud, key)["State"], "StateMessage" in show(cloud, key)) == (
        "create-complete",
        False,
    )
    allow(cloud, group, two)
    aws = cloud.call("DescribePrefixLists")["PrefixLists"][0]["PrefixListId"]
    other = make_group(cloud, make_vpc(cloud, "10.1.0.0/16"))
    allow(cloud, other, https(aws))  # as one


def routed(cloud: Cloud, key: str) -> dict[str, str]:
    """The routes of a table in the program, local ones aside: destination to target."""
    found = (each for each in cloud.program().statements if isinstance(each, Route))
    mine = {r.destination: r.target for r in found if r.table.id == key}
    return {cidr: target.gateway for cidr, target in mine.items() if hasattr(target, "gateway")}


def test_a_route_leads_to_each_block_that_fits(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    inside, fit = "10.0.7.0/24", "198.51.100.0/24"
    listed = make_list(cloud, fit, inside, "10.0.0.0/16", "10.0.0.0/8")
    to = {"RouteTableId": key, "DestinationPrefixListId": listed}
    cloud.call("CreateRoute", **to, GatewayId=gateway)
    assert table(cloud, key)["Routes"][1] == {
        "DestinationPrefixListId": listed,
        "GatewayId": gateway,
        "Origin": "CreateRoute",
        "State": "active",
    }
    assert routed(cloud, key) == {fit: gateway, "10.0.0.0/8": gateway}
    change(cloud, listed, 1, RemoveEntries=[{"Cidr": fit}])
    assert routed(cloud, key) == {"10.0.0.0/8": gateway}
    found = cloud.call(
        "DescribeRouteTables", Filters=only({"route.destination-prefix-list-id": listed})
    )
    assert [each["RouteTableId"] for each in found["RouteTables"]] == [key]
    cloud.call("DeleteRoute", **to)
    assert routed(cloud, key) == {}
    assert refusal(cloud, "DeleteRoute", **to) == (
        "InvalidRoute.NotFound",
        f"no route with destination-prefix-list-id {listed} in route table {key}",
    )


def test_a_route_to_the_block_itself_goes_first(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    listed = make_list(cloud, "198.51.100.0/24", "203.0.113.0/24")
    to = {"RouteTableId": key, "DestinationPrefixListId": listed}
    cloud.call("CreateRoute", **to, NetworkInterfaceId=eni)
    cloud.call(
        "CreateRoute",
        RouteTableId=key,
        DestinationCidrBlock="198.51.100.0/24",
        GatewayId=gateway,
    )
    assert routed(cloud, key) == {"198.51.100.0/24": gateway}
    cloud.call("ReplaceRoute", **to, GatewayId=gateway)
    assert routed(cloud, key) == {"198.51.100.0/24": gateway, "203.0.113.0/24": gateway}
    code, _ = refusal(cloud, "CreateRoute", **to, NetworkInterfaceId=eni)
    assert code == "RouteAlreadyExists"


def test_routes_count_lists_as_their_size(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    listed = make_list(cloud, size=50)
    to = {"RouteTableId": key, "GatewayId": gateway}
    cloud.call("CreateRoute", **to, DestinationPrefixListId=listed)
    code, _ = refusal(cloud, "CreateRoute", **to, DestinationCidrBlock="0.0.0.0/0")
    assert code == "RouteLimitExceeded"
    cloud.call("ModifyManagedPrefixList", PrefixListId=listed, MaxEntries=51)
    assert key in show(cloud, listed)["StateMessage"]
    cloud.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.1.0.0/16")
