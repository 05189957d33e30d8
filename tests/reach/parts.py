"""Parts of the internet, address by address: the plain reading that pieces are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from gureum.program import Filter, Range, Route, Segment, Statement
from gureum.reach import Part, Version

_NOBODY = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.168.0.0/16", "224.0.0.0/3",
)  # fmt: skip


def holds(part: Part, ip: str) -> bool:
    """Whether an address is in a part: the longest block that it is in says so."""
    address = ip_address(ip)
    found = [
        (ip_network(cidr).prefixlen, True) for cidr in part.blocks if address in ip_network(cidr)
    ]
    found += [
        (ip_network(cidr).prefixlen, False) for cidr in part.but if address in ip_network(cidr)
    ]
    return max(found)[1] if found else not part.blocks


def probes(statements: Iterable[Statement], version: Version) -> set[str]:
    """The internet's addresses on both sides of every edge of what rules and routes name."""
    statements = list(statements)
    named = {each.destination for each in statements if isinstance(each, Route)} | {
        rule.peer
        for each in statements
        if isinstance(each, Filter)
        for rule in each.rules
        if "/" in rule.peer
    }
    blocks = [ip_network(cidr) for cidr in named if (":" in cidr) == (version == 6)]
    edges = {
        edge + step
        for block in blocks
        for edge, step in (
            (int(block.network_address), -1), (int(block.network_address), 0),
            (int(block.broadcast_address), 0), (int(block.broadcast_address), 1),
        )
    }  # fmt: skip
    # What is at home is nobody's outside.
    home = [each.cidr6 for each in statements if isinstance(each, Segment) and each.cidr6]
    home += [each.cidr for each in statements if isinstance(each, Range)]
    nobody = [ip_network(cidr) for cidr in (*_NOBODY, *home)]
    whole = ip_network("2000::/3" if version == 6 else "0.0.0.0/0")
    width = 2 ** (128 if version == 6 else 32)
    addresses = [ip_address(edge) for edge in edges if 0 <= edge < width]
    if version == 6:
        addresses = [each for each in addresses if each.version == 6]
    return {
        str(each)
        for each in addresses
        if each in whole and not any(each in block for block in nobody)
    }
