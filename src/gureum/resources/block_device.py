"""Block devices: what an image or a request maps to a device name of an instance.

Sources: EC2 API Reference, BlockDeviceMapping, EbsBlockDevice; EC2 User Guide, "Block device
mappings" and "Device names for volumes".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Shape
from gureum.model import ref
from gureum.resources.volume_types import TYPES

_NAME = re.compile(r"/dev/(?:sd|xvd|hd)[a-z]{1,2}[0-9]{0,2}|xvd[a-z]{1,2}|sd[a-z][0-9]{0,2}")


@dataclass(frozen=True, kw_only=True)
class BlockDevice:
    """A volume to be made: its device ``name``, empty for one that is attached to nothing, and
    what it is to be; None stands for what the snapshot or the type says.  ``granted`` is a snapshot
    that came with an image: who may launch that may use it."""

    name: str = ""
    snapshot: str | None = ref("weak", default=None)
    size: int | None = None
    type: str = "gp2"
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool | None = None
    kms_key: str | None = None
    delete: bool = True
    multi_attach: bool = False
    granted: bool = False


def check_name(name: str, parameter: str = "device") -> str:
    """A device name that Linux instances can have.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    if not _NAME.fullmatch(name):
        raise invalid_value(parameter, name, f"{name} is not a valid EBS device name.")
    return name


def merged(
    image: Iterable[BlockDevice], items: Iterable[Mapping[str, Any]]
) -> tuple[BlockDevice, ...]:
    """The devices of an image with those that a request's ``BlockDeviceMapping`` structures change,
    add or leave out (``NoDevice``).  Instance store (``VirtualName``) is none here.

    Raises:
        ApiError: ``MissingParameter``, ``InvalidBlockDeviceMapping``, ``InvalidParameterValue``,
            ``InvalidParameterCombination``.
    """
    found = {device.name: device for device in image}
    seen: set[str] = set()
    for item in items:
        name = item.get("DeviceName")
        if not name:
            raise missing_parameter("blockDeviceMapping.deviceName")
        if name in seen:
            raise ApiError(
                "InvalidBlockDeviceMapping", f"The device '{name}' is used in more than one mapping"
            )
        seen.add(name)
        if item.get("NoDevice") is not None:
            found.pop(name, None)
        elif item.get("Ebs") is not None:
            known = found.get(name) or BlockDevice(name=check_name(name, "deviceName"))
            found[name] = _changed(known, item["Ebs"])
        elif not item.get("VirtualName"):
            raise ApiError(
                "InvalidBlockDeviceMapping", f"The mapping of '{name}' says nothing to be mapped"
            )
    return tuple(found.values())


def _changed(known: BlockDevice, ebs: Mapping[str, Any]) -> BlockDevice:
    kind = ebs.get("VolumeType") or known.type
    same = kind == known.type
    return replace(
        known,
        snapshot=ebs.get("SnapshotId") or known.snapshot,
        size=ebs.get("VolumeSize") or known.size,
        type=kind,
        iops=ebs.get("Iops") or (known.iops if same else None),
        throughput=ebs.get("Throughput") or (known.throughput if same else None),
        encrypted=ebs.get("Encrypted", known.encrypted),
        kms_key=ebs.get("KmsKeyId") or known.kms_key,
        delete=ebs.get("DeleteOnTermination", known.delete),
        granted=known.granted and not ebs.get("SnapshotId"),
    )


def check_root(devices: Iterable[BlockDevice], root: str) -> None:
    """An instance needs a root device, of a type that can be booted from.

    Raises:
        ApiError: ``InvalidBlockDeviceMapping``.
    """
    found = next((device for device in devices if device.name == root), None)
    if found is None:
        raise ApiError(
            "InvalidBlockDeviceMapping", f"The root device '{root}' may not be left out."
        )
    if not TYPES[found.type].boots:
        raise ApiError(
            "InvalidBlockDeviceMapping", f"Volumes of type {found.type} cannot be root devices."
        )


def show(device: BlockDevice) -> Shape:
    """The API's ``BlockDeviceMapping`` structure, as images have it."""
    ebs = {
        "DeleteOnTermination": device.delete,
        "Encrypted": bool(device.encrypted),
        "Iops": device.iops,
        "KmsKeyId": device.kms_key,
        "SnapshotId": device.snapshot,
        "Throughput": device.throughput,
        "VolumeSize": device.size,
        "VolumeType": device.type,
    }
    return {
        "DeviceName": device.name,
        "Ebs": {name: value for name, value in ebs.items() if value is not None},
    }
