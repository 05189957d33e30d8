"""IPv6-only subnets: what they are, what is launched in them, and what they refuse."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from gureum.program import Address, Blackhole, Guard, Machine, Member, Port, Route, Segment, ViaPort
from gureum.resources.instance import Instance, observed
from gureum.services.metadata import tree
from gureum.services.names import leading_to, look_up
from tests.conftest import Cloud
from tests.resources.building import (
    default_group,
    make_address,
    make_gateway,
    make_interface,
    make_subnet,
    only,
    plug_in,
    settle,
)
from tests.resources.routing import refusal
from tests.resources.test_instance import image
from tests.resources.test_instance import one as run_one
from tests.resources.test_instance import show as show_instance
from tests.resources.test_ipv6 import ANY, ANY4, at, dual, nth, statements, subnet_shape

NITRO, XEN = "t3.micro", "t2.micro"


def native(cloud: Cloud, number: int = 1, **more: Any) -> tuple[str, str, str]:
    """A VPC, an IPv6-only subnet in it, and the subnet's block."""
    vpc, block = dual(cloud)
    return vpc, add(cloud, vpc, nth(block, number), **more), nth(block, number)


def add(cloud: Cloud, vpc: str, cidr: str, **more: Any) -> str:
    answer = cloud.call("CreateSubnet", VpcId=vpc, Ipv6Native=True, Ipv6CidrBlock=cidr, **more)
    return str(answer["Subnet"]["SubnetId"])


def launch(cloud: Cloud, subnet: str, **more: Any) -> str:
    return str(run_one(cloud, SubnetId=subnet, InstanceType=NITRO, **more)["InstanceId"])


# --- subnets ------------------------------------------------------------------------------------
def test_create_answers_as_aws_does(cloud: Cloud) -> None:
    vpc, block = dual(cloud)
    asked = {"VpcId": vpc, "Ipv6Native": True, "Ipv6CidrBlock": nth(block, 1)}
    answer = cloud.call("CreateSubnet", **asked)["Subnet"]
    (part,) = answer["Ipv6CidrBlockAssociationSet"]
    assert part["Ipv6CidrBlockState"] == {"State": "associating"}
    assert "CidrBlock" not in answer
    told = {
        "AvailableIpAddressCount": 0,
        "AssignIpv6AddressOnCreation": True,
        "MapPublicIpOnLaunch": False,
        "Ipv6Native": True,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "resource-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": True,
        },
    }
    assert answer | told == answer
    shown = subnet_shape(cloud, answer["SubnetId"])
    assert shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlockState"] == {"State": "associated"}
    assert shown | told == shown


