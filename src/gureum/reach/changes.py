"""Which pairs differ between two states, without asking all of them.

What has changed says whom it may concern: a group's rule concerns the ports that it guards and the
peers that it is about, a member its own address, a segment's ACL or routes the ports in it and
those that a NAT gateway in it hides.  Only pairs whose ways then differ are spelled out,
one by one, as they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gureum.program import ViaPort, ViaUplink
from gureum.reach.headers import HEADERS
from gureum.reach.internet import Internet, Piece, around, outward
from gureum.reach.places import Station
from gureum.reach.prefixes import number
from gureum.reach.reach import Reach
from gureum.reach.screens import Line
from gureum.reach.state import State
from gureum.reach.verdicts import Span, spans
from gureum.reach.way import Check, Node, Way


@dataclass(frozen=True, slots=True)
class Change:
    """A pair, and all that works in it before and after."""

    source: Node
    target: Node
    before: tuple[Span, ...]
    after: tuple[Span, ...]


def difference(older: Reach, newer: Reach) -> Iterator[Change]:
    """The pairs for which not the same headers work in two states of a program, of one IP version.

    Pairs come as they are found, each once.  Cheapest where ``older`` is a snapshot of ``newer``:
    what they share is not looked at.
    """
    return _Difference(older, newer).run()


class _Difference:
    def __init__(self, older: Reach, newer: Reach) -> None:
        self._both, self._version = (older, newer), newer.version
        every = (node for reach in self._both for node in reach.nodes() if node.part is None)
        self._nodes = [*dict.fromkeys(every), newer.outside()]
        self._usual = number(newer.outside().ip)
        self._port = {node.id: node for node in self._nodes if node.kind == "port"}
        self._members = _changed_members(older.state, newer.state)
        self._public = {node for node in self._nodes if self._called_outside(node)}
        self._addresses = {number(node.ip) for node in self._nodes if node.kind == "internet"}
        self._addresses.update(*(reach.state.public for reach in self._both))
        self._addresses.update(number(node.ip) for node in self._public)
        self._addresses.update(*(reach.state.translators.values() for reach in self._both))
        self._judged: dict[tuple[str, str], tuple[list[Node], bool]] = {}
        self._seen: set[tuple[Node, Node]] = set()

    def run(self) -> Iterator[Change]:
        for source, target in self._pairs():
            if (source, target) in self._seen:
                continue
            self._seen.add((source, target))
            if source.part is not None:
                yield from self._by_piece(target, lambda piece, port: (piece, port))
            elif target.part is not None:
                yield from self._by_piece(source, lambda piece, port: (port, piece))
            elif changed := self._change(source, target):
                yield changed

    def _by_piece(
        self, port: Node, pair: Callable[[Node, Node], tuple[Node, Node]]
    ) -> Iterator[Change]:
        """The changes between an interface and the rest of the internet, pieces that change alike
        together."""
        states = [reach.state for reach in self._both]
        outside = Internet(states, around(states, port.id), self._usual)
        alike: dict[tuple[tuple[Span, ...], ...], list[Piece]] = {}
        for piece in outside.pieces:
            if changed := self._change(*pair(outside.node([piece]), port)):
                alike.setdefault((changed.before, changed.after), []).append(piece)
        for (before, after), found in alike.items():
            yield Change(*pair(outside.node(found), port), before, after)

    def _called_outside(self, node: Node) -> bool:
        """Whether a node has an address that others than its neighbours may call."""
        return node.kind == "internet" or any(
            reach.state.public_of(station.place.router, number(node.ip)) is not None
            or reach.state.linked(station.place.router)
            for reach in self._both
            if (station := reach.state.ports.get(node.id))
        )

    def _change(self, source: Node, target: Node) -> Change | None:
        before, after = (self._way(reach, source, target) for reach in self._both)
        if before == after and not self._renamed(before):
            return None
        if before and after and self._alike(before, after):
            return None
        older, newer = self._both
        headers = HEADERS[newer.version]
        old = spans(headers, before, older.state.members)
        new = spans(headers, after, newer.state.members)
        return Change(source, target, old, new) if old != new else None

    def _renamed(self, way: Way | None) -> bool:
        """Whether a filter on a way has a peer whose groups have changed."""
        checks: list[Check] = [*way.forth, *way.back] if way else []
        return any((check.screen.router, check.peer) in self._members for check in checks)

    def _alike(self, before: Way, after: Way) -> bool:
        """Whether two ways lead through filters that let the same pass."""
        if (before.carried, before.returned) != (after.carried, after.returned):
            return False
        old, new = (reach.state.members for reach in self._both)
        sides = ((before.forth, after.forth), (before.back, after.back))
        return all(
            len(one) == len(other)
            and all(
                a.scope == b.scope
                and a.screen.admitted(a.peer, old) == b.screen.admitted(b.peer, new)
                for a, b in zip(one, other, strict=True)
            )
            for one, other in sides
        )

    def _way(self, reach: Reach, source: Node, target: Node) -> Way | None:
        there = _has(reach, source) and _has(reach, target)
        return reach.between(source, target) if there else None

    # --- who may be concerned ------------------------------------------------------------------
    def _pairs(self) -> Iterator[tuple[Node, Node]]:
        for hub, peer in self._by_filters():
            yield hub, peer
            yield peer, hub  # a filter may also be asked about answers
        for node in self._touched():
            for other in self._nodes:
                if not node.kind == other.kind == "internet":
                    yield node, other
                    yield other, node

    def _by_filters(self) -> Iterator[tuple[Node, Node]]:
        """Ports whose groups' rules or members have changed, with the peers concerned."""
        old, new = (reach.state for reach in self._both)
        screens = _changed(old.screens, new.screens)
        groups = _changed(old.members, new.members)
        for node in self._port.values():
            for router, key, inward, named in self._guards(node):
                if (router, key) in screens or named & groups:
                    inside, outside = self._peers(router, key)
                    yield from ((node, peer) for peer in inside)
                    if outside and (node in self._public or not inward):
                        others = self._nodes if inward else self._public
                        yield from ((node, peer) for peer in others)

    def _guards(self, node: Node) -> Iterator[tuple[str, str, bool, set[tuple[str, str | None]]]]:
        """The filters of a node's host in either state: router, id, whether it is about what comes
        in, the groups that it names.  What is for one port may come in by another."""
        for state in (reach.state for reach in self._both):
            for station in _siblings(state, node.id):
                limits, router = state.limits.get(station.id), station.place.router
                sides = ((limits.filter_in, True), (limits.filter_out, False)) if limits else ()
                for key, inward in sides:
                    if key is not None:
                        lines = state.screens[router, key].lines
                        yield router, key, inward, {(router, line.group) for line in lines}

    def _peers(self, router: str, key: str) -> tuple[list[Node], bool]:
        """The neighbours that a filter may judge otherwise, and whether it may so judge anybody
        outside the router."""
        if (router, key) not in self._judged:
            self._judged[router, key] = self._judging(router, key)
        return self._judged[router, key]

    def _judging(self, router: str, key: str) -> tuple[list[Node], bool]:
        older, newer = (reach.columns(router) for reach in self._both)
        old, new = (reach.state.screens.get((router, key)) for reach in self._both)
        if old is None or new is None or older.nodes != newer.nodes:
            return self._nodes, True
        # Of a stateful filter the rules' order is irrelevant: those that both have judge alike.
        lines = set(old.lines) ^ set(new.lines)
        bits = 0
        for line in lines:
            bits |= older.about(self._both[0].state, line)
            bits |= newer.about(self._both[1].state, line)
        moved = {ip for home, ip in self._members if home == router}
        for ip in moved & older.by_ip.keys():
            bits |= 1 << older.by_ip[ip]
        if any(self._about(router, line, ip) for line in lines for ip in self._hiding(router)):
            bits = older.everyone  # behind a NAT gateway may be anybody
        outside = not moved.isdisjoint(self._addresses)  # a peer's group may be named, too
        outside |= any(
            outward((line.mask, line.base), self._version) for line in lines if line.group is None
        )
        outside |= any(self._about(router, line, ip) for line in lines for ip in self._addresses)
        return older.members_of(bits), outside

    def _about(self, router: str, line: Line, ip: int) -> bool:
        if line.group is None:
            return ip & line.mask == line.base
        key = (router, line.group)
        return any(ip in reach.state.members.get(key, ()) for reach in self._both)

    def _hiding(self, router: str) -> set[int]:
        """The addresses of a router's NAT gateways."""
        return {
            ip
            for state in (reach.state for reach in self._both)
            for ip in state.translators.values()
            if state.station_at(router, ip)
        }

    def _touched(self) -> Iterator[Node]:
        """Nodes of which anything but rules and members has changed."""
        old, new = (reach.state for reach in self._both)
        ports = _changed_ports(old, new)
        places = _changed_places(old, new)
        grown = True
        while grown:  # what a NAT gateway hides goes with its segment
            found = _hidden_by(old, ports, places) | _hidden_by(new, ports, places)
            found |= _relinked(old, new, ports, places)
            grown = not found <= places
            places |= found
        for node in self._nodes:
            if node.kind == "internet":
                if not all(_has(reach, node) for reach in self._both):
                    yield node
                continue
            stations = (each for state in (old, new) for each in _siblings(state, node.id))
            if node.id in ports or any(each.place.id in places for each in stations):
                yield node


