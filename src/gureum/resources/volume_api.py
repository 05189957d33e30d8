"""The API's actions on volumes: created, attached, detached, deleted, described.

Sources: EC2 API Reference, CreateVolume, AttachVolume, DetachVolume, DeleteVolume; EBS User Guide,
"Attach an Amazon EBS volume to an Amazon EC2 instance".
"""

from __future__ import annotations

from dataclasses import replace

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape, never
from gureum.model.txn import not_found
from gureum.resources.block_device import BlockDevice, check_name
from gureum.resources.ebs_defaults import encryption
from gureum.resources.instance import Instance
from gureum.resources.region import zone_id, zones
from gureum.resources.shapes import unsupported
from gureum.resources.volume import (
    Volume,
    VolumeAttachment,
    create,
    put_attachment,
    settled,
    show,
    show_attachment,
    volumes_of,
)
from gureum.resources.volume_modification import ACTIONS, LISTINGS, READS
from gureum.resources.volume_types import DEFAULT, checked

MOST_INSTANCES = 16
"""To which one volume can be attached at a time (EBS User Guide, "Multi-Attach")."""


# --- create -------------------------------------------------------------------------------------
def create_volume(call: Call) -> Shape:
    """CreateVolume: empty or from a snapshot."""
    unsupported(call, "OutpostArn")
    zone = _zone(call)
    if not call.get("Size") and not call.get("SnapshotId"):
        raise missing_parameter("size or snapshotId")
    device = BlockDevice(
        snapshot=call.get("SnapshotId") or None,
        size=call.get("Size"),
        type=call.get("VolumeType", DEFAULT),
        iops=call.get("Iops"),
        throughput=call.get("Throughput"),
        encrypted=call.get("Encrypted"),
        kms_key=call.get("KmsKeyId") or None,
        multi_attach=call.get("MultiAttachEnabled", False),
    )
    return show(create(call, device, zone), call.txn.view)


def _zone(call: Call) -> str:
    name, key = call.get("AvailabilityZone"), call.get("AvailabilityZoneId")
    if not name and not key:
        raise missing_parameter("availabilityZone")
    for zone in zones(call.region):
        if name in (None, zone) and key in (None, zone_id(zone)):
            return zone
    raise ApiError("InvalidZone.NotFound", f"The zone '{name or key}' does not exist.")


def copy_volumes(call: Call) -> Shape:
    """CopyVolumes: a volume with what another of the zone holds at this moment."""
    source = call.txn.get(Volume, call.params["SourceVolumeId"])
    if source.state != "ready":
        raise ApiError("IncorrectState", f"Volume '{source.id}' is '{source.shown_state}'.")
    size = call.get("Size") or source.what.size
    if size < source.what.size:
        raise invalid_value("size", size, f"It must be at least {source.what.size}.")
    _, kms_key = encryption(
        call.txn,
        asked=call.get("Encrypted"),
        key=call.get("KmsKeyId") or None,
        source=source.kms_key,
    )
    row = Volume(
        **call.common(Volume),
        zone=source.zone,
        what=checked(
            call.get("VolumeType", DEFAULT),
            size,
            iops=call.get("Iops"),
            throughput=call.get("Throughput"),
            multi_attach=call.get("MultiAttachEnabled", False),
        ),
        base=source.base,
        source=source.id,
        kms_key=kms_key,
        state="creating",
    )
    return {"Volumes": [show(call.created(row), call.txn.view)]}


def delegate_mac_ownership(call: Call) -> Shape:
    """CreateDelegateMacVolumeOwnershipTask: no instance here is a Mac.

    Raises:
        ApiError: ``InvalidInstanceID.NotFound``, ``UnsupportedOperation``.
    """
    row = call.txn.get(Instance, call.params["InstanceId"])
    call.tags_for("mac-modification-task")
    raise ApiError(
        "UnsupportedOperation",
        f"The instance '{row.id}' of type {row.type} is not an Amazon EC2 Mac instance.",
    )


def delete_volume(call: Call) -> Shape:
    """DeleteVolume: not while it is attached."""
    row = call.txn.get(Volume, call.params["VolumeId"])
    if row.attachments:
        raise ApiError(
            "VolumeInUse",
            f"Volume {row.id} is currently attached to {row.attachments[0].instance}",
        )
    if row.state != "deleting":
        call.txn.put(replace(row, state="deleting"))
    return {}


