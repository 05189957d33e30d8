"""Fixes between VPCs: a peering connection asked for or accepted, and routes to it, or to the
transit gateway that joins the two already."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.explain import fixes_transit
from gureum.explain.causes import interface_at, vpc_with
from gureum.explain.commands import Fix, aws, kept
from gureum.explain.network import contains, length
from gureum.explain.steps import Step
from gureum.model import View
from gureum.model.cidr import is_ipv6
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.ipv6 import blocks as ipv6_blocks
from gureum.resources.permissions import ANY_V4
from gureum.resources.route_table import RouteTable, blocks, table_of
from gureum.resources.subnet import Subnet
from gureum.resources.transit_gateway import shared
from gureum.resources.vpc import Vpc, overlap
from gureum.resources.vpc_peering import VpcPeeringConnection, link, peerings_of, state_of

PENDING = "pending-acceptance"


def joined(view: View, step: Step) -> Iterator[Fix]:
    """A way to somebody in another VPC: by the connection that joins the two, else by a transit
    gateway that does, else by a new connection; and the route on this side."""
    table = table_of_step(view, step)
    near = view.find(Vpc, table.vpc) if table else None
    far = vpc_with(view, near, step.packet.target) if near else None
    if table is None or near is None or far is None:
        return
    gateway = None if link(view, near.id, far.id) else shared(view, near.id, far.id)
    if gateway is not None:
        cidr, route = _route(view, step, table, far, "--transit-gateway-id", gateway)
        before = fixes_transit.crossed(view, step, gateway, near.id, far.id)
        yield Fix(f"lead {cidr} through {gateway} to {far.id}", (*before, route))
    elif not overlap(near, far):
        made, key = _connection(view, near, far)
        cidr, route = _route(view, step, table, far, "--vpc-peering-connection-id", key)
        yield Fix(f"lead {cidr} over a peering connection to {far.id}", (*made, route))


def _route(view: View, step: Step, table: RouteTable, far: Vpc, *to: str) -> tuple[str, str]:
    """The block that a route to another VPC is for, and the command that makes it.  Where a route
    is taken that is as long or longer, it is replaced."""
    target = step.packet.target
    own = (*(item.cidr for item in far.cidrs), *(row.cidr for row in ipv6_blocks(view, far.id)))
    cidr = next((each for each in own if contains(each, target)), far.cidr)
    block, given = taken(view, table, target) or (ANY_V4, "")
    if length(block) >= length(cidr):  # a shorter route to the VPC would not be taken
        cidr = block
    action = "replace-route" if given == cidr else "create-route"  # which goes before a prefix list
    named = "--destination-ipv6-cidr-block" if is_ipv6(cidr) else "--destination-cidr-block"
    return cidr, aws(table, action, "--route-table-id", table.id, named, cidr, *to)


def peering(view: View, step: Step, row: VpcPeeringConnection) -> Iterator[Fix]:
    """What a route needs that leads to a connection which carries nothing: the request accepted, or
    another connection in its place."""
    if state_of(view, row) == PENDING:
        two_owners = row.accepter.account != row.requester.account
        said = f"accept {row.id}{f', as {row.accepter.account}' if two_owners else ''}"
        yield Fix(said, (_accepted(view, row.accepter.vpc, row.id),))
    else:
        yield from joined(view, step)


def table_of_step(view: View, step: Step) -> RouteTable | None:
    """The table that sent the packet on: of a block at a gateway or a connection, that of the
    sender's subnet."""
    table = view.find(RouteTable, step.by[0]) if step.by else None
    if table is not None:
        return table
    for vpc in _behind(view, step.place):
        eni = interface_at(view, vpc, step.packet.source)
        subnet = view.find(Subnet, eni.subnet) if eni else None
        if subnet is not None:
            return table_of(view, subnet)
    return None


def _behind(view: View, place: str) -> tuple[str, ...]:
    """The VPCs from which packets come to a gateway or a connection."""
    row = view.find(VpcPeeringConnection, place)
    if row is not None:
        return tuple(side.vpc for side in row.sides)
    gateway = view.find(InternetGateway, place)
    return (gateway.vpc,) if gateway is not None and gateway.vpc is not None else ()


def taken(view: View, table: RouteTable, ip: str) -> tuple[str, str] | None:
    """Of the routes that somebody made, the one that is taken to an address: its block, and the
    destination that was given, which may be a prefix list."""
    routes = blocks(view, table)
    best = max((cidr for cidr in routes if contains(cidr, ip)), key=length, default=None)
    return None if best is None else (best, routes[best].destination)


def _connection(view: View, near: Vpc, far: Vpc) -> tuple[tuple[str, ...], str]:
    """The connection of two VPCs, and the commands that make it be there first."""
    here = link(view, near.id, far.id)
    if here is not None:
        return (), here.id
    for row in peerings_of(view, near.id):
        if row.other(near.id).vpc == far.id and state_of(view, row) == PENDING:
            return (_accepted(view, row.accepter.vpc, row.id),), row.id
    query = "VpcPeeringConnection.VpcPeeringConnectionId"
    ends = ("--vpc-id", near.id, "--peer-vpc-id", far.id)
    asked = kept("peering", near, "create-vpc-peering-connection", query, *ends)
    return (asked, _accepted(view, far.id, "$peering")), "$peering"


def _accepted(view: View, vpc: str, key: str) -> str:
    row = view.find(Vpc, vpc)
    assert row is not None
    return aws(row, "accept-vpc-peering-connection", "--vpc-peering-connection-id", key)
