"""The API's actions that store images in buckets and restore them.

Sources: EC2 User Guide, "Store and restore an AMI using S3"; EC2 API Reference,
CreateStoreImageTask, CreateRestoreImageTask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Listing, Shape, becomes, check_tag
from gureum.model import Tags, View
from gureum.resources.block_device import BlockDevice
from gureum.resources.ebs_defaults import encryption
from gureum.resources.image import Image, find_image
from gureum.resources.image_api import free_name
from gureum.resources.image_object import StoredDisk, StoreTask, is_complete, is_shown
from gureum.resources.snapshot import NO_VOLUME, Snapshot, find_snapshot

MAX_ASKED = 20
"""Images whose tasks can be asked for at once."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def create_store_task(call: Call) -> Shape:
    """CreateStoreImageTask: the image and all of its snapshots, as one object.

    Raises:
        ApiError: the image's codes, ``InvalidAMIID.Unavailable``, ``InvalidParameterValue`` (the
            bucket), ``IncorrectState`` (a snapshot), ``InvalidSnapshot.NotFound``.
    """
    image = find_image(call.txn, call.params["ImageId"])
    if image.state != "available":
        raise ApiError(
            "InvalidAMIID.Unavailable", f"The image id '[{image.id}]' is no longer available"
        )
    bucket = _bucket(call)
    for tag in call.get("S3ObjectTags") or ():
        check_tag(tag.get("Key"), tag.get("Value"))
    key = f"{image.id}.bin"
    for older in _objects(call, bucket, key):
        call.txn.put(replace(older, latest=False))
    disks = tuple(_stored(call, each) for each in image.devices if each.snapshot)
    common = {**call.common(StoreTask), "tags": ()}
    call.created(StoreTask(**common, image=image, bucket=bucket, key=key, disks=disks))
    return {"ObjectKey": key}


def _bucket(call: Call) -> str:
    """The bucket; a folder in it is as good."""
    name = str(call.params["Bucket"])
    if not _BUCKET.fullmatch(name.partition("/")[0]):
        raise invalid_value("bucket", name)
    return name


def _objects(call: Call, bucket: str, key: str) -> Iterator[StoreTask]:
    """What an account has in a bucket under a key; buckets are in no region here."""
    for row in call.txn.view.all(StoreTask):
        if (row.account, row.bucket, row.key) == (call.account, bucket, key) and row.latest:
            yield row


def _stored(call: Call, device: BlockDevice) -> str:
    snapshot = find_snapshot(call.txn, str(device.snapshot))
    if snapshot.state != "completed":
        raise ApiError("IncorrectState", f"Snapshot '{snapshot.id}' is not 'completed'.")
    common = {**call.common(StoredDisk), "tags": ()}
    row = StoredDisk(
        **common,
        device=device.name,
        source=snapshot.id,
        size=snapshot.size,
        base=snapshot.base,
    )
    return call.created(row).id


def create_restore_task(call: Call) -> Shape:
    """CreateRestoreImageTask: an image with new snapshots, as the stored one was.

    Raises:
        ApiError: ``InvalidParameterValue`` (no such object), ``IncorrectState`` (it is not
            complete), ``InvalidAMIName.Malformed``, ``InvalidAMIName.Duplicate``.
    """
    bucket, key = _bucket(call), call.params["ObjectKey"]
    found = next(_objects(call, bucket, key), None)
    if found is None:
        raise invalid_value("objectKey", key, f"The bucket {bucket} has no such object.")
    if not is_complete(call.txn.view, found):
        raise ApiError("IncorrectState", f"The object {key} is still being stored.")
    old, common = found.image, call.common(Image)
    common["tags"] = tuple((_own(old.tags) | dict(common["tags"])).items())
    tags = call.tags_for("snapshot")
    disks = {row.device: row for row in (call.txn.view.find(StoredDisk, k) for k in found.disks)
             if row is not None}  # fmt: skip
    row = call.created(
        replace(
            old,
            **common,
            name=free_name(call, call.get("Name") or old.name),
            devices=tuple(_restored(call, each, disks, tags) for each in old.devices),
            state="pending",
            public=False,
            users=(),
            organizations=(),
            alias=None,
            deprecated=None,
            protection="disabled",
            cooldown=None,
        )
    )
    return {"ImageId": row.id}


def _own(tags: Tags) -> dict[str, str]:
    return {key: value for key, value in tags if not key.startswith("aws:")}


def _restored(
    call: Call, device: BlockDevice, disks: Mapping[str, StoredDisk], tags: Tags
) -> BlockDevice:
    disk = disks.get(device.name)
    if disk is None:
        return device
    encrypted, kms_key = encryption(call.txn, asked=device.encrypted, key=None)
    common: dict[str, Any] = {**call.common(Snapshot), "tags": tags}
    made = call.created(
        Snapshot(
            **common,
            volume=NO_VOLUME,
            source=disk.id,
            size=disk.size,
            description=f"Restored from {call.params['Bucket']}/{call.params['ObjectKey']}",
            base=disk.base,
            kms_key=kms_key,
        )
    )
    return replace(device, snapshot=made.id, encrypted=encrypted)


# --- listing ------------------------------------------------------------------------------------
def _tasks(call: Call) -> Iterator[StoreTask]:
    """The tasks of the last month, the latest first."""
    asked = set(call.get("ImageIds") or ())
    if len(asked) > MAX_ASKED:
        raise invalid_combination(f"At most {MAX_ASKED} images can be asked for.")
    for row in reversed(list(call.txn.all(StoreTask))):
        if is_shown(row, call.now) and (not asked or row.image.id in asked):
            yield row


def show(row: StoreTask, view: View) -> Shape:
    """The API's ``StoreImageTaskResult`` structure."""
    done = is_complete(view, row)
    return {
        "AmiId": row.image.id,
        "TaskStartTime": row.created,
        "Bucket": row.bucket,
        "S3objectKey": row.key,
        "ProgressPercentage": 100 if done else 0,
        "StoreTaskState": "Completed" if done else "InProgress",
    }


KIND = Kind(
    row=StoreTask,
    actions={
        "CreateStoreImageTask": create_store_task,
        "CreateRestoreImageTask": create_restore_task,
    },
    listings=(
        Listing(
            action="DescribeStoreImageTasks",
            result="StoreImageTaskResults",
            show=show,
            rows=_tasks,
            paths={"task-state": "StoreTaskState"},
        ),
    ),
)

DISK = Kind(row=StoredDisk, settled=becomes("pending", "stored"))
