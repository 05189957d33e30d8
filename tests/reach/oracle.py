"""One packet and its answer, carried box by box: the reading that the engine is compared with.

Nothing is shared with the engine or the walk.  Statements are gone through, packets are concrete
(every port a number), the boxes remember flows as connection tracking does.  It is slow and plain
on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from gureum.program import (
    Address,
    Attachment,
    AttachmentTable,
    Filter,
    Foot,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    Guard,
    InternetHost,
    Local,
    Member,
    Peering,
    Port,
    PublicAddress,
    Route,
    Segment,
    SegmentFilter,
    SegmentTable,
    Served,
    Statement,
    Table,
    Translator,
    ViaAttachment,
    ViaPeering,
    ViaPort,
    ViaTransit,
    ViaTransitPeering,
    ViaUplink,
)

T = TypeVar("T")
TTL = 32
ANSWERED_BY = {
    1: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17},
    58: {128: 129, 129: 128, 139: 140, 140: 139},
}
"""ICMP's echo, timestamp, information and address mask requests and replies, and ICMPv6's of echo
and node information."""


@dataclass(frozen=True)
class Wire:
    """A packet.  Where a protocol has no ports they are 0; ``kind`` is ICMP's type and code."""

    source: str
    target: str
    protocol: int
    source_port: int = 0
    target_port: int = 0
    kind: tuple[int, int] | None = None

    def answer(self) -> Wire:
        kind = self.kind
        if kind:
            kind = ANSWERED_BY[self.protocol].get(kind[0], kind[0]), kind[1]
        return Wire(
            self.target, self.source, self.protocol, self.target_port, self.source_port, kind
        )

    @property
    def flow(self) -> tuple[Any, ...]:
        ends: tuple[int, int] = (self.source_port, self.target_port)
        answer = self.answer().kind
        if self.kind and answer:
            ends = self.kind[0], answer[0]
        return self.protocol, self.source, ends[0], self.target, ends[1]


@dataclass
class Memory:
    """What boxes remember: the flows that groups saw begin, in or out, and of whom; what NAT
    gateways rewrote; and what egress-only gateways let out."""

    begun: set[Any] = field(default_factory=set)
    rewritten: dict[Any, Wire] = field(default_factory=dict)
    let_out: set[Any] = field(default_factory=set)
    zones: dict[frozenset[str], str] = field(default_factory=dict)


@cache
def within(ip: str, cidr: str) -> bool:
    """Whether an address is in a prefix; of another family it is not."""
    return ip_address(ip) in ip_network(cidr)


class DroppedError(Exception):
    """The packet goes no further."""


