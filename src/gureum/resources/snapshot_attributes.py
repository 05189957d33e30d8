"""Who may make volumes from a snapshot, how long it is locked, and on which tier it lies.

Sources: EC2 API Reference, ModifySnapshotAttribute, LockSnapshot, ModifySnapshotTier; EBS User
Guide, "Amazon EBS snapshot lock" and "Archive Amazon EBS snapshots".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Shape
from gureum.model.timestamps import age, timestamp
from gureum.resources.region_settings import settings
from gureum.resources.snapshot import Lock, Snapshot, Tiering

_ACCOUNT = re.compile(r"\d{12}")


# --- permissions --------------------------------------------------------------------------------
def describe_attribute(call: Call) -> Shape:
    """DescribeSnapshotAttribute."""
    row = call.txn.get(Snapshot, call.params["SnapshotId"])
    if call.params["Attribute"] == "productCodes":
        return {"SnapshotId": row.id, "ProductCodes": []}
    everybody = [{"Group": "all"}] if row.public else []
    some = [{"UserId": user} for user in row.users]
    return {"SnapshotId": row.id, "CreateVolumePermissions": everybody + some}


def modify_attribute(call: Call) -> Shape:
    """ModifySnapshotAttribute, in either of the API's two styles."""
    row = call.txn.get(Snapshot, call.params["SnapshotId"])
    if call.get("Attribute", "createVolumePermission") != "createVolumePermission":
        raise invalid_value("attribute", call.params["Attribute"])
    add, remove = _changes(call)
    users = [user for user in row.users if user not in _users(remove)]
    users += [user for user in _users(add) if user not in users]
    public = ("all" in _groups(add)) or (row.public and "all" not in _groups(remove))
    if public and not row.public:
        _check_public(call, row)
    call.txn.put(replace(row, users=tuple(users), public=public))
    return {}


def _changes(call: Call) -> tuple[list[Mapping[str, str]], list[Mapping[str, str]]]:
    whole = call.get("CreateVolumePermission", {})
    add, remove = list(whole.get("Add", ())), list(whole.get("Remove", ()))
    old = [{"UserId": user} for user in call.get("UserIds", ())]
    old += [{"Group": name} for name in call.get("GroupNames", ())]
    if old:
        operation = call.get("OperationType")
        if operation is None:
            raise missing_parameter("operationType")
        (add if operation == "add" else remove).extend(old)
    if not add and not remove:
        raise missing_parameter("createVolumePermission")
    return add, remove


def _users(items: Iterable[Mapping[str, str]]) -> list[str]:
    found = [item["UserId"] for item in items if item.get("UserId")]
    for user in found:
        if not _ACCOUNT.fullmatch(user):
            raise ApiError("InvalidUserID.Malformed", f'Invalid user id: "{user}"')
    return found


def _groups(items: Iterable[Mapping[str, str]]) -> set[str]:
    return {item["Group"] for item in items if item.get("Group")}


def _check_public(call: Call, row: Snapshot) -> None:
    if row.kms_key is not None:
        raise ApiError("OperationNotPermitted", "Encrypted snapshots cannot be shared publicly.")
    if settings(call.txn).snapshot_sharing != "unblocked":
        raise ApiError(
            "OperationNotPermitted",
            "Public sharing of snapshots is blocked in this region by block public access.",
        )


def reset_attribute(call: Call) -> Shape:
    """ResetSnapshotAttribute: nobody but the owner may make volumes."""
    row = call.txn.get(Snapshot, call.params["SnapshotId"])
    if call.params["Attribute"] != "createVolumePermission":
        raise invalid_value("attribute", call.params["Attribute"])
    call.txn.put(replace(row, users=(), public=False))
    return {}


RESTORE_DAYS = range(1, 181)
"""Days for which an archived snapshot may be restored (Amazon EBS User Guide, "Restore an archived
snapshot")."""


# --- locks --------------------------------------------------------------------------------------
def _after(now: str, **time: int) -> str:
    return timestamp(datetime.fromisoformat(now) + timedelta(**time))


def lock_state(lock: Lock, now: str) -> str:
    """The API's ``LockState``."""
    if lock.expires <= now:
        return "expired"
    if lock.cool_off is not None and now < lock.cool_off:
        return "compliance-cooloff"
    return lock.mode


def lock_snapshot(call: Call) -> Shape:
    """LockSnapshot: new, or changed as far as the lock that is there lets."""
    row = call.txn.get(Snapshot, call.params["SnapshotId"])
    days, expires = _term(call)
    mode: Literal["governance", "compliance"] = call.params["LockMode"]
    hours = call.get("CoolOffPeriod")
    if hours is not None and mode == "governance":
        raise invalid_combination("A cooling-off period is for compliance mode only.")
    old = row.lock if row.lock and row.lock.expires > call.now else None
    frozen = old is not None and lock_state(old, call.now) == "compliance"
    if old and frozen and (mode != "compliance" or hours is not None or expires < old.expires):
        raise ApiError(
            "InvalidParameterValue",
            f"The lock of '{row.id}' is in compliance mode: it can be extended only.",
        )
    lock = Lock(
        mode=mode,
        created=old.created if old else call.now,
        duration=days,
        expires=expires,
        cool_off_hours=hours,
        cool_off=_after(call.now, hours=hours) if hours else None,
    )
    call.txn.put(replace(row, lock=lock))
    return _show_lock(row.id, lock, call.now)


