"""The API's actions that make images and remove them.

Sources: EC2 API Reference, RegisterImage, CreateImage, CopyImage, DeregisterImage; EC2 User Guide,
"Amazon EBS-backed AMIs".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Shape, becomes, never
from gureum.model import Tags
from gureum.model.txn import not_found
from gureum.resources.block_device import BlockDevice, merged
from gureum.resources.ebs_defaults import encryption
from gureum.resources.image import LISTING, Image, ImageAlias, find_image, provided
from gureum.resources.image_attributes import ACTIONS, READS, own_image
from gureum.resources.instance import ENDED, Instance
from gureum.resources.shapes import unsupported
from gureum.resources.snapshot import NO_VOLUME, Snapshot, find_snapshot
from gureum.resources.snapshot import provided as provided_snapshots
from gureum.resources.snapshot_api import of_volume
from gureum.resources.volume import Volume, VolumeAttachment, volumes_of
from gureum.wire.regions import regions

_NAME = re.compile(r"[a-zA-Z0-9()\[\]. /\-'@_]{3,128}")

NO_FILES = "gureum-base"
"""What an instance starts from whose image was registered from a snapshot without an operating
system: there has to be something."""


def _new_name(call: Call) -> str:
    return free_name(call, str(call.params["Name"]))


def free_name(call: Call, name: str) -> str:
    """A name that an image of the caller's can get.

    Raises:
        ApiError: ``InvalidAMIName.Malformed``, ``InvalidAMIName.Duplicate``.
    """
    if not _NAME.fullmatch(name):
        raise ApiError(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, "
            "numbers, '(', ')', '.', '-', '/' and '_'",
        )
    for row in call.txn.all(Image):
        if row.name == name:
            raise ApiError(
                "InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {row.id}"
            )
    return name


# --- register -----------------------------------------------------------------------------------
def register_image(call: Call) -> Shape:
    """RegisterImage: from snapshots.  Images of instance store (``ImageLocation``) are not built.

    Raises:
        ApiError: ``InvalidAMIName.Malformed``, ``InvalidAMIName.Duplicate``,
            ``InvalidBlockDeviceMapping``, ``InvalidSnapshot.NotFound``, ``InvalidParameterValue``.
    """
    unsupported(call, "ImageLocation", "KernelId", "RamdiskId", "BillingProducts")
    name = _new_name(call)
    if call.get("VirtualizationType", "hvm") != "hvm":
        raise invalid_value("virtualizationType", call.params["VirtualizationType"])
    devices = merged((), call.get("BlockDeviceMappings") or ())
    root = call.get("RootDeviceName") or (devices[0].name if len(devices) == 1 else None)
    if not root:
        raise missing_parameter("rootDeviceName")
    found = next((each for each in devices if each.name == root), None)
    if found is None or found.snapshot is None:
        raise ApiError("InvalidBlockDeviceMapping", f"The root device '{root}' has no snapshot.")
    source = find_snapshot(call.txn, found.snapshot)
    row = call.created(
        Image(
            **call.common(Image),
            name=name,
            description=call.get("Description", ""),
            machine_image=source.base or NO_FILES,
            devices=tuple(_registered(call, each) for each in devices),
            architecture=call.get("Architecture", "i386"),
            root_device=root,
            state="pending",
            boot_mode=call.get("BootMode"),
            imds=call.get("ImdsSupport"),
            tpm=call.get("TpmSupport"),
            ena=call.get("EnaSupport", False),
            sriov=call.get("SriovNetSupport") or None,
        )
    )
    return {"ImageId": row.id}


def _registered(call: Call, device: BlockDevice) -> BlockDevice:
    """A device as the image shows it: with what its snapshot says."""
    if device.snapshot is None:
        if device.size is None:
            raise missing_parameter("blockDeviceMapping.ebs.volumeSize")
        return device
    if device.encrypted is not None:
        raise ApiError(
            "InvalidBlockDeviceMapping",
            "The encryption of a device with a snapshot is that of the snapshot.",
        )
    source = find_snapshot(call.txn, device.snapshot)
    if device.size is not None and device.size < source.size:
        raise ApiError(
            "InvalidBlockDeviceMapping",
            f"Volume of size {device.size}GB is smaller than snapshot '{source.id}', "
            f"expect size >= {source.size}GB",
        )
    return replace(device, size=device.size or source.size, encrypted=source.kms_key is not None)


# --- create -------------------------------------------------------------------------------------
def create_image(call: Call) -> Shape:
    """CreateImage: with a snapshot of each volume of an instance, which reboots unless it is told
    not to."""
    row = call.txn.get(Instance, call.params["InstanceId"])
    if row.state in ENDED or row.state == "pending":
        raise ApiError(
            "IncorrectState", f"Instance '{row.id}' is not in the 'running' or 'stopped' state."
        )
    name = _new_name(call)
    mine = find_image_of(call, row)
    tags = call.tags_for("snapshot")
    asked = call.get("BlockDeviceMappings") or ()
    taken = [
        _taken(call, volume, how, tags)
        for volume, how in volumes_of(call.txn.view, row.id)
        if not _left_out(asked, how.device)
    ]
    devices = merged(taken, asked)
    if row.root_device not in {each.name for each in devices}:
        raise ApiError(
            "InvalidBlockDeviceMapping", f"The root device '{row.root_device}' is not there."
        )
    made = call.created(
        Image(
            **call.common(Image),
            name=name,
            description=call.get("Description", ""),
            machine_image=row.base,
            devices=devices,
            architecture=mine.architecture if mine else "x86_64",
            root_device=row.root_device,
            state="pending",
            boot_mode=call.get("BootModeOverride") or (mine.boot_mode if mine else None),
            imds=mine.imds if mine else None,
            instance=row.id,
            source=row.image,
            source_region=call.region,
            watermarks=mine.watermarks if mine else (),
        )
    )
    if row.state == "running" and not call.get("NoReboot"):
        call.txn.put(replace(row, boot=row.boot + 1))
    return {"ImageId": made.id}


def find_image_of(call: Call, row: Instance) -> Image | None:
    """The image that an instance was launched from, if it is still to be seen."""
    try:
        return find_image(call.txn, row.image)
    except ApiError:
        return None


def _left_out(asked: Iterable[Any], name: str) -> bool:
    return any(
        item.get("DeviceName") == name and item.get("NoDevice") is not None for item in asked
    )


def _taken(call: Call, volume: Volume, how: VolumeAttachment, tags: Tags) -> BlockDevice:
    snapshot = of_volume(call, volume, f"Created by CreateImage({how.instance})", tags)
    return BlockDevice(
        name=how.device,
        snapshot=snapshot.id,
        size=volume.what.size,
        type=volume.what.type,
        iops=None if volume.what.type == "gp2" else volume.what.iops,
        throughput=volume.what.throughput,
        encrypted=volume.kms_key is not None,
        delete=how.delete_on_termination,
    )


# --- copy ---------------------------------------------------------------------------------------
def copy_image(call: Call) -> Shape:
    """CopyImage: into this region, from another or the same, with copies of its snapshots."""
    unsupported(call, "DestinationOutpostArn", "DestinationAvailabilityZone")
    source = _source(call)
    name = _new_name(call)
    common = call.common(Image)
    if call.get("CopyImageTags") and source.account == call.account:
        own = {k: v for k, v in source.tags if not k.startswith("aws:")}
        common["tags"] = tuple((own | dict(common["tags"])).items())
    tags = call.tags_for("snapshot")
    row = call.created(
        Image(
            **common,
            name=name,
            description=call.get("Description", ""),
            machine_image=source.machine_image,
            devices=tuple(_copied(call, each, tags) for each in source.devices),
            architecture=source.architecture,
            root_device=source.root_device,
            state="pending",
            boot_mode=source.boot_mode,
            imds=source.imds,
            tpm=source.tpm,
            ena=source.ena,
            sriov=source.sriov,
            source=source.id,
            source_region=source.region,
            watermarks=source.watermarks,
        )
    )
    return {"ImageId": row.id}


def _source(call: Call) -> Image:
    region, key = call.params["SourceRegion"], call.params["SourceImageId"]
    if region not in regions():
        raise invalid_value("sourceRegion", region)
    if region == call.region:
        found = find_image(call.txn, key)
    else:
        there = call.txn.view.find(Image, key)
        if there is None or there.region != region or call.account not in _who(there):
            there = next((each for each in provided(region) if each.id == key), None)
        if there is None:
            raise not_found(Image, key)
        found = there
    if found.state != "available":
        raise ApiError("InvalidAMIID.Unavailable", f"The image '[{key}]' is not available")
    return found


def _who(image: Image) -> set[str]:
    return {image.account, *image.users}


def _copied(call: Call, device: BlockDevice, tags: Tags) -> BlockDevice:
    if device.snapshot is None:
        return device
    old = call.txn.view.find(Snapshot, device.snapshot)
    old = old or provided_snapshots(call.params["SourceRegion"])[device.snapshot]
    same = old.region == call.region
    _, kms_key = encryption(
        call.txn,
        asked=call.get("Encrypted") or old.kms_key is not None,
        key=call.get("KmsKeyId"),
        source=old.kms_key if same else None,
    )
    common = call.common(Snapshot)
    common["tags"] = tags
    made = call.created(
        Snapshot(
            **common,
            volume=NO_VOLUME,
            source=old.id,
            size=old.size,
            description=f"Copied for the image {call.params['SourceImageId']} from {old.id}",
            base=old.base,
            kms_key=kms_key,
        )
    )
    return replace(device, snapshot=made.id, encrypted=kms_key is not None)


def get_ancestry(call: Call) -> Shape:
    """GetImageAncestry: the image, what it was copied or made from, and so on."""
    entries = []
    image: Image | None = find_image(call.txn, call.params["ImageId"])
    while image is not None:
        entry = {
            "ImageId": image.id,
            "CreationDate": image.created,
            "ImageOwnerAlias": image.alias,
            "SourceImageId": image.source,
            "SourceImageRegion": image.source_region,
        }
        entries.append({name: value for name, value in entry.items() if value is not None})
        image = _parent(call, image)
    return {"ImageAncestryEntries": entries}


def _parent(call: Call, image: Image) -> Image | None:
    if image.source is None or image.source_region is None:
        return None
    row = call.txn.view.find(Image, image.source)
    if row is not None:
        return row if call.account in _who(row) else None
    return next((each for each in provided(image.source_region) if each.id == image.source), None)


# --- deregister ---------------------------------------------------------------------------------
def deregister_image(call: Call) -> Shape:
    """DeregisterImage: instances of it stay; its snapshots too, unless they are to go."""
    image = own_image(call)
    protected = image.protection != "disabled" or (image.cooldown or "") > call.now
    if protected:
        raise ApiError(
            "OperationNotPermitted",
            f"The image '{image.id}' is protected from deregistration. Disable deregistration "
            "protection and try again.",
        )
    call.txn.delete(image)
    answer: Shape = {"Return": True, "DeleteSnapshotResults": []}
    if call.get("DeleteAssociatedSnapshots"):
        answer["DeleteSnapshotResults"] = [
            _delete_snapshot(call, each.snapshot) for each in image.devices if each.snapshot
        ]
    return answer


def _delete_snapshot(call: Call, key: str) -> Shape:
    row = call.txn.find(Snapshot, key)
    if row is None:
        return {"SnapshotId": key, "ReturnCode": "client-error"}
    used = next(iter(call.txn.referrers(key, Image)), None)
    locked = row.lock is not None and row.lock.expires > call.now
    if used is not None or locked:
        return {"SnapshotId": key, "ReturnCode": "skipped"}
    call.txn.delete(row)
    return {"SnapshotId": key, "ReturnCode": "success"}


# --- the recycle bin ----------------------------------------------------------------------------
def restore_image(call: Call) -> Shape:
    """RestoreImageFromRecycleBin: there is none to restore.

    Raises:
        ApiError: ``InvalidAMIID.NotFound``, always.
    """
    raise not_found(Image, call.params["ImageId"])


KIND = Kind(
    row=Image,
    actions={
        "RegisterImage": register_image,
        "CreateImage": create_image,
        "CopyImage": copy_image,
        "DeregisterImage": deregister_image,
        "RestoreImageFromRecycleBin": restore_image,
        "GetImageAncestry": get_ancestry,
        **ACTIONS,
    },
    reads=READS | {"GetImageAncestry"},
    settled=becomes("pending", "available"),
    listings=(
        LISTING,
        never("ListImagesInRecycleBin", "Images", "ImageIds"),
    ),
)

ALIAS: Kind[ImageAlias] = Kind(row=ImageAlias)
