"""Secondary networks and subnets, as records."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal

ZONE = "ap-northeast-2a"


def make_network(cloud: Cloud, cidr: str = "10.64.0.0/16", **more: Any) -> dict[str, Any]:
    asked = {"Ipv4CidrBlock": cidr, "NetworkType": "rdma", **more}
    return dict(cloud.call("CreateSecondaryNetwork", **asked)["SecondaryNetwork"])


@pytest.fixture
def network(cloud: Cloud) -> str:
    return str(make_network(cloud)["SecondaryNetworkId"])


def make_subnet(cloud: Cloud, network: str, cidr: str = "10.64.1.0/24") -> dict[str, Any]:
    asked = {"SecondaryNetworkId": network, "Ipv4CidrBlock": cidr, "AvailabilityZone": ZONE}
    return dict(cloud.call("CreateSecondarySubnet", **asked)["SecondarySubnet"])


def test_a_network_and_its_subnet(cloud: Cloud) -> None:
    tags = [{"ResourceType": "secondary-network", "Tags": [{"Key": "a", "Value": "b"}]}]
    made = make_network(cloud, TagSpecifications=tags)
    key = made["SecondaryNetworkId"]
    block = made["Ipv4CidrBlockAssociations"][0]
    assert made == {
        "SecondaryNetworkId": key,
        "SecondaryNetworkArn": f"arn:aws:ec2:ap-northeast-2:123456789012:secondary-network/{key}",
        "OwnerId": "123456789012",
        "Type": "rdma",
        "State": "create-in-progress",
        "Ipv4CidrBlockAssociations": [block],
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert (block["CidrBlock"], block["State"]) == ("10.64.0.0/16", "associating")
    subnet = make_subnet(cloud, key)
    assert (subnet["SecondaryNetworkId"], subnet["AvailabilityZone"]) == (key, ZONE)
    settle(cloud)
    found = {"ipv4-cidr-block-association.cidr-block": "10.64.1.0/24", "state": "create-complete"}
    (shown,) = cloud.call("DescribeSecondarySubnets", Filters=only(found))["SecondarySubnets"]
    assert shown["SecondarySubnetId"] == subnet["SecondarySubnetId"]
    assert shown["Ipv4CidrBlockAssociations"][0]["State"] == "associated"
    code, _ = refusal(cloud, "DeleteSecondaryNetwork", SecondaryNetworkId=key)
    assert code == "DependencyViolation"
    gone = cloud.call("DeleteSecondarySubnet", SecondarySubnetId=subnet["SecondarySubnetId"])
    assert gone["SecondarySubnet"]["State"] == "delete-in-progress"
    cloud.call("DeleteSecondaryNetwork", SecondaryNetworkId=key)
    assert cloud.call("DescribeSecondaryNetworks")["SecondaryNetworks"] == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Ipv4CidrBlock": "10.65.0.0/24"}, "InvalidSubnet.Range"),
        ({"Ipv4CidrBlock": "10.64.1.128/25"}, "InvalidSubnet.Conflict"),
        ({"Ipv4CidrBlock": "10.64.2.0/29"}, "InvalidParameterValue"),
        ({"Ipv4CidrBlock": "10.64/16"}, "InvalidParameterValue"),
        ({"AvailabilityZone": "us-east-1a"}, "InvalidParameterValue"),
        ({"AvailabilityZone": None}, "MissingParameter"),
        ({"AvailabilityZoneId": "apne2-az1"}, "InvalidParameterCombination"),
        ({"SecondaryNetworkId": "sn-0123456789abcdef0"}, "InvalidSecondaryNetworkId.NotFound"),
    ],
)
def test_subnets_that_are_refused(
    cloud: Cloud, network: str, more: dict[str, Any], code: str
) -> None:
    make_subnet(cloud, network)
    asked = {
        "SecondaryNetworkId": network,
        "Ipv4CidrBlock": "10.64.2.0/24",
        "AvailabilityZone": ZONE,
        **more,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    assert refusal(cloud, "CreateSecondarySubnet", **given)[0] == code


def test_networks_have_a_size(cloud: Cloud) -> None:
    for cidr in ("10.0.0.0/11", "10.0.0.0/29"):
        asked = {"Ipv4CidrBlock": cidr, "NetworkType": "rdma"}
        assert refusal(cloud, "CreateSecondaryNetwork", **asked)[0] == "InvalidParameterValue"
