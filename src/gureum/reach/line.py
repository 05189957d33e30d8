"""All headers as points of one line, and sets of them as ascending ranges.

TCP's and UDP's target ports, ICMP's types and codes and the other protocols' numbers lie one after
the other, so that what a rule admits is a few ranges and sets of headers are merged as intervals.
A range is an inclusive pair of points; a set is ranges that neither overlap nor touch.  Which point
a header has depends on the IP version a little (:mod:`gureum.reach.headers`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from gureum.explain.packet import ephemeral

Range: TypeAlias = tuple[int, int]
Ranges: TypeAlias = tuple[Range, ...]

PORTS = 65536
PORTLESS = 2 * PORTS
"""Where ICMP's types begin, and with them what has no ports; before it are TCP's and UDP's."""
OTHERS = 3 * PORTS
END = OTHERS + 256
WHOLE: Ranges = ((0, END - 1),)
"""The line."""


def client_ports(where: int) -> Range:
    """The client ports of a TCP or UDP point's protocol, as points: any of Linux's (ip(7),
    ip_local_port_range)."""
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
