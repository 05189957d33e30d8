"""What blocks of IPv4 addresses are set aside for.

Source: IANA's IPv4 Special-Purpose Address Registry (RFC 6890 and its updates), and the registry of
the IPv4 address space for multicast and class E.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["private", "public", "shared", "reserved", "multicast"]


@dataclass(frozen=True)
class Purpose:
    """What a block is for: its kind, in words, and the RFC that says so."""

    block: IPv4Network
    kind: Kind
    what: str
    source: str


def _purpose(block: str, kind: Kind, what: str, source: str) -> Purpose:
    return Purpose(IPv4Network(block), kind, what, source)


PURPOSES = (
    _purpose("0.0.0.0/8", "reserved", "this network", "RFC 791"),
    _purpose("10.0.0.0/8", "private", "private use", "RFC 1918"),
    _purpose("100.64.0.0/10", "shared", "carrier-grade NAT", "RFC 6598"),
    _purpose("127.0.0.0/8", "reserved", "loopback", "RFC 1122"),
    _purpose("169.254.0.0/16", "reserved", "link-local", "RFC 3927"),
    _purpose("172.16.0.0/12", "private", "private use", "RFC 1918"),
    _purpose("192.0.0.0/24", "reserved", "IETF protocol assignments", "RFC 6890"),
    _purpose("192.0.2.0/24", "reserved", "documentation (TEST-NET-1)", "RFC 5737"),
    _purpose("192.31.196.0/24", "public", "AS112", "RFC 7535"),
    _purpose("192.52.193.0/24", "public", "automatic multicast tunneling", "RFC 7450"),
    _purpose("192.88.99.0/24", "reserved", "6to4 relays, given up", "RFC 7526"),
    _purpose("192.168.0.0/16", "private", "private use", "RFC 1918"),
    _purpose("192.175.48.0/24", "public", "AS112, direct delegation", "RFC 7534"),
    _purpose("198.18.0.0/15", "reserved", "benchmarks", "RFC 2544"),
    _purpose("198.51.100.0/24", "reserved", "documentation (TEST-NET-2)", "RFC 5737"),
    _purpose("203.0.113.0/24", "reserved", "documentation (TEST-NET-3)", "RFC 5737"),
    _purpose("224.0.0.0/4", "multicast", "multicast", "RFC 5771"),
    _purpose("240.0.0.0/4", "reserved", "future use", "RFC 1112"),
    _purpose("255.255.255.255/32", "reserved", "limited broadcast", "RFC 919"),
)
"""In the order of addresses; a block within another comes after it."""


def purposes(network: IPv4Network) -> list[Purpose]:
    """What a block is for, in parts where it is several things: each part's own block, those
    within it after it.  What nothing is said of is public: globally reachable."""
    around = [each for each in PURPOSES if network.subnet_of(each.block)]
    within = [each for each in PURPOSES if each.block != network and each.block.subnet_of(network)]
    if around:
        last = around[-1]
        return [Purpose(network, last.kind, last.what, last.source), *within]
    what = "globally reachable, but for the parts below" if within else "globally reachable"
    return [Purpose(network, "public", what, "RFC 7020"), *within]
