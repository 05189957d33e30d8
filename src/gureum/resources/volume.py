"""Volume: so many GiB in a zone, attached to an instance or not; what it is and how it shows.

Its states are AWS's: ``creating`` until the cloud has it, then ``available``, ``in-use`` while
anything is attached or on its way, ``deleting`` until it is gone.  The actions are in
:mod:`gureum.resources.volume_api` and :mod:`gureum.resources.volume_modification`.

Source: EC2 API Reference, DescribeVolumes; EBS User Guide, "Amazon EBS volume lifecycle".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gureum.errors import ApiError
from gureum.kind import Call, Shape
from gureum.model import Reader, Resource, Tags, Txn, View, ref
from gureum.resources.block_device import BlockDevice
from gureum.resources.ebs_defaults import encryption
from gureum.resources.image_object import StoredDisk
from gureum.resources.region import zone_id
from gureum.resources.shapes import tag_list
from gureum.resources.snapshot import Snapshot, find_snapshot, restored
from gureum.resources.volume_types import Performance, checked


@dataclass(frozen=True, kw_only=True)
class VolumeAttachment:
    """A volume at a device of an instance."""

    instance: str = ref("weak")
    device: str
    attached: str
    state: Literal["attaching", "attached", "detaching"] = "attached"
    delete_on_termination: bool = True


@dataclass(frozen=True, kw_only=True)
class Modification:
    """The latest change of a volume: what it was and is to be, when it began and ended."""

    before: Performance
    after: Performance
    started: str
    ended: str | None = None
    state: Literal["modifying", "optimizing", "completed"] = "modifying"


@dataclass(frozen=True, kw_only=True)
class Volume(
    Resource,
    kind="volume",
    prefix="vol",
    not_found="InvalidVolume.NotFound",
    malformed="InvalidVolumeID.Malformed",
    noun="volume",
    missing="The volume '{id}' does not exist.",
):
    """A volume in a zone.  ``snapshot`` is what it was made from, or empty, ``source`` the volume
    that it is a copy of; ``base`` the name of the files that it was made with, if any; ``kms_key``
    is the ARN of the key of an encrypted one."""

    zone: str
    what: Performance
    snapshot: str = ""
    base: str | None = None
    source: str = ""
    kms_key: str | None = None
    state: Literal["creating", "ready", "deleting"] = "ready"
    attachments: tuple[VolumeAttachment, ...] = ()
    modification: Modification | None = None
    auto_enable_io: bool = False

    @property
    def shown_state(self) -> str:
        """The API's ``VolumeState``."""
        if self.state != "ready":
            return self.state
        return "in-use" if self.attachments else "available"

    def attachment(self, instance: str) -> VolumeAttachment | None:
        """How it is attached to the instance, if it is."""
        return next((each for each in self.attachments if each.instance == instance), None)


def create(
    call: Call,
    device: BlockDevice,
    zone: str,
    *,
    attachment: VolumeAttachment | None = None,
    tags: Tags | None = None,
) -> Volume:
    """A new volume as ``device`` describes it; attached at once where it comes with an instance.

    Raises:
        ApiError: ``InvalidSnapshot.NotFound``, ``IncorrectState``, ``InvalidParameterValue``,
            ``InvalidParameterDependency``, ``MissingParameter``.
    """
    source = _source(call, device)
    _, kms_key = encryption(
        call.txn,
        asked=device.encrypted,
        key=device.kms_key,
        source=source.kms_key if source else None,
    )
    common = call.common(Volume)
    if tags is not None:
        common["tags"] = tags
    return call.created(
        Volume(
            **common,
            zone=zone,
            what=checked(
                device.type,
                _size(device, source),
                iops=device.iops,
                throughput=device.throughput,
                multi_attach=device.multi_attach,
            ),
            snapshot=source.id if source else "",
            base=source.base if source else None,
            kms_key=kms_key,
            state="ready" if attachment else "creating",
            attachments=(attachment,) if attachment else (),
        )
    )


def _source(call: Call, device: BlockDevice) -> Snapshot | None:
    if not device.snapshot:
        return None
    granted = call.txn.view.find(Snapshot, device.snapshot) if device.granted else None
    found = granted or find_snapshot(call.txn, device.snapshot)
    if found.state != "completed":
        raise ApiError("IncorrectState", f"Snapshot '{found.id}' is not 'completed'.")
    if found.tier == "archive" and not restored(found, call.now):
        raise ApiError("IncorrectState", f"Snapshot '{found.id}' is archived.")
    return found


