"""What the statements about containers need, in the namespaces of instances.

The rules are few and in chains of our own table, so that ``nft list ruleset`` in the instance reads
like a page about Docker's network: publishing is destination translation, going out is source
translation, and the host's own input rules are never asked about either.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from gureum.engines.linux.guards import hook
from gureum.engines.linux.items import (
    Bridge,
    Chain,
    Element,
    IpAddress,
    Item,
    KernelRoute,
    Namespace,
    NftSet,
    NftTable,
    PortFlags,
    Settings,
    Sysctl,
    Veth,
)
from gureum.engines.linux.names import MAIN, MTU_OUTSIDE, digest, link_mac, tail
from gureum.program import InnerHost, InnerPort, InnerSegment, Published

ANY = "0.0.0.0/0"
PROTOCOLS = {6: "tcp", 17: "udp"}


def container_namespace(container: str) -> str:
    """The namespace of a container; the prefix keeps it apart from other ids."""
    return f"c-{container[:16]}"


def container_link(container: str, index: int) -> str:
    """The instance's end of a container's link."""
    return f"veth{digest(f'{container}/{index}')[:7]}"


def segment(it: InnerSegment, _mode: object, _plan: object) -> Iterator[Item]:
    """A learning bridge in the instance, and translation for what leaves it."""
    ns, link = it.host, it.name
    yield Namespace(ns, "instance")
    yield Bridge(ns, link)
    yield Settings(ns, link, link_mac(ns, link), MTU_OUTSIDE, tail(it.id))
    yield IpAddress(ns, link, it.gateway, ipaddress.ip_network(it.cidr).prefixlen)
    yield Sysctl(ns, "ipv4/ip_forward", "1")
    # so that a port is published at the instance's 127.0.0.1, too
    yield Sysctl(ns, f"ipv4/conf/{link}/route_localnet", "1", link)
    yield from skeleton(ns)
    yield Element(ns, "inet", "container_bridges", f'"{link}"')
    # bridged packets may come by, too (br_netfilter)
    yield Element(ns, "inet", "container_ways", f'"{link}" . "{link}"')
    if not it.closed:
        yield Element(ns, "inet", "container_networks", f"{it.cidr}")


def skeleton(ns: str) -> Iterator[Item]:
    """The chains and sets that all segments and containers of an instance share.

    Chains accept nothing: what they let pass goes on to the rules that the instance's owner made.
    """
    yield NftTable(ns, "inet")
    for name, form, kind in (
        ("container_bridges", "set", "ifname"),
        ("container_ways", "set", "ifname . ifname"),
        ("container_published", "map", "inet_proto . inet_service : ipv4_addr . inet_service"),
        (
            "container_published_at",
            "map",
            "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
        ),
    ):
        yield NftSet(ns, "inet", name, "map" if form == "map" else "set", kind)
    yield NftSet(ns, "inet", "container_networks", "set", "typeof ip saddr; flags interval")
    yield Chain(ns, "inet", "container_translate", "", _TRANSLATE)
    yield Chain(ns, "inet", "container_in", hook("nat", "prerouting", -100), _ARRIVING)
    yield Chain(ns, "inet", "container_local", hook("nat", "output", -100), _ARRIVING)
    yield Chain(ns, "inet", "container_out", hook("nat", "postrouting", 100), _LEAVING)
    yield Chain(ns, "inet", "container_forward", hook("filter", "forward", 0), _FORWARDED)


_TO = "dnat ip to"
_TRANSLATE = (
    (
        f"{_TO} ip daddr . meta l4proto . th dport map @container_published_at "
        'comment "published-port"'
    ),
    f'{_TO} meta l4proto . th dport map @container_published comment "published-port"',
)
_ARRIVING = (
    "meta nfproto ipv4 meta l4proto { 6, 17 } fib daddr type local jump container_translate",
)
_LEAVING = (
    # back into the bridge that it came from, or from a loopback address: answers must come here
    'oifname @container_bridges ct status dnat ip saddr 127.0.0.0/8 masquerade comment "hairpin"',
    (
        "oifname @container_bridges ct status dnat ip saddr @container_networks masquerade "
        'comment "hairpin"'
    ),
    'ip saddr @container_networks oifname != @container_bridges masquerade comment "masquerade"',
)
_FORWARDED = (
    'ct state established,related accept comment "established"',
    'oifname @container_bridges ct status dnat accept comment "published-port"',
    'iifname . oifname @container_ways accept comment "same-network"',
    'iifname @container_bridges oifname @container_bridges drop comment "other-network"',
    'oifname @container_bridges drop comment "not-published"',
    'iifname @container_bridges ip saddr != @container_networks drop comment "internal-network"',
)


def host(it: InnerHost, _mode: object, _plan: object) -> Iterator[Item]:
    """A namespace that belongs to the instance's user namespace."""
    ns = container_namespace(it.id)
    yield Namespace(ns, "container")
    yield Sysctl(ns, "ipv6/conf/default/addr_gen_mode", "1")
    # as Docker does: a container's servers may have ports below 1024 without root, and ping works
    yield Sysctl(ns, "ipv4/ip_unprivileged_port_start", "0")
    yield Sysctl(ns, "ipv4/ping_group_range", "0 65535")


def port(it: InnerPort, _mode: object, _plan: object) -> Iterator[Item]:
    """A pair of links with an address."""
    ns, link = it.segment.host, container_link(it.owner, it.index)
    inside, inner = container_namespace(it.owner), f"eth{it.index}"
    yield Veth(ns, link, inside, inner)
    yield Settings(ns, link, link_mac(ns, link), MTU_OUTSIDE, it.owner[:16], it.segment.name)
    yield Settings(inside, inner, it.mac, MTU_OUTSIDE, it.owner[:16])
    yield PortFlags(ns, link, learning=True, flood=True, proxy_arp=False, isolated=False)
    yield IpAddress(inside, inner, it.ip, ipaddress.ip_network(it.segment.cidr).prefixlen)
    if it.gateway and not it.segment.closed:
        yield KernelRoute(inside, MAIN, ANY, "unicast", it.segment.gateway, inner)


def published(it: Published, _mode: object, _plan: object) -> Iterator[Item]:
    """A destination that is translated; what was translated may pass."""
    ns, name = it.segment.host, "container_published"
    what, to = f"{PROTOCOLS[it.protocol]} . {it.port}", f"{it.ip} . {it.to_port}"
    if it.address:
        name, what = f"{name}_at", f"{it.address} . {what}"
    yield Element(ns, "inet", name, what, to)


LOWER: dict[type, Callable[[Any, Any, Any], Iterator[Item]]] = {
    InnerSegment: segment,
    InnerHost: host,
    InnerPort: port,
    Published: published,
}
