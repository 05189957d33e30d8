"""The API's actions on snapshots: made from volumes or instances, copied, deleted, described.

Sources: EC2 API Reference, CreateSnapshot, CreateSnapshots, CopySnapshot, DeleteSnapshot; EBS User
Guide, "Amazon EBS snapshots".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Listing, Shape, never
from gureum.model import Tags
from gureum.model.txn import not_found
from gureum.resources.ebs_defaults import encryption
from gureum.resources.image import Image
from gureum.resources.instance import Instance
from gureum.resources.shapes import unsupported
from gureum.resources.snapshot import (
    NO_VOLUME,
    Snapshot,
    find_snapshot,
    listed,
    permitted,
    settled,
    show,
)
from gureum.resources.snapshot_attributes import ACTIONS, READS, locked, show_tier
from gureum.resources.volume import Volume, volumes_of
from gureum.wire.regions import regions

MAX_DESCRIPTION = 255


def of_volume(call: Call, row: Volume, description: str, tags: Tags | None = None) -> Snapshot:
    """A new snapshot of a volume: as encrypted as that is."""
    common = call.common(Snapshot)
    if tags is not None:
        common["tags"] = tags
    return call.created(
        Snapshot(
            **common,
            volume=row.id,
            size=row.what.size,
            description=description,
            base=row.base,
            kms_key=row.kms_key,
        )
    )


def _description(call: Call) -> str:
    text = str(call.get("Description", ""))
    if len(text) > MAX_DESCRIPTION:
        raise invalid_value(
            "description", text, f"It must be at most {MAX_DESCRIPTION} characters."
        )
    return text


def create_snapshot(call: Call) -> Shape:
    """CreateSnapshot: of a volume, attached or not."""
    unsupported(call, "OutpostArn")
    row = call.txn.get(Volume, call.params["VolumeId"])
    _usable(row)
    made = of_volume(call, row, _description(call))
    shape = show(made, call.txn.view)
    return shape | {"Progress": ""}


def _usable(row: Volume) -> None:
    if row.state != "ready":
        raise ApiError("IncorrectState", f"{row.id} is '{row.state}'.")


def create_snapshots(call: Call) -> Shape:
    """CreateSnapshots: of all volumes of an instance, or all but some."""
    unsupported(call, "OutpostArn")
    which = call.params["InstanceSpecification"]
    row = call.txn.get(Instance, which["InstanceId"])
    left_out = set(which.get("ExcludeDataVolumeIds", ()))
    found = {volume.id: (volume, how) for volume, how in volumes_of(call.txn.view, row.id)}
    for key in left_out:
        if key not in found:
            raise invalid_value("excludeDataVolumeIds", key, "It is not attached to the instance.")
        if found[key][1].device == row.root_device:
            raise invalid_value(
                "excludeDataVolumeIds", key, "The root volume is left out by excludeBootVolume."
            )
    made = []
    for volume, how in found.values():
        if volume.id in left_out:
            continue
        if how.device == row.root_device and which.get("ExcludeBootVolume"):
            continue
        made.append(of_volume(call, volume, _description(call), _copied_tags(call, volume)))
    return {"Snapshots": [_info(call, each) for each in made]}


def _copied_tags(call: Call, volume: Volume) -> Tags | None:
    if not call.get("CopyTagsFromSource"):
        return None
    own = (pair for pair in volume.tags if not pair[0].startswith("aws:"))
    return tuple((dict(own) | dict(call.tags_for("snapshot"))).items())


_INFO = frozenset(
    {
        "Description", "Tags", "Encrypted", "VolumeId", "State", "VolumeSize", "StartTime",
        "Progress", "OwnerId", "SnapshotId",
    }
)  # fmt: skip


def _info(call: Call, row: Snapshot) -> Shape:
    """The API's ``SnapshotInfo`` structure."""
    whole = show(row, call.txn.view)
    return {name: value for name, value in whole.items() if name in _INFO} | {"Progress": ""}


