"""Prefixes that are delegated to interfaces, and permissions of other accounts."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Address, Guard, Member
from tests.conftest import Cloud
from tests.resources.building import (
    make_gateway,
    make_interface,
    make_subnet,
    make_vpc,
    only,
    plug_in,
)
from tests.resources.routing import refusal
from tests.resources.test_instance import one
from tests.resources.test_subnet_reservation import reserve


def prefixes(cloud: Cloud, eni: str) -> list[str]:
    (shape,) = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])[
        "NetworkInterfaces"
    ]
    return [item["Ipv4Prefix"] for item in shape.get("Ipv4Prefixes", [])]


def assign(cloud: Cloud, eni: str, **more: Any) -> list[str]:
    answer = cloud.call("AssignPrivateIpAddresses", NetworkInterfaceId=eni, **more)
    return [item["Ipv4Prefix"] for item in answer["AssignedIpv4Prefixes"]]


@pytest.fixture
def subnet(cloud: Cloud) -> str:
    return make_subnet(cloud, make_vpc(cloud), "10.0.1.0/26")


def free(cloud: Cloud, subnet: str) -> int:
    (shape,) = cloud.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"]
    return int(shape["AvailableIpAddressCount"])


def test_prefixes_come_and_go(cloud: Cloud, subnet: str) -> None:
    made = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.4", Ipv4PrefixCount=1)
    eni = made["NetworkInterfaceId"]
    assert made["Ipv4Prefixes"] == [{"Ipv4Prefix": "10.0.1.16/28"}]
    assert free(cloud, subnet) == 59 - 1 - 16
    assert assign(cloud, eni, Ipv4Prefixes=["10.0.1.32/28"]) == ["10.0.1.32/28"]
    assert prefixes(cloud, eni) == ["10.0.1.16/28", "10.0.1.32/28"]
    # The first and the last block have addresses that AWS keeps.
    code, _ = refusal(cloud, "AssignPrivateIpAddresses", NetworkInterfaceId=eni, Ipv4PrefixCount=1)
    assert code == "InsufficientCidrBlocks"
    taken = {"SubnetId": subnet, "PrivateIpAddress": "10.0.1.17"}
    assert refusal(cloud, "CreateNetworkInterface", **taken)[0] == "InvalidIPAddress.InUse"
    gone = {"NetworkInterfaceId": eni, "Ipv4Prefixes": ["10.0.1.16/28"]}
    cloud.call("UnassignPrivateIpAddresses", **gone)
    assert prefixes(cloud, eni) == ["10.0.1.32/28"]
    assert refusal(cloud, "UnassignPrivateIpAddresses", **gone)[0] == "InvalidParameterValue"
    make_interface(cloud, subnet, PrivateIpAddress="10.0.1.17")
    again = {"NetworkInterfaceId": eni, "Ipv4Prefixes": ["10.0.1.16/28"]}
    assert refusal(cloud, "AssignPrivateIpAddresses", **again)[0] == "InvalidIPAddress.InUse"
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni)
    assert free(cloud, subnet) == 58


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Ipv4Prefixes": ["10.0.1.16/29"]}, "InvalidParameterValue"),
        ({"Ipv4Prefixes": ["10.0.2.16/28"]}, "InvalidParameterValue"),
        ({"Ipv4Prefixes": ["10.0.1.0/28"]}, "InvalidIPAddress.InUse"),
        ({"Ipv4Prefixes": ["10.0.1.16/28"], "Ipv4PrefixCount": 1}, "InvalidParameterCombination"),
        (
            {"Ipv4PrefixCount": 1, "SecondaryPrivateIpAddressCount": 1},
            "InvalidParameterCombination",
        ),
    ],
)
def test_prefixes_that_are_refused(
    cloud: Cloud, subnet: str, more: dict[str, Any], code: str
) -> None:
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    asked = {"NetworkInterfaceId": eni, **more}
    assert refusal(cloud, "AssignPrivateIpAddresses", **asked)[0] == code
    if named := more.get("Ipv4Prefixes"):
        more = {**more, "Ipv4Prefixes": [{"Ipv4Prefix": prefix} for prefix in named]}
    assert refusal(cloud, "CreateNetworkInterface", SubnetId=subnet, **more)[0] == code


def test_unasked_prefixes_come_out_of_reservations_for_them(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud), "10.0.1.0/24")
    eni = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.4")["NetworkInterfaceId"]
    explicit = reserve(cloud, subnet, "10.0.1.16/28")["SubnetCidrReservationId"]
    assert assign(cloud, eni, Ipv4PrefixCount=1) == ["10.0.1.32/28"]
    reserve(cloud, subnet, "10.0.1.128/27", "prefix")
    assert assign(cloud, eni, Ipv4PrefixCount=2) == ["10.0.1.128/28", "10.0.1.144/28"]
    full = {"NetworkInterfaceId": eni, "Ipv4PrefixCount": 1}
    assert refusal(cloud, "AssignPrivateIpAddresses", **full)[0] == "InsufficientCidrBlocks"
    cloud.call("DeleteSubnetCidrReservation", SubnetCidrReservationId=explicit)
    assert assign(cloud, eni, Ipv4Prefixes=["10.0.1.16/28"]) == ["10.0.1.16/28"]


def leave_room(cloud: Cloud, subnet: str, *free: str) -> None:
    """Take what is no part of the two prefixes of the subnet but for some addresses."""
    outside = (*range(4, 16), *range(48, 63))
    ips = [ip for ip in (f"10.0.1.{last}" for last in outside) if ip not in free]
    named = [{"PrivateIpAddress": ip, "Primary": ip == ips[0]} for ip in ips]
    make_interface(cloud, subnet, PrivateIpAddresses=named)


BOTH = [{"Ipv4Prefix": "10.0.1.16/28"}, {"Ipv4Prefix": "10.0.1.32/28"}]


def test_prefixes_are_taken_before_addresses_are_drawn(cloud: Cloud, subnet: str) -> None:
    leave_room(cloud, subnet, "10.0.1.9", "10.0.1.50")
    made = make_interface(cloud, subnet, Ipv4Prefixes=BOTH)
    assert made["PrivateIpAddress"] in {"10.0.1.9", "10.0.1.50"}
    assert made["Ipv4Prefixes"] == BOTH
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=made["NetworkInterfaceId"])
    made = make_interface(cloud, subnet, Ipv4PrefixCount=2)
    assert made["Ipv4Prefixes"] == BOTH


def test_lowering(cloud: Cloud, subnet: str) -> None:
    made = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.4", Ipv4PrefixCount=1)
    plug_in(cloud, made["NetworkInterfaceId"])
    statements = cloud.program().statements
    addresses = {s.ip: s.delegated for s in statements if isinstance(s, Address)}
    block = [f"10.0.1.{number}" for number in range(16, 32)]
    assert addresses == {"10.0.1.4": False} | dict.fromkeys(block, True)
    (guard,) = (s for s in statements if isinstance(s, Guard))
    assert guard.addresses == ("10.0.1.4", *block)
    assert {s.ip for s in statements if isinstance(s, Member)} == set(addresses)


def test_an_instance_shows_its_prefixes(cloud: Cloud) -> None:
    made = one(cloud)
    eni = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    (prefix,) = assign(cloud, eni, Ipv4PrefixCount=1)
    name = "network-interface.ipv4-prefixes.ipv4-prefix"
    (found,) = cloud.call("DescribeInstances", Filters=only({name: prefix}))["Reservations"]
    (shape,) = found["Instances"][0]["NetworkInterfaces"]
    assert shape["Ipv4Prefixes"] == [{"Ipv4Prefix": prefix}]


def test_kinds_of_public_names(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    address = cloud.call("AllocateAddress")
    cloud.call("AssociateAddress", AllocationId=address["AllocationId"], NetworkInterfaceId=eni)
    asked = {"NetworkInterfaceId": eni, "HostnameType": "public-ipv4-dns-name"}
    assert cloud.call("ModifyPublicIpDnsNameOptions", **asked) == {"Successful": True}
    (shape,) = cloud.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
    assert shape["PublicIpDnsNameOptions"] == {
        "DnsHostnameType": "public-ipv4-dns-name",
        "PublicIpv4DnsName": shape["Association"]["PublicDnsName"],
    }
    bad = {**asked, "HostnameType": "public"}
    assert refusal(cloud, "ModifyPublicIpDnsNameOptions", **bad)[0] == "InvalidParameterValue"


# --- launches -----------------------------------------------------------------------------------
def launch(cloud: Cloud, subnet: str, count: int = 1, **interface: Any) -> dict[str, Any]:
    """What a launch is asked for by, with a first interface that has prefixes."""
    (image, *_) = cloud.call("DescribeImages", Filters=only({"name": "gureum-base*"}))["Images"]
    return {
        "ImageId": image["ImageId"],
        "MinCount": count,
        "MaxCount": count,
        "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet, **interface}],
    }


def test_instances_are_launched_with_prefixes(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud), "10.0.1.0/24")
    counted = launch(cloud, subnet, 2, Ipv4PrefixCount=1)
    made = cloud.call("RunInstances", **counted)["Instances"]
    found = [
        item["Ipv4Prefix"] for each in made for item in each["NetworkInterfaces"][0]["Ipv4Prefixes"]
    ]
    assert len(set(found)) == 2
    eni = made[0]["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert prefixes(cloud, eni) == found[:1]
    said = [each for each in cloud.program().statements if isinstance(each, Address)]
    assert found[0].removesuffix("/28") in {each.ip for each in said if each.delegated}
    named = launch(cloud, subnet, Ipv4Prefixes=[{"Ipv4Prefix": found[0]}])
    assert refusal(cloud, "RunInstances", **named)[0] == "InvalidIPAddress.InUse"
    cloud.call("UnassignPrivateIpAddresses", NetworkInterfaceId=eni, Ipv4Prefixes=found[:1])
    (row,) = cloud.call("RunInstances", **named)["Instances"]
    shown = row["NetworkInterfaces"][0]
    assert shown["Ipv4Prefixes"] == [{"Ipv4Prefix": found[0]}]


def test_what_one_interface_names_no_other_of_the_launch_draws(cloud: Cloud, subnet: str) -> None:
    leave_room(cloud, subnet, "10.0.1.9", "10.0.1.10", "10.0.1.50")
    asked = launch(cloud, subnet)
    own = {"Primary": True, "PrivateIpAddress": "10.0.1.9"}
    second = {"PrivateIpAddresses": [own, {"PrivateIpAddress": "10.0.1.10"}], "Ipv4Prefixes": BOTH}
    asked["NetworkInterfaces"].append({"DeviceIndex": 1, "SubnetId": subnet, **second})
    (row,) = cloud.call("RunInstances", **asked, InstanceType="t3.large")["Instances"]
    first, other = sorted(
        row["NetworkInterfaces"], key=lambda each: int(each["Attachment"]["DeviceIndex"])
    )
    assert first["PrivateIpAddress"] == "10.0.1.50"
    assert [each["PrivateIpAddress"] for each in other["PrivateIpAddresses"]] == [
        "10.0.1.9",
        "10.0.1.10",
    ]
    assert other["Ipv4Prefixes"] == BOTH


def test_launches_with_prefixes_that_are_refused(cloud: Cloud, subnet: str) -> None:
    named: dict[str, Any] = {"Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.16/28"}]}
    for count, more, code in (
        (2, named, "InvalidParameterCombination"),
        (1, {**named, "Ipv4PrefixCount": 1}, "InvalidParameterCombination"),
        (1, {"Ipv4PrefixCount": 3}, "InsufficientCidrBlocks"),
    ):
        asked = launch(cloud, subnet, count, **more)
        assert refusal(cloud, "RunInstances", **asked)[0] == code
    assert free(cloud, subnet) == 59


# --- permissions --------------------------------------------------------------------------------
def test_permissions(cloud: Cloud, subnet: str) -> None:
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    asked = {
        "NetworkInterfaceId": eni,
        "AwsAccountId": "210987654321",
        "Permission": "INSTANCE-ATTACH",
    }
    made = cloud.call("CreateNetworkInterfacePermission", **asked)["InterfacePermission"]
    key = made["NetworkInterfacePermissionId"]
    assert key.startswith("eni-perm-")
    assert made == {
        "NetworkInterfacePermissionId": key,
        **asked,
        "PermissionState": {"State": "GRANTED"},
    }
    assert cloud.call("CreateNetworkInterfacePermission", **asked)["InterfacePermission"] == made
    listed, members = "DescribeNetworkInterfacePermissions", "NetworkInterfacePermissions"
    for name, value in (
        ("network-interface-permission-id", key),
        ("network-interface-id", eni),
        ("aws-account-id", "210987654321"),
        ("permission", "INSTANCE-ATTACH"),
    ):
        filters = only({f"network-interface-permission.{name}": value})
        assert cloud.call(listed, Filters=filters)[members] == [made]
    cloud.call("DeleteNetworkInterfacePermission", NetworkInterfacePermissionId=key)
    gone = {"NetworkInterfacePermissionIds": [key]}
    assert refusal(cloud, listed, **gone)[0] == "InvalidPermissionID.NotFound"
    for more, code in (
        ({"AwsAccountId": "me"}, "InvalidParameterValue"),
        ({"AwsAccountId": ""}, "MissingParameter"),
        ({"Permission": "ALL"}, "InvalidParameterValue"),
        ({"AwsService": "x"}, "UnsupportedOperation"),
    ):
        assert refusal(cloud, "CreateNetworkInterfacePermission", **{**asked, **more})[0] == code
    cloud.call("CreateNetworkInterfacePermission", **asked)
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni)
    assert cloud.call(listed)[members] == []
