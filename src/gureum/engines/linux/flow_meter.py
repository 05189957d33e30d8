"""Counts the packets of recorded interfaces, and reads the counters (nf_tables,
linux/netfilter/nf_tables.h).

The kernel counts (:mod:`.flow_table`); what is read here costs what has flowed, and where nothing
is recorded there is no table at all.  Each reading turns to the other half of the sets, waits until
packets that are on their way through the filters have passed them, and empties the old half.
"""

from __future__ import annotations

import contextlib
import ipaddress
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gureum.engines import EngineError
from gureum.engines.flows import Flow, Reading, Station, Way, name_of
from gureum.engines.linux import flow_table
from gureum.engines.linux.flow_table import (
    COUNTED,
    EXPIRED,
    FLOW_TABLE,
    INWARD,
    NUMBER_SHIFT,
    SETS,
    Half,
)
from gureum.engines.linux.names import attachment_link, link_local
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import NETFILTER, number, parse, text
from gureum.engines.linux.netlink import string as text_of
from gureum.engines.linux.nft import NftError
from gureum.engines.linux.nft_tables import tables
from gureum.program import RecordedLink

# linux/netfilter/nfnetlink.h and nf_tables.h
_GET_ELEMENTS = 10 << 8 | 13
_HEAD = b"\x01\0\0\0"  # nfgenmsg: family inet
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3
_KEY, _DATA, _EXPIRES, _EXPRESSION, _VALUE = 1, 2, 5, 7, 1
_EXPRESSION_DATA, _COUNTER_BYTES, _COUNTER_PACKETS = 2, 1, 2

_ON_THE_WAY = 0.01
"""Seconds after which no packet is between the filters any more: it takes some microseconds."""
_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "syn,ack": 18}
"""What is told of TCP's flags: ACK beside SYN only (VPC User Guide, ``tcp-flags``)."""

_PROTOCOLS = {mark: protocol for protocol, mark in flow_table.PROTOCOLS.items()}

Element = tuple[str, str]
"""A map's name and a key in it, as nft spells it."""


class _Key(NamedTuple):
    """What one element counts: an interface's number and direction, a header, TCP's flags."""

    number: int
    inward: bool
    source: bytes
    target: bytes
    protocol: int
    sport: int
    dport: int
    flags: int


@dataclass(slots=True)
class _Counts:
    """What the elements of a key have counted: packets, bytes and times in seconds."""

    tried: int = 0
    tried_bytes: int = 0
    expired: int = 0
    expired_bytes: int = 0
    passed: int = 0
    passed_bytes: int = 0
    first: float = 0.0
    last: float = 0.0
    last_passed: float = 0.0
    way: int = 0


@dataclass(slots=True)
class _Router:
    """What is known of a router's table: the elements in its maps, by whom they are asked for, and
    interfaces by their numbers, of which ``last`` is the largest that was ever used."""

    elements: dict[Element, int] = field(default_factory=dict)
    asked: dict[str, dict[Element, int]] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)
    last: int = 0
    half: Half = "a"
    adopted: bool = False

    def elements_of(self, station: Station) -> dict[Element, int]:
        """What a station needs, under the number that the kernel counts it under already, or a new
        one."""
        first, _ = next(_elements(station, 0))
        old = self.elements.get(first)
        if old is None:
            self.last += 1
        its_number = self.last if old is None else _numbered_in(old)
        name = self.numbers[its_number] = name_of(station)
        mark = COUNTED | its_number << NUMBER_SHIFT
        self.asked[name] = dict(_elements(station, mark))
        return self.asked[name]


