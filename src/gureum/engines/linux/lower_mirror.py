"""What copying the packets of a port needs: rules that copy, and a link on which copies come back.

A router in which nothing is mirrored has nothing of this.  Behind the filters that a packet has
passed at its port, a rule sends a copy (nft ``dup``) to an address that stands for the mirror and
for how the packet went.  It leads over a pair of links within the router, at whose other end
:mod:`.mirror_program` makes of it what the mirror's target gets.  That end is a port of the
source's segment with guards of its own, so the segment's route table and ACL decide where it goes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gureum.engines.linux.guards import hook
from gureum.engines.linux.items import (
    Chain,
    Copier,
    Element,
    Family,
    Item,
    KernelRoute,
    Neighbour,
    NftSet,
    NftTable,
    PortFlags,
    Settings,
    Veth,
)
from gureum.engines.linux.lower_ipv6 import speaks_ipv6
from gureum.engines.linux.mirror_program import RECEIVED, ROUTED, SWITCHED, marked
from gureum.engines.linux.names import (
    MAIN,
    MIRROR_MAC,
    MTU_INSIDE,
    comment,
    copies_link,
    link_local,
    link_mac,
    mirror_link,
    mirror_mac,
    segment_link,
)
from gureum.program import Choice, Mirror, Mirrored

_PROTOCOL: dict[Family, str] = {"ip": "ip", "ip6": "ip6"}
_PREFIX: dict[Family, int] = {"ip": 32, "ip6": 128}
_PORTS = {6: "tcp", 17: "udp"}
_DNS = 53


def mirrored(it: Mirrored, _mode: object, plan: object) -> Iterator[Item]:
    """One port, all its mirrors."""
    isolated = getattr(plan, "way", "") == "isolated"
    families: tuple[Family, ...] = ("ip", "ip6") if it.port.segment.cidr6 else ("ip",)
    for mirror in it.mirrors:
        yield from _way_out(it, mirror, families, isolated=isolated)
    for family in families:
        yield from _hooks(it, family, isolated=isolated)
        for mirror in it.mirrors:
            yield from _choices(it, mirror, family)
            yield from _copies(it, mirror, family)


# --- where copies go ----------------------------------------------------------------------------
def _hop(mirror: Mirror, how: int, family: Family) -> str:
    """The address that a copy is sent to: of blocks that nobody has and that are routed nowhere
    (RFC 1112, section 4: class E; RFC 6666: discard)."""
    number = mirror.slot << 2 | how
    first = ipaddress.ip_address("240.0.0.0" if family == "ip" else "100::")
    return str(first + number)


def _via(how: int, family: Family) -> str:
    return f"169.254.0.{how}" if family == "ip" else f"fe80::{how}"


def _way_out(
    it: Mirrored, mirror: Mirror, families: tuple[Family, ...], *, isolated: bool
) -> Iterator[Item]:
    ns, segment = it.port.segment.router, it.port.segment
    link, source = mirror_link(mirror.session), copies_link(mirror.session)
    mac = mirror_mac(mirror.session)
    yield Veth(ns, link, ns, source)
    yield Settings(ns, source, link_mac(ns, source), MTU_INSIDE, mirror.session)
    bridge = segment_link(segment.id)
    yield Settings(ns, link, link_mac(ns, link), MTU_INSIDE, mirror.session, bridge)
    yield PortFlags(ns, link, learning=False, flood=False, proxy_arp=False, isolated=isolated)
    yield Copier(
        ns,
        link,
        source,
        station=it.port.mac,
        router=segment.mac,
        mac=mac,
        ip=it.ip,
        target=mirror.target,
        vni=mirror.vni,
        length=mirror.length,
    )
    yield Element(ns, "bridge", "stations", f'"{link}" . {mac}')
    yield Element(ns, "bridge", "owns", f'"{link}" . {mac} . {it.ip}')
    yield Element(ns, "inet", "sg_out_by_mac", mac, "accept")
    if "ip6" in families:
        yield speaks_ipv6(ns, source)
    for family in families:
        for how in (ROUTED, SWITCHED, RECEIVED):
            to, via = f"{_hop(mirror, how, family)}/{_PREFIX[family]}", _via(how, family)
            yield KernelRoute(ns, MAIN, to, "unicast", via, source)
            yield Neighbour(ns, source, via, marked(how))


# --- what is copied -----------------------------------------------------------------------------
def _hooks(it: Mirrored, family: Family, *, isolated: bool) -> Iterator[Item]:
    """Between leaving and entering, and behind all filters: what the port's filters refuse is not
    copied, what others refuse later is.  A conversation with the router's own services passes the
    hooks of the router itself."""
    ns, mac, port = it.port.segment.router, it.port.mac, it.port.id
    yield NftTable(ns, family)
    for name, key in (
        ("senders", "ether_addr"),
        ("receivers", "ether_addr"),
        ("hops", f"ipv{4 if family == 'ip' else 6}_addr"),
        ("askers", "ether_addr"),
        ("asked", f"ipv{4 if family == 'ip' else 6}_addr"),
    ):
        yield NftSet(ns, family, name, "map", f"{key} : verdict")
    protocol = _PROTOCOL[family]
    received = (
        'ether daddr vmap @receivers comment "received"',
        f'rt {protocol} nexthop vmap @hops comment "received"',
    )
    asked = f'{protocol} daddr vmap @asked comment "answered"'
    for name, where, priority, rules in (
        ("copies", "prerouting", -300, (f'{MIRROR_MAC} notrack comment "copy"',)),
        ("sent", "forward", 15, ('ether saddr vmap @senders comment "sent"',)),
        ("received", "forward", 35, received),
        ("asking", "input", 5, ('ether saddr vmap @askers comment "asked"',)),
        ("answered", "output", 5, (asked,)),
    ):
        yield Chain(ns, family, name, hook("filter", where, priority), rules)
    yield Element(ns, family, "senders", mac, f"goto sent-{port}")
    yield Element(ns, family, "receivers", mac, f"goto received-{port}")
    own = [ip for ip in it.addresses if (":" in ip) == (family == "ip6") and "/" not in ip]
    for ip in (*own, *((link_local(mac),) if family == "ip6" else ())):
        yield Element(ns, family, "hops", ip, f"goto received-{port}")
    for way, hows in (("sent", "leaving"), ("received", "entering")):
        turns = tuple(_first(mirror, f"{hows}-{mirror.session}") for mirror in it.mirrors)
        yield Chain(ns, family, f"{way}-{port}", "", turns)
    yield from _names(it, family, own, isolated=isolated)


def _first(mirror: Mirror, chain: str) -> str:
    return f'jump {chain} comment "{comment(mirror.session)}"'


def _names(it: Mirrored, family: Family, own: list[str], *, isolated: bool) -> Iterator[Item]:
    """Conversations with the resolver, of the first mirror that wants them.  A rule that copies at
    the input hook takes a hop; isolated ports have given one back within the segment."""
    mirror = next((each for each in it.mirrors if each.names), None)
    if mirror is None:
        return
    segment, why = it.port.segment, f'comment "{comment(mirror.session)}"'
    asks, told = f"asks-{it.port.id}", f"told-{it.port.id}"
    port = f"meta l4proto {{ 6, 17 }} th dport {_DNS}"
    inside = segment.cidr if family == "ip" else segment.cidr6
    to_it = f"{_PROTOCOL[family]} daddr {inside} {port}"
    same = (f"{to_it} dup to {_hop(mirror, SWITCHED, family)} accept {why}",) if isolated else ()
    others = f"{port} dup to {_hop(mirror, ROUTED, family)} {why}"
    back = f"{port.replace('dport', 'sport')} dup to {_hop(mirror, RECEIVED, family)} {why}"
    yield Chain(segment.router, family, asks, "", (*same, others))
    yield Chain(segment.router, family, told, "", (back,))
    yield Element(segment.router, family, "askers", it.port.mac, f"goto {asks}")
    for ip in own:
        yield Element(segment.router, family, "asked", ip, f"goto {told}")


def _choices(it: Mirrored, mirror: Mirror, family: Family) -> Iterator[Item]:
    """The rules of a mirror: a packet that it does not choose goes back, to the next mirror."""
    for way, choices in (("leaving", mirror.leaving), ("entering", mirror.entering)):
        chain, copy = f"{way}-{mirror.session}", f"copy-{way}-{mirror.session}"
        rules = tuple(
            f"{_match(choice, family)} {f'goto {copy}' if choice.copy else 'return'} "
            f'comment "{comment(choice.why)}"'.strip()
            for choice in choices
            if (":" in choice.source) == (family == "ip6")
        )
        yield Chain(it.port.segment.router, family, chain, "", rules)


def _copies(it: Mirrored, mirror: Mirror, family: Family) -> Iterator[Item]:
    """A copy, and no further mirror for the packet."""
    segment, why = it.port.segment, f'comment "{comment(mirror.session)}"'
    inside = segment.cidr if family == "ip" else segment.cidr6
    by_router = f"ether daddr {segment.mac} {_PROTOCOL[family]} daddr != {inside}"
    chains: dict[str, tuple[str, ...]] = {
        "leaving": (
            f"{by_router} dup to {_hop(mirror, ROUTED, family)} accept {why}",
            f"dup to {_hop(mirror, SWITCHED, family)} accept {why}",
        ),
        "entering": (f"dup to {_hop(mirror, RECEIVED, family)} accept {why}",),
    }
    for way, copying in chains.items():
        yield Chain(segment.router, family, f"copy-{way}-{mirror.session}", "", copying)


def _match(choice: Choice, family: Family) -> str:
    words = [
        *_within(f"{_PROTOCOL[family]} saddr", choice.source),
        *_within(f"{_PROTOCOL[family]} daddr", choice.target),
        *_protocol(choice),
    ]
    return " ".join(words)


def _within(field: str, prefix: str) -> Iterator[str]:
    network = ipaddress.ip_network(prefix)
    if network.prefixlen:
        alone = network.prefixlen == network.max_prefixlen
        yield f"{field} {network.network_address if alone else network}"


def _protocol(choice: Choice) -> Iterator[str]:
    if choice.protocol is None:
        return
    name = _PORTS.get(choice.protocol)
    spans = [
        f"{name} {side} {_span(*ports)}"
        for side, ports in (("sport", choice.source_ports), ("dport", choice.target_ports))
        if name and ports is not None and ports != (0, 65535)
    ]
    yield from spans or [f"meta l4proto {choice.protocol}"]


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"