def test_the_filter(cloud: Cloud) -> None:
    vpc, key, _ = native(cloud)
    plain = make_subnet(cloud, vpc)
    for value, found in (("true", key), ("false", plain)):
        filters = only({"ipv6-native": value, "vpc-id": vpc})
        shown = cloud.call("DescribeSubnets", Filters=filters)["Subnets"]
        assert [each["SubnetId"] for each in shown] == [found]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Ipv6Native": True}, "MissingParameter"),
        ({"Ipv6CidrBlock": "{part}"}, "MissingParameter"),
        (
            {"Ipv6Native": True, "Ipv6CidrBlock": "{part}", "CidrBlock": "10.0.1.0/24"},
            "InvalidParameterCombination",
        ),
        ({"Ipv6Native": True, "CidrBlock": "10.0.1.0/24"}, "InvalidParameterCombination"),
        ({"Ipv6Native": True, "Ipv6CidrBlock": "3fff:7ff::/64"}, "InvalidSubnet.Range"),
        ({"Ipv6Native": True, "Ipv6CidrBlock": "{taken}"}, "InvalidSubnet.Conflict"),
        ({"Ipv6Native": True, "Ipv6CidrBlock": "10.0.1.0/24"}, "InvalidParameterValue"),
    ],
)
def test_what_cannot_be_created(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    vpc, block = dual(cloud)
    add(cloud, vpc, nth(block, 2))
    names = {"{part}": nth(block, 1), "{taken}": nth(block, 2)}
    asked = {name: names.get(str(value), value) for name, value in params.items()}
    assert refusal(cloud, "CreateSubnet", VpcId=vpc, **asked)[0] == code


def test_it_stands_beside_others_and_is_deleted(cloud: Cloud) -> None:
    vpc, block = dual(cloud)
    first = add(cloud, vpc, nth(block, 1))
    other = make_subnet(cloud, vpc, Ipv6CidrBlock=nth(block, 2))
    second = add(cloud, vpc, nth(block, 3))
    (segment,) = (each for each in statements(cloud, Segment) if each.id == second)
    assert (segment.cidr, segment.gateway, segment.cidr6) == ("", "", nth(block, 3))
    assert segment.cidrs == (nth(block, 3),)
    for key in (first, other, second):
        cloud.call("DeleteSubnet", SubnetId=key)
    cloud.call("DeleteVpc", VpcId=vpc)
    assert not [each for each in statements(cloud, Segment) if each.router == vpc]


@pytest.mark.parametrize(
    ("attribute", "value", "allowed"),
    [
        ("MapPublicIpOnLaunch", True, False),
        ("MapPublicIpOnLaunch", False, True),
        ("AssignIpv6AddressOnCreation", False, False),
        ("AssignIpv6AddressOnCreation", True, True),
        ("EnableResourceNameDnsARecordOnLaunch", True, False),
        ("EnableResourceNameDnsAAAARecordOnLaunch", False, True),
        ("EnableDns64", True, True),
        ("PrivateDnsHostnameTypeOnLaunch", "ip-name", False),
        ("PrivateDnsHostnameTypeOnLaunch", "resource-name", True),
    ],
)
def test_its_attributes(cloud: Cloud, attribute: str, value: Any, allowed: bool) -> None:
    _, key, _ = native(cloud)
    given = {"SubnetId": key, attribute: value if isinstance(value, str) else {"Value": value}}
    if allowed:
        cloud.call("ModifySubnetAttribute", **given)
        return
    before = subnet_shape(cloud, key)
    code, message = refusal(cloud, "ModifySubnetAttribute", **given)
    assert code == "InvalidParameterValue"
    assert attribute[0].lower() + attribute[1:] in message
    assert subnet_shape(cloud, key) == before


def test_its_block_stays(cloud: Cloud) -> None:
    _, key, _ = native(cloud)
    (part,) = subnet_shape(cloud, key)["Ipv6CidrBlockAssociationSet"]
    gone = {"AssociationId": part["AssociationId"]}
    assert refusal(cloud, "DisassociateSubnetCidrBlock", **gone)[0] == "InvalidCidrBlock.InUse"
    asked = {"SubnetId": key, "Cidr": "10.0.1.0/28", "ReservationType": "explicit"}
    assert refusal(cloud, "CreateSubnetCidrReservation", **asked)[0] == "InvalidParameterValue"
    with_prefix = {"SubnetId": key, "Ipv4PrefixCount": 1}
    assert refusal(cloud, "CreateNetworkInterface", **with_prefix)[0] == "InvalidParameterValue"


def test_a_default_subnet_that_is_ipv6_only(cloud: Cloud) -> None:
    (vpc,) = cloud.call("DescribeVpcs", Filters=only({"is-default": "true"}))["Vpcs"]
    zone = "ap-northeast-2a"
    asked = {"AvailabilityZone": zone, "Ipv6Native": True}
    code = "DefaultSubnetAlreadyExistsInAvailabilityZone"
    assert refusal(cloud, "CreateDefaultSubnet", **asked)[0] == code
    filters = only({"default-for-az": "true", "availability-zone": zone})
    (old,) = cloud.call("DescribeSubnets", Filters=filters)["Subnets"]
    cloud.call("DeleteSubnet", SubnetId=old["SubnetId"])
    assert refusal(cloud, "CreateDefaultSubnet", **asked)[0] == "InvalidParameterValue"
    answer = cloud.call(
        "AssociateVpcCidrBlock", VpcId=vpc["VpcId"], AmazonProvidedIpv6CidrBlock=True
    )
    block = answer["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    add(cloud, vpc["VpcId"], nth(block, 0))
    made = cloud.call("CreateDefaultSubnet", **asked)["Subnet"]
    assert (made["DefaultForAz"], made["Ipv6Native"], "CidrBlock" in made) == (True, True, False)
    assert made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] == nth(block, 1)
    shown = show_instance(
        cloud,
        run_one(cloud, InstanceType=NITRO, Placement={"AvailabilityZone": zone})["InstanceId"],
    )
    assert shown["SubnetId"] == made["SubnetId"]
    assert "PublicIpAddress" not in shown


# --- interfaces ---------------------------------------------------------------------------------
def test_an_interface_has_ipv6_addresses_only(cloud: Cloud) -> None:
    vpc, key, cidr = native(cloud)
    eni = make_interface(cloud, key)
    assert eni["Ipv6Native"] is True
    assert "PrivateIpAddress" not in eni
    assert eni["PrivateIpAddresses"] == []
    (address,) = (each["Ipv6Address"] for each in eni["Ipv6Addresses"])
    assert IPv6Address(address) in IPv6Network(cidr)
    assert eni["Ipv6Address"] == address
    named = make_interface(cloud, key, Ipv6Addresses=[{"Ipv6Address": at(cidr, 9)}])
    assert [each["Ipv6Address"] for each in named["Ipv6Addresses"]] == [at(cidr, 9)]
    assert len(make_interface(cloud, key, Ipv6AddressCount=3)["Ipv6Addresses"]) == 3
    assert len(make_interface(cloud, key, Ipv6AddressCount=0)["Ipv6Addresses"]) == 1
    assert "Ipv6Native" not in make_interface(cloud, make_subnet(cloud, vpc))
    filters = only({"private-ip-address": "10.0.1.4"})
    assert cloud.call("DescribeNetworkInterfaces", Filters=filters)["NetworkInterfaces"] == []


@pytest.mark.parametrize(
    "params",
    [
        {"PrivateIpAddress": "10.0.1.10"},
        {"PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "10.0.1.10"}]},
        {"SecondaryPrivateIpAddressCount": 1},
        {"Ipv4PrefixCount": 1},
        {"Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.16/28"}]},
    ],
)
def test_an_interface_that_asks_for_ipv4_is_refused(cloud: Cloud, params: dict[str, Any]) -> None:
    _, key, _ = native(cloud)
    code, message = refusal(cloud, "CreateNetworkInterface", SubnetId=key, **params)
    assert code == "InvalidParameterValue"
    assert message == f"The subnet '{key}' is an IPv6-only subnet, which has no IPv4 addresses."


