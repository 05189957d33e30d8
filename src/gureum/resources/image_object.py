"""Images stored as objects: what they were, and copies of what their snapshots held.

An object is in a bucket that is only a name here; its bytes are in the folder of volumes, under the
ids of its disks, so it outlives the image and its snapshots.

Source: EC2 User Guide, "Store and restore an AMI using S3".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from gureum.model import Reader, Resource, ref
from gureum.model.timestamps import age
from gureum.resources.image import Image

SHOWN = timedelta(days=31)
"""How long it is shown that an image was stored."""


@dataclass(frozen=True, kw_only=True)
class StoredDisk(
    Resource,
    kind="stored-disk",
    prefix="stored-disk",
    not_found="InvalidParameterValue",
    noun="stored disk",
):
    """A device of a stored image: ``source`` is the snapshot that its bytes are a copy of."""

    device: str
    source: str = ref("weak")
    size: int
    base: str | None
    state: Literal["pending", "stored"] = "pending"


@dataclass(frozen=True, kw_only=True)
class StoreTask(
    Resource,
    kind="store-image-task",
    prefix="store-image-task",
    not_found="InvalidParameterValue",
    noun="store image task",
):
    """An image in a bucket, as it was; ``latest`` says that no later one has its key."""

    image: Image
    bucket: str
    key: str
    disks: tuple[str, ...] = ref()
    latest: bool = True


def is_complete(reader: Reader, task: StoreTask) -> bool:
    """Whether all bytes of an object are there."""
    rows = (reader.find(StoredDisk, key) for key in task.disks)
    return all(row is not None and row.state == "stored" for row in rows)


def is_shown(task: StoreTask, now: str) -> bool:
    """Whether a listing still tells of a task."""
    return age(task.created, now) < SHOWN
