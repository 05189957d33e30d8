"""The internet in pieces: blocks of addresses that nothing about an interface tells apart.

A rule or a route may be about a part of the internet only.  All prefixes that the rules and routes
around an interface name cut the internet into pieces; one address stands for all of a piece, so
that what is said of the pieces is said of every address there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gureum.program import Target, ViaAttachment, ViaPort, ViaTransit, ViaTransitPeering
from gureum.reach.places import Station
from gureum.reach.prefixes import NOWHERE, Prefix, Version, prefix, spell, spelled, version_of
from gureum.reach.state import State
from gureum.reach.way import Node, Part

_WHOLE = Part()
_WIDTH = {4: 32, 6: 128}
_ROOT = {4: prefix("0.0.0.0/0", 4), 6: prefix("2000::/3", 6)}
_SPECIAL = {
    4: tuple(
        prefix(cidr, 4)
        for cidr in (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
            "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3",
        )
    ),
    6: (),
}  # fmt: skip
"""What no host of the internet is called: private, shared, loopback and link-local addresses,
multicast and what is reserved (RFC 6890).  IPv6's hosts are all in one block (RFC 4291, 2.4)."""


def outward(where: Prefix, version: Version) -> bool:
    """Whether a prefix has addresses of the internet in it."""
    root = _ROOT[version]
    near = _within(where, root) or _within(root, where)
    return near and not any(_within(where, each) for each in _SPECIAL[version])


def is_outward(text: str) -> bool:
    """Whether hosts of the internet may have an address, or some of a block."""
    version = version_of(text)
    cidr = text if "/" in text else f"{text}/{_WIDTH[version]}"
    return outward(prefix(cidr, version), version)


class Cuts(NamedTuple):
    """The prefixes that rules and routes name, and those among them that are the network's own
    addresses, which nobody outside has."""

    named: set[Prefix]
    own: set[Prefix]


def around(states: Iterable[State], port: str) -> Cuts:
    """What a packet between an interface and the internet may meet in any of some states: what its
    host's and its subnet's rules and routes name, and those of what hides it or passes its packets
    on, transit gateways too."""
    cuts = Cuts(set(), set())
    for state in states:
        seen: set[str] = set()
        wanted = [port]
        while wanted:
            key = wanted.pop()
            if key in seen:
                continue
            seen.add(key)
            if (station := state.ports.get(key)) is not None:
                cuts.named.update(_named(state, station))
                cuts.own.update(_own(state, station.place.router))
                wanted += _routes(state.routes_of(station.place.id), cuts)
                wanted += (each.id for each in state.of_host[station.host])
            elif key in state.branches or key in state.transit_links:
                wanted += _through(state, key, cuts)
    return cuts


def _through(state: State, attachment: str, cuts: Cuts) -> Iterator[str]:
    """Add what a packet may meet that goes by an attachment or a peering of transit gateways, or
    comes by it; where it may go on."""
    branch = state.branches.get(attachment)
    for transit in state.transit_links.get(attachment) or (branch.transit if branch else "",):
        yield from _routes(state.ways(state.branch_tables.get((attachment, transit))), cuts)
    cuts.own.update(_own(state, branch.router) if branch else ())
    for foot in state.feet.get(attachment, {}).values():
        cuts.named.update(_lines(state, foot.router, (foot.filter_in, foot.filter_out)))
        yield from _routes(state.ways(foot.table), cuts)


def routed(state: State, place: str) -> Cuts:
    """What the routes of a segment name."""
    own = state.places[place].router if place in state.places else ""
    named = {(mask, base) for mask, base, _ in state.routes_of(place)}
    return Cuts(named, set(_own(state, own)))


def _own(state: State, router: str) -> Iterable[Prefix]:
    """A router's own addresses; over IPv6 those of all, for no two have the same."""
    if state.version == 4:
        return state.ranges.get(router, ())
    return (block for blocks in state.ranges.values() for block in blocks)


def _routes(routes: Iterable[tuple[int, int, Target]], cuts: Cuts) -> Iterator[str]:
    """Add what routes name; the ports and attachments that they lead to."""
    for mask, base, target in routes:
        cuts.named.add((mask, base))
        if isinstance(target, ViaPort):
            yield target.port
        elif isinstance(target, ViaTransit | ViaAttachment):
            yield target.attachment
        elif isinstance(target, ViaTransitPeering):
            yield target.peering


def _named(state: State, station: Station) -> Iterator[Prefix]:
    """What the filters of a port and its subnet name."""
    limits, place = state.limits.get(station.id), station.place
    yield from _lines(state, place.router, state.acls.get(place.id, ()))
    if limits:
        yield from _lines(state, place.router, (limits.filter_in, limits.filter_out))


def _lines(state: State, router: str, keys: Iterable[str | None]) -> Iterator[Prefix]:
    for key in filter(None, keys):
        lines = state.screens[router, key].lines
        yield from ((line.mask, line.base) for line in lines if line.group is None)


@dataclass(frozen=True, slots=True)
class Piece:
    """A block without the smaller pieces in it; ``parent`` is the piece that it is cut out of,
    ``free`` an address of it that nobody has, ``size`` how many addresses it has.  Only ``meant``
    ones are in the part asked about."""

    where: Prefix
    parent: Prefix | None
    free: int
    size: int
    meant: bool


