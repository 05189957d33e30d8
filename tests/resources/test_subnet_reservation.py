"""Subnet CIDR reservations and prefixes: what is kept back, and what may be taken."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import make_interface, make_subnet, make_vpc, only
from tests.resources.routing import refusal


def reserve(cloud: Cloud, subnet: str, cidr: str, kind: str = "explicit", **more: Any) -> Any:
    answer = cloud.call(
        "CreateSubnetCidrReservation", SubnetId=subnet, Cidr=cidr, ReservationType=kind, **more
    )
    return answer["SubnetCidrReservation"]


def listed(cloud: Cloud, subnet: str, **more: Any) -> list[str]:
    found = cloud.call("GetSubnetCidrReservations", SubnetId=subnet, **more)
    assert found["SubnetIpv6CidrReservations"] == []
    return [item["Cidr"] for item in found["SubnetIpv4CidrReservations"]]


def test_a_reservation_is_made_listed_and_deleted(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    tags = [{"Key": "Name", "Value": "x"}]
    more: dict[str, Any] = {
        "Description": "printers",
        "TagSpecifications": [{"ResourceType": "subnet-cidr-reservation", "Tags": tags}],
    }
    made = reserve(cloud, subnet, "10.0.1.77/26", **more)
    key = made["SubnetCidrReservationId"]
    assert made == {
        "SubnetCidrReservationId": key,
        "SubnetId": subnet,
        "Cidr": "10.0.1.64/26",
        "ReservationType": "explicit",
        "OwnerId": "123456789012",
        "Description": "printers",
        "Tags": tags,
    }
    reserve(cloud, subnet, "10.0.1.16/28", "prefix")
    assert sorted(listed(cloud, subnet)) == ["10.0.1.16/28", "10.0.1.64/26"]
    assert listed(cloud, subnet, Filters=only({"reservationType": "prefix"})) == ["10.0.1.16/28"]
    assert listed(cloud, subnet, Filters=only({"tag:Name": "x"})) == ["10.0.1.64/26"]
    other = make_subnet(cloud, make_vpc(cloud))
    assert listed(cloud, other) == []
    gone = cloud.call("DeleteSubnetCidrReservation", SubnetCidrReservationId=key)
    assert gone["DeletedSubnetCidrReservation"] == made
    assert listed(cloud, subnet) == ["10.0.1.16/28"]
    assert refusal(cloud, "DeleteSubnetCidrReservation", SubnetCidrReservationId=key)[0] == (
        "InvalidSubnetCidrReservationID.NotFound"
    )
    assert refusal(cloud, "GetSubnetCidrReservations", SubnetId="subnet-00000000000000001")[0] == (
        "InvalidSubnetID.NotFound"
    )


@pytest.mark.parametrize(
    ("cidr", "kind"),
    [
        ("10.0.2.0/28", "explicit"),
        ("10.0.0.0/16", "explicit"),
        ("10.0.1.0/29", "prefix"),
        ("10.0.1.200/28", "explicit"),
        ("10.0.1.0/28", "both"),
        ("2001:db8::/64", "explicit"),
    ],
)
def test_reservations_that_are_refused(cloud: Cloud, cidr: str, kind: str) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    reserve(cloud, subnet, "10.0.1.192/26")
    given = {"SubnetId": subnet, "Cidr": cidr, "ReservationType": kind}
    code, _ = refusal(cloud, "CreateSubnetCidrReservation", **given)
    assert code == "InvalidParameterValue"


def test_no_address_of_it_is_given_unasked(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud), "10.0.1.0/27")
    first = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.17")["PrivateIpAddress"]
    reserve(cloud, subnet, "10.0.1.16/28")
    kept = IPv4Network("10.0.1.16/28")
    given = [make_interface(cloud, subnet)["PrivateIpAddress"] for _ in range(12)]
    assert not any(IPv4Address(ip) in kept for ip in given)
    code, _ = refusal(cloud, "CreateNetworkInterface", SubnetId=subnet)
    assert code == "InsufficientFreeAddressesInSubnet"
    asked = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.20")["PrivateIpAddress"]
    assert (first, asked) == ("10.0.1.17", "10.0.1.20")


def test_a_subnet_takes_its_reservations_with_it(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    key = reserve(cloud, subnet, "10.0.1.16/28")["SubnetCidrReservationId"]
    cloud.call("DeleteSubnet", SubnetId=subnet)
    assert key not in cloud.store.view.rows


def test_a_default_subnet_comes_back(cloud: Cloud) -> None:
    zone = "ap-northeast-2b"
    asked = only({"default-for-az": "true", "availability-zone": zone})
    (old,) = cloud.call("DescribeSubnets", Filters=asked)["Subnets"]
    assert refusal(cloud, "CreateDefaultSubnet", AvailabilityZone=zone) == (
        "DefaultSubnetAlreadyExistsInAvailabilityZone",
        f"'{old['SubnetId']}' is already the default subnet in {zone}.",
    )
    cloud.call("DeleteSubnet", SubnetId=old["SubnetId"])
    made = cloud.call("CreateDefaultSubnet", AvailabilityZoneId=old["AvailabilityZoneId"])["Subnet"]
    assert made["SubnetId"] != old["SubnetId"]
    assert {**made, "SubnetId": "", "SubnetArn": ""} == {**old, "SubnetId": "", "SubnetArn": ""}
    for given in ({}, {"AvailabilityZone": zone, "AvailabilityZoneId": "apne2-az2"}):
        assert refusal(cloud, "CreateDefaultSubnet", **given)[0] == "InvalidParameterCombination"


def test_no_default_subnet_without_a_default_vpc_or_room(cloud: Cloud) -> None:
    (vpc,) = cloud.call("DescribeVpcs", Filters=only({"is-default": "true"}))["Vpcs"]
    asked = only({"vpc-id": vpc["VpcId"]})
    for subnet in cloud.call("DescribeSubnets", Filters=asked)["Subnets"]:
        cloud.call("DeleteSubnet", SubnetId=subnet["SubnetId"])
    whole = make_subnet(cloud, vpc["VpcId"], "172.31.0.0/16")
    zone = {"AvailabilityZone": "ap-northeast-2a"}
    assert refusal(cloud, "CreateDefaultSubnet", **zone)[0] == "InvalidSubnet.Conflict"
    cloud.call("DeleteSubnet", SubnetId=whole)
    (gateway,) = cloud.call("DescribeInternetGateways")["InternetGateways"]
    both = {"InternetGatewayId": gateway["InternetGatewayId"], "VpcId": vpc["VpcId"]}
    cloud.call("DetachInternetGateway", **both)
    cloud.call("DeleteVpc", VpcId=vpc["VpcId"])
    assert refusal(cloud, "CreateDefaultSubnet", **zone)[0] == "DefaultVpcDoesNotExist"
