"""Regions, zones and account attributes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import only
from tests.resources.routing import refusal


def regions(cloud: Cloud, **params: Any) -> list[str]:
    """The names that DescribeRegions answers."""
    return [item["RegionName"] for item in cloud.call("DescribeRegions", **params)["Regions"]]


def zones(cloud: Cloud, **params: Any) -> list[str]:
    """The names that DescribeAvailabilityZones answers."""
    answer = cloud.call("DescribeAvailabilityZones", **params)
    return [item["ZoneName"] for item in answer["AvailabilityZones"]]


def attributes(cloud: Cloud, *names: str) -> dict[str, list[str]]:
    """What DescribeAccountAttributes answers, in few words."""
    params = {"AttributeNames": list(names)} if names else {}
    return {
        item["AttributeName"]: [value["AttributeValue"] for value in item["AttributeValues"]]
        for item in cloud.call("DescribeAccountAttributes", **params)["AccountAttributes"]
    }


def test_regions(cloud: Cloud) -> None:
    found = regions(cloud)
    assert found == sorted(found)
    assert len(found) > 30
    assert regions(cloud, AllRegions=True) == found
    (shape,) = cloud.call("DescribeRegions", RegionNames=["ap-northeast-2"])["Regions"]
    assert shape == {
        "RegionName": "ap-northeast-2",
        "Endpoint": "ec2.ap-northeast-2.amazonaws.com",
        "OptInStatus": "opt-in-not-required",
    }


def test_region_filters(cloud: Cloud) -> None:
    assert regions(cloud, Filters=only({"region-name": "ap-northeast-*"})) == [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
    ]
    endpoint = "ec2.us-east-1.amazonaws.com"
    assert regions(cloud, Filters=only({"endpoint": endpoint})) == ["us-east-1"]
    always = regions(cloud, Filters=only({"opt-in-status": "opt-in-not-required"}))
    assert len(always) == 17
    opted = regions(cloud, Filters=only({"opt-in-status": "opted-in"}))
    assert "af-south-1" in opted
    assert sorted(always + opted) == regions(cloud)
    code, message = refusal(cloud, "DescribeRegions", RegionNames=["us-east-1", "us-east-9"])
    assert (code, message) == ("InvalidParameterValue", "Invalid region name: [us-east-9]")


def test_zones_are_those_of_the_clients_region(cloud: Cloud) -> None:
    assert zones(cloud) == [f"ap-northeast-2{letter}" for letter in "abcd"]
    assert zones(cloud, AllAvailabilityZones=True) == zones(cloud)
    cloud.region = "us-east-1"
    assert zones(cloud) == [f"us-east-1{letter}" for letter in "abcdef"]


def test_a_zone_has_what_clients_read(cloud: Cloud) -> None:
    answer = cloud.call("DescribeAvailabilityZones", ZoneNames=["ap-northeast-2c"])
    assert answer["AvailabilityZones"] == [
        {
            "ZoneName": "ap-northeast-2c",
            "ZoneId": "apne2-az3",
            "ZoneType": "availability-zone",
            "RegionName": "ap-northeast-2",
            "GroupName": "ap-northeast-2-zg-1",
            "GroupLongName": "Asia Pacific (Seoul) 1",
            "NetworkBorderGroup": "ap-northeast-2",
            "OptInStatus": "opt-in-not-required",
            "State": "available",
            "Messages": [],
        }
    ]


@pytest.mark.parametrize(
    ("filters", "letters"),
    [
        ({"region-name": "ap-northeast-2"}, "abcd"),
        ({"region-name": "us-east-1"}, ""),
        ({"zone-name": "ap-northeast-2b"}, "b"),
        ({"zone-id": "apne2-az4"}, "d"),
        ({"state": "available", "zone-type": "availability-zone"}, "abcd"),
        ({"zone-type": "local-zone"}, ""),
        ({"group-name": "ap-northeast-2-zg-1"}, "abcd"),
        ({"opt-in-status": "opt-in-not-required"}, "abcd"),
        ({"message": "*"}, ""),
    ],
)
def test_zone_filters(cloud: Cloud, filters: dict[str, str], letters: str) -> None:
    expected = [f"ap-northeast-2{letter}" for letter in letters]
    assert zones(cloud, Filters=only(filters)) == expected


def test_zones_by_name_and_id(cloud: Cloud) -> None:
    assert zones(cloud, ZoneIds=["apne2-az2", "apne2-az1"]) == [
        "ap-northeast-2a",
        "ap-northeast-2b",
    ]
    assert refusal(cloud, "DescribeAvailabilityZones", ZoneNames=["us-east-1a"]) == (
        "InvalidParameterValue",
        "Invalid availability zone: [us-east-1a]",
    )
    assert refusal(cloud, "DescribeAvailabilityZones", ZoneIds=["use1-az1"]) == (
        "InvalidParameterValue",
        "Invalid availability zone-id: [use1-az1]",
    )


def test_account_attributes(cloud: Cloud) -> None:
    (vpc,) = cloud.call("DescribeVpcs")["Vpcs"]
    assert attributes(cloud) == {
        "supported-platforms": ["VPC"],
        "default-vpc": [vpc["VpcId"]],
        "max-instances": ["20"],
        "vpc-max-security-groups-per-interface": ["5"],
        "max-elastic-ips": ["5"],
        "vpc-max-elastic-ips": ["5"],
    }
    assert attributes(cloud, "max-instances", "supported-platforms") == {
        "max-instances": ["20"],
        "supported-platforms": ["VPC"],
    }
    assert refusal(cloud, "DescribeAccountAttributes", AttributeNames=["colour"]) == (
        "InvalidParameterValue",
        "Value (colour) for parameter attributeName is invalid",
    )


def test_there_may_be_no_default_vpc(cloud: Cloud) -> None:
    delete_default_vpc(cloud)
    assert attributes(cloud, "default-vpc") == {"default-vpc": ["none"]}


def delete_default_vpc(cloud: Cloud) -> None:
    """Take the default VPC apart as a client must."""
    (vpc,) = cloud.call("DescribeVpcs", Filters=only({"is-default": "true"}))["Vpcs"]
    for subnet in cloud.call("DescribeSubnets")["Subnets"]:
        cloud.call("DeleteSubnet", SubnetId=subnet["SubnetId"])
    for gateway in cloud.call("DescribeInternetGateways")["InternetGateways"]:
        key = gateway["InternetGatewayId"]
        cloud.call("DetachInternetGateway", InternetGatewayId=key, VpcId=vpc["VpcId"])
        cloud.call("DeleteInternetGateway", InternetGatewayId=key)
    cloud.call("DeleteVpc", VpcId=vpc["VpcId"])


def test_id_formats(cloud: Cloud) -> None:
    answer = cloud.call("DescribeIdFormat", Resource="vpc")
    assert answer["Statuses"] == [{"Resource": "vpc", "UseLongIds": True}]
    everything = cloud.call("DescribeIdFormat")["Statuses"]
    assert len(everything) > 30
    aggregate = cloud.call("DescribeAggregateIdFormat")
    assert aggregate == {"UseLongIdsAggregated": True, "Statuses": everything}
    assert refusal(cloud, "DescribeIdFormat", Resource="cat")[0] == "InvalidParameterValue"


def test_a_dry_run(cloud: Cloud) -> None:
    for action in ("DescribeRegions", "DescribeAccountAttributes"):
        assert refusal(cloud, action, DryRun=True)[0] == "DryRunOperation"