class FlowMeter:
    """The counters of one cloud's routers.  To be used from one thread."""

    def __init__(self, tag: str) -> None:
        self._spaces = Namespaces(tag)
        self._routers: dict[str, _Router] = {}

    def close(self) -> None:
        """Let go of handles; the kernel goes on counting."""
        self._spaces.close()

    def watch(self, router: str, wanted: Collection[Station]) -> None:
        """See :meth:`gureum.engines.flows.Meter.watch`."""
        with self._told(router, "record"):
            known = self._known(router)
            if known is None and wanted:
                self._run(router, flow_table.definition(router))
                known = self._routers[router] = _Router()
            if known is None:
                return
            known.asked = {}
            new: dict[Element, int] = {}
            for station in wanted:
                new |= known.elements_of(station)
            self._put(router, known, dict(known.elements), new)

    def change(self, router: str, add: Collection[Station], remove: Collection[Station]) -> None:
        """See :meth:`gureum.engines.flows.Meter.change`."""
        known = self._routers.get(router)
        if known is None:
            self.watch(router, add)
            return
        with self._told(router, "record"):
            old: dict[Element, int] = {}
            new: dict[Element, int] = {}
            for station in remove:
                old |= known.asked.pop(name_of(station), {})
            for station in add:
                old |= known.asked.get(name_of(station), {})
                new |= known.elements_of(station)
            self._put(router, known, old, new)

    def leftovers(self) -> list[str]:
        """The routers and transits that have a table, whoever made it."""
        places = (ns for ns in self._spaces.names() if ns.startswith(("vpc-", "tgw-")))
        return sorted(ns for ns in places if self._is_there(ns))

    def read(self, router: str) -> Reading:
        """See :meth:`gureum.engines.flows.Meter.read`."""
        known = self._routers.get(router)
        if known is None:
            return Reading((), {})
        with self._told(router, "read"):
            readings = [self._read_half(router, known)]
            if known.adopted:  # whichever half the process before us was in
                known.adopted = False
                readings.append(self._read_half(router, known))
        flows = tuple(flow for reading in readings for flow in reading.flows)
        return Reading(flows, {k: v for reading in readings for k, v in reading.skipped.items()})

    @contextlib.contextmanager
    def _told(self, router: str, what: str) -> Iterator[None]:
        """Tell of what the kernel refused, and look anew next time."""
        try:
            yield
        except (OSError, NftError) as error:
            self._routers.pop(router, None)
            raise EngineError([f"{what} the flows of {router}: {error}"]) from error

    # --- who is counted for ---------------------------------------------------------------------
    def _known(self, router: str) -> _Router | None:
        """A router's table as it is known, or as it is found; None where there is none."""
        if not self._spaces.path(router).exists() or not self._is_there(router):
            self._routers.pop(router, None)
            return None
        known = self._routers.get(router)
        if known is None:
            known = self._routers[router] = _Router(adopted=True)
            for name, kind in flow_table.maps(router).items():
                for at in self._elements(router, name):
                    key = _spelled(kind, _value(at.get(_KEY)))
                    mark = known.elements[name, key] = number(_value(at.get(_DATA)))
                    known.last = max(known.last, _numbered_in(mark))
        return known

    def _is_there(self, router: str) -> bool:
        return ("inet", FLOW_TABLE) in tables(self._spaces.netlink(router, NETFILTER))

    def _put(
        self, router: str, known: _Router, old: Mapping[Element, int], new: Mapping[Element, int]
    ) -> None:
        """Have new elements in the place of old ones; without any interface the table goes."""
        if not known.asked:
            self._run(router, [f"delete table inet {FLOW_TABLE}"])
            del self._routers[router]
            return
        self._run(router, _difference(old, new))
        for key in old:
            known.elements.pop(key, None)
        known.elements |= new
        known.numbers = {n: name for n, name in known.numbers.items() if name in known.asked}

    def _run(self, router: str, commands: Iterable[str]) -> None:
        script = "\n".join(commands)
        nft = self._spaces.nft(router)
        with self._spaces.inside(router):
            if script:
                nft.run(script)

    # --- what was counted -----------------------------------------------------------------------
    def _read_half(self, router: str, known: _Router) -> Reading:
        old, new = _halves(known.half)
        self._run(router, [flow_table.turn(new)])
        known.half = new
        time.sleep(_ON_THE_WAY)
        now = time.time()
        counts: dict[_Key, _Counts] = {}
        for name in SETS:
            self._gather(router, name, old, now, counts)
        skipped: dict[str, int] = {}
        for at in self._elements(router, f"skipped-{old}"):
            interface = known.numbers.get(_numbered_in(number(_value(at.get(_KEY)))))
            if interface is not None:
                skipped[interface] = skipped.get(interface, 0) + _counted(at)[0]
        self._run(router, [flow_table.emptied(old)])
        return Reading(tuple(_flows(counts, known)), skipped)

    def _gather(
        self, router: str, name: str, half: Half, now: float, counts: dict[_Key, _Counts]
    ) -> None:
        stage = SETS[name][0]
        for at in self._elements(router, f"{name}-{half}"):
            mark, key = _key(name, _value(at.get(_KEY)))
            seen = counts.setdefault(key, _Counts())
            left = int.from_bytes(at.get(_EXPIRES, b""), "big") / 1000
            when = now - (flow_table.KEPT - left)
            packets, octets = _counted(at)
            if stage == "first":
                seen.first = when
            elif stage == "tried":
                seen.tried += packets
                seen.tried_bytes += octets
                seen.last = max(seen.last, when)
                if mark & EXPIRED and flow_table.is_transit(router):
                    seen.expired += packets
                    seen.expired_bytes += octets
            else:  # a flow whose route changed has left by two ways: two elements
                seen.passed += packets
                seen.passed_bytes += octets
                if when >= seen.last_passed:
                    seen.last_passed, seen.way = when, mark & flow_table.WAYS

    def _elements(self, router: str, name: str) -> Iterator[dict[int, bytes]]:
        body = _HEAD + text(_LIST_TABLE, FLOW_TABLE) + text(_LIST_SET, name)
        for message in self._spaces.netlink(router, NETFILTER).dump(_GET_ELEMENTS, body):
            listed = parse(message.body[len(_HEAD) :]).get(_LIST_ELEMENTS, b"")
            at = 0
            while at + 4 <= len(listed):
                size = int.from_bytes(listed[at : at + 2], sys.byteorder)
                yield parse(listed[at + 4 : at + size])
                at += (size + 3) & ~3


