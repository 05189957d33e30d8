"""Image: what an instance's root device starts from; the public images that Gureum provides.

The provided images are not rows of the store: they are the same in every account, and their ids
follow from name and region, so that a cloud made anew has the same ``ami-…`` as before.
Sources: EC2 User Guide, "Amazon Machine Images"; EC2 API Reference, DescribeImages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, Txn, View
from gureum.model.txn import not_found
from gureum.resources.shapes import tag_list

OWNER = "100000000001"
"""The account to which the provided images belong, which answers to the alias ``amazon``."""

ALIAS = "amazon"

PUBLISHED = "2026-01-01T00:00:00.000Z"
"""When the provided images were made, as far as the API tells: their names carry the same date."""

DEPRECATED = "2036-01-01T00:00:00.000Z"


@dataclass(frozen=True, kw_only=True)
class Image(
    Resource,
    kind="image",
    prefix="ami",
    not_found="InvalidAMIID.NotFound",
    malformed="InvalidAMIID.Malformed",
    noun="image",
    missing="The image id '[{id}]' does not exist",
):
    """An image.  ``machine_image`` is the name of the files it stands for, ``size`` that of its
    root device in GiB, ``snapshot`` what that is made from."""

    name: str
    description: str
    machine_image: str
    snapshot: str
    architecture: str = "x86_64"
    root_device: str = "/dev/xvda"
    size: int = 8
    public: bool = True
    alias: str | None = None


_PROVIDED = (
    (
        "gureum-base",
        "gureum-base-x86_64-20260101",
        "Gureum base image: BusyBox, starts at once",
    ),
    (
        "debian-12",
        "debian-12-amd64-20260101-gureum",
        "Debian 12 (bookworm) with SSH server and network tools",
    ),
)


@cache
def provided(region: str) -> tuple[Image, ...]:
    """The images that Gureum provides in a region."""
    return tuple(
        Image(
            id=_digest("ami", name, region),
            account=OWNER,
            region=region,
            created=PUBLISHED,
            name=name,
            description=description,
            machine_image=machine_image,
            snapshot=_digest("snap", name, region),
            alias=ALIAS,
        )
        for machine_image, name, description in _PROVIDED
    )


def _digest(prefix: str, name: str, region: str) -> str:
    digits = hashlib.sha256(f"{prefix}/{name}/{region}".encode()).hexdigest()
    return f"{prefix}-{digits[:17]}"


def find_image(txn: Txn, key: str) -> Image:
    """The image of that id which the account may start instances from.

    Raises:
        ApiError: ``InvalidAMIID.NotFound``, ``InvalidAMIID.Malformed``.
    """
    for image in _all(txn):
        if image.id == key:
            return image
    raise not_found(Image, key)


def _all(txn: Txn) -> list[Image]:
    return [*provided(txn.region), *txn.all(Image)]


def _listed(call: Call) -> Iterable[Image]:
    """The images that the call's scope (Owners, ExecutableUsers) has."""
    owners = call.get("Owners", ())
    users = call.get("ExecutableUsers", ())
    return [
        image
        for image in _all(call.txn)
        if _owned(image, owners, call.account) and _executable(image, users)
    ]


def _owned(image: Image, owners: Iterable[str], account: str) -> bool:
    names = {image.account, image.alias}
    if image.account == account:
        names.add("self")
    wanted = set(owners)
    return not wanted or bool(names & wanted)


def _executable(image: Image, users: Iterable[str]) -> bool:
    """Whether launch permission was given to one of the users: nobody but ``all`` has any here."""
    wanted = set(users)
    return not wanted or (image.public and "all" in wanted)


# --- attributes ---------------------------------------------------------------------------------
def _description(image: Image) -> Shape:
    return {"Description": {"Value": image.description}}


def _launch_permission(image: Image) -> Shape:
    return {"LaunchPermissions": [{"Group": "all"}] if image.public else []}


def _block_devices(image: Image) -> Shape:
    return {"BlockDeviceMappings": show_devices(image)}


_ATTRIBUTES: dict[str, Callable[[Image], Shape]] = {
    "description": _description,
    "launchPermission": _launch_permission,
    "blockDeviceMapping": _block_devices,
    "bootMode": lambda image: {"BootMode": {"Value": "uefi-preferred"}},
    "imdsSupport": lambda image: {"ImdsSupport": {"Value": "v2.0"}},
    "kernel": lambda image: {"KernelId": {}},
    "ramdisk": lambda image: {"RamdiskId": {}},
    "productCodes": lambda image: {"ProductCodes": []},
    "sriovNetSupport": lambda image: {"SriovNetSupport": {"Value": "simple"}},
    "tpmSupport": lambda image: {"TpmSupport": {}},
    "uefiData": lambda image: {"UefiData": {}},
    "lastLaunchedTime": lambda image: {"LastLaunchedTime": {}},
    "deregistrationProtection": lambda image: {"DeregistrationProtection": {"Value": "disabled"}},
}