def _term(call: Call) -> tuple[int, str]:
    days, until = call.get("LockDuration"), call.get("ExpirationDate")
    if (days is None) == (until is None):
        raise invalid_combination("Either a lock duration or an expiration date must be given.")
    if days is not None:
        return int(days), _after(call.now, days=days)
    left = age(call.now, str(until))
    if left < timedelta(days=1):
        raise invalid_value("expirationDate", until, "It must be at least one day from now.")
    return -(-left // timedelta(days=1)), timestamp(datetime.fromisoformat(str(until)))


def unlock_snapshot(call: Call) -> Shape:
    """UnlockSnapshot."""
    row = call.txn.get(Snapshot, call.params["SnapshotId"])
    if row.lock is None:
        raise ApiError("IncorrectState", f"The snapshot '{row.id}' is not locked.")
    if lock_state(row.lock, call.now) == "compliance":
        raise ApiError(
            "OperationNotPermitted", f"'{row.id}' is locked in compliance mode until it expires."
        )
    call.txn.put(replace(row, lock=None))
    return {"SnapshotId": row.id}


def _show_lock(key: str, lock: Lock, now: str) -> Shape:
    shape: Shape = {
        "SnapshotId": key,
        "LockState": lock_state(lock, now),
        "LockDuration": lock.duration,
        "CoolOffPeriod": lock.cool_off_hours,
        "CoolOffPeriodExpiresOn": lock.cool_off,
        "LockCreatedOn": lock.created,
        "LockDurationStartTime": lock.created,
        "LockExpiresOn": lock.expires,
    }
    return {name: value for name, value in shape.items() if value is not None}


def locked(call: Call) -> list[Shape]:
    """The API's ``LockedSnapshotsInfo`` structures, of all snapshots that have a lock."""
    return [
        {"OwnerId": row.account, **_show_lock(row.id, row.lock, call.now)}
        for row in call.txn.all(Snapshot)
        if row.lock is not None
    ]


# --- tiers --------------------------------------------------------------------------------------
def modify_tier(call: Call) -> Shape:
    """ModifySnapshotTier: into the archive, which takes no time here."""
    row = call.txn.get(Snapshot, call.params["SnapshotId"])
    if row.tier == "archive" or row.state != "completed":
        raise ApiError(
            "IncorrectState", f"Snapshot '{row.id}' is not 'completed' in the standard tier."
        )
    moved = Tiering(status="archival-completed", started=call.now, archived=call.now)
    call.txn.put(replace(row, tier="archive", tiering=moved))
    return {"SnapshotId": row.id, "TieringStartTime": call.now}


def restore_tier(call: Call) -> Shape:
    """RestoreSnapshotTier: for some days or for good."""
    row = call.txn.get(Snapshot, call.params["SnapshotId"])
    days, for_good = call.get("TemporaryRestoreDays"), call.get("PermanentRestore", False)
    if bool(days) == bool(for_good):
        raise invalid_combination(
            "Either temporaryRestoreDays or permanentRestore must be specified."
        )
    if row.tiering is None or row.tier != "archive":
        raise ApiError("IncorrectState", f"Snapshot '{row.id}' is not archived.")
    if days and days not in RESTORE_DAYS:
        raise invalid_value("temporaryRestoreDays", days, "It must be from 1 to 180")
    until = None if for_good else _after(call.now, days=int(days))
    moved = Tiering(
        status=f"{'permanent' if for_good else 'temporary'}-restore-completed",
        started=call.now,
        archived=row.tiering.archived,
        restored_until=until,
    )
    call.txn.put(replace(row, tier="standard" if for_good else "archive", tiering=moved))
    shape = {
        "SnapshotId": row.id,
        "RestoreStartTime": call.now,
        "IsPermanentRestore": bool(for_good),
    }
    return shape if for_good else {**shape, "RestoreDuration": days}


def show_tier(row: Snapshot, view: Any) -> Shape:
    """The API's ``SnapshotTierStatus`` structure."""
    shape: Shape = {
        "SnapshotId": row.id,
        "VolumeId": row.volume,
        "Status": row.state,
        "OwnerId": row.account,
        "StorageTier": row.tier,
        "Tags": [{"Key": key, "Value": value} for key, value in row.tags],
    }
    if row.tiering is not None:
        shape |= {
            "LastTieringStartTime": row.tiering.started,
            "LastTieringProgress": 100,
            "LastTieringOperationStatus": row.tiering.status,
            "ArchivalCompleteTime": row.tiering.archived,
            "RestoreExpiryTime": row.tiering.restored_until,
        }
    return {name: value for name, value in shape.items() if value is not None}


ACTIONS = {
    "DescribeSnapshotAttribute": describe_attribute,
    "ModifySnapshotAttribute": modify_attribute,
    "ResetSnapshotAttribute": reset_attribute,
    "LockSnapshot": lock_snapshot,
    "UnlockSnapshot": unlock_snapshot,
    "ModifySnapshotTier": modify_tier,
    "RestoreSnapshotTier": restore_tier,
}

READS = frozenset({"DescribeSnapshotAttribute"})
