"""How volumes are changed while they are there: size, type and performance; their status.

Sources: EC2 API Reference, ModifyVolume, DescribeVolumesModifications, DescribeVolumeStatus; EBS
User Guide, "Modify an Amazon EBS volume using Elastic Volumes operations".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Call, Listing, Shape
from gureum.model import View
from gureum.resources.region import zone_id
from gureum.resources.volume import Modification, Volume
from gureum.resources.volume_types import Performance, checked


def modify_volume(call: Call) -> Shape:
    """ModifyVolume: what is not given stays as it is, as far as the type has it."""
    row = call.txn.get(Volume, call.params["VolumeId"])
    if row.state != "ready":
        raise ApiError("IncorrectState", f"Volume '{row.id}' is '{row.state}'.")
    if row.modification is not None and row.modification.state != "completed":
        raise ApiError(
            "IncorrectModificationState",
            f"Cannot modify volume {row.id} in modification state {row.modification.state.upper()}",
        )
    after = _target(call, row.what)
    change = Modification(before=row.what, after=after, started=call.now)
    call.txn.put(replace(row, what=after, modification=change))
    return {"VolumeModification": show_modification(row.id, change)}


def _target(call: Call, old: Performance) -> Performance:
    kind, size = call.get("VolumeType", old.type), call.get("Size", old.size)
    if size < old.size:
        raise ApiError("InvalidParameterValue", "New size cannot be smaller than existing size")
    same = kind == old.type
    iops = call.get("Iops")
    if iops is None:
        if same and kind != "gp2":
            iops = old.iops
        elif kind in ("io1", "io2"):
            iops = 3000
    throughput = call.get("Throughput")
    if throughput is None and same:
        throughput = old.throughput
    return checked(
        kind,
        size,
        iops=iops,
        throughput=throughput,
        multi_attach=call.get("MultiAttachEnabled", old.multi_attach),
    )


# --- modifications ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Change:
    """A volume's latest modification, as a listing has it: by the volume's id."""

    id: str
    created: str
    what: Modification


def _changes(call: Call) -> Iterator[Change]:
    for row in call.txn.all(Volume):
        if row.modification is not None:
            yield Change(row.id, row.modification.started, row.modification)


_PROGRESS = {"modifying": 0, "optimizing": 50, "completed": 100}
_MEMBERS = {
    "Size": "size",
    "Iops": "iops",
    "VolumeType": "type",
    "Throughput": "throughput",
    "MultiAttachEnabled": "multi_attach",
}


def show_modification(volume: str, change: Modification) -> Shape:
    """The API's ``VolumeModification`` structure."""
    shape: Shape = {
        "VolumeId": volume,
        "ModificationState": change.state,
        "Progress": _PROGRESS[change.state],
        "StartTime": change.started,
        "EndTime": change.ended,
    }
    for word, what in (("Target", change.after), ("Original", change.before)):
        for member, name in _MEMBERS.items():
            shape[f"{word}{member}"] = getattr(what, name)
    return {name: value for name, value in shape.items() if value is not None}


def _show_change(change: Change, view: View) -> Shape:
    return show_modification(change.id, change.what)


# --- attributes and status ----------------------------------------------------------------------
def describe_attribute(call: Call) -> Shape:
    """DescribeVolumeAttribute."""
    row = call.txn.get(Volume, call.params["VolumeId"])
    if call.params["Attribute"] == "productCodes":
        return {"VolumeId": row.id, "ProductCodes": []}
    return {"VolumeId": row.id, "AutoEnableIO": {"Value": row.auto_enable_io}}


def modify_attribute(call: Call) -> Shape:
    """ModifyVolumeAttribute: remembered only, as no volume here is ever impaired."""
    row = call.txn.get(Volume, call.params["VolumeId"])
    given = call.get("AutoEnableIO", {}).get("Value")
    if given is None:
        raise missing_parameter("autoEnableIO")
    call.txn.put(replace(row, auto_enable_io=given))
    return {}


def enable_io(call: Call) -> Shape:
    """EnableVolumeIO: it is never disabled here."""
    call.txn.get(Volume, call.params["VolumeId"])
    return {}


def show_status(row: Volume, view: View) -> Shape:
    """The API's ``VolumeStatusItem`` structure: it is well."""
    return {
        "VolumeId": row.id,
        "AvailabilityZone": row.zone,
        "AvailabilityZoneId": zone_id(row.zone),
        "Actions": [],
        "Events": [],
        "AttachmentStatuses": [
            {"InstanceId": each.instance, "IoPerformance": "not-applicable"}
            for each in row.attachments
        ],
        "VolumeStatus": {
            "Status": "ok",
            "Details": [
                {"Name": "io-enabled", "Status": "passed"},
                {"Name": "io-performance", "Status": "not-applicable"},
            ],
        },
    }


def _there(call: Call, row: Any) -> bool:
    return bool(row.state == "ready")


ACTIONS = {
    "ModifyVolume": modify_volume,
    "DescribeVolumeAttribute": describe_attribute,
    "ModifyVolumeAttribute": modify_attribute,
    "EnableVolumeIO": enable_io,
}

READS = frozenset({"DescribeVolumeAttribute"})

LISTINGS: tuple[Listing[Any], ...] = (
    Listing(
        action="DescribeVolumesModifications",
        result="VolumesModifications",
        show=_show_change,
        ids="VolumeIds",
        rows=_changes,
        paths={
            "originalMultiAttachEnabled": "OriginalMultiAttachEnabled",
            "targetMultiAttachEnabled": "TargetMultiAttachEnabled",
        },
    ),
    Listing(
        action="DescribeVolumeStatus",
        result="VolumeStatuses",
        show=show_status,
        ids="VolumeIds",
        keep=_there,
        paths={
            "attachment-status.instance-id": "AttachmentStatuses[].InstanceId",
            "attachment-status.io-performance": "AttachmentStatuses[].IoPerformance",
            "volume-status.details-name": "VolumeStatus.Details[].Name",
            "volume-status.details-status": "VolumeStatus.Details[].Status",
        },
    ),
)