_FOR_ALL = frozenset({"description"})
"""What of an image its owner lets everybody ask for one by one."""


def describe_image_attribute(call: Call) -> Shape:
    """DescribeImageAttribute: one attribute a call; of others' images only the description.

    Raises:
        ApiError: ``AuthFailure`` for attributes of images of other accounts.
    """
    image = find_image(call.txn, call.params["ImageId"])
    attribute = call.params["Attribute"]
    if image.account != call.account and attribute not in _FOR_ALL:
        raise ApiError("AuthFailure", f"Not authorized for images: [{image.id}]", 403)
    return {"ImageId": image.id, **_ATTRIBUTES[attribute](image)}


# --- answers ------------------------------------------------------------------------------------
def show_devices(image: Image) -> list[Shape]:
    """``BlockDeviceMappings``: the root device."""
    ebs = {
        "DeleteOnTermination": True,
        "Encrypted": False,
        "Iops": 3000,
        "SnapshotId": image.snapshot,
        "Throughput": 125,
        "VolumeSize": image.size,
        "VolumeType": "gp3",
    }
    return [{"DeviceName": image.root_device, "Ebs": ebs}]


def show(image: Image, view: View) -> Shape:
    """The API's ``Image`` structure."""
    shape: Shape = {
        "ImageId": image.id,
        "ImageLocation": f"{image.alias or image.account}/{image.name}",
        "ImageType": "machine",
        "OwnerId": image.account,
        "Name": image.name,
        "Description": image.description,
        "Architecture": image.architecture,
        "CreationDate": image.created,
        "DeprecationTime": DEPRECATED,
        "Public": image.public,
        "State": "available",
        "BlockDeviceMappings": show_devices(image),
        "RootDeviceName": image.root_device,
        "RootDeviceType": "ebs",
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "EnaSupport": True,
        "SriovNetSupport": "simple",
        "BootMode": "uefi-preferred",
        "ImdsSupport": "v2.0",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "DeregistrationProtection": "disabled",
        "FreeTierEligible": True,
        "ImageAllowed": True,
        "Tags": tag_list(image),
    }
    if image.alias:
        shape["ImageOwnerAlias"] = image.alias
    return shape


_PATHS = {
    "is-public": "Public",
    "manifest-location": "ImageLocation",
    "owner-alias": "ImageOwnerAlias",
    "product-code": "ProductCodes[].ProductCodeId",
    "product-code.type": "ProductCodes[].ProductCodeType",
    "state-reason-code": "StateReason.Code",
    "state-reason-message": "StateReason.Message",
    "block-device-mapping.delete-on-termination": "BlockDeviceMappings[].Ebs.DeleteOnTermination",
    "block-device-mapping.encrypted": "BlockDeviceMappings[].Ebs.Encrypted",
    "block-device-mapping.snapshot-id": "BlockDeviceMappings[].Ebs.SnapshotId",
    "block-device-mapping.volume-size": "BlockDeviceMappings[].Ebs.VolumeSize",
    "block-device-mapping.volume-type": "BlockDeviceMappings[].Ebs.VolumeType",
    "instance-type-specification.supported-instance-type": (
        "InstanceTypeSpecification.SupportedInstanceTypes[].InstanceType"
    ),
    "instance-type-specification.unsupported-instance-type": (
        "InstanceTypeSpecification.UnsupportedInstanceTypes[].InstanceType"
    ),
    "scan-result.finding-scan-date": "ScanResults.FindingScanDate",
    "scan-result.highest-finding-severity-label": "ScanResults.HighestFindingSeverityLabel",
    **{
        f"scan-result.{severity.lower()}-fix-available-since": (
            f"ScanResults.{severity}FixAvailableSince"
        )
        for severity in ("Informational", "Low", "Medium", "High", "Critical")
    },
}

KIND = Kind(
    row=Image,
    actions={"DescribeImageAttribute": describe_image_attribute},
    reads=frozenset({"DescribeImageAttribute"}),
    listings=(
        Listing(
            action="DescribeImages",
            result="Images",
            show=show,
            ids="ImageIds",
            rows=_listed,
            paths=_PATHS,
        ),
    ),
)
