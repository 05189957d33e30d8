"""What NAT gateways need: IPv4 source addresses, and IPv6 that becomes IPv4 (NAT64).

IPv6 to the prefix of NAT64 gets one source address in the gateway (``INSIDE6``), and goes over a
pair of links within its namespace, at whose ends :mod:`.siit_program` turns one version into the
other.  What comes out is IPv4 from one more client, and becomes the gateway's as all IPv4 does.  So
both halves of a flow are the kernel's own, and both are needed: nothing comes in by one alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from gureum.engines.linux.guards import hook
from gureum.engines.linux.items import Chain, Element, IpAddress, Item, KernelRoute, Neighbour, Siit
from gureum.engines.linux.lower_ipv6 import ANY6, speaks_ipv6
from gureum.engines.linux.names import (
    FAR6,
    MAIN,
    MTU_INSIDE,
    NEAR,
    ROUTER6,
    SIIT4,
    SIIT6,
    link_local,
    link_mac,
    segment_link,
)
from gureum.engines.linux.wires import wire
from gureum.model.nat64 import (
    INSIDE4,
    INSIDE6,
    PREFIX,
    UNTRANSLATED,
    synthesized,
    synthesized_prefix,
)
from gureum.program import SHARES, Nat64, Translator


def translator(it: Translator, _mode: object, _plan: object) -> Iterator[Item]:
    ns, link, router = it.port.host, f'"eth{it.port.index}"', it.port.segment.mac
    yield Element(ns, "inet", "translated", f"{link} . {router}")
    others = f"oifname {link} ip saddr != {it.ip}"
    name = f"postrouting-{it.port.index}"
    why = f'comment "{it.port.host}"'
    shared = []
    for share in range(SHARES):
        ip = it.address_for(6, share)
        if ip != it.ip:
            ports = f"meta l4proto {{ 6, 17 }} th sport & {SHARES - 1} == {share}"
            shared.append(f"{others} {ports} snat ip to {ip}:1024-65535 {why}")
    yield Chain(
        ns,
        "inet",
        name,
        hook("nat", "postrouting", 100),
        (
            *shared,
            f"{others} meta l4proto {{ 6, 17 }} snat ip to {it.ip}:1024-65535 {why}",
            f"{others} snat ip to {it.ip} {why}",
        ),
    )


def nat64(it: Nat64, _mode: object, _plan: object) -> Iterator[Item]:
    ns, link, segment = it.port.host, f"eth{it.port.index}", it.port.segment
    yield from wire(ns, SIIT4, ns, SIIT6, ns, MTU_INSIDE)
    for each in (link, SIIT4, SIIT6):
        yield speaks_ipv6(ns, each)
    yield Siit(ns, SIIT4, SIIT6, 4, PREFIX, INSIDE4, INSIDE6)
    yield Siit(ns, SIIT6, SIIT4, 6, PREFIX, INSIDE4, INSIDE6)
    yield KernelRoute(ns, MAIN, PREFIX, "unicast", FAR6, SIIT6)
    yield KernelRoute(ns, MAIN, f"{INSIDE4}/32", "unicast", NEAR, SIIT4)
    yield Neighbour(ns, link, ROUTER6, segment.mac)
    yield KernelRoute(ns, MAIN, ANY6, "unicast", ROUTER6, link)
    yield IpAddress(ns, "lo", synthesized(it.ip), 128)  # its name in traceroute
    yield Element(ns, "inet", "translated", f'"{SIIT4}" . {link_mac(ns, SIIT6)}')
    yield from _rules(ns, link)
    # the router takes it for one that receives IPv6, whether or not its subnet has a block
    yield speaks_ipv6(segment.router, segment_link(segment.id))
    hop = link_local(it.port.mac)
    yield Element(segment.router, "inet", "sg_in_by_hop6", hop, "accept")


def _rules(ns: str, link: str) -> Iterator[Item]:
    why = f'comment "{ns}"'
    inside = [
        f"{family} {end} {ip}"
        for family, ip in (("ip", INSIDE4), ("ip6", INSIDE6))
        for end in ("saddr", "daddr")
    ]
    nowhere = [synthesized_prefix(each) for each in UNTRANSLATED]
    yield Chain(
        ns,
        "inet",
        "raw-nat64",
        hook("filter", "prerouting", -450),  # before connection tracking
        tuple(f'iifname "{link}" {each} drop comment "inside"' for each in inside),
    )
    yield Chain(
        ns,
        "inet",
        "forward-nat64",
        hook("filter", "forward", -10),
        (
            'ct state established,related accept comment "established"',
            f'meta nfproto ipv6 oifname != "{SIIT6}" drop comment "not-translatable"',
            *(f'ip6 daddr {each} drop comment "not-translatable"' for each in nowhere),
        ),
    )
    yield Chain(
        ns,
        "inet",
        "postrouting-nat64",
        hook("nat", "postrouting", 100),
        (f'oifname "{SIIT6}" snat ip6 to {INSIDE6} {why}',),
    )
