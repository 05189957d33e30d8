"""Route table: which way packets from a subnet go.

Sources: VPC User Guide, "Configure route tables"; EC2 API Reference, CreateRouteTable,
ReplaceRouteTableAssociation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Reader, Resource, View, ref
from gureum.model.cidr import inside, is_ipv6
from gureum.model.nat64 import PREFIX as NAT64
from gureum.model.txn import dependency_violation, not_found
from gureum.program import (
    Blackhole,
    GlobalPrefix,
    Local,
    Nat64,
    Route,
    SegmentTable,
    Table,
    ViaPort,
)
from gureum.resources.nat_gateway import NatGateway, port_of_gateway
from gureum.resources.permissions import ANY_V4
from gureum.resources.prefix_list import IPV4, IPV6
from gureum.resources.route_target import (
    LOCAL,
    StaticRoute,
    count_routes,
    is_list,
    show_target,
    spelled_out,
    target_now,
)
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.shared_vpc import OfHost
from gureum.resources.subnet import Subnet, segment_of
from gureum.resources.vpc import Vpc, cidrs
from gureum.resources.vpn_connection import propagated

MAX_TABLES = 200
"""Route tables per VPC, the main one among them (VPC quotas)."""

MAX_ROUTES = 50
"""Routes per table that are not propagated, IPv4 and IPv6 apart (VPC quotas)."""

_ASSOCIATED: Shape = {"State": "associated"}


@dataclass(frozen=True, kw_only=True)
class RouteTable(
    OfHost,
    Resource,
    kind="route-table",
    prefix="rtb",
    not_found="InvalidRouteTableID.NotFound",
    malformed="InvalidRouteTableId.Malformed",
    noun="routeTable",
):
    """A route table of a VPC.

    ``number`` is unique in the VPC and never changes.  ``main`` is the id of the association that
    makes the table the VPC's main one, None for all others.  The local routes are not in
    ``routes``: they follow from the VPC's CIDR blocks, unless a route with the same destination
    stands here, which is a local route whose target was replaced.  ``propagating`` are the virtual
    private gateways whose routes come into the table by themselves.
    """

    vpc: str = ref()
    number: int
    main: str | None = None
    routes: tuple[StaticRoute, ...] = ()
    propagating: tuple[str, ...] = ref("weak", default=())

    def goes_with(self, target: str) -> bool:
        return self.main is not None and target == self.vpc

    def route(self, destination: str) -> StaticRoute | None:
        """The route that somebody made to the destination."""
        return next((route for route in self.routes if route.destination == destination), None)

    @property
    def destinations(self) -> tuple[str, ...]:
        """The blocks to which the routes lead that somebody made: a VPC must not grow over these.
        Blocks of prefix lists that do not fit are left out, whenever they come (:func:`blocks`).
        """
        return tuple(route.destination for route in self.routes if route.prefix_list is None)

    def without(self, destination: str) -> tuple[StaticRoute, ...]:
        """The routes but the one to the destination."""
        return tuple(route for route in self.routes if route.destination != destination)


@dataclass(frozen=True, kw_only=True)
class RouteTableAssociation(
    Resource,
    kind="route-table-association",
    prefix="rtbassoc",
    not_found="InvalidAssociationID.NotFound",
    malformed="InvalidAssociationID.NotFound",
    noun="association",
    missing="The association ID '{id}' does not exist",
):
    """A subnet that has a table of its own choice; one without has the main table."""

    table: str = ref()
    subnet: str = ref("cascade")


# --- tables -------------------------------------------------------------------------------------
def create_route_table(call: Call) -> Shape:
    """CreateRouteTable: it has the local routes and no subnets yet."""
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    table = _new(call, vpc)
    return {"RouteTable": show(table, call.txn.view), "ClientToken": call.get("ClientToken", "")}


def _new(call: Call, vpc: Vpc, main: str | None = None) -> RouteTable:
    taken = {table.number for table in call.txn.referrers(vpc.id, RouteTable)}
    if len(taken) >= MAX_TABLES:
        raise ApiError(
            "RouteTableLimitExceeded", "The maximum number of route tables has been reached."
        )
    number = next(n for n in count(1) if n not in taken)
    common = call.common(RouteTable) if main is None else {**call.common(RouteTable), "tags": ()}
    return call.created(RouteTable(**common, vpc=vpc.id, number=number, main=main))


def main_table(call: Call, vpc: Vpc) -> None:
    """The main table of a VPC; that of a VPC with a gateway, a default one, leads there."""
    table = _new(call, vpc, main=call.new_id(RouteTableAssociation))
    gateway = call.txn.get(Vpc, vpc.id).gateway
    if gateway:
        call.txn.put(replace(table, routes=(StaticRoute(destination=ANY_V4, target=gateway),)))


def delete_route_table(call: Call) -> Shape:
    """DeleteRouteTable: not the main one, and none that subnets have."""
    table = _asked(call)
    if table.main is not None:
        raise dependency_violation(table)
    call.txn.delete(table)
    return {}


def _asked(call: Call) -> RouteTable:
    return call.txn.get(RouteTable, call.params["RouteTableId"])


# --- associations -------------------------------------------------------------------------------
def associate_route_table(call: Call) -> Shape:
    """AssociateRouteTable: the subnet must not have a table of its own yet."""
    unsupported(call, "GatewayId", "PublicIpv4Pool")
    table = _asked(call)
    if not call.get("SubnetId"):
        raise ApiError(
            "MissingParameter", "The request must contain the parameter subnetId or gatewayId"
        )
    subnet = call.txn.get(Subnet, call.params["SubnetId"])
    if any(call.txn.referrers(subnet.id, RouteTableAssociation)):
        raise ApiError(
            "Resource.AlreadyAssociated",
            f"the specified association for route table {table.id} conflicts with an existing "
            "association",
        )
    row = _associate(call, table, subnet)
    return {"AssociationId": row.id, "AssociationState": _ASSOCIATED}


def _associate(call: Call, table: RouteTable, subnet: Subnet) -> RouteTableAssociation:
    if table.vpc != subnet.vpc:
        raise ApiError(
            "InvalidParameterValue",
            f"Route table {table.id} and subnet {subnet.id} belong to different networks",
        )
    common = {**call.common(RouteTableAssociation), "tags": ()}
    return call.created(RouteTableAssociation(**common, table=table.id, subnet=subnet.id))


def disassociate_route_table(call: Call) -> Shape:
    """DisassociateRouteTable: the subnet has the main table from now on."""
    key = call.params["AssociationId"]
    row = call.txn.find(RouteTableAssociation, key)
    if row is None:
        _table_with_main(call, key)
        raise ApiError(
            "InvalidParameterValue", f"cannot disassociate the main route table association {key}"
        )
    call.txn.delete(row)
    return {}


def _table_with_main(call: Call, key: str) -> RouteTable:
    """The main table whose association has the id.

    Raises:
        ApiError: ``InvalidAssociationID.NotFound``; ``UnauthorizedOperation`` of any association
            that another account has in a VPC that both are in.
    """
    for table in call.txn.seen(RouteTable):
        if key in (table.main, *(row.id for row in associations(call.txn.view, table.id))):
            return call.txn.get(RouteTable, table.id)
    raise not_found(RouteTableAssociation, key)


def replace_association(call: Call) -> Shape:
    """ReplaceRouteTableAssociation: a subnet, or the VPC by its main association, changes table."""
    key, table = call.params["AssociationId"], _asked(call)
    old = call.txn.find(RouteTableAssociation, key)
    if old is None:
        new = _move_main(call, _table_with_main(call, key), table)
    else:
        subnet = call.txn.get(Subnet, old.subnet)
        call.txn.delete(old)
        new = _associate(call, table, subnet).id
    return {"NewAssociationId": new, "AssociationState": _ASSOCIATED}


def _move_main(call: Call, old: RouteTable, table: RouteTable) -> str:
    if table.vpc != old.vpc:
        raise ApiError(
            "InvalidParameterValue",
            f"Route table {table.id} and network {old.vpc} belong to different networks",
        )
    key = call.new_id(RouteTableAssociation)
    call.txn.put(replace(old, main=None))
    call.txn.put(replace(call.txn.get(RouteTable, table.id), main=key))
    return key


# --- routes -----------------------------------------------------------------------------------
def over_quota(reader: Reader, table: RouteTable) -> bool:
    """Whether a table has more routes than it may; one to a prefix list counts as its size."""
    counts = (count_routes(reader, table.routes, family) for family in (IPV4, IPV6))
    return any(number > MAX_ROUTES for number in counts)


# --- answers ------------------------------------------------------------------------------------
def associations(reader: Reader, table: str) -> list[RouteTableAssociation]:
    """The subnets' associations with the table, oldest first."""
    rows = reader.referrers(table, RouteTableAssociation)
    return sorted(rows, key=lambda row: (row.created, row.id))


