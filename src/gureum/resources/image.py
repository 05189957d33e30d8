"""Image: what an instance's root device starts from; the public images that Gureum provides.

The provided images are no rows of the store: they are those of :mod:`gureum.resources.catalogue`.
The actions are in :mod:`gureum.resources.image_api` and :mod:`gureum.resources.image_attributes`.

Sources: EC2 User Guide, "Amazon Machine Images"; EC2 API Reference, DescribeImages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Listing, Shape
from gureum.model import Resource, Txn, View
from gureum.model.txn import not_found
from gureum.resources.block_device import BlockDevice
from gureum.resources.block_device import show as show_device
from gureum.resources.catalogue import OWN, PUBLISHED, Published, of_parameter
from gureum.resources.image_allowed import Ages, admits
from gureum.resources.image_stored import stored
from gureum.resources.region_settings import settings
from gureum.resources.shapes import tag_list

Protection = Literal["disabled", "enabled", "enabled-with-cooldown"]


@dataclass(frozen=True, kw_only=True)
class Watermark:
    """A mark that goes on to what is made of an image: where it was attached, and when; ``key`` is
    ``<account>:<name>``."""

    key: str
    region: str
    image: str
    image_created: str
    made: str


@dataclass(frozen=True, kw_only=True)
class TypeRule:
    """The instance types that an image is for, and is not for, as names and patterns; no
    ``supported`` stands for all."""

    supported: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()


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
    """An image.

    ``machine_image`` is the name of the files it stands for, ``devices`` are the volumes that an
    instance of it gets, among them the one of ``root_device``.  ``public``, ``users`` and
    ``organizations`` (ARNs) may launch it beside its owner.  ``source`` and ``source_region`` are
    the image that it was copied from, ``instance`` the one it was made from.  ``cooldown`` is until
    when it stays protected although its protection was switched off.
    """

    name: str
    description: str
    machine_image: str
    devices: tuple[BlockDevice, ...]
    architecture: str = "x86_64"
    root_device: str = "/dev/xvda"
    state: Literal["pending", "available", "disabled"] = "available"
    public: bool = False
    users: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    alias: str | None = None
    boot_mode: str | None = "uefi-preferred"
    imds: str | None = "v2.0"
    tpm: str | None = None
    ena: bool = True
    sriov: str | None = "simple"
    deprecated: str | None = None
    protection: Protection = "disabled"
    cooldown: str | None = None
    instance: str | None = None
    source: str | None = None
    source_region: str | None = None
    watermarks: tuple[Watermark, ...] = ()
    types: TypeRule = TypeRule()


@dataclass(frozen=True, kw_only=True)
class ImageAlias(
    Resource,
    kind="image-alias",
    prefix="image-alias",
    not_found="InvalidAMIID.NotFound",
    noun="image alias",
):
    """An image id that somebody else's configuration names, in every region and account: it stands
    for the files ``machine_image`` here."""

    image: str
    machine_image: str


# --- provided -----------------------------------------------------------------------------------
@cache
def provided(region: str) -> tuple[Image, ...]:
    """The images that Gureum provides in a region."""
    return tuple(_published(image, region) for image in PUBLISHED)


@cache
def _provided_by_id(region: str) -> dict[str, Image]:
    return {image.id: image for image in provided(region)}


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
        public=True,
        alias=image.alias,
        boot_mode=image.boot_mode,
        imds=image.imds,
        deprecated=image.deprecated,
    )


def set_aliases(txn: Txn, aliases: Iterable[tuple[str, str]], now: str) -> None:
    """Let image ids, and no others, stand for names of files."""
    wanted = {f"image-alias-{key}": (key, name) for key, name in aliases}
    for row in list(txn.all(ImageAlias)):
        if row.id not in wanted:
            txn.delete(row)
    for key, (image, name) in wanted.items():
        txn.put(
            ImageAlias(
                id=key,
                account=txn.account,
                region=txn.region,
                created=now,
                image=image,
                machine_image=name,
            )
        )


def _stand_in(alias: ImageAlias, region: str) -> Image:
    model = next(image for image in provided(region) if image.machine_image == alias.machine_image)
    return replace(
        model,
        id=alias.image,
        created=alias.created,
        name=f"{model.name}-as-{alias.image}",
        description=f"{alias.image} as {alias.machine_image}",
        account=OWN,
    )


# --- finding ------------------------------------------------------------------------------------
def _all(txn: Txn) -> Iterator[Image]:
    """The images that the caller may launch or see: provided, own, shared."""
    yield from provided(txn.region)
    for alias in txn.view.all(ImageAlias):
        yield _stand_in(alias, txn.region)
    for image in stored(txn.view):
        yield _published(image, txn.region)
    for row in txn.view.all(Image):
        if row.region == txn.region and permitted(row, txn.account):
            yield row


def permitted(image: Image, account: str) -> bool:
    """Whether the account may launch instances of the image."""
    return account == image.account or image.public or account in image.users


def find_image(txn: Txn, key: str) -> Image:
    """The image of that id which the account may start instances from.

    Raises:
        ApiError: ``InvalidAMIID.NotFound``, ``InvalidAMIID.Malformed``.
    """
    row = txn.view.find(Image, key)
    if row is not None and row.region == txn.region and permitted(row, txn.account):
        return row
    alias = txn.view.find(ImageAlias, f"image-alias-{key}")
    if alias is not None:
        return _stand_in(alias, txn.region)
    if key in _provided_by_id(txn.region):
        return _provided_by_id(txn.region)[key]
    for image in stored(txn.view):
        if image.id(txn.region) == key:
            return _published(image, txn.region)
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


def allowed(call: Call, image: Image) -> bool:
    """Whether the region's allowed images settings let the account use the image, were they
    enabled: one's own always."""
    if image.account == call.account:
        return True
    criteria = settings(call.txn).allowed_images.criteria
    ages = Ages.at(call.now, image.created, image.deprecated)
    return admits(criteria, {image.account, image.alias}, image.name, ages)


