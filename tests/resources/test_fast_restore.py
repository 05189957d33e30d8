"""Fast snapshot restores: by snapshot and zone, each on its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import settle

ENABLE, DISABLE = "EnableFastSnapshotRestores", "DisableFastSnapshotRestores"
LIST = "DescribeFastSnapshotRestores"
A, B = "ap-northeast-2a", "ap-northeast-2b"


@pytest.fixture
def snapshot(cloud: Cloud) -> str:
    return _snapshots(cloud, 1)[0]


def _snapshots(cloud: Cloud, count: int) -> list[str]:
    volume = cloud.call("CreateVolume", AvailabilityZone=A, Size=1)["VolumeId"]
    settle(cloud)
    made = [str(cloud.call("CreateSnapshot", VolumeId=volume)["SnapshotId"]) for _ in range(count)]
    settle(cloud)
    return made


def _shown(cloud: Cloud, **filters: str) -> list[dict[str, Any]]:
    asked = [{"Name": name.replace("_", "-"), "Values": [v]} for name, v in filters.items()]
    return list(cloud.call(LIST, Filters=asked)["FastSnapshotRestores"])


def test_a_snapshot_is_restored_fast_until_it_is_not(cloud: Cloud, snapshot: str) -> None:
    answer = cloud.call(ENABLE, SourceSnapshotIds=[snapshot], AvailabilityZones=[A, B])
    assert answer["Unsuccessful"] == []
    assert [each["AvailabilityZone"] for each in answer["Successful"]] == [A, B]
    assert {each["State"] for each in answer["Successful"]} == {"enabling"}
    settle(cloud)
    (shown,) = _shown(cloud, availability_zone=A, snapshot_id=snapshot, state="enabled")
    assert (shown["OwnerId"], shown["AvailabilityZoneId"]) == ("123456789012", "apne2-az1")
    assert shown["EnabledTime"]
    again = cloud.call(ENABLE, SourceSnapshotIds=[snapshot], AvailabilityZoneIds=["apne2-az1"])
    assert again["Successful"][0]["State"] == "enabled"
    gone = cloud.call(DISABLE, SourceSnapshotIds=[snapshot], AvailabilityZones=[A])
    assert gone["Successful"][0]["State"] == "disabling"
    settle(cloud)
    assert [each["AvailabilityZone"] for each in _shown(cloud, state="enabled")] == [B]
    cloud.call("DeleteSnapshot", SnapshotId=snapshot)
    assert _shown(cloud) == []


def test_what_is_refused_is_told_beside_what_is_done(cloud: Cloud, snapshot: str) -> None:
    nobody = "snap-00000000000000001"
    answer = cloud.call(ENABLE, SourceSnapshotIds=[nobody, snapshot], AvailabilityZones=[A])
    assert [each["SnapshotId"] for each in answer["Successful"]] == [snapshot]
    (refused,) = answer["Unsuccessful"]
    assert refused["SnapshotId"] == nobody
    (error,) = refused["FastSnapshotRestoreStateErrors"]
    assert error["Error"]["Code"] == "InvalidSnapshot.NotFound"
    not_there = cloud.call(DISABLE, SourceSnapshotIds=[snapshot], AvailabilityZones=[B])
    (error,) = not_there["Unsuccessful"][0]["FastSnapshotRestoreStateErrors"]
    assert error["Error"]["Code"] == "InvalidParameterValue"


def test_five_snapshots_of_a_region(cloud: Cloud) -> None:
    keys = _snapshots(cloud, 6)
    answer = cloud.call(ENABLE, SourceSnapshotIds=keys, AvailabilityZones=[A])
    assert [each["SnapshotId"] for each in answer["Successful"]] == keys[:5]
    (error,) = answer["Unsuccessful"][0]["FastSnapshotRestoreStateErrors"]
    assert error["Error"]["Code"] == "ResourceLimitExceeded"


def test_zones_are_named_in_one_way(cloud: Cloud, snapshot: str) -> None:
    def code(**zones: list[str]) -> str:
        return str(cloud.error(ENABLE, SourceSnapshotIds=[snapshot], **zones).code)

    assert code() == "MissingParameter"
    both = code(AvailabilityZones=[A], AvailabilityZoneIds=["apne2-az1"])
    assert both == "InvalidParameterCombination"
    assert code(AvailabilityZones=["eu-central-1a"]) == "InvalidParameterValue"
