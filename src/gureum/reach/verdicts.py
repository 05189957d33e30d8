"""What a way lets through: verdicts of one header, spans of all, and the rules behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gureum.explain.packet import TCP, UDP
from gureum.reach.headers import Headers
from gureum.reach.line import (
    END,
    OTHERS,
    PORTLESS,
    PORTS,
    WHOLE,
    Range,
    Ranges,
    client_ports,
    holds,
    intersection,
    union,
    without,
)
from gureum.reach.screens import Members
from gureum.reach.way import Check, Way

Extent = Literal["all", "some", "none"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """From how many client ports a header's exchange works, and from which (ip(7)'s ephemeral
    32768-60999).  Protocols without ports work from all or none, and ``clients`` is empty."""

    extent: Extent
    clients: tuple[Range, ...] = ()

    @property
    def works(self) -> bool:
        """Whether the exchange works from some client port at least."""
        return self.extent != "none"


NONE = Verdict("none")
ALL_ALIKE = Verdict("all")


@dataclass(frozen=True, slots=True)
class Span:
    """Headers next to each other that work alike.

    ``first`` and ``last`` are target ports of TCP (6) and UDP (17), type x 256 + code of ICMP (1,
    of IPv6 58); where ``protocol`` is None they are the numbers of other protocols.
    """

    protocol: int | None
    first: int
    last: int
    verdict: Verdict


def verdict(headers: Headers, way: Way | None, where: int, members: Members) -> Verdict:
    """The verdict of one header."""
    if way is None or (way.carried is not WHOLE and not holds(way.carried, where)):
        return NONE
    for screen, peer, scope in way.forth:
        asked = scope is WHOLE or holds(scope, where)
        if asked and not screen.admits(where, peer, members):
            return NONE
    if where >= PORTLESS:
        return ALL_ALIKE if _answered(way, headers.answers(where), members) else NONE
    return _from_clients(way, client_ports(where), members)


def _answered(way: Way, within: Ranges, members: Members) -> Ranges:
    """Which answers of a set come back."""
    if way.returned is not WHOLE:
        within = intersection(within, way.returned)
    for check in way.back:
        within = _passing(check, within, members)
    return within


def _passing(check: Check, within: Ranges, members: Members) -> Ranges:
    """Which headers of a set a filter lets pass or is not asked about."""
    if check.scope is WHOLE:
        return check.screen.passing(within, check.peer, members)
    passed = check.screen.passing(intersection(within, check.scope), check.peer, members)
    return union((*passed, *without(within, check.scope)))


def _from_clients(way: Way, whole: Range, members: Members) -> Verdict:
    found = _answered(way, (whole,), members)
    if not found:
        return NONE
    base = whole[0] // PORTS * PORTS
    clients = tuple((first - base, last - base) for first, last in found)
    return Verdict("all" if found == (whole,) else "some", clients)


def spans(headers: Headers, way: Way | None, members: Members) -> tuple[Span, ...]:
    """The headers that work: as few spans as there can be, in the order of the line."""
    if way is None:
        return ()
    found = intersection(headers.all, way.carried)
    for check in way.forth:
        found = _passing(check, found, members)
    made: list[Span] = []
    for base, protocol in ((0, TCP), (PORTS, UDP)):
        ports = intersection(found, ((base, base + PORTS - 1),))
        known = _from_clients(way, client_ports(base), members) if ports else NONE
        if known.works:
            made += _spans(protocol, base, ports, known)
    asked = headers.turned(intersection(found, ((PORTLESS, OTHERS - 1),)))
    icmp = headers.turned(_answered(way, asked, members))
    made += _spans(headers.icmp, PORTLESS, icmp, ALL_ALIKE)
    others = intersection(found, ((OTHERS, END - 1),))
    return (*made, *_spans(None, OTHERS, _answered(way, others, members), ALL_ALIKE))


def _spans(protocol: int | None, base: int, ranges: Ranges, known: Verdict) -> Iterable[Span]:
    return (Span(protocol, first - base, last - base, known) for first, last in ranges)


def why(headers: Headers, way: Way | None, where: int, members: Members) -> tuple[str, ...]:
    """The ids of the rules that admit a header on its way and its answers back, in the order of
    the filters that are met; of groups every rule that does.  Empty where it does not work."""
    known = verdict(headers, way, where, members)
    if way is None or not known.works:
        return ()
    base = where // PORTS * PORTS
    clients = tuple((base + first, base + last) for first, last in known.clients)
    legs = ((way.forth, ((where, where),)), (way.back, clients or headers.answers(where)))
    found: dict[str, None] = {}
    for checks, within in legs:
        for screen, peer, scope in checks:
            asked = intersection(within, scope)
            found.update((each.why, None) for each in screen.admitting(asked, peer, members))
    return tuple(found)