# --- numbers and elements -----------------------------------------------------------------------
def _numbered_in(mark: int) -> int:
    return mark >> NUMBER_SHIFT & flow_table.NUMBERS


def _elements(station: Station, mark: int) -> Iterator[tuple[Element, int]]:
    if isinstance(station, RecordedLink):
        link = f'"{attachment_link(station.attachment)}"'
        yield ("entering", link), mark | INWARD
        yield ("expiring", link), mark | INWARD | EXPIRED
        yield ("leaving", link), mark
        return
    mac = station.port.mac
    yield ("senders", mac), mark
    yield ("receivers", mac), mark | INWARD
    addresses = (ip for ip in station.addresses if "/" not in ip)  # blocks are behind the last
    for ip in (*addresses, link_local(mac)):
        yield ("hops6" if ":" in ip else "hops", ip), mark | INWARD


def _difference(old: Mapping[Element, int], new: Mapping[Element, int]) -> Iterator[str]:
    for (name, key), mark in old.items():
        if new.get((name, key)) != mark:
            yield f"delete element inet {FLOW_TABLE} {name} {{ {key} }}"
    for (name, key), mark in new.items():
        if old.get((name, key)) != mark:
            yield f"add element inet {FLOW_TABLE} {name} {{ {key} : 0x{mark:08x} }}"


def _spelled(kind: str, key: bytes) -> str:
    if kind == "ifname":
        return f'"{text_of(key)}"'
    if kind == "ether_addr":
        return key[:6].hex(":")
    return str(ipaddress.ip_address(key))


# --- from elements to flows ---------------------------------------------------------------------
def _halves(old: Half) -> tuple[Half, Half]:
    return (old, "b") if old == "a" else (old, "a")


