"""Reachability of all pairs and all headers, kept up to date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gureum.model.internet import PUBLIC, PUBLIC6
from gureum.program import (
    Address,
    Guard,
    Member,
    Port,
    Route,
    Segment,
    Statement,
    Translator,
)
from gureum.reach.columns import Columns
from gureum.reach.headers import HEADERS, Detail
from gureum.reach.internet import Internet, around, routed
from gureum.reach.places import Station
from gureum.reach.prefixes import Version, number, prefix, spelled
from gureum.reach.state import State
from gureum.reach.sweep import Sweep
from gureum.reach.verdicts import Span, Verdict, spans, verdict, why
from gureum.reach.way import Node, Part, Way, way

_WHOLE = Part()


class Exposure(NamedTuple):
    """Who of the internet reaches whom, and how many addresses that are."""

    who: Node
    target: Node
    addresses: int


class Reach:
    """What a program's packets of one IP version, and the answers to them, can get through.

    Nothing is walked per packet: a pair has one way, a way is the filters on it, and a filter is
    ranges of headers.  Pairs are ordered: ``source`` begins.  A target is called by its primary
    private address within its router and from where a peering leads to it, and by its public
    address from elsewhere, unless an ``address`` is given; of IPv6 these are the same.  A header is
    a protocol number with a target port (TCP, UDP) or a type and code (ICMP, or ICMPv6 of IPv6);
    ``ValueError`` is raised for one that does not exist.
    """

    def __init__(self, statements: Iterable[Statement] = (), version: Version = 4) -> None:
        self.version = version
        self.state = State(version)
        self._headers = HEADERS[version]
        self._columns: dict[str, Columns] = {}
        self.update(added=statements)

    def update(self, added: Iterable[Statement] = (), removed: Iterable[Statement] = ()) -> None:
        """Follow a change of the program: the two sides of :func:`gureum.program.diff`.

        A rule, a member, a route or an ACL costs its own entries; a port costs its router's.
        """
        added, removed = tuple(added), tuple(removed)
        self.state.change(removed, added)
        for statement in (*removed, *added):
            self._forget(statement)

    def snapshot(self) -> Reach:
        """The state as it is now, which later updates leave alone."""
        made = Reach(version=self.version)
        made.state = self.state.copy()
        return made

    # --- nodes ---------------------------------------------------------------------------------
    def node(self, port: str) -> Node:
        """The node of an interface.  Raises ``KeyError`` where it is not up, or has no address of
        the IP version."""
        return Node("port", port, self._text(self.state.primary[port]))

    def outside(self, ip: str | None = None) -> Node:
        """An internet address as a node; by default all of the internet that is no host of the
        program, by an address that nobody has.  What is asked about that node is answered for that
        one address: :meth:`internet` says what there is to ask about."""
        if ip is None:
            return Node("internet", "internet", self._text(self._anybody()), Part())
        return Node("internet", self.state.internet.get(number(ip), "internet"), ip)

    def internet(self, port: str, within: Part = _WHOLE) -> Internet:
        """The internet, or a part of it, in the pieces that an interface's rules and routes tell
        apart.  What a pair of the interface and a piece is answered holds for all its addresses.

        A piece costs some microseconds: there are no more than twice the prefixes that they name.
        """
        states = [self.state]
        return Internet(states, around(states, port), self._anybody(), within)

    def routed(self, segment: str) -> Internet:
        """The internet in the pieces that a segment's routes tell apart."""
        return Internet([self.state], routed(self.state, segment), self._anybody())

    def nodes(self) -> Iterator[Node]:
        """Every interface of an instance that is up, every internet host, and the rest of the
        internet.  NAT gateways call nobody and answer nobody, and so are none."""
        for router in self._routers():
            yield from self.columns(router).nodes
        yield from self._internet()

    # --- pairs ---------------------------------------------------------------------------------
    def between(self, source: Node, target: Node, address: str | None = None) -> Way | None:
        """The way from a node to another and back, filters aside; None if there is none."""
        state = self.state
        start, end = self._station(source), self._station(target)
        called = number(address) if address is not None else self._called(start, end, target)
        if called is None:
            return None
        ends = ((source, start), (target, end))
        outside = [number(node.ip) for node, station in ends if station is None]
        found = way(state, number(source.ip), start, called, outside)
        return found if found and found.end == (end.host if end else "") else None

    def called(self, source: Node, target: Node) -> str | None:
        """The address by which a target is called; None where it has none for the source."""
        found = self._called(self._station(source), self._station(target), target)
        return None if found is None else self._text(found)

    def point(
        self, source: Node, target: Node, protocol: int, detail: Detail = None,
        *, address: str | None = None,
    ) -> Verdict:  # fmt: skip
        """Whether an exchange works, and from which client ports."""
        found = self.between(source, target, address)
        where = self._headers.point(protocol, detail)
        return verdict(self._headers, found, where, self.state.members)

    def spans(self, source: Node, target: Node, *, address: str | None = None) -> tuple[Span, ...]:
        """Every header that works, as maximal ranges."""
        return spans(self._headers, self.between(source, target, address), self.state.members)

    def why(
        self, source: Node, target: Node, protocol: int, detail: Detail = None,
        *, address: str | None = None,
    ) -> tuple[str, ...]:  # fmt: skip
        """The ids of the rules that admit an exchange, on the way there and on the way back, each
        once; empty where it does not work."""
        found = self.between(source, target, address)
        where = self._headers.point(protocol, detail)
        return why(self._headers, found, where, self.state.members)

    # --- sets ----------------------------------------------------------------------------------
    def sources(self, target: Node, protocol: int, detail: Detail = None) -> list[Node]:
        """Who reaches a node with a header, from some client port at least.  The internet comes in
        its pieces."""
        sweep = self._sweep(self._headers.point(protocol, detail))
        return sweep.sources(target, self._routers(), self._outside_of(target))

    def targets(self, source: Node, protocol: int, detail: Detail = None) -> list[Node]:
        """Whom a node reaches with a header, from some client port at least.  An internet node's
        are interfaces: what is between two internet nodes is not the program's."""
        sweep = self._sweep(self._headers.point(protocol, detail))
        return sweep.targets(source, self._outside_of(source))

    def exposed(
        self, protocol: int, detail: Detail = None, within: Part = _WHOLE
    ) -> Iterator[Exposure]:
        """Whom anybody of the internet, or of a part of it, reaches with a header: interfaces that
        are up, by each of their private addresses that has a public one."""
        for behind in list(self.state.public.values()):
            station = self.state.station_at(behind.router, behind.private)
            if station is None or station.host in self.state.translators:
                continue
            if station.id in self.state.primary:
                target = Node("port", station.id, self._text(behind.private))
                found = self.strangers(target, protocol, detail, within)
                if found is not None:
                    yield found

    def strangers(
        self, target: Node, protocol: int, detail: Detail = None, within: Part = _WHOLE
    ) -> Exposure | None:
        """Who of the internet, or of a part of it, reaches an interface with a header; None if
        nobody does."""
        where, members = self._headers.point(protocol, detail), self.state.members
        outside = self.internet(target.id, within)
        found = [
            piece
            for piece in outside.pieces
            for way in (self.between(outside.node([piece]), target),)
            if verdict(self._headers, way, where, members).works
        ]
        if not found:
            return None
        return Exposure(outside.node(found), target, sum(piece.size for piece in found))

    def _sweep(self, where: int) -> Sweep:
        members = self.state.members

        def judge(source: Node, target: Node) -> bool:
            return verdict(self._headers, self.between(source, target), where, members).works

        return Sweep(self.state, self.columns, where, judge)

    def columns(self, router: str) -> Columns:
        """The ports of a router as bits."""
        self._arrange()
        return self._columns[router]

    # --- inside --------------------------------------------------------------------------------
    def _text(self, ip: int) -> str:
        return spelled(ip, self.version)

    def _station(self, node: Node) -> Station | None:
        return self.state.ports[node.id] if node.kind == "port" else None

    def _called(self, start: Station | None, end: Station | None, target: Node) -> int | None:
        ip = number(target.ip)
        home = end.place.router if end else None
        if home is None or (start is not None and start.place.router == home):
            return ip
        if start is not None and self.state.leads(start.place, ip) == home:
            return ip
        return self.state.public_of(home, ip)

    def _anybody(self) -> int:
        public = PUBLIC if self.version == 4 else PUBLIC6
        mask, base = prefix(public, self.version)
        last = base | (mask & -mask) - 2
        taken = (self.state.internet, self.state.public)
        return next(ip for ip in range(last, base, -1) if not any(ip in it for it in taken))

    def _outside_of(self, node: Node) -> list[Node]:
        """The ends that there are outside for a node: hosts, and for an interface the pieces of the
        rest."""
        *hosts, rest = self._internet()
        pieces = self.internet(node.id).nodes() if node.kind == "port" else [rest]
        return [*hosts, *pieces]

    def _internet(self) -> Iterator[Node]:
        for ip, name in self.state.internet.items():
            yield Node("internet", name, self._text(ip))
        yield self.outside()

    def _routers(self) -> list[str]:
        self._arrange()
        return sorted(self._columns)

    def _arrange(self) -> None:
        """Arrange anew the ports of the routers that have changed."""
        wanted = self.state.segments.keys() - self._columns.keys()
        if not wanted:
            return
        ports: dict[str, list[Station]] = defaultdict(list)
        for key, station in self.state.ports.items():
            up = key in self.state.primary and station.host not in self.state.translators
            if up and station.place.router in wanted:
                ports[station.place.router].append(station)
        for router in wanted:
            self._columns[router] = Columns(self.state, router, ports[router])

    def _forget(self, it: Statement) -> None:
        match it:
            case Member():
                if it.router in self._columns:
                    self._columns[it.router].forget_group(it.group)
            case Route():
                if it.table.router in self._columns:
                    self._columns[it.table.router].forget_table(it.table.id)
            case Segment():
                self._columns.pop(it.router, None)
            case Port():
                self._columns.pop(it.segment.router, None)
            case Address() | Guard() | Translator():
                self._columns.pop(it.port.segment.router, None)
            case _:
                pass