class Internet:
    """A part of the internet, cut by prefixes, as it is in some states of one IP version.

    Hosts that a program has are not in it: they are ends of their own.  The piece that the address
    ``usual`` is in goes by that.
    """

    def __init__(
        self, states: Sequence[State], cuts: Cuts, usual: int, within: Part = _WHOLE
    ) -> None:
        self._states, self._usual, self.version = states, usual, states[0].version
        self._within = tuple(
            (prefix(cidr, self.version), meant)
            for cidrs, meant in ((within.blocks, True), (within.but, False))
            for cidr in cidrs
        )
        self._void = {*_SPECIAL[self.version], *cuts.own}
        named = {*cuts.named, *(where for where, _ in self._within)} - {NOWHERE}
        self._pieces = list(self._cut({each for each in named if outward(each, self.version)}))

    @property
    def pieces(self) -> list[Piece]:
        """The pieces of the part, the one with everything else first."""
        return [piece for piece in self._pieces if piece.meant]

    def nodes(self) -> list[Node]:
        """The pieces as ends of ways."""
        return [self.node([piece]) for piece in self.pieces]

    def node(self, chosen: Collection[Piece]) -> Node:
        """Pieces as one end; its address is of one of them, so they should be alike."""
        found = self._part({piece.where for piece in chosen})
        ip = spelled(next(iter(chosen)).free, self.version)
        return Node("internet", str(found), ip, found)

    def _part(self, wanted: set[Prefix]) -> Part:
        """Some of the pieces in words: of nested blocks only those that differ from the outer."""
        blocks: list[Prefix] = []
        but: list[Prefix] = []
        for piece in self._pieces:
            if (piece.where in wanted) != (piece.parent in wanted):
                (blocks if piece.where in wanted else but).append(piece.where)
        if blocks == [_ROOT[self.version]]:
            blocks = []
        shown = (tuple(spell(each, self.version) for each in some) for some in (blocks, but))
        return Part(*shown)

    # --- cutting -------------------------------------------------------------------------------
    def _cut(self, named: set[Prefix]) -> Iterator[Piece]:
        """The pieces, each before those that are cut out of it."""
        root = _ROOT[self.version]
        blocks = [each for each in {root, *named, *self._void} if _within(each, root)]
        parents = _nested(blocks)
        holes: dict[Prefix | None, list[Prefix]] = defaultdict(list)
        for each, parent in parents.items():
            holes[parent].append(each)
        void: set[Prefix | None] = set()
        outer: dict[Prefix | None, Prefix | None] = {None: None}
        for each, parent in parents.items():
            outer[each] = outer[parent]
            if each in self._void or parent in void:
                void.add(each)
            elif (free := self._free(each, holes[each])) is not None:
                size = self._size(each) - sum(map(self._size, holes[each]))
                yield Piece(each, outer[parent], free, size, self._meant(each))
                outer[each] = each

    def _size(self, where: Prefix) -> int:
        return (1 << _WIDTH[self.version]) - where[0]

    def _meant(self, where: Prefix) -> bool:
        """Whether the part has a block: the longest that it is in says so."""
        around = [(block[0], meant) for block, meant in self._within if _within(where, block)]
        if around:
            return max(around)[1]
        return not any(meant for _, meant in self._within)  # then it is all but some

    def _free(self, where: Prefix, holes: list[Prefix]) -> int | None:
        """An address of a block that nobody has, and that is in none of the holes."""
        mask, start = where
        all_ones = (1 << _WIDTH[self.version]) - 1
        end = start | (mask ^ all_ones)
        usual = self._usual
        inside = usual & mask == start and not any(usual & hole == base for hole, base in holes)
        if inside and self._nobodys(usual):
            return usual
        for hole, base in [*holes, (0, end + 1)]:
            if start < base:
                found = self._first(start, base - 1)
                if found is not None:
                    return found
            start = (base | (hole ^ all_ones)) + 1
        return None

    def _first(self, start: int, end: int) -> int | None:
        ip = start + (start < end)  # a block's own first address looks like no host's
        while ip <= end and not self._nobodys(ip):
            ip = max(_taken_to(state, ip) for state in self._states)
        return ip if ip <= end else None

    def _nobodys(self, ip: int) -> bool:
        return not any(_taken_to(state, ip) for state in self._states)


def _taken_to(state: State, ip: int) -> int:
    """The address after those that somebody has, beginning with this; 0 if nobody has it."""
    if ip in state.public or ip in state.internet:
        return ip + 1
    home = state.homes.find(ip)
    return (home.base | ~home.mask & (1 << 128) - 1) + 1 if home else 0


def _nested(blocks: Iterable[Prefix]) -> dict[Prefix, Prefix | None]:
    """Each block with the smallest that it is in; the outer ones come before the inner ones."""
    around: list[Prefix] = []
    parents: dict[Prefix, Prefix | None] = {}
    for each in sorted(blocks, key=lambda block: (block[1], block[0])):
        while around and not _within(each, around[-1]):
            around.pop()
        parents[each] = around[-1] if around else None
        around.append(each)
    return parents


def _within(inner: Prefix, outer: Prefix) -> bool:
    return inner[0] >= outer[0] and inner[1] & outer[0] == outer[1]
