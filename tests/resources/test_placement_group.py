"""Placement groups, and instances in them."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.resources.instance import observed
from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.test_volume import run


def make(cloud: Cloud, name: str = "web", **params: Any) -> dict[str, Any]:
    answer = cloud.call("CreatePlacementGroup", GroupName=name, **params)["PlacementGroup"]
    settle(cloud)
    return dict(answer)


def groups(cloud: Cloud, **params: Any) -> list[dict[str, Any]]:
    return list(cloud.call("DescribePlacementGroups", **params)["PlacementGroups"])


def placement(cloud: Cloud, instance: str) -> dict[str, Any]:
    answer = cloud.call("DescribeInstances", InstanceIds=[instance])
    return dict(answer["Reservations"][0]["Instances"][0]["Placement"])


def launch(cloud: Cloud, **params: Any) -> tuple[str, str]:
    """How a launch with this placement is refused."""
    image = cloud.call("DescribeImages", Filters=only({"name": "gureum-base*"}))["Images"][0]
    whole = {"ImageId": image["ImageId"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    return refusal(cloud, "RunInstances", **(whole | params))


def test_a_group_is_pending_then_available_then_gone(cloud: Cloud) -> None:
    tags = [{"ResourceType": "placement-group", "Tags": [{"Key": "team", "Value": "web"}]}]
    answer = cloud.call(
        "CreatePlacementGroup", GroupName="web", Strategy="spread", TagSpecifications=tags
    )["PlacementGroup"]
    assert (answer["State"], answer["SpreadLevel"]) == ("pending", "rack")
    arn = "arn:aws:ec2:ap-northeast-2:123456789012:placement-group/web"
    assert answer["GroupArn"] == arn
    settle(cloud)
    (shown,) = groups(cloud, GroupNames=["web"])
    assert (shown["State"], shown["Tags"]) == ("available", [{"Key": "team", "Value": "web"}])
    assert groups(cloud, GroupIds=[shown["GroupId"]]) == [shown]
    assert groups(cloud, Filters=only({"strategy": "cluster"})) == []
    assert refusal(cloud, "CreatePlacementGroup", GroupName="web") == (
        "InvalidPlacementGroup.Duplicate",
        "The placement group 'web' already exists.",
    )
    cloud.call("DeletePlacementGroup", GroupName="web")
    assert groups(cloud)[0]["State"] == "deleting"
    settle(cloud)
    assert refusal(cloud, "DescribePlacementGroups", GroupNames=["web"]) == (
        "InvalidPlacementGroup.Unknown",
        "The Placement Group 'web' is unknown.",
    )
    refused = refusal(cloud, "DeletePlacementGroup", GroupName="web")
    assert refused[0] == "InvalidPlacementGroup.Unknown"


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({}, {"Strategy": "cluster"}),
        ({"Strategy": "spread", "SpreadLevel": "host"}, {"SpreadLevel": "host"}),
        ({"Strategy": "partition", "PartitionCount": 7}, {"PartitionCount": 7}),
        ({"Strategy": "partition"}, {"PartitionCount": 2}),
    ],
)
def test_strategies(cloud: Cloud, params: dict[str, Any], shown: dict[str, Any]) -> None:
    assert shown.items() <= make(cloud, **params).items()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"GroupName": ""}, "MissingParameter"),
        ({"Strategy": "partition", "PartitionCount": 8}, "InvalidParameterValue"),
        ({"Strategy": "spread", "PartitionCount": 2}, "InvalidParameterCombination"),
        ({"SpreadLevel": "rack"}, "InvalidParameterCombination"),
    ],
)
def test_groups_that_cannot_be_made(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    assert refusal(cloud, "CreatePlacementGroup", **({"GroupName": "g"} | params))[0] == code
    assert groups(cloud) == []


def test_an_instance_in_a_group(cloud: Cloud) -> None:
    key = make(cloud, Strategy="partition", PartitionCount=3)["GroupId"]
    place = {"GroupName": "web", "PartitionNumber": 2}
    instance = run_in(cloud, place)
    shown = placement(cloud, instance)
    assert (shown["GroupName"], shown["GroupId"], shown["PartitionNumber"]) == ("web", key, 2)
    found = cloud.call("DescribeInstances", Filters=only({"placement-group-name": "web"}))
    assert len(found["Reservations"]) == 1
    assert refusal(cloud, "DeletePlacementGroup", GroupName="web") == (
        "InvalidPlacementGroup.InUse",
        "The placement group 'web' is in use and may not be deleted.",
    )
    cloud.call("TerminateInstances", InstanceIds=[instance])
    cloud.system(observed, cloud.now, instance, "stopped")
    cloud.call("DeletePlacementGroup", GroupName="web")
    settle(cloud)
    assert placement(cloud, instance)["GroupName"] == ""


def run_in(cloud: Cloud, place: dict[str, Any], kind: str = "t3.micro") -> str:
    image = cloud.call("DescribeImages", Filters=only({"name": "gureum-base*"}))["Images"][0]
    answer = cloud.call(
        "RunInstances",
        ImageId=image["ImageId"],
        InstanceType=kind,
        MinCount=1,
        MaxCount=1,
        Placement=place,
    )
    return str(answer["Instances"][0]["InstanceId"])


def test_launches_into_groups_that_are_refused(cloud: Cloud) -> None:
    make(cloud, "near")
    make(cloud, "apart", Strategy="partition")
    for place, code in (
        ({"GroupName": "nobody"}, "InvalidPlacementGroup.Unknown"),
        ({"GroupId": "pg-00000000000000001"}, "InvalidPlacementGroup.Unknown"),
        ({"GroupName": "near"}, "InvalidParameterCombination"),
        ({"PartitionNumber": 1}, "InvalidParameterCombination"),
        ({"GroupName": "apart", "PartitionNumber": 3}, "InvalidParameterValue"),
    ):
        assert launch(cloud, Placement=place)[0] == code
    assert placement(cloud, run_in(cloud, {"GroupName": "near"}, "c5.large"))["GroupName"] == "near"
    types = cloud.call("DescribeInstanceTypes", InstanceTypes=["c5.large", "t3.micro"])
    strategies = [
        item["PlacementGroupInfo"]["SupportedStrategies"] for item in types["InstanceTypes"]
    ]
    assert strategies == [["cluster", "partition", "spread"], ["partition", "spread"]]


def test_a_stopped_instance_moves(cloud: Cloud) -> None:
    make(cloud, Strategy="partition")
    instance = run(cloud)
    move = {"InstanceId": instance, "GroupName": "web", "PartitionNumber": 1}
    assert refusal(cloud, "ModifyInstancePlacement", **move)[0] == "IncorrectInstanceState"
    cloud.call("StopInstances", InstanceIds=[instance])
    cloud.system(observed, cloud.now, instance, "stopped")
    assert cloud.call("ModifyInstancePlacement", **move)["Return"] is True
    assert placement(cloud, instance)["PartitionNumber"] == 1
    cloud.call("ModifyInstancePlacement", InstanceId=instance, PartitionNumber=2)
    assert placement(cloud, instance)["PartitionNumber"] == 2
    cloud.call("ModifyInstancePlacement", InstanceId=instance, GroupName="")
    assert placement(cloud, instance)["GroupName"] == ""
    refused = refusal(cloud, "ModifyInstancePlacement", InstanceId=instance, Tenancy="dedicated")
    assert refused[0] == "InvalidRequest"
