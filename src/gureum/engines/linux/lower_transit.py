"""What the statements about transit gateways need.

A transit gateway is a namespace that only routes: what comes in by an attachment is looked up in
the table that the attachment is associated with, as in a router what comes from a segment.
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
from gureum.engines.linux.lower_rules import listed
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
    segment_link,
    transit_chain,
    transit_link,
)
from gureum.engines.linux.wires import wire
from gureum.program import (
    Attachment,
    AttachmentTable,
    Served,
    Transit,
    ViaAttachment,
    ViaTransit,
)


def transit(it: Transit, _mode: object, _plan: object) -> Iterator[Item]:
    """A namespace that forwards by tables alone and answers nothing."""
    ns = it.id
    yield Namespace(ns, "gateway")
    yield from rulesets.sysctls(ns, (*rulesets.forwarding(), *rulesets.forwarding6()))
    yield NftTable(ns, "inet")
    yield NftSet(ns, "inet", "tables", "map", "ifname : mark")
    for name, priority, rule in (
        ("prerouting", -150, 'meta mark set iifname map @tables comment "route-table"'),
        ("input", 0, 'drop comment "transit-gateway-answers-nothing"'),
        ("forward", 0, 'accept comment "routed"'),
    ):
        yield Chain(ns, "inet", name, hook("filter", name, priority), (rule,))
    for cidr in ("0.0.0.0/0", ANY6):
        yield KernelRoute(ns, MAIN, cidr, "blackhole", metric=FALLBACK_METRIC)


def attachment(it: Attachment, _mode: object, _plan: object) -> Iterator[Item]:
    """A link.  Where the ACL of a subnet would be asked, the router's end asks whether the zone of
    the packet's subnet is served, and lets out the router's own addresses only."""
    outer, inner, chain = attachment_link(it.id), transit_link(it.id), transit_chain(it.id)
    yield from wire(it.transit, outer, it.router, inner, it.id, MTU_INSIDE)
    yield speaks_ipv6(it.router, inner)
    why = f'comment "{comment(it.id)}"'
    carries = [
        f"{family} saddr {listed(own, version)} accept {why}"
        for family, version in (("ip", 4), ("ip6", 6))
        if (own := tuple(cidr for cidr in it.cidrs if (":" in cidr) == (version == 6)))
    ]
    zone = f"iifname . oifname != @served drop {why}"
    yield _served(it.router)
    yield Chain(it.router, "inet", chain, "", (zone, *carries, f"drop {why}"))
    yield Element(it.router, "inet", "uplinks", f'"{inner}"')
    yield Element(it.router, "inet", "acl_out_by_segment", f'"{inner}"', "accept")
    yield Element(it.router, "inet", "acl_in_by_segment", f'"{inner}"', f"goto {chain}")


def _served(router: str) -> Item:
    return NftSet(router, "inet", "served", "set", "ifname . ifname")


def served(it: Served, _mode: object, _plan: object) -> Iterator[Item]:
    """A segment in a zone where the attachment has a foot."""
    router = it.segment.router
    yield _served(router)
    pair = f'"{segment_link(it.segment.id)}" . "{transit_link(it.attachment)}"'
    yield Element(router, "inet", "served", pair)


def attachment_table(it: AttachmentTable, _mode: object, _plan: object) -> Iterator[Item]:
    """The table by which the transit routes what comes from a router."""
    mark = f"0x{TABLE_BASE + it.table.number:08x}"
    link = attachment_link(it.attachment)
    yield Element(it.table.router, "inet", "tables", f'"{link}"', mark)


def route(ns: str, table: int, to: str, target: ViaTransit | ViaAttachment) -> Iterator[Item]:
    """A route into a transit, or out of it."""
    v6 = ":" in to
    if isinstance(target, ViaAttachment):
        hop = NEAR6 if v6 else NEAR
        yield KernelRoute(ns, table, to, "unicast", hop, attachment_link(target.attachment))
        return
    if v6:  # the VPC need not have an IPv6 block that the attachment carries
        yield speaks_ipv6(ns, transit_link(target.attachment))
    hop = FAR6 if v6 else FAR
    yield KernelRoute(ns, table, to, "unicast", hop, transit_link(target.attachment))
