"""A packet's way through a transit gateway (docs/dataplane.md, "Transit gateways")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gureum.explain.codes import Code
from gureum.explain.network import Network, contains, length
from gureum.explain.packet import Packet
from gureum.explain.steps import Kind, Tried
from gureum.explain.ways import route_line
from gureum.program import Attachment, Blackhole, Route, Segment, Table, ViaAttachment


@dataclass(frozen=True)
class Told:
    """A step in the making; ``more`` are further fields of it."""

    kind: Kind
    place: str
    said: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Crossing:
    """What happens on the way, and the router at its end; None where it ends in the gateway."""

    told: list[Told]
    router: str | None


def crossing(network: Network, key: str, segment: Segment, packet: Packet) -> Crossing:
    """From a segment's router by an attachment into its transit gateway, and out of that."""
    link = network.attachments[key]
    told = [_let_out(network, link, segment, packet)]
    table = network.attached.get(key)
    if table is None:
        said = f"{key} is associated with no route table"
        code = Code.TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION
        return _ends(told, Told("transit-route", link.transit, said, {"by": (key,), "code": code}))
    routes = network.matching(table, packet.target)
    lost = tuple(_lost(network, table, routes, packet))
    more: dict[str, Any] = {"by": (table.id,), "tried": lost}
    if not routes:
        said = f"no route of {table.id} leads to {packet.target}"
        code = Code.TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT
        return _ends(told, Told("transit-route", link.transit, said, more | {"code": code}))
    said = route_line(routes[0])
    target = routes[0].target
    if isinstance(target, ViaAttachment):
        return Crossing([*told, Told("transit-route", link.transit, said, more)], target.router)
    if isinstance(target, Blackhole) and target.target != table.id:
        more["by"] = (table.id, target.target)
    more["code"] = Code.TGW_RTB_BAD_STATE_ROUTE
    return _ends(told, Told("transit-route", link.transit, said, more))


def _ends(told: list[Told], last: Told) -> Crossing:
    return Crossing([*told, last], None)


def _let_out(network: Network, link: Attachment, segment: Segment, packet: Packet) -> Told:
    """What the attachment says where it begins, in the place of an ACL."""
    more: dict[str, Any] = {"by": (link.id,)}
    if (link.id, segment.id) not in network.served:
        said = f"{link.id} has no subnet in the zone of {segment.id}"
        return Told("transit", link.id, said, more | {"code": Code.TGW_ROUTE_AZ_RESTRICTION})
    if not any(contains(cidr, packet.source) for cidr in link.cidrs):
        said = f"carries packets from addresses of {link.router} only, and {packet.source} is none"
        return Told("transit", link.id, said, more | {"code": Code.GATEWAY_REJECTS_SPOOFED_TRAFFIC})
    return Told("transit", link.id, f"into {link.transit}", more)


def _lost(network: Network, table: Table, matching: list[Route], packet: Packet) -> Iterator[Tried]:
    """The routes of a table that are not taken, and why: those that match first."""
    for each in matching[1:]:
        said = f"{route_line(each)}: {matching[0].destination} is longer"
        yield Tried(table.id, said, code=Code.TGW_RTB_MORE_SPECIFIC_ROUTE)
    others = (route for route in network.routes[table.id] if route not in matching)
    for each in sorted(others, key=lambda route: (-length(route.destination), str(route))):
        said = f"{route_line(each)}: {packet.target} is outside"
        code = Code.TGW_RTB_CANNOT_ROUTE
        yield Tried(table.id, said, field="destination-address", code=code)
