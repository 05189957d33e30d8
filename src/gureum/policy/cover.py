"""Whether rules are about everything that another one is about."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from gureum.explain.packet import ICMP, ICMPV6
from gureum.reach.line import PORTS, Range, union
from gureum.resources.network_acl import Entry
from gureum.resources.permissions import Permission

Span = tuple[int, int] | None

ANY = -1
"""All types, or all codes, of ICMP (EC2 API Reference, IcmpTypeCode)."""


def decided(early: Sequence[Entry], late: Entry) -> bool:
    """Whether some entries of an ACL together decide every packet that a later one would.

    From the later one's first address on, less is decided only where an early one ends: it is
    enough to look there at which headers the early ones are about.
    """
    network = _network(late)
    near = [each for each in early if network.overlaps(_network(each))]
    first, last = _ends(late)
    edges = {first, *(high + 1 for _, high in map(_ends, near) if high < last)}
    return all(_headers_decided(near, late, edge) for edge in edges)


def covers_entry(wide: Entry, narrow: Entry) -> bool:
    """Whether an ACL's entry decides every packet that another one would decide."""
    return decided([wide], narrow)


def _headers_decided(early: Sequence[Entry], late: Entry, address: int) -> bool:
    there = (each for each in early if _ends(each)[0] <= address <= _ends(each)[1])
    first, last = _headers(late)
    return any(low <= first and last <= high for low, high in union(map(_headers, there)))


def _headers(entry: Entry) -> Range:
    """All headers lie on a line, protocol by protocol: what an entry is about is a range of it."""
    if entry.protocol is None:
        return 0, 256 * PORTS - 1
    base = entry.protocol * PORTS
    first, last = entry.ports or (0, PORTS - 1)
    if entry.icmp is not None and entry.icmp[0] != ANY:
        kind, code = entry.icmp
        first, last = (kind * 256, kind * 256 + 255) if code == ANY else (kind * 256 + code,) * 2
    return base + first, base + last


def _network(entry: Entry) -> IPv4Network | IPv6Network:
    """The entry's prefix.  Prefixes of two families never overlap."""
    return IPv4Network(entry.cidr) if entry.cidr else IPv6Network(entry.cidr6)


def _ends(entry: Entry) -> Range:
    network = _network(entry)
    return int(network.network_address), int(network.broadcast_address)


def covers_permission(wide: Permission, narrow: Permission) -> bool:
    """Whether a security group's rule admits everything that another one admits."""
    if wide.protocol not in (None, narrow.protocol):
        return False
    if any((wide.group, narrow.group, wide.prefix_list, narrow.prefix_list)):
        peers = (wide.group, wide.prefix_list) == (narrow.group, narrow.prefix_list)
    else:
        peers = _prefix(wide.cidr, wide.cidr6, narrow.cidr, narrow.cidr6)
    if wide.protocol is None or wide.first is None:
        return peers
    if narrow.first is None or narrow.last is None or wide.last is None:
        return False
    if wide.protocol in (ICMP, ICMPV6):
        return peers and _icmp((wide.first, wide.last), (narrow.first, narrow.last))
    return peers and wide.first <= narrow.first and narrow.last <= wide.last


def _prefix(wide: str | None, wide6: str | None, narrow: str | None, narrow6: str | None) -> bool:
    if wide and narrow:
        return IPv4Network(narrow).subnet_of(IPv4Network(wide))
    if wide6 and narrow6:
        return IPv6Network(narrow6).subnet_of(IPv6Network(wide6))
    return False


def _icmp(wide: Span, narrow: Span) -> bool:
    if wide is None or wide[0] == -1:
        return True
    return narrow is not None and wide[0] == narrow[0] and wide[1] in (-1, narrow[1])
