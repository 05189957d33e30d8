"""The headers of an IP version as points of the line (:mod:`gureum.reach.line`).

The versions differ in their ICMP: in its protocol number, and in which of its types answer which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias

from gureum.explain.packet import ICMP, ICMPV6, TCP, UDP
from gureum.program import Rule
from gureum.reach.line import (
    OTHERS,
    PORTLESS,
    PORTS,
    WHOLE,
    Range,
    Ranges,
    client_ports,
    intersection,
    union,
    without,
)
from gureum.reach.prefixes import Version

Detail: TypeAlias = int | tuple[int, int] | None


class Headers:
    """Points and sets of one IP version.

    ``icmp`` is the number of its ICMP, ``never_first`` ICMP's answers, which begin no flow.
    ``paired`` are headers that differ from those of their answers, so that connection tracking,
    which knows a flow by these and the addresses, does not take one for the other (Linux,
    nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c); ``alike`` are the others.
    """

    def __init__(self, icmp: int, queries: Mapping[int, int]) -> None:
        self.icmp = icmp
        self._base = {TCP: 0, UDP: PORTS, icmp: PORTLESS}
        self._turns = {**queries, **{answer: query for query, answer in queries.items()}}
        self.never_first = _types(queries.values())
        self.paired = union(((0, PORTLESS - 1), *_types(self._turns)))
        self.alike = without(WHOLE, self.paired)
        named = union((number, number) for number in self._base)
        # The numbers of TCP, UDP and ICMP have no point of their own among the others.
        unnamed = intersection(without(WHOLE, named), ((0, 255),))
        self._unnamed = [(OTHERS + first, OTHERS + last) for first, last in unnamed]
        self.admitted = lru_cache(maxsize=1 << 16)(self._admitted)
        self.all = self.admitted(None, None, None)

    def point(self, protocol: int, detail: Detail = None) -> int:
        """The point of a header: ``detail`` is the target port (TCP, UDP), the type and code
        (ICMP).

        Raises ``ValueError`` where the detail is not the protocol's or is out of its range.
        """
        base = self._base.get(protocol)
        if base is None:
            if detail is not None or not 0 <= protocol <= 255:
                raise ValueError(f"protocol {protocol} with {detail}")
            return OTHERS + protocol
        if isinstance(detail, tuple):
            if protocol == self.icmp and all(0 <= part <= 255 for part in detail):
                return base + detail[0] * 256 + detail[1]
        elif protocol != self.icmp and detail is not None and 0 <= detail < PORTS:
            return base + detail
        raise ValueError(f"protocol {protocol} with {detail}")

    def answers(self, where: int) -> Ranges:
        """The headers that the answers to a header may have.

        TCP and UDP answer to the client's port; ICMP's queries have types of answers (RFC 792,
        RFC 4443); whatever else has no ports is answered by its like.
        """
        if where < PORTLESS:
            return (client_ports(where),)
        return self.turned(((where, where),))

    def turned(self, ranges: Ranges) -> Ranges:
        """The headers of the answers to a set, ports aside."""
        found = [*without(ranges, _types(self._turns))]
        for kind, other in self._turns.items():
            step = (other - kind) * 256
            pieces = intersection(ranges, _types((kind,)))
            found += ((first + step, last + step) for first, last in pieces)
        return union(found)

    def of_rule(self, rule: Rule) -> Ranges:
        """The headers that a rule is about, whoever the peer is."""
        return self.admitted(rule.protocol, rule.ports, rule.icmp)

    def _admitted(self, protocol: int | None, ports: Range | None, icmp: Range | None) -> Ranges:
        """The headers that a rule's protocol, ports and ICMP type are about."""
        if protocol is not None and protocol not in self._base:
            return ((OTHERS + protocol,) * 2,)
        found: list[Range] = [] if protocol is not None else list(self._unnamed)
        for number, base in self._base.items():
            if protocol in (None, number):
                first, last = 0, PORTS - 1
                if number != self.icmp:
                    first, last = ports or (first, last)
                elif icmp is not None and icmp[0] >= 0:
                    kind, code = icmp[0] * 256, icmp[1]
                    first, last = (kind, kind + 255) if code < 0 else (kind + code, kind + code)
                found.append((base + first, base + last))
        return union(found)


def _types(types: Iterable[int]) -> Ranges:
    return union((PORTLESS + each * 256, PORTLESS + each * 256 + 255) for each in types)


HEADERS: dict[Version, Headers] = {
    4: Headers(ICMP, {8: 0, 13: 14, 15: 16, 17: 18}),
    6: Headers(ICMPV6, {128: 129, 139: 140}),
}
"""By IP version; ICMP's queries with their answers are those of RFC 792 and RFC 950, and of
RFC 4443 and RFC 4620."""
