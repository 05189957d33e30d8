"""Records flows: reads the meter at the end of each interval and publishes what has flowed."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from gureum.engines import EngineError
from gureum.engines.flows import Flow, Meter, Reading, Station, name_of, place_of
from gureum.model import View
from gureum.resources.flow_log import FlowLog, flow_logs_about, flow_logs_of
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.transit_gateway import TransitGatewayAttachment
from gureum.services import transit_records
from gureum.services.flow_files import FlowFiles
from gureum.services.flow_records import Entry, Status, line, wanted
from gureum.services.transit_records import Crossing, crossings

log = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds of one aggregation interval: the shorter of the two that can be asked for, which is also
the longest that Nitro instances have."""
REMEMBERED = 5000
"""Latest flows that can be looked at without reading files."""

_T = TypeVar("_T")
_Subject = NetworkInterface | TransitGatewayAttachment
_Record = Entry | Crossing


@dataclass(frozen=True, slots=True)
class Told:
    """A flow that was published to some flow logs; ``number`` counts them."""

    number: int
    flow: Flow
    logs: tuple[str, ...]


class FlowRoom(Protocol):
    """What there is to know about recorded flows."""

    def collect(self) -> None:
        """End the interval now: publish what has flowed until now."""

    def told(self, after: int) -> list[Told]:
        """The flows published after the one with that number, as far as they are remembered."""


class NoFlows:
    """Where nothing is recorded."""

    def collect(self) -> None:
        """See :class:`FlowRoom`; so all others."""

    def told(self, after: int) -> list[Told]:
        return []