def test_addresses_that_come_and_go(cloud: Cloud) -> None:
    vpc, key, cidr = native(cloud)
    eni = make_interface(cloud, key, Ipv6Addresses=[{"Ipv6Address": at(cidr, 9)}])
    name = {"NetworkInterfaceId": eni["NetworkInterfaceId"]}
    for asked in ({"SecondaryPrivateIpAddressCount": 1}, {"PrivateIpAddresses": ["10.0.1.9"]}):
        code = refusal(cloud, "AssignPrivateIpAddresses", **name, **asked)[0]
        assert code == "InvalidParameterValue"
    last = {**name, "Ipv6Addresses": [at(cidr, 9)]}
    assert refusal(cloud, "UnassignIpv6Addresses", **last)[0] == "InvalidParameterValue"
    cloud.call("AssignIpv6Addresses", **name, Ipv6Addresses=[at(cidr, 10)])
    cloud.call("UnassignIpv6Addresses", **last)
    make_gateway(cloud, vpc)
    mine = {"AllocationId": make_address(cloud)["AllocationId"], **name}
    code, message = refusal(cloud, "AssociateAddress", **mine)
    assert code == "InvalidParameterValue"
    assert message == f"'{eni['NetworkInterfaceId']}' has no private IPv4 address."


def test_machines_of_awss_own_are_refused(cloud: Cloud) -> None:
    vpc, key, _ = native(cloud)
    make_gateway(cloud, vpc)
    address = make_address(cloud)["AllocationId"]
    transit = cloud.call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]
    settle(cloud)
    service = "com.amazonaws.ap-northeast-2.sqs"
    asked: list[tuple[str, dict[str, Any]]] = [
        ("CreateNatGateway", {"SubnetId": key, "AllocationId": address}),
        ("CreateNatGateway", {"SubnetId": key, "ConnectivityType": "private"}),
        ("CreateInstanceConnectEndpoint", {"SubnetId": key}),
        (
            "CreateTransitGatewayVpcAttachment",
            {"TransitGatewayId": transit, "VpcId": vpc, "SubnetIds": [key]},
        ),
        (
            "CreateVpcEndpoint",
            {"VpcEndpointType": "Interface", "VpcId": vpc, "ServiceName": service,
             "SubnetIds": [key], "PrivateDnsEnabled": False},
        ),
    ]  # fmt: skip
    for action, params in asked:
        code, message = refusal(cloud, action, **params)
        assert (code, "IPv6-only" in message) == ("InvalidParameterValue", True), action
    eni = make_interface(cloud, key)["NetworkInterfaceId"]
    mirror = refusal(cloud, "CreateTrafficMirrorTarget", NetworkInterfaceId=eni)
    assert mirror[0] == "InvalidParameterValue"


