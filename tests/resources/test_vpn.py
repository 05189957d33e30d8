"""Customer gateways, virtual private gateways, VPN connections, and the routes that they bring."""

from __future__ import annotations

import itertools
import secrets
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from gureum.program import Beyond, Blackhole, Local, Route
from gureum.resources import vpn_connection_api
from gureum.resources.vpn_connection import VpnConnection
from tests.conftest import Cloud
from tests.resources.building import make_vpc, only, settle
from tests.resources.routing import main_of, refusal, routes, table

SITE = "192.0.2.1"


def make_customer(cloud: Cloud, ip: str = SITE, **more: Any) -> dict[str, Any]:
    answer = cloud.call("CreateCustomerGateway", Type="ipsec.1", IpAddress=ip, **more)
    return dict(answer["CustomerGateway"])


def make_gateway(cloud: Cloud, vpc: str | None = None, **more: Any) -> str:
    made = cloud.call("CreateVpnGateway", Type="ipsec.1", **more)["VpnGateway"]["VpnGatewayId"]
    if vpc:
        cloud.call("AttachVpnGateway", VpnGatewayId=made, VpcId=vpc)
    return str(made)


def make_connection(cloud: Cloud, gateway: str, **options: Any) -> dict[str, Any]:
    answer = cloud.call(
        "CreateVpnConnection",
        Type="ipsec.1",
        CustomerGatewayId=make_customer(cloud)["CustomerGatewayId"],
        VpnGatewayId=gateway,
        Options=options,
    )
    return dict(answer["VpnConnection"])


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    answer = cloud.call("DescribeVpnConnections", VpnConnectionIds=[key])
    return dict(answer["VpnConnections"][0])


def origins(cloud: Cloud, key: str) -> dict[str, str]:
    shown = table(cloud, key)["Routes"]
    return {route["DestinationCidrBlock"]: route["Origin"] for route in shown}


def targets(cloud: Cloud, key: str) -> dict[str, object]:
    """Where the network has a table's routes lead, the local one left out."""
    said = [each for each in cloud.program().statements if isinstance(each, Route)]
    mine = (each for each in said if each.table.id == key and each.target != Local())
    return {each.destination: each.target for each in mine}


