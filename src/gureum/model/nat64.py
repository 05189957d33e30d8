"""IPv4 addresses within IPv6, as NAT64 and DNS64 write them (RFC 6052, RFC 6146, RFC 6147)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

PREFIX = "64:ff9b::/96"
"""The well-known prefix (RFC 6052, section 2.1).  Private IPv4 addresses may be in it here, other
than there: AWS translates to those of VPCs and of what is connected with them, too."""

INSIDE4, INSIDE6 = "192.0.0.2", "64:ff9b:1::c000:2"
"""What all senders are between the two halves of a translation: of blocks for just that (RFC 7335;
RFC 8215).  Nothing outside of a NAT gateway has or sees them."""

UNTRANSLATED = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/3")
"""No host beyond a router has such an address (RFC 6890); the last one holds multicast, too."""

_NETWORK = IPv6Network(PREFIX)
_NOWHERE = tuple(IPv4Network(each) for each in UNTRANSLATED)


def embedded(ip: str) -> str | None:
    """The IPv4 address that an IPv6 address stands for; None where it is not in the prefix."""
    if ":" not in ip or (address := IPv6Address(ip)) not in _NETWORK:
        return None
    return str(IPv4Address(address.packed[-4:]))


def synthesized(ip: str) -> str:
    """The IPv6 address that stands for an IPv4 address."""
    return str(_NETWORK[int(IPv4Address(ip))])


def synthesized_prefix(cidr: str) -> str:
    """The IPv6 prefix that stands for a prefix of IPv4."""
    network = IPv4Network(cidr)
    return f"{_NETWORK[int(network.network_address)]}/{96 + network.prefixlen}"


def is_translated(ip: str) -> bool:
    """Whether packets to an IPv4 address are translated."""
    return not any(IPv4Address(ip) in each for each in _NOWHERE)
