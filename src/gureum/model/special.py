"""What blocks of addresses are set aside for.

Source: IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates), and the
registries of the address spaces for multicast, class E, and what of IPv6 is global unicast.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Kind: TypeAlias = Literal["private", "public", "shared", "reserved", "multicast"]


@dataclass(frozen=True)
class Purpose:
    """What a block is for: its kind, in words, and the RFC that says so."""

    block: Network
    kind: Kind
    what: str
    source: str


def _purpose(block: str, kind: Kind, what: str, source: str) -> Purpose:
    return Purpose(ip_network(block), kind, what, source)


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
    _purpose("::/128", "reserved", "unspecified address", "RFC 4291"),
    _purpose("::1/128", "reserved", "loopback", "RFC 4291"),
    _purpose("::ffff:0:0/96", "reserved", "IPv4-mapped addresses", "RFC 4291"),
    _purpose("64:ff9b::/96", "public", "IPv4/IPv6 translation (NAT64)", "RFC 6052"),
    _purpose("64:ff9b:1::/48", "private", "IPv4/IPv6 translation, local use", "RFC 8215"),
    _purpose("100::/64", "reserved", "discard", "RFC 6666"),
    _purpose("100:0:0:1::/64", "reserved", "dummy prefix", "RFC 9780"),
    _purpose("2000::/3", "public", "globally reachable", "RFC 4291"),
    _purpose("2001::/23", "reserved", "IETF protocol assignments", "RFC 2928"),
    _purpose("2001::/32", "reserved", "Teredo", "RFC 4380"),
    _purpose("2001:1::1/128", "public", "port control protocol, anycast", "RFC 7723"),
    _purpose("2001:1::2/128", "public", "relays (TURN), anycast", "RFC 8155"),
    _purpose("2001:1::3/128", "public", "service registration, anycast", "RFC 9665"),
    _purpose("2001:2::/48", "reserved", "benchmarks", "RFC 5180"),
    _purpose("2001:3::/32", "public", "automatic multicast tunneling", "RFC 7450"),
    _purpose("2001:4:112::/48", "public", "AS112", "RFC 7535"),
    _purpose("2001:10::/28", "reserved", "ORCHID, given up", "RFC 4843"),
    _purpose("2001:20::/28", "public", "ORCHIDv2", "RFC 7343"),
    _purpose("2001:30::/28", "public", "drone identifiers", "RFC 9374"),
    _purpose("2001:db8::/32", "reserved", "documentation", "RFC 3849"),
    _purpose("2002::/16", "reserved", "6to4", "RFC 3056"),
    _purpose("2620:4f:8000::/48", "public", "AS112, direct delegation", "RFC 7534"),
    _purpose("3fff::/20", "reserved", "documentation", "RFC 9637"),
    _purpose("5f00::/16", "reserved", "segment routing identifiers", "RFC 9602"),
    _purpose("fc00::/7", "private", "unique local addresses", "RFC 4193"),
    _purpose("fe80::/10", "reserved", "link-local", "RFC 4291"),
    _purpose("fec0::/10", "reserved", "site-local, given up", "RFC 3879"),
    _purpose("ff00::/8", "multicast", "multicast", "RFC 4291"),
)
"""In the order of addresses; a block within another comes after it."""


def purposes(network: Network) -> list[Purpose]:
    """What a block is for, in parts where it is several things: each part's own block, those
    within it after it.  What nothing is said of is public: globally reachable; of IPv6 it is
    reserved, as only 2000::/3 was given out."""
    around = [each for each in PURPOSES if _within(network, each.block)]
    within = [each for each in PURPOSES if each.block != network and _within(each.block, network)]
    if around:
        last = around[-1]
        return [Purpose(network, last.kind, last.what, last.source), *within]
    but = ", but for the parts below" if within else ""
    if network.version == 6:
        return [Purpose(network, "reserved", f"not given out{but}", "RFC 4291"), *within]
    return [Purpose(network, "public", f"globally reachable{but}", "RFC 7020"), *within]


def _within(network: Network, other: Network) -> bool:
    if network.version != other.version or network.prefixlen < other.prefixlen:
        return False
    bits = other.max_prefixlen - other.prefixlen
    return int(network.network_address) >> bits == int(other.network_address) >> bits