def table_of(reader: Reader, subnet: Subnet) -> RouteTable:
    """The table that routes what comes from a subnet: its own, or the VPC's main one."""
    own = next(reader.referrers(subnet.id, RouteTableAssociation), None)
    tables = reader.referrers(subnet.vpc, RouteTable)
    wanted = (row for row in tables if (row.id == own.table if own else row.main is not None))
    return next(wanted)


def show(table: RouteTable, view: View) -> Shape:
    """The API's ``RouteTable`` structure."""
    return {
        "RouteTableId": table.id,
        "VpcId": table.vpc,
        "OwnerId": table.account,
        "Associations": list(_show_associations(table, view)),
        "PropagatingVgws": [{"GatewayId": key} for key in table.propagating],
        "Routes": list(_show_routes(table, view)),
        "Tags": tag_list(table),
    }


def _show_associations(table: RouteTable, view: View) -> Iterator[Shape]:
    if table.main is not None:
        yield {
            "Main": True,
            "RouteTableAssociationId": table.main,
            "RouteTableId": table.id,
            "AssociationState": _ASSOCIATED,
        }
    for row in associations(view, table.id):
        yield {
            "Main": False,
            "RouteTableAssociationId": row.id,
            "RouteTableId": table.id,
            "SubnetId": row.subnet,
            "AssociationState": _ASSOCIATED,
        }


