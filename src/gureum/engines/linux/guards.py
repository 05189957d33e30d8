"""Who may say what on a router's bridges: the rules of the bridge family.

Addresses of the link layer, the senders of packets, ARP and neighbour discovery are checked here,
port by port; what hosts say to each other is for the stages in :mod:`.rulesets`.
"""

from __future__ import annotations

from collections.abc import Iterator

from gureum.engines.linux.items import Chain, Family, Item, NftSet, NftTable

HOOK = "type {kind} hook {hook} priority {priority}; policy {policy};"


def hook(kind: str, name: str, priority: int, policy: str = "accept") -> str:
    """The clause that makes a chain a base chain, as nft prints it."""
    return HOOK.format(kind=kind, hook=name, priority=priority, policy=policy)


NEIGHBOURS = "icmpv6 type { 135, 136 }"
"""Neighbour solicitations and advertisements (RFC 4861)."""

_TARGET = "@th,64,128"
"""The address that a neighbour message is about: behind 8 octets of ICMPv6 (RFC 4861, section 4.3);
nft 1.0.6 has no name for it."""


_BLOCK = "0xffffffffffffffffffff000000000000"
BLOCK6 = "ffff:ffff:ffff:ffff:ffff::"
"""The mask of a block that is delegated to a port: one look finds in which of them an address is,
however many addresses it has."""

_GIVEN = (
    'oifname . ether daddr . ip6 daddr @owns6 accept comment "own"',
    f'oifname . ether daddr . ip6 daddr & {BLOCK6} @own_blocks6 accept comment "own"',
    f'{NEIGHBOURS} accept comment "neighbour-discovery"',
)


def guards(ns: str, *, ipv6: bool) -> Iterator[Item]:
    """What a port may send into its bridge, and what the bridge may give to it."""
    family: Family = "bridge"
    yield NftTable(ns, family)
    yield NftSet(ns, family, "stations", "set", "ifname . ether_addr")
    yield NftSet(ns, family, "owns", "set", "ifname . ether_addr . ipv4_addr")
    yield NftSet(ns, family, "forwarding", "set", "ifname")
    yield Chain(
        ns,
        family,
        "prerouting",
        hook("filter", "prerouting", -300),
        (
            'iifname . ether saddr != @stations drop comment "source-check"',
            # spanning tree and other link-local protocols; a bridge would swallow or flood them
            'ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 drop comment "link-local"',
            'ether type ip goto from_ip comment "ipv4"',
            'ether type arp goto from_arp comment "arp"',
            *(('ether type ip6 goto from_ip6 comment "ipv6"',) if ipv6 else ()),
            'drop comment "ethertype"',
        ),
    )
    yield Chain(
        ns,
        family,
        "from_ip",
        "",
        (
            'iifname @forwarding accept comment "forwarding"',
            'iifname . ether saddr . ip saddr @owns accept comment "own"',
            'drop comment "source-check"',
        ),
    )
    yield Chain(
        ns,
        family,
        "from_arp",
        "",
        (
            'iifname . arp saddr ether . arp saddr ip @owns accept comment "own"',
            'arp saddr ip 0.0.0.0 iifname . arp saddr ether @stations accept comment "probe"',
            'drop comment "arp-check"',
        ),
    )
    if ipv6:
        yield from _guards6(ns)
    yield Chain(
        ns,
        family,
        "postrouting",
        hook("filter", "postrouting", 200),
        (
            'ether type arp accept comment "arp"',
            'oifname . ether daddr . ip daddr @owns accept comment "own"',
            *(_GIVEN if ipv6 else ()),
            # a switch or hub floods frames that are for others; stations ignore them
            'oifname . ether daddr != @stations accept comment "flooded"',
            'oifname @forwarding accept comment "forwarding"',
            'drop comment "dest-check"',
        ),
    )


def _guards6(ns: str) -> Iterator[Item]:
    """What a station may send of IPv6.  Its own solicitations go to whom they ask for alone (RFC
    6085 allows a unicast frame for a multicast packet), where nothing is flooded: addresses in
    ``solicited``.  Routers are made known by nobody, groups of receivers do not exist."""
    family: Family = "bridge"
    station = "iifname . ether saddr"
    strange = (
        f"{station} . ip6 saddr != @owns6 {station} . ip6 saddr & {BLOCK6} != @own_blocks6 drop"
    )
    yield NftSet(ns, family, "owns6", "set", "ifname . ether_addr . ipv6_addr")
    yield NftSet(ns, family, "own_blocks6", "set", "ifname . ether_addr . ipv6_addr")
    for blocks in ("", "_blocks"):
        yield NftSet(ns, family, f"target{blocks or 's'}6", "set", f"typeof {station} . {_TARGET}")
        yield NftSet(ns, family, f"solicited{blocks}", "map", f"typeof {_TARGET} : ether saddr")
    yield Chain(
        ns,
        family,
        "from_ip6",
        "",
        (
            'icmpv6 type 135 goto from_solicitation comment "neighbour-discovery"',
            'icmpv6 type 136 goto from_advertisement comment "neighbour-discovery"',
            'icmpv6 type { 133, 134, 137 } drop comment "router-discovery"',
            'ip6 daddr ff00::/8 drop comment "multicast"',
            'ip6 saddr fe80::/10 drop comment "link-local"',
            'ip6 daddr fe80::/10 drop comment "link-local"',
            'iifname @forwarding accept comment "forwarding"',
            f'{strange} comment "source-check"',
            'accept comment "own"',
        ),
    )
    yield Chain(
        ns,
        family,
        "from_solicitation",
        "",
        (
            f'ip6 saddr :: {station} . {_TARGET} @targets6 accept comment "probe"',
            f'ip6 saddr :: {station} . {_TARGET} & {_BLOCK} @target_blocks6 accept comment "probe"',
            f'{strange} comment "neighbour-check"',
            f'ether daddr set {_TARGET} map @solicited comment "to-owner"',
            f'ether daddr set {_TARGET} & {_BLOCK} map @solicited_blocks comment "to-owner"',
            'accept comment "own"',
        ),
    )
    yield Chain(
        ns,
        family,
        "from_advertisement",
        "",
        (
            f'{strange} comment "neighbour-check"',
            f'{station} . {_TARGET} @targets6 accept comment "own"',
            f'{station} . {_TARGET} & {_BLOCK} @target_blocks6 accept comment "own"',
            'drop comment "neighbour-check"',
        ),
    )
