"""The statements of a program, arranged for questions about any pair and changed in place.

A state is of one IP version and knows what is about that: addresses are numbers, and those of the
two versions would be taken for one another.  Each index is what a forwarding decision looks up, as
in the data plane (docs/dataplane.md).  A statement added or removed touches its own entries only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gureum.explain.walk import MAX_HOPS
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
    Range,
    Route,
    Segment,
    SegmentFilter,
    SegmentTable,
    Served,
    Statement,
    Target,
    TransitPeering,
    Translator,
    ViaAttachment,
    ViaPeering,
    ViaPort,
    ViaTransit,
    ViaTransitPeering,
)
from gureum.reach.places import (
    Branch,
    Footing,
    Limits,
    Link,
    Outside,
    Place,
    Prefixes,
    Spot,
    Station,
    WayIn,
)
from gureum.reach.prefixes import (
    NOWHERE,
    Longest,
    Prefix,
    Version,
    number,
    prefix,
    version_of,
)
from gureum.reach.screens import Screen


class State:
    """The indexes.  :meth:`copy` shares what has not been changed since."""

    def __init__(self, version: Version = 4) -> None:
        self.version = version
        self.places: dict[str, Place] = {}
        self.segments: dict[str, Longest[Place]] = {}
        self.homes: Longest[Place] = Longest()
        self.ranges: dict[str, set[Prefix]] = {}
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
        self.letting: dict[int, tuple[str, ...]] = {}
        self.ways_in: Longest[WayIn] = Longest()
        self.entrances: dict[str, str] = {}
        self.egress_only: set[str] = set()
        self.mapped: dict[tuple[str, int], int] = {}
        self.translators: dict[str, int] = {}
        self.internet: dict[int, str] = {}
        self.links: dict[str, Link] = {}
        self.branches: dict[str, Branch] = {}
        self.branch_tables: dict[tuple[str, str], str] = {}
        self.transit_links: dict[str, tuple[str, str]] = {}
        self.served: dict[tuple[str, str], str] = {}
        self.feet: dict[str, dict[str, Footing]] = {}
        self._own: set[tuple[str, Any]] = set()

    def copy(self) -> State:
        """A state of its own with the same content; nested indexes are shared until one changes."""
        made = State(self.version)
        for name, value in vars(self).items():
            if name != "version":
                setattr(made, name, value.copy())
        self._own, made._own = set(), set()
        return made

    def change(self, removed: Iterable[Statement], added: Iterable[Statement]) -> None:
        """Take statements out and put others in.  Raises ``KeyError`` where one that is to be
        removed is not there.

        What is about the other IP version, or about routers, segments and ports that have no IPv6,
        is left out: a state of IPv6 costs nothing where there is none.
        """
        changes, concerns = self._changes(), _CONCERNS[self.version]
        for statements, there in ((removed, False), (added, True)):
            for statement in statements:
                kind = type(statement)
                concerned = concerns.get(kind)
                if kind in changes and (concerned is None or concerned(statement)):
                    changes[kind](statement, there)

    # --- look-ups ------------------------------------------------------------------------------
    def station_at(self, router: str, ip: int) -> Station | None:
        """Who has an address in one of the router's segments."""
        segments = self.segments.get(router)
        place = segments.find(ip) if segments else None
        return self.stations.get((place.id, ip)) if place else None

    def route(self, spot: Spot, ip: int) -> Target | None:
        """Where the table of a segment, or of a foot, sends a packet to an address; None where no
        route does."""
        table = spot.table if isinstance(spot, Footing) else self.tables.get(spot.id)
        routes = self.routes.get(table) if table is not None else None
        return routes.find(ip) if routes else None

    def routes_of(self, place: str) -> list[tuple[int, int, Target]]:
        """Every route of a segment's table: mask, base and target, the longest first."""
        return self.ways(self.tables.get(place))

    def ways(self, table: str | None) -> list[tuple[int, int, Target]]:
        """Every route of a table, which need not be there, the longest first."""
        routes = self.routes.get(table or "")
        return routes.prefixes() if routes else []

    def leads(self, spot: Spot, ip: int) -> str | None:
        """The router into which a peering or a transit gateway leads packets from a segment to an
        address, behind NAT gateways perhaps; None where none does."""
        crossed = False
        for _ in range(MAX_HOPS):
            match self.route(spot, ip):
                case ViaPeering(router=router):
                    return router
                case Local() if crossed:
                    return spot.router
                case hop:
                    onward = self.onward(spot, hop, ip)
                    if onward is None:
                        return None
                    crossed |= isinstance(hop, ViaTransit)
                    spot = onward
        return None

    def onward(self, spot: Spot, hop: Target | None, ip: int) -> Spot | None:
        """Where a packet to an address meets the next table, if a transit gateway or a NAT gateway
        takes it there; None if it ends there, or takes another way."""
        if isinstance(hop, ViaTransit):
            zone = self.leaves(spot, hop.attachment)
            return None if zone is None else self.crosses(hop.attachment, zone, ip)
        port = self.ports.get(hop.port) if isinstance(hop, ViaPort) else None
        return port.place if port and port.host in self.translators else None

    def leaves(self, spot: Spot, attachment: str) -> str | None:
        """The zone in which packets leave by an attachment; None where they do not."""
        branch = self.branches.get(attachment)
        if branch is None or not branch.carries:
            return None
        if not isinstance(spot, Footing):
            return self.served.get((attachment, spot.id))
        return spot.zone if spot.zone in self.feet.get(attachment, ()) else None

    def crosses(
        self,
        attachment: str,
        zone: str,
        ip: int,
        began_in: Callable[[str, str], str] = lambda transit, zone: zone,
    ) -> Footing | None:
        """The foot at which packets to an address come out that went in by an attachment in a zone;
        None where they end.  ``began_in`` says of a transit and a zone in which one the flow
        began."""
        key, transit, at = attachment, self.branches[attachment].transit, zone
        for _ in range(MAX_HOPS):
            routes = self.routes.get(self.branch_tables.get((key, transit), ""))
            hop = routes.find(ip) if routes else None
            if not isinstance(hop, ViaAttachment | ViaTransitPeering):
                return None
            began = began_in(transit, at)
            if isinstance(hop, ViaAttachment):
                return self._comes_out(hop.attachment, at, began)
            key, transit, at = hop.peering, hop.transit, ""  # a peering knows no zones
        return None

    def _comes_out(self, attachment: str, zone: str, began: str) -> Footing | None:
        branch, feet = self.branches.get(attachment), self.feet.get(attachment)
        if branch is None or not branch.carries or not feet:
            return None
        return feet.get(began if branch.appliance else zone) or feet[min(feet)]

    def linked(self, router: str) -> list[str]:
        """The routers that peerings and transit gateways join to one, at once or by others."""
        joins = [each.routers for each in self.links.values()] + [*self.transit_links.values()]
        joins += [(each.transit, each.router) for each in self.branches.values()]
        found, wanted = {router}, [router]
        while wanted:
            at = wanted.pop()
            others = {each for pair in joins if at in pair for each in pair} - found
            found |= others
            wanted += others
        transits = {each.transit for each in self.branches.values()}
        transits |= {each for pair in self.transit_links.values() for each in pair}
        return sorted(found - transits - {router})

    def egress(self, host: str, ip: int) -> Station | None:
        """The port out of which a host sends to an address: the first in whose segment that is,
        else the one with the default route (ip-route(8)), which is the host's first one.  A port
        without an IPv6 address has no IPv6 routes."""
        ports = self.of_host.get(host, [])
        if self.version == 6:
            ports = [port for port in ports if port.id in self.primary]
        first = ports[:1] if ports and ports[0].device == 0 else []
        if len(ports) == 1 and first:
            return first[0]
        near = (port for port in ports if ip & port.place.mask == port.place.base)
        return next(near, first[0] if first else None)

    def public_of(self, router: str, private: int) -> int | None:
        """The public address of a private one."""
        return self.mapped.get((router, private))

    # --- one statement type each ---------------------------------------------------------------
    def _changes(self) -> dict[type, Callable[[Any, bool], None]]:
        return {
            Segment: self._segment,
            SegmentTable: self._segment_table,
            Range: self._range,
            Route: self._route,
            Port: self._port,
            Address: self._address,
            Guard: self._guard,
            Filter: self._filter,
            SegmentFilter: self._segment_filter,
            Member: self._member,
            PublicAddress: self._public_address,
            Gateway: self._gateway,
            GlobalAddress: self._global_address,
            GlobalPrefix: self._global_prefix,
            Translator: self._translator,
            InternetHost: self._internet_host,
            Peering: self._peering,
            Attachment: self._attachment,
            AttachmentTable: self._attachment_table,
            Served: self._serves,
            Foot: self._foot,
            TransitPeering: self._transit_peering,
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
        where = prefix(cidr, self.version)
        if value is None:
            routes.remove(where)
        else:
            routes.add(where, value)

    def _place(self, segment: Segment) -> Place:
        where = prefix(self._cidr(segment), self.version)
        return Place(segment.id, segment.router, *where)

    def _cidr(self, segment: Segment) -> str:
        return segment.cidr6 if self.version == 6 else segment.cidr

    def _station(self, port: Port) -> Station:
        return Station(port.id, port.host, self._place(port.segment), port.index)

    def _segment(self, it: Segment, there: bool) -> None:
        place = self._place(it)
        _put(self.places, it.id, place, there)
        self._longest("segments", it.router, self._cidr(it), place if there else None)
        if self.version == 6 and there:
            self.homes.add((place.mask, place.base), place)
        elif self.version == 6 and self.homes.find(place.base) == place:
            self.homes.remove((place.mask, place.base))

    def _range(self, it: Range, there: bool) -> None:
        ranges: set[Prefix] = self._nested("ranges", it.router, set)
        (ranges.add if there else ranges.remove)(prefix(it.cidr, self.version))

    def _segment_table(self, it: SegmentTable, there: bool) -> None:
        _put(self.tables, it.segment.id, it.table.id, there)

    def _route(self, it: Route, there: bool) -> None:
        self._longest("routes", it.table.id, it.destination, it.target if there else None)

    def _port(self, it: Port, there: bool) -> None:
        station = self._station(it)
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
        station = self.ports.get(port.id) or self._station(port)
        _put(self.stations, (port.segment.id, ip), station, there)
        _put(self.at_host, (port.host, ip), station, there)
        if it.primary:
            _put(self.primary, port.id, ip, there)

    def _guard(self, it: Guard, there: bool) -> None:
        addresses = frozenset(number(ip) for ip in it.addresses if version_of(ip) == self.version)
        limits = Limits(addresses, it.forwarding, it.filter_in, it.filter_out)
        _put(self.limits, it.port.id, limits, there)

    def _filter(self, it: Filter, there: bool) -> None:
        if there:
            self.screens[it.router, it.id] = Screen(it, self.version)
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

    def _gateway(self, it: Gateway, there: bool) -> None:
        if it.egress_only:
            (self.egress_only.add if there else self.egress_only.remove)(it.id)

    def _global_address(self, it: GlobalAddress, there: bool) -> None:
        ip = number(it.ip)
        _put(self.private, (it.gateway, ip), ip, there)
        others = {*self.letting.get(ip, ())} - {it.gateway}
        letting = tuple(sorted(others | {it.gateway} if there else others))
        _put(self.mapped, (it.router, ip), ip, bool(letting))
        if letting:
            self.letting[ip] = letting
            self.public[ip] = Outside(letting[0], it.router, ip)
        else:
            del self.letting[ip], self.public[ip]

    def _global_prefix(self, it: GlobalPrefix, there: bool) -> None:
        where = prefix(it.segment.cidr6, self.version)
        if there:
            self.ways_in.add(where, WayIn(it.gateway, it.segment.router))
        else:
            self.ways_in.remove(where)
        _put(self.entrances, it.segment.id, it.gateway, there)

    def _translator(self, it: Translator, there: bool) -> None:
        _put(self.translators, it.port.host, number(it.ip), there)

    def _internet_host(self, it: InternetHost, there: bool) -> None:
        ip = it.ip6 if self.version == 6 else it.ip
        if ip:
            _put(self.internet, number(ip), it.name, there)

    def _peering(self, it: Peering, there: bool) -> None:
        one, other = (self._prefixes(cidrs) for cidrs in it.cidrs)
        _put(self.links, it.id, Link(it.routers, (one, other)), there)

    def _attachment(self, it: Attachment, there: bool) -> None:
        carries = it.ipv6 or self.version == 4
        _put(self.branches, it.id, Branch(it.transit, it.router, carries, it.appliance), there)

    def _prefixes(self, cidrs: Iterable[str]) -> Prefixes:
        found = (prefix(cidr, self.version) for cidr in cidrs)
        return tuple(each for each in found if each != NOWHERE)

    def _attachment_table(self, it: AttachmentTable, there: bool) -> None:
        _put(self.branch_tables, (it.attachment, it.table.router), it.table.id, there)

    def _transit_peering(self, it: TransitPeering, there: bool) -> None:
        _put(self.transit_links, it.id, it.transits, there)

    def _serves(self, it: Served, there: bool) -> None:
        _put(self.served, (it.attachment, it.segment.id), it.zone, there)

    def _foot(self, it: Foot, there: bool) -> None:
        table = it.table.id if it.table else None
        filters = it.filter_in, it.filter_out
        footing = Footing(it.segment.id, it.segment.router, it.zone, table, *filters)
        feet: dict[str, Footing] = self._nested("feet", it.attachment, dict)
        _put(feet, it.zone, footing, there)


_CONCERNS: dict[Version, dict[type, Callable[[Any], bool]]] = {
    4: {
        Address: lambda it: ":" not in it.ip,
        Member: lambda it: ":" not in it.ip,
        Range: lambda it: ":" not in it.cidr,
        Route: lambda it: ":" not in it.destination,
        Segment: lambda it: it.cidr != "",
        SegmentTable: lambda it: it.segment.cidr != "",
        SegmentFilter: lambda it: it.segment.cidr != "",
        Port: lambda it: it.segment.cidr != "",
        Guard: lambda it: it.port.segment.cidr != "",
        GlobalAddress: lambda it: False,
        GlobalPrefix: lambda it: False,
    },
    6: {
        Address: lambda it: ":" in it.ip,
        Member: lambda it: ":" in it.ip,
        Range: lambda it: ":" in it.cidr,
        Route: lambda it: ":" in it.destination,
        PublicAddress: lambda it: False,
        Translator: lambda it: False,
        # An ACL names no groups and so is not told.
        Filter: lambda it: it.ipv6 or not it.stateful,
        Segment: lambda it: it.cidr6 != "",
        SegmentTable: lambda it: it.segment.cidr6 != "",
        SegmentFilter: lambda it: it.segment.cidr6 != "",
        Port: lambda it: it.segment.cidr6 != "",
        Guard: lambda it: it.port.segment.cidr6 != "",
    },
}
"""Whether a statement of a type is about an IP version; those of other types are about both."""


def _put(index: dict[Any, Any], key: Any, value: Any, there: bool) -> None:
    if there:
        index[key] = value
    else:
        del index[key]