def _show_routes(table: RouteTable, view: View) -> Iterator[Shape]:
    local = cidrs(view, table.vpc)
    for cidr in local:
        shape: Shape = {_member(cidr): cidr, "Origin": "CreateRouteTable"}
        turned = table.route(cidr)
        if turned:
            yield shape | show_target(view, turned.target, table.vpc)
        else:
            yield shape | {"GatewayId": LOCAL, "State": "active"}
    for route in table.routes:
        if route.destination not in local:
            yield {
                _member(route.destination): route.destination,
                "Origin": "CreateRoute",
                **show_target(view, route.target, table.vpc),
            }
    for cidr, route in _propagated(view, table, local).items():
        if table.route(cidr) is None:
            yield {
                _member(cidr): cidr,
                "Origin": "EnableVgwRoutePropagation",
                **show_target(view, route.target, table.vpc),
            }


def _propagated(reader: Reader, table: RouteTable, local: Sequence[str]) -> dict[str, StaticRoute]:
    """The routes that gateways bring by themselves; what is inside the VPC stays there (VPC User
    Guide, "Route priority for propagated routes")."""
    found: dict[str, StaticRoute] = {}
    for key in table.propagating:
        for cidr in propagated(reader, key):
            if not any(inside(cidr, each) for each in local):
                found.setdefault(cidr, StaticRoute(destination=cidr, target=key))
    return found


def _member(destination: str) -> str:
    if is_list(destination):
        return "DestinationPrefixListId"
    return "DestinationIpv6CidrBlock" if is_ipv6(destination) else "DestinationCidrBlock"


