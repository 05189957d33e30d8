"""CIDR arithmetic as AWS does it: canonical forms, usable addresses, reserved ones.

Sources: VPC User Guide, "VPC CIDR blocks" and "Subnet CIDR blocks".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

from gureum.errors import ApiError

DELEGATED = {4: 28, 6: 80}
"""The lengths of the prefixes that an interface can be given whole, by IP version (EC2 User Guide,
"Prefix delegation for Amazon EC2 network interfaces")."""

RESERVED = 5
"""Addresses of a subnet that AWS keeps: network, router, DNS, future use, broadcast."""


def is_loopback(host: str) -> bool:
    """Whether a host of a URL, a name or an address, is this machine's own (RFC 6761, 6.3)."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ipv4_network(text: str, parameter: str = "cidrBlock") -> IPv4Network:
    """The network in canonical form: host bits are cleared, as AWS does.

    Raises:
        ApiError: ``InvalidParameterValue`` where ``text`` is no IPv4 CIDR block.
    """
    network = _network(text)
    if not isinstance(network, IPv4Network):
        raise _invalid(text, parameter)
    return network


def ipv6_network(text: str, parameter: str = "ipv6CidrBlock") -> IPv6Network:
    """The network in canonical form.

    Raises:
        ApiError: ``InvalidParameterValue`` where ``text`` is no IPv6 CIDR block.
    """
    network = _network(text)
    if not isinstance(network, IPv6Network):
        raise _invalid(text, parameter)
    return network


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip(), strict=False) if "/" in text else None
    except ValueError:
        return None


def _invalid(text: str, parameter: str) -> ApiError:
    return ApiError(
        "InvalidParameterValue",
        f"Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block.",
    )


def inside(cidr: str, other: str) -> bool:
    """Whether a block is a part of another; one of the other family never is."""
    narrow, wide = ip_network(cidr), ip_network(other)
    if isinstance(narrow, IPv4Network):
        return isinstance(wide, IPv4Network) and narrow.subnet_of(wide)
    return isinstance(wide, IPv6Network) and narrow.subnet_of(wide)


def is_ipv6(text: str) -> bool:
    """Whether an address or a block, which is well-formed, is one of IPv6."""
    return ":" in text


@lru_cache(maxsize=1 << 14)
def delegated_block(ip: str) -> str:
    """The prefix that an address is in, of those that are delegated whole."""
    length = DELEGATED[6 if is_ipv6(ip) else 4]
    return str(ip_network((ip, length), strict=False))


def router_address(cidr: str) -> str:
    """The VPC router's address in a subnet, of IPv4 or IPv6: base + 1."""
    return str(ip_network(cidr)[1])


def resolver_address(vpc_cidr: str) -> str:
    """The Amazon-provided DNS server: the VPC's (primary) base + 2."""
    return str(IPv4Network(vpc_cidr).network_address + 2)


def usable(cidr: str) -> int:
    """How many addresses of a subnet can be given to interfaces."""
    return IPv4Network(cidr).num_addresses - RESERVED


def is_reserved(cidr: str, ip: str) -> bool:
    """Whether ``ip`` is one of the five addresses of the subnet that AWS keeps."""
    network, address = IPv4Network(cidr), IPv4Address(ip)
    first, last = int(network.network_address), int(network.broadcast_address)
    return int(address) < first + 4 or int(address) == last


def split(cidr: str, count: int) -> list[str]:
    """The ``count`` first of the largest equal subnets that a CIDR block can be cut into.

    Raises:
        ApiError: ``InvalidParameterValue`` where the parts would be smaller than a /28.
    """
    network = ipv4_network(cidr)
    bits = max(count - 1, 0).bit_length()
    if count < 1 or network.prefixlen + bits > 28:
        raise ApiError(
            "InvalidParameterValue",
            f"{cidr} cannot be split into {count} subnets: the smallest subnet is a /28",
        )
    parts = network.subnets(prefixlen_diff=bits)
    return [str(part) for part, _ in zip(parts, range(count), strict=False)]


def fit(cidr: str, lengths: Sequence[int], taken: Sequence[str] = ()) -> list[str]:
    """Subnets of some prefix lengths within a block, in the order of the lengths.

    Larger ones are placed first, each into the smallest gap that holds it: a block that has room
    for all is never cut so that one does not fit.

    Raises:
        ApiError: ``InvalidParameterValue`` where they do not fit, beside what is taken already.

    """
    gaps = free(cidr, taken)
    found: dict[int, str] = {}
    for number in sorted(range(len(lengths)), key=lambda each: lengths[each]):
        length = lengths[number]
        room = [gap for gap in gaps if gap.prefixlen <= length]
        if not room:
            raise ApiError(
                "InvalidParameterValue",
                f"{cidr} has no room for a /{length} beside the others: "
                f"{sum(gap.num_addresses for gap in gaps)} addresses are left",
            )
        gap = max(room, key=lambda each: (each.prefixlen, -int(each.network_address)))
        part = next(gap.subnets(new_prefix=length))
        gaps.remove(gap)
        gaps.extend(gap.address_exclude(part))
        found[number] = str(part)
    return [found[number] for number in range(len(lengths))]


def free(cidr: str, taken: Sequence[str]) -> list[IPv4Network]:
    """What is left of a block beside others, as few blocks as can be, in order."""
    gaps = [ipv4_network(cidr)]
    for each in taken:
        block = ipv4_network(each)
        kept: list[IPv4Network] = []
        for gap in gaps:
            if block.subnet_of(gap):
                kept.extend(gap.address_exclude(block))
            elif not gap.subnet_of(block):
                kept.append(gap)
        gaps = kept
    return list(collapse_addresses(gaps))


def merge(cidrs: Sequence[str]) -> list[str]:
    """The fewest blocks that have exactly the addresses of some, in order."""
    return [str(each) for each in collapse_addresses(ipv4_network(each) for each in cidrs)]