def _value(data: bytes | None) -> bytes:
    return parse(data or b"").get(_VALUE, b"")


def _counted(at: Mapping[int, bytes]) -> tuple[int, int]:
    """Packets and bytes of an element."""
    counter = parse(parse(at.get(_EXPRESSION, b"")).get(_EXPRESSION_DATA, b""))
    return (
        int.from_bytes(counter.get(_COUNTER_PACKETS, b""), "big"),
        int.from_bytes(counter.get(_COUNTER_BYTES, b""), "big"),
    )


def _key(name: str, data: bytes) -> tuple[int, _Key]:
    """The mark and the rest of a flow's element; each part of it begins at four bytes."""
    _, kind, version = SETS[name]
    size = 4 if version == 4 else 16
    mark = number(data[:4])
    source, target = data[4 : 4 + size], data[4 + size : 4 + 2 * size]
    rest = data[4 + 2 * size :]
    protocol, sport, dport, flags = rest[0], 0, 0, 0
    if kind == "ports":
        protocol = _PROTOCOLS[mark & flow_table.PROTOCOL]
        sport, dport = int.from_bytes(rest[0:2], "big"), int.from_bytes(rest[4:6], "big")
    for name, bit in flow_table.FLAGS.items():
        flags |= _FLAGS[name] if mark & bit else 0
    of, inward = _numbered_in(mark), bool(mark & INWARD)
    return mark, _Key(of, inward, source, target, protocol, sport, dport, flags)


@dataclass(slots=True)
class _Sum:
    """Packets of one header and verdict, whatever their flags."""

    packets: int = 0
    octets: int = 0
    begin: float = 0.0
    end: float = 0.0
    flags: int = 0
    way: int = 0

    def add(self, packets: int, octets: int, begin: float, end: float, flags: int) -> None:
        self.begin = min(self.begin, begin) if self.packets else begin
        self.packets += packets
        self.octets += octets
        self.end = max(self.end, end)
        self.flags |= flags


def _flows(counts: Mapping[_Key, _Counts], known: _Router) -> Iterator[Flow]:
    sums: dict[tuple[_Key, bool, bool], _Sum] = {}
    for key, seen in counts.items():
        header = key._replace(flags=0)
        first = seen.first or seen.last or seen.last_passed  # a set may have been full
        refused = seen.tried - seen.passed - seen.expired
        if refused > 0:
            octets = seen.tried_bytes - seen.passed_bytes - seen.expired_bytes
            total = sums.setdefault((header, False, False), _Sum())
            total.add(refused, octets, first, seen.last, key.flags)
        if seen.expired:
            total = sums.setdefault((header, False, True), _Sum())
            total.add(seen.expired, seen.expired_bytes, first, seen.last, key.flags)
        if seen.passed:
            total = sums.setdefault((header, True, False), _Sum())
            total.add(seen.passed, seen.passed_bytes, first, seen.last_passed, key.flags)
            total.way |= seen.way
    for (key, accepted, expired), total in sums.items():
        interface = known.numbers.get(key.number)
        if interface is not None:
            flow = _flow(interface, key, total, accepted=accepted)
            yield replace(flow, expired=True) if expired else flow


def _flow(interface: str, key: _Key, total: _Sum, *, accepted: bool) -> Flow:
    way: Way = "local"
    if total.way & flow_table.BY_GATEWAY:
        way = "gateway"
    elif total.way & flow_table.BY_PEERING:
        way = "peering"
    return Flow(
        interface=interface,
        inward=key.inward,
        accepted=accepted,
        source=str(ipaddress.ip_address(key.source)),
        target=str(ipaddress.ip_address(key.target)),
        protocol=key.protocol,
        sport=key.sport,
        dport=key.dport,
        packets=total.packets,
        octets=total.octets,
        begin=total.begin,
        end=max(total.begin, total.end),
        tcp_flags=total.flags,
        way=way if accepted and not key.inward else None,
    )