# --- lowering -----------------------------------------------------------------------------------
def lower(table: RouteTable, lowering: Lowering) -> None:
    """A table with its routes, for the subnets that have it."""
    view = lowering.view
    statement = table_statement(table)
    lowering.say(statement)
    for cidr in cidrs(view, table.vpc):
        if table.route(cidr) is None:
            lowering.say(Route(table=statement, destination=cidr, target=Local()))
    for destination, route in blocks(view, table).items():
        target = target_now(view, route.target, table.vpc)
        if isinstance(target, ViaPort) and is_ipv6(target.ip) and not is_ipv6(destination):
            target = Blackhole(route.target)  # the interface has no IPv4 address
        lowering.say(Route(table=statement, destination=destination, target=target), route.target)
        if isinstance(target, ViaPort) and is_ipv6(destination):
            _translate(route.target, lowering)
    for subnet, why in _subnets(table, view):
        segment = segment_of(view, subnet)
        if segment is None:
            continue
        lowering.say(SegmentTable(segment=segment, table=statement), why)
        gateway = _way_in(table, view) if segment.cidr6 else None
        if gateway:
            lowering.say(GlobalPrefix(gateway=gateway, segment=segment), why)


def _translate(target: str, lowering: Lowering) -> None:
    """A NAT gateway that a route of IPv6 leads to translates it."""
    gateway = lowering.view.find(NatGateway, target)
    port = port_of_gateway(lowering.view, gateway) if gateway else None
    if port is not None and gateway is not None and gateway.ip is not None:
        lowering.say(Nat64(port=port, ip=gateway.ip), target)


def table_statement(table: RouteTable) -> Table:
    """The table in the abstract network."""
    return Table(id=table.id, router=table.vpc, number=table.number)


def _way_in(table: RouteTable, view: Reader) -> str | None:
    """The gateway through which the internet reaches the IPv6 addresses of the table's subnets:
    the egress-only one where the table leads to that alone, else the VPC's internet gateway."""
    vpc = view.find(Vpc, table.vpc)
    if vpc is None:
        return None
    used = {
        route.target for destination, route in blocks(view, table).items() if is_ipv6(destination)
    }
    only_out = vpc.egress_gateway in used and vpc.gateway not in used
    return vpc.egress_gateway if only_out else vpc.gateway


def blocks(reader: Reader, table: RouteTable) -> dict[str, StaticRoute]:
    """The route to each block: one that somebody made (:func:`spelled_out`) goes before one that a
    gateway brings by itself."""
    local = cidrs(reader, table.vpc)
    return _propagated(reader, table, local) | spelled_out(reader, table.routes, local)


def translates(reader: Reader, subnet: Subnet) -> bool:
    """Whether a route of a subnet leads IPv6 that stands for IPv4 to a NAT gateway (NAT64)."""
    return any(
        inside(destination, NAT64) and reader.find(NatGateway, route.target) is not None
        for destination, route in blocks(reader, table_of(reader, subnet)).items()
    )


def outranked(reader: Reader, table: RouteTable) -> dict[str, StaticRoute]:
    """The routes that gateways bring to blocks to which somebody made one, which goes before."""
    local = cidrs(reader, table.vpc)
    made = spelled_out(reader, table.routes, local)
    brought = _propagated(reader, table, local)
    return {cidr: route for cidr, route in brought.items() if cidr in made}


def _subnets(table: RouteTable, view: Reader) -> Iterator[tuple[str, str]]:
    """The ids of the subnets that have the table, each with the id that says so."""
    for row in associations(view, table.id):
        yield row.subnet, row.id
    if table.main is None:
        return
    for subnet in view.referrers(table.vpc, Subnet):
        if not any(view.referrers(subnet.id, RouteTableAssociation)):
            yield subnet.id, table.main


KIND = Kind(
    row=RouteTable,
    actions={
        "CreateRouteTable": create_route_table,
        "DeleteRouteTable": delete_route_table,
        "AssociateRouteTable": associate_route_table,
        "DisassociateRouteTable": disassociate_route_table,
        "ReplaceRouteTableAssociation": replace_association,
    },
    listings=(
        Listing(
            action="DescribeRouteTables",
            result="RouteTables",
            show=show,
            ids="RouteTableIds",
        ),
    ),
    lower=lower,
    beside={Vpc: main_table},
)

ASSOCIATION = Kind(row=RouteTableAssociation)
