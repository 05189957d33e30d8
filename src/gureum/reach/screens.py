"""Filters as sets of headers: what a security group or a network ACL lets pass for one peer.

Nothing is multiplied out: a filter is its rules in order, a rule knows the points of the header
line that it is about (:mod:`gureum.reach.line`) and whom it is about.  So a set of groups that only
one interface has costs what its rules cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from gureum.program import Filter, Rule
from gureum.reach.headers import HEADERS
from gureum.reach.line import WHOLE, Ranges, intersection, union, without
from gureum.reach.prefixes import Version, prefix, version_of

_KEPT = 256

Members: TypeAlias = Mapping[tuple[str, str], Set[int]]
"""The addresses of each router's groups."""


class Line(NamedTuple):
    """A rule: ``group`` is the group whose members are meant, None where it is a prefix."""

    why: str
    allow: bool
    ranges: Ranges
    group: str | None
    mask: int
    base: int


@lru_cache(maxsize=1 << 16)
def line_of(rule: Rule, version: Version) -> Line | None:
    """A rule as points, None if it is about the other IP version; equal rules share one."""
    ranges = HEADERS[version].of_rule(rule)
    if "/" not in rule.peer:
        return Line(rule.why, rule.allow, ranges, rule.peer, 0, 0)
    if version_of(rule.peer) != version:
        return None
    return Line(rule.why, rule.allow, ranges, None, *prefix(rule.peer, version))


class Screen:
    """A filter, as one IP version sees it: ``stateful`` lets answers pass and takes the rules in
    any order."""

    __slots__ = ("_known", "default", "lines", "router", "stateful")

    def __init__(self, filter_: Filter, version: Version) -> None:
        self.router = filter_.router
        self.stateful = filter_.stateful
        self.default = filter_.default
        lines = (line_of(rule, version) for rule in filter_.rules)
        self.lines = tuple(line for line in lines if line is not None)
        self._known: dict[tuple[int, ...], Ranges] = {}

    def about(self, peer: int, members: Members) -> Iterator[Line]:
        """The lines that are about a peer."""
        for each in self.lines:
            if each.group is None:
                if peer & each.mask == each.base:
                    yield each
            elif peer in members.get((self.router, each.group), ()):
                yield each

    def admits(self, where: int, peer: int, members: Members) -> bool:
        """Whether the header of a point passes, from or to a peer."""
        # The same as passing() says, without a generator: this is what a point query spends on.
        router = self.router
        for _, allow, ranges, group, mask, base in self.lines:
            for first, last in ranges:
                if first <= where <= last:
                    break
            else:
                continue
            if group is None:
                if peer & mask == base:
                    return allow
            elif peer in members.get((router, group), ()):
                return allow
        return False

    def admitting(self, within: Ranges, peer: int, members: Members) -> Iterator[Line]:
        """The rules that admit any header of a set: of an ACL the first for each header."""
        for each in self.about(peer, members):
            if each.allow and intersection(within, each.ranges):
                yield each
            if not self.stateful:
                within = without(within, each.ranges)

    def passing(self, within: Ranges, peer: int, members: Members) -> Ranges:
        """Which headers of a set pass, from or to a peer."""
        return intersection(within, self.admitted(peer, members))

    def admitted(self, peer: int, members: Members) -> Ranges:
        """All headers that pass, from or to a peer.  Peers that the same lines are about share what
        was worked out; ``_KEPT`` such sets are remembered."""
        places = self._about(peer, members)
        known = self._known.get(places)
        if known is None:
            if len(self._known) == _KEPT:
                self._known.clear()
            known = self._known[places] = self._let([self.lines[place] for place in places])
        return known

    def _about(self, peer: int, members: Members) -> tuple[int, ...]:
        """The places of the lines that are about a peer."""
        found, router = [], self.router
        for place, (_, _, _, group, mask, base) in enumerate(self.lines):
            if group is None:
                if peer & mask == base:
                    found.append(place)
            elif peer in members.get((router, group), ()):
                found.append(place)
        return tuple(found)

    def _let(self, lines: list[Line]) -> Ranges:
        """What some lines let pass: of groups what any does, of an ACL what the first one does that
        is about a header."""
        if self.stateful:
            return union(item for line in lines for item in line.ranges)
        found: list[tuple[int, int]] = []
        within = WHOLE
        for each in lines:
            part = intersection(within, each.ranges)
            if each.allow:
                found += part
            within = without(within, part)
        return union(found)

    def cuts(self) -> set[int]:
        """The points at which what the filter lets pass may change."""
        return {
            cut for each in self.lines for first, last in each.ranges for cut in (first, last + 1)
        }


def atoms(within: Ranges, screens: Iterable[Screen]) -> list[int]:
    """A point of each part of a set that no rule of the filters tells apart."""
    cuts = sorted(set().union(*(screen.cuts() for screen in screens)))
    return [
        start
        for first, last in within
        for start in (first, *(cut for cut in cuts if first < cut <= last))
    ]
