"""Where records are published, and how much of them is kept."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gureum.services import flow_files
from gureum.services.flow_files import FlowFiles
from tests.conftest import Cloud
from tests.services.flows import Place

NOW = datetime(2026, 11, 24, 8, 7, 30, tzinfo=UTC)
ENI = "eni-0123456789abcdef0"


@pytest.fixture
def place(cloud: Cloud) -> Place:
    return Place(cloud)


def _bucket(**options: Any) -> dict[str, Any]:
    more = {"DestinationOptions": options} if options else {}
    return {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::b.1/x/y/", **more}


def test_a_log_group_has_a_stream_for_each_interface(place: Place, tmp_path: Path) -> None:
    files = FlowFiles(tmp_path / "flow-logs")
    log = place.log(TrafficType="REJECT", LogGroupName="/vpc/flows")
    for lines in (["one", "two"], ["three"]):
        path = files.publish(log, ENI, lines, NOW)
    name = f"cloud-watch-logs/123456789012/ap-northeast-2/%2Fvpc%2Fflows/{ENI}-reject.log"
    assert path == files.root / name
    assert path.read_text() == "one\ntwo\nthree\n"


def test_an_object_holds_five_minutes_with_a_head(place: Place, tmp_path: Path) -> None:
    files = FlowFiles(tmp_path)
    log = place.log(LogFormat="${srcaddr} ${dstaddr}", **_bucket())
    first = files.publish(log, ENI, ["1 2"], NOW)
    assert files.publish(log, "eni-1", ["3 4"], NOW.replace(minute=9)) == first
    assert gzip.decompress(first.read_bytes()) == b"srcaddr dstaddr\n1 2\n3 4\n"
    assert str(first.relative_to(tmp_path)).rpartition("_")[0] == (
        "s3/b.1/x/y/AWSLogs/123456789012/vpcflowlogs/ap-northeast-2/2026/11/24/"
        f"123456789012_vpcflowlogs_ap-northeast-2_{log.id}_20261124T0805Z"
    )
    later = files.publish(log, ENI, ["5 6"], NOW.replace(minute=10))
    assert gzip.decompress(later.read_bytes()) == b"srcaddr dstaddr\n5 6\n"


def test_partitions(place: Place, tmp_path: Path) -> None:
    files = FlowFiles(tmp_path)
    hive = place.log(**_bucket(HiveCompatiblePartitions=True, PerHourPartition=True))
    path = files.publish(hive, ENI, ["1"], NOW)
    assert str(path.parent.relative_to(tmp_path)) == (
        "s3/b.1/x/y/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/"
        "aws-region=ap-northeast-2/year=2026/month=11/day=24/hour=08"
    )
    place.cloud.call("DeleteFlowLogs", FlowLogIds=[hive.id])
    hourly = place.log(**_bucket(PerHourPartition=True))
    path = files.publish(hourly, ENI, ["1"], NOW)
    assert path.parent.parts[-4:] == ("2026", "11", "24", "08")


@pytest.mark.parametrize("group", ["..", ".", "../../etc", "/", "#"])
def test_names_lead_nowhere_else(place: Place, tmp_path: Path, group: str) -> None:
    files = FlowFiles(tmp_path / "flow-logs")
    log = place.log(LogGroupName=group)
    path = files.publish(log, ENI, ["1"], NOW).resolve()
    assert len(path.relative_to(files.root.resolve()).parts) == 5
    arn = f"arn:aws:s3:::bucket/{group}/x"
    made = place.log(LogDestinationType="s3", LogDestination=arn)
    path = files.publish(made, ENI, ["1"], NOW).resolve()
    assert path.is_relative_to(files.root.resolve() / "s3" / "bucket")


def test_a_stream_begins_anew_when_it_is_large(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_files, "STREAM_SIZE", 100)
    files = FlowFiles(tmp_path)
    log = place.log()
    for number in range(30):
        path = files.publish(log, ENI, [f"{number:09}"], NOW)
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name, f"{path.name}.1"]
    assert path.read_text().endswith("000000029\n")
    assert path.with_name(f"{path.name}.1").stat().st_size == 100


def test_the_oldest_files_go_when_there_is_too_much(place: Place, tmp_path: Path) -> None:
    files = FlowFiles(tmp_path, total=10 * 4096)
    log = place.log(**_bucket())
    paths = []
    for number in range(60):
        paths.append(
            files.publish(log, ENI, ["1"], NOW.replace(day=1 + number // 12, hour=number % 12))
        )
        os.utime(paths[-1], (number, number))
    kept = [path for path in paths if path.exists()]
    assert kept == paths[-len(kept) :]
    assert 5 <= len(kept) <= 11
    days = {path.parent for path in paths}
    assert {day for day in days if day.exists()} == {path.parent for path in kept}
