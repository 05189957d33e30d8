"""Routes: where they may lead, and what becomes of them when that is gone."""

from __future__ import annotations

import pytest

from gureum.program import Route
from gureum.resources.route_table import MAX_ROUTES
from tests.conftest import Cloud
from tests.resources.building import (
    make_address,
    make_gateway,
    make_interface,
    make_subnet,
    make_vpc,
    plug_in,
    said,
)
from tests.resources.routing import main_of, make_table, refusal, routes, table, tables

NOWHERE = "rtb-00000000000000001"


def test_a_route_to_the_internet(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    route = {"RouteTableId": key, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    assert cloud.call("CreateRoute", **route) == {"Return": True}
    assert table(cloud, key)["Routes"][1] == {
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": gateway,
        "Origin": "CreateRoute",
        "State": "active",
    }
    cloud.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    assert routes(cloud, key)["0.0.0.0/0"] == f"{gateway} blackhole"
    assert [item["RouteTableId"] for item in tables(cloud, route__state="blackhole")] == [key]
    cloud.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=make_vpc(cloud))
    assert routes(cloud, key)["0.0.0.0/0"] == f"{gateway} blackhole"


def test_the_destination_is_made_canonical(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    cloud.call(
        "CreateRoute", RouteTableId=key, DestinationCidrBlock="100.68.0.18/18", GatewayId=gateway
    )
    assert "100.68.0.0/18" in routes(cloud, key)


def test_the_same_route_again_is_no_error_but_another_target_is(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    where = {"RouteTableId": key, "DestinationCidrBlock": "0.0.0.0/0"}
    cloud.call("CreateRoute", **where, GatewayId=gateway)
    cloud.call("CreateRoute", **where, GatewayId=gateway)
    assert refusal(cloud, "CreateRoute", **where, NetworkInterfaceId=eni) == (
        "RouteAlreadyExists",
        "The route identified by 0.0.0.0/0 already exists.",
    )


def test_a_route_to_a_nat_gateway(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    nat = cloud.call(
        "CreateNatGateway",
        SubnetId=make_subnet(cloud, vpc),
        AllocationId=make_address(cloud)["AllocationId"],
    )["NatGateway"]["NatGatewayId"]
    key = make_table(cloud, vpc)
    where = {"RouteTableId": key, "DestinationCidrBlock": "0.0.0.0/0"}
    cloud.call("CreateRoute", **where, NatGatewayId=nat)
    assert routes(cloud, key)["0.0.0.0/0"] == f"{nat} active"
    cloud.call("DeleteNatGateway", NatGatewayId=nat)
    assert routes(cloud, key)["0.0.0.0/0"] == f"{nat} blackhole"
    other = {"RouteTableId": key, "DestinationCidrBlock": "1.0.0.0/8"}
    assert refusal(cloud, "CreateRoute", **other, NatGatewayId=nat) == (
        "InvalidNatGatewayID.NotFound",
        f"The natGateway ID '{nat}' does not exist",
    )


def test_a_route_to_an_instance_is_one_to_its_interface(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    instance, key = "i-0000000000000000a", make_table(cloud, vpc)
    where = {"RouteTableId": key, "DestinationCidrBlock": "0.0.0.0/0"}
    assert refusal(cloud, "CreateRoute", **where, InstanceId=instance) == (
        "InvalidInstanceID.NotFound",
        f"The instance ID '{instance}' does not exist",
    )
    plug_in(cloud, eni, instance)
    cloud.call("CreateRoute", **where, InstanceId=instance)
    assert table(cloud, key)["Routes"][1] == {
        "DestinationCidrBlock": "0.0.0.0/0",
        "InstanceId": instance,
        "InstanceOwnerId": "123456789012",
        "NetworkInterfaceId": eni,
        "Origin": "CreateRoute",
        "State": "active",
    }
    assert [item["RouteTableId"] for item in tables(cloud, route__instance_id=instance)] == [key]


def test_an_instance_with_two_interfaces_is_no_target(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet, key = make_subnet(cloud, vpc), make_table(cloud, vpc)
    for index in range(2):
        plug_in(cloud, make_interface(cloud, subnet)["NetworkInterfaceId"], index=index)
    code, message = refusal(
        cloud,
        "CreateRoute",
        RouteTableId=key,
        DestinationCidrBlock="0.0.0.0/0",
        InstanceId="i-0000000000000000a",
    )
    assert (code, message.partition(".")[0]) == (
        "InvalidInstanceID",
        "There are multiple interfaces attached to instance 'i-0000000000000000a'",
    )


def test_a_free_or_deleted_interface_is_a_blackhole(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    key = make_table(cloud, vpc)
    cloud.call(
        "CreateRoute", RouteTableId=key, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=eni
    )
    assert routes(cloud, key)["0.0.0.0/0"] == f"{eni} blackhole"
    plug_in(cloud, eni)
    assert routes(cloud, key)["0.0.0.0/0"] == f"{eni} active"


def test_a_deleted_interface_stays_as_a_blackhole(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    key = make_table(cloud, vpc)
    cloud.call(
        "CreateRoute", RouteTableId=key, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=eni
    )
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni)
    assert routes(cloud, key)["0.0.0.0/0"] == f"{eni} blackhole"
    assert said(cloud, {key: "rtb", vpc: "vpc", eni: "eni"}, Route).splitlines()[0] == (
        "Route table=rtb destination=0.0.0.0/0 target=Blackhole(eni)  # eni rtb"
    )


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        (
            {"GatewayId": "igw-00000000000000001"},
            "InvalidGatewayID.NotFound",
            "The gateway ID 'igw-00000000000000001' does not exist",
        ),
        (
            {"GatewayId": "local"},
            "InvalidGatewayID.NotFound",
            "The gateway ID 'local' does not exist",
        ),
        (
            {"NatGatewayId": "nat-00000000000000001"},
            "InvalidNatGatewayID.NotFound",
            "The natGateway ID 'nat-00000000000000001' does not exist",
        ),
        (
            {"NetworkInterfaceId": "eni-00000000000000001"},
            "InvalidNetworkInterfaceID.NotFound",
            "The networkInterface ID 'eni-00000000000000001' does not exist",
        ),
        (
            {"VpcPeeringConnectionId": "pcx-00000000000000001"},
            "InvalidVpcPeeringConnectionID.NotFound",
            "The vpcPeeringConnection ID 'pcx-00000000000000001' does not exist",
        ),
        (
            {"GatewayId": "vgw-00000000000000001"},
            "InvalidGatewayID.NotFound",
            "The gateway ID 'vgw-00000000000000001' does not exist",
        ),
        (
            {},
            "MissingParameter",
            (
                "The request must contain exactly one of gatewayId, natGatewayId, "
                "networkInterfaceId, vpcPeeringConnectionId, egressOnlyInternetGatewayId, "
                "transitGatewayId, localGatewayId, carrierGatewayId, vpcEndpointId, coreNetworkArn "
                "or instanceId"
            ),
        ),
    ],
)
def test_targets_that_are_refused(
    cloud: Cloud, target: dict[str, str], code: str, message: str
) -> None:
    key = make_table(cloud, make_vpc(cloud))
    assert refusal(
        cloud, "CreateRoute", RouteTableId=key, DestinationCidrBlock="0.0.0.0/0", **target
    ) == (code, message)


def test_two_targets_are_refused(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    code, _ = refusal(
        cloud,
        "CreateRoute",
        RouteTableId=make_table(cloud, vpc),
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=make_gateway(cloud, vpc),
        InstanceId="i-00000000000000001",
    )
    assert code == "InvalidParameterCombination"


def test_targets_of_another_vpc_are_refused(cloud: Cloud) -> None:
    key, other = make_table(cloud, make_vpc(cloud)), make_vpc(cloud)
    gateway, subnet = make_gateway(cloud, other), make_subnet(cloud, other)
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    nat = cloud.call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")
    nat_id = nat["NatGateway"]["NatGatewayId"]
    cases: dict[str, tuple[str, str]] = {
        "GatewayId": (gateway, f"network gateway {gateway}"),
        "NetworkInterfaceId": (eni, f"interface {eni}"),
        "NatGatewayId": (nat_id, f"NAT gateway {nat_id}"),
    }
    for name, (target, words) in cases.items():
        params = {name: target, "RouteTableId": key, "DestinationCidrBlock": "0.0.0.0/0"}
        assert refusal(cloud, "CreateRoute", **params) == (
            "InvalidParameterValue",
            f"route table {key} and {words} belong to different networks",
        )


@pytest.mark.parametrize(
    ("destination", "code"),
    [
        ({}, "MissingParameter"),
        ({"DestinationCidrBlock": "10.0.0.0"}, "InvalidParameterValue"),
        ({"DestinationCidrBlock": "2001:db8::/32"}, "InvalidParameterValue"),
        ({"DestinationCidrBlock": "169.254.169.0/24"}, "InvalidParameterValue"),
        ({"DestinationIpv6CidrBlock": "0.0.0.0/0"}, "InvalidParameterValue"),
        ({"DestinationPrefixListId": "pl-00000000000000001"}, "InvalidPrefixListID.NotFound"),
        (
            {"DestinationCidrBlock": "0.0.0.0/0", "DestinationIpv6CidrBlock": "::/0"},
            "InvalidParameterCombination",
        ),
    ],
)
def test_destinations_that_are_refused(
    cloud: Cloud, destination: dict[str, str], code: str
) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    params = {"RouteTableId": key, "GatewayId": gateway, **destination}
    assert refusal(cloud, "CreateRoute", **params)[0] == code


def test_routes_inside_the_vpc_name_a_subnet_and_a_machine(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    inside = {"RouteTableId": key, "DestinationCidrBlock": "10.0.1.0/24"}
    assert refusal(cloud, "CreateRoute", **inside, GatewayId=gateway) == (
        "InvalidParameterValue",
        (
            "The destination CIDR block 10.0.1.0/24 is equal to or more specific than one of this "
            "VPC's CIDR blocks. This route can target only an interface or an instance."
        ),
    )
    part = {"RouteTableId": key, "DestinationCidrBlock": "10.0.1.0/25"}
    assert refusal(cloud, "CreateRoute", **part, NetworkInterfaceId=eni) == (
        "InvalidParameterValue",
        "Route destination doesn't match any subnet CIDR blocks.",
    )
    cloud.call("CreateRoute", **inside, NetworkInterfaceId=eni)
    whole = {"RouteTableId": key, "DestinationCidrBlock": "10.0.0.0/16"}
    assert refusal(cloud, "CreateRoute", **whole, NetworkInterfaceId=eni) == (
        "RouteAlreadyExists",
        "The route identified by 10.0.0.0/16 already exists.",
    )


def test_the_number_of_routes_is_limited(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    where = {"RouteTableId": key, "GatewayId": gateway}
    for index in range(MAX_ROUTES):
        cloud.call("CreateRoute", **where, DestinationCidrBlock=f"20.{index}.0.0/16")
    assert refusal(cloud, "CreateRoute", **where, DestinationCidrBlock="0.0.0.0/0") == (
        "RouteLimitExceeded",
        "The maximum number of routes has been reached.",
    )


def test_replace_route(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    where = {"RouteTableId": key, "DestinationCidrBlock": "0.0.0.0/0"}
    assert refusal(cloud, "ReplaceRoute", **where, GatewayId=gateway) == (
        "InvalidParameterValue",
        "There is no route defined for '0.0.0.0/0' in the route table. Use CreateRoute instead.",
    )
    cloud.call("CreateRoute", **where, GatewayId=gateway)
    cloud.call("ReplaceRoute", **where, NetworkInterfaceId=eni)
    assert routes(cloud, key) == {
        "10.0.0.0/16": "local active",
        "0.0.0.0/0": f"{eni} blackhole",
    }


def test_replace_the_local_route_and_turn_it_back(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    plug_in(cloud, eni)
    local = {"RouteTableId": key, "DestinationCidrBlock": "10.0.0.0/16"}
    assert refusal(cloud, "ReplaceRoute", **local, GatewayId=gateway)[0] == "InvalidParameterValue"
    for back in ({"LocalTarget": True}, {"GatewayId": "local"}):
        cloud.call("ReplaceRoute", **local, NetworkInterfaceId=eni)
        assert cloud.call("CreateRoute", **local, NetworkInterfaceId=eni) == {"Return": True}
        (route,) = table(cloud, key)["Routes"]
        assert (route["NetworkInterfaceId"], route["Origin"]) == (eni, "CreateRouteTable")
        assert refusal(cloud, "DeleteRoute", **local)[0] == "InvalidParameterValue"
        cloud.call("ReplaceRoute", **local, **back)
        assert routes(cloud, key) == {"10.0.0.0/16": "local active"}


def test_only_local_routes_turn_back(cloud: Cloud) -> None:
    key = make_table(cloud, make_vpc(cloud))
    assert refusal(
        cloud, "ReplaceRoute", RouteTableId=key, DestinationCidrBlock="0.0.0.0/0", LocalTarget=True
    ) == (
        "InvalidParameterValue",
        "local-target only allowed with network local destination CIDRs",
    )


def test_delete_route(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    where = {"RouteTableId": key, "DestinationCidrBlock": "0.0.0.0/0"}
    cloud.call("CreateRoute", **where, GatewayId=gateway)
    cloud.call("DeleteRoute", **where)
    assert routes(cloud, key) == {"10.0.0.0/16": "local active"}
    assert refusal(cloud, "DeleteRoute", **where) == (
        "InvalidRoute.NotFound",
        f"no route with destination-cidr-block 0.0.0.0/0 in route table {key}",
    )
    assert refusal(cloud, "DeleteRoute", RouteTableId=key, DestinationIpv6CidrBlock="::/0") == (
        "InvalidRoute.NotFound",
        f"no route with destination-ipv6-cidr-block ::/0 in route table {key}",
    )
    assert refusal(cloud, "DeleteRoute", RouteTableId=key, DestinationCidrBlock="10.0.0.0/16") == (
        "InvalidParameterValue",
        f"cannot remove local route 10.0.0.0/16 in route table {key}",
    )


def test_no_table(cloud: Cloud) -> None:
    for action in ("CreateRoute", "ReplaceRoute", "DeleteRoute"):
        code, message = refusal(
            cloud, action, RouteTableId=NOWHERE, DestinationCidrBlock="0.0.0.0/0"
        )
        assert (code, message) == (
            "InvalidRouteTableID.NotFound",
            f"The routeTable ID '{NOWHERE}' does not exist",
        )


def test_a_secondary_cidr_has_a_local_route_in_every_table(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = make_table(cloud, vpc)
    cloud.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.1.0.0/16")
    both = {"10.0.0.0/16": "local active", "10.1.0.0/16": "local active"}
    assert routes(cloud, key) == both
    assert routes(cloud, main_of(cloud, vpc)["RouteTableId"]) == both


def test_a_nat_gateway_takes_ipv6_that_stands_for_ipv4(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    made = cloud.call(
        "CreateNatGateway", SubnetId=make_subnet(cloud, vpc), ConnectivityType="private"
    )
    nat, key = made["NatGateway"]["NatGatewayId"], make_table(cloud, vpc)
    cloud.call(
        "CreateRoute",
        RouteTableId=key,
        DestinationIpv6CidrBlock="64:ff9b::/96",
        NatGatewayId=nat,
    )
    last = table(cloud, key)["Routes"][-1]
    assert (last["NatGatewayId"], last["State"]) == (nat, "active")
    assert last["DestinationIpv6CidrBlock"] == "64:ff9b::/96"
    narrow = {"RouteTableId": key, "DestinationIpv6CidrBlock": "64:ff9b::a00:0/104"}
    cloud.call("CreateRoute", **narrow, NatGatewayId=nat)
    for other in ("::/0", "64:ff9b::/95", "64:ff9b:1::/96"):
        where = {"RouteTableId": key, "DestinationIpv6CidrBlock": other}
        code, said_ = refusal(cloud, "CreateRoute", **where, NatGatewayId=nat)
        assert code == "InvalidParameterValue"
        assert "is not of the IP address family" in said_
