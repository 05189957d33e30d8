"""Volumes: their states, what each type can be, attached and detached, changed, encrypted."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.resources.instance import observed
from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal

ZONE = "ap-northeast-2a"
NONE = "vol-00000000000000001"


def make(cloud: Cloud, **params: Any) -> str:
    """The id of a volume that is ready."""
    whole = {"AvailabilityZone": ZONE, "Size": 8, "VolumeType": "gp3"} | params
    key = cloud.call("CreateVolume", **whole)["VolumeId"]
    settle(cloud)
    return str(key)


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    (found,) = cloud.call("DescribeVolumes", VolumeIds=[key])["Volumes"]
    return dict(found)


def run(cloud: Cloud, zone: str = ZONE, **params: Any) -> str:
    """The id of an instance that runs."""
    answer = cloud.call("DescribeImages", Filters=only({"name": "gureum-base*"}))
    made = cloud.call(
        "RunInstances",
        ImageId=answer["Images"][0]["ImageId"],
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        Placement={"AvailabilityZone": zone},
        **params,
    )["Instances"][0]["InstanceId"]
    cloud.system(observed, cloud.now, made, "running")
    return str(made)


def devices(cloud: Cloud, instance: str) -> dict[str, dict[str, Any]]:
    """What DescribeInstances shows as block devices, by name."""
    answer = cloud.call("DescribeInstances", InstanceIds=[instance])
    shown = answer["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    return {item["DeviceName"]: item["Ebs"] for item in shown}


def attach(cloud: Cloud, volume: str, instance: str, device: str = "/dev/sdf") -> dict[str, Any]:
    return cloud.call("AttachVolume", VolumeId=volume, InstanceId=instance, Device=device)


# --- states -------------------------------------------------------------------------------------
def test_a_volume_is_creating_then_available_then_gone(cloud: Cloud) -> None:
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "data"}]}]
    made = cloud.call("CreateVolume", AvailabilityZone=ZONE, Size=10, TagSpecifications=tags)
    assert made["State"] == "creating"
    assert (made["VolumeType"], made["Iops"], made["Encrypted"]) == ("gp2", 100, False)
    assert "Throughput" not in made
    key = made["VolumeId"]
    refused = refusal(cloud, "AttachVolume", VolumeId=key, InstanceId=run(cloud), Device="/dev/sdf")
    assert refused == ("IncorrectState", f"{key} is not 'available'.")
    settle(cloud)
    shown = show(cloud, key)
    assert shown["State"] == "available"
    assert shown["Tags"] == [{"Key": "Name", "Value": "data"}]
    assert shown["SnapshotId"] == ""
    cloud.call("DeleteVolume", VolumeId=key)
    assert show(cloud, key)["State"] == "deleting"
    settle(cloud)
    assert refusal(cloud, "DescribeVolumes", VolumeIds=[key]) == (
        "InvalidVolume.NotFound",
        f"The volume '{key}' does not exist.",
    )


def test_the_same_token_makes_one_volume(cloud: Cloud) -> None:
    params = {"AvailabilityZone": ZONE, "Size": 1, "ClientToken": "once"}
    first, second = (cloud.call("CreateVolume", **params)["VolumeId"] for _ in range(2))
    assert first == second
    code, _ = refusal(cloud, "CreateVolume", **(params | {"Size": 2}))
    assert code == "IdempotentParameterMismatch"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"Size": None}, "MissingParameter", "size or snapshotId"),
        ({"AvailabilityZone": "us-east-1a"}, "InvalidZone.NotFound", "'us-east-1a'"),
        ({"AvailabilityZone": None}, "MissingParameter", "availabilityZone"),
        ({"SnapshotId": "snap-00000000000000001"}, "InvalidSnapshot.NotFound", "snap-0000000000"),
        ({"Size": 65537}, "InvalidParameterValue", "too large"),
        ({"VolumeType": "st1", "Size": 124}, "InvalidParameterValue", "minimum is 125GiB"),
        ({"VolumeType": "io1"}, "MissingParameter", "iops"),
        ({"VolumeType": "io1", "Iops": 401}, "InvalidParameterValue", "ratio of 50.125"),
        ({"VolumeType": "gp2", "Iops": 400}, "InvalidParameterCombination", "iops"),
        ({"VolumeType": "gp2", "Throughput": 200}, "InvalidParameterCombination", "throughput"),
        ({"Iops": 2999}, "InvalidParameterValue", "minimum is 3000"),
        ({"Iops": 4001}, "InvalidParameterValue", "maximum is 500"),
        ({"Throughput": 124}, "InvalidParameterValue", "minimum is 125"),
        ({"Throughput": 751}, "InvalidParameterValue", "maximum is 0.25"),
        ({"MultiAttachEnabled": True}, "InvalidParameterCombination", "gp3"),
        ({"KmsKeyId": "alias/mine"}, "InvalidParameterDependency", "Encrypted"),
    ],
)
def test_what_no_volume_can_be(
    cloud: Cloud, params: dict[str, Any], code: str, message: str
) -> None:
    whole = {"AvailabilityZone": ZONE, "Size": 8, "VolumeType": "gp3"} | params
    given = {name: value for name, value in whole.items() if value is not None}
    found = refusal(cloud, "CreateVolume", **given)
    assert found[0] == code
    assert message in found[1]
    assert cloud.call("DescribeVolumes")["Volumes"] == []


@pytest.mark.parametrize(
    ("params", "iops", "throughput"),
    [
        ({"VolumeType": "gp3"}, 3000, 125),
        ({"VolumeType": "gp3", "Iops": 4000, "Throughput": 1000}, 4000, 1000),
        ({"VolumeType": "gp3", "Size": 1, "Iops": 3000}, 3000, 125),  # the least, however small
        ({"VolumeType": "gp2", "Size": 1000}, 3000, None),
        ({"VolumeType": "gp2", "Size": 16384}, 16000, None),
        ({"VolumeType": "io2", "Iops": 8000}, 8000, None),
        ({"VolumeType": "st1", "Size": 125}, None, None),
    ],
)
def test_what_a_type_gives(
    cloud: Cloud, params: dict[str, Any], iops: int | None, throughput: int | None
) -> None:
    shown = show(cloud, make(cloud, **params))
    assert (shown.get("Iops"), shown.get("Throughput")) == (iops, throughput)


# --- attachments --------------------------------------------------------------------------------
def test_attached_and_detached(cloud: Cloud) -> None:
    volume, instance = make(cloud), run(cloud)
    answer = attach(cloud, volume, instance)
    assert (answer["State"], answer["Device"]) == ("attaching", "/dev/sdf")
    settle(cloud)
    shown = show(cloud, volume)
    assert shown["State"] == "in-use"
    (attachment,) = shown["Attachments"]
    assert attachment["State"] == "attached"
    assert attachment["InstanceId"] == instance
    assert attachment["DeleteOnTermination"] is False
    assert list(devices(cloud, instance)) == ["/dev/xvda", "/dev/sdf"]
    assert devices(cloud, instance)["/dev/sdf"]["VolumeId"] == volume
    assert refusal(cloud, "DeleteVolume", VolumeId=volume) == (
        "VolumeInUse",
        f"Volume {volume} is currently attached to {instance}",
    )
    assert cloud.call("DetachVolume", VolumeId=volume)["State"] == "detaching"
    assert show(cloud, volume)["State"] == "in-use"
    settle(cloud)
    assert show(cloud, volume)["State"] == "available"
    assert list(devices(cloud, instance)) == ["/dev/xvda"]
    assert refusal(cloud, "DetachVolume", VolumeId=volume) == (
        "IncorrectState",
        f"Volume '{volume}' is in the 'available' state.",
    )


def test_what_cannot_be_attached(cloud: Cloud) -> None:
    volume, instance = make(cloud), run(cloud)
    elsewhere = make(cloud, AvailabilityZone="ap-northeast-2b")
    attach(cloud, volume, instance)
    settle(cloud)

    def refused(volume: str, instance: str, device: str = "/dev/sdg") -> tuple[str, str]:
        params = {"VolumeId": volume, "InstanceId": instance, "Device": device}
        return refusal(cloud, "AttachVolume", **params)

    other = run(cloud)
    assert refused(volume, other) == ("VolumeInUse", f"{volume} is already attached to an instance")
    assert refused(elsewhere, instance)[0] == "InvalidVolume.ZoneMismatch"
    assert refused(make(cloud), instance, "/dev/sdf") == (
        "InvalidParameterValue",
        "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use",
    )
    assert refused(make(cloud), instance, "disk")[0] == "InvalidParameterValue"
    assert refused(NONE, instance)[0] == "InvalidVolume.NotFound"
    assert refused(make(cloud), "i-00000000000000001")[0] == "InvalidInstanceID.NotFound"
    cloud.call("TerminateInstances", InstanceIds=[other])
    assert refused(make(cloud), other) == (
        "IncorrectState",
        f"Instance '{other}' is not 'running'.",
    )


def test_what_cannot_be_detached(cloud: Cloud) -> None:
    volume, instance, other = make(cloud), run(cloud), run(cloud)
    attach(cloud, volume, instance)
    settle(cloud)
    wrong = {"VolumeId": volume, "InstanceId": other}
    assert refusal(cloud, "DetachVolume", **wrong)[0] == "InvalidAttachment.NotFound"
    wrong = {"VolumeId": volume, "Device": "/dev/sdz"}
    assert refusal(cloud, "DetachVolume", **wrong)[0] == "InvalidAttachment.NotFound"
    root = devices(cloud, instance)["/dev/xvda"]["VolumeId"]
    assert refusal(cloud, "DetachVolume", VolumeId=root) == (
        "OperationNotPermitted",
        f"Unable to detach root volume '{root}' from instance '{instance}'",
    )
    cloud.call("StopInstances", InstanceIds=[instance])
    cloud.system(observed, cloud.now, instance, "stopped")
    cloud.call("DetachVolume", VolumeId=root)
    settle(cloud)
    code, message = refusal(cloud, "StartInstances", InstanceIds=[instance])
    assert code == "InvalidParameterValue"
    assert message.endswith("Instance does not have a volume attached at root (/dev/xvda)")
    attach(cloud, root, instance, "/dev/xvda")
    cloud.call("StartInstances", InstanceIds=[instance])


def test_several_instances_may_have_a_volume_that_allows_it(cloud: Cloud) -> None:
    volume = make(cloud, VolumeType="io2", Iops=100, MultiAttachEnabled=True)
    first, second = run(cloud), run(cloud)
    attach(cloud, volume, first)
    attach(cloud, volume, second)
    settle(cloud)
    assert {item["InstanceId"] for item in show(cloud, volume)["Attachments"]} == {first, second}
    assert refusal(cloud, "DetachVolume", VolumeId=volume)[0] == "MissingParameter"
    cloud.call("DetachVolume", VolumeId=volume, InstanceId=first)
    settle(cloud)
    assert [item["InstanceId"] for item in show(cloud, volume)["Attachments"]] == [second]
    cloud.call("TerminateInstances", InstanceIds=[second])
    cloud.system(observed, cloud.now, second, "stopped")
    assert show(cloud, volume)["State"] == "available"


def test_a_volume_that_others_have_does_not_go_with_one_instance(cloud: Cloud) -> None:
    volume = make(cloud, VolumeType="io2", Iops=100, MultiAttachEnabled=True)
    first, second = run(cloud), run(cloud)
    for each in (first, second):
        attach(cloud, volume, each)
        flag = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}]
        cloud.call("ModifyInstanceAttribute", InstanceId=each, BlockDeviceMappings=flag)
    for each in (first, second):
        (shown,) = cloud.call("DescribeVolumes", VolumeIds=[volume])["Volumes"]
        assert each in {item["InstanceId"] for item in shown["Attachments"]}
        cloud.call("TerminateInstances", InstanceIds=[each])
        cloud.system(observed, cloud.now, each, "stopped")
    assert refusal(cloud, "DescribeVolumes", VolumeIds=[volume])[0] == "InvalidVolume.NotFound"


def test_volumes_of_a_launch(cloud: Cloud) -> None:
    mappings = [
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "DeleteOnTermination": False}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "VolumeType": "gp3", "Iops": 4000}},
        {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 500, "VolumeType": "st1"}},
        {"DeviceName": "/dev/sdh", "VirtualName": "ephemeral0"},
    ]
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "launch"}]}]
    instance = run(cloud, BlockDeviceMappings=mappings[:2], TagSpecifications=tags)
    found = devices(cloud, instance)
    assert list(found) == ["/dev/xvda", "/dev/sdf"]
    root, data = (show(cloud, found[name]["VolumeId"]) for name in found)
    assert (root["Size"], root["VolumeType"], root["State"]) == (20, "gp3", "in-use")
    assert root["SnapshotId"].startswith("snap-")
    assert (data["Size"], data["Iops"], data["SnapshotId"]) == (10, 4000, "")
    assert root["Tags"] == data["Tags"] == [{"Key": "of", "Value": "launch"}]
    more = run(cloud, BlockDeviceMappings=mappings[2:])
    assert list(devices(cloud, more)) == ["/dev/xvda", "/dev/sdg"]
    cloud.call("TerminateInstances", InstanceIds=[instance])
    cloud.system(observed, cloud.now, instance, "stopped")
    assert show(cloud, root["VolumeId"])["State"] == "available"
    assert refusal(cloud, "DescribeVolumes", VolumeIds=[data["VolumeId"]])[0] == (
        "InvalidVolume.NotFound"
    )


@pytest.mark.parametrize(
    ("mappings", "code"),
    [
        ([{"DeviceName": "/dev/xvda", "NoDevice": ""}], "InvalidBlockDeviceMapping"),
        ([{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}], "InvalidBlockDeviceMapping"),
        (
            [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "sc1", "VolumeSize": 125}}],
            "InvalidBlockDeviceMapping",
        ),
        ([{"DeviceName": "/dev/sdf", "Ebs": {"VolumeType": "gp3"}}], "MissingParameter"),
        ([{"DeviceName": "/dev/sdf"}], "InvalidBlockDeviceMapping"),
        ([{"Ebs": {"VolumeSize": 1}}], "MissingParameter"),
        ([{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}] * 2, "InvalidBlockDeviceMapping"),
    ],
)
def test_mappings_that_no_instance_can_have(
    cloud: Cloud, mappings: list[dict[str, Any]], code: str
) -> None:
    image = cloud.call("DescribeImages", Filters=only({"name": "gureum-base*"}))["Images"][0]
    whole = {"ImageId": image["ImageId"], "MinCount": 1, "MaxCount": 1}
    found = refusal(cloud, "RunInstances", BlockDeviceMappings=mappings, **whole)
    assert found[0] == code
    assert cloud.call("DescribeInstances")["Reservations"] == []


def test_whether_a_volume_goes_with_its_instance_can_be_changed(cloud: Cloud) -> None:
    volume, instance = make(cloud), run(cloud)
    attach(cloud, volume, instance)
    settle(cloud)
    flag = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}]
    cloud.call("ModifyInstanceAttribute", InstanceId=instance, BlockDeviceMappings=flag)
    assert devices(cloud, instance)["/dev/sdf"]["DeleteOnTermination"] is True
    cloud.call("TerminateInstances", InstanceIds=[instance])
    cloud.system(observed, cloud.now, instance, "stopped")
    assert refusal(cloud, "DescribeVolumes", VolumeIds=[volume])[0] == "InvalidVolume.NotFound"


# --- changes ------------------------------------------------------------------------------------
def test_a_modification_passes_all_states(cloud: Cloud) -> None:
    key = make(cloud)
    assert cloud.call("DescribeVolumesModifications")["VolumesModifications"] == []
    answer = cloud.call("ModifyVolume", VolumeId=key, Size=20, VolumeType="io1", Iops=900)
    change = answer["VolumeModification"]
    assert change.pop("StartTime")
    assert change == {
        "VolumeId": key,
        "ModificationState": "modifying",
        "Progress": 0,
        "TargetSize": 20,
        "TargetIops": 900,
        "TargetVolumeType": "io1",
        "TargetMultiAttachEnabled": False,
        "OriginalSize": 8,
        "OriginalIops": 3000,
        "OriginalVolumeType": "gp3",
        "OriginalThroughput": 125,
        "OriginalMultiAttachEnabled": False,
    }
    assert refusal(cloud, "ModifyVolume", VolumeId=key, Size=30) == (
        "IncorrectModificationState",
        f"Cannot modify volume {key} in modification state MODIFYING",
    )
    states = []
    for _ in range(3):
        settle(cloud, times=1)
        (found,) = cloud.call("DescribeVolumesModifications", VolumeIds=[key])[
            "VolumesModifications"
        ]
        states.append((found["ModificationState"], found["Progress"], "EndTime" in found))
    assert states == [
        ("optimizing", 50, False),
        ("completed", 100, True),
        ("completed", 100, True),
    ]
    assert (show(cloud, key)["Size"], show(cloud, key)["VolumeType"]) == (20, "io1")
    filters = only({"modification-state": "completed", "target-volume-type": "io1"})
    answer = cloud.call("DescribeVolumesModifications", Filters=filters)
    assert [item["VolumeId"] for item in answer["VolumesModifications"]] == [key]


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({"VolumeType": "gp2", "Size": 100}, {"Size": 200}, ("gp2", 600, None)),
        ({"VolumeType": "gp2"}, {"VolumeType": "gp3"}, ("gp3", 3000, 125)),
        ({"Iops": 4000, "Throughput": 200}, {"Size": 9}, ("gp3", 4000, 200)),
        ({"Size": 100}, {"VolumeType": "io2"}, ("io2", 3000, None)),
        ({"Size": 200}, {"VolumeType": "st1"}, ("st1", None, None)),
    ],
)
def test_what_is_not_given_stays(
    cloud: Cloud,
    before: dict[str, Any],
    change: dict[str, Any],
    after: tuple[str, int | None, int | None],
) -> None:
    key = make(cloud, **before)
    cloud.call("ModifyVolume", VolumeId=key, **change)
    shown = show(cloud, key)
    assert (shown["VolumeType"], shown.get("Iops"), shown.get("Throughput")) == after


def test_a_volume_does_not_shrink(cloud: Cloud) -> None:
    key = make(cloud)
    assert refusal(cloud, "ModifyVolume", VolumeId=key, Size=7) == (
        "InvalidParameterValue",
        "New size cannot be smaller than existing size",
    )
    assert refusal(cloud, "ModifyVolume", VolumeId=NONE)[0] == "InvalidVolume.NotFound"


# --- status and attributes ----------------------------------------------------------------------
def test_status_and_attributes(cloud: Cloud) -> None:
    keys = [make(cloud) for _ in range(2)]
    statuses = cloud.call("DescribeVolumeStatus", VolumeIds=keys[:1])["VolumeStatuses"]
    assert [item["VolumeId"] for item in statuses] == keys[:1]
    assert statuses[0]["VolumeStatus"]["Status"] == "ok"
    filters = only({"volume-status.status": "impaired"})
    assert cloud.call("DescribeVolumeStatus", Filters=filters)["VolumeStatuses"] == []
    cloud.call("ModifyVolumeAttribute", VolumeId=keys[0], AutoEnableIO={"Value": True})
    asked = {"VolumeId": keys[0], "Attribute": "autoEnableIO"}
    assert cloud.call("DescribeVolumeAttribute", **asked)["AutoEnableIO"] == {"Value": True}
    cloud.call("EnableVolumeIO", VolumeId=keys[0])
    assert cloud.call("ListVolumesInRecycleBin")["Volumes"] == []
    refused = refusal(cloud, "RestoreVolumeFromRecycleBin", VolumeId=NONE)
    assert refused[0] == "InvalidVolume.NotFound"


def test_pages_and_filters(cloud: Cloud) -> None:
    keys = []
    for number in range(12):
        cloud.now = f"2026-11-24T08:00:{number:02}.000Z"
        keys.append(make(cloud, Size=number + 1))
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = cloud.call("DescribeVolumes", MaxResults=5, **token)
        found += [item["VolumeId"] for item in answer["Volumes"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert found == keys
    answer = cloud.call("DescribeVolumes", Filters=only({"size": ["3", "11"], "status": "avail*"}))
    assert [item["VolumeId"] for item in answer["Volumes"]] == [keys[2], keys[10]]


# --- encryption ---------------------------------------------------------------------------------
def test_encryption_by_default(cloud: Cloud) -> None:
    assert cloud.call("GetEbsEncryptionByDefault")["EbsEncryptionByDefault"] is False
    assert cloud.call("GetEbsDefaultKmsKeyId")["KmsKeyId"] == "alias/aws/ebs"
    before = make(cloud)
    assert cloud.call("EnableEbsEncryptionByDefault")["EbsEncryptionByDefault"] is True
    assert cloud.call("GetEbsEncryptionByDefault")["EbsEncryptionByDefault"] is True
    shown = show(cloud, make(cloud))
    assert shown["Encrypted"] is True
    default = shown["KmsKeyId"]
    assert default.startswith("arn:aws:kms:ap-northeast-2:123456789012:key/")
    arn = "arn:aws:kms:ap-northeast-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    key = "1234abcd-12ab-34cd-56ef-1234567890ab"
    assert cloud.call("ModifyEbsDefaultKmsKeyId", KmsKeyId=key)["KmsKeyId"] == arn
    assert show(cloud, make(cloud))["KmsKeyId"] == arn
    assert cloud.call("ResetEbsDefaultKmsKeyId")["KmsKeyId"] == "alias/aws/ebs"
    assert show(cloud, make(cloud))["KmsKeyId"] == default
    elsewhere = Cloud(region="us-east-1")
    assert elsewhere.call("GetEbsEncryptionByDefault")["EbsEncryptionByDefault"] is False
    cloud.call("DisableEbsEncryptionByDefault")
    assert show(cloud, make(cloud))["Encrypted"] is False
    assert show(cloud, before)["Encrypted"] is False
