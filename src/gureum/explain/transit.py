"""A packet's way through a transit gateway (docs/dataplane.md, "Transit gateways")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gureum.explain.codes import Code
from gureum.explain.flows import Flows
from gureum.explain.network import Network, length
from gureum.explain.packet import Packet
from gureum.explain.steps import Kind, Tried
from gureum.explain.ways import route_line
from gureum.program import (
    Attachment,
    Blackhole,
    Foot,
    Route,
    Segment,
    Table,
    ViaAttachment,
    ViaTransitPeering,
)

MAX_TRANSITS = 32
"""Transit gateways after which a packet counts as lost in a loop."""


@dataclass(frozen=True)
class Told:
    """A step in the making; ``more`` are further fields of it."""

    kind: Kind
    place: str
    said: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Crossing:
    """What happens on the way: in the router where it begins, and in the transit gateway.

    ``entered`` is the foot by which the packet goes in, ``landed`` the one at which it comes out;
    None where there is none, or where the way ends in the gateway.
    """

    begun: Told
    entered: Foot | None
    told: list[Told]
    landed: Foot | None


@dataclass(frozen=True)
class Spot:
    """Where a packet meets a route table: it comes from a segment, or from a transit gateway at its
    foot in that."""

    segment: Segment
    table: Table | None
    foot: Foot | None = None

    def zone(self, network: Network, attachment: str) -> str | None:
        """The zone in which the packet leaves by an attachment; None where that serves none."""
        if self.foot is None:
            return network.served.get((attachment, self.segment.id))
        return self.foot.zone if self.foot.zone in network.feet[attachment] else None


def crossing(network: Network, key: str, spot: Spot, packet: Packet, flows: Flows) -> Crossing:
    """From a router by an attachment into its transit gateway, and out of that."""
    link, zone = network.attachments[key], spot.zone(network, key)
    entered = network.feet[key].get(zone) if zone is not None else None
    begun = _let_out(link, spot, packet, zone)
    told: list[Told] = []
    at, transit, here = key, link.transit, zone or ""
    for _ in range(MAX_TRANSITS):
        last, target = _routed(network, at, transit, packet)
        told.append(last)
        if target is None:
            break
        began = flows.began_in(transit, packet, here)
        if isinstance(target, ViaAttachment):
            far = network.attachments[target.attachment]
            foot = _landed(network, far, began if far.appliance else here)
            return Crossing(begun, entered, [*told, *_let_in(far, packet)], foot)
        at, transit, here = target.peering, target.transit, ""
    return Crossing(begun, entered, told, None)


def _landed(network: Network, far: Attachment, zone: str) -> Foot | None:
    """The foot by which a packet comes out of a transit gateway."""
    feet = network.feet[far.id]
    return feet.get(zone) or (feet[min(feet)] if feet else None)


def _let_in(far: Attachment, packet: Packet) -> Iterator[Told]:
    if not _carries(far, packet):
        said = f"{far.id} carries no IPv6 into {far.router}"
        code = Code.NO_POSSIBLE_DESTINATION
        yield Told("transit", far.id, said, {"by": (far.id,), "code": code})


def _carries(link: Attachment, packet: Packet) -> bool:
    return link.ipv6 or ":" not in packet.target


def _let_out(link: Attachment, spot: Spot, packet: Packet, zone: str | None) -> Told:
    """What the attachment says where it begins, in the place of an ACL."""
    more: dict[str, Any] = {"by": (link.id,)}
    if zone is None:
        said = f"{link.id} has no subnet in the zone of {spot.segment.id}"
        return Told("transit", link.id, said, more | {"code": Code.TGW_ROUTE_AZ_RESTRICTION})
    if not _carries(link, packet):
        said = f"{link.id} carries no IPv6"
        return Told("transit", link.id, said, more | {"code": Code.NO_POSSIBLE_DESTINATION})
    return Told("transit", link.id, f"into {link.transit}", more)


def _routed(
    network: Network, key: str, transit: str, packet: Packet
) -> tuple[Told, ViaAttachment | ViaTransitPeering | None]:
    """What the table of an attachment or a peering says of a packet, and by what it goes on."""
    table = network.attached.get((key, transit))
    if table is None:
        said = f"{key} is associated with no route table"
        code = Code.TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION
        return Told("transit-route", transit, said, {"by": (key,), "code": code}), None
    routes = network.matching(table, packet.target)
    lost = tuple(_lost(network, table, routes, packet))
    more: dict[str, Any] = {"by": (table.id,), "tried": lost}
    if not routes:
        said = f"no route of {table.id} leads to {packet.target}"
        code = Code.TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT
        return Told("transit-route", transit, said, more | {"code": code}), None
    said = route_line(routes[0])
    target = routes[0].target
    if isinstance(target, ViaAttachment | ViaTransitPeering):
        return Told("transit-route", transit, said, more), target
    if isinstance(target, Blackhole) and target.target != table.id:
        more["by"] = (table.id, target.target)
    more["code"] = Code.TGW_RTB_BAD_STATE_ROUTE
    return Told("transit-route", transit, said, more), None


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
