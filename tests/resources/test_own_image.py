"""Images of one's own: registered, made from instances, copied, shared, disabled, protected."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.resources.image import find_image, set_aliases
from gureum.resources.instance import observed
from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.test_snapshot import FRIEND, as_friend, own, take
from tests.resources.test_volume import attach, devices, make, run


def root_snapshot(cloud: Cloud, **params: Any) -> str:
    """A snapshot of the root volume of an instance."""
    instance = run(cloud, **params)
    return take(cloud, devices(cloud, instance)["/dev/xvda"]["VolumeId"])


def register(cloud: Cloud, name: str = "mine", snapshot: str | None = None, **params: Any) -> str:
    """The id of an image of one's own that is available."""
    root = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot or root_snapshot(cloud)}}
    whole = {
        "Name": name,
        "RootDeviceName": "/dev/xvda",
        "Architecture": "x86_64",
        "BlockDeviceMappings": [root],
    } | params
    key = str(cloud.call("RegisterImage", **whole)["ImageId"])
    settle(cloud)
    return key


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    (found,) = cloud.call("DescribeImages", ImageIds=[key])["Images"]
    return dict(found)


def mine(cloud: Cloud, **params: Any) -> list[str]:
    answer = cloud.call("DescribeImages", **({"Owners": ["self"]} | params))
    return [item["ImageId"] for item in answer["Images"]]


def launch(cloud: Cloud, image: str, **params: Any) -> str:
    whole = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1} | params
    return str(cloud.call("RunInstances", **whole)["Instances"][0]["InstanceId"])


