"""Launch templates: versions and aliases, and instances that are launched from them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gureum.resources.launch_template import merge
from tests.conftest import Cloud
from tests.resources.building import make_group, make_subnet, make_vpc, only
from tests.resources.routing import refusal

NONE = "lt-00000000000000001"


def image(cloud: Cloud) -> str:
    answer = cloud.call("DescribeImages", Filters=only({"name": "gureum-base*"}))
    return str(answer["Images"][0]["ImageId"])


def make(cloud: Cloud, name: str = "web", **data: Any) -> str:
    """The id of a template."""
    whole = {"ImageId": image(cloud), "InstanceType": "t3.small"} | data
    answer = cloud.call("CreateLaunchTemplate", LaunchTemplateName=name, LaunchTemplateData=whole)
    return str(answer["LaunchTemplate"]["LaunchTemplateId"])


def add(cloud: Cloud, key: str, source: str | None = "$Latest", **data: Any) -> dict[str, Any]:
    more = {"SourceVersion": source} if source else {}
    answer = cloud.call(
        "CreateLaunchTemplateVersion", LaunchTemplateId=key, LaunchTemplateData=data, **more
    )
    return dict(answer["LaunchTemplateVersion"])


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    (found,) = cloud.call("DescribeLaunchTemplates", LaunchTemplateIds=[key])["LaunchTemplates"]
    return dict(found)


def numbers(cloud: Cloud, **params: Any) -> list[int]:
    answer = cloud.call("DescribeLaunchTemplateVersions", **params)
    return [item["VersionNumber"] for item in answer["LaunchTemplateVersions"]]


def launch(cloud: Cloud, key: str, version: str | None = None, **params: Any) -> dict[str, Any]:
    which = {"LaunchTemplateId": key} | ({"Version": version} if version else {})
    answer = cloud.call("RunInstances", LaunchTemplate=which, MinCount=1, MaxCount=1, **params)
    return dict(answer["Instances"][0])


# --- templates and versions ---------------------------------------------------------------------
def test_a_template_begins_with_version_one(cloud: Cloud) -> None:
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "team", "Value": "web"}]}]
    answer = cloud.call(
        "CreateLaunchTemplate",
        LaunchTemplateName="web",
        VersionDescription="first",
        LaunchTemplateData={"InstanceType": "t3.micro", "EbsOptimized": True},
        TagSpecifications=tags,
    )["LaunchTemplate"]
    assert answer["LaunchTemplateName"] == "web"
    assert (answer["DefaultVersionNumber"], answer["LatestVersionNumber"]) == (1, 1)
    assert answer["CreatedBy"] == "arn:aws:iam::123456789012:root"
    assert answer["Tags"] == [{"Key": "team", "Value": "web"}]
    by_name = cloud.call("DescribeLaunchTemplates", LaunchTemplateNames=["web"])
    assert [item["LaunchTemplateId"] for item in by_name["LaunchTemplates"]] == [
        answer["LaunchTemplateId"]
    ]
    (version,) = cloud.call("DescribeLaunchTemplateVersions", LaunchTemplateName="web")[
        "LaunchTemplateVersions"
    ]
    assert version["VersionDescription"] == "first"
    assert version["DefaultVersion"] is True
    assert version["LaunchTemplateData"] == {"InstanceType": "t3.micro", "EbsOptimized": True}


def test_versions_inherit_from_the_one_they_are_based_on(cloud: Cloud) -> None:
    devices = [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 3}}]
    key = make(cloud, BlockDeviceMappings=devices, Monitoring={"Enabled": True})
    second = add(cloud, key, InstanceType="t3.large")
    assert second["VersionNumber"] == 2
    assert second["DefaultVersion"] is False
    data = second["LaunchTemplateData"]
    assert (data["InstanceType"], data["Monitoring"]) == ("t3.large", {"Enabled": True})
    assert data["BlockDeviceMappings"] == [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3}}]
    third = add(cloud, key, None, InstanceType="t3.nano")
    assert third["LaunchTemplateData"] == {"InstanceType": "t3.nano"}
    assert (show(cloud, key)["DefaultVersionNumber"], show(cloud, key)["LatestVersionNumber"]) == (
        1,
        3,
    )


def test_which_versions_are_meant(cloud: Cloud) -> None:
    key = make(cloud)
    for size in ("t3.nano", "t3.micro", "t3.small"):
        add(cloud, key, InstanceType=size)
    modified = cloud.call("ModifyLaunchTemplate", LaunchTemplateId=key, DefaultVersion="2")
    assert modified["LaunchTemplate"]["DefaultVersionNumber"] == 2
    mine = {"LaunchTemplateId": key}
    assert numbers(cloud, **mine) == [4, 3, 2, 1]
    assert numbers(cloud, **mine, Versions=["$Latest"]) == [4]
    assert numbers(cloud, **mine, Versions=["$Default", "3"]) == [3, 2]
    assert numbers(cloud, **mine, MinVersion="2", MaxVersion="3") == [3, 2]
    assert numbers(cloud, **mine, Filters=only({"instance-type": "t3.nano"})) == [2]
    assert numbers(cloud, **mine, Filters=only({"is-default-version": "true"})) == [2]
    cloud.now = "2026-11-24T09:00:00.000Z"
    other = make(cloud, "data")
    assert numbers(cloud, Versions=["$Latest"]) == [4, 1]
    assert numbers(cloud, Versions=["$Default"]) == [2, 1]
    assert refusal(cloud, "DescribeLaunchTemplateVersions", **mine, Versions=["9"]) == (
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find the specified version 9 for the launch template with ID {key}.",
    )
    refused = refusal(cloud, "DescribeLaunchTemplateVersions", **mine, Versions=["new"])
    assert refused[0] == "InvalidParameterValue"
    assert refusal(cloud, "DescribeLaunchTemplateVersions")[0] == "MissingParameter"
    both = {"LaunchTemplateId": other, "LaunchTemplateName": "data"}
    refused = refusal(cloud, "DescribeLaunchTemplateVersions", **both)
    assert refused[0] == "InvalidParameterCombination"


def test_versions_are_deleted_but_not_the_default_one(cloud: Cloud) -> None:
    key = make(cloud)
    add(cloud, key, InstanceType="t3.nano")
    add(cloud, key, InstanceType="t3.micro")
    answer = cloud.call(
        "DeleteLaunchTemplateVersions", LaunchTemplateId=key, Versions=["1", "3", "7"]
    )
    done = [item["VersionNumber"] for item in answer["SuccessfullyDeletedLaunchTemplateVersions"]]
    failed = {
        item["VersionNumber"]: item["ResponseError"]["Code"]
        for item in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    }
    assert done == [3]
    assert failed == {1: "unexpectedError", 7: "launchTemplateVersionDoesNotExist"}
    assert show(cloud, key)["LatestVersionNumber"] == 2
    assert add(cloud, key, InstanceType="t3.large")["VersionNumber"] == 4


def test_a_deleted_template_is_gone_with_its_versions(cloud: Cloud) -> None:
    key = make(cloud)
    add(cloud, key, InstanceType="t3.nano")
    instance = launch(cloud, key)
    answer = cloud.call("DeleteLaunchTemplate", LaunchTemplateName="web")
    assert answer["LaunchTemplate"]["LaunchTemplateId"] == key
    assert refusal(cloud, "DescribeLaunchTemplates", LaunchTemplateIds=[key]) == (
        "InvalidLaunchTemplateId.NotFound",
        f"The specified launch template, with template ID {key}, does not exist.",
    )
    assert refusal(cloud, "DeleteLaunchTemplate", LaunchTemplateName="web") == (
        "InvalidLaunchTemplateName.NotFoundException",
        "The specified launch template, with template name web, does not exist.",
    )
    assert not [k for k in cloud.store.view.rows if k.startswith(f"{key}/")]
    cloud.call("DescribeInstances", InstanceIds=[instance["InstanceId"]])
    make(cloud)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"LaunchTemplateName": "we"}, "InvalidLaunchTemplateName.MalformedException"),
        ({"LaunchTemplateName": "we b"}, "InvalidLaunchTemplateName.MalformedException"),
        ({"LaunchTemplateName": "web"}, "InvalidLaunchTemplateName.AlreadyExistsException"),
        ({"LaunchTemplateData": {"UserData": "???"}}, "InvalidUserData.Malformed"),
    ],
)
def test_templates_that_cannot_be_made(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    make(cloud)
    data = {"InstanceType": "t3.micro"}
    whole = {"LaunchTemplateName": "other", "LaunchTemplateData": data} | params
    assert refusal(cloud, "CreateLaunchTemplate", **whole)[0] == code
    assert len(cloud.call("DescribeLaunchTemplates")["LaunchTemplates"]) == 1


# --- launches -----------------------------------------------------------------------------------
def test_an_instance_from_a_template(cloud: Cloud) -> None:
    script = base64.b64encode(b"#!/bin/sh\n").decode()
    tags = [
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
        {"ResourceType": "spot-instances-request", "Tags": [{"Key": "Name", "Value": "spot"}]},
    ]
    key = make(
        cloud,
        UserData=script,
        TagSpecifications=tags,
        MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 3},
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}],
    )
    made = launch(cloud, key)
    assert (made["InstanceType"], made["ImageId"]) == ("t3.small", image(cloud))
    assert made["MetadataOptions"]["HttpPutResponseHopLimit"] == 3
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == {
        "Name": "web",
        "aws:ec2launchtemplate:id": key,
        "aws:ec2launchtemplate:version": "1",
    }
    (volume,) = cloud.call("DescribeVolumes")["Volumes"]
    assert volume["Size"] == 20
    asked = {"InstanceId": made["InstanceId"], "Attribute": "userData"}
    assert cloud.call("DescribeInstanceAttribute", **asked)["UserData"]["Value"] == script


def test_the_request_has_the_last_word(cloud: Cloud) -> None:
    own = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    key = make(
        cloud,
        MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 3},
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp2"}},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}},
        ],
        TagSpecifications=own,
    )
    made = launch(
        cloud,
        key,
        InstanceType="t3.nano",
        MetadataOptions={"HttpTokens": "required"},
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30}}],
        Placement={"AvailabilityZone": ""},
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "one"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "one"}]},
        ],
    )
    assert made["InstanceType"] == "t3.nano"
    options = made["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 3)
    assert [tag["Value"] for tag in made["Tags"] if tag["Key"] == "Name"] == ["one"]
    volumes = cloud.call("DescribeVolumes")["Volumes"]
    assert sorted((each["Size"], each["VolumeType"]) for each in volumes) == [
        (1, "gp2"),
        (30, "gp2"),
    ]
    assert all(each["Tags"] == [{"Key": "of", "Value": "one"}] for each in volumes)


def test_versions_of_a_launch(cloud: Cloud) -> None:
    key = make(cloud)
    add(cloud, key, InstanceType="t3.nano")
    add(cloud, key, InstanceType="t3.large")
    cloud.call("ModifyLaunchTemplate", LaunchTemplateName="web", DefaultVersion="2")
    found = {
        version: launch(cloud, key, version)["InstanceType"]
        for version in (None, "$Default", "$Latest", "1")
    }
    assert found == {
        None: "t3.nano",
        "$Default": "t3.nano",
        "$Latest": "t3.large",
        "1": "t3.small",
    }
    which = {"LaunchTemplateName": "nobody"}
    refused = refusal(cloud, "RunInstances", LaunchTemplate=which, MinCount=1, MaxCount=1)
    assert refused[0] == "InvalidLaunchTemplateName.NotFoundException"
    which = {"LaunchTemplateId": NONE}
    refused = refusal(cloud, "RunInstances", LaunchTemplate=which, MinCount=1, MaxCount=1)
    assert refused[0] == "InvalidLaunchTemplateId.NotFound"


def test_interfaces_of_a_template(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet, group = make_subnet(cloud, vpc), make_group(cloud, vpc)
    interface = {"DeviceIndex": 0, "Groups": [group], "AssociatePublicIpAddress": False}
    key = make(cloud, NetworkInterfaces=[interface])
    made = launch(cloud, key, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet}])
    assert made["SubnetId"] == subnet
    assert [each["GroupId"] for each in made["SecurityGroups"]] == [group]
    which = {"LaunchTemplateId": key}
    refused = refusal(
        cloud, "RunInstances", LaunchTemplate=which, SubnetId=subnet, MinCount=1, MaxCount=1
    )
    assert refused[0] == "InvalidParameterCombination"
    assert refused[1].startswith("Network interfaces and an instance-level subnet ID may not be")


def test_the_parameters_of_an_instance_launch_another(cloud: Cloud) -> None:
    key = make(cloud, Monitoring={"Enabled": True})
    subnet = make_subnet(cloud, make_vpc(cloud))
    made = launch(cloud, key, SubnetId=subnet)
    data = cloud.call("GetLaunchTemplateData", InstanceId=made["InstanceId"])["LaunchTemplateData"]
    assert (data["InstanceType"], data["Monitoring"]) == ("t3.small", {"Enabled": True})
    (interface,) = data["NetworkInterfaces"]
    assert interface["SubnetId"] == subnet
    assert "TagSpecifications" not in data
    interface.pop("PrivateIpAddresses")
    data["MetadataOptions"].pop("State")
    copy = launch(cloud, make(cloud, "copy", **data))
    assert (copy["SubnetId"], copy["InstanceType"]) == (subnet, "t3.small")


# --- parameters of Systems Manager --------------------------------------------------------------
@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        (
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
            "al2023-ami-2023.9.20251105.0-kernel-6.1-x86_64",
        ),
        (
            "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-6.12-arm64",
            "al2023-ami-minimal-2023.9.20251105.0-kernel-6.12-arm64",
        ),
        (
            "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
            "amzn2-ami-hvm-2.0.20251103.0-x86_64-gp2",
        ),
        (
            "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
            "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20251022",
        ),
        ("/aws/service/debian/release/12/latest/amd64", "debian-12-amd64-20251006-2257"),
    ],
)
def test_an_image_by_its_public_parameter(cloud: Cloud, parameter: str, name: str) -> None:
    key = make(cloud, ImageId=f"resolve:ssm:{parameter}")
    asked = {"LaunchTemplateId": key, "ResolveAlias": True}
    (version,) = cloud.call("DescribeLaunchTemplateVersions", **asked)["LaunchTemplateVersions"]
    found = version["LaunchTemplateData"]["ImageId"]
    (shown,) = cloud.call("DescribeImages", ImageIds=[found])["Images"]
    assert shown["Name"] == name
    (version,) = cloud.call("DescribeLaunchTemplateVersions", LaunchTemplateId=key)[
        "LaunchTemplateVersions"
    ]
    assert version["LaunchTemplateData"]["ImageId"] == f"resolve:ssm:{parameter}"


def test_a_parameter_that_nobody_publishes(cloud: Cloud) -> None:
    which = {"LaunchTemplateId": make(cloud, ImageId="resolve:ssm:/mine")}
    refused = refusal(cloud, "RunInstances", LaunchTemplate=which, MinCount=1, MaxCount=1)
    assert refused[0] == "InvalidParameterValue"


def test_merging_says_nothing_by_an_empty_text() -> None:
    base = {"KeyName": "me", "Placement": {"Tenancy": "default", "GroupName": "g"}}
    given = {"KeyName": "", "Placement": {"GroupName": "h", "Affinity": ""}}
    assert merge(base, given) == {
        "KeyName": "me",
        "Placement": {"Tenancy": "default", "GroupName": "h", "Affinity": ""},
    }