# --- instances ----------------------------------------------------------------------------------
def test_an_instance_has_ipv6_addresses_only(cloud: Cloud) -> None:
    vpc, key, cidr = native(cloud)
    row = launch(cloud, key, Ipv6Addresses=[{"Ipv6Address": at(cidr, 7)}])
    shown = show_instance(cloud, row)
    assert shown["PrivateDnsName"] == f"{row}.ap-northeast-2.compute.internal"
    assert shown["Ipv6Address"] == at(cidr, 7)
    assert "PrivateIpAddress" not in shown
    assert "PublicIpAddress" not in shown
    (eni,) = shown["NetworkInterfaces"]
    assert eni["PrivateIpAddresses"] == []
    assert "PrivateIpAddress" not in eni
    assert shown["PrivateDnsNameOptions"]["EnableResourceNameDnsAAAARecord"] is True
    (machine,) = statements(cloud, Machine)
    assert (machine.ip, machine.resolvers) == (at(cidr, 7), ("fd00:ec2::253",))
    assert machine.hostname == shown["PrivateDnsName"]
    assert [each.ip for each in statements(cloud, Address)] == [at(cidr, 7)]
    assert [each.addresses for each in statements(cloud, Guard)] == [(at(cidr, 7),)]
    group = default_group(cloud, vpc)["GroupId"]
    assert Member(vpc, group, at(cidr, 7)) in cloud.program().statements
    for value, found in (("true", [row]), ("false", [])):
        filters = only({"network-interface.ipv6-native": value})
        there = cloud.call("DescribeInstances", Filters=filters)["Reservations"]
        assert [each["Instances"][0]["InstanceId"] for each in there] == found


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"InstanceType": XEN}, "InvalidParameterCombination"),
        ({"PrivateIpAddress": "10.0.1.10"}, "InvalidParameterValue"),
        ({"PrivateDnsNameOptions": {"HostnameType": "ip-name"}}, "InvalidParameterValue"),
        (
            {"PrivateDnsNameOptions": {"EnableResourceNameDnsARecord": True}},
            "InvalidParameterValue",
        ),
    ],
)
def test_launches_that_are_refused(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    _, key, _ = native(cloud)
    one = {"ImageId": image(cloud), "MinCount": 1, "MaxCount": 1}
    asked = {"InstanceType": NITRO, "SubnetId": key, **one, **params}
    run_one(cloud, InstanceType=NITRO, SubnetId=key)
    before = len(cloud.store.view.rows)
    assert refusal(cloud, "RunInstances", **asked)[0] == code
    assert len(cloud.store.view.rows) == before


def test_no_public_address_no_xen_type_no_other_name_later(cloud: Cloud) -> None:
    vpc, key, _ = native(cloud)
    plain = {"ImageId": image(cloud), "MinCount": 1, "MaxCount": 1, "InstanceType": NITRO}
    first = {"DeviceIndex": 0, "SubnetId": key, "AssociatePublicIpAddress": True}
    code, _ = refusal(cloud, "RunInstances", **plain, NetworkInterfaces=[first])
    assert code == "InvalidParameterCombination"
    row = launch(cloud, key)
    cloud.system(observed, cloud.now, row, "running")
    cloud.call("StopInstances", InstanceIds=[row])
    cloud.system(observed, cloud.now, row, "stopped")
    asked: dict[str, Any] = {"InstanceId": row, "InstanceType": {"Value": XEN}}
    assert refusal(cloud, "ModifyInstanceAttribute", **asked)[0] == "InvalidParameterCombination"
    cloud.call("ModifyInstanceAttribute", InstanceId=row, InstanceType={"Value": "m5.large"})
    names = {"PrivateDnsHostnameType": "ip-name", "EnableResourceNameDnsARecord": True}
    for name, value in names.items():
        asked = {"InstanceId": row, name: value}
        assert refusal(cloud, "ModifyPrivateDnsNameOptions", **asked)[0] == "InvalidParameterValue"
    xen = run_one(cloud, SubnetId=make_subnet(cloud, vpc), InstanceType=XEN)["InstanceId"]
    eni = make_interface(cloud, key)["NetworkInterfaceId"]
    asked = {"InstanceId": xen, "NetworkInterfaceId": eni, "DeviceIndex": 1}
    assert refusal(cloud, "AttachNetworkInterface", **asked)[0] == "InvalidParameterCombination"


def test_a_template_of_an_instance(cloud: Cloud) -> None:
    _, key, _ = native(cloud)
    row = launch(cloud, key)
    data = cloud.call("GetLaunchTemplateData", InstanceId=row)["LaunchTemplateData"]
    (interface,) = data["NetworkInterfaces"]
    assert not interface.get("PrivateIpAddresses")
    data["MetadataOptions"].pop("State")
    cloud.call("CreateLaunchTemplate", LaunchTemplateName="six", LaunchTemplateData=data)
    made = cloud.call(
        "RunInstances", MinCount=2, MaxCount=2, LaunchTemplate={"LaunchTemplateName": "six"}
    )["Instances"]
    assert len({each["Ipv6Address"] for each in made}) == 2
    assert not any("PrivateIpAddress" in each for each in made)


def test_the_resolvers_that_an_instance_is_told_of(cloud: Cloud) -> None:
    """DHCPv6 tells of those that have IPv6 addresses."""
    vpc, key, _ = native(cloud)
    launch(cloud, key)
    servers = ["10.0.0.9", "2001:db8::53", "AmazonProvidedDNS"]
    options = cloud.call(
        "CreateDhcpOptions",
        DhcpConfigurations=[{"Key": "domain-name-servers", "Values": servers}],
    )["DhcpOptions"]["DhcpOptionsId"]
    cloud.call("AssociateDhcpOptions", DhcpOptionsId=options, VpcId=vpc)
    (machine,) = statements(cloud, Machine)
    assert machine.resolvers == ("2001:db8::53", "fd00:ec2::253")


def test_the_port_has_no_ipv4_and_an_ipv4_route_cannot_lead_there(cloud: Cloud) -> None:
    vpc, key, cidr = native(cloud)
    eni = make_interface(cloud, key, Ipv6Addresses=[{"Ipv6Address": at(cidr, 9)}])
    plug_in(cloud, eni["NetworkInterfaceId"])
    (port,) = statements(cloud, Port)
    assert port.segment.gateway == ""
    (table,) = cloud.call("DescribeRouteTables", Filters=only({"vpc-id": vpc}))["RouteTables"]
    to = {"RouteTableId": table["RouteTableId"], "NetworkInterfaceId": eni["NetworkInterfaceId"]}
    asked = {**to, "DestinationCidrBlock": ANY4}
    assert refusal(cloud, "CreateRoute", **asked)[0] == "InvalidParameterValue"
    cloud.call("CreateRoute", **to, DestinationIpv6CidrBlock=ANY)
    hops = [each.target for each in statements(cloud, Route) if each.destination == ANY]
    assert [each.ip for each in hops if isinstance(each, ViaPort)] == [at(cidr, 9)]
    assert not [each for each in statements(cloud, Route) if isinstance(each.target, Blackhole)]


# --- names and metadata -------------------------------------------------------------------------
def test_names_lead_to_the_ipv6_address(cloud: Cloud) -> None:
    vpc, key, cidr = native(cloud)
    cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    row = launch(cloud, key, Ipv6Addresses=[{"Ipv6Address": at(cidr, 7)}])
    name = f"{row}.ap-northeast-2.compute.internal"
    assert look_up(cloud.store.view, vpc, name) == {"AAAA": (at(cidr, 7),)}
    assert leading_to(cloud.store.view, vpc, at(cidr, 7)) == name
    cloud.call("ModifySubnetAttribute", SubnetId=key,
               EnableResourceNameDnsAAAARecordOnLaunch={"Value": False})  # fmt: skip
    other = launch(cloud, key)
    assert look_up(cloud.store.view, vpc, f"{other}.ap-northeast-2.compute.internal") == {}


def test_metadata_tells_no_ipv4(cloud: Cloud) -> None:
    _, key, cidr = native(cloud)
    row = launch(cloud, key, Ipv6Addresses=[{"Ipv6Address": at(cidr, 7)}])
    view = cloud.store.view
    found = view.find(Instance, row)
    assert found is not None
    top: Any = tree(view, found)["meta-data"]
    assert "local-ipv4" not in top
    assert "public-ipv4" not in top
    assert top["ipv6"] == at(cidr, 7)
    assert top["local-hostname"] == top["hostname"] == f"{row}.ap-northeast-2.compute.internal"
    (eni,) = top["network"]["interfaces"]["macs"].values()
    assert eni["ipv6s"] == at(cidr, 7)
    assert eni["subnet-ipv6-cidr-blocks"] == cidr
    assert eni["local-hostname"] == top["hostname"]
    assert not {"local-ipv4s", "subnet-ipv4-cidr-block"} & eni.keys()


# --- delegated prefixes -------------------------------------------------------------------------
def test_a_prefix_comes_beside_an_address(cloud: Cloud) -> None:
    _, key, cidr = native(cloud)
    eni = make_interface(cloud, key, Ipv6PrefixCount=1)
    assert len(eni["Ipv6Addresses"]) == 1
    (prefix,) = eni["Ipv6Prefixes"]
    assert IPv6Network(prefix["Ipv6Prefix"]).subnet_of(IPv6Network(cidr))
    assert "PrivateIpAddress" not in eni
