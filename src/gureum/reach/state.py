"""The statements of a program, arranged for questions about any pair and changed in place.

Each index is what a forwarding decision looks up, as in the data plane (docs/dataplane.md).  A
statement added or removed touches its own entries only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gureum.explain.walk import MAX_HOPS
from gureum.model.cidr import is_ipv6
from gureum.program import (
    Address,
    Attachment,
    AttachmentTable,
    Filter,
    Guard,
    InternetHost,
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
    Target,
    Translator,
    ViaAttachment,
    ViaPeering,
    ViaPort,
    ViaTransit,
)
from gureum.reach.prefixes import Longest, number, prefix
from gureum.reach.screens import Screen


class Place(NamedTuple):
    """A segment."""

    id: str
    router: str
    mask: int
    base: int


class Station(NamedTuple):
    """A port: ``host`` is whose it is, ``device`` its index in the host."""

    id: str
    host: str
    place: Place
    device: int


class Limits(NamedTuple):
    """A port's guard; the filters are None where groups do not apply."""

    addresses: frozenset[int]
    forwarding: bool
    filter_in: str | None
    filter_out: str | None


class Outside(NamedTuple):
    """What a public address stands for."""

    gateway: str
    router: str
    private: int


Prefixes = tuple[tuple[int, int], ...]


class Link(NamedTuple):
    """A peering: its routers, and the prefixes of each."""

    routers: tuple[str, str]
    prefixes: tuple[Prefixes, Prefixes]

    def carries(self, near: str, source: int, target: int) -> bool:
        """Whether a packet may pass from the router ``near`` to the other."""
        own, other = self.prefixes if near == self.routers[0] else self.prefixes[::-1]
        return _in_one(own, source) and _in_one(other, target)


class Branch(NamedTuple):
    """An attachment: its transit, its router, and the prefixes that it lets out of that."""

    transit: str
    router: str
    prefixes: Prefixes


def _in_one(prefixes: Prefixes, ip: int) -> bool:
    return any(ip & mask == base for mask, base in prefixes)


def _place(segment: Segment) -> Place:
    return Place(segment.id, segment.router, *prefix(segment.cidr))


def _station(port: Port) -> Station:
    return Station(port.id, port.host, _place(port.segment), port.index)


