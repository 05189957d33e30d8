"""Listing network interfaces: every filter, pages, and what Terraform asks before it deletes."""

from __future__ import annotations

import pytest

from tests.conftest import Cloud
from tests.resources.building import (
    make_address,
    make_gateway,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
    only,
    plug_in,
)

INSTANCE = "i-0000000000000000a"


@pytest.mark.parametrize(
    "name",
    [
        "addresses.association.public-ip",
        "addresses.primary",
        "addresses.private-ip-address",
        "association.allocation-id",
        "association.association-id",
        "association.ip-owner-id",
        "association.public-ip",
        "attachment.attachment-id",
        "attachment.device-index",
        "attachment.instance-id",
        "attachment.instance-owner-id",
        "attachment.status",
        "attachment.delete-on-termination",
        "availability-zone",
        "description",
        "group-id",
        "group-name",
        "interface-type",
        "mac-address",
        "network-interface-id",
        "owner-id",
        "private-dns-name",
        "private-ip-address",
        "requester-managed",
        "source-dest-check",
        "status",
        "subnet-id",
        "tag:Name",
        "vpc-id",
    ],
)
def test_filters(cloud: Cloud, name: str) -> None:
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    subnet, other = make_subnet(cloud, vpc), make_subnet(cloud, vpc, "10.0.2.0/24")
    group = make_group(cloud, vpc)
    address = make_address(cloud)
    eni = make_interface(
        cloud,
        subnet,
        Description="mine",
        Groups=[group],
        PrivateIpAddress="10.0.1.20",
        TagSpecifications=[
            {"ResourceType": "network-interface", "Tags": [{"Key": "Name", "Value": "a"}]}
        ],
    )
    key = eni["NetworkInterfaceId"]
    spare = make_interface(cloud, other)["NetworkInterfaceId"]
    plug_in(cloud, key, INSTANCE)
    association = cloud.call(
        "AssociateAddress", AllocationId=address["AllocationId"], NetworkInterfaceId=key
    )["AssociationId"]
    value, both = {
        "addresses.association.public-ip": (address["PublicIp"], False),
        "addresses.primary": ("true", True),
        "addresses.private-ip-address": ("10.0.1.20", False),
        "association.allocation-id": (address["AllocationId"], False),
        "association.association-id": (association, False),
        "association.ip-owner-id": ("123456789012", False),
        "association.public-ip": (address["PublicIp"], False),
        "attachment.attachment-id": ("eni-attach-*", False),
        "attachment.device-index": ("0", False),
        "attachment.instance-id": (INSTANCE, False),
        "attachment.instance-owner-id": ("123456789012", False),
        "attachment.status": ("attached", False),
        "attachment.delete-on-termination": ("false", False),
        "availability-zone": ("ap-northeast-2a", True),
        "description": ("mine", False),
        "group-id": (group, False),
        "group-name": ("web", False),
        "interface-type": ("interface", True),
        "mac-address": (eni["MacAddress"], False),
        "network-interface-id": (key, False),
        "owner-id": ("123456789012", True),
        "private-dns-name": ("ip-10-0-1-20.*", False),
        "private-ip-address": ("10.0.1.20", False),
        "requester-managed": ("false", True),
        "source-dest-check": ("true", True),
        "status": ("in-use", False),
        "subnet-id": (subnet, False),
        "tag:Name": ("a", False),
        "vpc-id": (vpc, True),
    }[name]
    found = cloud.call("DescribeNetworkInterfaces", Filters=only({name: value}))
    keys = {item["NetworkInterfaceId"] for item in found["NetworkInterfaces"]}
    assert keys == ({key, spare} if both else {key})


def test_what_terraform_asks_before_it_deletes(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet, group = make_subnet(cloud, vpc), make_group(cloud, vpc)
    key = make_interface(cloud, subnet, Groups=[group])["NetworkInterfaceId"]
    for filters in ({"group-id": group}, {"subnet-id": subnet}):
        found = cloud.call("DescribeNetworkInterfaces", Filters=only(filters))
        assert [item["NetworkInterfaceId"] for item in found["NetworkInterfaces"]] == [key]
    assert cloud.error("DeleteSecurityGroup", GroupId=group).code == "DependencyViolation"
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=key)
    cloud.call("DeleteSecurityGroup", GroupId=group)
    cloud.call("DeleteSubnet", SubnetId=subnet)


def test_pages(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    keys = [make_interface(cloud, subnet)["NetworkInterfaceId"] for _ in range(12)]
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = cloud.call("DescribeNetworkInterfaces", MaxResults=5, **token)
        assert len(page["NetworkInterfaces"]) <= 5
        found += [item["NetworkInterfaceId"] for item in page["NetworkInterfaces"]]
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    assert sorted(found) == sorted(keys)
