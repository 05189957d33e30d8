"""Image: what an instance's root device starts from; the public images that Gureum provides.

The provided images are no rows of the store: they are those of :mod:`gureum.resources.catalogue`.
Sources: EC2 User Guide, "Amazon Machine Images"; EC2 API Reference, DescribeImages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, Txn, View
from gureum.model.txn import not_found
from gureum.resources.block_device import BlockDevice
from gureum.resources.block_device import show as show_device
from gureum.resources.catalogue import PUBLISHED, Published, of_parameter
from gureum.resources.shapes import tag_list


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
    """An image.  ``machine_image`` is the name of the files it stands for, ``devices`` are the
    volumes that an instance of it gets, among them the one of ``root_device``."""

    name: str
    description: str
    machine_image: str
    devices: tuple[BlockDevice, ...]
    architecture: str = "x86_64"
    root_device: str = "/dev/xvda"
    public: bool = True
    alias: str | None = None
    boot_mode: str | None = "uefi-preferred"
    imds: str | None = "v2.0"
    deprecated: str | None = None


@cache
def provided(region: str) -> tuple[Image, ...]:
    """The images that Gureum provides in a region."""
    return tuple(_published(image, region) for image in PUBLISHED)


def _published(image: Published, region: str) -> Image:
    root = BlockDevice(
        name=image.root_device,
        snapshot=image.snapshot(region),
        size=image.size,
        type=image.volume,
        iops=3000 if image.volume == "gp3" else None,
        throughput=125 if image.volume == "gp3" else None,
    )
    return Image(
        id=image.id(region),
        account=image.owner,
        region=region,
        created=image.created,
        name=image.name,
        description=image.description,
        machine_image=image.machine_image,
        devices=(root,),
        architecture=image.architecture,
        root_device=image.root_device,
        alias=image.alias,
        boot_mode=image.boot_mode,
        imds=image.imds,
        deprecated=image.deprecated,
    )


def find_image(txn: Txn, key: str) -> Image:
    """The image of that id which the account may start instances from.

    Raises:
        ApiError: ``InvalidAMIID.NotFound``, ``InvalidAMIID.Malformed``.
    """
    for image in _all(txn):
        if image.id == key:
            return image
    raise not_found(Image, key)


_PARAMETER = "resolve:ssm:"


def resolved_id(txn: Txn, given: str) -> str:
    """The id of the image that a request names, by itself or by a public Systems Manager
    parameter (``resolve:ssm:/aws/service/…``).

    Raises:
        ApiError: ``InvalidParameterValue`` where nobody publishes such a parameter here.
    """
    if not given.startswith(_PARAMETER):
        return given
    image = of_parameter(given.removeprefix(_PARAMETER))
    if image is None:
        raise invalid_value("imageId", given, "The Systems Manager parameter is not known here.")
    return image.id(txn.region)


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
    return {"BlockDeviceMappings": [show_device(each) for each in image.devices]}


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
        "DeprecationTime": image.deprecated,
        "Public": image.public,
        "State": "available",
        "BlockDeviceMappings": [show_device(each) for each in image.devices],
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
