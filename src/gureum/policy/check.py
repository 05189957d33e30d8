"""Holds statements against reachability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gureum.explain.packet import ICMP, ICMPV6, TCP, UDP
from gureum.policy.language import Exit, Policy, Range, Selector, Services, Statement, Version
from gureum.reach import Dual, Node, Piece, Reach, Span

ALL: Services = ((TCP, 0, 65535), (UDP, 0, 65535), (ICMP, 0, 65535), (None, 0, 255))
"""All headers as spans have them: of ICMP type x 256 + code, of None other protocols' numbers."""

What = Literal["reaches", "does not reach", "leaves"]

_ONLY_OUT = "egress-only-internet-gateway"


@dataclass(frozen=True)
class Finding:
    """What does not hold, between whom and over which IP version: ``protocol``, ``first`` and
    ``last`` are headers as in :class:`gureum.reach.Span`; ``by`` are the rules that admit what
    should not be."""

    what: What
    source: Node | str
    target: Node | str
    protocol: int | None = None
    first: int = 0
    last: int = 0
    by: tuple[str, ...] = ()
    version: Version = 4


@dataclass(frozen=True)
class Result:
    """A statement and what does not hold of it.  ``empty`` are selectors that mean nobody, where
    that is not allowed: a statement about nobody would hold whatever happens."""

    statement: Statement
    pairs: int
    findings: tuple[Finding, ...] = ()
    empty: tuple[Selector, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the statement is true, and says something."""
        return not self.findings and not self.empty


Resolve = Callable[[Selector], Sequence[Node]]
"""The nodes that a selector means now, in both IP versions."""

Addresses = Callable[[Node], Sequence[Node]]
"""A node once more for each of its secondary addresses: an interface may be reached, and may send,
by any of its addresses, and each may have a public one (EC2 User Guide, "Secondary IP addresses").
"""

Exits = Callable[[Selector, Version], Sequence[tuple[str, Exit]]]
"""The subnets of an IP version that a selector means, and by what each leaves for the internet."""


def check(
    policy: Policy, reach: Dual, resolve: Resolve, addresses: Addresses, exits: Exits
) -> Iterator[Result]:
    """Each statement's result, one after the other.

    What must never be is looked for at all addresses; what must always be, at the primary ones,
    which are those that names stand for.
    """
    for statement in policy:
        if statement.leave_by:
            yield _ways_out(statement, exits)
        else:
            yield _reachability(statement, reach, resolve, addresses)


def _ways_out(statement: Statement, exits: Exits) -> Result:
    found: dict[Selector, list[tuple[str, Version, Exit]]] = {
        each: [
            (subnet, version, by)
            for version in statement.versions
            for subnet, by in exits(each, version)
        ]
        for each in statement.subnets
    }
    subnets = dict.fromkeys(item for items in found.values() for item in items)
    wrong = (
        Finding("leaves", subnet, by, version=version)
        for subnet, version, by in sorted(subnets)
        if not _may_leave(by, statement.leave_by)
    )
    pairs = {subnet for subnet, _, _ in subnets}
    return Result(statement, len(pairs), tuple(wrong), _empty(statement, found))


def _may_leave(by: Exit, wanted: tuple[Exit, ...]) -> bool:
    """What lets IPv6 only out, as IPv6, is an egress-only gateway and no NAT gateway (VPC User
    Guide, "Enable outbound IPv6 traffic using an egress-only internet gateway")."""
    return by in wanted or (by == _ONLY_OUT and "nat" in wanted)


def _empty(
    statement: Statement, found: Mapping[Selector, Sequence[object]]
) -> tuple[Selector, ...]:
    if statement.allow_empty:
        return ()
    return tuple(each for each, items in found.items() if not items)


def _reachability(
    statement: Statement, both: Dual, resolve: Resolve, addresses: Addresses
) -> Result:
    found = {
        each: [node for node in resolve(each) if node.version in statement.versions]
        for each in (*statement.source, *statement.target)
    }
    sources = dict.fromkeys(node for each in statement.source for node in found[each])
    targets = dict.fromkeys(node for each in statement.target for node in found[each])
    findings: list[Finding] = []
    pairs = 0
    for source in sources:
        for target in targets:
            if _is_pair(source, target):
                pairs += 1
                reach = both.of(source)
                findings += _alike(statement, reach, source, target)
                for other in _secondary(source, target, addresses):
                    findings += _wrongly(statement, reach, *other)
    return Result(statement, pairs, tuple(findings), _empty(statement, found))


def _is_pair(source: Node, target: Node) -> bool:
    """Whether packets may go between two nodes, and are ours."""
    ours = "port" in (source.kind, target.kind)
    return source != target and source.version == target.version and ours


def _secondary(source: Node, target: Node, addresses: Addresses) -> Iterator[tuple[Node, Node]]:
    """The pair by every other choice of addresses."""
    for begins in (source, *addresses(source)):
        for called in (target, *addresses(target)):
            if (begins, called) != (source, target):
                yield begins, called


def _alike(statement: Statement, reach: Reach, source: Node, target: Node) -> Iterator[Finding]:
    """What does not hold between two; of the internet, the pieces for which the same does not are
    told as one."""
    outward = target.part is not None
    part = target.part if outward else source.part
    if part is None:
        yield from _pair(statement, reach, source, target)
        return
    outside = reach.internet((source if outward else target).id, part)
    found: dict[tuple[What, int | None, int, int], tuple[list[Piece], dict[str, None]]] = {}
    for piece in outside.pieces:
        stranger = outside.node([piece])
        ends = (source, stranger) if outward else (stranger, target)
        for each in _pair(statement, reach, *ends):
            key = (each.what, each.protocol, each.first, each.last)
            pieces, by = found.setdefault(key, ([], {}))
            pieces.append(piece)
            by.update(dict.fromkeys(each.by))
    for (what, protocol, first, last), (pieces, by) in found.items():
        stranger = outside.node(pieces)
        ends = (source, stranger) if outward else (stranger, target)
        yield Finding(what, *ends, protocol, first, last, tuple(by), source.version)


def _pair(statement: Statement, reach: Reach, source: Node, target: Node) -> Iterator[Finding]:
    yield from _wrongly(statement, reach, source, target)
    if statement.always is not None:
        works = _ranges(reach.spans(source, target))
        version = source.version
        for protocol, first, last in _without(_meant(statement.always, version), works):
            yield Finding("does not reach", source, target, protocol, first, last, version=version)


def _wrongly(statement: Statement, reach: Reach, source: Node, target: Node) -> Iterator[Finding]:
    """What gets through and should not."""
    version = source.version
    never = _meant(statement.never, version) if statement.never is not None else ()
    if statement.only is not None:
        everything = _of_version(ALL, version)
        never = (*never, *_without(everything, _meant(statement.only, version)))
    if not never:
        return
    works = _ranges(reach.spans(source, target))
    for each in _union(_common(works, never)):
        yield _reaches(reach, source, target, each)


def _reaches(reach: Reach, source: Node, target: Node, what: Range) -> Finding:
    protocol, first, last = what
    number = first if protocol is None else protocol
    icmp = protocol in (ICMP, ICMPV6)
    detail = None if protocol is None else divmod(first, 256) if icmp else first
    by = reach.why(source, target, number, detail)
    return Finding("reaches", source, target, protocol, first, last, by, source.version)


# --- sets of headers ----------------------------------------------------------------------------
def _meant(services: Services, version: Version) -> Services:
    every = any(protocol is None for protocol, _, _ in services)
    return _of_version(ALL if every else services, version)


def _of_version(services: Services, version: Version) -> Services:
    """Over IPv6, ICMP means ICMPv6."""
    if version == 4:
        return services
    return tuple(
        (ICMPV6 if protocol == ICMP else protocol, first, last)
        for protocol, first, last in services
    )


def _ranges(spans: Iterable[Span]) -> Services:
    return tuple((span.protocol, span.first, span.last) for span in spans)


def _common(some: Services, others: Services) -> list[Range]:
    return [
        (protocol, max(first, low), min(last, high))
        for protocol, first, last in some
        for other, low, high in others
        if protocol == other and max(first, low) <= min(last, high)
    ]


def _union(ranges: Iterable[Range]) -> Iterator[Range]:
    """The same headers as ranges that neither overlap nor touch."""
    ordered = sorted(ranges, key=lambda each: (each[0] is None, each[0] or 0, each[1]))
    current: Range | None = None
    for each in ordered:
        if current and current[0] == each[0] and each[1] <= current[2] + 1:
            current = (current[0], current[1], max(current[2], each[2]))
            continue
        if current:
            yield current
        current = each
    if current:
        yield current


def _without(ranges: Services, taken: Services) -> tuple[Range, ...]:
    left = list(ranges)
    for protocol, low, high in taken:
        left = [
            part
            for other, first, last in left
            for part in (
                [(other, first, last)]
                if other != protocol or last < low or high < first
                else [(other, first, low - 1), (other, high + 1, last)]
            )
            if part[1] <= part[2]
        ]
    return tuple(_union(left))