# --- attach and detach --------------------------------------------------------------------------
def attach_volume(call: Call) -> Shape:
    """AttachVolume: to an instance of the same zone, running or stopped."""
    row = call.txn.get(Volume, call.params["VolumeId"])
    instance = call.txn.get(Instance, call.params["InstanceId"])
    device = check_name(call.params["Device"])
    if instance.state not in ("running", "stopped"):
        raise ApiError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if row.zone != instance.zone:
        raise ApiError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{row.id}' is not in the same availability zone as instance "
            f"'{instance.id}'",
        )
    _check_free(row, instance)
    if any(how.device == device for _, how in volumes_of(call.txn.view, instance.id)):
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )
    new = VolumeAttachment(
        instance=instance.id,
        device=device,
        attached=call.now,
        state="attaching",
        delete_on_termination=False,
    )
    return show_attachment(put_attachment(call.txn, row, new), new)


def _check_free(row: Volume, instance: Instance) -> None:
    if row.state != "ready":
        raise ApiError("IncorrectState", f"{row.id} is not 'available'.")
    if not row.attachments:
        return
    if row.attachment(instance.id) or not row.what.multi_attach:
        raise ApiError("VolumeInUse", f"{row.id} is already attached to an instance")
    if len(row.attachments) >= MOST_INSTANCES:
        raise ApiError(
            "AttachmentLimitExceeded", f"{row.id} is attached to {MOST_INSTANCES} instances"
        )


def detach_volume(call: Call) -> Shape:
    """DetachVolume: any time, but the root of an instance only while that is stopped."""
    row = call.txn.get(Volume, call.params["VolumeId"])
    if not row.attachments:
        raise ApiError("IncorrectState", f"Volume '{row.id}' is in the 'available' state.")
    old = _asked(call, row)
    instance = call.txn.find(Instance, old.instance)
    if instance and old.device == instance.root_device and instance.state != "stopped":
        raise ApiError(
            "OperationNotPermitted",
            f"Unable to detach root volume '{row.id}' from instance '{instance.id}'",
        )
    gone = replace(old, state="detaching")
    return show_attachment(put_attachment(call.txn, row, gone), gone)


def _asked(call: Call, row: Volume) -> VolumeAttachment:
    instance, device = call.get("InstanceId"), call.get("Device")
    if instance:
        call.txn.get(Instance, instance)
    elif len(row.attachments) > 1:
        raise missing_parameter("instanceId")
    for each in row.attachments:
        if instance in (None, each.instance) and device in (None, each.device):
            return each
    where = f" to instance '{instance}'" if instance else ""
    spot = f" as device '{device}'" if device else ""
    raise ApiError(
        "InvalidAttachment.NotFound", f"The volume '{row.id}' is not attached{where}{spot}."
    )


# --- the recycle bin ----------------------------------------------------------------------------
def restore_volume(call: Call) -> Shape:
    """RestoreVolumeFromRecycleBin: there is none to restore.

    Raises:
        ApiError: ``InvalidVolume.NotFound``, always.
    """
    raise not_found(Volume, call.params["VolumeId"])


KIND = Kind(
    row=Volume,
    actions={
        "CreateVolume": create_volume,
        "CopyVolumes": copy_volumes,
        "CreateDelegateMacVolumeOwnershipTask": delegate_mac_ownership,
        "DeleteVolume": delete_volume,
        "AttachVolume": attach_volume,
        "DetachVolume": detach_volume,
        "RestoreVolumeFromRecycleBin": restore_volume,
        **ACTIONS,
    },
    reads=READS,
    settled=settled,
    listings=(
        Listing(
            action="DescribeVolumes",
            result="Volumes",
            show=show,
            ids="VolumeIds",
            paths={
                "attachment.attach-time": "Attachments[].AttachTime",
                "attachment.delete-on-termination": "Attachments[].DeleteOnTermination",
                "attachment.device": "Attachments[].Device",
                "attachment.instance-id": "Attachments[].InstanceId",
                "attachment.status": "Attachments[].State",
                "multi-attach-enabled": "MultiAttachEnabled",
                "status": "State",
                "volume-type": "VolumeType",
            },
        ),
        never("ListVolumesInRecycleBin", "Volumes", "VolumeIds"),
        *LISTINGS,
    ),
)
