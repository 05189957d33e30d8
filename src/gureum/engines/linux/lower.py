"""From statements to kernel items: each statement says by itself which parts it needs.

Parts that several statements need are counted by the caller (:mod:`.book`).  The one thing that a
statement cannot know is the mode of its segment, hence the second argument.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gureum.engines.linux import (
    lower_inner,
    lower_ipv6,
    lower_mirror,
    lower_transit,
    lower_translator,
    rulesets,
)
from gureum.engines.linux.items import (
    Bridge,
    Chain,
    Element,
    Fdb,
    IpAddress,
    IpRule,
    Item,
    KernelRoute,
    Namespace,
    Neighbour,
    NftSet,
    PortFlags,
    Settings,
    Sysctl,
    Veth,
)
from gureum.engines.linux.lower_ipv6 import ANY6, address6, base, guard6, needs_ipv6, speaks_ipv6
from gureum.engines.linux.lower_rules import listed, rules, to_filter, versions
from gureum.engines.linux.names import (
    FALLBACK_METRIC,
    FAR,
    FAR6,
    INTERNET,
    MACHINE,
    MACHINE_END,
    MAIN,
    ME,
    ME_END,
    MTU_INSIDE,
    MTU_OUTSIDE,
    NEAR,
    NEAR6,
    PRIVATE,
    TABLE_BASE,
    comment,
    filter_chain,
    gateway_link,
    internet_host_link,
    internet_host_namespace,
    link_local,
    link_mac,
    member_set,
    peering_chain,
    peering_link,
    port_link,
    router_link,
    segment_link,
    uplink_link,
)
from gureum.engines.linux.services import service
from gureum.engines.linux.wires import wire
from gureum.model.internet import GATEWAY_HOP, GATEWAY_HOP6, INTERNET_HOP, INTERNET_HOP6, PUBLIC
from gureum.program import (
    Address,
    Attachment,
    AttachmentTable,
    Beyond,
    Blackhole,
    Filter,
    Foot,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    Guard,
    Host,
    InternetHost,
    Local,
    Machine,
    Member,
    Mirrored,
    Nat64,
    Peering,
    Port,
    PublicAddress,
    Range,
    Recorded,
    RecordedLink,
    Route,
    Router,
    Segment,
    SegmentFilter,
    SegmentMode,
    SegmentTable,
    Served,
    Service,
    Statement,
    Table,
    Transit,
    TransitPeering,
    Translator,
    Uplink,
    ViaAttachment,
    ViaPeering,
    ViaPort,
    ViaTransit,
    ViaTransitPeering,
    ViaUplink,
)
from gureum.program.statements import Mode

ANY = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is decided once for a whole engine: how frames inside a segment are filtered, the name
    of the machine's own link to the cloud, or empty for none, and whether the kernel has IPv6."""

    way: rulesets.BridgeFilter = "netfilter"
    machine_link: str = ""
    ipv6: bool = True


def lower(statement: Statement, mode: Mode, plan: Plan) -> frozenset[Item]:
    """The kernel items that a statement needs; ``mode`` is that of its segment, if it has one."""
    items = _LOWER[type(statement)](statement, mode, plan)
    return frozenset(items if plan.ipv6 else (item for item in items if not needs_ipv6(item)))


# --- places -------------------------------------------------------------------------------------
def _router(it: Router, _mode: Mode, plan: Plan) -> Iterator[Item]:
    yield Namespace(it.id, "router")
    yield from rulesets.router(it.id, plan.way, ipv6=it.ipv6)
    yield KernelRoute(it.id, MAIN, ANY, "blackhole", metric=FALLBACK_METRIC)


