"""Fixes around transit gateways: attachments, their zones, their tables, and what these know."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.explain.causes import interface_at, vpc_with
from gureum.explain.commands import Fix, aws
from gureum.explain.network import contains, length
from gureum.explain.steps import Step
from gureum.model import View
from gureum.resources.subnet import Subnet
from gureum.resources.transit_gateway import (
    SERVING,
    WAITING,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    Way,
    attached_cidrs,
    attachment_of,
    attachments_of,
    tables_of,
    ways,
)
from gureum.resources.vpc import Vpc


def attached(view: View, step: Step, gateway: TransitGateway, vpc: str) -> Iterator[Fix]:
    """The VPC is attached to the gateway that its route leads to, by the sender's subnet."""
    subnet = _subnet_of(view, vpc, step.packet.source)
    if subnet is not None and gateway.state == "available":
        yield _attached(view, gateway, subnet)


def crossed(view: View, step: Step, gateway: str, near: str, far: str) -> Iterator[str]:
    """Commands for what is missing within a gateway on the way from one attached VPC to another,
    for the packet of a step."""
    one, two = attachment_of(view, gateway, near), attachment_of(view, gateway, far)
    if one is None or two is None:
        return
    subnet = _subnet_of(view, near, step.packet.source)
    if subnet is not None and subnet.zone not in {foot.zone for foot in one.feet}:
        yield _serve(one, subnet)
    key = one.association.table if one.association else None
    if key is None and (key := _usual_table(view, gateway)):
        yield _pair(one, key, "associate", "")
    table = view.find(TransitGatewayRouteTable, key) if key else None
    way = _taken(view, table, step.packet.target) if table else None
    if table is not None and way is None:
        yield _pair(two, table.id, "enable", "-propagation")
    elif table is not None and way is not None and not way.active:
        yield _replaced(table, way, two)


def served(view: View, step: Step) -> Iterator[Fix]:
    """A subnet of the sender's zone for the attachment."""
    row = view.find(TransitGatewayAttachment, step.place)
    subnet = _subnet_of(view, row.vpc, step.packet.source) if row else None
    if row is not None and subnet is not None:
        yield Fix(f"serve the zone of {subnet.id} by {row.id}", (_serve(row, subnet),))


def associated(view: View, step: Step) -> Iterator[Fix]:
    """A table for what comes from an attachment: the gateway's default one, or its first."""
    row = view.find(TransitGatewayAttachment, step.by[0])
    key = _usual_table(view, row.gateway) if row else None
    if row is not None and key is not None:
        yield Fix(f"associate {row.id} with {key}", (_pair(row, key, "associate", ""),))


def known(view: View, step: Step) -> Iterator[Fix]:
    """The table is told of the VPC that has the target."""
    table = view.find(TransitGatewayRouteTable, step.by[0])
    row = _attachment_with(view, table.gateway, step.packet.target) if table else None
    if table is not None and row is not None:
        command = _pair(row, table.id, "enable", "-propagation")
        yield Fix(f"let {row.id} propagate to {table.id}", (command,))


def rerouted(view: View, step: Step) -> Iterator[Fix]:
    """A route that leads nowhere leads to the VPC that has the target; one that is not attached
    (any more) is attached first."""
    table = view.find(TransitGatewayRouteTable, step.by[0])
    way = _taken(view, table, step.packet.target) if table else None
    if table is None or way is None:
        return
    row = _attachment_with(view, table.gateway, step.packet.target)
    if row is not None:
        said = f"lead {way.prefix_list or way.destination} of {table.id} to {row.id}"
        yield Fix(said, (_replaced(table, way, row),))
        return
    gateway = view.find(TransitGateway, table.gateway)
    far = _beyond(view, step) if gateway else None
    subnet = _subnet_of(view, far.id, step.packet.target) if far else None
    if gateway is not None and far is not None and subnet is not None:
        yield _attached(view, gateway, subnet)


def _beyond(view: View, step: Step) -> Vpc | None:
    """The VPC that has the target of a packet which came into a gateway from another one."""
    for row in attachments_of(view, step.place):
        near = view.find(Vpc, row.vpc)
        if near is not None and interface_at(view, near.id, step.packet.source):
            return vpc_with(view, near, step.packet.target)
    return None


# --- what is there ------------------------------------------------------------------------------
def _attachment_with(view: View, gateway: str, ip: str) -> TransitGatewayAttachment | None:
    """The attachment that carries packets to an address."""
    for row in attachments_of(view, gateway):
        carries = row.gateway == gateway and row.state in SERVING
        if carries and any(contains(cidr, ip) for cidr in attached_cidrs(view, row)):
            return row
    return None


def _usual_table(view: View, gateway: str) -> str | None:
    """The gateway's default table for new attachments, or its first."""
    row = view.find(TransitGateway, gateway)
    default = row.association_table if row else None
    return default or next((each.id for each in tables_of(view, gateway)), None)


def _taken(view: View, table: TransitGatewayRouteTable, ip: str) -> Way | None:
    """The route of a table that is taken to an address."""
    fit = (way for way in ways(view, table).values() if contains(way.destination, ip))
    return max(fit, key=lambda way: length(way.destination), default=None)


def _subnet_of(view: View, vpc: str, ip: str) -> Subnet | None:
    """The subnet in which somebody has an address."""
    eni = interface_at(view, vpc, ip)
    return view.find(Subnet, eni.subnet) if eni else None


# --- commands -----------------------------------------------------------------------------------
def _attached(view: View, gateway: TransitGateway, subnet: Subnet) -> Fix:
    """The subnet's VPC attached; what waits for the gateway's owner is accepted."""
    for row in attachments_of(view, subnet.vpc):
        if (row.vpc, row.gateway, row.state) == (subnet.vpc, gateway.id, WAITING):
            words = ("--transit-gateway-attachment-id", row.id)
            command = aws(row, "accept-transit-gateway-vpc-attachment", *words)
            return Fix(f"accept {row.id}, as {gateway.account}", (command,))
    ends = ("--transit-gateway-id", gateway.id, "--vpc-id", subnet.vpc, "--subnet-ids", subnet.id)
    command = aws(gateway, "create-transit-gateway-vpc-attachment", *ends)
    return Fix(f"attach {subnet.vpc} to {gateway.id}", (command,))


def _serve(row: TransitGatewayAttachment, subnet: Subnet) -> str:
    words = ("--transit-gateway-attachment-id", row.id, "--add-subnet-ids", subnet.id)
    return aws(row, "modify-transit-gateway-vpc-attachment", *words)


def _replaced(table: TransitGatewayRouteTable, way: Way, row: TransitGatewayAttachment) -> str:
    """A route, or a reference to a prefix list, that leads to another attachment."""
    words = _both(row, table.id)
    if way.prefix_list is not None:
        listed = ("--prefix-list-id", way.prefix_list)
        return aws(row, "modify-transit-gateway-prefix-list-reference", *words, *listed)
    block = ("--destination-cidr-block", way.destination)
    return aws(row, "replace-transit-gateway-route", *words, *block)


def _pair(row: TransitGatewayAttachment, table: str, do: str, what: str) -> str:
    return aws(row, f"{do}-transit-gateway-route-table{what}", *_both(row, table))


def _both(row: TransitGatewayAttachment, table: str) -> tuple[str, ...]:
    return "--transit-gateway-route-table-id", table, "--transit-gateway-attachment-id", row.id