class World:
    """The statements by type."""

    def __init__(self, statements: Iterable[Statement], others: Iterable[str] = ()) -> None:
        """``others`` are addresses on the internet that somebody has."""
        self._by_type: dict[type, list[Any]] = {}
        for statement in statements:
            self._by_type.setdefault(type(statement), []).append(statement)
        hosts = {ip for host in self.all(InternetHost) for ip in (host.ip, host.ip6)}
        self._outside = hosts | set(others)

    def all(self, kind: type[T]) -> list[T]:
        return self._by_type.get(kind, [])

    def somebody(self, ip: str) -> None:
        """From now on somebody on the internet has an address."""
        self._outside.add(ip)

    def exchange(self, begin: Port | None, wire: Wire) -> str | None:
        """Whose host answers, where the answer comes back to the sender: a host's id, ``""`` for
        the internet.  ``begin`` is the sender's port, None on the internet."""
        memory = Memory()
        try:
            host, arrived = self._carried(begin, wire, memory, first=True)
            if host and not self._with_address(host, arrived.target):
                return None
            answerer = self._leaves_by(host, arrived.source) if host else None
            if host and answerer is None:
                return None
            home, answer = self._carried(answerer, arrived.answer(), memory, first=False)
        except DroppedError:
            return None
        back_home = home == (begin.host if begin else "")
        return host if back_home and answer == wire.answer() else None

    def beyond(self, segment: Segment, ip: str) -> str | None:
        """The router to which a peering, or transit gateways and what is behind them, bring packets
        to an address."""
        foot: Foot | None = None
        crossed = False
        try:
            for _ in range(TTL):
                target = self._target_at(segment, foot, ip)
                if isinstance(target, ViaPeering):
                    return target.router
                if isinstance(target, Local) and crossed:
                    return segment.router
                if isinstance(target, ViaTransit):
                    foot, _ = self._crossed(target, segment, foot, ip)
                    segment, crossed = foot.segment, True
                    continue
                ports = [each for each in self.all(Port) if isinstance(target, ViaPort)
                         and each.id == target.port and self._nat(each)]  # fmt: skip
                if not ports:
                    return None
                segment, foot = ports[0].segment, None
        except DroppedError:
            pass
        return None

    def _target_at(self, segment: Segment, foot: Foot | None, ip: str) -> object:
        """Where a packet from a segment is routed, or one that lands at a foot in it."""
        if foot is None:
            return self._route(segment, ip)
        return self._target(foot.table, ip) if foot.table else None

    # --- carrying ------------------------------------------------------------------------------
    def _carried(
        self, begin: Port | None, wire: Wire, memory: Memory, *, first: bool
    ) -> tuple[str, Wire]:
        """Where a packet arrives, and as what.  ``first`` is the packet, else its answer."""
        port = begin
        for _ in range(TTL):
            if port is None:
                port, wire = self._from_internet(wire, memory)
                if port is None:
                    return "", wire
                self._acl(port.segment, "in", wire)
            else:
                if self._with_address(port.host, wire.target) and not self._nat(port):
                    return port.host, wire
                sent = self._sent(port, wire, memory, first=first)
                if isinstance(sent, Wire):
                    port, wire = None, sent
                    continue
                port = sent
            self._groups(port, "in", wire, memory)
            host, wire = self._received(port, wire, memory, first=first)
            if host is not None:
                return host, wire
        raise DroppedError("goes round in circles")

    def _sent(self, port: Port, wire: Wire, memory: Memory, *, first: bool) -> Port | Wire:
        """Out of a port: to another port, or as what it is on the internet."""
        guard = self._guard(port)
        if guard and not guard.forwarding and wire.source not in guard.addresses:
            raise DroppedError("source check")
        self._groups(port, "out", wire, memory)
        if _on_link(port.segment, wire.target):
            return self._station(port.segment, wire.target)
        return self._in_routers(port.segment, wire, memory, first=first)

    def _in_routers(
        self, segment: Segment, wire: Wire, memory: Memory, *, first: bool
    ) -> Port | Wire:
        """From router to router, as far as transit gateways take it."""
        foot: Foot | None = None
        for _ in range(TTL):
            target = self._target_at(segment, foot, wire.target)
            if not self._turns(segment, target, wire.target, foot):
                self._acl_of(segment, foot, "out", wire)
            if not isinstance(target, ViaTransit):
                return self._onward(segment, target, wire, memory, foot, first=first)
            landed, entered = self._crossed(target, segment, foot, wire.target, wire.source, memory)
            self._acl_of(entered.segment, entered, "in", wire)
            segment, foot = landed.segment, landed
        raise DroppedError("goes round in circles")

    def _turns(self, segment: Segment, target: object, ip: str, foot: Foot | None) -> bool:
        """Whether a packet stays in the segment from which it comes into the router."""
        if isinstance(target, Local) and foot:
            return self._segment_of(segment.router, ip) == segment
        ports = [each.id for each in self.all(Port) if each.segment.id == segment.id]
        return isinstance(target, ViaPort) and target.port in ports

    def _onward(
        self, segment: Segment, target: object, wire: Wire, memory: Memory, foot: Foot | None,
        *, first: bool,
    ) -> Port | Wire:  # fmt: skip
        if isinstance(target, ViaUplink):
            return self._through_gateway(target.gateway, wire, memory, first=first)
        if isinstance(target, ViaPeering):
            self._peered(target.peering, segment.router, wire)
            next_port = self._in_router(target.router, wire.target)
        elif isinstance(target, Local):
            next_port = self._in_router(segment.router, wire.target)
        elif isinstance(target, ViaPort):
            found = [each for each in self.all(Port) if each.id == target.port]
            if not found:
                raise DroppedError("the route's port is gone")
            next_port = found[0]
        else:
            raise DroppedError("no route, or a black hole")
        if next_port.segment.id != segment.id:
            self._acl(next_port.segment, "in", wire)
        return next_port

    def _received(
        self, port: Port, wire: Wire, memory: Memory, *, first: bool
    ) -> tuple[str | None, Wire]:
        """Into a port: the host where it ends, or None and the packet that goes on."""
        guard, nat = self._guard(port), self._nat(port)
        if guard is None or wire.target in guard.addresses:
            if nat is None:
                return port.host, wire
            known = memory.rewritten.get((port.host, wire.answer().flow))
            if first or known is None:
                raise DroppedError("a NAT gateway lets nothing new in")
            return None, replace(wire, target=known.source, target_port=known.source_port)
        if not guard.forwarding:
            raise DroppedError("destination check")
        if nat is None:
            return port.host, wire
        if wire.protocol not in (1, 6, 17):
            raise DroppedError("a NAT gateway carries TCP, UDP and ICMP")
        if wire.kind and wire.kind[0] in (0, 14, 16, 18):
            raise DroppedError("a NAT gateway knows no query that this answers")
        after = replace(wire, source=nat.ip)
        memory.rewritten[port.host, after.flow] = wire
        return None, after

    def _peered(self, key: str, near: str, wire: Wire) -> None:
        (found,) = (each for each in self.all(Peering) if each.id == key)
        for router, cidrs in zip(found.routers, found.cidrs, strict=True):
            ip = wire.source if router == near else wire.target
            if not any(within(ip, cidr) for cidr in cidrs):
                raise DroppedError("not an address that the peering carries")

    def _crossed(
        self, via: ViaTransit, segment: Segment, foot: Foot | None, ip: str,
        source: str = "", memory: Memory | None = None,
    ) -> tuple[Foot, Foot]:  # fmt: skip
        """Where a transit gateway lets a packet out, and where that went in: from a segment, or
        from ``foot`` in it."""
        link = self._attachment(via.attachment, ip)
        zones = [each.zone for each in self.all(Served)
                 if (each.attachment, each.segment.id) == (link.id, segment.id)]  # fmt: skip
        if foot:
            zones = [foot.zone]
        feet = self._feet(link)
        if not zones or zones[0] not in feet:
            raise DroppedError("the zone is not served")
        target, zone, at = self._transit_route(link.id, link.transit, ip), zones[0], link.transit
        known = memory.zones if memory else {}
        for _ in range(TTL):
            began = known.setdefault(frozenset((at, source, ip)), zone) or zone
            known[frozenset((at, source, ip))] = began
            if not isinstance(target, ViaTransitPeering):
                break
            zone, at = "", target.transit
            target = self._transit_route(target.peering, target.transit, ip)
        if not isinstance(target, ViaAttachment):
            raise DroppedError("the transit gateway knows no way")
        far = self._attachment(target.attachment, ip)
        usual = far.feet[0][0]
        there = self._feet(far)
        return there.get(began if far.appliance else zone, there[usual]), feet[zones[0]]

    def _transit_route(self, key: str, transit: str, ip: str) -> object:
        tables = [each.table for each in self.all(AttachmentTable)
                  if (each.attachment, each.table.router) == (key, transit)]  # fmt: skip
        return self._target(tables[0], ip) if tables else None

    def _attachment(self, key: str, ip: str) -> Attachment:
        (link,) = (each for each in self.all(Attachment) if each.id == key)
        if ":" in ip and not link.ipv6:
            raise DroppedError("the attachment carries no IPv6")
        return link

    def _feet(self, link: Attachment) -> dict[str, Foot]:
        return {each.zone: each for each in self.all(Foot) if each.attachment == link.id}

    # --- looking up ----------------------------------------------------------------------------
    def _guard(self, port: Port) -> Guard | None:
        return next((each for each in self.all(Guard) if each.port.id == port.id), None)

    def _nat(self, port: Port) -> Translator | None:
        return next((each for each in self.all(Translator) if each.port.host == port.host), None)

    def _with_address(self, host: str, ip: str) -> Port | None:
        mine = (each for each in self.all(Address) if each.port.host == host and each.ip == ip)
        return next((each.port for each in mine), None)

    def _leaves_by(self, host: str, ip: str) -> Port | None:
        mine = [each for each in self.all(Port) if each.host == host]
        if ":" in ip:  # a port without an IPv6 address has no routes; eth0 alone has the default
            have = {each.port.id for each in self.all(Address) if ":" in each.ip}
            mine = [each for each in mine if each.id in have]
            mine = [each for each in mine if each.index == 0 or _on_link(each.segment, ip)]
        mine.sort(key=lambda each: (not _on_link(each.segment, ip), each.index))
        return mine[0] if mine else None

    def _station(self, segment: Segment, ip: str) -> Port:
        for each in self.all(Address):
            if each.ip == ip and each.port.segment.id == segment.id:
                return each.port
        raise DroppedError("nobody has the address")

    def _in_router(self, router: str, ip: str) -> Port:
        segment = self._segment_of(router, ip)
        if segment is None:
            raise DroppedError("no segment has the address")
        return self._station(segment, ip)

    def _segment_of(self, router: str, ip: str) -> Segment | None:
        mine = (each for each in self.all(Segment) if each.router == router)
        return next((each for each in mine if _on_link(each, ip)), None)

    def _route(self, segment: Segment, ip: str) -> object:
        tables = [each.table for each in self.all(SegmentTable) if each.segment.id == segment.id]
        return self._target(tables[0], ip) if tables else None

    def _target(self, table: Table, ip: str) -> object:
        routes = [
            each
            for each in self.all(Route)
            if each.table.id == table.id and within(ip, each.destination)
        ]
        best = max(routes, key=lambda each: int(each.destination.split("/")[1]), default=None)
        return best.target if best else None

    # --- the internet --------------------------------------------------------------------------
    def _through_gateway(self, gateway: str, wire: Wire, memory: Memory, *, first: bool) -> Wire:
        if ":" in wire.target:
            return self._through_gateway6(gateway, wire, memory, first=first)
        private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
        if any(within(wire.target, cidr) for cidr in private):
            raise DroppedError("private addresses are not on the internet")
        for each in self.all(PublicAddress):
            if each.gateway == gateway and each.private == wire.source:
                return replace(wire, source=each.public)
        raise DroppedError("no public address")

    def _through_gateway6(self, gateway: str, wire: Wire, memory: Memory, *, first: bool) -> Wire:
        if (gateway, wire.source) not in self._let_through():
            raise DroppedError("nobody has the source")
        if self._egress_only(gateway):
            kind = wire.kind[0] if wire.kind and wire.protocol == 58 else None
            if kind in (129, 140) or (wire.protocol == 6 and not first):
                raise DroppedError("an answer to nothing that the gateway knows")
            memory.let_out.add((gateway, wire.flow))
        return wire

    def _from_internet6(self, wire: Wire, memory: Memory) -> tuple[Port | None, Wire]:
        if wire.target in self._outside:
            return None, wire
        if not within(wire.target, "3fff::/20"):
            raise DroppedError("not an address of this internet")
        for each in self.all(GlobalPrefix):
            if within(wire.target, each.segment.cidr6):
                if (each.gateway, wire.target) not in self._let_through():
                    raise DroppedError("nobody has the target")
                known = (each.gateway, wire.answer().flow) in memory.let_out
                if self._egress_only(each.gateway) and not known:
                    raise DroppedError("nothing that began inside")
                return self._in_router(each.segment.router, wire.target), wire
        raise DroppedError("no gateway leads there")

    def _let_through(self) -> set[tuple[str, str]]:
        return {(each.gateway, each.ip) for each in self.all(GlobalAddress)}

    def _egress_only(self, gateway: str) -> bool:
        return Gateway(gateway, egress_only=True) in self.all(Gateway)

    def _from_internet(self, wire: Wire, memory: Memory) -> tuple[Port | None, Wire]:
        if ":" in wire.target:
            return self._from_internet6(wire, memory)
        if wire.target in self._outside:
            return None, wire
        if not within(wire.target, "198.18.0.0/15"):
            raise DroppedError("not an address of this internet")
        for each in self.all(PublicAddress):
            if each.public == wire.target:
                inner = replace(wire, target=each.private)
                return self._in_router(each.router, each.private), inner
        raise DroppedError("nobody has the public address")

    # --- filters -------------------------------------------------------------------------------
    def _groups(self, port: Port, way: str, wire: Wire, memory: Memory) -> None:
        guard = self._guard(port)
        key = (guard.filter_in if way == "in" else guard.filter_out) if guard else None
        if key is None:
            return
        router = port.segment.router
        own = wire.target if way == "in" else wire.source
        whose = "its own" if guard and own in guard.addresses else "somebody else's"
        opposite = "out" if way == "in" else "in"
        if (router, wire.answer().flow, opposite, whose) in memory.begun:
            return
        memory.begun.add((router, wire.flow, way, whose))
        if not self._passes(router, key, wire):
            raise DroppedError("security group")

    def _acl(self, segment: Segment, way: str, wire: Wire) -> None:
        for each in self.all(SegmentFilter):
            if each.segment.id == segment.id:
                key = each.filter_in if way == "in" else each.filter_out
                if not self._passes(segment.router, key, wire):
                    raise DroppedError("network ACL")

    def _acl_of(self, segment: Segment, foot: Foot | None, way: str, wire: Wire) -> None:
        """The ACL of a segment, or what a foot in it says that it is."""
        if foot is None:
            self._acl(segment, way, wire)
            return
        key = foot.filter_in if way == "in" else foot.filter_out
        if key is not None and not self._passes(segment.router, key, wire):
            raise DroppedError("network ACL at a foot")

    def _passes(self, router: str, key: str, wire: Wire) -> bool:
        (found,) = (x for x in self.all(Filter) if x.router == router and x.id == key)
        peer = wire.source if found.direction == "in" else wire.target
        for rule in found.rules:
            if rule.protocol not in (None, wire.protocol):
                continue
            low, high = rule.ports or (0, 65535)
            if wire.protocol in (6, 17) and not low <= wire.target_port <= high:
                continue
            if rule.icmp and wire.kind and not _icmp(rule.icmp, wire.kind):
                continue
            if "/" not in rule.peer:
                if Member(router, rule.peer, peer) not in self.all(Member):
                    continue
            elif not within(peer, rule.peer):
                continue
            return rule.allow
        return False


def _on_link(segment: Segment, ip: str) -> bool:
    return within(ip, segment.cidr) or (segment.cidr6 != "" and within(ip, segment.cidr6))


def _icmp(wanted: tuple[int, int], kind: tuple[int, int]) -> bool:
    return wanted[0] < 0 or (wanted[0] == kind[0] and wanted[1] in (-1, kind[1]))
