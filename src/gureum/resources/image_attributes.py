"""What the owner of an image can change of it: description, who may launch it, its state, when it
is out of date, whether it can be deregistered; and what a region lets be public.

Sources: EC2 API Reference, ModifyImageAttribute, DisableImage, EnableImageDeprecation,
EnableImageDeregistrationProtection, EnableImageBlockPublicAccess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Shape
from gureum.model.timestamps import timestamp
from gureum.resources.block_device import show as show_device
from gureum.resources.image import Image, find_image
from gureum.resources.image_allowed import parse, show_criterion
from gureum.resources.region_settings import set_defaults, settings

_ACCOUNT = re.compile(r"\d{12}")

COOLDOWN = timedelta(hours=24)
"""How long an image stays protected after its protection with a cooldown was switched off."""

MOST_AHEAD = timedelta(days=3653)
"""How far ahead an image's deprecation can be (ten years)."""


def own_image(call: Call) -> Image:
    """The image of the call, which the caller must own.

    Raises:
        ApiError: ``InvalidAMIID.NotFound``, ``InvalidAMIID.Malformed``, ``AuthFailure``.
    """
    image = find_image(call.txn, call.params["ImageId"])
    if image.account != call.account:
        raise ApiError("AuthFailure", f"Not authorized for image:{image.id}", 403)
    return image


# --- describe -----------------------------------------------------------------------------------
def _launch_permission(image: Image) -> Shape:
    found: list[Shape] = [{"Group": "all"}] if image.public else []
    found += [{"UserId": user} for user in image.users]
    found += [
        {"OrganizationalUnitArn" if ":ou/" in arn else "OrganizationArn": arn}
        for arn in image.organizations
    ]
    return {"LaunchPermissions": found}


def _value(member: str, value: str | None) -> Shape:
    return {member: {"Value": value} if value is not None else {}}


_ATTRIBUTES: dict[str, Callable[[Image], Shape]] = {
    "description": lambda image: _value("Description", image.description),
    "launchPermission": _launch_permission,
    "blockDeviceMapping": lambda image: {
        "BlockDeviceMappings": [show_device(each) for each in image.devices]
    },
    "bootMode": lambda image: _value("BootMode", image.boot_mode),
    "imdsSupport": lambda image: _value("ImdsSupport", image.imds),
    "kernel": lambda image: {"KernelId": {}},
    "ramdisk": lambda image: {"RamdiskId": {}},
    "productCodes": lambda image: {"ProductCodes": []},
    "sriovNetSupport": lambda image: _value("SriovNetSupport", image.sriov),
    "tpmSupport": lambda image: _value("TpmSupport", image.tpm),
    "uefiData": lambda image: {"UefiData": {}},
    "lastLaunchedTime": lambda image: {"LastLaunchedTime": {}},
    "deregistrationProtection": lambda image: _value("DeregistrationProtection", image.protection),
}

_FOR_ALL = frozenset({"description"})
"""What of an image its owner lets everybody ask for one by one."""


def describe_attribute(call: Call) -> Shape:
    """DescribeImageAttribute: one attribute a call; of others' images only the description.

    Raises:
        ApiError: ``AuthFailure`` for attributes of images of other accounts.
    """
    image = find_image(call.txn, call.params["ImageId"])
    attribute = call.params["Attribute"]
    if image.account != call.account and attribute not in _FOR_ALL:
        raise ApiError("AuthFailure", f"Not authorized for images: [{image.id}]", 403)
    return {"ImageId": image.id, **_ATTRIBUTES[attribute](image)}


# --- modify -------------------------------------------------------------------------------------
_PERMISSIONS = (
    "LaunchPermission", "UserIds", "UserGroups", "OrganizationArns", "OrganizationalUnitArns",
)  # fmt: skip


def modify_attribute(call: Call) -> Shape:
    """ModifyImageAttribute: one attribute a call, in either of the API's two styles."""
    image = own_image(call)
    given = [name for name in ("Description", "ImdsSupport") if call.get(name)]
    if any(call.get(name) for name in _PERMISSIONS):
        given.append("LaunchPermission")
    old = call.get("Attribute")
    if old is not None and old != "launchPermission":
        if old != "description" or call.get("Value") is None:
            raise invalid_value("attribute", old)
        given.append("Value")
    if len(given) != 1:
        raise invalid_combination(
            "Fields for multiple attribute types specified" if given else "No attributes specified."
        )
    _CHANGES[given[0]](call, image)
    return {}


