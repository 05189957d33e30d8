"""The API's actions on launch templates and their versions.

Source: EC2 API Reference, CreateLaunchTemplate, CreateLaunchTemplateVersion, ModifyLaunchTemplate,
DeleteLaunchTemplateVersions, DescribeLaunchTemplateVersions, GetLaunchTemplateData.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, missing_parameter
from gureum.kind import Call, Kind, Listing, Selector, Shape
from gureum.model import Txn, View
from gureum.model.timestamps import timestamp
from gureum.resources.image import resolved_id
from gureum.resources.instance import Instance
from gureum.resources.launch_template import (
    DEFAULT,
    LATEST,
    LaunchTemplate,
    LaunchTemplateVersion,
    find_template,
    find_version,
    merge,
    named,
    number_of,
    version_key,
)
from gureum.resources.launch_template_data import of_instance
from gureum.resources.run_instances import check_user_data
from gureum.resources.shapes import tag_list

_NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")
MAX_DELETED = 200


# --- create -------------------------------------------------------------------------------------
def create_launch_template(call: Call) -> Shape:
    """CreateLaunchTemplate: with its first version, which is the default."""
    name = call.params["LaunchTemplateName"]
    if not _NAME.fullmatch(name):
        raise ApiError(
            "InvalidLaunchTemplateName.MalformedException",
            "A launch template name must be between 3 and 128 characters, and may contain letters, "
            "numbers, and the following characters: - ( ) . / _",
        )
    if named(call.txn, name) is not None:
        raise ApiError(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        )
    row = call.created(LaunchTemplate(**call.common(LaunchTemplate), name=name))
    _add_version(call, row, 1, call.params["LaunchTemplateData"])
    return {"LaunchTemplate": show(row, call.txn.view)}


def create_version(call: Call) -> Shape:
    """CreateLaunchTemplateVersion: anew, or on top of another version."""
    row = find_template(call.txn, call.params)
    data = call.params["LaunchTemplateData"]
    if source := call.get("SourceVersion"):
        data = merge(_without_snapshots(find_version(call.txn, row, source).shape), data)
    row = call.txn.put(replace(row, numbered=row.numbered + 1, latest=row.numbered + 1))
    version = _add_version(call, row, row.numbered, data)
    return {"LaunchTemplateVersion": show_version(_resolved(call, version), call.txn.view)}


def _without_snapshots(data: Shape) -> Shape:
    """Inherited mappings keep no snapshots (EC2 API Reference, CreateLaunchTemplateVersion)."""
    mappings = [
        {**item, "Ebs": {k: v for k, v in item["Ebs"].items() if k != "SnapshotId"}}
        if "Ebs" in item
        else item
        for item in data.get("BlockDeviceMappings", ())
    ]
    return {**data, "BlockDeviceMappings": mappings} if mappings else data


def _add_version(
    call: Call, row: LaunchTemplate, number: int, data: Shape
) -> LaunchTemplateVersion:
    check_user_data(data.get("UserData", ""))
    return call.created(
        LaunchTemplateVersion(
            id=version_key(row.id, number),
            account=call.account,
            region=call.region,
            created=call.now,
            template=row.id,
            number=number,
            description=call.get("VersionDescription", ""),
            data=json.dumps(data, default=timestamp),
        )
    )


# --- modify and delete --------------------------------------------------------------------------
def modify_launch_template(call: Call) -> Shape:
    """ModifyLaunchTemplate: another version becomes the default."""
    row = find_template(call.txn, call.params)
    asked = call.get("DefaultVersion")
    if not asked:
        raise missing_parameter("SetDefaultVersion")
    version = find_version(call.txn, row, asked)
    row = call.txn.put(replace(row, default=version.number))
    return {"LaunchTemplate": show(row, call.txn.view)}


def delete_launch_template(call: Call) -> Shape:
    """DeleteLaunchTemplate: with all its versions; instances stay."""
    row = find_template(call.txn, call.params)
    call.txn.delete(row)
    return {"LaunchTemplate": show(row, call.txn.view)}


def delete_versions(call: Call) -> Shape:
    """DeleteLaunchTemplateVersions: what cannot be deleted is listed, not refused."""
    row = find_template(call.txn, call.params)
    asked = list(dict.fromkeys(call.params["Versions"]))
    if len(asked) > MAX_DELETED:
        raise ApiError(
            "InvalidParameterValue", f"At most {MAX_DELETED} versions can be deleted in a request."
        )
    done, failed = [], []
    for text in asked:
        number = number_of(row, text)
        said = {
            "LaunchTemplateId": row.id,
            "LaunchTemplateName": row.name,
            "VersionNumber": number,
        }
        error = _delete_version(call.txn, row, number)
        if error is None:
            done.append(said)
        else:
            failed.append({**said, "ResponseError": error})
    rest = [each.number for each in call.txn.referrers(row.id, LaunchTemplateVersion)]
    call.txn.put(replace(row, latest=max(rest)))
    return {
        "SuccessfullyDeletedLaunchTemplateVersions": done,
        "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
    }


def _delete_version(txn: Txn, row: LaunchTemplate, number: int) -> Shape | None:
    version = txn.find(LaunchTemplateVersion, version_key(row.id, number))
    if version is None:
        return {
            "Code": "launchTemplateVersionDoesNotExist",
            "Message": f"The specified launch template version {number} does not exist.",
        }
    if number == row.default:
        return {
            "Code": "unexpectedError",
            "Message": f"Version {number} is the default version and cannot be deleted.",
        }
    txn.delete(version)
    return None


# --- describe -----------------------------------------------------------------------------------
def _listed(call: Call) -> list[LaunchTemplateVersion]:
    return [_resolved(call, version) for version in _versions(call)]


def _resolved(call: Call, row: LaunchTemplateVersion) -> LaunchTemplateVersion:
    """The version with the id of the image for which a parameter's name stands, if asked so."""
    data = row.shape
    if not call.get("ResolveAlias") or "ImageId" not in data:
        return row
    found = {**data, "ImageId": resolved_id(call.txn, data["ImageId"])}
    return replace(row, data=json.dumps(found))


