"""IPv6 prefixes that are delegated to interfaces: asked for, told, taken back, in the program."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from gureum.program import Address, GlobalAddress, Guard, Member
from gureum.resources.instance import Instance
from gureum.services.metadata import tree
from tests.conftest import Cloud
from tests.resources.building import make_gateway, make_interface, only, plug_in
from tests.resources.routing import refusal
from tests.resources.test_ipv6 import at, dual_subnet, statements
from tests.resources.test_network_interface_prefix import launch
from tests.resources.test_subnet_reservation import reserve


@pytest.fixture
def place(cloud: Cloud) -> tuple[str, str, str]:
    """A VPC, a subnet and the subnet's IPv6 block."""
    return dual_subnet(cloud)


def part(block: str, number: int) -> str:
    """The n-th /80 of a /64."""
    return str(IPv6Network((int(IPv6Network(block)[0]) + (number << 48), 80)))


def inside(prefix: str, number: int = 5) -> str:
    return str(IPv6Network(prefix)[number])


def assign(cloud: Cloud, eni: str, **more: Any) -> list[str]:
    answer = cloud.call("AssignIpv6Addresses", NetworkInterfaceId=eni, **more)
    assert "AssignedIpv6Addresses" not in answer
    return list(answer["AssignedIpv6Prefixes"])


def shown(cloud: Cloud, eni: str) -> list[str]:
    answer = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])
    (shape,) = answer["NetworkInterfaces"]
    return [each["Ipv6Prefix"] for each in shape.get("Ipv6Prefixes", [])]


def test_prefixes_come_and_go(cloud: Cloud, place: tuple[str, str, str]) -> None:
    _, subnet, block = place
    first, second = part(block, 2), part(block, 3)
    made = make_interface(cloud, subnet, Ipv6Prefixes=[{"Ipv6Prefix": first}])
    eni = made["NetworkInterfaceId"]
    assert made["Ipv6Prefixes"] == [{"Ipv6Prefix": first}]
    assert made["Ipv6Addresses"] == []
    assert assign(cloud, eni, Ipv6Prefixes=[second]) == [second]
    (drawn,) = assign(cloud, eni, Ipv6PrefixCount=1)
    network = IPv6Network(drawn)
    assert network.prefixlen == 80
    assert network.subnet_of(IPv6Network(block))
    assert shown(cloud, eni) == [first, second, drawn]
    other = make_interface(cloud, subnet)["NetworkInterfaceId"]
    # neither the prefix nor an address of it is free for others
    for more in ({"Ipv6Prefixes": [second]}, {"Ipv6Addresses": [inside(second)]}):
        code, _ = refusal(cloud, "AssignIpv6Addresses", NetworkInterfaceId=other, **more)
        assert code == "InvalidIPAddress.InUse"
    association = cloud.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"][0]
    key = association["Ipv6CidrBlockAssociationSet"][0]["AssociationId"]
    code, _ = refusal(cloud, "DisassociateSubnetCidrBlock", AssociationId=key)
    assert code == "InvalidCidrBlock.InUse"
    gone = {"NetworkInterfaceId": eni, "Ipv6Prefixes": [second]}
    assert cloud.call("UnassignIpv6Addresses", **gone) == {
        "NetworkInterfaceId": eni,
        "UnassignedIpv6Addresses": [],
        "UnassignedIpv6Prefixes": [second],
    }
    assert refusal(cloud, "UnassignIpv6Addresses", **gone)[0] == "InvalidParameterValue"
    assert shown(cloud, eni) == [first, drawn]
    cloud.call("AssignIpv6Addresses", NetworkInterfaceId=other, Ipv6Addresses=[inside(second)])
    code, _ = refusal(cloud, "AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6Prefixes=[second])
    assert code == "InvalidIPAddress.InUse"
    for each in (eni, other):
        cloud.call("DeleteNetworkInterface", NetworkInterfaceId=each)
    cloud.call("DisassociateSubnetCidrBlock", AssociationId=key)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Ipv6Prefixes": ["2001:db8::/80"]}, "InvalidParameterValue"),
        ({"Ipv6Prefixes": ["nonsense"]}, "InvalidParameterValue"),
        ({"Ipv6PrefixCount": -1}, "InvalidParameterValue"),
        ({"Ipv6Prefixes": ["2001:db8::/80"], "Ipv6PrefixCount": 1}, "InvalidParameterCombination"),
        ({"Ipv6PrefixCount": 1, "Ipv6AddressCount": 1}, "InvalidParameterCombination"),
        ({"Ipv6PrefixCount": 1 << 20}, "InsufficientCidrBlocks"),
    ],
)
def test_what_is_refused(
    cloud: Cloud, place: tuple[str, str, str], more: dict[str, Any], code: str
) -> None:
    _, subnet, _ = place
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    assert refusal(cloud, "AssignIpv6Addresses", NetworkInterfaceId=eni, **more)[0] == code
    if named := more.get("Ipv6Prefixes"):
        more = {**more, "Ipv6Prefixes": [{"Ipv6Prefix": prefix} for prefix in named]}
    assert refusal(cloud, "CreateNetworkInterface", SubnetId=subnet, **more)[0] == code