# --- registered ---------------------------------------------------------------------------------
def test_registered_from_a_snapshot(cloud: Cloud) -> None:
    snapshot = root_snapshot(cloud)
    mappings = [
        {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, "VolumeType": "gp3"}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 4}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
    ]
    tags = [{"ResourceType": "image", "Tags": [{"Key": "Name", "Value": "golden"}]}]
    answer = cloud.call(
        "RegisterImage",
        Name="golden",
        Description="of the year",
        RootDeviceName="/dev/xvda",
        Architecture="x86_64",
        VirtualizationType="hvm",
        EnaSupport=True,
        SriovNetSupport="simple",
        BlockDeviceMappings=mappings,
        TagSpecifications=tags,
    )
    key = answer["ImageId"]
    assert show(cloud, key)["State"] == "pending"
    refused = refusal(cloud, "RunInstances", ImageId=key, MinCount=1, MaxCount=1)
    assert refused[0] == "InvalidAMIID.Unavailable"
    settle(cloud)
    shown = show(cloud, key)
    expected = {
        "State": "available",
        "Name": "golden",
        "Description": "of the year",
        "OwnerId": cloud.account,
        "ImageLocation": f"{cloud.account}/golden",
        "Public": False,
        "Architecture": "x86_64",
        "EnaSupport": True,
        "Tags": [{"Key": "Name", "Value": "golden"}],
        "DeregistrationProtection": "disabled",
    }
    assert expected.items() <= shown.items()
    assert [each["DeviceName"] for each in shown["BlockDeviceMappings"]] == [
        "/dev/xvda",
        "/dev/sdf",
    ]
    root = shown["BlockDeviceMappings"][0]["Ebs"]
    assert (root["SnapshotId"], root["VolumeSize"]) == (snapshot, 8)
    made = launch(cloud, key)
    assert list(devices(cloud, made)) == ["/dev/xvda", "/dev/sdf"]
    assert cloud.system(find_image, key).machine_image == "gureum-base"
    assert mine(cloud, Filters=only({"block-device-mapping.snapshot-id": snapshot})) == [key]
    assert refusal(cloud, "DeleteSnapshot", SnapshotId=snapshot) == (
        "InvalidSnapshot.InUse",
        f"The snapshot {snapshot} is currently in use by {key}",
    )
    cloud.call("DeregisterImage", ImageId=key)
    assert refusal(cloud, "DescribeImages", ImageIds=[key])[0] == "InvalidAMIID.NotFound"
    cloud.call("DescribeInstances", InstanceIds=[made])
    cloud.call("DeleteSnapshot", SnapshotId=snapshot)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "min"}, "InvalidAMIName.Duplicate"),
        ({"Name": "a*b"}, "InvalidAMIName.Malformed"),
        ({"RootDeviceName": "/dev/sda1"}, "InvalidBlockDeviceMapping"),
        ({"VirtualizationType": "paravirtual"}, "InvalidParameterValue"),
        (
            {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}]},
            "InvalidBlockDeviceMapping",
        ),
        (
            {
                "BlockDeviceMappings": [
                    {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-00000000000000001"}}
                ]
            },
            "InvalidSnapshot.NotFound",
        ),
    ],
)
def test_images_that_cannot_be_registered(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    snapshot = root_snapshot(cloud)
    register(cloud, "min", snapshot)
    root = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
    whole = {"Name": "new", "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": [root]}
    assert refusal(cloud, "RegisterImage", **(whole | params))[0] == code
    assert len(mine(cloud)) == 1


# --- made from an instance ----------------------------------------------------------------------
def test_made_from_an_instance_with_all_its_volumes(cloud: Cloud) -> None:
    instance = run(
        cloud, BlockDeviceMappings=[{"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 2}}]
    )
    attach(cloud, make(cloud, Size=3, Encrypted=True), instance)
    settle(cloud)
    tags = [
        {"ResourceType": "image", "Tags": [{"Key": "of", "Value": "image"}]},
        {"ResourceType": "snapshot", "Tags": [{"Key": "of", "Value": "snapshot"}]},
    ]
    key = cloud.call(
        "CreateImage",
        InstanceId=instance,
        Name="backup",
        TagSpecifications=tags,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdg", "NoDevice": ""}],
    )["ImageId"]
    settle(cloud)
    shown = show(cloud, key)
    assert (shown["State"], shown["SourceInstanceId"]) == ("available", instance)
    assert shown["Tags"] == [{"Key": "of", "Value": "image"}]
    found = {item["DeviceName"]: item["Ebs"] for item in shown["BlockDeviceMappings"]}
    assert set(found) == {"/dev/xvda", "/dev/sdf"}
    assert found["/dev/sdf"]["Encrypted"] is True
    assert found["/dev/sdf"]["DeleteOnTermination"] is False
    (taken,) = cloud.call("DescribeSnapshots", SnapshotIds=[found["/dev/sdf"]["SnapshotId"]])[
        "Snapshots"
    ]
    assert (taken["VolumeSize"], taken["Tags"]) == (3, [{"Key": "of", "Value": "snapshot"}])
    copy = launch(cloud, key)
    assert set(devices(cloud, copy)) == {"/dev/xvda", "/dev/sdf"}
    answer = cloud.call("DeregisterImage", ImageId=key, DeleteAssociatedSnapshots=True)
    codes = {item["ReturnCode"] for item in answer["DeleteSnapshotResults"]}
    assert (codes, own(cloud)) == ({"success"}, [])


def test_an_instance_reboots_for_its_image_unless_told_not_to(cloud: Cloud) -> None:
    instance = run(cloud)

    def boots() -> int:
        return int(cloud.store.view.rows[instance].boot)  # type: ignore[attr-defined]

    cloud.call("CreateImage", InstanceId=instance, Name="quiet", NoReboot=True)
    assert boots() == 1
    cloud.call("CreateImage", InstanceId=instance, Name="loud")
    assert boots() == 2
    refused = refusal(cloud, "CreateImage", InstanceId=instance, Name="loud")
    assert refused[0] == "InvalidAMIName.Duplicate"
    cloud.call("TerminateInstances", InstanceIds=[instance])
    refused = refusal(cloud, "CreateImage", InstanceId=instance, Name="late")
    assert refused[0] == "IncorrectState"
    cloud.system(observed, cloud.now, instance, "stopped")


# --- copied -------------------------------------------------------------------------------------
def test_copied_to_another_region(cloud: Cloud) -> None:
    tags = [{"ResourceType": "image", "Tags": [{"Key": "Name", "Value": "golden"}]}]
    key = register(cloud, TagSpecifications=tags)
    there = Cloud(region="us-east-1")
    there.store, there.dispatch = cloud.store, cloud.dispatch
    params = {"SourceRegion": cloud.region, "SourceImageId": key, "Name": "copy"}
    copy = there.call("CopyImage", **params, CopyImageTags=True, Encrypted=True)["ImageId"]
    settle(there)
    shown = show(there, copy)
    assert (shown["SourceImageId"], shown["SourceImageRegion"]) == (key, cloud.region)
    assert shown["Tags"] == [{"Key": "Name", "Value": "golden"}]
    (device,) = shown["BlockDeviceMappings"]
    assert device["Ebs"]["Encrypted"] is True
    assert own(there) == [device["Ebs"]["SnapshotId"]]
    chain = there.call("GetImageAncestry", ImageId=copy)["ImageAncestryEntries"]
    assert [entry["ImageId"] for entry in chain] == [copy, key]
    launch(there, copy)
    public = cloud.call("DescribeImages", Filters=only({"name": "al2023-ami-2023.9*-6.1-x86_64"}))
    params = {
        "SourceRegion": cloud.region,
        "SourceImageId": public["Images"][0]["ImageId"],
        "Name": "al2023",
    }
    made = there.call("CopyImage", **params)["ImageId"]
    assert there.system(find_image, made).machine_image == "debian-12"
    wrong = params | {"SourceImageId": "ami-00000000000000001", "Name": "none"}
    assert refusal(there, "CopyImage", **wrong)[0] == "InvalidAMIID.NotFound"


# --- shared -------------------------------------------------------------------------------------
def test_shared_with_an_account(cloud: Cloud) -> None:
    friend, key = as_friend(cloud), register(cloud)
    assert refusal(friend, "DescribeImages", ImageIds=[key])[0] == "InvalidAMIID.NotFound"
    grant = {"Add": [{"UserId": FRIEND}]}
    cloud.call("ModifyImageAttribute", ImageId=key, LaunchPermission=grant)
    asked = {"ImageId": key, "Attribute": "launchPermission"}
    answer = cloud.call("DescribeImageAttribute", **asked)
    assert answer["LaunchPermissions"] == [{"UserId": FRIEND}]
    listed = friend.call("DescribeImages", ExecutableUsers=["self"])["Images"]
    assert [item["ImageId"] for item in listed] == [key]
    launch(friend, key)
    for refused in (
        refusal(friend, "DescribeImageAttribute", **asked),
        refusal(friend, "DeregisterImage", ImageId=key),
        refusal(friend, "ModifyImageAttribute", ImageId=key, Description={"Value": "x"}),
    ):
        assert refused[0] == "AuthFailure"
    friend.call("CancelImageLaunchPermission", ImageId=key)
    assert refusal(friend, "DescribeImages", ImageIds=[key])[0] == "InvalidAMIID.NotFound"
    cloud.call("ModifyImageAttribute", ImageId=key, LaunchPermission=grant)
    cloud.call("ResetImageAttribute", **asked)
    assert cloud.call("DescribeImageAttribute", **asked)["LaunchPermissions"] == []


def test_public_only_where_that_is_not_blocked(cloud: Cloud) -> None:
    friend, key = as_friend(cloud), register(cloud)
    public = {
        "ImageId": key,
        "Attribute": "launchPermission",
        "OperationType": "add",
        "UserGroups": ["all"],
    }
    state = cloud.call("GetImageBlockPublicAccessState")["ImageBlockPublicAccessState"]
    assert state == "block-new-sharing"
    assert refusal(cloud, "ModifyImageAttribute", **public)[0] == "OperationNotPermitted"
    cloud.call("DisableImageBlockPublicAccess")
    cloud.call("ModifyImageAttribute", **public)
    assert show(friend, key)["Public"] is True
    cloud.call("EnableImageBlockPublicAccess", ImageBlockPublicAccessState="block-new-sharing")
    assert show(friend, key)["Public"] is True
    cloud.call("ModifyImageAttribute", **(public | {"OperationType": "remove"}))
    assert refusal(friend, "DescribeImages", ImageIds=[key])[0] == "InvalidAMIID.NotFound"


def test_attributes(cloud: Cloud) -> None:
    key = register(cloud)
    arn = "arn:aws:organizations::123456789012:ou/o-1/ou-1"
    cloud.call("ModifyImageAttribute", ImageId=key, Description={"Value": "better"})
    cloud.call("ModifyImageAttribute", ImageId=key, ImdsSupport={"Value": "v2.0"})
    cloud.call(
        "ModifyImageAttribute", ImageId=key, OperationType="add", OrganizationalUnitArns=[arn]
    )
    shown = show(cloud, key)
    assert (shown["Description"], shown["ImdsSupport"]) == ("better", "v2.0")
    asked = {"ImageId": key, "Attribute": "launchPermission"}
    answer = cloud.call("DescribeImageAttribute", **asked)
    assert answer["LaunchPermissions"] == [{"OrganizationalUnitArn": arn}]
    both = {"Description": {"Value": "x"}, "ImdsSupport": {"Value": "v2.0"}}
    for params, code in (
        (both, "InvalidParameterCombination"),
        ({}, "InvalidParameterCombination"),
        ({"UserIds": [FRIEND]}, "MissingParameter"),
        ({"UserIds": ["me"], "OperationType": "add"}, "InvalidUserID.Malformed"),
        ({"Attribute": "kernel", "Value": "aki-1"}, "InvalidParameterValue"),
    ):
        assert refusal(cloud, "ModifyImageAttribute", ImageId=key, **params)[0] == code


def test_a_shared_image_brings_its_own_snapshot_only(cloud: Cloud) -> None:
    """Who may launch an image may use its snapshots, and no others of its owner."""
    friend, private = as_friend(cloud), root_snapshot(cloud)
    key = register(cloud)
    grant = {"Add": [{"UserId": FRIEND}]}
    cloud.call("ModifyImageAttribute", ImageId=key, LaunchPermission=grant)
    launch(friend, key)
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": private}}
    whole = {"ImageId": key, "MinCount": 1, "MaxCount": 1, "BlockDeviceMappings": [mapping]}
    assert refusal(friend, "RunInstances", **whole)[0] == "InvalidSnapshot.NotFound"


def test_a_snapshot_that_another_image_has_stays(cloud: Cloud) -> None:
    snapshot = root_snapshot(cloud)
    first, second = register(cloud, "first", snapshot), register(cloud, "second", snapshot)
    codes = []
    for key in (first, second):
        answer = cloud.call("DeregisterImage", ImageId=key, DeleteAssociatedSnapshots=True)
        codes += [item["ReturnCode"] for item in answer["DeleteSnapshotResults"]]
    assert codes == ["skipped", "success"]
    assert own(cloud) == []


# --- states -------------------------------------------------------------------------------------
def test_a_disabled_image_is_not_launched_and_not_listed(cloud: Cloud) -> None:
    key = register(cloud)
    grant = {"Add": [{"UserId": FRIEND}]}
    cloud.call("ModifyImageAttribute", ImageId=key, LaunchPermission=grant)
    cloud.call("DisableImage", ImageId=key)
    assert mine(cloud) == []
    assert mine(cloud, IncludeDisabled=True) == [key]
    assert show(cloud, key)["State"] == "disabled"
    refused = refusal(cloud, "RunInstances", ImageId=key, MinCount=1, MaxCount=1)
    assert refused[0] == "InvalidAMIID.Unavailable"
    cloud.call("EnableImage", ImageId=key)
    assert mine(cloud) == [key]
    assert refusal(as_friend(cloud), "DescribeImages", ImageIds=[key])[0] == "InvalidAMIID.NotFound"


def test_an_image_that_is_out_of_date_is_hidden_from_others(cloud: Cloud) -> None:
    friend, key = as_friend(cloud), register(cloud)
    grant = {"Add": [{"UserId": FRIEND}]}
    cloud.call("ModifyImageAttribute", ImageId=key, LaunchPermission=grant)
    cloud.call("EnableImageDeprecation", ImageId=key, DeprecateAt="2026-11-25T00:00:31Z")
    assert show(cloud, key)["DeprecationTime"] == "2026-11-25T00:01:00.000Z"
    past = {"ImageId": key, "DeprecateAt": "2026-11-23T00:00:00Z"}
    assert refusal(cloud, "EnableImageDeprecation", **past)[0] == "InvalidParameterValue"
    owners = {"Owners": [cloud.account]}
    assert mine(friend, **owners) == [key]
    friend.now = cloud.now = "2026-11-25T00:01:00.000Z"
    friend.dispatch.clock = cloud.dispatch.clock = lambda: "2026-11-25T00:01:00.000Z"
    assert mine(friend, **owners) == []
    assert mine(friend, **owners, IncludeDeprecated=True) == [key]
    assert show(friend, key)["ImageId"] == key
    assert mine(cloud) == [key]
    cloud.call("DisableImageDeprecation", ImageId=key)
    assert "DeprecationTime" not in show(cloud, key)
    assert mine(friend, **owners) == [key]


def test_a_protected_image_is_not_deregistered(cloud: Cloud) -> None:
    key = register(cloud)
    answer = cloud.call("EnableImageDeregistrationProtection", ImageId=key)
    assert answer["Return"] == "enabled"
    assert show(cloud, key)["DeregistrationProtection"] == "enabled"
    assert refusal(cloud, "DeregisterImage", ImageId=key)[0] == "OperationNotPermitted"
    cloud.call("DisableImageDeregistrationProtection", ImageId=key)
    cloud.call("EnableImageDeregistrationProtection", ImageId=key, WithCooldown=True)
    cloud.call("DisableImageDeregistrationProtection", ImageId=key)
    assert refusal(cloud, "DeregisterImage", ImageId=key)[0] == "OperationNotPermitted"
    cloud.now = "2026-11-25T08:00:00.000Z"
    cloud.call("DeregisterImage", ImageId=key)
    assert mine(cloud) == []
    assert cloud.call("ListImagesInRecycleBin")["Images"] == []
    refused = refusal(cloud, "RestoreImageFromRecycleBin", ImageId=key)
    assert refused[0] == "InvalidAMIID.NotFound"


# --- allowed images -----------------------------------------------------------------------------
def test_allowed_images(cloud: Cloud) -> None:
    key = register(cloud)
    answer = cloud.call("DescribeImages", Filters=only({"name": "ubuntu*jammy*amd64*"}))
    ubuntu = answer["Images"][0]["ImageId"]
    assert "ImageAllowed" not in answer["Images"][0]
    instance = launch(cloud, ubuntu)
    criteria = [{"ImageProviders": ["amazon"], "ImageNames": ["al2023-*"]}]
    cloud.call("ReplaceImageCriteriaInAllowedImagesSettings", ImageCriteria=criteria)
    cloud.call("EnableAllowedImagesSettings", AllowedImagesSettingsState="audit-mode")
    settings = cloud.call("GetAllowedImagesSettings")
    assert (settings["State"], settings["ImageCriteria"]) == ("audit-mode", criteria)
    assert show(cloud, ubuntu)["ImageAllowed"] is False
    assert show(cloud, key)["ImageAllowed"] is True
    asked = {"InstanceIds": [instance], "Filters": only({"image-allowed": "false"})}
    (told,) = cloud.call("DescribeInstanceImageMetadata", **asked)["InstanceImageMetadata"]
    assert told["ImageMetadata"]["ImageId"] == ubuntu
    launch(cloud, ubuntu)
    cloud.call("EnableAllowedImagesSettings", AllowedImagesSettingsState="enabled")
    names = {item["Name"] for item in cloud.call("DescribeImages")["Images"]}
    assert "mine" in names
    assert all(name.startswith("al2023-") for name in names - {"mine"})
    refused = refusal(cloud, "RunInstances", ImageId=ubuntu, MinCount=1, MaxCount=1)
    assert refused[0] == "InvalidAMIID.NotFound"
    launch(cloud, key)
    young = [{"CreationDateCondition": {"MaximumDaysSinceCreated": 400}}]
    cloud.call("ReplaceImageCriteriaInAllowedImagesSettings", ImageCriteria=young)
    names = {item["Name"] for item in cloud.call("DescribeImages", Owners=["amazon"])["Images"]}
    assert any("2023.9" in name for name in names)
    assert not any("2023.8" in name for name in names)
    cloud.call("DisableAllowedImagesSettings")
    launch(cloud, ubuntu)


# --- architectures and aliases ------------------------------------------------------------------
def test_an_image_of_another_architecture_is_not_launched(cloud: Cloud) -> None:
    answer = cloud.call("DescribeImages", Filters=only({"architecture": "arm64"}))
    key = answer["Images"][0]["ImageId"]
    code, message = refusal(cloud, "RunInstances", ImageId=key, MinCount=1, MaxCount=1)
    assert code == "InvalidParameterValue"
    assert message.startswith(
        "The architecture 'x86_64' of the specified instance type does not match the architecture "
        "'arm64' of the specified AMI."
    )


def test_ids_of_others_stand_for_images_here(cloud: Cloud) -> None:
    foreign = "ami-0c55b159cbfafe1f0"
    refused = refusal(cloud, "RunInstances", ImageId=foreign, MinCount=1, MaxCount=1)
    assert refused[0] == "InvalidAMIID.NotFound"
    cloud.system(set_aliases, [(foreign, "debian-12")], cloud.now)
    for where in (cloud, Cloud(region="us-east-1")):
        where.store, where.dispatch = cloud.store, cloud.dispatch
        assert show(where, foreign)["State"] == "available"
        launch(where, foreign)
    assert cloud.system(find_image, foreign).machine_image == "debian-12"
    cloud.system(set_aliases, [], cloud.now)
    assert refusal(cloud, "DescribeImages", ImageIds=[foreign])[0] == "InvalidAMIID.NotFound"
