"""Holds statements against reachability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gureum.explain.packet import ICMP, TCP, UDP
from gureum.policy.language import Exit, Policy, Range, Selector, Services, Statement
from gureum.reach import Node, Reach, Span

ALL: Services = ((TCP, 0, 65535), (UDP, 0, 65535), (ICMP, 0, 65535), (None, 0, 255))
"""All headers as spans have them: of ICMP type x 256 + code, of None other protocols' numbers."""


@dataclass(frozen=True)
class Finding:
    """What does not hold, between whom: ``protocol``, ``first`` and ``last`` are headers as in
    :class:`gureum.reach.Span`; ``by`` are the rules that admit what should not be."""

    what: Literal["reaches", "does not reach", "leaves"]
    source: Node | str
    target: Node | str
    protocol: int | None = None
    first: int = 0
    last: int = 0
    by: tuple[str, ...] = ()


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
"""The nodes that a selector means now."""

Addresses = Callable[[Node], Sequence[Node]]
"""A node once more for each of its secondary addresses: an interface may be reached, and may send,
by any of its addresses, and each may have a public one (EC2 User Guide, "Secondary IP addresses").
"""

Exits = Callable[[Selector], Sequence[tuple[str, Exit]]]
"""The subnets that a selector means, and by what each leaves for the internet."""


def check(
    policy: Policy, reach: Reach, resolve: Resolve, addresses: Addresses, exits: Exits
) -> Iterator[Result]:
    """Each statement's result, one after the other.

    What must never be is looked for at all addresses; what must always be, at the primary ones,
    which are those that names stand for.
    """
    for statement in policy:
        if statement.leave_by is not None:
            yield _ways_out(statement, statement.leave_by, exits)
        else:
            yield _reachability(statement, reach, resolve, addresses)


def _ways_out(statement: Statement, wanted: Exit, exits: Exits) -> Result:
    found = {each: exits(each) for each in statement.subnets}
    subnets = dict(item for items in found.values() for item in items)
    wrong = (
        Finding("leaves", subnet, by) for subnet, by in sorted(subnets.items()) if by != wanted
    )
    return Result(statement, len(subnets), tuple(wrong), _empty(statement, found))


def _empty(
    statement: Statement, found: Mapping[Selector, Sequence[object]]
) -> tuple[Selector, ...]:
    if statement.allow_empty:
        return ()
    return tuple(each for each, items in found.items() if not items)


def _reachability(
    statement: Statement, reach: Reach, resolve: Resolve, addresses: Addresses
) -> Result:
    found = {each: resolve(each) for each in (*statement.source, *statement.target)}
    sources = dict.fromkeys(node for each in statement.source for node in found[each])
    targets = dict.fromkeys(node for each in statement.target for node in found[each])
    findings: list[Finding] = []
    pairs = 0
    for source in sources:
        for target in targets:
            if source != target and "port" in (source.kind, target.kind):
                pairs += 1
                findings += _pair(statement, reach, source, target)
                for other in _secondary(source, target, addresses):
                    findings += _wrongly(statement, reach, *other)
    return Result(statement, pairs, tuple(findings), _empty(statement, found))


def _secondary(source: Node, target: Node, addresses: Addresses) -> Iterator[tuple[Node, Node]]:
    """The pair by every other choice of addresses."""
    for begins in (source, *addresses(source)):
        for called in (target, *addresses(target)):
            if (begins, called) != (source, target):
                yield begins, called


def _pair(statement: Statement, reach: Reach, source: Node, target: Node) -> Iterator[Finding]:
    yield from _wrongly(statement, reach, source, target)
    if statement.always is not None:
        works = _ranges(reach.spans(source, target))
        for protocol, first, last in _without(_meant(statement.always), works):
            yield Finding("does not reach", source, target, protocol, first, last)


def _wrongly(statement: Statement, reach: Reach, source: Node, target: Node) -> Iterator[Finding]:
    """What gets through and should not."""
    never = _meant(statement.never) if statement.never is not None else ()
    if statement.only is not None:
        never = (*never, *_without(ALL, _meant(statement.only)))
    if not never:
        return
    works = _ranges(reach.spans(source, target))
    for each in _union(_common(works, never)):
        yield _reaches(reach, source, target, each)


def _reaches(reach: Reach, source: Node, target: Node, what: Range) -> Finding:
    protocol, first, last = what
    number = first if protocol is None else protocol
    detail = None if protocol is None else divmod(first, 256) if protocol == ICMP else first
    by = reach.why(source, target, number, detail)
    return Finding("reaches", source, target, protocol, first, last, by)


# --- sets of headers ----------------------------------------------------------------------------
def _meant(services: Services) -> Services:
    return ALL if any(protocol is None for protocol, _, _ in services) else services


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