def _segment(it: Segment, _mode: Mode, plan: Plan) -> Iterator[Item]:
    ns, link = it.router, segment_link(it.id)
    yield Bridge(ns, link)
    yield Settings(ns, link, it.mac, MTU_INSIDE, it.id)
    if it.cidr:
        yield IpAddress(ns, link, it.gateway, ipaddress.ip_network(it.cidr).prefixlen)
        # the router has addresses that are on no bridge (services), and is asked for them here
        yield Sysctl(ns, f"ipv4/conf/{link}/arp_ignore", "0", link)
    else:  # a port whose source check is off may send any address
        yield Sysctl(ns, f"ipv4/conf/{link}/forwarding", "0", link)
    yield Element(ns, "inet", "inside", f'"{link}" . "{link}"')
    yield Element(ns, "inet", "segments", f'"{link}"')
    if it.cidr6:
        yield from lower_ipv6.segment6(it)
    if plan.way == "isolated":
        chain, peers = f"ttl-{link}", []
        # to main: as where frames are switched, a route table has no say inside a segment
        act = "meta mark set 0x00000000 goto ttl_raise"
        if it.cidr:
            yield Sysctl(ns, f"ipv4/conf/{link}/proxy_arp_pvlan", "1", link)
            yield Sysctl(ns, f"ipv4/neigh/{link}/proxy_delay", "0", link)
            peers.append(f'ip daddr {it.cidr} {act} comment "same-segment"')
        if it.cidr6:
            yield Sysctl(ns, f"ipv6/neigh/{link}/proxy_delay", "0", link)
            peers.append(f'ip6 daddr {it.cidr6} {act} comment "same-segment"')
        yield Chain(ns, "inet", chain, "", tuple(peers))
        yield Element(ns, "inet", "ttl_by_segment", f'"{link}"', f"goto {chain}")


