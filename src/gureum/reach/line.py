"""All headers as points of one line, and sets of them as ascending ranges.

TCP's and UDP's target ports, ICMP's types and codes and the other protocols' numbers lie one after
the other, so that what a rule admits is a few ranges and sets of headers are merged as intervals.
A range is an inclusive pair of points; a set is ranges that neither overlap nor touch.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from gureum.explain.packet import ICMP, TCP, UDP, ephemeral
from gureum.program import Rule

Range: TypeAlias = tuple[int, int]
Ranges: TypeAlias = tuple[Range, ...]
Detail: TypeAlias = int | tuple[int, int] | None

PORTS = 65536
BASE = {TCP: 0, UDP: PORTS, ICMP: 2 * PORTS}
"""Where the ports of TCP and UDP and the types of ICMP (type x 256 + code) begin."""
PORTLESS = BASE[ICMP]
"""Where the protocols without ports begin."""
OTHERS = 3 * PORTS
END = OTHERS + 256
QUERIES = {8: 0, 13: 14, 15: 16, 17: 18}
"""ICMP's types of queries and their answers (RFC 792, RFC 950)."""


def point(protocol: int, detail: Detail = None) -> int:
    """The point of a header: ``detail`` is the target port (TCP, UDP), the type and code (ICMP).

    Raises ``ValueError`` where the detail is not the protocol's or is out of its range.
    """
    base = BASE.get(protocol)
    if base is None:
        if detail is not None or not 0 <= protocol <= 255:
            raise ValueError(f"protocol {protocol} with {detail}")
        return OTHERS + protocol
    if isinstance(detail, tuple):
        if protocol == ICMP and all(0 <= part <= 255 for part in detail):
            return base + detail[0] * 256 + detail[1]
    elif protocol != ICMP and detail is not None and 0 <= detail < PORTS:
        return base + detail
    raise ValueError(f"protocol {protocol} with {detail}")


def protocol_at(where: int) -> int:
    """The protocol of a point."""
    return (TCP, UDP, ICMP)[where // PORTS] if where < OTHERS else where - OTHERS


def answers(where: int) -> Ranges:
    """The headers that the answers to a header may have.

    TCP and UDP answer to the client's port, any of Linux's (ip(7), ip_local_port_range); ICMP's
    queries have types of answers (RFC 792); whatever else has no ports is answered by its like.
    """
    if where < PORTLESS:
        return (client_ports(where),)
    return turned(((where, where),))


def client_ports(where: int) -> Range:
    """The client ports of a TCP or UDP point's protocol, as points."""
    base = where // PORTS * PORTS
    return base + ephemeral.start, base + ephemeral.stop - 1


def holds(ranges: Ranges, where: int) -> bool:
    """Whether a point is in a set."""
    return any(first <= where <= last for first, last in ranges)


def union(ranges: Iterable[Range]) -> Ranges:
    """The set of what is in any of some ranges, in whatever order."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def intersection(left: Ranges, right: Ranges) -> Ranges:
    """The set of what is in both."""
    found: list[Range] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            found.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def without(left: Ranges, right: Ranges) -> Ranges:
    """The set of what is in the left and not in the right."""
    gaps: list[Range] = []
    begin = 0
    for first, last in right:
        if begin < first:
            gaps.append((begin, first - 1))
        begin = last + 1
    if begin < END:
        gaps.append((begin, END - 1))
    return intersection(left, tuple(gaps))


def _types(types: Iterable[int]) -> Ranges:
    return union((PORTLESS + each * 256, PORTLESS + each * 256 + 255) for each in types)


NEVER_FIRST = _types(QUERIES.values())
"""ICMP's answers: they begin no flow."""
WHOLE: Ranges = ((0, END - 1),)
"""The line."""
PAIRED: Ranges = union(((0, PORTLESS - 1), *_types(QUERIES), *NEVER_FIRST))
"""Headers that differ from those of their answers, so that connection tracking, which knows a flow
by these and the addresses, does not take one for the other (Linux, nf_conntrack_proto_icmp.c)."""
ALIKE: Ranges = without(WHOLE, PAIRED)
"""Headers whose answers look the same."""
_TURNS = QUERIES | {answer: query for query, answer in QUERIES.items()}


def turned(ranges: Ranges) -> Ranges:
    """The headers of the answers to a set, ports aside."""
    found = [*without(ranges, _types(_TURNS))]
    for kind, other in _TURNS.items():
        step = (other - kind) * 256
        pieces = intersection(ranges, _types((kind,)))
        found += ((first + step, last + step) for first, last in pieces)
    return union(found)


@lru_cache(maxsize=1 << 16)
def admitted(protocol: int | None, ports: Range | None, icmp: Range | None) -> Ranges:
    """The headers that a rule's protocol, ports and ICMP type are about."""
    found: list[Range] = []
    for number, base in BASE.items():
        if protocol not in (None, number):
            continue
        first, last = 0, PORTS - 1
        if number != ICMP and ports is not None:
            first, last = ports
        elif number == ICMP and icmp is not None and icmp[0] >= 0:
            kind, code = icmp
            first, last = (kind * 256, kind * 256 + 255) if code < 0 else (kind * 256 + code,) * 2
        found.append((base + first, base + last))
    if protocol is None:
        # The numbers of TCP, UDP and ICMP have no point of their own among the others.
        found += [(OTHERS + first, OTHERS + last) for first, last in _UNNAMED]
    elif protocol not in BASE:
        found.append((OTHERS + protocol,) * 2)
    return union(found)


_UNNAMED = ((0, ICMP - 1), (ICMP + 1, TCP - 1), (TCP + 1, UDP - 1), (UDP + 1, 255))
ALL: Ranges = admitted(None, None, None)
"""Every header that there is."""


def of_rule(rule: Rule) -> Ranges:
    """The headers that a rule is about, whoever the peer is."""
    return admitted(rule.protocol, rule.ports, rule.icmp)