def _set_description(call: Call, image: Image) -> None:
    text = call.get("Description", {}).get("Value")
    call.txn.put(replace(image, description=call.get("Value", "") if text is None else text))


def _set_imds(call: Call, image: Image) -> None:
    value = call.params["ImdsSupport"].get("Value")
    if value != "v2.0":
        raise invalid_value("imdsSupport", value)
    call.txn.put(replace(image, imds=value))


def _set_permissions(call: Call, image: Image) -> None:
    if image.state != "available":
        raise ApiError("InvalidAMIID.Unavailable", f"The image '[{image.id}]' is not available")
    add, remove = _permissions(call)
    public = "all" in _of(add, "Group") or (image.public and "all" not in _of(remove, "Group"))
    if public and not image.public:
        _check_public(call, image)
    arns = ("OrganizationArn", "OrganizationalUnitArn")
    call.txn.put(
        replace(
            image,
            public=public,
            users=_combined(image.users, _users(add), _users(remove)),
            organizations=_combined(image.organizations, _of(add, *arns), _of(remove, *arns)),
        )
    )


def _combined(old: Iterable[str], add: list[str], remove: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(each for each in old if each not in remove), *add]))


def _permissions(call: Call) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    whole = call.get("LaunchPermission", {})
    add, remove = list(whole.get("Add", ())), list(whole.get("Remove", ()))
    members = {
        "UserIds": "UserId",
        "UserGroups": "Group",
        "OrganizationArns": "OrganizationArn",
        "OrganizationalUnitArns": "OrganizationalUnitArn",
    }
    old = [{member: text} for name, member in members.items() for text in call.get(name, ())]
    if old:
        operation = call.get("OperationType")
        if operation is None:
            raise missing_parameter("operationType")
        (add if operation == "add" else remove).extend(old)
    return add, remove


def _of(items: Iterable[Mapping[str, Any]], *members: str) -> list[str]:
    return [item[member] for item in items for member in members if item.get(member)]


def _users(items: Iterable[Mapping[str, Any]]) -> list[str]:
    found = _of(items, "UserId")
    for user in found:
        if not _ACCOUNT.fullmatch(user):
            raise ApiError("InvalidUserID.Malformed", f'Invalid user id: "{user}"')
    return found


def _check_public(call: Call, image: Image) -> None:
    if any(device.encrypted for device in image.devices):
        raise ApiError("InvalidParameter", "Images with encrypted snapshots cannot be public.")
    if settings(call.txn).image_sharing != "unblocked":
        raise ApiError(
            "OperationNotPermitted",
            "You can't publicly share this image because block public access for AMIs is enabled "
            "in this region.",
        )


_CHANGES: Mapping[str, Callable[[Call, Image], None]] = {
    "Description": _set_description,
    "Value": _set_description,
    "ImdsSupport": _set_imds,
    "LaunchPermission": _set_permissions,
}


def reset_attribute(call: Call) -> Shape:
    """ResetImageAttribute: nobody but the owner may launch it."""
    image = own_image(call)
    call.txn.put(replace(image, public=False, users=(), organizations=()))
    return {}


def cancel_permission(call: Call) -> Shape:
    """CancelImageLaunchPermission: the caller gives up what another account granted."""
    image = find_image(call.txn, call.params["ImageId"])
    if call.account not in image.users:
        raise ApiError(
            "InvalidAMIID.Unavailable",
            f"The image '[{image.id}]' is not shared with the account {call.account}.",
        )
    left = tuple(user for user in image.users if user != call.account)
    call.txn.put(replace(image, users=left))
    return {"Return": True}


# --- states -------------------------------------------------------------------------------------
def disable_image(call: Call) -> Shape:
    """DisableImage: nobody launches it any more, and nobody else sees it."""
    image = own_image(call)
    if image.state == "pending":
        raise ApiError("IncorrectState", f"The image '{image.id}' is 'pending'.")
    call.txn.put(replace(image, state="disabled", public=False, users=(), organizations=()))
    return {"Return": True}


def enable_image(call: Call) -> Shape:
    """EnableImage: whom it was shared with does not come back."""
    image = own_image(call)
    if image.state == "disabled":
        call.txn.put(replace(image, state="available"))
    return {"Return": True}


