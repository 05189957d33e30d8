"""Images that are stored in a bucket and restored."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Machine
from gureum.resources.image_object import StoredDisk
from gureum.resources.snapshot import Snapshot
from tests.conftest import Cloud
from tests.resources.building import settle
from tests.resources.routing import refusal
from tests.resources.test_own_image import launch, register, root_snapshot, show

BUCKET = "our-images"


def store(cloud: Cloud, image: str, bucket: str = BUCKET) -> str:
    key = str(cloud.call("CreateStoreImageTask", ImageId=image, Bucket=bucket)["ObjectKey"])
    settle(cloud)
    return key


def restore(cloud: Cloud, key: str, **more: Any) -> str:
    asked = {"Bucket": BUCKET, "ObjectKey": key, **more}
    made = str(cloud.call("CreateRestoreImageTask", **asked)["ImageId"])
    settle(cloud)
    return made


def tasks(cloud: Cloud, **more: Any) -> list[dict[str, Any]]:
    return list(cloud.call("DescribeStoreImageTasks", **more)["StoreImageTaskResults"])


def test_stored_and_restored_when_all_else_is_gone(cloud: Cloud) -> None:
    snapshot = root_snapshot(cloud)
    tags = [{"ResourceType": "image", "Tags": [{"Key": "a", "Value": "b"}]}]
    image = register(cloud, "golden", snapshot, Description="d", TagSpecifications=tags)
    key = cloud.call("CreateStoreImageTask", ImageId=image, Bucket=BUCKET)["ObjectKey"]
    assert key == f"{image}.bin"
    (task,) = tasks(cloud)
    assert (task["StoreTaskState"], task["ProgressPercentage"]) == ("InProgress", 0)
    asked = {"Bucket": BUCKET, "ObjectKey": key, "Name": "again"}
    assert refusal(cloud, "CreateRestoreImageTask", **asked)[0] == "IncorrectState"
    settle(cloud)
    (task,) = tasks(cloud, Filters=[{"Name": "task-state", "Values": ["Completed"]}])
    assert (task["AmiId"], task["Bucket"], task["S3objectKey"]) == (image, BUCKET, key)
    assert refusal(cloud, "CreateRestoreImageTask", Bucket=BUCKET, ObjectKey=key)[0] == (
        "InvalidAMIName.Duplicate"
    )
    before = show(cloud, image)
    cloud.call("DeregisterImage", ImageId=image)
    cloud.call("DeleteSnapshot", SnapshotId=snapshot)
    made = restore(cloud, key)
    after = show(cloud, made)
    same = ("Name", "Description", "Architecture", "RootDeviceName", "Tags")
    assert [after[name] for name in same] == [before[name] for name in same]
    new = after["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    rows = cloud.store.view
    (disk,) = rows.all(StoredDisk)
    restored = rows.find(Snapshot, new)
    assert restored is not None
    assert (disk.source, restored.source) == (snapshot, disk.id)
    instance = launch(cloud, made)
    (machine,) = (
        each
        for each in cloud.program().statements
        if isinstance(each, Machine) and each.id == instance
    )
    assert machine.disk == new


def test_the_latest_object_of_a_key_is_restored(cloud: Cloud) -> None:
    image = register(cloud)
    key = store(cloud, image)
    cloud.call("ModifyImageAttribute", ImageId=image, Description={"Value": "second"})
    assert store(cloud, image) == key
    assert show(cloud, restore(cloud, key, Name="latest"))["Description"] == "second"
    assert len(tasks(cloud)) == 2
    assert tasks(cloud, ImageIds=["ami-0123456789abcdef0"]) == []
    cloud.now = "2026-12-30T08:00:00.000Z"
    assert tasks(cloud) == [], "they are shown for a month"
    restore(cloud, key, Name="later")


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("CreateStoreImageTask", {"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ("CreateStoreImageTask", {"Bucket": "No Bucket"}, "InvalidParameterValue"),
        (
            "CreateStoreImageTask",
            {"S3ObjectTags": [{"Key": "aws:x", "Value": "y"}]},
            "InvalidParameterValue",
        ),
        ("CreateRestoreImageTask", {"ObjectKey": "none.bin"}, "InvalidParameterValue"),
        ("CreateRestoreImageTask", {"Bucket": "another"}, "InvalidParameterValue"),
        ("CreateRestoreImageTask", {"Name": "?"}, "InvalidAMIName.Malformed"),
    ],
)
def test_what_is_refused(cloud: Cloud, action: str, params: dict[str, Any], code: str) -> None:
    image = register(cloud)
    key = store(cloud, image)
    given = {"Bucket": BUCKET} | (
        {"ImageId": image} if action == "CreateStoreImageTask" else {"ObjectKey": key}
    )
    assert refusal(cloud, action, **{**given, **params})[0] == code