def launchable(call: Call, key: str) -> Image:
    """The image of that id, from which the account can launch instances now.

    Raises:
        ApiError: ``InvalidAMIID.NotFound``, ``InvalidAMIID.Malformed``,
            ``InvalidAMIID.Unavailable``.
    """
    image = find_image(call.txn, key)
    if image.state != "available":
        raise ApiError(
            "InvalidAMIID.Unavailable", f"The image id '[{image.id}]' is no longer available"
        )
    if settings(call.txn).allowed_images.state == "enabled" and not allowed(call, image):
        raise not_found(Image, key)
    return image


# --- listing ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Listed:
    """An image in a listing: with what the settings of who asks say of it, if they say any."""

    image: Image
    allowed: bool | None

    @property
    def id(self) -> str:
        return self.image.id

    @property
    def created(self) -> str:
        return self.image.created


def _listed(call: Call) -> Iterator[Listed]:
    """The images that the call's scope (Owners, ExecutableUsers) has."""
    owners, users = set(call.get("Owners", ())), set(call.get("ExecutableUsers", ()))
    state = settings(call.txn).allowed_images.state
    for image in _all(call.txn):
        if owners and not _owned(image, owners, call.account):
            continue
        if users and not _executable(image, users, call.account):
            continue
        fits = allowed(call, image) if state != "disabled" else None
        if state == "enabled" and not fits:
            continue
        if image.id in call.get("ImageIds", ()) or _shows(call, image):
            yield Listed(image, fits)


def _shows(call: Call, image: Image) -> bool:
    """Whether the image is listed where it is not asked for by its id."""
    if image.state == "disabled" and not call.get("IncludeDisabled"):
        return False
    old = image.deprecated is not None and image.deprecated <= call.now
    return not old or image.account == call.account or bool(call.get("IncludeDeprecated"))


def _owned(image: Image, owners: set[str], account: str) -> bool:
    names = {image.account, image.alias, "self" if image.account == account else None}
    return bool(names & owners)


def _executable(image: Image, users: set[str], account: str) -> bool:
    """Whether launch permission was given to one of the users: to all, or to accounts by name."""
    named = {account if user == "self" else user for user in users}
    return ("all" in users and image.public) or bool(named & set(image.users))


# --- answers ------------------------------------------------------------------------------------
def show_listed(row: Listed, view: View) -> Shape:
    """The API's ``Image`` structure, as the caller sees it."""
    shape = show(row.image, view)
    return shape if row.allowed is None else {**shape, "ImageAllowed": row.allowed}


def show(image: Image, view: View) -> Shape:
    """The API's ``Image`` structure."""
    shape: Shape = {
        "ImageId": image.id,
        "ImageLocation": f"{image.alias or image.account}/{image.name}",
        "ImageOwnerAlias": image.alias,
        "ImageType": "machine",
        "OwnerId": image.account,
        "Name": image.name,
        "Description": image.description,
        "Architecture": image.architecture,
        "CreationDate": image.created,
        "DeprecationTime": image.deprecated,
        "Public": image.public,
        "State": image.state,
        "BlockDeviceMappings": [show_device(each) for each in image.devices],
        "RootDeviceName": image.root_device,
        "RootDeviceType": "ebs",
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "EnaSupport": image.ena,
        "SriovNetSupport": image.sriov,
        "BootMode": image.boot_mode,
        "ImdsSupport": image.imds,
        "TpmSupport": image.tpm,
        "DeregistrationProtection": None if image.alias else image.protection,
        "SourceInstanceId": image.instance,
        "SourceImageId": image.source,
        "SourceImageRegion": image.source_region,
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "ImageWatermarks": [_show_watermark(each) for each in image.watermarks] or None,
        "InstanceTypeSpecification": _show_types(image.types),
        "ProductCodes": [],
        "Tags": tag_list(image),
    }
    return {name: value for name, value in shape.items() if value is not None}


def _show_watermark(mark: Watermark) -> Shape:
    return {
        "WatermarkKey": mark.key,
        "SourceImageRegion": mark.region,
        "SourceImageId": mark.image,
        "SourceImageCreationTime": mark.image_created,
        "WatermarkCreationTime": mark.made,
    }


def _show_types(rule: TypeRule) -> Shape | None:
    lists = {
        "SupportedInstanceTypes": rule.supported,
        "UnsupportedInstanceTypes": rule.unsupported,
    }
    shape = {
        name: [{"InstanceType": each} for each in types] for name, types in lists.items() if types
    }
    return shape or None


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

LISTING: Listing[Listed] = Listing(
    action="DescribeImages",
    result="Images",
    show=show_listed,
    ids="ImageIds",
    rows=_listed,
    paths=_PATHS,
)
