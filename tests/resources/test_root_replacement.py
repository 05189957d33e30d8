"""Root volumes that are replaced, copies of volumes, and what a Mac would be asked."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Machine
from gureum.resources.instance import observed
from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.test_snapshot import take
from tests.resources.test_volume import ZONE, attach, devices, make, run, show

ROOT = "/dev/xvda"


def root(cloud: Cloud, instance: str) -> str:
    return str(devices(cloud, instance)[ROOT]["VolumeId"])


def replaced(cloud: Cloud, instance: str, **more: Any) -> dict[str, Any]:
    answer = cloud.call("CreateReplaceRootVolumeTask", InstanceId=instance, **more)
    return dict(answer["ReplaceRootVolumeTask"])


def task(cloud: Cloud, key: str) -> dict[str, Any]:
    answer = cloud.call("DescribeReplaceRootVolumeTasks", ReplaceRootVolumeTaskIds=[key])
    (found,) = answer["ReplaceRootVolumeTasks"]
    return dict(found)


def machine(cloud: Cloud, key: str) -> Machine:
    (found,) = (
        each for each in cloud.program().statements if isinstance(each, Machine) and each.id == key
    )
    return found


def test_back_to_the_launch_state(cloud: Cloud) -> None:
    instance = run(cloud)
    first, before = root(cloud, instance), machine(cloud, instance)
    tags = [{"ResourceType": "replace-root-volume-task", "Tags": [{"Key": "a", "Value": "b"}]}]
    made = replaced(cloud, instance, TagSpecifications=tags)
    key = made["ReplaceRootVolumeTaskId"]
    assert key.startswith("replacevol-")
    assert made == {
        "ReplaceRootVolumeTaskId": key,
        "InstanceId": instance,
        "TaskState": "pending",
        "StartTime": cloud.now,
        "SnapshotId": show(cloud, first)["SnapshotId"],
        "DeleteReplacedRootVolume": False,
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    second, after = root(cloud, instance), machine(cloud, instance)
    assert second != first
    old, new = show(cloud, first), show(cloud, second)
    assert (old["State"], old["Attachments"]) == ("available", [])
    assert new["Attachments"][0]["DeleteOnTermination"] is True
    same = ("Size", "VolumeType", "Iops", "Throughput", "SnapshotId", "AvailabilityZone")
    assert [new[name] for name in same] == [old[name] for name in same]
    assert (before.root, after.root) == (first, second)
    assert (after.boot, after.disk, after.image) == (before.boot + 1, before.disk, before.image)
    code, _ = refusal(cloud, "CreateReplaceRootVolumeTask", InstanceId=instance)
    assert code == "IncorrectState"
    settle(cloud)
    assert task(cloud, key)["TaskState"] == "in-progress"
    cloud.system(observed, cloud.now, instance, "running", 1)  # the start before
    assert task(cloud, key)["TaskState"] == "in-progress"
    cloud.system(observed, cloud.now, instance, "running", 2)
    done = task(cloud, key)
    assert (done["TaskState"], done["CompleteTime"]) == ("succeeded", cloud.now)
    assert show(cloud, first)["State"] == "available"
    filters = only({"instance-id": instance})
    listed = cloud.call("DescribeReplaceRootVolumeTasks", Filters=filters)
    assert listed["ReplaceRootVolumeTasks"] == [done]


def test_to_a_snapshot_of_the_root_and_the_old_one_goes(cloud: Cloud) -> None:
    instance = run(cloud)
    first = root(cloud, instance)
    taken = take(cloud, first)
    made = replaced(cloud, instance, SnapshotId=taken, DeleteReplacedRootVolume=True)
    assert (made["SnapshotId"], made["DeleteReplacedRootVolume"]) == (taken, True)
    assert machine(cloud, instance).disk == taken
    assert show(cloud, first)["State"] == "available"
    cloud.system(observed, cloud.now, instance, "running", 2)
    settle(cloud)
    assert refusal(cloud, "DescribeVolumes", VolumeIds=[first])[0] == "InvalidVolume.NotFound"
    # A snapshot of an earlier root volume serves, too; one of anything else does not.
    replaced(cloud, instance, SnapshotId=taken)
    cloud.system(observed, cloud.now, instance, "running", 3)
    other = {"InstanceId": instance, "SnapshotId": take(cloud)}
    assert refusal(cloud, "CreateReplaceRootVolumeTask", **other)[0] == "InvalidParameterValue"


def test_to_another_image(cloud: Cloud) -> None:
    instance = run(cloud)
    images = cloud.call("DescribeImages", Owners=["amazon"])["Images"]
    image = next(each for each in images if each["Name"].startswith("debian-12-amd64"))
    made = replaced(cloud, instance, ImageId=image["ImageId"])
    assert made["ImageId"] == image["ImageId"]
    assert machine(cloud, instance).image.startswith("debian")
    assert (
        show(cloud, root(cloud, instance))["Size"]
        == image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]
    )


def test_to_a_volume_that_is_there(cloud: Cloud) -> None:
    instance, volume = run(cloud), make(cloud)
    made = replaced(cloud, instance, VolumeId=volume)
    assert "SnapshotId" not in made
    assert root(cloud, instance) == volume
    assert machine(cloud, instance).root == volume
    cloud.call("TerminateInstances", InstanceIds=[instance])
    cloud.system(observed, cloud.now, instance, "stopped")
    assert task(cloud, made["ReplaceRootVolumeTaskId"])["TaskState"] == "failed"
    assert refusal(cloud, "DescribeVolumes", VolumeIds=[volume])[0] == "InvalidVolume.NotFound"


def test_replacements_that_are_refused(cloud: Cloud) -> None:
    instance = run(cloud)
    taken, far = make(cloud), make(cloud, AvailabilityZone="ap-northeast-2c")
    attach(cloud, taken, instance)
    for more, code in (
        ({"InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
        ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound"),
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"VolumeId": "vol-0123456789abcdef0"}, "InvalidVolume.NotFound"),
        ({"VolumeId": taken}, "IncorrectState"),
        ({"VolumeId": far}, "InvalidVolume.ZoneMismatch"),
        ({"VolumeId": far, "SnapshotId": "snap-1"}, "InvalidParameterCombination"),
    ):
        asked = {"InstanceId": instance, **more}
        assert refusal(cloud, "CreateReplaceRootVolumeTask", **asked)[0] == code
    cloud.call("StopInstances", InstanceIds=[instance])
    code, _ = refusal(cloud, "CreateReplaceRootVolumeTask", InstanceId=instance)
    assert code == "IncorrectInstanceState"
    missing = {"ReplaceRootVolumeTaskIds": ["replacevol-0123456789abcdef0"]}
    assert refusal(cloud, "DescribeReplaceRootVolumeTasks", **missing)[0] == (
        "InvalidReplaceRootVolumeTaskId.NotFound"
    )


# --- copies -------------------------------------------------------------------------------------
def test_a_volume_is_copied(cloud: Cloud) -> None:
    source = make(cloud, Size=10, Encrypted=True)
    (copy,) = cloud.call("CopyVolumes", SourceVolumeId=source, VolumeType="gp3")["Volumes"]
    assert copy["State"] == "creating"
    assert (copy["SourceVolumeId"], copy["SnapshotId"], copy["Size"]) == (source, "", 10)
    assert (copy["AvailabilityZone"], copy["Encrypted"]) == (ZONE, True)
    assert copy["KmsKeyId"] == show(cloud, source)["KmsKeyId"]
    code, _ = refusal(cloud, "CopyVolumes", SourceVolumeId=copy["VolumeId"])
    assert code == "IncorrectState"
    settle(cloud)
    assert show(cloud, copy["VolumeId"])["State"] == "available"
    cloud.call("DeleteVolume", VolumeId=source)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"SourceVolumeId": "vol-0123456789abcdef0"}, "InvalidVolume.NotFound"),
        ({"Size": 9}, "InvalidParameterValue"),
        ({"VolumeType": "io2"}, "MissingParameter"),
        ({"KmsKeyId": "alias/mine"}, "InvalidParameterDependency"),
    ],
)
def test_copies_that_are_refused(cloud: Cloud, more: dict[str, Any], code: str) -> None:
    asked = {"SourceVolumeId": make(cloud, Size=10), **more}
    assert refusal(cloud, "CopyVolumes", **asked)[0] == code


def test_no_instance_is_a_mac(cloud: Cloud) -> None:
    asked = {"InstanceId": run(cloud), "MacCredentials": "{}"}
    assert refusal(cloud, "CreateDelegateMacVolumeOwnershipTask", **asked) == (
        "UnsupportedOperation",
        f"The instance '{asked['InstanceId']}' of type t3.micro is not an Amazon EC2 Mac instance.",
    )
