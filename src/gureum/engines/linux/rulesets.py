"""The fixed part of each kind of namespace: its sysctls and the skeleton of its nft rules.

Base chains end in an explicit drop with a comment: a chain policy has no name in a packet trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Literal

from gureum.engines.linux.guards import BLOCK6, guards, hook
from gureum.engines.linux.items import Chain, Family, Item, NftSet, NftTable, Sysctl
from gureum.engines.linux.names import (
    FROM_OWNER,
    FROM_TRANSIT,
    TO_OWNER,
    TO_TRANSIT,
)
from gureum.engines.linux.rulesets_ipv6 import ON_LINK, RECEIVED, SOLICITED, assigned6, stages6
from gureum.engines.linux.rulesets_roles import (
    BRIDGED_TO_OTHER,
    BRIDGED_TO_OWNER,
    ROUTED_TO_OWNER,
    SENT_BY_OWNER,
)
from gureum.engines.linux.services import (
    FROM_NO_SERVICE,
    FROM_NO_SERVICE6,
    TO_A_SERVICE,
    TO_A_SERVICE6,
    services,
)
from gureum.model.internet import PUBLIC, PUBLIC6

BridgeFilter = Literal["netfilter", "isolated"]


def sysctls(ns: str, values: Iterable[tuple[str, str]]) -> Iterator[Item]:
    for name, value in values:
        yield Sysctl(ns, name, value)


def _conf(name: str, value: str) -> Iterator[tuple[str, str]]:
    for device in ("all", "default"):  # effective is all OR device; devices are born from default
        yield f"ipv4/conf/{device}/{name}", value


def forwarding(rp_filter: str = "0") -> Iterator[tuple[str, str]]:
    yield "ipv4/ip_forward", "1"
    yield from _conf("rp_filter", rp_filter)
    yield from _conf("send_redirects", "0")
    yield from _conf("accept_redirects", "0")


def forwarding6(disabled: str = "0") -> Iterator[tuple[str, str]]:
    """Forwards IPv6; links have the addresses that they are given and no others.  With ``disabled``
    they speak none of it until they are told to, one by one."""
    yield "ipv6/conf/all/forwarding", "1"
    yield "ipv6/conf/default/disable_ipv6", disabled
    yield "ipv6/conf/default/addr_gen_mode", "1"


def _flows(ns: str, *, ipv6: bool) -> Iterator[Item]:
    """Connection tracking for each interface by itself, as in AWS.  ``admit_…`` remember that an
    interface let a flow leave (``out``) or enter (``in``); ``flow_…`` let pass what continues or
    answers such a flow, and return what does not to the rules.

    Without the difference between owner and transit, an instance with its check off could say to
    itself what its victim never said, and answer.
    """
    family: Family = "inet"
    for side, owner, transit, other_owner, other_transit in (
        ("out", FROM_OWNER, FROM_TRANSIT, TO_OWNER, TO_TRANSIT),
        ("in", TO_OWNER, TO_TRANSIT, FROM_OWNER, FROM_TRANSIT),
    ):
        by_owner, by_transit = f"goto flow_{side}_owner", f"goto flow_{side}_transit"
        own, through = _admits(owner), _admits(transit)
        roles = partial(_by_role, side, ipv6=ipv6)
        yield Chain(ns, family, f"flow_{side}", "", roles(by_owner, by_transit))
        yield Chain(ns, family, f"flow_{side}_owner", "", _goes_on(owner, other_owner))
        yield Chain(ns, family, f"flow_{side}_transit", "", _goes_on(transit, other_transit))
        yield Chain(
            ns,
            family,
            f"admit_{side}",
            "",
            (
                'ct direction reply accept comment "admitted"',
                *roles(own, through),
                'accept comment "admitted"',  # without connection tracking
            ),
        )


def _by_role(side: str, owner: str, transit: str, *, ipv6: bool) -> tuple[str, ...]:
    """What to do with packets of the interface that owns their address, and with others."""
    last = f'{transit} comment "transit"'

    def owned(conditions: tuple[str, ...]) -> Iterator[str]:
        versions = conditions if ipv6 else conditions[:1]
        return (f'{condition} {owner} comment "owner"' for condition in versions)

    if side == "out":
        return *owned(SENT_BY_OWNER), last
    return (
        *owned(BRIDGED_TO_OWNER),
        f'{BRIDGED_TO_OTHER} {transit} comment "transit"',
        *owned(ROUTED_TO_OWNER),
        last,
    )


def _goes_on(original: int, reply: int) -> tuple[str, ...]:
    return tuple(
        f'ct direction {way} ct mark & 0x{bit:08x} == 0x{bit:08x} accept comment "established"'
        for way, bit in (("original", original), ("reply", reply))
    )


def _admits(bit: int) -> str:
    return f"ct mark set ct mark | 0x{bit:08x} accept"


def router(ns: str, way: BridgeFilter, *, ipv6: bool) -> Iterator[Item]:
    """A VPC's router: the four stages at the forward hook, the port guards at the bridges.  One
    without ``ipv6`` has no part about it: each set costs every change of a rule some time."""
    call = "1" if way == "netfilter" else "0"
    yield from sysctls(
        ns,
        (
            *forwarding(),
            *forwarding6(disabled="1"),
            # a NAT gateway hands the router's own ICMP errors back through the router
            *_conf("accept_local", "1"),
            # stricter on each link but the bridges: the larger of the two values counts
            ("ipv4/conf/all/arp_ignore", "0"),
            # traceroute shows the address of the subnet that a packet came from
            ("ipv4/icmp_errors_use_inbound_ifaddr", "1"),
            ("bridge/bridge-nf-call-iptables", call),
            ("bridge/bridge-nf-call-ip6tables", call),
            ("bridge/bridge-nf-call-arptables", "0"),
            # security group connection tracking (EC2 User Guide, idle timeouts; seconds)
            ("netfilter/nf_conntrack_tcp_timeout_established", "432000"),
            ("netfilter/nf_conntrack_udp_timeout", "30"),
            ("netfilter/nf_conntrack_udp_timeout_stream", "180"),
            ("netfilter/nf_conntrack_generic_timeout", "600"),
        ),
    )
    yield from guards(ns, ipv6=ipv6)
    yield from _stages(ns, ipv6=ipv6)
    if way == "isolated":
        yield Sysctl(ns, "ipv6/conf/all/proxy_ndp", "1")
        yield from _hop_repair(ns)


def _stages(ns: str, *, ipv6: bool) -> Iterator[Item]:
    family: Family = "inet"
    on_link = (ON_LINK,) if ipv6 else ()
    yield NftTable(ns, family)
    if ipv6:
        yield from stages6(ns)
    for name, form, kind in (
        ("uplinks", "set", "ifname"),
        ("inside", "set", "ifname . ifname"),
        ("landed", "set", "ifname . ether_addr . ifname"),
        ("owners", "set", "ether_addr . ipv4_addr"),
        ("forwarders", "set", "ether_addr"),
        ("last_hops", "set", "ipv4_addr . ipv4_addr"),
        ("tables", "map", "ifname : mark"),
        ("sg_out_by_mac", "map", "ether_addr : verdict"),
        ("sg_in_by_mac", "map", "ether_addr : verdict"),
        ("sg_in_by_hop", "map", "ipv4_addr : verdict"),
        ("sg_in_by_ip", "map", "ipv4_addr : verdict"),
        ("acl_out_by_segment", "map", "ifname : verdict"),
        ("acl_in_by_segment", "map", "ifname : verdict"),
    ):
        yield NftSet(ns, family, name, "map" if form == "map" else "set", kind)
    yield from services(ns, ipv6=ipv6)
    yield from _flows(ns, ipv6=ipv6)
    yield Chain(
        ns,
        family,
        "prerouting",
        hook("filter", "prerouting", -150),
        ('meta mark set iifname map @tables comment "route-table"',),
    )
    yield Chain(
        ns,
        family,
        "input",
        hook("filter", "input", 0),
        (
            *(SOLICITED if ipv6 else ()),
            TO_A_SERVICE,
            *((TO_A_SERVICE6,) if ipv6 else ()),
            'drop comment "router-answers-nothing"',
        ),
    )
    yield Chain(
        ns,
        family,
        "sg_out",
        hook("filter", "forward", 0, "drop"),
        (
            'iifname @uplinks accept comment "from-gateway"',
            'ct state related accept comment "related"',
            'ct state established jump flow_out comment "flow"',
            *on_link,
            FROM_NO_SERVICE,
            *((FROM_NO_SERVICE6,) if ipv6 else ()),
            'ether saddr vmap @sg_out_by_mac comment "group"',
            'drop comment "no-interface"',
        ),
    )
    # from a transit gateway, at its foot in the segment itself
    landed = 'iifname . ether saddr . oifname @landed accept comment "same-segment"'
    for stage, side, priority, more in (
        ("acl_out", "iifname", 10, ()),
        ("acl_in", "oifname", 20, (landed,)),
    ):
        yield Chain(
            ns,
            family,
            stage,
            hook("filter", "forward", priority, "drop"),
            (
                'iifname . oifname @inside accept comment "same-segment"',
                *more,
                f'{side} vmap @{stage}_by_segment comment "acl"',
                'drop comment "no-acl"',
            ),
        )
    yield Chain(
        ns,
        family,
        "sg_in",
        hook("filter", "forward", 30, "drop"),
        (
            'oifname @uplinks accept comment "to-gateway"',
            'ct state related accept comment "related"',
            'ct state established jump flow_in comment "flow"',
            *on_link,
            # interfaces that receive for others: by link address where bridged, by hop where routed
            'ether daddr vmap @sg_in_by_mac comment "group"',
            'rt ip nexthop vmap @sg_in_by_hop comment "group"',
            # a route that leads to an interface which takes only what is addressed to it
            'rt ip nexthop . ip daddr != @last_hops drop comment "dest-check"',
            'ip daddr vmap @sg_in_by_ip comment "group"',
            *(RECEIVED if ipv6 else ()),
            'drop comment "dest-check"',
        ),
    )


def _hop_repair(ns: str) -> Iterator[Item]:
    """With isolated ports the router forwards inside a segment; the hop must not show.  nft 1.0.6
    can set a TTL only to a constant, hence a chain for each value."""
    family: Family = "inet"
    yield NftSet(ns, family, "ttl_by_segment", "map", "ifname : verdict")
    yield Chain(
        ns,
        family,
        "ttl",
        hook("filter", "prerouting", -140),
        ('iifname vmap @ttl_by_segment comment "same-segment"',),
    )
    pairs = ", ".join(f"{value} : goto ttl{value}" for value in range(1, 255))
    fields = ("ip ttl", "ip6 hoplimit")
    raises = tuple(f'{field} vmap {{ {pairs} }} comment "ttl"' for field in fields)
    yield Chain(ns, family, "ttl_raise", "", raises)
    for value in range(1, 255):
        more = tuple(f'{field} set {value + 1} comment "ttl"' for field in fields)
        yield Chain(ns, family, f"ttl{value}", "", more)


def gateway(ns: str) -> Iterator[Item]:
    """An internet gateway: two maps, and a check of every packet, also of established flows,
    against the pairs in force, so that a flow ends with its public address.  IPv6 passes as it is,
    from and to ``assigned`` addresses."""
    family: Family = "inet"
    yield from sysctls(ns, (*forwarding(), *forwarding6()))
    yield NftTable(ns, family)
    yield NftSet(ns, family, "routers", "set", "ifname")
    yield from assigned6(ns)
    yield NftSet(ns, family, "pairs", "set", "ipv4_addr . ipv4_addr")
    yield NftSet(ns, family, "public_to_private", "map", "ipv4_addr : ipv4_addr")
    yield NftSet(ns, family, "private_to_public", "map", "ipv4_addr : ipv4_addr")
    yield Chain(
        ns, family, "input", hook("filter", "input", 0), ('drop comment "gateway-answers-nothing"',)
    )
    yield Chain(
        ns,
        family,
        "prerouting",
        hook("nat", "prerouting", -100),
        ('dnat ip to ip daddr map @public_to_private comment "public-to-private"',),
    )
    yield Chain(
        ns,
        family,
        "postrouting",
        hook("nat", "postrouting", 100),
        ('snat ip to ip saddr map @private_to_public comment "private-to-public"',),
    )
    yield Chain(
        ns,
        family,
        "passage",
        hook("filter", "postrouting", 150),
        (
            'iifname @routers jump leaving comment "from-router"',
            'oifname @routers goto arriving comment "to-router"',
            'accept comment "to-internet"',
        ),
    )
    yield Chain(
        ns,
        family,
        "leaving",
        "",
        (
            'ct direction original ct original ip saddr . ip saddr @pairs return comment "mapped"',
            'ct direction reply ct reply ip saddr . ip saddr @pairs return comment "mapped"',
            'ip6 saddr @assigned return comment "assigned"',
            f'ip6 saddr & {BLOCK6} == @assigned_blocks return comment "assigned"',
            'drop comment "no-public-address"',
        ),
    )
    yield Chain(
        ns,
        family,
        "arriving",
        "",
        (
            'ct direction original ip daddr . ct original ip daddr @pairs accept comment "mapped"',
            'ct direction reply ip daddr . ct reply ip daddr @pairs accept comment "mapped"',
            'ip6 daddr @assigned accept comment "assigned"',
            f'ip6 daddr & {BLOCK6} == @assigned_blocks accept comment "assigned"',
            'fib saddr type local accept comment "own-error"',
            'drop comment "no-public-address"',
        ),
    )


_GOES_ON = "tcp flags ack / syn,rst,ack"
"""What neither begins a connection nor accepts or refuses one."""


def egress_only(ns: str) -> Iterator[Item]:
    """An egress-only internet gateway: IPv6 of ``assigned`` addresses, and nothing inwards that was
    not begun from inside."""
    family: Family = "inet"
    yield from sysctls(
        ns,
        (
            *forwarding(),
            *forwarding6(),
            # an answer to what it never saw begin begins nothing
            ("netfilter/nf_conntrack_tcp_loose", "0"),
        ),
    )
    yield NftTable(ns, family)
    yield NftSet(ns, family, "routers", "set", "ifname")
    yield from assigned6(ns)
    yield Chain(
        ns, family, "input", hook("filter", "input", 0), ('drop comment "gateway-answers-nothing"',)
    )
    yield Chain(
        ns,
        family,
        "forward",
        hook("filter", "forward", 0),
        (
            *(
                f"{link} @routers ip6 {end} != @assigned ip6 {end} & {BLOCK6} != @assigned_blocks "
                'drop comment "not-assigned"'
                for link, end in (("iifname", "saddr"), ("oifname", "daddr"))
            ),
            'ct state established,related accept comment "established"',
            'iifname @routers ct state new accept comment "from-inside"',
            # answers come in by the internet gateway where a table leads to both
            f'iifname @routers ct state invalid {_GOES_ON} accept comment "goes-on"',
            'drop comment "egress-only"',
        ),
    )


def internet(ns: str) -> Iterator[Item]:
    """The internet's router: public addresses only, each only from where it is (RFC 3704)."""
    yield from sysctls(ns, (*forwarding(rp_filter="1"), *forwarding6()))
    yield NftTable(ns, "inet")
    yield NftSet(ns, "inet", "residents", "set", "ifname . ipv6_addr")
    yield NftSet(ns, "inet", "gateways", "set", "ifname")
    yield Chain(
        ns,
        "inet",
        "input",
        hook("filter", "input", 0),
        ('drop comment "internet-answers-nothing"',),
    )
    yield Chain(
        ns,
        "inet",
        "forward",
        hook("filter", "forward", 0),
        (
            f'ip saddr {PUBLIC} ip daddr {PUBLIC} accept comment "public"',
            # gateways let nobody speak in another's name; of IPv6 there is no rp_filter
            f'iifname @gateways ip6 daddr {PUBLIC6} accept comment "public"',
            f'iifname . ip6 saddr @residents ip6 daddr {PUBLIC6} accept comment "public"',
            'drop comment "not-public"',
        ),
    )


