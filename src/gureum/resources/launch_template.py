"""Launch template: parameters of RunInstances under a name, in numbered versions.

A version's parameters are kept as the API's structure, which nothing changes once it was made.
The actions are in :mod:`gureum.resources.launch_template_api`.

Sources: EC2 User Guide, "Store instance launch parameters in Amazon EC2 launch templates"; EC2 API
Reference, CreateLaunchTemplate, RunInstances.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gureum.errors import ApiError, invalid_combination
from gureum.kind import Call, Shape
from gureum.model import Resource, Tags, Txn, ref

LATEST, DEFAULT = "$Latest", "$Default"


@dataclass(frozen=True, kw_only=True)
class LaunchTemplate(
    Resource,
    kind="launch-template",
    prefix="lt",
    not_found="InvalidLaunchTemplateId.NotFound",
    noun="launch template",
    missing="The specified launch template, with template ID {id}, does not exist.",
):
    """A launch template.  ``default`` and ``latest`` are numbers of versions that are there,
    ``numbered`` is the last number that was given away."""

    name: str
    default: int = 1
    latest: int = 1
    numbered: int = 1


@dataclass(frozen=True, kw_only=True)
class LaunchTemplateVersion(
    Resource,
    kind="launch-template-version",
    prefix="ltv",
    not_found="InvalidLaunchTemplateId.VersionNotFound",
    noun="launch template version",
):
    """One version; ``data`` is the API's ``LaunchTemplateData`` as JSON."""

    template: str = ref("cascade")
    number: int
    description: str = ""
    data: str

    @property
    def shape(self) -> Shape:
        """The launch parameters."""
        shape: Shape = json.loads(self.data)
        return shape


# --- finding ------------------------------------------------------------------------------------
def named(txn: Txn, name: str) -> LaunchTemplate | None:
    """The caller's template of that name."""
    return next((row for row in txn.all(LaunchTemplate) if row.name == name), None)


def find_template(txn: Txn, given: Mapping[str, Any]) -> LaunchTemplate:
    """The template that a request names by ``LaunchTemplateId`` or ``LaunchTemplateName``.

    Raises:
        ApiError: ``InvalidLaunchTemplateId.NotFound``, ``InvalidLaunchTemplateId.Malformed``,
            ``InvalidLaunchTemplateName.NotFoundException``, ``MissingParameter``,
            ``InvalidParameterCombination``.
    """
    key, name = given.get("LaunchTemplateId"), given.get("LaunchTemplateName")
    if key and name:
        raise invalid_combination(
            "Only one of launchTemplateId and launchTemplateName may be specified."
        )
    if key:
        return txn.get(LaunchTemplate, key)
    if not name:
        raise ApiError(
            "MissingParameter",
            "Either the launch template ID or the launch template name must be specified.",
        )
    row = named(txn, name)
    if row is None:
        raise ApiError(
            "InvalidLaunchTemplateName.NotFoundException",
            f"The specified launch template, with template name {name}, does not exist.",
        )
    return row


def version_key(template: str, number: int) -> str:
    """The id of a version's row; such ids sort as the numbers do."""
    return f"{template}/{number:08}"


def find_version(txn: Txn, template: LaunchTemplate, asked: str) -> LaunchTemplateVersion:
    """The version of a number, ``$Latest`` or ``$Default``.

    Raises:
        ApiError: ``InvalidLaunchTemplateId.VersionNotFound``, ``InvalidParameterValue``.
    """
    row = txn.find(LaunchTemplateVersion, version_key(template.id, number_of(template, asked)))
    if row is None:
        raise ApiError(
            "InvalidLaunchTemplateId.VersionNotFound",
            f"Could not find the specified version {asked} for the launch template with ID "
            f"{template.id}.",
        )
    return row


def number_of(template: LaunchTemplate, asked: str) -> int:
    """The number that a request means.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    if asked == LATEST:
        return template.latest
    if asked == DEFAULT:
        return template.default
    if not (asked.isascii() and asked.isdigit() and 0 < len(asked) < 9):
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid launch template version: either '{DEFAULT}', '{LATEST}', or a numeric "
            "version are allowed.",
        )
    return int(asked)


# --- merging ------------------------------------------------------------------------------------
_RENAMED = {"RamDiskId": "RamdiskId", "ElasticGpuSpecifications": "ElasticGpuSpecification"}
_KEYED: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "BlockDeviceMappings": lambda item: item.get("DeviceName"),
    "NetworkInterfaces": lambda item: item.get("DeviceIndex"),
    "TagSpecifications": lambda item: item.get("ResourceType"),
    "Tags": lambda item: item.get("Key"),
}
"""Lists whose items are merged one by one, and what tells which of both are the same."""

_LAUNCHED = frozenset({"instance", "volume", "network-interface"})
"""Types of what a launch makes here; templates may have tags for others (Spot requests)."""


def apply(call: Call) -> Tags:
    """Where a launch names a template, give the call the template's parameters, less those that
    the request has itself; the tags that tell of the template.

    Raises:
        ApiError: see :func:`find_template` and :func:`find_version`; ``UnsupportedOperation``.
    """
    given = call.get("LaunchTemplate")
    if not given:
        return ()
    template = find_template(call.txn, given)
    version = find_version(call.txn, template, given.get("Version") or DEFAULT)
    data = {_RENAMED.get(name, name): value for name, value in version.shape.items()}
    if "InstanceRequirements" in data:
        raise ApiError(
            "UnsupportedOperation",
            "A launch template with instance requirements cannot be used by RunInstances.",
        )
    request = {name: value for name, value in call.params.items() if name != "LaunchTemplate"}
    merged = merge(data, request)
    if "TagSpecifications" in merged:
        merged["TagSpecifications"] = [
            each for each in merged["TagSpecifications"] if each.get("ResourceType") in _LAUNCHED
        ]
    call.params = merged
    return (
        ("aws:ec2launchtemplate:id", template.id),
        ("aws:ec2launchtemplate:version", str(version.number)),
    )


def merge(base: Mapping[str, Any], given: Mapping[str, Any]) -> Shape:
    """``base`` with what ``given`` says instead or more; an empty text says nothing."""
    merged = dict(base)
    for name, value in given.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[name] = merge(old, value)
        elif name in _KEYED and old:
            merged[name] = _merge_lists(old, value, _KEYED[name])
        elif value != "" or old is None:
            merged[name] = value
    return merged


def _merge_lists(base: Any, given: Any, key: Callable[[Mapping[str, Any]], Any]) -> list[Shape]:
    found: dict[Any, Shape] = {key(item): dict(item) for item in base}
    for item in given:
        known = found.get(key(item))
        found[key(item)] = merge(known, item) if known is not None else dict(item)
    return list(found.values())