def enable_deprecation(call: Call) -> Shape:
    """EnableImageDeprecation: from a time on, which is rounded to the minute."""
    image = own_image(call)
    asked: datetime = call.params["DeprecateAt"]
    at = (asked + timedelta(seconds=30)).replace(second=0, microsecond=0)
    now = datetime.fromisoformat(call.now)
    if not now < at <= now + MOST_AHEAD:
        raise invalid_value(
            "DeprecateAt", timestamp(asked), "It must be within the next ten years."
        )
    call.txn.put(replace(image, deprecated=timestamp(at)))
    return {"Return": True}


def disable_deprecation(call: Call) -> Shape:
    """DisableImageDeprecation."""
    call.txn.put(replace(own_image(call), deprecated=None))
    return {"Return": True}


def protect(call: Call) -> Shape:
    """EnableImageDeregistrationProtection."""
    image = own_image(call)
    if call.get("WithCooldown"):
        image = replace(image, protection="enabled-with-cooldown", cooldown=None)
    else:
        image = replace(image, protection="enabled", cooldown=None)
    return {"Return": call.txn.put(image).protection}


def unprotect(call: Call) -> Shape:
    """DisableImageDeregistrationProtection: at once, or after the cooldown."""
    image = own_image(call)
    until = image.cooldown
    if image.protection == "enabled-with-cooldown":
        until = timestamp(datetime.fromisoformat(call.now) + COOLDOWN)
    call.txn.put(replace(image, protection="disabled", cooldown=until))
    return {"Return": "disabled"}


# --- the region ---------------------------------------------------------------------------------
def block_public(call: Call) -> Shape:
    """EnableImageBlockPublicAccess: what is public stays so."""
    state = call.params["ImageBlockPublicAccessState"]
    return {"ImageBlockPublicAccessState": set_defaults(call, image_sharing=state).image_sharing}


def unblock_public(call: Call) -> Shape:
    """DisableImageBlockPublicAccess."""
    made = set_defaults(call, image_sharing="unblocked")
    return {"ImageBlockPublicAccessState": made.image_sharing}


def get_block_public(call: Call) -> Shape:
    """GetImageBlockPublicAccessState."""
    state = settings(call.txn).image_sharing
    return {"ImageBlockPublicAccessState": state, "ManagedBy": "account"}


def enable_allowed(call: Call) -> Shape:
    """EnableAllowedImagesSettings: in force, or told in listings only."""
    old = settings(call.txn).allowed_images
    state = call.params["AllowedImagesSettingsState"]
    set_defaults(call, allowed_images=replace(old, state=state))
    return {"AllowedImagesSettingsState": state}


def disable_allowed(call: Call) -> Shape:
    """DisableAllowedImagesSettings: the criteria stay."""
    old = settings(call.txn).allowed_images
    set_defaults(call, allowed_images=replace(old, state="disabled"))
    return {"AllowedImagesSettingsState": "disabled"}


def get_allowed(call: Call) -> Shape:
    """GetAllowedImagesSettings."""
    found = settings(call.txn).allowed_images
    return {
        "State": found.state,
        "ImageCriteria": [show_criterion(each) for each in found.criteria],
        "ManagedBy": "account",
    }


def replace_criteria(call: Call) -> Shape:
    """ReplaceImageCriteriaInAllowedImagesSettings: all of them at once."""
    old = settings(call.txn).allowed_images
    criteria = parse(call.get("ImageCriteria", ()))
    set_defaults(call, allowed_images=replace(old, criteria=criteria))
    return {"ReturnValue": True}


_READ = {
    "DescribeImageAttribute": describe_attribute,
    "GetImageBlockPublicAccessState": get_block_public,
    "GetAllowedImagesSettings": get_allowed,
}

READS = frozenset(_READ)

ACTIONS: Mapping[str, Callable[[Call], Shape]] = {
    "ModifyImageAttribute": modify_attribute,
    "ResetImageAttribute": reset_attribute,
    "CancelImageLaunchPermission": cancel_permission,
    "DisableImage": disable_image,
    "EnableImage": enable_image,
    "EnableImageDeprecation": enable_deprecation,
    "DisableImageDeprecation": disable_deprecation,
    "EnableImageDeregistrationProtection": protect,
    "DisableImageDeregistrationProtection": unprotect,
    "EnableImageBlockPublicAccess": block_public,
    "DisableImageBlockPublicAccess": unblock_public,
    "EnableAllowedImagesSettings": enable_allowed,
    "DisableAllowedImagesSettings": disable_allowed,
    "ReplaceImageCriteriaInAllowedImagesSettings": replace_criteria,
    **_READ,
}
