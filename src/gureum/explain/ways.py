"""Routes in words, and what is behind gateways that are only records here."""

from __future__ import annotations

from gureum.program import (
    Beyond,
    Blackhole,
    Local,
    Route,
    ViaAttachment,
    ViaPeering,
    ViaPort,
    ViaTransit,
    ViaTransitPeering,
    ViaUplink,
)


def route_line(route: Route) -> str:
    """A route in words: ``0.0.0.0/0 -> igw-…``."""
    return f"{route.destination} -> {_way(route.target)}"


def _way(target: object) -> str:
    match target:
        case Local():
            return "local"
        case ViaPort(port=port):
            return port
        case ViaUplink(gateway=gateway):
            return gateway
        case ViaPeering(peering=peering):
            return peering
        case ViaTransit(transit=transit):
            return transit
        case ViaAttachment(attachment=key) | ViaTransitPeering(peering=key):
            return key
        case Beyond(gateway=gateway):
            return gateway
        case Blackhole(target=gone):
            return f"blackhole ({gone})"
        case _:
            return str(target)


def beyond(gateway: str) -> str:
    """Why nobody answers behind a gateway that is only a record here."""
    if gateway.startswith("vgw-"):
        return "no tunnel of a VPN is up, and no site is behind it in this cloud"
    if gateway.startswith("cagw-"):
        return "no carrier's network is part of this cloud"
    return "the service behind the endpoint is not part of this cloud"
