"""What a way lets through: verdicts of one header, spans of all, and the rules behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gureum.explain.packet import ICMP, TCP, UDP
from gureum.reach.line import (
    ALL,
    BASE,
    END,
    NEVER_FIRST,
    OTHERS,
    PORTLESS,
    PORTS,
    WHOLE,
    Range,
    Ranges,
    answers,
    client_ports,
    holds,
    intersection,
    protocol_at,
    turned,
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


_TRANSLATED = without(((0, OTHERS - 1),), NEVER_FIRST)
"""What a NAT gateway carries."""
NONE = Verdict("none")
ALL_ALIKE = Verdict("all")


@dataclass(frozen=True, slots=True)
class Span:
    """Headers next to each other that work alike.

    ``first`` and ``last`` are target ports of TCP (6) and UDP (17), type x 256 + code of ICMP (1);
    where ``protocol`` is None they are the numbers of other protocols.
    """

    protocol: int | None
    first: int
    last: int
    verdict: Verdict


def verdict(way: Way | None, where: int, members: Members) -> Verdict:
    """The verdict of one header."""
    if way is None or (way.translated and not holds(_TRANSLATED, where)):
        return NONE
    for screen, peer, scope in way.forth:
        asked = scope is WHOLE or holds(scope, where)
        if asked and not screen.admits(where, peer, members):
            return NONE
    if where >= PORTLESS:
        return ALL_ALIKE if _answered(way, answers(where), members) else NONE
    return _from_clients(way, client_ports(where), members)


def _answered(way: Way, within: Ranges, members: Members) -> Ranges:
    """Which answers of a set come back."""
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


def spans(way: Way | None, members: Members) -> tuple[Span, ...]:
    """The headers that work: as few spans as there can be, in the order of the line."""
    if way is None:
        return ()
    found = _TRANSLATED if way.translated else ALL
    for check in way.forth:
        found = _passing(check, found, members)
    made: list[Span] = []
    for protocol in (TCP, UDP):
        base = BASE[protocol]
        ports = intersection(found, ((base, base + PORTS - 1),))
        known = _from_clients(way, client_ports(base), members) if ports else NONE
        if known.works:
            made += _spans(protocol, base, ports, known)
    icmp = intersection(found, ((BASE[ICMP], OTHERS - 1),))
    made += _spans(ICMP, BASE[ICMP], _icmp(way, icmp, members), ALL_ALIKE)
    others = intersection(found, ((OTHERS, END - 1),))
    return (*made, *_spans(None, OTHERS, _answered(way, others, members), ALL_ALIKE))


def _icmp(way: Way, asked: Ranges, members: Members) -> Ranges:
    """The ICMP headers of a set whose answers come back."""
    return turned(_answered(way, turned(asked), members))


def _spans(protocol: int | None, base: int, ranges: Ranges, known: Verdict) -> Iterable[Span]:
    return (Span(protocol, first - base, last - base, known) for first, last in ranges)


def why(way: Way | None, where: int, members: Members) -> tuple[str, ...]:
    """The ids of the rules that admit a header on its way and its answers back, in the order of
    the filters that are met; of groups every rule that does.  Empty where it does not work."""
    known = verdict(way, where, members)
    if way is None or not known.works:
        return ()
    base = BASE.get(protocol_at(where), 0)
    clients = tuple((base + first, base + last) for first, last in known.clients)
    legs = ((way.forth, ((where, where),)), (way.back, clients or answers(where)))
    found: dict[str, None] = {}
    for checks, headers in legs:
        for screen, peer, scope in checks:
            asked = intersection(headers, scope)
            found.update((each.why, None) for each in screen.admitting(asked, peer, members))
    return tuple(found)