def _has(reach: Reach, node: Node) -> bool:
    if node.kind == "port":
        state = reach.state
        return node.id in state.primary and node.id in state.ports and reach.node(node.id) == node
    return node.part is not None or reach.outside(node.ip) == node


def _siblings(state: State, port: str) -> Iterable[Station]:
    """The ports of a port's host, which answers by any of them."""
    station = state.ports.get(port)
    return state.of_host[station.host] if station else ()


def _changed(old: dict[Any, Any], new: dict[Any, Any]) -> set[Any]:
    """The keys whose values differ; shared values are the same at a glance."""
    keys = old.keys() | new.keys()
    return {
        key for key in keys if old.get(key) is not (value := new.get(key)) and old.get(key) != value
    }


def _changed_members(old: State, new: State) -> set[tuple[str, int]]:
    """The addresses, each with its router, that have joined or left a group."""
    return {
        (router, ip)
        for router, group in _changed(old.members, new.members)
        for ip in old.members.get((router, group), set()) ^ new.members.get((router, group), set())
    }


def _changed_ports(old: State, new: State) -> set[str]:
    """Ports that are new or gone, or have other addresses, guards, hosts or public addresses."""
    found: set[str] = set()
    for name in ("ports", "primary", "limits"):
        found |= _changed(getattr(old, name), getattr(new, name))
    public = _changed(old.public, new.public) | _changed(old.letting, new.letting)
    hosts = _changed(old.translators, new.translators)
    for state in (old, new):
        for behind in (state.public[ip] for ip in public if ip in state.public):
            station = state.station_at(behind.router, behind.private)
            found |= {station.id} if station else set()
        for host, ip in _changed(old.at_host, new.at_host):
            station = state.at_host.get((host, ip))
            found |= {station.id} if station else set()
        hosts |= {state.ports[key].host for key in found if key in state.ports}
    for state in (old, new):  # a host answers by any of its ports
        found |= {key for key, station in state.ports.items() if station.host in hosts}
    return found


