"""Fixes around transit gateways: attachments, their zones, their tables, and what these know."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.explain.causes import interface_at
from gureum.explain.commands import Fix, aws
from gureum.explain.network import contains
from gureum.explain.steps import Step
from gureum.model import View
from gureum.resources.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    attached_cidrs,
    attachments_of,
    tables_of,
)


def attached(view: View, step: Step, gateway: TransitGateway, vpc: str) -> Iterator[Fix]:
    """The VPC is attached to the gateway that its route leads to, by the sender's subnet."""
    eni = interface_at(view, vpc, step.packet.source)
    if eni is not None and gateway.state == "available":
        ends = ("--transit-gateway-id", gateway.id, "--vpc-id", vpc, "--subnet-ids", eni.subnet)
        command = aws(gateway, "create-transit-gateway-vpc-attachment", *ends)
        yield Fix(f"attach {vpc} to {gateway.id}", (command,))


def served(view: View, step: Step) -> Iterator[Fix]:
    """A subnet of the sender's zone for the attachment."""
    row = view.find(TransitGatewayAttachment, step.place)
    eni = interface_at(view, row.vpc, step.packet.source) if row else None
    if row is not None and eni is not None:
        words = ("--transit-gateway-attachment-id", row.id, "--add-subnet-ids", eni.subnet)
        command = aws(row, "modify-transit-gateway-vpc-attachment", *words)
        yield Fix(f"serve the zone of {eni.subnet} by {row.id}", (command,))


def associated(view: View, step: Step) -> Iterator[Fix]:
    """A table for what comes from an attachment: the gateway's default one, or its first."""
    row = view.find(TransitGatewayAttachment, step.by[0])
    gateway = view.find(TransitGateway, row.gateway) if row else None
    if row is None or gateway is None:
        return
    tables = [gateway.association_table, *(each.id for each in tables_of(view, gateway.id))]
    key = next((each for each in tables if each), None)
    if key is not None:
        yield Fix(f"associate {row.id} with {key}", (_pair(row, key, "associate", ""),))


def known(view: View, step: Step) -> Iterator[Fix]:
    """The table is told of the VPC that has the target."""
    table = view.find(TransitGatewayRouteTable, step.by[0])
    for row in attachments_of(view, step.place) if table else ():
        has = any(contains(cidr, step.packet.target) for cidr in attached_cidrs(view, row))
        if table is not None and has and row.gateway == table.gateway:
            command = _pair(row, table.id, "enable", "-propagation")
            yield Fix(f"let {row.id} propagate to {table.id}", (command,))
            return


def _pair(row: TransitGatewayAttachment, table: str, do: str, what: str) -> str:
    words = ("--transit-gateway-route-table-id", table, "--transit-gateway-attachment-id", row.id)
    return aws(row, f"{do}-transit-gateway-route-table{what}", *words)
