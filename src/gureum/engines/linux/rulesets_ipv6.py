"""What the stages of a router have for IPv6: rules between those of IPv4, and their sets."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.engines.linux.guards import BLOCK6, NEIGHBOURS, hook
from gureum.engines.linux.items import Chain, Family, Item, NftSet

ON_LINK = f'{NEIGHBOURS} ip6 hoplimit 255 accept comment "neighbour-discovery"'
"""Groups do not apply to neighbour discovery within a subnet; a hop limit of 255 cannot have
crossed a router (RFC 4861, section 7.1)."""
SOLICITED = ('ip6 saddr != :: icmpv6 type 135 accept comment "neighbour-discovery"',)
_OF_NO_PORT = (
    "rt ip6 nexthop . ip6 daddr != @last_hops6 "
    f"rt ip6 nexthop . ip6 daddr & {BLOCK6} != @last_hop_blocks6 "
    f"rt ip6 nexthop & {BLOCK6} . ip6 daddr & {BLOCK6} != @last_hop_blocks6"
)
"""Where a packet is bridged, its next hop is its destination: to a block any address of it."""
RECEIVED = (
    'rt ip6 nexthop vmap @sg_in_by_hop6 comment "group"',
    f'{_OF_NO_PORT} drop comment "dest-check"',
    'ip6 daddr vmap @sg_in_by_ip6 comment "group"',
    f'ip6 daddr & {BLOCK6} vmap @sg_in_by_block6 comment "group"',
)


def stages6(ns: str) -> Iterator[Item]:
    """What the stages look up for IPv6, and what the router does not say of itself."""
    family: Family = "inet"
    for blocks in ("s", "_blocks"):
        yield NftSet(ns, family, f"owner{blocks}6", "set", "ether_addr . ipv6_addr")
        yield NftSet(ns, family, f"last_hop{blocks}6", "set", "ipv6_addr . ipv6_addr")
    for name in ("sg_in_by_hop6", "sg_in_by_ip6", "sg_in_by_block6"):
        yield NftSet(ns, family, name, "map", "ipv6_addr : verdict")
    yield Chain(
        ns,
        family,
        "output",
        hook("filter", "output", 0),
        # it belongs to no group of receivers, and knows no shorter way
        ('icmpv6 type { 131, 132, 137, 143 } drop comment "router-says-nothing"',),
    )


def assigned6(ns: str) -> Iterator[Item]:
    """The IPv6 addresses and blocks that a gateway lets pass."""
    for name in ("assigned", "assigned_blocks"):
        yield NftSet(ns, "inet", name, "set", "ipv6_addr")
