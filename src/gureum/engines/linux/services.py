"""The way to a router's services: which ports there are, who may ask, and how often."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.engines.linux.guards import BLOCK6
from gureum.engines.linux.items import Chain, Element, Family, IpAddress, Item, NftSet
from gureum.program import Service

TO_A_SERVICE = 'ip daddr . meta l4proto . th dport @services goto service comment "service"'
"""For the input hook of a router."""

TO_A_SERVICE6 = 'ip6 daddr . meta l4proto . th dport @services6 goto service comment "service"'
"""The same of IPv6."""

FROM_NO_SERVICE = 'ip saddr @service_addresses drop comment "source-check"'
"""For its forward hook: who may speak for others may not speak for a service."""

FROM_NO_SERVICE6 = 'ip6 saddr @service_addresses6 drop comment "source-check"'
"""The same of IPv6."""

_RATES = "ether_addr; size 65535; flags dynamic,timeout; timeout 1m"
_OVER_RATE = "limit rate over 1024/second burst 1024 packets"
"""Packets of an interface to all link-local services (VPC User Guide, "Amazon DNS quotas")."""


def services(ns: str, *, ipv6: bool) -> Iterator[Item]:
    """What a router without services has for them."""
    family: Family = "inet"
    yield NftSet(ns, family, "segments", "set", "ifname")
    yield NftSet(ns, family, "services", "set", "ipv4_addr . inet_proto . inet_service")
    yield NftSet(ns, family, "service_addresses", "set", "ipv4_addr")
    yield NftSet(ns, family, "service_rates", "set", _RATES)
    own = ["ether saddr . ip saddr != @owners"]
    if ipv6:
        own.append(
            "ether saddr . ip6 saddr != @owners6 "
            f"ether saddr . ip6 saddr & {BLOCK6} != @owner_blocks6"
        )
        yield NftSet(ns, family, "services6", "set", "ipv6_addr . inet_proto . inet_service")
        yield NftSet(ns, family, "service_addresses6", "set", "ipv6_addr")
    yield Chain(
        ns,
        family,
        "service",
        "",
        (
            'iifname != @segments drop comment "service-elsewhere"',
            # whoever may speak for others would be taken for them
            *(f'{each} drop comment "source-check"' for each in own),
            f'update @service_rates {{ ether saddr {_OVER_RATE} }} drop comment "service-rate"',
            'accept comment "service"',
        ),
    )


def service(it: Service, _mode: object, _plan: object) -> Iterator[Item]:
    """The items of one service: an address of the router itself, and leave to use one port."""
    twin, length = ("6", 128) if ":" in it.ip else ("", 32)
    yield IpAddress(it.router, "lo", it.ip, length)
    yield Element(it.router, "inet", f"services{twin}", f"{it.ip} . {it.protocol} . {it.port}")
    yield Element(it.router, "inet", f"service_addresses{twin}", it.ip)
