"""What the statements about transit gateways need.

A transit gateway is a namespace that only routes: what comes in by an attachment is looked up in
the table that the attachment is associated with, as in a router what comes from a segment.

A link between namespaces carries no mark, so a frame's source address says in which zone a packet
is under way: it is the link-layer address of the foot, as in AWS that of the gateway's interface in
the subnet.  It is put into the frame where that goes out (nft's hook ``egress``), by the zone that
the packet has as its mark then.
"""

from __future__ import annotations

from collections.abc import Iterator

from gureum.engines.linux import rulesets
from gureum.engines.linux.guards import hook
from gureum.engines.linux.items import (
    Chain,
    Element,
    Item,
    KernelRoute,
    Namespace,
    NftSet,
    NftTable,
)
from gureum.engines.linux.lower_ipv6 import ANY6, speaks_ipv6
from gureum.engines.linux.lower_rules import to_filter
from gureum.engines.linux.names import (
    FALLBACK_METRIC,
    FAR,
    FAR6,
    MAIN,
    MTU_INSIDE,
    NEAR,
    NEAR6,
    TABLE_BASE,
    attachment_link,
    comment,
    foot_chain,
    landing_chain,
    segment_link,
    transit_chain,
    transit_link,
    zone_mark,
)
from gureum.engines.linux.wires import wire
from gureum.program import (
    Attachment,
    AttachmentTable,
    Foot,
    Served,
    Transit,
    TransitPeering,
    ViaAttachment,
    ViaTransit,
    ViaTransitPeering,
)


def transit(it: Transit, _mode: object, _plan: object) -> Iterator[Item]:
    """A namespace that forwards by tables alone and answers nothing."""
    ns = it.id
    yield Namespace(ns, "gateway")
    yield from rulesets.sysctls(ns, (*rulesets.forwarding(), *rulesets.forwarding6()))
    yield NftTable(ns, "inet")
    yield NftTable(ns, "netdev")
    yield NftSet(ns, "inet", "tables", "map", "ifname : mark")
    yield _zones(ns)
    for name, priority, rule in (
        ("prerouting", -150, 'meta mark set iifname map @tables comment "route-table"'),
        ("input", 0, 'drop comment "transit-gateway-answers-nothing"'),
        ("forward", 0, 'accept comment "routed"'),
        ("postrouting", 200, _SET_ZONE),
    ):
        yield Chain(ns, "inet", name, hook("filter", name, priority), (rule,))
    for cidr in ("0.0.0.0/0", ANY6):
        yield KernelRoute(ns, MAIN, cidr, "blackhole", metric=FALLBACK_METRIC)


_SET_ZONE = 'meta mark set 0x00000000 meta mark set iifname . ether saddr map @zones comment "zone"'
"""The zone in which a packet came in by an attachment; none where it came otherwise."""


def _zones(ns: str) -> Item:
    return NftSet(ns, "inet", "zones", "map", "ifname . ether_addr : mark")


def _stamped(ns: str, link: str, it: Attachment) -> Iterator[Item]:
    """What goes out by the link bears the address of the foot in its zone, else of the first."""
    if not it.feet:
        return
    why = f'comment "{comment(it.id)}"'
    known = sorted((zone_mark(zone), mac) for zone, mac in it.feet)
    addresses = ", ".join(f"{mark} : {mac}" for mark, mac in known)
    rules = (
        f"ether saddr set {it.feet[0][1]} {why}",
        f"ether saddr set meta mark map {{ {addresses} }} {why}",
    )
    yield NftTable(ns, "netdev")
    yield Chain(ns, "netdev", link, hook("filter", f'egress device "{link}"', 0), rules)


def _remembering(ns: str) -> Iterator[Item]:
    """A transit tells flows apart where somebody asks for it: in which zone did one begin?"""
    yield NftSet(ns, "inet", "appliances", "set", "ifname")
    yield Chain(
        ns,
        "inet",
        "appliance",
        hook("filter", "postrouting", 210),
        (
            'ct mark 0x00000000 ct mark set meta mark comment "begins"',
            'oifname @appliances meta mark set ct mark comment "appliance-mode"',
        ),
    )