class State:
    """The indexes.  :meth:`copy` shares what has not been changed since."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.segments: dict[str, Longest[Place]] = {}
        self.tables: dict[str, str] = {}
        self.routes: dict[str, Longest[Target]] = {}
        self.stations: dict[tuple[str, int], Station] = {}
        self.at_host: dict[tuple[str, int], Station] = {}
        self.ports: dict[str, Station] = {}
        self.of_host: dict[str, list[Station]] = {}
        self.primary: dict[str, int] = {}
        self.limits: dict[str, Limits] = {}
        self.screens: dict[tuple[str, str], Screen] = {}
        self.acls: dict[str, tuple[str, str]] = {}
        self.members: dict[tuple[str, str], set[int]] = {}
        self.public: dict[int, Outside] = {}
        self.private: dict[tuple[str, int], int] = {}
        self.mapped: dict[tuple[str, int], int] = {}
        self.translators: dict[str, int] = {}
        self.internet: dict[int, str] = {}
        self.links: dict[str, Link] = {}
        self.branches: dict[str, Branch] = {}
        self.branch_tables: dict[str, str] = {}
        self.served: dict[tuple[str, str], bool] = {}
        self._own: set[tuple[str, Any]] = set()

    def copy(self) -> State:
        """A state of its own with the same content; nested indexes are shared until one changes."""
        made = State()
        for name, value in vars(self).items():
            setattr(made, name, value.copy())
        self._own, made._own = set(), set()
        return made

    def change(self, removed: Iterable[Statement], added: Iterable[Statement]) -> None:
        """Take statements out and put others in.  Raises ``KeyError`` where one that is to be
        removed is not there."""
        changes = self._changes()
        for statements, there in ((removed, False), (added, True)):
            for statement in statements:
                change = changes.get(type(statement))
                if change and not _is_ipv6(statement):
                    change(statement, there)

    # --- look-ups ------------------------------------------------------------------------------
    def station_at(self, router: str, ip: int) -> Station | None:
        """Who has an address in one of the router's segments."""
        segments = self.segments.get(router)
        place = segments.find(ip) if segments else None
        return self.stations.get((place.id, ip)) if place else None

    def route(self, place: Place, ip: int) -> Target | None:
        """Where the table of a segment sends a packet to an address; None where no route does."""
        table = self.tables.get(place.id)
        routes = self.routes.get(table) if table is not None else None
        return routes.find(ip) if routes else None

    def leads(self, place: Place, ip: int) -> str | None:
        """The router into which a peering or a transit gateway leads packets from a segment to an
        address, behind NAT gateways perhaps; None where none does."""
        for _ in range(MAX_HOPS):
            match self.route(place, ip):
                case ViaPeering(router=router):
                    return router
                case ViaTransit(attachment=key):
                    return self.through(place, key, ip)
                case ViaPort(port=key):
                    port = self.ports.get(key)
                    if port is None or port.host not in self.translators:
                        return None
                    place = port.place
                case _:
                    return None
        return None

    def through(
        self, place: Place, attachment: str, ip: int, source: int | None = None
    ) -> str | None:
        """The router into which a transit gateway leads packets to an address that come from a
        segment by an attachment, from ``source`` if that is given; None where they end."""
        branch = self.branches.get(attachment)
        if branch is None or (attachment, place.id) not in self.served:
            return None
        if source is not None and not _in_one(branch.prefixes, source):
            return None
        routes = self.routes.get(self.branch_tables.get(attachment, ""))
        hop = routes.find(ip) if routes else None
        return hop.router if isinstance(hop, ViaAttachment) else None

    def linked(self, router: str) -> list[str]:
        """The routers that peerings and transit gateways join to one."""
        pairs = (link.routers for link in self.links.values())
        found = {other for pair in pairs if router in pair for other in pair}
        transits = {each.transit for each in self.branches.values() if each.router == router}
        found |= {each.router for each in self.branches.values() if each.transit in transits}
        return sorted(found - {router})

    def egress(self, host: str, ip: int) -> Station | None:
        """The port out of which a host sends to an address: the first in whose segment that is,
        else the first, which has the default route (ip-route(8))."""
        ports = self.of_host.get(host)
        if not ports:
            return None
        near = (port for port in ports if ip & port.place.mask == port.place.base)
        return next(near, ports[0])

    def public_of(self, router: str, private: int) -> int | None:
        """The public address of a private one."""
        return self.mapped.get((router, private))

    # --- one statement type each ---------------------------------------------------------------
    def _changes(self) -> dict[type, Callable[[Any, bool], None]]:
        return {
            Segment: self._segment,
            SegmentTable: self._segment_table,
            Route: self._route,
            Port: self._port,
            Address: self._address,
            Guard: self._guard,
            Filter: self._filter,
            SegmentFilter: self._segment_filter,
            Member: self._member,
            PublicAddress: self._public_address,
            Translator: self._translator,
            InternetHost: self._internet_host,
            Peering: self._peering,
            Attachment: self._attachment,
            AttachmentTable: self._attachment_table,
            Served: self._serves,
        }

    def _nested(self, name: str, key: Any, empty: Callable[[], Any]) -> Any:
        """A nested index to change: our own, copied if it is shared with another state."""
        index = getattr(self, name)
        if (name, key) not in self._own:
            index[key] = index[key].copy() if key in index else empty()
            self._own.add((name, key))
        return index[key]

    def _longest(self, name: str, key: str, cidr: str, value: Any) -> None:
        routes = self._nested(name, key, Longest)
        if value is None:
            routes.remove(cidr)
        else:
            routes.add(cidr, value)

    def _segment(self, it: Segment, there: bool) -> None:
        place = _place(it)
        _put(self.places, it.id, place, there)
        self._longest("segments", it.router, it.cidr, place if there else None)

    def _segment_table(self, it: SegmentTable, there: bool) -> None:
        _put(self.tables, it.segment.id, it.table.id, there)

    def _route(self, it: Route, there: bool) -> None:
        self._longest("routes", it.table.id, it.destination, it.target if there else None)

    def _port(self, it: Port, there: bool) -> None:
        station = _station(it)
        _put(self.ports, it.id, station, there)
        ports: list[Station] = self._nested("of_host", it.host, list)
        if there:
            ports.append(station)
            ports.sort(key=lambda each: each.device)
        else:
            ports.remove(station)

    def _address(self, it: Address, there: bool) -> None:
        ip, port = number(it.ip), it.port
        # A port and its addresses share one value: a program may say the address first.
        station = self.ports.get(port.id) or _station(port)
        _put(self.stations, (port.segment.id, ip), station, there)
        _put(self.at_host, (port.host, ip), station, there)
        if it.primary:
            _put(self.primary, port.id, ip, there)

    def _guard(self, it: Guard, there: bool) -> None:
        addresses = frozenset(number(ip) for ip in it.addresses if not is_ipv6(ip))
        limits = Limits(addresses, it.forwarding, it.filter_in, it.filter_out)
        _put(self.limits, it.port.id, limits, there)

    def _filter(self, it: Filter, there: bool) -> None:
        if there:
            self.screens[it.router, it.id] = Screen(it)
        else:
            del self.screens[it.router, it.id]

    def _segment_filter(self, it: SegmentFilter, there: bool) -> None:
        _put(self.acls, it.segment.id, (it.filter_in, it.filter_out), there)

    def _member(self, it: Member, there: bool) -> None:
        group: set[int] = self._nested("members", (it.router, it.group), set)
        if there:
            group.add(number(it.ip))
        else:
            group.remove(number(it.ip))

    def _public_address(self, it: PublicAddress, there: bool) -> None:
        public, private = number(it.public), number(it.private)
        _put(self.public, public, Outside(it.gateway, it.router, private), there)
        _put(self.private, (it.gateway, private), public, there)
        _put(self.mapped, (it.router, private), public, there)

    def _translator(self, it: Translator, there: bool) -> None:
        _put(self.translators, it.port.host, number(it.ip), there)

    def _internet_host(self, it: InternetHost, there: bool) -> None:
        _put(self.internet, number(it.ip), it.name, there)

    def _peering(self, it: Peering, there: bool) -> None:
        one, other = (tuple(prefix(cidr) for cidr in cidrs) for cidrs in it.cidrs)
        _put(self.links, it.id, Link(it.routers, (one, other)), there)

    def _attachment(self, it: Attachment, there: bool) -> None:
        prefixes = tuple(prefix(cidr) for cidr in it.cidrs if not is_ipv6(cidr))
        _put(self.branches, it.id, Branch(it.transit, it.router, prefixes), there)

    def _attachment_table(self, it: AttachmentTable, there: bool) -> None:
        _put(self.branch_tables, it.attachment, it.table.id, there)

    def _serves(self, it: Served, there: bool) -> None:
        _put(self.served, (it.attachment, it.segment.id), True, there)


def _is_ipv6(it: Statement) -> bool:
    """Whether a statement is about IPv6 alone, which is not looked at here."""
    if isinstance(it, (Address, Member)):
        return is_ipv6(it.ip)
    return isinstance(it, Route) and is_ipv6(it.destination)


def _put(index: dict[Any, Any], key: Any, value: Any, there: bool) -> None:
    if there:
        index[key] = value
    else:
        del index[key]