def _versions(call: Call) -> Iterator[LaunchTemplateVersion]:
    """The versions asked for, the latest first."""
    asked = list(dict.fromkeys(call.get("Versions", ())))
    if not call.get("LaunchTemplateId") and not call.get("LaunchTemplateName"):
        yield from _of_all(call, asked)
        return
    row = find_template(call.txn, call.params)
    if asked:
        found = {find_version(call.txn, row, text).number for text in asked}
        for number in sorted(found, reverse=True):
            yield find_version(call.txn, row, str(number))
        return
    low = number_of(row, call.get("MinVersion") or "1")
    high = number_of(row, call.get("MaxVersion") or LATEST)
    versions = call.txn.referrers(row.id, LaunchTemplateVersion)
    for version in sorted(versions, key=lambda each: -each.number):
        if low <= version.number <= high:
            yield version


def _of_all(call: Call, asked: list[str]) -> Iterator[LaunchTemplateVersion]:
    if not asked:
        raise missing_parameter("launchTemplateId or launchTemplateName")
    if set(asked) - {LATEST, DEFAULT}:
        raise invalid_combination(
            "Numeric versions can be described of one launch template at a time only."
        )
    for row in call.txn.all(LaunchTemplate):
        for number in sorted({number_of(row, text) for text in asked}, reverse=True):
            yield find_version(call.txn, row, str(number))


def show(row: LaunchTemplate, view: View) -> Shape:
    """The API's ``LaunchTemplate`` structure."""
    return {
        "LaunchTemplateId": row.id,
        "LaunchTemplateName": row.name,
        "CreateTime": row.created,
        "CreatedBy": _creator(row.account),
        "DefaultVersionNumber": row.default,
        "LatestVersionNumber": row.latest,
        "Operator": {"Managed": False},
        "Tags": tag_list(row),
    }


def _creator(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def show_version(row: LaunchTemplateVersion, view: View) -> Shape:
    """The API's ``LaunchTemplateVersion`` structure."""
    template = view.find(LaunchTemplate, row.template)
    assert template is not None
    shape: Shape = {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "VersionNumber": row.number,
        "CreateTime": row.created,
        "CreatedBy": _creator(row.account),
        "DefaultVersion": row.number == template.default,
        "LaunchTemplateData": row.shape,
        "Operator": {"Managed": False},
    }
    return shape | ({"VersionDescription": row.description} if row.description else {})


def get_data(call: Call) -> Shape:
    """GetLaunchTemplateData: what would launch an instance like one that is there."""
    row = call.txn.get(Instance, call.params["InstanceId"])
    return {"LaunchTemplateData": of_instance(row, call.txn.view)}


def _protocol(row: Any, view: View) -> list[str]:
    return ["enabled"] if "MetadataOptions" in row.shape else []


_DATA = "LaunchTemplateData"

KIND = Kind(
    row=LaunchTemplate,
    actions={
        "CreateLaunchTemplate": create_launch_template,
        "CreateLaunchTemplateVersion": create_version,
        "ModifyLaunchTemplate": modify_launch_template,
        "DeleteLaunchTemplate": delete_launch_template,
        "DeleteLaunchTemplateVersions": delete_versions,
        "GetLaunchTemplateData": get_data,
    },
    reads=frozenset({"GetLaunchTemplateData"}),
    listings=(
        Listing(
            action="DescribeLaunchTemplates",
            result="LaunchTemplates",
            show=show,
            ids="LaunchTemplateIds",
            selectors={
                "LaunchTemplateNames": Selector(
                    path="LaunchTemplateName",
                    code="InvalidLaunchTemplateName.NotFoundException",
                    message=(
                        "At least one of the launch templates specified in the request does not "
                        "exist."
                    ),
                )
            },
        ),
    ),
)

VERSION = Kind(
    row=LaunchTemplateVersion,
    listings=(
        Listing(
            action="DescribeLaunchTemplateVersions",
            result="LaunchTemplateVersions",
            show=show_version,
            rows=_listed,
            paths={
                "ebs-optimized": f"{_DATA}.EbsOptimized",
                "http-endpoint": f"{_DATA}.MetadataOptions.HttpEndpoint",
                "http-tokens": f"{_DATA}.MetadataOptions.HttpTokens",
                "host-resource-group-arn": f"{_DATA}.Placement.HostResourceGroupArn",
                "iam-instance-profile": f"{_DATA}.IamInstanceProfile.Arn",
                "image-id": f"{_DATA}.ImageId",
                "instance-type": f"{_DATA}.InstanceType",
                "is-default-version": "DefaultVersion",
                "kernel-id": f"{_DATA}.KernelId",
                "license-configuration-arn": (
                    f"{_DATA}.LicenseSpecifications[].LicenseConfigurationArn"
                ),
                "network-card-index": f"{_DATA}.NetworkInterfaces[].NetworkCardIndex",
                "ram-disk-id": f"{_DATA}.RamDiskId",
            },
            computed={"http-protocol-ipv4": _protocol},
        ),
    ),
)