def test_the_ends_of_the_block_are_kept(cloud: Cloud, place: tuple[str, str, str]) -> None:
    """The first and the last prefix have addresses that AWS keeps."""
    _, subnet, block = place
    for number in (0, (1 << 16) - 1):
        named = [{"Ipv6Prefix": part(block, number)}]
        code, _ = refusal(cloud, "CreateNetworkInterface", SubnetId=subnet, Ipv6Prefixes=named)
        assert code == "InvalidIPAddress.InUse"
    wide = [{"Ipv6Prefix": block}]
    code, _ = refusal(cloud, "CreateNetworkInterface", SubnetId=subnet, Ipv6Prefixes=wide)
    assert code == "InvalidParameterValue"


def test_a_subnet_without_ipv6(cloud: Cloud, place: tuple[str, str, str]) -> None:
    vpc, _, _ = place
    more = {"VpcId": vpc, "CidrBlock": "10.0.9.0/24"}
    plain = cloud.call("CreateSubnet", **more)["Subnet"]["SubnetId"]
    code, _ = refusal(cloud, "CreateNetworkInterface", SubnetId=plain, Ipv6PrefixCount=1)
    assert code == "InvalidParameterValue"


def test_reservations(cloud: Cloud, place: tuple[str, str, str]) -> None:
    """What is unasked for comes out of those for prefixes, and out of no other."""
    _, subnet, block = place
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    base = IPv6Network(block)
    low, high = base.subnets(prefixlen_diff=1)
    reserve(cloud, subnet, str(low))
    upper = next(high.subnets(prefixlen_diff=1))
    assert all(IPv6Network(each).subnet_of(high) for each in assign(cloud, eni, Ipv6PrefixCount=20))
    ips = cloud.call("AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6AddressCount=20)
    assert all(IPv6Address(each) in high for each in ips["AssignedIpv6Addresses"])
    code, _ = refusal(
        cloud, "CreateSubnetCidrReservation", SubnetId=subnet, Cidr=at(str(low), 0) + "/70",
        ReservationType="prefix",
    )  # fmt: skip
    assert code == "InvalidParameterValue"  # overlaps
    small = {"SubnetId": subnet, "Cidr": str(upper[0]) + "/81", "ReservationType": "prefix"}
    assert refusal(cloud, "CreateSubnetCidrReservation", **small)[0] == "InvalidParameterValue"
    other = {**small, "Cidr": "2001:db8::/80"}
    assert refusal(cloud, "CreateSubnetCidrReservation", **other)[0] == "InvalidParameterValue"
    two = str(next(upper.subnets(new_prefix=79)))
    taken = [each for each in shown(cloud, eni) if IPv6Network(each).subnet_of(IPv6Network(two))]
    reserve(cloud, subnet, two, "prefix")
    found = assign(cloud, eni, Ipv6PrefixCount=2 - len(taken))
    assert sorted([*found, *taken]) == [str(each) for each in IPv6Network(two).subnets(1)]
    full = {"NetworkInterfaceId": eni, "Ipv6PrefixCount": 1}
    assert refusal(cloud, "AssignIpv6Addresses", **full)[0] == "InsufficientCidrBlocks"
    reserve(cloud, subnet, "10.0.1.64/26")
    answer = cloud.call("GetSubnetCidrReservations", SubnetId=subnet)
    assert [each["Cidr"] for each in answer["SubnetIpv4CidrReservations"]] == ["10.0.1.64/26"]
    listed = {
        each["Cidr"]: each["ReservationType"] for each in answer["SubnetIpv6CidrReservations"]
    }
    assert listed == {str(low): "explicit", two: "prefix"}
    only_prefix = only({"reservationType": "prefix"})
    answer = cloud.call("GetSubnetCidrReservations", SubnetId=subnet, Filters=only_prefix)
    assert answer["SubnetIpv4CidrReservations"] == []
    assert [each["Cidr"] for each in answer["SubnetIpv6CidrReservations"]] == [two]
    assert make_interface(cloud, subnet)["PrivateIpAddress"]  # of IPv4 nothing is kept by them


def test_an_explicit_reservation_of_everything(cloud: Cloud, place: tuple[str, str, str]) -> None:
    _, subnet, block = place
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    reserve(cloud, subnet, block)
    for more, code in (
        ({"Ipv6PrefixCount": 1}, "InsufficientCidrBlocks"),
        ({"Ipv6AddressCount": 1}, "InsufficientFreeAddressesInSubnet"),
    ):
        assert refusal(cloud, "AssignIpv6Addresses", NetworkInterfaceId=eni, **more)[0] == code
    assert assign(cloud, eni, Ipv6Prefixes=[part(block, 7)]) == [part(block, 7)]


def test_lowering(cloud: Cloud, place: tuple[str, str, str]) -> None:
    vpc, subnet, block = place
    gateway, prefix = make_gateway(cloud, vpc), part(block, 9)
    named = [{"Ipv6Prefix": prefix}]
    made = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.4", Ipv6Prefixes=named)
    plug_in(cloud, made["NetworkInterfaceId"])
    ips = {each.ip: (each.primary, each.delegated) for each in statements(cloud, Address)}
    assert ips == {"10.0.1.4": (True, False), prefix: (False, True)}
    (guard,) = statements(cloud, Guard)
    assert guard.addresses == ("10.0.1.4", prefix)
    assert [guard.owns(ip) for ip in (inside(prefix), at(block, 5))] == [True, False]
    assert {each.ip for each in statements(cloud, Member)} == {"10.0.1.4", prefix}
    assert statements(cloud, GlobalAddress) == [GlobalAddress(gateway, vpc, prefix)]


def test_launches_and_templates(cloud: Cloud, place: tuple[str, str, str]) -> None:
    _, subnet, block = place
    prefix = part(block, 12)
    asked = launch(cloud, subnet, Ipv6Prefixes=[{"Ipv6Prefix": prefix}])
    (row,) = cloud.call("RunInstances", **asked)["Instances"]
    assert row["NetworkInterfaces"][0]["Ipv6Prefixes"] == [{"Ipv6Prefix": prefix}]
    instance = cloud.store.view.find(Instance, row["InstanceId"])
    assert instance is not None
    found: Any = tree(cloud.store.view, instance)
    (interface,) = found["meta-data"]["network"]["interfaces"]["macs"].values()
    assert interface["ipv6-prefix"] == prefix
    twice = launch(cloud, subnet, 2, Ipv6Prefixes=[{"Ipv6Prefix": part(block, 13)}])
    assert refusal(cloud, "RunInstances", **twice)[0] == "InvalidParameterCombination"
    name = "network-interface.ipv6-prefixes.ipv6-prefix"
    (listed,) = cloud.call("DescribeInstances", Filters=only({name: prefix}))["Reservations"]
    assert listed["Instances"][0]["InstanceId"] == row["InstanceId"]
    data = launch(cloud, subnet, Ipv6PrefixCount=2)
    data = {name: data[name] for name in ("ImageId", "NetworkInterfaces")}
    cloud.call("CreateLaunchTemplate", LaunchTemplateName="node", LaunchTemplateData=data)
    template = {"LaunchTemplateName": "node"}
    made = cloud.call("RunInstances", LaunchTemplate=template, MinCount=2, MaxCount=2)
    drawn = [
        each["Ipv6Prefix"]
        for instance in made["Instances"]
        for each in instance["NetworkInterfaces"][0]["Ipv6Prefixes"]
    ]
    assert len({*drawn, prefix}) == 5