def translator(ns: str) -> Iterator[Item]:
    """A NAT gateway before it is told what to translate: nothing passes."""
    yield from sysctls(
        ns,
        (
            *forwarding(),
            *forwarding6(disabled="1"),
            # NAT gateways, "Troubleshoot": idle for 350 seconds, then a reset to the inside
            ("netfilter/nf_conntrack_tcp_timeout_established", "350"),
            ("netfilter/nf_conntrack_udp_timeout", "350"),
            ("netfilter/nf_conntrack_udp_timeout_stream", "350"),
            ("netfilter/nf_conntrack_tcp_loose", "0"),
        ),
    )
    yield NftTable(ns, "inet")
    yield NftSet(ns, "inet", "translated", "set", "ifname . ether_addr")
    yield Chain(
        ns,
        "inet",
        "input",
        hook("filter", "input", 0),
        ('drop comment "nat-gateway-answers-nothing"',),
    )
    yield Chain(
        ns,
        "inet",
        "raw",
        hook("filter", "prerouting", -450),  # before defragmentation at -400
        ('ip frag-off & 16383 != 0 meta l4proto != 17 drop comment "fragment"',),
    )
    yield Chain(
        ns,
        "inet",
        "forward",
        hook("filter", "forward", 0),
        (
            'ct state established,related accept comment "established"',
            # from the subnet's router only: nobody uses a NAT gateway past the route tables
            'iifname . ether saddr != @translated drop comment "not-routed"',
            'ct state invalid meta l4proto 6 reject with tcp reset comment "idle"',
            'ct state new meta l4proto { 1, 6, 17, 58 } accept comment "new"',
            'drop comment "not-translatable"',
        ),
    )


def machine_door(ns: str, outside: str, machine: str) -> Iterator[Item]:
    """Me as a home router between the machine and the internet: the machine may call out, nothing
    new comes in, not even from me."""
    yield Sysctl(ns, "ipv4/ip_forward", "1")
    yield NftTable(ns, "inet")
    yield Chain(
        ns,
        "inet",
        "postrouting",
        hook("nat", "postrouting", 100),
        (f'oifname "{outside}" iifname "{machine}" masquerade comment "machine-to-me"',),
    )
    closed = (
        'ct state established,related accept comment "established"',
        f'oifname "{machine}" drop comment "machine-is-closed"',
    )
    yield Chain(ns, "inet", "output", hook("filter", "output", 0), closed)
    yield Chain(
        ns,
        "inet",
        "forward",
        hook("filter", "forward", 0),
        (
            *closed,
            f'iifname "{machine}" oifname "{outside}" ip daddr {PUBLIC} accept comment "machine"',
            'drop comment "me-forwards-nothing-else"',
        ),
    )