class FlowRecorder:
    """Records the flows of interfaces that have flow logs; see
    :class:`~gureum.services.room.ServiceRoom` and :class:`FlowRoom`.

    The meter is made, and used, on a thread of the recorder's own.  What has flowed while nobody
    recorded (the daemon was away) is in the meter's first reading.
    """

    def __init__(
        self,
        meter: Callable[[], Meter],
        files: FlowFiles,
        view: View,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._files = files
        self._view = view
        self._interval = interval
        self._clock = clock
        self._recorded: dict[str, dict[str, Station]] = {}
        self._since: dict[str, float] = {}
        self._told: deque[Told] = deque(maxlen=REMEMBERED)
        self._number = 0
        self._looked = False
        self._stopping = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="flow-logs")
        self._meter = self._do(meter)
        self._timer = threading.Thread(target=self._tick, name="flow-log-timer", daemon=True)
        self._timer.start()

    # --- who is recorded ------------------------------------------------------------------------
    def sync(self, wanted: Collection[Station], view: View) -> None:
        """See :meth:`gureum.services.room.ServiceRoom.sync`."""
        self._do(lambda: self._sync(wanted, view))

    def change(self, add: Collection[Station], view: View) -> None:
        """See :meth:`gureum.services.room.ServiceRoom.change`."""
        self._do(lambda: self._change(add, view))

    def close(self, removed: Collection[Station]) -> None:
        """See :meth:`gureum.services.room.ServiceRoom.close`; publishes what has flowed."""
        if removed:
            self._do(lambda: self._close(removed))

    def stop(self) -> None:
        """Publish what has flowed, and read no more; the kernel goes on counting."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._timer.join()
        self._do(self._collect)
        self._do(self._meter.close)
        self._worker.shutdown()

    # --- what has flowed ------------------------------------------------------------------------
    def collect(self) -> None:
        """See :meth:`FlowRoom.collect`."""
        self._do(self._collect)

    def told(self, after: int) -> list[Told]:
        """See :meth:`FlowRoom.told`."""
        return self._do(lambda: [each for each in self._told if each.number > after])

    # --- on the recorder's thread ---------------------------------------------------------------
    def _do(self, act: Callable[[], _T]) -> _T:
        return self._worker.submit(act).result()

    def _tick(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self._do(self._collect)
            except Exception:  # the next interval may go better
                log.exception("flows could not be recorded")

    def _sync(self, wanted: Collection[Station], view: View) -> None:
        self._view = view
        new = _by_router(wanted)
        gone = self._recorded.keys() - new.keys()
        if not self._looked:
            gone |= set(self._meter.leftovers()) - new.keys()
            self._looked = True
        for router in sorted(gone):
            self._meter.watch(router, ())
        self._recorded = new
        for each in wanted:
            self._since.setdefault(name_of(each), self._clock())
        for router, stations in sorted(new.items()):
            self._meter.watch(router, list(stations.values()))

    def _change(self, add: Collection[Station], view: View) -> None:
        self._view = view
        for router, stations in sorted(_by_router(add).items()):
            self._recorded.setdefault(router, {}).update(stations)
            for interface in stations:
                self._since.setdefault(interface, self._clock())
            self._meter.change(router, list(stations.values()), ())

    def _close(self, removed: Collection[Station]) -> None:
        for router, stations in sorted(_by_router(removed).items()):
            known = self._recorded.get(router, {})
            mine = [each for key, each in stations.items() if known.get(key) == each]
            if not mine:
                continue
            try:
                self._publish(router, self._meter.read(router))
                self._meter.change(router, (), mine)
            except EngineError as error:  # what is to go may be gone already
                log.warning("the last flows of %s are lost: %s", router, error)
            for each in mine:
                known.pop(name_of(each))
                self._since.pop(name_of(each), None)
            if not known:
                del self._recorded[router]

    def _collect(self) -> None:
        for router in sorted(self._recorded):
            try:
                self._publish(router, self._meter.read(router))
            except EngineError as error:
                log.warning("flows are lost: %s", error)

    def _publish(self, router: str, reading: Reading) -> None:
        flows: dict[str, list[Flow]] = {}
        for flow in sorted(reading.flows, key=lambda each: each.begin):
            flows.setdefault(flow.interface, []).append(flow)
        for interface in sorted(self._recorded[router]):
            row = self._subject(interface)
            if row is not None:
                records = _records(self._view, row, flows.get(interface, ()), reading)
                skipped = reading.skipped.get(interface, 0)
                self._publish_one(row, list(self._entries(row, list(records), skipped)))

    def _subject(self, key: str) -> _Subject | None:
        found = self._view.find(NetworkInterface, key)
        return found or self._view.find(TransitGatewayAttachment, key)

    def _entries(
        self, row: _Subject, records: Collection[_Record], skipped: int
    ) -> Iterator[_Record]:
        """The records of an interface or attachment; that it had nothing is told when an interval
        is over."""
        now, since = self._clock(), self._since.get(row.id, 0.0)
        yield from records
        if skipped:
            log.warning("%d packets of %s are in no flow log record", skipped, row.id)
            yield _without_flow(self._view, row, since, now, "SKIPDATA")
        if not records and not skipped:
            if now - since < self._interval:
                return
            yield _without_flow(self._view, row, since, now, "NODATA")
        self._since[row.id] = now

    def _publish_one(self, row: _Subject, entries: Collection[_Record]) -> None:
        logs = _logs(self._view, row) if entries else []
        for each in logs:
            lines = [_line(each, entry) for entry in entries if _wanted(each, entry)]
            if lines:
                self._write(each, row.id, lines)
        for entry in entries:
            takers = tuple(each.id for each in logs if _wanted(each, entry))
            for flow in entry.flows if takers else ():
                self._number += 1
                self._told.append(Told(self._number, flow, takers))

    def _write(self, flow_log: FlowLog, interface: str, lines: list[str]) -> None:
        try:
            self._files.publish(flow_log, interface, lines, datetime.now(UTC))
        except OSError as error:
            log.warning("%d records of %s are lost: %s", len(lines), flow_log.id, error)


# --- interfaces and attachments -----------------------------------------------------------------
def _records(
    view: View, row: _Subject, flows: Collection[Flow], reading: Reading
) -> Iterator[_Record]:
    if isinstance(row, TransitGatewayAttachment):
        yield from crossings(view, row, flows, reading.flows)
        return
    for flow in flows:
        yield Entry(view, row, flow.begin, flow.end, flow=flow)


def _without_flow(view: View, row: _Subject, begin: float, end: float, status: Status) -> _Record:
    if isinstance(row, TransitGatewayAttachment):
        return Crossing(view, row, begin, end, status)
    return Entry(view, row, begin, end, status)


def _logs(view: View, row: _Subject) -> list[FlowLog]:
    if isinstance(row, TransitGatewayAttachment):
        return flow_logs_about(view, row.id, row.gateway)
    return flow_logs_of(view, row)


def _line(flow_log: FlowLog, record: _Record) -> str:
    if isinstance(record, Crossing):
        return transit_records.line(flow_log, record)
    return line(flow_log, record)


def _wanted(flow_log: FlowLog, record: _Record) -> bool:
    """Flow logs of transit gateways take all there is."""
    return isinstance(record, Crossing) or wanted(flow_log, record)


def _by_router(recorded: Iterable[Station]) -> dict[str, dict[str, Station]]:
    found: dict[str, dict[str, Station]] = {}
    for each in recorded:
        found.setdefault(place_of(each), {})[name_of(each)] = each
    return found
