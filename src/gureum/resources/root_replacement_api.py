"""The API's actions on replacements of root volumes: an instance goes on with another disk.

It keeps its id, addresses and other volumes, and starts anew as by a reboot.

Sources: EC2 User Guide, "Replace the root volume for an Amazon EC2 instance without stopping it";
EC2 API Reference, CreateReplaceRootVolumeTask.
"""

from __future__ import annotations

from dataclasses import replace

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.resources.block_device import BlockDevice
from gureum.resources.image import Image, launchable
from gureum.resources.instance import Instance, root_volume
from gureum.resources.root_replacement import RootReplacement, expired, open_tasks, settled
from gureum.resources.run_instances import check_architecture
from gureum.resources.shapes import given, tag_list, unsupported
from gureum.resources.snapshot import Snapshot, find_snapshot
from gureum.resources.volume import Volume, VolumeAttachment, create, put_attachment

_SOURCES = ("SnapshotId", "ImageId", "VolumeId")


def create_task(call: Call) -> Shape:
    """CreateReplaceRootVolumeTask: back to the launch state, to a snapshot of the root volume, to
    another image, or over to a volume that is there.

    Raises:
        ApiError: ``IncorrectInstanceState`` unless it runs, ``InvalidParameterCombination``,
            ``InvalidParameterValue``, ``IncorrectState``, and the not-found codes of what is named.
    """
    unsupported(call, "VolumeInitializationRate")
    instance = call.txn.get(Instance, call.params["InstanceId"])
    if len(sources := given(call, *_SOURCES)) > 1:
        names = ", ".join(name for name, _ in sources)
        raise invalid_combination(f"The parameters {names} may not be used together.")
    old = _root(call, instance)
    attachment = old.attachment(instance.id)
    assert attachment is not None
    rest = tuple(each for each in old.attachments if each is not attachment)
    call.txn.put(replace(old, attachments=rest))
    how = replace(attachment, attached=call.now)
    new = _given(call, old, how) if call.get("VolumeId") else _made(call, instance, old, how)
    call.txn.put(replace(instance, boot=instance.boot + 1))
    row = call.created(
        RootReplacement(
            **call.common(RootReplacement),
            instance=instance.id,
            old=old.id,
            new=new.id,
            image=call.get("ImageId"),
            snapshot=new.snapshot or None,
            delete=call.get("DeleteReplacedRootVolume", False),
        )
    )
    return {"ReplaceRootVolumeTask": show(row, call.txn.view)}


def _root(call: Call, instance: Instance) -> Volume:
    """The root volume of an instance that can have another one now."""
    if instance.state != "running":
        raise ApiError(
            "IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'running' state."
        )
    found = root_volume(instance, call.txn.view)
    if found is None or open_tasks(call.txn, instance.id):
        raise ApiError(
            "IncorrectState",
            f"The root volume of the instance '{instance.id}' is being replaced already.",
        )
    return found


def _given(call: Call, old: Volume, how: VolumeAttachment) -> Volume:
    """The volume that is named, attached in the place of the old one."""
    row = call.txn.get(Volume, call.params["VolumeId"])
    if row.state != "ready" or row.attachments or row.id == old.id:
        raise ApiError("IncorrectState", f"{row.id} is not 'available'.")
    if row.zone != old.zone:
        raise ApiError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{row.id}' is not in the same availability zone as instance "
            f"'{how.instance}'",
        )
    if old.kms_key is not None and row.kms_key is None:
        raise invalid_value("volumeId", row.id, "The volume must be encrypted as the root is.")
    return put_attachment(call.txn, row, how)


def _made(call: Call, instance: Instance, old: Volume, how: VolumeAttachment) -> Volume:
    """A new volume like the old one, with the content that is asked for."""
    snapshot, same = _snapshot(call, instance, old), old.what
    device = BlockDevice(
        name=how.device,
        snapshot=snapshot.id if snapshot else None,
        size=max(same.size, snapshot.size if snapshot else 0),
        type=same.type,
        iops=same.iops if same.type != "gp2" else None,
        throughput=same.throughput,
        encrypted=old.kms_key is not None or None,
        kms_key=old.kms_key,
        granted=True,
    )
    new = create(call, device, old.zone, attachment=how)
    return call.txn.put(replace(new, base=new.base or old.base))


def _snapshot(call: Call, instance: Instance, old: Volume) -> Snapshot | None:
    """What the new volume is made of.  Who may launch an image may use its snapshot, and who has
    an instance that of its root volume."""
    if key := call.get("ImageId"):
        return _granted(call, _root_snapshot(launchable(call, key)))
    key = call.get("SnapshotId")
    if not key:
        return _granted(call, old.snapshot)
    found = find_snapshot(call.txn, key)
    earlier = {row.old for row in call.txn.referrers(instance.id, RootReplacement)}
    if found.volume not in earlier | {old.id} and found.id != old.snapshot:
        raise invalid_value(
            "snapshotId", key, f"It was not taken of a root volume of the instance {instance.id}."
        )
    return found


def _granted(call: Call, key: str | None) -> Snapshot | None:
    if not key:
        return None
    return call.txn.view.find(Snapshot, key) or find_snapshot(call.txn, key)


def _root_snapshot(image: Image) -> str | None:
    check_architecture(image)
    roots = (device for device in image.devices if device.name == image.root_device)
    return next((device.snapshot for device in roots), None)


def show(row: RootReplacement, view: View) -> Shape:
    """The API's ``ReplaceRootVolumeTask`` structure."""
    shape: Shape = {
        "ReplaceRootVolumeTaskId": row.id,
        "InstanceId": row.instance,
        "TaskState": row.state,
        "StartTime": row.created,
        "CompleteTime": row.ended,
        "ImageId": row.image,
        "SnapshotId": row.snapshot,
        "DeleteReplacedRootVolume": row.delete,
        "Tags": tag_list(row),
    }
    return {name: value for name, value in shape.items() if value is not None}


KIND = Kind(
    row=RootReplacement,
    actions={"CreateReplaceRootVolumeTask": create_task},
    listings=(
        Listing(
            action="DescribeReplaceRootVolumeTasks",
            result="ReplaceRootVolumeTasks",
            show=show,
            ids="ReplaceRootVolumeTaskIds",
        ),
    ),
    settled=settled,
    expired=expired,
)
