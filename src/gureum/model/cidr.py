"""CIDR arithmetic as AWS does it: canonical forms, usable addresses, reserved ones.

Sources: VPC User Guide, "VPC CIDR blocks" and "Subnet CIDR blocks".
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_network

from gureum.errors import ApiError

RESERVED = 5
"""Addresses of a subnet that AWS keeps: network, router, DNS, future use, broadcast."""


def ipv4_network(text: str, parameter: str = "cidrBlock") -> IPv4Network:
    """The network in canonical form: host bits are cleared, as AWS does.

    Raises:
        ApiError: ``InvalidParameterValue`` where ``text`` is no IPv4 CIDR block.
    """
    try:
        if "/" not in text:
            raise ValueError(text)
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        network = None
    if not isinstance(network, IPv4Network):
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block.",
        )
    return network


def router_address(cidr: str) -> str:
    """The VPC router's address in a subnet: base + 1."""
    return str(IPv4Network(cidr).network_address + 1)


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
