"""Who reaches one node with a header, and whom it reaches: all of a router at a time.

Inside a router both ways are regular (out of one segment, into the other, by local routes), so they
are rows of bits: the node's own groups, the ACLs of each segment, the others' groups, one after the
other.  What is not regular (a middlebox's route, a host with several ports) and what comes or goes
through a gateway is asked pair by pair, of those only that pass the first filter.
"""

from __future__ import annotations

from collections.abc import Callable

from gureum.program import Local
from gureum.reach.columns import Columns
from gureum.reach.gates import Gates, Judge
from gureum.reach.headers import HEADERS
from gureum.reach.places import Place, Station
from gureum.reach.prefixes import number
from gureum.reach.screens import Screen
from gureum.reach.state import State
from gureum.reach.way import Node


class Sweep:
    """One question about one header.  ``judge`` says of a single pair whether it works."""

    def __init__(
        self, state: State, columns: Callable[[str], Columns], where: int, judge: Judge
    ) -> None:
        self._state, self._columns = state, columns
        self._where, self._judge = where, judge
        self._gates = Gates(state, columns, where, judge)

    def sources(self, target: Node, routers: list[str], internet: list[Node]) -> list[Node]:
        """Everybody who reaches a node."""
        if target.kind == "internet":
            return [node for router in routers for node in self._gates.out_of(router, target)]
        home = self._state.ports[target.id].place.router
        found = self._neighbours(target, inward=True)
        if self._state.public_of(home, number(target.ip)) is not None:
            found += (node for node in internet if self._judge(node, target))
        elif not self._state.linked(home):
            return found
        others = (router for router in routers if router != home)
        return [*found, *(node for router in others for node in self._gates.out_of(router, target))]

    def targets(self, source: Node, internet: list[Node]) -> list[Node]:
        """Everybody whom a node reaches."""
        if source.kind == "internet":
            return list(self._gates.into(source))
        found = self._neighbours(source, inward=False)
        found += (node for node in internet if self._judge(source, node))
        return [*found, *self._gates.into(source)]

    # --- inside a router -----------------------------------------------------------------------
    def _neighbours(self, hub: Node, *, inward: bool) -> list[Node]:
        station = self._state.ports[hub.id]
        columns = self._columns(station.place.router)
        itself = 1 << columns.index[hub.id]
        strange = columns.everyone if columns.irregular & itself else columns.irregular
        regular = (
            columns.everyone & ~strange & ~itself & self._admitted(columns, station, inward=inward)
        )
        found = 0
        for place, ports in columns.places.items():
            if place == station.place:
                found |= regular & ports
                continue
            routed = self._routed(columns, station, hub, place, inward=inward)
            found |= regular & ports & routed
            strange |= ports & ~routed & self._unlike(columns, station, hub, place)
        found = self._let(columns, found, hub, inward=inward)
        for node in columns.members_of(strange & ~itself):
            pair = (node, hub) if inward else (hub, node)
            if self._judge(*pair):
                found |= 1 << columns.index[node.id]
        return columns.members_of(found)

    def _admitted(self, columns: Columns, station: Station, *, inward: bool) -> int:
        """The ports that the node's own groups admit."""
        limits = self._state.limits.get(station.id)
        key = (limits.filter_in if inward else limits.filter_out) if limits else None
        if key is None:
            return columns.everyone
        screen = self._state.screens[columns.router, key]
        return columns.row(self._state, screen, self._where)

    def _unlike(self, columns: Columns, station: Station, hub: Node, place: Place) -> int:
        """The ports of another segment to or from which the way is not by local routes alone."""
        if not isinstance(self._state.route(place, number(hub.ip)), Local):
            return columns.everyone
        return ~columns.local(self._state, station.place)

    def _routed(
        self, columns: Columns, station: Station, hub: Node, place: Place, *, inward: bool
    ) -> int:
        """The ports to or from which local routes lead, and the ACLs of both segments let pass."""
        state, ip = self._state, number(hub.ip)
        found = columns.everyone & ~self._unlike(columns, station, hub, place)
        back = HEADERS[state.version].answers(self._where)
        # The packet meets the other segment's ACL first if inward, the answer the node's own.
        asking, answering = (1, 0) if inward else (0, 1)
        screen = self._acl(place, asking)
        if screen and not screen.admits(self._where, ip, state.members):
            return 0
        if screen := self._acl(place, answering):
            back = screen.passing(back, ip, state.members)
        if screen := self._acl(station.place, answering):
            found &= columns.row(state, screen, self._where)
        if screen := self._acl(station.place, asking):
            found &= columns.answered(state, screen, back)
        return found if back else 0

    def _acl(self, place: Place, direction: int) -> Screen | None:
        pair = self._state.acls.get(place.id)
        return self._state.screens[place.router, pair[direction]] if pair else None

    def _let(self, columns: Columns, ports: int, hub: Node, *, inward: bool) -> int:
        """The ports of a set whose own groups let the header out to, or in from, the node."""
        ip = number(hub.ip)
        guarded = columns.guarded_out if inward else columns.guarded_in
        for key, bits in guarded.items():
            if key is not None and ports & bits:
                screen = self._state.screens[columns.router, key]
                if not screen.admits(self._where, ip, self._state.members):
                    ports &= ~bits
        return ports
