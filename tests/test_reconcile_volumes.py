"""What the reconciler does about volumes: they follow their attachments, copies come before states,
and what is deleted leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from gureum.machines import FakeMachines
from tests.kernel.packets import eventually
from tests.test_reconcile import Running

ZONE = "ap-northeast-2a"


@pytest.fixture
def running() -> Iterator[Running]:
    made = Running()
    made.reconciler.start()
    yield made
    made.reconciler.stop()


def volume(running: Running, **params: Any) -> str:
    """The id of a volume that is available."""
    whole = {"AvailabilityZone": ZONE, **({"Size": 1} | params)}
    key = str(running.call("CreateVolume", **whole)["VolumeId"])
    assert eventually(lambda: state(running, key) == "available")
    return key


def state(running: Running, key: str) -> str:
    return str(running.call("DescribeVolumes", VolumeIds=[key])["Volumes"][0]["State"])


def instance(running: Running, **params: Any) -> str:
    (key,) = running.launch(Placement={"AvailabilityZone": ZONE}, **params)
    assert running.reaches(key, "running")
    return key


def attach(running: Running, key: str, to: str) -> None:
    running.call("AttachVolume", VolumeId=key, InstanceId=to, Device="/dev/sdf")
    assert eventually(lambda: running.machines.equipped.get(to) == (("sdf", key),))


def snapshot(running: Running, key: str) -> str:
    made = str(running.call("CreateSnapshot", VolumeId=key)["SnapshotId"])
    assert eventually(lambda: completed(running, made))
    return made


def completed(running: Running, key: str) -> bool:
    (found,) = running.call("DescribeSnapshots", SnapshotIds=[key])["Snapshots"]
    return bool(found["State"] == "completed")


def available(running: Running, image: str) -> bool:
    (found,) = running.call("DescribeImages", ImageIds=[image])["Images"]
    return bool(found["State"] == "available")


def test_volumes_follow_their_attachments(running: Running) -> None:
    data, host = volume(running), instance(running)
    attach(running, data, host)
    boots = running.row(host).boot
    running.call("DetachVolume", VolumeId=data)
    assert eventually(lambda: running.machines.equipped[host] == ())
    assert eventually(lambda: state(running, data) == "available")
    assert running.row(host).boot == boots
    assert [call for call in running.machines.calls if call.startswith("stop")] == []


def test_a_stopped_instance_has_its_volumes_when_it_starts(running: Running) -> None:
    data, host = volume(running), instance(running)
    running.call("StopInstances", InstanceIds=[host])
    assert running.reaches(host, "stopped")
    running.call("AttachVolume", VolumeId=data, InstanceId=host, Device="/dev/sdf")
    running.call("StartInstances", InstanceIds=[host])
    assert running.reaches(host, "running")
    assert running.machines.equipped[host] == (("sdf", data),)


def test_a_deleted_volume_leaves_nothing(running: Running) -> None:
    data, host = volume(running), instance(running)
    attach(running, data, host)
    assert data in running.machines.contents()
    running.call("DetachVolume", VolumeId=data)
    assert eventually(lambda: state(running, data) == "available")
    running.call("DeleteVolume", VolumeId=data)
    assert eventually(lambda: running.machines.contents() == set())


def test_volumes_that_go_with_their_instance_leave_nothing(running: Running) -> None:
    more = [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}]
    host = instance(running, BlockDeviceMappings=more)
    assert len(running.machines.contents()) == 1
    running.call("TerminateInstances", InstanceIds=[host])
    assert eventually(lambda: running.machines.contents() == set())


def test_a_snapshot_is_complete_when_it_is_copied(running: Running) -> None:
    data, host = volume(running), instance(running)
    attach(running, data, host)
    running.machines.content[data] = "before"
    taken = snapshot(running, data)
    assert running.machines.content[taken] == "before"
    running.machines.content[data] = "after"
    restored = volume(running, SnapshotId=taken)
    assert running.machines.content[restored] == "before"
    copy = running.call("CopySnapshot", SourceRegion="ap-northeast-2", SourceSnapshotId=taken)[
        "SnapshotId"
    ]
    assert eventually(lambda: completed(running, copy))
    assert running.machines.content[copy] == "before"
    running.call("DeleteSnapshot", SnapshotId=taken)
    assert eventually(lambda: taken not in running.machines.contents())


def test_a_volume_of_a_launch_has_the_content_of_its_snapshot(running: Running) -> None:
    data, host = volume(running), instance(running)
    attach(running, data, host)
    running.machines.content[data] = "golden"
    taken = snapshot(running, data)
    more = [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": taken}}]
    second = instance(running, BlockDeviceMappings=more)
    ((_, key),) = running.machines.equipped[second]
    assert running.machines.content[key] == "golden"


def test_an_image_of_an_instance_has_its_disk(running: Running) -> None:
    host = instance(running)
    made = running.call("CreateImage", InstanceId=host, Name="golden", NoReboot=True)["ImageId"]
    (image,) = running.call("DescribeImages", ImageIds=[made])["Images"]
    taken = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert eventually(lambda: completed(running, taken) and available(running, made))
    assert running.machines.content[taken] == f"disk of {host}"
    answer = running.call("RunInstances", ImageId=made, MinCount=1, MaxCount=1)
    key = answer["Instances"][0]["InstanceId"]
    assert running.reaches(key, "running")
    volumes = running.call("DescribeVolumes")["Volumes"]
    of = {each["Attachments"][0]["InstanceId"]: each["SnapshotId"] for each in volumes}
    assert of[key] == taken
    assert running.machines.disks == of


def test_a_root_volume_is_replaced(running: Running) -> None:
    """The old one keeps what was on the disk, or goes when that is done."""
    host = instance(running)
    (old,) = running.call("DescribeVolumes")["Volumes"]
    first = old["VolumeId"]
    for number, delete in ((2, False), (3, True)):
        asked = {"InstanceId": host, "DeleteReplacedRootVolume": delete}
        made = running.call("CreateReplaceRootVolumeTask", **asked)["ReplaceRootVolumeTask"]
        key = made["ReplaceRootVolumeTaskId"]
        assert eventually(partial(ended, running, key))
        assert running.machines.calls[-1] == f"start {host} boot={number}"
    assert running.row(host).state == "running"
    assert state(running, first) == "available"
    volumes = running.call("DescribeVolumes")["Volumes"]
    now = next(each["VolumeId"] for each in volumes if each["Attachments"])
    assert running.machines.roots == {host: now}
    assert eventually(lambda: running.machines.contents() == {first})
    assert running.machines.content[first] == f"disk of {host}"


def ended(running: Running, key: str) -> bool:
    asked = {"ReplaceRootVolumeTaskIds": [key]}
    (found,) = running.call("DescribeReplaceRootVolumeTasks", **asked)["ReplaceRootVolumeTasks"]
    return bool(found["TaskState"] == "succeeded")


def test_a_copy_of_a_volume_has_its_content(running: Running) -> None:
    data = volume(running)
    running.machines.content[data] = "much"
    (copy,) = running.call("CopyVolumes", SourceVolumeId=data)["Volumes"]
    assert eventually(lambda: state(running, copy["VolumeId"]) == "available")
    assert running.machines.content[copy["VolumeId"]] == "much"


def test_a_stored_image_has_the_bytes_of_its_snapshots(running: Running) -> None:
    """They are there when image and snapshots are gone, and go into what is restored."""
    host = instance(running)
    image = running.call("CreateImage", InstanceId=host, Name="golden", NoReboot=True)["ImageId"]
    (shown,) = running.call("DescribeImages", ImageIds=[image])["Images"]
    taken = shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert eventually(lambda: completed(running, taken) and available(running, image))
    key = running.call("CreateStoreImageTask", ImageId=image, Bucket="images")["ObjectKey"]
    tasks = "DescribeStoreImageTasks", "StoreImageTaskResults"
    assert eventually(lambda: running.call(tasks[0])[tasks[1]][0]["StoreTaskState"] == "Completed")
    running.call("DeregisterImage", ImageId=image)
    running.call("DeleteSnapshot", SnapshotId=taken)
    assert eventually(lambda: taken not in running.machines.contents())
    made = running.call("CreateRestoreImageTask", Bucket="images", ObjectKey=key)["ImageId"]
    (shown,) = running.call("DescribeImages", ImageIds=[made])["Images"]
    restored = shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert eventually(lambda: completed(running, restored))
    assert running.machines.content[restored] == f"disk of {host}"


class Slow(FakeMachines):
    """Copies nothing until it is told that the disk has room again."""

    full = True

    def copy_content(self, source: str, target: str) -> None:
        if self.full:
            raise OSError("no space left on device")
        super().copy_content(source, target)


def test_a_snapshot_that_cannot_be_copied_stays_pending() -> None:
    running = Running()
    running.machines = slow = Slow()
    running.reconciler._machines = slow
    running.reconciler.start()
    try:
        data = str(running.call("CreateVolume", AvailabilityZone=ZONE, Size=1)["VolumeId"])
        assert eventually(lambda: state(running, data) == "available")
        slow.content[data] = "much"
        taken = str(running.call("CreateSnapshot", VolumeId=data)["SnapshotId"])
        assert eventually(lambda: not running.reconciler._tasks.busy())
        assert not completed(running, taken)
        slow.full = False
        running.reconciler._tasks.wake(taken)
        assert eventually(lambda: completed(running, taken))
        assert slow.content[taken] == "much"
    finally:
        running.reconciler.stop()
