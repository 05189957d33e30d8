"""Who gets out of a router, and into one, through gateways and links: the pairs that are not
inside one.

Few of them work: a target needs a public address or a link, a source one too or a NAT gateway.
So pairs are asked one by one, but only those whose ends' groups agree, and the ports of a segment
that a NAT gateway hides are asked together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gureum.explain.walk import MAX_HOPS
from gureum.program import Local, ViaPeering, ViaPort, ViaTransit, ViaUplink
from gureum.reach.columns import Columns
from gureum.reach.places import Place, Spot, Station
from gureum.reach.prefixes import number
from gureum.reach.state import State
from gureum.reach.way import Node

Judge = Callable[[Node, Node], bool]


class Gates:
    """One question about one header.  ``judge`` says of a single pair whether it works."""

    def __init__(
        self, state: State, columns: Callable[[str], Columns], where: int, judge: Judge
    ) -> None:
        self._state, self._columns = state, columns
        self._where, self._judge = where, judge
        self._known: dict[tuple[str, str, int], bool] = {}

    def out_of(self, router: str, target: Node) -> Iterator[Node]:
        """The ports of a router that reach a node outside it."""
        columns = self._columns(router)
        leaving: dict[int, int] = {}
        for place, bits in columns.places.items():
            called = self._called(place, target)
            if called is None:
                continue
            if called not in leaving:
                leaving[called] = self._let_out(columns, called)
            bits &= leaving[called]
            if not bits:
                continue
            hop = self._state.route(place, called)
            if isinstance(hop, ViaPort):
                yield from self._hidden(columns, hop.port, bits, target, called)
            elif isinstance(hop, ViaUplink | ViaPeering | ViaTransit):
                yield from self._shown(columns, place, bits, target, called)

    def into(self, source: Node) -> Iterator[Node]:
        """The ports that a node reaches from outside their router: by their private addresses where
        a peering leads to them, else by their public ones."""
        ip = number(source.ip)
        station = self._state.ports[source.id] if source.kind == "port" else None
        if station:
            yield from self._beyond(source, station, ip)
        for called, behind in self._state.public.items():
            if station and (
                station.place.router == behind.router
                or self._state.leads(station.place, behind.private) == behind.router
                or not self._admits_out(station, called)
            ):
                continue
            seen = self.seen_as(station.place, ip, called) if station else ip
            columns = self._columns(behind.router)
            index = columns.by_ip.get(behind.private)
            if seen is None or index is None:
                continue
            node = columns.nodes[index]
            if self._lets_in(self._state.ports[node.id], seen) and self._judge(source, node):
                yield node

    def _beyond(self, source: Node, station: Station, ip: int) -> Iterator[Node]:
        """The ports to which a peering or a transit gateway leads."""
        for router in self._state.linked(station.place.router):
            for node in self._columns(router).nodes:
                called = number(node.ip)
                led = self._state.leads(station.place, called) == router
                if not led or not self._admits_out(station, called):
                    continue
                seen = self.seen_as(station.place, ip, called)
                guest = self._state.ports[node.id]
                if seen is not None and self._lets_in(guest, seen) and self._judge(source, node):
                    yield node

    def seen_as(self, spot: Spot, ip: int, called: int) -> int | None:
        """The address by which one who is called outside sees the sender; None if no way leads."""
        state, begun = self._state, spot
        for _ in range(MAX_HOPS):
            match state.route(spot, called):
                case ViaUplink(gateway=gateway):
                    return state.private.get((gateway, ip))
                case ViaPeering():
                    return ip
                case Local() if spot is not begun:
                    return ip
                case hop:
                    onward = state.onward(spot, hop, called)
                    if onward is None:
                        return None
                    if isinstance(hop, ViaPort):
                        ip = state.translators[state.ports[hop.port].host]
                    spot = onward
        return None

    def _called(self, place: Place, node: Node) -> int | None:
        """The address by which somebody in a segment outside its router calls a node."""
        ip = number(node.ip)
        if node.kind == "internet":
            return ip
        home = self._state.ports[node.id].place.router
        return ip if self._state.leads(place, ip) == home else self._state.public_of(home, ip)

    def _guest(self, node: Node) -> Station | None:
        return self._state.ports[node.id] if node.kind == "port" else None

    # --- groups --------------------------------------------------------------------------------
    def _let_out(self, columns: Columns, called: int) -> int:
        """The ports whose groups let the header out to an address."""
        bits = columns.everyone
        for key, guarded in columns.guarded_out.items():
            if key is not None and not self._admits(columns.router, key, called):
                bits &= ~guarded
        return bits

    def _admits_out(self, station: Station, called: int) -> bool:
        limits = self._state.limits.get(station.id)
        key = limits.filter_out if limits else None
        return key is None or self._admits(station.place.router, key, called)

    def _lets_in(self, station: Station | None, seen: int) -> bool:
        """Whether a port's groups let the header in; internet hosts have none."""
        limits = self._state.limits.get(station.id) if station else None
        if station is None or limits is None or limits.filter_in is None:
            return True
        return self._admits(station.place.router, limits.filter_in, seen)

    def _admits(self, router: str, key: str, peer: int) -> bool:
        known = self._known.get((router, key, peer))
        if known is None:
            screen = self._state.screens[router, key]
            known = screen.admits(self._where, peer, self._state.members)
            self._known[router, key, peer] = known
        return known

    # --- the ports of one segment --------------------------------------------------------------
    def _shown(
        self, columns: Columns, place: Place, bits: int, target: Node, called: int
    ) -> Iterator[Node]:
        """Those with public addresses of their own, or for whom none is needed."""
        guest = self._guest(target)
        for node in columns.members_of(bits):
            seen = self.seen_as(place, number(node.ip), called)
            if seen is not None and self._lets_in(guest, seen) and self._judge(node, target):
                yield node

    def _hidden(
        self, columns: Columns, via: str, bits: int, target: Node, called: int
    ) -> Iterator[Node]:
        """Those that a NAT gateway hides.

        The gateway's segment tells them apart by their addresses, in its ACL and its routes; those
        that it does not tell apart share one answer.
        """
        port = self._state.ports.get(via)
        translator = self._state.translators.get(port.host) if port else None
        if port is None or translator is None:
            return  # a middlebox ends the way
        seen = self.seen_as(port.place, translator, called)
        if seen is None or not self._lets_in(self._guest(target), seen):
            return
        limits = self._state.limits.get(port.id)
        alone = limits is not None and limits.filter_in is not None
        routes = self._state.routes_of(port.place.id)
        alone |= any(isinstance(hop, ViaTransit) for _, _, hop in routes)  # answers may go round
        odd = bits if alone else bits & columns.irregular
        for node in columns.members_of(odd):
            if self._judge(node, target):
                yield node
        for block in self._alike(columns, port.place, bits & ~odd):
            nodes = columns.members_of(block)
            if self._judge(nodes[0], target):
                yield from nodes

    def _alike(self, columns: Columns, place: Place, bits: int) -> list[int]:
        """Ports parted by every prefix that a segment's ACL and table name."""
        state = self._state
        keys = state.acls.get(place.id, ())
        lines = (line for key in keys for line in state.screens[place.router, key].lines)
        prefixes = {(line.mask, line.base) for line in lines}
        table = state.tables.get(place.id)
        if table in state.routes:
            prefixes |= {(mask, base) for mask, base, _ in state.routes[table].prefixes()}
        prefixes.add((place.mask, place.base))
        blocks = [bits] if bits else []
        for mask, base in prefixes:
            inside = columns.inside(mask, base)
            parts = (part for block in blocks for part in (block & inside, block & ~inside))
            blocks = [part for part in parts if part]
        return blocks
