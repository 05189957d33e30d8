"""Fast snapshot restores: a record, for volumes have all of a snapshot at once here anyway.

Sources: EBS User Guide, "Amazon EBS fast snapshot restore"; EC2 API Reference,
EnableFastSnapshotRestores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, Txn, View, ref
from gureum.model.timestamps import age
from gureum.resources.region import zone_id, zones
from gureum.resources.snapshot import Snapshot

MAX_SNAPSHOTS = 5
"""Snapshots of a region that can be restored fast (EBS quotas)."""

KEPT = timedelta(hours=1)
"""How long it is shown that a snapshot is restored fast no more."""

_ASKED = "Client.UserInitiated"
_FOLLOWED = "Client.UserInitiated - Lifecycle state transition"


@dataclass(frozen=True, kw_only=True)
class FastRestore(
    Resource,
    kind="fast-snapshot-restore",
    prefix="fsr",
    not_found="InvalidParameterValue",
    noun="fast snapshot restore",
):
    """A snapshot that is restored fast in a zone; the times are those of each state."""

    snapshot: str = ref("cascade")
    zone: str
    state: Literal["enabling", "enabled", "disabling", "disabled"] = "enabling"
    enabled: str | None = None
    disabling: str | None = None
    disabled: str | None = None


def enable(call: Call) -> Shape:
    """EnableFastSnapshotRestores: each snapshot in each zone, on its own."""
    return _each(call, _enable)


def _enable(call: Call, snapshot: Snapshot, zone: str) -> FastRestore:
    if snapshot.state != "completed":
        raise ApiError("IncorrectState", f"The snapshot '{snapshot.id}' is {snapshot.state}.")
    old = call.txn.find(FastRestore, _key(snapshot.id, zone))
    if old is not None and old.state in ("enabling", "enabled"):
        return old
    there = {row.snapshot for row in call.txn.all(FastRestore) if row.state != "disabled"}
    if len(there | {snapshot.id}) > MAX_SNAPSHOTS:
        raise ApiError(
            "ResourceLimitExceeded",
            "The maximum number of snapshots with fast snapshot restore has been reached.",
        )
    common = {**call.common(FastRestore, _key(snapshot.id, zone)), "tags": ()}
    return FastRestore(**common, snapshot=snapshot.id, zone=zone)


def disable(call: Call) -> Shape:
    """DisableFastSnapshotRestores: each snapshot in each zone, on its own."""
    return _each(call, _disable)


def _disable(call: Call, snapshot: Snapshot, zone: str) -> FastRestore:
    row = call.txn.find(FastRestore, _key(snapshot.id, zone))
    if row is None or row.state in ("disabling", "disabled"):
        raise invalid_value(
            "sourceSnapshotId", snapshot.id, f"Fast snapshot restore is not enabled in {zone}."
        )
    return replace(row, state="disabling", disabling=call.now)


def _key(snapshot: str, zone: str) -> str:
    return f"fsr-{snapshot}/{zone}"


def _each(call: Call, change: Callable[[Call, Snapshot, str], FastRestore]) -> Shape:
    """Make a change of each snapshot in each zone; what is refused is told in the answer.

    Raises:
        ApiError: ``InvalidParameterValue``, ``InvalidParameterCombination``, ``MissingParameter``
            (the zones), ``InvalidSnapshotID.Malformed``.
    """
    successful, unsuccessful = [], []
    places = _zones(call)
    for key in dict.fromkeys(call.params["SourceSnapshotIds"]):
        refused = []
        for zone in places:
            try:
                row = call.txn.put(change(call, call.txn.get(Snapshot, key), zone))
                successful.append(show(row, call.txn.view))
            except ApiError as error:
                if error.code == Snapshot.malformed:
                    raise
                said = {"Code": error.code, "Message": error.message}
                refused.append(_place(zone) | {"Error": said})
        if refused:
            unsuccessful.append({"SnapshotId": key, "FastSnapshotRestoreStateErrors": refused})
    return {"Successful": successful, "Unsuccessful": unsuccessful}


def _zones(call: Call) -> Sequence[str]:
    names, ids = call.get("AvailabilityZones"), call.get("AvailabilityZoneIds")
    if names and ids:
        raise invalid_combination(
            "Only one of availabilityZone and availabilityZoneId may be specified."
        )
    if not names and not ids:
        raise missing_parameter("availabilityZone")
    known = {zone if names else zone_id(zone): zone for zone in zones(call.region)}
    for each in names or ids:
        if each not in known:
            raise invalid_value("availabilityZone", each)
    return [known[each] for each in dict.fromkeys(names or ids)]


def _place(zone: str) -> Shape:
    return {"AvailabilityZone": zone, "AvailabilityZoneId": zone_id(zone)}


def settled(txn: Txn, row: FastRestore, now: str) -> None:
    """There is nothing to prepare: what was asked for is so."""
    if row.state == "enabling":
        txn.put(replace(row, state="enabled", enabled=now))
    elif row.state == "disabling":
        txn.put(replace(row, state="disabled", disabled=now))


def expired(txn: Txn, row: FastRestore, now: str) -> None:
    """Forget what was disabled an hour ago."""
    if row.disabled and age(row.disabled, now) >= KEPT:
        txn.delete(row)


def show(row: FastRestore, view: View) -> Shape:
    """The API's ``DescribeFastSnapshotRestoreSuccessItem`` structure."""
    times = {
        "EnablingTime": row.created,
        "OptimizingTime": row.enabled,
        "EnabledTime": row.enabled,
        "DisablingTime": row.disabling,
        "DisabledTime": row.disabled,
    }
    return {
        "SnapshotId": row.snapshot,
        **_place(row.zone),
        "State": row.state,
        "StateTransitionReason": _ASKED if row.state.endswith("ing") else _FOLLOWED,
        "OwnerId": row.account,
        **{name: at for name, at in times.items() if at},
    }


KIND = Kind(
    row=FastRestore,
    actions={"EnableFastSnapshotRestores": enable, "DisableFastSnapshotRestores": disable},
    listings=(
        Listing(
            action="DescribeFastSnapshotRestores",
            result="FastSnapshotRestores",
            show=show,
        ),
    ),
    settled=settled,
    expired=expired,
)