def _changed_places(old: State, new: State) -> set[str]:
    """Segments whose own facts, table, routes or ACL have changed."""
    found = _changed(old.places, new.places) | _changed(old.tables, new.tables)
    found |= _changed(old.acls, new.acls) | _changed(old.entrances, new.entrances)
    found |= _behind(old.egress_only ^ new.egress_only, old, new)
    tables = _changed_tables(old, new)
    screens = {key for _, key in _changed(old.screens, new.screens)}
    for state in (old, new):
        found |= {place for place, table in state.tables.items() if table in tables}
        found |= {place for place, keys in state.acls.items() if screens & set(keys)}
    return found


def _behind(gateways: set[str], *states: State) -> set[str]:
    """Segments to or from which some gateways lead."""
    if not gateways:
        return set()
    return {
        place
        for state in states
        for place, table in state.tables.items()
        if state.entrances.get(place) in gateways
        or any(
            isinstance(target, ViaUplink) and target.gateway in gateways
            for _, _, target in state.ways(table)
        )
    }


def _changed_tables(old: State, new: State) -> set[str]:
    """Tables whose routes have changed."""
    return {
        table
        for table in old.routes.keys() | new.routes.keys()
        if (one := old.routes.get(table)) is not (two := new.routes.get(table))
        and (one is None or two is None or one.prefixes() != two.prefixes())
    }


