"""Snapshot: a copy of a volume as it was; who may make volumes from it, and how it shows.

The snapshots of the images that Gureum publishes are no rows: like the images they follow from name
and region.  The actions are in :mod:`gureum.resources.snapshot_api`.

Sources: EC2 API Reference, DescribeSnapshots; EBS User Guide, "Share an Amazon EBS snapshot".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from gureum.kind import Call, Shape
from gureum.model import Resource, Txn, View
from gureum.model.txn import not_found
from gureum.resources.catalogue import PUBLISHED, Published
from gureum.resources.image_stored import stored
from gureum.resources.shapes import tag_list


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Keeps a snapshot from being deleted until ``expires``; ``cool_off`` is until when a
    compliance lock can be taken back."""

    mode: Literal["governance", "compliance"]
    created: str
    duration: int
    expires: str
    cool_off_hours: int | None = None
    cool_off: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tiering:
    """Where a snapshot was moved last, and when: AWS's ``LastTieringOperationStatus``."""

    status: str
    started: str
    archived: str | None = None
    restored_until: str | None = None


@dataclass(frozen=True, kw_only=True)
class Snapshot(
    Resource,
    kind="snapshot",
    prefix="snap",
    not_found="InvalidSnapshot.NotFound",
    malformed="InvalidSnapshotID.Malformed",
    noun="snapshot",
    missing="The snapshot '{id}' does not exist.",
):
    """A snapshot of ``size`` GiB.  ``volume`` may be gone; ``base`` is the name of the files that
    the volume was made with; ``users`` are the accounts that may use it, ``public`` says that all
    may; ``source`` is the snapshot that it is a copy of."""

    volume: str
    source: str | None = None
    size: int
    description: str = ""
    base: str | None = None
    kms_key: str | None = None
    state: Literal["pending", "completed"] = "pending"
    completed: str | None = None
    users: tuple[str, ...] = ()
    public: bool = False
    alias: str | None = None
    tier: Literal["standard", "archive"] = "standard"
    tiering: Tiering | None = None
    lock: Lock | None = None


NO_VOLUME = "vol-ffffffff"
"""What AWS gives as the volume of a snapshot that was copied."""


def published(image: Published, region: str) -> Snapshot:
    """The snapshot of the root device of a published image."""
    return Snapshot(
        id=image.snapshot(region),
        account=image.owner,
        region=region,
        created=image.created,
        volume=NO_VOLUME,
        size=image.size,
        description=f"Root device of {image.name}",
        base=image.machine_image,
        state="completed",
        completed=image.created,
        public=True,
        alias=image.alias,
    )


@cache
def provided(region: str) -> dict[str, Snapshot]:
    """The snapshots of all published images, by id."""
    rows = (published(image, region) for image in PUBLISHED)
    return {row.id: row for row in rows}


def permitted(row: Snapshot, account: str) -> bool:
    """Whether the account may make volumes from the snapshot."""
    return account == row.account or row.public or account in row.users


def find_snapshot(txn: Txn, key: str) -> Snapshot:
    """The snapshot of that id from which the caller may make volumes.

    Raises:
        ApiError: ``InvalidSnapshot.NotFound``, ``InvalidSnapshotID.Malformed``.
    """
    row = txn.view.find(Snapshot, key) or provided(txn.region).get(key) or _stored(txn, key)
    if row is None or row.region != txn.region or not permitted(row, txn.account):
        raise not_found(Snapshot, key)
    return row


def _stored(txn: Txn, key: str) -> Snapshot | None:
    """The snapshot of that id which belongs to an image of the store."""
    found = (image for image in stored(txn.view) if image.snapshot(txn.region) == key)
    image = next(found, None)
    return published(image, txn.region) if image else None


def restored(row: Snapshot, now: str) -> bool:
    """Whether an archived snapshot has been restored for a time that is not over."""
    until = row.tiering.restored_until if row.tiering else None
    return until is not None and now < until


def settled(txn: Txn, row: Snapshot, now: str) -> None:
    """The cloud has the snapshot."""
    if row.state == "pending":
        txn.put(replace(row, state="completed", completed=now))


# --- listing ------------------------------------------------------------------------------------
def listed(call: Call) -> Iterator[Snapshot]:
    """The snapshots in the call's scope: owners, users who may restore."""
    owners, users = set(call.get("OwnerIds", ())), set(call.get("RestorableByUserIds", ()))
    for row in _available(call):
        if (not owners or _owned(row, owners, call.account)) and (
            not users or _restorable(row, users, call.account)
        ):
            yield row


def _available(call: Call) -> Iterable[Snapshot]:
    yield from provided(call.region).values()
    for row in call.txn.view.all(Snapshot):
        if row.region == call.region and permitted(row, call.account):
            yield row


def _owned(row: Snapshot, owners: set[str], account: str) -> bool:
    names = {row.account, row.alias, "self" if row.account == account else None}
    return bool(names & owners)


def _restorable(row: Snapshot, users: set[str], account: str) -> bool:
    if "all" in users and row.public:
        return True
    named = {account if user == "self" else user for user in users - {"all"}}
    return any(user == row.account or user in row.users for user in named)


# --- answers ------------------------------------------------------------------------------------
def show(row: Snapshot, view: View) -> Shape:
    """The API's ``Snapshot`` structure."""
    done = row.state == "completed"
    shape: Shape = {
        "SnapshotId": row.id,
        "VolumeId": row.volume,
        "VolumeSize": row.size,
        "Description": row.description,
        "State": row.state,
        "Progress": "100%" if done else "0%",
        "StartTime": row.created,
        "CompletionTime": row.completed,
        "OwnerId": row.account,
        "OwnerAlias": row.alias,
        "Encrypted": row.kms_key is not None,
        "KmsKeyId": row.kms_key,
        "StorageTier": row.tier,
        "TransferType": "standard" if row.volume == NO_VOLUME and not row.alias else None,
        "RestoreExpiryTime": row.tiering.restored_until if row.tiering else None,
        "FullSnapshotSizeInBytes": row.size << 30 if done else None,
        "Tags": tag_list(row),
    }
    return {name: value for name, value in shape.items() if value is not None}