def attachment(it: Attachment, _mode: object, _plan: object) -> Iterator[Item]:
    """A link between two namespaces, and what its router asks of packets in the place of the ACL of
    a subnet: by which foot they come (``l-…``) or go (``t-…``)."""
    outer, inner = attachment_link(it.id), transit_link(it.id)
    yield from wire(it.transit, outer, it.router, inner, it.id, MTU_INSIDE)
    yield speaks_ipv6(it.router, inner)
    yield from _stamped(it.transit, outer, it)
    yield from _stamped(it.router, inner, it)
    for zone, mac in it.feet:
        yield Element(it.transit, "inet", "zones", f'"{outer}" . {mac}', zone_mark(zone))
    if it.appliance:
        yield from _remembering(it.transit)
        yield Element(it.transit, "inet", "appliances", f'"{outer}"')
    yield from _router_parts(it.router)
    yield Element(it.router, "inet", "uplinks", f'"{inner}"')
    why = f'comment "{comment(it.id)}"'
    version = () if it.ipv6 else (f"meta nfproto ipv6 drop {why}",)
    leaves = ", ".join(
        f"{mark} : goto {chain}"
        for mark, chain in sorted((zone_mark(zone), foot_chain(it.id, zone)) for zone, _ in it.feet)
    )
    out = (
        *version,
        f"iifname . oifname vmap @served {why}",
        # what has come by a foot goes on by one in the same zone
        *((f"{_SET_ZONE}", f"meta mark vmap {{ {leaves} }} {why}") if leaves else ()),
        f"drop {why}",
    )
    landed = (
        *version,
        'iifname . ether saddr . oifname @landed accept comment "same-segment"',
        f"iifname . ether saddr vmap @acl_out_by_foot {why}",
        f"drop {why}",
    )
    for stage, chain, rules in (
        ("acl_out_by_segment", landing_chain(it.id), landed),
        ("acl_in_by_segment", transit_chain(it.id), out),
    ):
        yield Chain(it.router, "inet", chain, "", rules)
        yield Element(it.router, "inet", stage, f'"{inner}"', f"goto {chain}")


def _router_parts(ns: str) -> Iterator[Item]:
    """What a router with attachments has more than others."""
    yield _zones(ns)
    for name, kind in (
        ("landings", "ifname . ether_addr : mark"),
        ("acl_out_by_foot", "ifname . ether_addr : verdict"),
        ("served", "ifname . ifname : verdict"),
        ("departures", "ifname . ifname : mark"),
    ):
        yield NftSet(ns, "inet", name, "map", kind)
    yield Chain(
        ns,
        "inet",
        "landing",
        hook("filter", "prerouting", -149),
        ('meta mark set iifname . ether saddr map @landings comment "route-table"',),
    )
    yield Chain(
        ns,
        "inet",
        "departure",
        hook("filter", "postrouting", 200),
        (
            'oifname != @uplinks accept comment "no-attachment"',
            _SET_ZONE,
            'meta mark set iifname . oifname map @departures comment "zone"',
        ),
    )


def foot(it: Foot, _mode: object, _plan: object) -> Iterator[Item]:
    """What comes by a foot is taken for what comes from its segment, and what goes by it for what
    goes there."""
    ns, link = it.segment.router, transit_link(it.attachment)
    here = f'"{link}" . {it.mac}'
    yield from _router_parts(ns)
    yield Element(ns, "inet", "zones", here, zone_mark(it.zone))
    if it.table is not None:  # else what comes here is dropped
        mark = f"0x{TABLE_BASE + it.table.number:08x}"
        yield Element(ns, "inet", "landings", here, mark)
        yield Element(ns, "inet", "landed", f'{here} . "{segment_link(it.segment.id)}"')
        yield Element(ns, "inet", "acl_out_by_foot", here, to_filter(it.filter_out))
    why = f'comment "{comment(it.attachment)}"'
    rule = f"{to_filter(it.filter_in)} {why}"
    yield Chain(ns, "inet", foot_chain(it.attachment, it.zone), "", (rule,))


def served(it: Served, _mode: object, _plan: object) -> Iterator[Item]:
    """A segment in a zone where the attachment has a foot."""
    ns, link = it.segment.router, transit_link(it.attachment)
    pair = f'"{segment_link(it.segment.id)}" . "{link}"'
    yield from _router_parts(ns)
    yield Element(ns, "inet", "served", pair, f"goto {foot_chain(it.attachment, it.zone)}")
    yield Element(ns, "inet", "departures", pair, zone_mark(it.zone))


def attachment_table(it: AttachmentTable, _mode: object, _plan: object) -> Iterator[Item]:
    """The table by which the transit routes what comes from a router."""
    mark = f"0x{TABLE_BASE + it.table.number:08x}"
    link = attachment_link(it.attachment)
    yield Element(it.table.router, "inet", "tables", f'"{link}"', mark)


def transit_peering(it: TransitPeering, _mode: object, _plan: object) -> Iterator[Item]:
    """A link between two transits; what comes by it has no foot's address, and so no zone."""
    link, (far, near) = attachment_link(it.id), it.transits
    yield from wire(far, link, near, link, it.id, MTU_INSIDE)


def route(
    ns: str, table: int, to: str, target: ViaTransit | ViaAttachment | ViaTransitPeering
) -> Iterator[Item]:
    """A route into a transit, out of it, or to another one."""
    v6 = ":" in to
    if isinstance(target, ViaTransitPeering):
        # the two ends have one hop address each, in the order of their ids
        near, far = (NEAR6, FAR6) if v6 else (NEAR, FAR)
        hop = near if ns < target.transit else far
        yield KernelRoute(ns, table, to, "unicast", hop, attachment_link(target.peering))
        return
    if isinstance(target, ViaAttachment):
        hop = NEAR6 if v6 else NEAR
        yield KernelRoute(ns, table, to, "unicast", hop, attachment_link(target.attachment))
        return
    if v6:  # the VPC need not have an IPv6 block that the attachment carries
        yield speaks_ipv6(ns, transit_link(target.attachment))
    hop = FAR6 if v6 else FAR
    yield KernelRoute(ns, table, to, "unicast", hop, transit_link(target.attachment))