def copy_snapshot(call: Call) -> Shape:
    """CopySnapshot: into this region, from another or the same."""
    unsupported(call, "DestinationOutpostArn", "DestinationAvailabilityZone")
    asked = call.get("DestinationRegion")
    if asked and asked != call.region:
        raise invalid_value("destinationRegion", asked, "It must be the region that is called.")
    source = _source(call)
    _, kms_key = encryption(
        call.txn,
        asked=call.get("Encrypted"),
        key=call.get("KmsKeyId"),
        source=source.kms_key if source.region == call.region else None,
    )
    if source.kms_key is not None and kms_key is None:  # keys stay in their region
        _, kms_key = encryption(call.txn, asked=True, key=None)
    row = call.created(
        Snapshot(
            **call.common(Snapshot),
            volume=NO_VOLUME,
            source=source.id,
            size=source.size,
            description=_description(call),
            base=source.base,
            kms_key=kms_key,
        )
    )
    return {"SnapshotId": row.id, "Tags": [{"Key": k, "Value": v} for k, v in row.tags]}


def _source(call: Call) -> Snapshot:
    region, key = call.params["SourceRegion"], call.params["SourceSnapshotId"]
    if region not in regions():
        raise invalid_value("sourceRegion", region)
    if region == call.region:
        found = find_snapshot(call.txn, key)
    else:
        there = call.txn.view.find(Snapshot, key)
        if there is None or there.region != region or not permitted(there, call.account):
            raise not_found(Snapshot, key)
        found = there
    if found.state != "completed":
        raise ApiError("IncorrectState", f"Snapshot '{key}' is not 'completed'.")
    return found


def delete_snapshot(call: Call) -> Shape:
    """DeleteSnapshot: not while an image has it, nor while it is locked."""
    row = call.txn.get(Snapshot, call.params["SnapshotId"])
    image = next(iter(call.txn.referrers(row.id, Image)), None)
    if image is not None:
        raise ApiError(
            "InvalidSnapshot.InUse", f"The snapshot {row.id} is currently in use by {image.id}"
        )
    if row.lock is not None and row.lock.expires > call.now:
        raise ApiError("OperationNotPermitted", f"The snapshot '{row.id}' is locked.")
    call.txn.delete(row)
    return {}


@dataclass(frozen=True)
class Locked:
    """A lock as a listing has it: what it is depends on the time."""

    id: str
    created: str
    shape: Shape


def _locked(call: Call) -> Iterator[Locked]:
    for shape in locked(call):
        yield Locked(shape["SnapshotId"], shape["LockCreatedOn"], shape)


def restore_snapshot(call: Call) -> Shape:
    """RestoreSnapshotFromRecycleBin: there is none to restore.

    Raises:
        ApiError: ``InvalidSnapshot.NotFound``, always.
    """
    raise not_found(Snapshot, call.params["SnapshotId"])


KIND = Kind(
    row=Snapshot,
    actions={
        "CreateSnapshot": create_snapshot,
        "CreateSnapshots": create_snapshots,
        "CopySnapshot": copy_snapshot,
        "DeleteSnapshot": delete_snapshot,
        "RestoreSnapshotFromRecycleBin": restore_snapshot,
        **ACTIONS,
    },
    reads=READS,
    listings=(
        Listing(
            action="DescribeSnapshots",
            result="Snapshots",
            show=show,
            ids="SnapshotIds",
            rows=listed,
            paths={"owner-alias": "OwnerAlias", "status": "State"},
        ),
        Listing(
            action="DescribeLockedSnapshots",
            result="Snapshots",
            show=lambda row, view: row.shape,
            ids="SnapshotIds",
            rows=_locked,
        ),
        Listing(
            action="DescribeSnapshotTierStatus",
            result="SnapshotTierStatuses",
            show=show_tier,
            paths={"last-tiering-operation": "LastTieringOperationStatus"},
        ),
        never("ListSnapshotsInRecycleBin", "Snapshots", "SnapshotIds"),
    ),
    settled=settled,
)