def _nothing(_it: object, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    return iter(())


def _host(it: Host, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    if it.kind == "nat-gateway":
        yield Namespace(it.id, "translator")
        yield from rulesets.translator(it.id)
        return
    yield Namespace(it.id, "instance")
    yield from _quiet_ipv6(it.id)


def _quiet_ipv6(ns: str) -> Iterator[Item]:
    """No link-local address, hence no IPv6 chatter on links that carry none of it."""
    yield Sysctl(ns, "ipv6/conf/default/addr_gen_mode", "1")
    yield Sysctl(ns, "ipv6/conf/default/accept_ra", "0")


def _port(it: Port, mode: Mode, plan: Plan) -> Iterator[Item]:
    ns, link, inner = it.segment.router, port_link(it.id), f"eth{it.index}"
    bridge = segment_link(it.segment.id)
    isolated = plan.way == "isolated"
    fabric = mode == "fabric"
    yield Veth(ns, link, it.host, inner)
    yield Settings(ns, link, link_mac(ns, link), MTU_INSIDE, it.id, bridge)
    yield Settings(it.host, inner, it.mac, MTU_INSIDE, it.id)
    yield PortFlags(
        ns,
        link,
        learning=mode == "switch",
        flood=not fabric,
        proxy_arp=fabric and not isolated,
        isolated=isolated,
    )
    if fabric:
        yield Fdb(ns, link, it.mac)
    if it.index == 0 and it.segment.gateway:
        yield KernelRoute(it.host, MAIN, ANY, "unicast", it.segment.gateway, inner)


def _address(it: Address, mode: Mode, plan: Plan) -> Iterator[Item]:
    if ":" in it.ip:
        yield from address6(it, mode, isolated=plan.way == "isolated")
        return
    port = it.port
    length = ipaddress.ip_network(port.segment.cidr).prefixlen
    length = length if it.primary else 32
    if not it.delegated:
        yield IpAddress(port.host, f"eth{port.index}", it.ip, length, metric=port.index)
    yield Neighbour(port.segment.router, segment_link(port.segment.id), it.ip, port.mac)


def _internet() -> Iterator[Item]:
    yield Namespace(INTERNET, "internet")
    yield from rulesets.internet(INTERNET)
    yield IpAddress(INTERNET, "lo", INTERNET_HOP, 32)
    yield IpAddress(INTERNET, "lo", INTERNET_HOP6, 128)
    yield KernelRoute(INTERNET, MAIN, ANY, "blackhole", metric=FALLBACK_METRIC)
    yield KernelRoute(INTERNET, MAIN, ANY6, "blackhole", metric=FALLBACK_METRIC)


def _gateway(it: Gateway, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    yield from _internet()
    outer = gateway_link(it.id)
    yield Namespace(it.id, "gateway")
    yield from rulesets.egress_only(it.id) if it.egress_only else rulesets.gateway(it.id)
    yield from wire(INTERNET, outer, it.id, INTERNET, it.id)
    yield Element(INTERNET, "inet", "gateways", f'"{outer}"')
    yield IpAddress(it.id, "lo", GATEWAY_HOP6, 128)
    yield KernelRoute(it.id, MAIN, ANY6, "unicast", FAR6, INTERNET)
    if it.egress_only:
        return
    yield IpAddress(it.id, "lo", GATEWAY_HOP, 32)
    yield KernelRoute(it.id, MAIN, ANY, "unicast", FAR, INTERNET)
    for prefix in PRIVATE:
        yield KernelRoute(it.id, MAIN, prefix, "blackhole", metric=FALLBACK_METRIC)


def _uplink(it: Uplink, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    outer, inner = router_link(it.router), uplink_link(it.gateway)
    yield from wire(it.gateway, outer, it.router, inner, f"{it.router} {it.gateway}")
    yield speaks_ipv6(it.router, inner)
    yield Element(it.gateway, "inet", "routers", f'"{outer}"')
    yield Element(it.router, "inet", "uplinks", f'"{inner}"')
    for stage in ("acl_out_by_segment", "acl_in_by_segment"):
        yield Element(it.router, "inet", stage, f'"{inner}"', "accept")


def _peering(it: Peering, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    """A link between two routers.  Where the ACL of a subnet would be asked, each end asks what the
    peering carries, so that nobody is on the other side who does not belong there."""
    link, chain = peering_link(it.id), peering_chain(it.id)
    far, near = it.routers
    ipv6 = all(any(":" in cidr for cidr in cidrs) for cidrs in it.cidrs)
    yield from wire(far, link, near, link, it.id, MTU_INSIDE, ipv6=ipv6)
    one, two = it.cidrs
    for ns, own, other in ((far, one, two), (near, two, one)):
        why = f'comment "{comment(it.id)}"'
        carries = [
            f"{family} saddr {listed(own, version)} {family} daddr {listed(other, version)} "
            f"accept {why}"
            for family, version in (("ip", 4), ("ip6", 6))[: 2 if ipv6 else 1]
        ]
        if ipv6:
            yield speaks_ipv6(ns, link)
        yield Chain(ns, "inet", chain, "", (*carries, f"drop {why}"))
        yield Element(ns, "inet", "uplinks", f'"{link}"')
        yield Element(ns, "inet", "acl_out_by_segment", f'"{link}"', "accept")
        yield Element(ns, "inet", "acl_in_by_segment", f'"{link}"', f"goto {chain}")


def _internet_host(it: InternetHost, _mode: Mode, plan: Plan) -> Iterator[Item]:
    ns, link = internet_host_namespace(it.name), internet_host_link(it.name)
    yield from _internet()
    yield Namespace(ns, "internet-host")
    yield from _quiet_ipv6(ns)
    yield from wire(INTERNET, link, ns, "eth0", it.name)
    yield IpAddress(ns, "eth0", it.ip, 32)
    yield KernelRoute(ns, MAIN, ANY, "unicast", FAR, "eth0")
    yield KernelRoute(INTERNET, MAIN, f"{it.ip}/32", "unicast", NEAR, link)
    if it.ip6:
        yield IpAddress(ns, "eth0", it.ip6, 128)
        yield KernelRoute(ns, MAIN, ANY6, "unicast", FAR6, "eth0")
        yield KernelRoute(INTERNET, MAIN, f"{it.ip6}/128", "unicast", NEAR6, link)
        yield Element(INTERNET, "inet", "residents", f'"{link}" . {it.ip6}')
    if it.name == ME and plan.machine_link:
        yield from _machine_link(ns, plan.machine_link)


def _machine_link(ns: str, link: str) -> Iterator[Item]:
    inner = "machine"
    outer_mac, inner_mac = link_mac(MACHINE, link), link_mac(ns, inner)
    yield Veth(MACHINE, link, ns, inner)
    yield Sysctl(MACHINE, f"ipv6/conf/{link}/disable_ipv6", "1", link)
    yield Settings(MACHINE, link, outer_mac, MTU_OUTSIDE, ME)
    yield Settings(ns, inner, inner_mac, MTU_OUTSIDE, ME)
    yield IpAddress(MACHINE, link, MACHINE_END, 30)
    yield IpAddress(ns, inner, ME_END, 30)
    yield KernelRoute(MACHINE, MAIN, PUBLIC, "unicast", ME_END, link, source=MACHINE_END)
    yield from rulesets.machine_door(ns, "eth0", inner)


# --- forwarding ---------------------------------------------------------------------------------
def _range(it: Range, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    yield KernelRoute(it.router, MAIN, it.cidr, "blackhole", metric=FALLBACK_METRIC)
    if ":" in it.cidr:
        yield KernelRoute(it.router, MAIN, ANY6, "blackhole", metric=FALLBACK_METRIC)


def _table(it: Table, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    number = TABLE_BASE + it.number
    yield IpRule(it.router, number, number)


def _segment_table(it: SegmentTable, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    mark = f"0x{TABLE_BASE + it.table.number:08x}"
    yield Element(it.segment.router, "inet", "tables", f'"{segment_link(it.segment.id)}"', mark)


def _route(it: Route, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    ns, table, to = it.table.router, TABLE_BASE + it.table.number, it.destination
    v6 = ":" in to
    if v6:
        yield IpRule(ns, table, table, version=6)
    match it.target:
        case Local():
            # back to main, where a longer prefix than this one may be a segment's
            yield KernelRoute(ns, table, to, "throw")
        case ViaPort(segment=segment, ip=ip, mac=mac):
            link, hop = segment_link(segment.id), link_local(mac) if v6 else ip
            if v6:  # the port need not have an IPv6 address of its own
                yield speaks_ipv6(ns, link)
                yield Neighbour(ns, link, hop, mac)
            yield KernelRoute(ns, table, to, "unicast", hop, link)
        case ViaUplink(gateway=gateway):
            yield KernelRoute(ns, table, to, "unicast", FAR6 if v6 else FAR, uplink_link(gateway))
        case ViaPeering(peering=peering, router=router):
            # the two ends of a link have one hop address each, in the order of their ids
            near, far = (NEAR6, FAR6) if v6 else (NEAR, FAR)
            hop = near if ns < router else far
            if v6:  # the peer need not have an IPv6 block
                yield speaks_ipv6(ns, peering_link(peering))
            yield KernelRoute(ns, table, to, "unicast", hop, peering_link(peering))
        case ViaTransit() | ViaAttachment() | ViaTransitPeering() as target:
            yield from lower_transit.route(ns, table, to, target)
        case Beyond() | Blackhole():
            yield KernelRoute(ns, table, to, "blackhole")


# --- filters ------------------------------------------------------------------------------------
def _filter(it: Filter, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    yield Chain(it.router, "inet", filter_chain(it.id), "", rules(it))
    for rule in it.rules:
        if not _is_prefix(rule.peer):
            for version in versions(rule, it):
                yield from _member_sets(it.router, rule.peer, version)


def _is_prefix(peer: str) -> bool:
    try:
        ipaddress.ip_network(peer)
    except ValueError:
        return False
    return True


def _member_sets(router: str, group: str, version: int) -> Iterator[Item]:
    """Of IPv6 there are two: of addresses, and of blocks that are delegated."""
    for blocks in (False, True)[: 2 if version == 6 else 1]:
        name = member_set(group, version, blocks=blocks)
        yield NftSet(router, "inet", name, "set", f"ipv{version}_addr")


def _member(it: Member, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    version, blocks = 6 if ":" in it.ip else 4, "/" in it.ip
    yield from _member_sets(it.router, it.group, version)
    name = member_set(it.group, version, blocks=blocks)
    yield Element(it.router, "inet", name, base(it.ip))


def _guard(it: Guard, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    ns, link, mac = it.port.segment.router, f'"{port_link(it.port.id)}"', it.port.mac
    yield from guard6(it, to_filter(it.filter_in))
    yield Element(ns, "bridge", "stations", f"{link} . {mac}")
    own = [ip for ip in it.addresses if ":" not in ip]
    for ip in own:
        yield Element(ns, "bridge", "owns", f"{link} . {mac} . {ip}")
    yield Element(ns, "inet", "sg_out_by_mac", mac, to_filter(it.filter_out))
    receives = to_filter(it.filter_in)
    if it.forwarding:
        yield Element(ns, "bridge", "forwarding", link)
        yield Element(ns, "inet", "forwarders", mac)
        yield Element(ns, "inet", "sg_in_by_mac", mac, receives)
    for ip in own:
        yield Element(ns, "inet", "owners", f"{mac} . {ip}")
        for hop in dict.fromkeys((ip, it.addresses[0])):  # routes lead to the primary address
            yield Element(ns, "inet", "last_hops", f"{hop} . {ip}")
        key = "sg_in_by_hop" if it.forwarding else "sg_in_by_ip"
        yield Element(ns, "inet", key, ip, receives)


def _segment_filter(it: SegmentFilter, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    ns, link = it.segment.router, f'"{segment_link(it.segment.id)}"'
    yield Element(ns, "inet", "acl_out_by_segment", link, to_filter(it.filter_out))
    yield Element(ns, "inet", "acl_in_by_segment", link, to_filter(it.filter_in))


# --- translation --------------------------------------------------------------------------------
def _public_address(it: PublicAddress, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    ns = it.gateway
    yield Element(ns, "inet", "public_to_private", it.public, it.private)
    yield Element(ns, "inet", "private_to_public", it.private, it.public)
    yield Element(ns, "inet", "pairs", f"{it.private} . {it.public}")
    yield KernelRoute(ns, MAIN, f"{it.private}/32", "unicast", NEAR, router_link(it.router))
    yield KernelRoute(INTERNET, MAIN, f"{it.public}/32", "unicast", NEAR, gateway_link(it.gateway))


def _global_address(it: GlobalAddress, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    name = "assigned_blocks" if "/" in it.ip else "assigned"
    yield Element(it.gateway, "inet", name, base(it.ip))


def _global_prefix(it: GlobalPrefix, _mode: Mode, _plan: Plan) -> Iterator[Item]:
    cidr, inner = it.segment.cidr6, router_link(it.segment.router)
    yield KernelRoute(it.gateway, MAIN, cidr, "unicast", NEAR6, inner)
    yield KernelRoute(INTERNET, MAIN, cidr, "unicast", NEAR6, gateway_link(it.gateway))


_LOWER: dict[type, Callable[[Any, Mode, Plan], Iterator[Item]]] = {
    Router: _router,
    Segment: _segment,
    Host: _host,
    Port: _port,
    Address: _address,
    Gateway: _gateway,
    Uplink: _uplink,
    Peering: _peering,
    Service: service,
    Transit: lower_transit.transit,
    Attachment: lower_transit.attachment,
    TransitPeering: lower_transit.transit_peering,
    Served: lower_transit.served,
    Foot: lower_transit.foot,
    AttachmentTable: lower_transit.attachment_table,
    InternetHost: _internet_host,
    Range: _range,
    Table: _table,
    SegmentTable: _segment_table,
    Route: _route,
    Filter: _filter,
    Member: _member,
    Guard: _guard,
    Mirrored: lower_mirror.mirrored,
    SegmentFilter: _segment_filter,
    PublicAddress: _public_address,
    GlobalAddress: _global_address,
    GlobalPrefix: _global_prefix,
    Translator: lower_translator.translator,
    Nat64: lower_translator.nat64,
    # what is recorded is counted by flow_meter.py
    **dict.fromkeys((SegmentMode, Recorded, RecordedLink, Machine), _nothing),
    **lower_inner.LOWER,
}
