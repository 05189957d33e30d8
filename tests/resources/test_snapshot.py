"""Snapshots: made and copied, shared, locked, archived; volumes made from them."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.resources.snapshot import NO_VOLUME
from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.test_volume import ZONE, attach, devices, make, run

NONE = "snap-00000000000000001"
FRIEND = "210987654321"


def take(cloud: Cloud, volume: str | None = None, **params: Any) -> str:
    """The id of a snapshot that is complete."""
    key = cloud.call("CreateSnapshot", VolumeId=volume or make(cloud), **params)["SnapshotId"]
    settle(cloud)
    return str(key)


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    (found,) = cloud.call("DescribeSnapshots", SnapshotIds=[key])["Snapshots"]
    return dict(found)


def own(cloud: Cloud, **params: Any) -> list[str]:
    answer = cloud.call("DescribeSnapshots", **({"OwnerIds": ["self"]} | params))
    return [item["SnapshotId"] for item in answer["Snapshots"]]


def as_friend(cloud: Cloud) -> Cloud:
    """The same cloud as another account sees it."""
    other = Cloud(account=FRIEND)
    other.store, other.dispatch = cloud.store, cloud.dispatch
    return other


# --- made ---------------------------------------------------------------------------------------
def test_a_snapshot_is_pending_then_completed_and_outlives_its_volume(cloud: Cloud) -> None:
    volume = make(cloud, Size=10, Encrypted=True)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "Name", "Value": "nightly"}]}]
    made = cloud.call(
        "CreateSnapshot", VolumeId=volume, Description="before the change", TagSpecifications=tags
    )
    assert (made["State"], made["Progress"], made["VolumeSize"]) == ("pending", "", 10)
    key = made["SnapshotId"]
    refused = refusal(cloud, "CreateVolume", AvailabilityZone=ZONE, SnapshotId=key)
    assert refused == ("IncorrectState", f"Snapshot '{key}' is not 'completed'.")
    settle(cloud)
    cloud.call("DeleteVolume", VolumeId=volume)
    settle(cloud)
    shown = show(cloud, key)
    assert (shown["State"], shown["Progress"]) == ("completed", "100%")
    assert (shown["VolumeId"], shown["Description"]) == (volume, "before the change")
    assert shown["Tags"] == [{"Key": "Name", "Value": "nightly"}]
    assert shown["Encrypted"] is True
    restored = cloud.call("CreateVolume", AvailabilityZone=ZONE, SnapshotId=key)
    assert (restored["Size"], restored["SnapshotId"]) == (10, key)
    assert (restored["Encrypted"], restored["KmsKeyId"]) == (True, shown["KmsKeyId"])
    small = {"AvailabilityZone": ZONE, "SnapshotId": key, "Size": 9}
    assert refusal(cloud, "CreateVolume", **small) == (
        "InvalidParameterValue",
        f"Volume of size 9GB is smaller than snapshot '{key}', expect size >= 10GB",
    )
    cloud.call("DeleteSnapshot", SnapshotId=key)
    assert refusal(cloud, "DeleteSnapshot", SnapshotId=key) == (
        "InvalidSnapshot.NotFound",
        f"The snapshot '{key}' does not exist.",
    )
    refused = refusal(cloud, "CreateSnapshot", VolumeId="vol-00000000000000001")
    assert refused[0] == "InvalidVolume.NotFound"


def test_all_volumes_of_an_instance_at_once(cloud: Cloud) -> None:
    named = [{"ResourceType": "volume", "Tags": [{"Key": "role", "Value": "data"}]}]
    instance = run(cloud)
    first, second = make(cloud, TagSpecifications=named), make(cloud)
    attach(cloud, first, instance, "/dev/sdf")
    attach(cloud, second, instance, "/dev/sdg")
    settle(cloud)
    root = devices(cloud, instance)["/dev/xvda"]["VolumeId"]

    def made(**which: Any) -> dict[str, Any]:
        answer = cloud.call(
            "CreateSnapshots",
            InstanceSpecification={"InstanceId": instance} | which,
            CopyTagsFromSource="volume",
        )
        return {item["VolumeId"]: item for item in answer["Snapshots"]}

    whole = made()
    assert set(whole) == {root, first, second}
    assert whole[first]["Tags"] == [{"Key": "role", "Value": "data"}]
    assert set(made(ExcludeBootVolume=True)) == {first, second}
    assert set(made(ExcludeDataVolumeIds=[first])) == {root, second}
    wrong = {"InstanceId": instance, "ExcludeDataVolumeIds": [root]}
    refused = refusal(cloud, "CreateSnapshots", InstanceSpecification=wrong)
    assert refused[0] == "InvalidParameterValue"


def test_copied_from_another_region(cloud: Cloud) -> None:
    there = Cloud(region="us-east-1")
    there.store, there.dispatch = cloud.store, cloud.dispatch
    encrypted = cloud.call(
        "CreateVolume", AvailabilityZone=ZONE, Size=3, Encrypted=True, KmsKeyId="alias/mine"
    )["VolumeId"]
    settle(cloud)
    key = take(cloud, encrypted)
    source = {"SourceRegion": cloud.region, "SourceSnapshotId": key}
    copy = there.call("CopySnapshot", **source)["SnapshotId"]
    settle(there)
    shown = show(there, copy)
    assert (shown["VolumeId"], shown["VolumeSize"]) == (NO_VOLUME, 3)
    assert shown["Description"] == ""
    assert shown["KmsKeyId"].startswith("arn:aws:kms:us-east-1:")
    refused = refusal(there, "DescribeSnapshots", SnapshotIds=[key])
    assert refused[0] == "InvalidSnapshot.NotFound"
    wrong = {"SourceRegion": "us-east-1", "SourceSnapshotId": key}
    assert refusal(there, "CopySnapshot", **wrong)[0] == "InvalidSnapshot.NotFound"
    wrong = {"SourceRegion": "nowhere-1", "SourceSnapshotId": key}
    assert refusal(there, "CopySnapshot", **wrong)[0] == "InvalidParameterValue"


# --- listed -------------------------------------------------------------------------------------
def test_scopes_and_filters(cloud: Cloud) -> None:
    first, second = take(cloud, make(cloud, Size=5)), take(cloud, Description="other")
    assert set(own(cloud)) == {first, second}
    every = cloud.call("DescribeSnapshots")["Snapshots"]
    assert {item["OwnerId"] for item in every} > {cloud.account, "099720109477"}
    amazon = cloud.call("DescribeSnapshots", OwnerIds=["amazon"])["Snapshots"]
    assert {item["OwnerAlias"] for item in amazon} == {"amazon"}
    assert own(cloud, Filters=only({"volume-size": "5", "status": "completed"})) == [first]
    assert own(cloud, Filters=only({"description": "oth*"})) == [second]
    assert refusal(cloud, "DescribeSnapshots", SnapshotIds=["snap-x"])[0] == (
        "InvalidSnapshotID.Malformed"
    )


def test_shared_with_another_account(cloud: Cloud) -> None:
    friend, key = as_friend(cloud), take(cloud)
    assert refusal(friend, "DescribeSnapshots", SnapshotIds=[key])[0] == "InvalidSnapshot.NotFound"
    change = {"Add": [{"UserId": FRIEND}]}
    cloud.call("ModifySnapshotAttribute", SnapshotId=key, CreateVolumePermission=change)
    asked = {"SnapshotId": key, "Attribute": "createVolumePermission"}
    answer = cloud.call("DescribeSnapshotAttribute", **asked)
    assert answer["CreateVolumePermissions"] == [{"UserId": FRIEND}]
    assert show(friend, key)["OwnerId"] == cloud.account
    restorable = friend.call("DescribeSnapshots", RestorableByUserIds=["self"])["Snapshots"]
    assert [item["SnapshotId"] for item in restorable] == [key]
    assert friend.call("CreateVolume", AvailabilityZone=ZONE, SnapshotId=key)["Size"] == 8
    assert refusal(friend, "DeleteSnapshot", SnapshotId=key)[0] == "InvalidSnapshot.NotFound"
    cloud.call("ResetSnapshotAttribute", **asked)
    assert refusal(friend, "DescribeSnapshots", SnapshotIds=[key])[0] == "InvalidSnapshot.NotFound"
    wrong = {"Add": [{"UserId": "somebody"}]}
    refused = refusal(
        cloud, "ModifySnapshotAttribute", SnapshotId=key, CreateVolumePermission=wrong
    )
    assert refused[0] == "InvalidUserID.Malformed"


def test_public_unless_that_is_blocked(cloud: Cloud) -> None:
    friend, key = as_friend(cloud), take(cloud)
    public = {"SnapshotId": key, "OperationType": "add", "GroupNames": ["all"]}
    assert cloud.call("GetSnapshotBlockPublicAccessState")["State"] == "unblocked"
    state = cloud.call("EnableSnapshotBlockPublicAccess", State="block-new-sharing")["State"]
    assert state == "block-new-sharing"
    assert refusal(cloud, "ModifySnapshotAttribute", **public)[0] == "OperationNotPermitted"
    assert cloud.call("DisableSnapshotBlockPublicAccess")["State"] == "unblocked"
    cloud.call("ModifySnapshotAttribute", **public)
    assert show(friend, key)["SnapshotId"] == key
    everybody = friend.call("DescribeSnapshots", RestorableByUserIds=["all"])["Snapshots"]
    assert key in [item["SnapshotId"] for item in everybody]
    cloud.call("ModifySnapshotAttribute", **(public | {"OperationType": "remove"}))
    assert refusal(friend, "DescribeSnapshots", SnapshotIds=[key])[0] == "InvalidSnapshot.NotFound"
    secret = take(cloud, make(cloud, Encrypted=True))
    refused = refusal(cloud, "ModifySnapshotAttribute", **(public | {"SnapshotId": secret}))
    assert refused[0] == "OperationNotPermitted"


# --- locks and tiers ----------------------------------------------------------------------------
def test_a_locked_snapshot_cannot_be_deleted(cloud: Cloud) -> None:
    key = take(cloud)
    lock = {"SnapshotId": key, "LockMode": "governance", "LockDuration": 2}
    answer = cloud.call("LockSnapshot", **lock)
    assert (answer["LockState"], answer["LockDuration"]) == ("governance", 2)
    assert refusal(cloud, "DeleteSnapshot", SnapshotId=key)[0] == "OperationNotPermitted"
    shown = cloud.call("DescribeLockedSnapshots", Filters=only({"lock-state": "governance"}))
    assert [item["SnapshotId"] for item in shown["Snapshots"]] == [key]
    assert cloud.call("UnlockSnapshot", SnapshotId=key)["SnapshotId"] == key
    assert cloud.call("DescribeLockedSnapshots")["Snapshots"] == []
    cloud.call("LockSnapshot", **lock)
    cloud.now = "2026-11-26T08:00:00.000Z"
    (shown,) = cloud.call("DescribeLockedSnapshots")["Snapshots"]
    assert shown["LockState"] == "expired"
    cloud.call("DeleteSnapshot", SnapshotId=key)


def test_a_compliance_lock_holds_after_its_cooling_off(cloud: Cloud) -> None:
    key = take(cloud)
    lock = {"SnapshotId": key, "LockMode": "compliance", "LockDuration": 3}
    answer = cloud.call("LockSnapshot", **lock, CoolOffPeriod=1)
    assert answer["LockState"] == "compliance-cooloff"
    cloud.call("LockSnapshot", **(lock | {"LockDuration": 2}), CoolOffPeriod=1)
    cloud.now = "2026-11-24T09:00:00.000Z"
    assert refusal(cloud, "UnlockSnapshot", SnapshotId=key)[0] == "OperationNotPermitted"
    shorter = lock | {"LockDuration": 1}
    assert refusal(cloud, "LockSnapshot", **shorter)[0] == "InvalidParameterValue"
    assert cloud.call("LockSnapshot", **lock)["LockState"] == "compliance"
    other = take(cloud)
    assert refusal(cloud, "UnlockSnapshot", SnapshotId=other)[0] == "IncorrectState"
    both = {"SnapshotId": other, "LockMode": "governance", "LockDuration": 1, "CoolOffPeriod": 1}
    assert refusal(cloud, "LockSnapshot", **both)[0] == "InvalidParameterCombination"


def test_archived_and_restored(cloud: Cloud) -> None:
    key = take(cloud)
    assert refusal(cloud, "RestoreSnapshotTier", SnapshotId=key, PermanentRestore=True)[0] == (
        "IncorrectState"
    )
    cloud.call("ModifySnapshotTier", SnapshotId=key, StorageTier="archive")
    assert show(cloud, key)["StorageTier"] == "archive"
    (status,) = cloud.call("DescribeSnapshotTierStatus")["SnapshotTierStatuses"]
    assert status["LastTieringOperationStatus"] == "archival-completed"
    refused = refusal(cloud, "CreateVolume", AvailabilityZone=ZONE, SnapshotId=key)
    assert refused[0] == "IncorrectState"
    for days in (-1, 181, 2**31 - 1):
        error = cloud.error("RestoreSnapshotTier", SnapshotId=key, TemporaryRestoreDays=days)
        assert error.code == "InvalidParameterValue"
    cloud.call("RestoreSnapshotTier", SnapshotId=key, TemporaryRestoreDays=2)
    assert show(cloud, key)["RestoreExpiryTime"].isoformat() == "2026-11-26T08:00:00+00:00"
    cloud.call("CreateVolume", AvailabilityZone=ZONE, SnapshotId=key)
    cloud.call("RestoreSnapshotTier", SnapshotId=key, PermanentRestore=True)
    assert show(cloud, key)["StorageTier"] == "standard"
    assert "RestoreExpiryTime" not in show(cloud, key)


@pytest.mark.parametrize("action", ["ListSnapshotsInRecycleBin", "DescribeLockedSnapshots"])
def test_nothing_is_kept_of_what_was_deleted(cloud: Cloud, action: str) -> None:
    key = take(cloud)
    cloud.call("DeleteSnapshot", SnapshotId=key)
    assert cloud.call(action)["Snapshots"] == []
    refused = refusal(cloud, "RestoreSnapshotFromRecycleBin", SnapshotId=key)
    assert refused[0] == "InvalidSnapshot.NotFound"