def _rerouted(old: State, new: State, ports: set[str], places: set[str]) -> set[str]:
    """Routers that transit gateways join, of which an attachment, a foot or a table has changed, or
    ports or segments have to which a foot leads: what comes out there goes on by them."""
    keys = _changed(old.branches, new.branches) | _changed(old.transit_links, new.transit_links)
    keys |= {key for key, _ in _changed(old.branch_tables, new.branch_tables)}
    keys |= {key for key, _ in _changed(old.served, new.served)} | _changed(old.feet, new.feet)
    tables, screens = _changed_tables(old, new), _changed(old.screens, new.screens)
    gateways = old.egress_only ^ new.egress_only
    for state in (old, new):
        keys |= {key for (key, _), table in state.branch_tables.items() if table in tables}
        for key, feet in state.feet.items():
            if any(
                foot.id in places
                or foot.table in tables
                or {(foot.router, foot.filter_in), (foot.router, foot.filter_out)} & screens
                or _leads_to(state, foot.table, ports, places)
                or any(
                    isinstance(hop, ViaUplink) and hop.gateway in gateways
                    for _, _, hop in state.ways(foot.table)
                )
                for foot in feet.values()
            ):
                keys.add(key)
    return {
        router
        for state in (old, new)
        for key in keys
        for end in state.transit_links.get(key) or _router_of(state, key)
        for router in (end, *state.linked(end))
    }


def _router_of(state: State, attachment: str) -> tuple[str, ...]:
    branch = state.branches.get(attachment)
    return (branch.router,) if branch else ()


def _relinked(old: State, new: State, ports: set[str], places: set[str]) -> set[str]:
    """Segments of routers whose peerings, or whose transit gateways, have changed."""
    links = _changed(old.links, new.links)
    routers = _rerouted(old, new, ports, places) | {
        router
        for state in (old, new)
        for key in links
        if key in state.links
        for end in state.links[key].routers
        for router in (end, *(state.linked(end) if state.branches else ()))
    }
    return {
        key
        for state in (old, new)
        for key, place in state.places.items()
        if place.router in routers
    }


def _hidden_by(state: State, ports: set[str], places: set[str]) -> set[str]:
    """Segments that route to ports, or to somebody in segments, that have changed."""
    return {
        place for place, table in state.tables.items() if _leads_to(state, table, ports, places)
    }


def _leads_to(state: State, table: str | None, ports: set[str], places: set[str]) -> bool:
    """Whether a table routes to some ports, or to somebody in some segments."""
    for _, _, target in state.ways(table):
        if isinstance(target, ViaPort):
            port = state.ports.get(target.port)
            if target.port in ports or (port and port.place.id in places):
                return True
    return False
