"""What is recorded, of whom and when; flows come from a meter that is told what has flowed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gureum.engines import EngineError
from gureum.engines.flows import Flow, Reading, Station
from gureum.program import Recorded
from gureum.services import FlowRecorder
from gureum.services.flow_files import FlowFiles
from tests.conftest import Cloud
from tests.services.flows import FLOW, Place


class Told:
    """A meter without a kernel: remembers whom it counts for, and gives what it was told."""

    def __init__(self) -> None:
        self.watched: dict[str, set[Station]] = {}
        self.flows: list[Flow] = []
        self.skipped: dict[str, int] = {}
        self.old: list[str] = []
        self.fails = False
        self.closed = False

    def watch(self, router: str, wanted: Collection[Station]) -> None:
        self.watched[router] = set(wanted)

    def change(self, router: str, add: Collection[Station], remove: Collection[Station]) -> None:
        self.watched[router] = (self.watched.get(router, set()) - set(remove)) | set(add)

    def read(self, router: str) -> Reading:
        if self.fails:
            raise EngineError(["told to fail"])
        flows, self.flows = tuple(self.flows), []
        skipped, self.skipped = self.skipped, {}
        return Reading(flows, skipped)

    def leftovers(self) -> list[str]:
        return self.old

    def close(self) -> None:
        self.closed = True


class Site:
    """A recorder of one interface with a flow log; its clock stands unless it is moved."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.meter = Told()
        self.now = 1000.0
        view = place.cloud.store.view
        self.files = FlowFiles(folder)
        self.recorder = FlowRecorder(
            lambda: self.meter, self.files, view, 3600, clock=lambda: self.now
        )

    def recorded(self) -> list[Recorded]:
        said = self.place.cloud.program().statements
        return [each for each in said if isinstance(each, Recorded)]

    def sync(self) -> None:
        self.recorder.sync(self.recorded(), self.place.cloud.store.view)

    def flow(self, **changes: object) -> None:
        flow = replace(FLOW, interface=self.place.eni, **changes)  # type: ignore[arg-type]
        self.meter.flows.append(flow)

    def lines(self) -> list[str]:
        """All lines of all streams."""
        paths = sorted(self.files.root.rglob("*.log"))
        return [text for path in paths for text in path.read_text().splitlines()]


@pytest.fixture
def site(cloud: Cloud, tmp_path: Path) -> Iterator[Site]:
    made = Site(Place(cloud), tmp_path)
    yield made
    made.recorder.stop()
    assert made.meter.closed


def test_flows_are_published_to_each_flow_log_about_the_interface(site: Site) -> None:
    short = "${srcport} ${action}"
    site.place.log(LogFormat=short)
    site.place.log(site.place.eni, "NetworkInterface", TrafficType="REJECT", LogGroupName="no",
                   LogFormat=short)  # fmt: skip
    site.sync()
    assert site.meter.watched == {site.place.vpc: set(site.recorded())}
    site.flow(sport=2, begin=1500.0)
    site.flow(sport=1, begin=1400.0, accepted=False)
    site.recorder.collect()
    assert site.lines() == ["1 REJECT", "2 ACCEPT", "1 REJECT"]
    told = site.recorder.told(0)
    assert [(each.number, each.flow.sport, len(each.logs)) for each in told] == [
        (1, 1, 2),
        (2, 2, 1),
    ]
    assert [each.number for each in site.recorder.told(1)] == [2]


def test_that_there_was_nothing_is_told_when_an_interval_is_over(site: Site) -> None:
    site.place.log(LogFormat="${start} ${end} ${log-status}")
    site.sync()
    site.now += 3599
    site.recorder.collect()
    assert site.lines() == []
    site.now += 1
    site.recorder.collect()
    assert site.lines() == ["1000 4600 NODATA"]
    site.now += 3599
    site.recorder.collect()
    assert len(site.lines()) == 1
    site.now += 1
    site.flow()
    site.recorder.collect()
    assert site.lines()[1:] == ["1418530010 1418530070 OK"]
    site.now += 3600
    site.recorder.collect()
    assert site.lines()[2:] == ["8200 11800 NODATA"]
    assert len(site.recorder.told(0)) == 1


def test_what_could_not_be_counted_is_told(site: Site) -> None:
    site.place.log(LogFormat="${start} ${end} ${log-status}")
    site.sync()
    site.now += 5
    site.meter.skipped = {site.place.eni: 3}
    site.recorder.collect()
    assert site.lines() == ["1000 1005 SKIPDATA"]


def test_the_last_flows_of_an_interface_are_published(site: Site) -> None:
    """When the last flow log goes, and when the interface does."""
    log = site.place.log(LogFormat="${dstport}")
    site.sync()
    mine = site.recorded()
    site.place.cloud.call("DeleteFlowLogs", FlowLogIds=[log.id])
    site.flow(dport=9)
    site.recorder.close(mine)
    site.recorder.change([], site.place.cloud.store.view)
    assert site.lines() == ["9"]
    assert site.meter.watched == {site.place.vpc: set()}
    site.flow(dport=10)
    site.recorder.collect()
    assert site.lines() == ["9"]


def test_another_interface_comes(site: Site) -> None:
    site.place.log()
    site.sync()
    before = set(site.recorded())
    site.place.interface("10.0.1.22", "i-0000000000000000b")
    site.recorder.change(list(set(site.recorded()) - before), site.place.cloud.store.view)
    assert site.meter.watched == {site.place.vpc: set(site.recorded())}
    assert len(site.recorded()) == 2


def test_tables_that_nobody_wants_any_more_go(site: Site) -> None:
    site.meter.old = ["vpc-old"]
    site.sync()
    assert site.meter.watched == {"vpc-old": set()}


def test_a_reading_that_fails_stops_nothing(site: Site) -> None:
    site.place.log(LogFormat="${dstport}")
    site.sync()
    site.meter.fails = True
    site.flow(dport=9)
    site.recorder.collect()
    assert site.lines() == []
    site.meter.fails = False
    site.recorder.collect()
    assert site.lines() == ["9"]


def test_the_last_flows_are_published_when_the_recorder_stops(site: Site) -> None:
    site.place.log(LogFormat="${dstport}")
    site.sync()
    site.flow(dport=9)
    site.recorder.stop()
    assert site.lines() == ["9"]
