"""IPv6 rules, routes and gateways, from the API to the program."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

from gureum.program import (
    Filter,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    InternetHost,
    Route,
    Uplink,
    ViaUplink,
)
from gureum.resources import internet_host
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
from tests.resources.routing import main_of, make_table, refusal
from tests.resources.test_ipv6 import at, dual, dual_subnet, nth, statements

ANY, ANY4 = "::/0", "0.0.0.0/0"


# --- rules --------------------------------------------------------------------------------------
def acl_rules(cloud: Cloud, vpc: str) -> list[tuple[bool, int, str]]:
    filters = only({"vpc-id": vpc, "default": "true"})
    (acl,) = cloud.call("DescribeNetworkAcls", Filters=filters)["NetworkAcls"]
    return [
        (each["Egress"], each["RuleNumber"], each.get("Ipv6CidrBlock") or each["CidrBlock"])
        for each in acl["Entries"]
    ]


V4_ONLY = [(egress, number, ANY4) for egress in (True, False) for number in (100, 32767)]


def test_the_default_acl_opens_to_ipv6(cloud: Cloud) -> None:
    vpc, _ = dual(cloud)
    assert acl_rules(cloud, vpc) == [
        (egress, number, cidr)
        for egress in (True, False)
        for number, cidr in ((100, ANY4), (101, ANY), (32767, ANY4), (32768, ANY))
    ]
    cloud.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    assert len(acl_rules(cloud, vpc)) == 8  # once


def test_a_changed_default_acl_stays_as_it_is(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    assert acl_rules(cloud, vpc) == V4_ONLY
    filters = only({"vpc-id": vpc})
    (acl,) = cloud.call("DescribeNetworkAcls", Filters=filters)["NetworkAcls"]
    cloud.call(
        "CreateNetworkAclEntry",
        NetworkAclId=acl["NetworkAclId"],
        RuleNumber=90,
        Egress=False,
        RuleAction="deny",
        Protocol="6",
        PortRange={"From": 23, "To": 23},
        CidrBlock="0.0.0.0/0",
    )
    cloud.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    numbers = {(egress, number) for egress, number, _ in acl_rules(cloud, vpc)}
    assert (True, 101) in numbers
    assert (False, 101) not in numbers


def egress(cloud: Cloud, group: str) -> list[str]:
    (shape,) = cloud.call("DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"]
    return [
        *(each["CidrIp"] for rule in shape["IpPermissionsEgress"] for each in rule["IpRanges"]),
        *(each["CidrIpv6"] for rule in shape["IpPermissionsEgress"] for each in rule["Ipv6Ranges"]),
    ]


def test_groups_open_to_ipv6(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    plain, changed = make_group(cloud, vpc, "plain"), make_group(cloud, vpc, "changed")
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    cloud.call("AuthorizeSecurityGroupEgress", GroupId=changed, IpPermissions=[rule])
    cloud.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    assert egress(cloud, plain) == ["0.0.0.0/0", ANY]
    assert sorted(egress(cloud, changed)) == ["0.0.0.0/0", "10.0.0.0/8"]
    assert egress(cloud, make_group(cloud, vpc, "new")) == ["0.0.0.0/0", ANY]


def test_rules_reach_the_program(cloud: Cloud) -> None:
    vpc, subnet, _ = dual_subnet(cloud)
    group = make_group(cloud, vpc)
    open_ = {"IpProtocol": "icmpv6", "FromPort": 128, "ToPort": -1}
    cloud.call(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[{**open_, "Ipv6Ranges": [{"CidrIpv6": "3fff::1/20"}]}],
    )
    plug_in(cloud, make_interface(cloud, subnet, Groups=[group])["NetworkInterfaceId"])
    (found,) = (each for each in statements(cloud, Filter) if each.id == f"{group}/in")
    assert found.ipv6 is True
    (rule,) = found.rules
    assert (rule.protocol, rule.icmp, rule.peer) == (58, (128, -1), "3fff::/20")


def test_ipv6_flows_may_be_untracked_too(cloud: Cloud) -> None:
    vpc, subnet, _ = dual_subnet(cloud)
    group = make_group(cloud, vpc)
    for peers in ({"Ipv6Ranges": [{"CidrIpv6": ANY}]}, {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}):
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, **peers}
        cloud.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])
    plug_in(cloud, make_interface(cloud, subnet, Groups=[group])["NetworkInterfaceId"])
    (found,) = (each for each in statements(cloud, Filter) if each.id == f"{group}/in")
    assert {rule.peer: rule.untracked for rule in found.rules} == {ANY: True, "10.0.0.0/8": False}


# --- ways out -----------------------------------------------------------------------------------
def make_egress_only(cloud: Cloud, vpc: str, **more: Any) -> str:
    answer = cloud.call("CreateEgressOnlyInternetGateway", VpcId=vpc, **more)
    return str(answer["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"])


def test_an_egress_only_gateway(cloud: Cloud) -> None:
    vpc, _ = dual(cloud)
    tags = [{"Key": "Name", "Value": "out"}]
    named = [{"ResourceType": "egress-only-internet-gateway", "Tags": tags}]
    answer = cloud.call("CreateEgressOnlyInternetGateway", VpcId=vpc, TagSpecifications=named)
    shape = answer["EgressOnlyInternetGateway"]
    key = shape["EgressOnlyInternetGatewayId"]
    assert key.startswith("eigw-")
    assert shape == {
        "EgressOnlyInternetGatewayId": key,
        "Attachments": [{"VpcId": vpc, "State": "attached"}],
        "Tags": tags,
    }
    found = cloud.call("DescribeEgressOnlyInternetGateways", Filters=only({"tag:Name": "out"}))
    assert found["EgressOnlyInternetGateways"] == [shape]
    second = refusal(cloud, "CreateEgressOnlyInternetGateway", VpcId=vpc)[0]
    assert second == "ResourceLimitExceeded"
    assert Gateway(key, egress_only=True) in cloud.program().statements
    assert Uplink(vpc, key) in cloud.program().statements
    assert refusal(cloud, "DeleteVpc", VpcId=vpc)[0] == "DependencyViolation"
    gone = cloud.call("DeleteEgressOnlyInternetGateway", EgressOnlyInternetGatewayId=key)
    assert gone["ReturnCode"] is True
    cloud.call("DeleteVpc", VpcId=vpc)
    again = {"EgressOnlyInternetGatewayId": key}
    code = refusal(cloud, "DeleteEgressOnlyInternetGateway", **again)[0]
    assert code == "InvalidGatewayID.NotFound"


def shown_routes(cloud: Cloud, table: str) -> list[dict[str, Any]]:
    (shape,) = cloud.call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
    return [each for each in shape["Routes"] if "DestinationIpv6CidrBlock" in each]


def test_routes(cloud: Cloud) -> None:
    vpc, block = dual(cloud)
    table, gateway, only_out = make_table(cloud, vpc), make_gateway(cloud, vpc), ""
    local = {
        "DestinationIpv6CidrBlock": block,
        "GatewayId": "local",
        "Origin": "CreateRouteTable",
        "State": "active",
    }
    assert shown_routes(cloud, table) == [local]
    assert shown_routes(cloud, main_of(cloud, vpc)["RouteTableId"]) == [local]
    where = {"RouteTableId": table, "DestinationIpv6CidrBlock": ANY}
    cloud.call("CreateRoute", GatewayId=gateway, **where)
    only_out = make_egress_only(cloud, vpc)
    twice = refusal(cloud, "CreateRoute", EgressOnlyInternetGatewayId=only_out, **where)[0]
    assert twice == "RouteAlreadyExists"
    cloud.call("ReplaceRoute", EgressOnlyInternetGatewayId=only_out, **where)
    made = {"DestinationIpv6CidrBlock": ANY, "EgressOnlyInternetGatewayId": only_out}
    made |= {"Origin": "CreateRoute", "State": "active"}
    assert shown_routes(cloud, table) == [local, made]
    filters = only({"route.egress-only-internet-gateway-id": only_out})
    found = cloud.call("DescribeRouteTables", Filters=filters)["RouteTables"]
    assert [each["RouteTableId"] for each in found] == [table]
    targets = [each.target for each in statements(cloud, Route) if each.destination == ANY]
    assert targets == [ViaUplink(only_out)]
    cloud.call("DeleteEgressOnlyInternetGateway", EgressOnlyInternetGatewayId=only_out)
    assert shown_routes(cloud, table)[1]["State"] == "blackhole"
    cloud.call("DeleteRoute", **where)
    assert shown_routes(cloud, table) == [local]
    code, message = refusal(cloud, "DeleteRoute", **where)
    assert code == "InvalidRoute.NotFound"
    assert "destination-ipv6-cidr-block ::/0" in message


def test_routes_that_are_refused(cloud: Cloud) -> None:
    vpc, block = dual(cloud)
    subnet = make_subnet(cloud, vpc, Ipv6CidrBlock=nth(block, 1))
    table, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    only_out = make_egress_only(cloud, vpc)
    nat = cloud.call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")
    nat_id = nat["NatGateway"]["NatGatewayId"]

    def code(**params: Any) -> str:
        return refusal(cloud, "CreateRoute", RouteTableId=table, **params)[0]

    v4, v6 = {"DestinationCidrBlock": "0.0.0.0/0"}, {"DestinationIpv6CidrBlock": ANY}
    assert code(EgressOnlyInternetGatewayId=only_out, **v4) == "InvalidParameterValue"
    assert code(NatGatewayId=nat_id, **v6) == "InvalidParameterValue"
    inside = {"DestinationIpv6CidrBlock": nth(block, 1)}
    assert code(GatewayId=gateway, **inside) == "InvalidParameterValue"
    reserved = {"DestinationIpv6CidrBlock": "fd00:ec2::254/128"}
    assert code(GatewayId=gateway, **reserved) == "InvalidParameterValue"
    other, _ = dual(cloud)
    foreign = make_egress_only(cloud, other)
    assert code(EgressOnlyInternetGatewayId=foreign, **v6) == "InvalidParameterValue"
    absent = "eigw-00000000000000001"
    assert code(EgressOnlyInternetGatewayId=absent, **v6) == "InvalidGatewayID.NotFound"


def test_what_the_internet_reaches(cloud: Cloud) -> None:
    """Both gateways let addresses pass; a subnet is reached by the one its table leads to."""
    vpc, subnet, cidr = dual_subnet(cloud)
    eni = make_interface(cloud, subnet, Ipv6Addresses=[{"Ipv6Address": at(cidr, 5)}])
    plug_in(cloud, eni["NetworkInterfaceId"])
    assert statements(cloud, GlobalAddress) == []
    gateway, only_out = make_gateway(cloud, vpc), make_egress_only(cloud, vpc)
    assert set(statements(cloud, GlobalAddress)) == {
        GlobalAddress(key, vpc, at(cidr, 5)) for key in (gateway, only_out)
    }

    def ways_in() -> list[str]:
        found = statements(cloud, GlobalPrefix)
        return [each.gateway for each in found if each.segment.id == subnet]

    assert ways_in() == [gateway]
    table = main_of(cloud, vpc)["RouteTableId"]
    route = {"RouteTableId": table, "DestinationIpv6CidrBlock": ANY}
    cloud.call("CreateRoute", EgressOnlyInternetGatewayId=only_out, **route)
    assert ways_in() == [only_out]
    more = {"RouteTableId": table, "DestinationIpv6CidrBlock": "3fff:800::10/128"}
    cloud.call("CreateRoute", GatewayId=gateway, **more)
    assert ways_in() == [gateway]


def test_hosts_of_the_internet_have_addresses(cloud: Cloud) -> None:
    now = "2026-11-24T08:00:00.000Z"
    with cloud.store.transaction(internet_host.OWNER, internet_host.PLACE) as txn:
        internet_host.provide(txn, now)
        internet_host.add(txn, "far", "198.19.77.250", now)
    found = {each.name: each.ip6 for each in statements(cloud, InternetHost)}
    assert found["me"] == "3fff:800::10"
    assert found["far"] == "3fff:800::77:250"
    assert all(IPv6Address(ip) in internet_host.NETWORK6 for ip in found.values())