# --- customer gateways --------------------------------------------------------------------------
def test_a_customer_gateway_is_made_once(cloud: Cloud) -> None:
    tags = [{"ResourceType": "customer-gateway", "Tags": [{"Key": "Name", "Value": "site"}]}]
    made = make_customer(cloud, BgpAsn=65010, DeviceName="router", TagSpecifications=tags)
    assert made == {
        "CustomerGatewayId": made["CustomerGatewayId"],
        "State": "available",
        "Type": "ipsec.1",
        "IpAddress": SITE,
        "BgpAsn": "65010",
        "DeviceName": "router",
        "Tags": [{"Key": "Name", "Value": "site"}],
    }
    assert make_customer(cloud, BgpAsn=65010)["CustomerGatewayId"] == made["CustomerGatewayId"]
    other = make_customer(cloud)["CustomerGatewayId"]
    assert other != made["CustomerGatewayId"]
    found = cloud.call("DescribeCustomerGateways", Filters=only({"bgp-asn": "65000"}))
    assert [each["CustomerGatewayId"] for each in found["CustomerGateways"]] == [other]
    cloud.call("DeleteCustomerGateway", CustomerGatewayId=other)
    (gone,) = cloud.call("DescribeCustomerGateways", CustomerGatewayIds=[other])["CustomerGateways"]
    assert gone["State"] == "deleted"
    refused = refusal(cloud, "DeleteCustomerGateway", CustomerGatewayId=other)
    assert refused[0] == "InvalidCustomerGatewayID.NotFound"
    assert make_customer(cloud)["CustomerGatewayId"] != other
    for params, code in (
        ({"IpAddress": "nowhere"}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
        ({"IpAddress": SITE, "BgpAsn": 1, "BgpAsnExtended": 2}, "InvalidParameterCombination"),
    ):
        assert refusal(cloud, "CreateCustomerGateway", Type="ipsec.1", **params)[0] == code


# --- virtual private gateways -------------------------------------------------------------------
def test_a_gateway_is_attached_to_one_vpc(cloud: Cloud) -> None:
    one, two = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    key, other = make_gateway(cloud, AmazonSideAsn=64600), make_gateway(cloud)
    answer = cloud.call("AttachVpnGateway", VpnGatewayId=key, VpcId=one)
    assert answer["VpcAttachment"] == {"VpcId": one, "State": "attaching"}
    (shown,) = cloud.call("DescribeVpnGateways", Filters=only({"attachment.vpc-id": one}))[
        "VpnGateways"
    ]
    assert (shown["VpnGatewayId"], shown["AmazonSideAsn"]) == (key, 64600)
    assert shown["VpcAttachments"] == [{"VpcId": one, "State": "attached"}]
    for params, code in (
        ({"VpnGatewayId": key, "VpcId": two}, "VpnGatewayAttachmentLimitExceeded"),
        ({"VpnGatewayId": other, "VpcId": one}, "InvalidVpcState"),
    ):
        assert refusal(cloud, "AttachVpnGateway", **params)[0] == code
    assert refusal(cloud, "DeleteVpnGateway", VpnGatewayId=key)[0] == "IncorrectState"
    assert refusal(cloud, "DeleteVpc", VpcId=one)[0] == "DependencyViolation"
    wrong = refusal(cloud, "DetachVpnGateway", VpnGatewayId=key, VpcId=two)
    assert wrong[0] == "InvalidVpnGatewayAttachment.NotFound"
    cloud.call("DetachVpnGateway", VpnGatewayId=key, VpcId=one)
    cloud.call("DeleteVpnGateway", VpnGatewayId=key)
    (gone,) = cloud.call("DescribeVpnGateways", VpnGatewayIds=[key])["VpnGateways"]
    assert (gone["State"], gone["VpcAttachments"]) == ("deleted", [])
    cloud.call("DeleteVpc", VpcId=one)
    refused = refusal(cloud, "AttachVpnGateway", VpnGatewayId=key, VpcId=two)
    assert refused[0] == "InvalidVpnGatewayID.NotFound"


def test_a_route_to_a_gateway_leads_out_while_it_is_attached(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    main, key = main_of(cloud, vpc)["RouteTableId"], make_gateway(cloud)
    to = {"RouteTableId": main, "DestinationCidrBlock": "192.168.0.0/16", "GatewayId": key}
    assert refusal(cloud, "CreateRoute", **to)[0] == "InvalidParameterValue"
    cloud.call("AttachVpnGateway", VpnGatewayId=key, VpcId=vpc)
    cloud.call("CreateRoute", **to)
    assert routes(cloud, main)["192.168.0.0/16"] == f"{key} active"
    assert targets(cloud, main)["192.168.0.0/16"] == Beyond(key)
    cloud.call("DetachVpnGateway", VpnGatewayId=key, VpcId=vpc)
    assert routes(cloud, main)["192.168.0.0/16"] == f"{key} blackhole"
    assert targets(cloud, main)["192.168.0.0/16"] == Blackhole(key)
    to["GatewayId"] = "vgw-0000000000000000a"
    assert refusal(cloud, "CreateRoute", **to)[0] == "InvalidGatewayID.NotFound"


# --- propagation --------------------------------------------------------------------------------
def test_static_routes_propagate(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    main, key = main_of(cloud, vpc)["RouteTableId"], make_gateway(cloud)
    ask = {"GatewayId": key, "RouteTableId": main}
    assert refusal(cloud, "EnableVgwRoutePropagation", **ask) == (
        "Gateway.NotAttached",
        f"resource {key} is not attached to network {vpc}",
    )
    cloud.call("AttachVpnGateway", VpnGatewayId=key, VpcId=vpc)
    cloud.call("EnableVgwRoutePropagation", **ask)
    cloud.call("EnableVgwRoutePropagation", **ask)
    assert table(cloud, main)["PropagatingVgws"] == [{"GatewayId": key}]
    vpn = make_connection(cloud, key, StaticRoutesOnly=True)["VpnConnectionId"]
    for cidr in ("192.168.0.0/16", "172.20.0.0/16", "10.0.7.0/24", "192.168.0.0/16"):
        cloud.call("CreateVpnConnectionRoute", VpnConnectionId=vpn, DestinationCidrBlock=cidr)
    assert origins(cloud, main) == {
        "10.0.0.0/16": "CreateRouteTable",
        "192.168.0.0/16": "EnableVgwRoutePropagation",
        "172.20.0.0/16": "EnableVgwRoutePropagation",
    }, "what is inside the VPC stays there"
    assert targets(cloud, main) == {"192.168.0.0/16": Beyond(key), "172.20.0.0/16": Beyond(key)}
    gateway = cloud.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    cloud.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    static = {"RouteTableId": main, "DestinationCidrBlock": "172.20.0.0/16"}
    cloud.call("CreateRoute", **static, GatewayId=gateway)
    assert routes(cloud, main)["172.20.0.0/16"] == f"{gateway} active"
    assert targets(cloud, main)["172.20.0.0/16"] != Beyond(key), "a static route goes before"
    cloud.call("DeleteRoute", **static)
    assert targets(cloud, main)["172.20.0.0/16"] == Beyond(key)
    missing = refusal(cloud, "DeleteRoute", **static)
    assert missing[0] == "InvalidRoute.NotFound"
    one = {"VpnConnectionId": vpn, "DestinationCidrBlock": "172.20.0.0/16"}
    cloud.call("DeleteVpnConnectionRoute", **one)
    assert refusal(cloud, "DeleteVpnConnectionRoute", **one)[0] == "InvalidRoute.NotFound"
    assert set(targets(cloud, main)) == {"192.168.0.0/16"}
    cloud.call("DisableVgwRoutePropagation", **ask)
    assert targets(cloud, main) == {}
    cloud.call("EnableVgwRoutePropagation", **ask)
    assert set(targets(cloud, main)) == {"192.168.0.0/16"}
    cloud.call("DeleteVpnConnection", VpnConnectionId=vpn)
    assert targets(cloud, main) == {}


def test_a_detached_gateway_propagates_no_more(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    main, key = main_of(cloud, vpc)["RouteTableId"], make_gateway(cloud, vpc)
    cloud.call("EnableVgwRoutePropagation", GatewayId=key, RouteTableId=main)
    vpn = make_connection(cloud, key, StaticRoutesOnly=True)["VpnConnectionId"]
    to = {"VpnConnectionId": vpn, "DestinationCidrBlock": "192.168.0.0/16"}
    cloud.call("CreateVpnConnectionRoute", **to)
    assert targets(cloud, main) == {"192.168.0.0/16": Beyond(key)}
    cloud.call("DetachVpnGateway", VpnGatewayId=key, VpcId=vpc)
    assert table(cloud, main)["PropagatingVgws"] == []
    assert targets(cloud, main) == {}


# --- connections --------------------------------------------------------------------------------
def test_a_connection_has_two_tunnels_that_are_down(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    gateway = make_gateway(cloud, vpc)
    made = make_connection(cloud, gateway, TunnelOptions=[{"TunnelInsideCidr": "169.254.9.0/30"}])
    key = made["VpnConnectionId"]
    assert (made["State"], made["Category"]) == ("pending", "VPN")
    settle(cloud)
    shown = show(cloud, key)
    assert shown["State"] == "available"
    assert [each["Status"] for each in shown["VgwTelemetry"]] == ["DOWN", "DOWN"]
    one, two = shown["Options"]["TunnelOptions"]
    assert one["TunnelInsideCidr"] == "169.254.9.0/30" != two["TunnelInsideCidr"]
    assert one["PreSharedKey"] != two["PreSharedKey"]
    assert len(one["PreSharedKey"]) == 32
    tree = ElementTree.fromstring(shown["CustomerGatewayConfiguration"])
    assert tree.get("id") == key
    assert tree.findtext("vpn_gateway_id") == gateway
    tunnels = tree.findall("ipsec_tunnel")
    outside = "vpn_gateway/tunnel_outside_address/ip_address"
    found = [each.findtext(outside) for each in tunnels]
    assert found == [one["OutsideIpAddress"], two["OutsideIpAddress"]]
    assert tunnels[0].findtext("ike/pre_shared_key") == one["PreSharedKey"]
    inside = "{}/tunnel_inside_address/ip_address"
    assert tunnels[0].findtext(inside.format("vpn_gateway")) == "169.254.9.1"
    assert tunnels[0].findtext(inside.format("customer_gateway")) == "169.254.9.2"
    assert tunnels[0].findtext("customer_gateway/tunnel_outside_address/ip_address") == SITE
    assert tunnels[0].findtext("customer_gateway/bgp/asn") == "65000"
    assert tunnels[0].findtext("vpn_gateway/bgp/asn") == "64512"
    to = {"VpnConnectionId": key, "DestinationCidrBlock": "192.168.0.0/16"}
    refused = refusal(cloud, "CreateVpnConnectionRoute", **to)
    assert refused[0] == "InvalidVpnConnection.InvalidType"
    found = cloud.call(
        "DescribeVpnConnections",
        Filters=only({"vpn-gateway-id": gateway, "bgp-asn": "65000", "state": "available"}),
    )["VpnConnections"]
    assert [each["VpnConnectionId"] for each in found] == [key]


def test_a_block_is_named_before_the_other_tunnels_is_drawn(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = "169.254.9.0/30"
    number = 9 * 256 // 4  # of the block, among those that are drawn from
    draws = itertools.chain([1, number, 2, number], itertools.count(3))
    monkeypatch.setattr(secrets, "randbelow", lambda bound: next(draws) % bound)
    options = [{"DPDTimeoutSeconds": 40}, {"TunnelInsideCidr": named}]
    made = make_connection(cloud, make_gateway(cloud), TunnelOptions=options)
    one, two = made["Options"]["TunnelOptions"]
    assert one["TunnelInsideCidr"] != named == two["TunnelInsideCidr"]


def test_a_connection_holds_its_ends_and_is_forgotten_later(cloud: Cloud) -> None:
    gateway = make_gateway(cloud)
    made = make_connection(cloud, gateway, StaticRoutesOnly=True)
    assert "NoBGPVPNConnection" in made["CustomerGatewayConfiguration"]
    assert "<bgp>" not in made["CustomerGatewayConfiguration"]
    key, customer = made["VpnConnectionId"], made["CustomerGatewayId"]
    refused = refusal(cloud, "DeleteCustomerGateway", CustomerGatewayId=customer)
    assert refused[0] == "IncorrectState"
    assert refusal(cloud, "DeleteVpnGateway", VpnGatewayId=gateway)[0] == "IncorrectState"
    cloud.call("DeleteVpnConnection", VpnConnectionId=key)
    settle(cloud)
    gone = show(cloud, key)
    assert gone["State"] == "deleted"
    assert "CustomerGatewayConfiguration" not in gone
    assert refusal(cloud, "DeleteVpnConnection", VpnConnectionId=key)[0] == (
        "InvalidVpnConnectionID.NotFound"
    )
    cloud.call("DeleteVpnGateway", VpnGatewayId=gateway)
    cloud.call("DeleteCustomerGateway", CustomerGatewayId=customer)
    cloud.now = "2026-11-24T09:00:00.000Z"
    cloud.system(
        lambda txn: vpn_connection_api.expired(txn, txn.get(VpnConnection, key), cloud.now)
    )
    refused = refusal(cloud, "DescribeVpnConnections", VpnConnectionIds=[key])
    assert refused[0] == "InvalidVpnConnectionID.NotFound"


def test_a_connection_changes(cloud: Cloud) -> None:
    made = make_connection(cloud, make_gateway(cloud), TunnelOptions=[{"DPDTimeoutSeconds": 40}])
    key, outside = made["VpnConnectionId"], made["VgwTelemetry"][0]["OutsideIpAddress"]
    old = made["Options"]["TunnelOptions"][0]
    assert old["DpdTimeoutSeconds"] == 40
    answer = cloud.call(
        "ModifyVpnTunnelOptions",
        VpnConnectionId=key,
        VpnTunnelOutsideIpAddress=outside,
        TunnelOptions={
            "IKEVersions": [{"Value": "ikev2"}],
            "Phase1DHGroupNumbers": [{"Value": 14}],
        },
    )
    new = answer["VpnConnection"]["Options"]["TunnelOptions"][0]
    assert new == old | {
        "IkeVersions": [{"Value": "ikev2"}],
        "Phase1DHGroupNumbers": [{"Value": 14}],
    }
    cloud.call(
        "ModifyVpnConnectionOptions", VpnConnectionId=key, LocalIpv4NetworkCidr="192.168.0.0/16"
    )
    options = show(cloud, key)["Options"]
    assert options["LocalIpv4NetworkCidr"] == "192.168.0.0/16"
    assert options["RemoteIpv4NetworkCidr"] == "0.0.0.0/0"
    other = make_gateway(cloud)
    cloud.call("ModifyVpnConnection", VpnConnectionId=key, VpnGatewayId=other)
    assert show(cloud, key)["VpnGatewayId"] == other


@pytest.mark.parametrize(
    "tunnel",
    [
        {"TunnelInsideCidr": "169.254.0.0/30"},
        {"TunnelInsideCidr": "10.0.0.0/30"},
        {"TunnelInsideCidr": "169.254.8.0/29"},
        {"PreSharedKey": "short"},
        {"PreSharedKey": "0begins.with.0"},
        {"Phase1LifetimeSeconds": 899},
        {"StartupAction": "wait"},
        {"IKEVersions": [{"Value": "ikev3"}]},
    ],
)
def test_refused_tunnels(cloud: Cloud, tunnel: dict[str, Any]) -> None:
    gateway, customer = make_gateway(cloud), make_customer(cloud)["CustomerGatewayId"]
    code, message = refusal(
        cloud,
        "CreateVpnConnection",
        Type="ipsec.1",
        CustomerGatewayId=customer,
        VpnGatewayId=gateway,
        Options={"TunnelOptions": [tunnel]},
    )
    assert code == "InvalidParameterValue"
    assert "short" not in message, "a key is a secret"