def _size(device: BlockDevice, source: Snapshot | None) -> int:
    if device.size is None:
        if source is None:
            raise ApiError(
                "MissingParameter", "The request must contain the parameter size or snapshotId"
            )
        return source.size
    if source is not None and device.size < source.size:
        raise ApiError(
            "InvalidBlockDeviceMapping" if device.name else "InvalidParameterValue",
            f"Volume of size {device.size}GB is smaller than snapshot '{source.id}', "
            f"expect size >= {source.size}GB",
        )
    return device.size


# --- attachments --------------------------------------------------------------------------------
def volumes_of(reader: Reader, instance: str) -> list[tuple[Volume, VolumeAttachment]]:
    """The volumes of an instance, each with its attachment, by device."""
    found = list(_attached(reader, instance))
    return sorted(found, key=lambda pair: (pair[1].device, pair[0].id))


def _attached(reader: Reader, instance: str) -> Iterator[tuple[Volume, VolumeAttachment]]:
    for row in reader.referrers(instance, Volume):
        attachment = row.attachment(instance)
        if attachment is not None:
            yield row, attachment


def release(txn: Txn, instance: str) -> None:
    """An instance is no more: its volumes go with it, or are free."""
    for row, attachment in volumes_of(txn.view, instance):
        rest = tuple(each for each in row.attachments if each is not attachment)
        if attachment.delete_on_termination and not rest:
            txn.delete(row)
        else:
            txn.put(replace(row, attachments=rest))


def put_attachment(txn: Txn, row: Volume, new: VolumeAttachment) -> Volume:
    """Replace the volume's attachment to the same instance."""
    rest = (each for each in row.attachments if each.instance != new.instance)
    return txn.put(replace(row, attachments=(*rest, new)))


# --- states -------------------------------------------------------------------------------------
def settled(txn: Txn, row: Volume, now: str) -> None:
    """The cloud has the volume as it is: what was on its way has arrived."""
    if row.state == "deleting":
        txn.delete(row)
        return
    arrived = (
        replace(each, state="attached") for each in row.attachments if each.state != "detaching"
    )
    new = replace(
        row,
        state="ready",
        attachments=tuple(arrived),
        modification=_next(row.modification, now),
    )
    if new != row:
        txn.put(new)


def _next(change: Modification | None, now: str) -> Modification | None:
    if change is None or change.state == "completed":
        return change
    if change.state == "modifying":
        return replace(change, state="optimizing")
    return replace(change, state="completed", ended=now)


def origin(row: Resource) -> str | None:
    """Whose content a volume, snapshot or stored disk that is being made is to have: it is there
    when that has been copied."""
    if isinstance(row, Snapshot) and row.state == "pending":
        return row.source or row.volume
    if isinstance(row, StoredDisk) and row.state == "pending":
        return row.source
    if isinstance(row, Volume) and row.state == "creating":
        return row.source or row.snapshot or None
    return None


# --- answers ------------------------------------------------------------------------------------
def show(row: Volume, view: View) -> Shape:
    """The API's ``Volume`` structure."""
    shape: Shape = {
        "VolumeId": row.id,
        "AvailabilityZone": row.zone,
        "AvailabilityZoneId": zone_id(row.zone),
        "CreateTime": row.created,
        "Encrypted": row.kms_key is not None,
        "KmsKeyId": row.kms_key,
        "Iops": row.what.iops,
        "MultiAttachEnabled": row.what.multi_attach,
        "Operator": {"Managed": False},
        "Size": row.what.size,
        "SnapshotId": row.snapshot,
        "SourceVolumeId": row.source or None,
        "State": row.shown_state,
        "Throughput": row.what.throughput,
        "VolumeType": row.what.type,
        "Attachments": [show_attachment(row, each) for each in row.attachments],
        "Tags": tag_list(row),
    }
    return {name: value for name, value in shape.items() if value is not None}


def show_attachment(row: Volume, attachment: VolumeAttachment) -> Shape:
    """The API's ``VolumeAttachment`` structure."""
    return {
        "VolumeId": row.id,
        "InstanceId": attachment.instance,
        "Device": attachment.device,
        "State": attachment.state,
        "AttachTime": attachment.attached,
        "DeleteOnTermination": attachment.delete_on_termination,
    }
