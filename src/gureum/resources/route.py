"""Routes of a route table: made, turned to another target, taken away.

Sources: VPC User Guide, "Configure route tables"; EC2 API Reference, CreateRoute, ReplaceRoute,
DeleteRoute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gureum.errors import ApiError, invalid_combination
from gureum.kind import Call, Kind, Shape
from gureum.model.cidr import inside, ipv4_network, ipv6_network, is_ipv6
from gureum.model.resource import Resource
from gureum.resources.prefix_list import PrefixList
from gureum.resources.route_table import RouteTable, over_quota
from gureum.resources.route_target import (
    LOCAL,
    StaticRoute,
    asked_target,
    check_family,
    check_reserved,
    is_endpoint,
    is_list,
    within_vpc,
)
from gureum.resources.shapes import given
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import cidrs


def create_route(call: Call) -> Shape:
    """CreateRoute.  The same route again is no error; another target for its destination is."""
    table, destination = _asked(call), _destination(call)
    target = asked_target(call, table.id, table.vpc)
    local = cidrs(call.txn.view, table.vpc)
    _check_target(call, table, destination, target, local)
    check_reserved(destination)
    old = table.route(destination)
    if old is not None and old.target == target:
        return {"Return": True}
    if old is not None or destination in local:
        raise ApiError(
            "RouteAlreadyExists", f"The route identified by {destination} already exists."
        )
    if over_quota(call.txn.view, _put(call, table, destination, target)):
        raise ApiError("RouteLimitExceeded", "The maximum number of routes has been reached.")
    return {"Return": True}


def replace_route(call: Call) -> Shape:
    """ReplaceRoute: of a route that is there; a local route can be turned and turned back."""
    table, destination = _asked(call), _destination(call)
    local = cidrs(call.txn.view, table.vpc)
    target = asked_target(call, table.id, table.vpc)
    if target == LOCAL:
        if destination not in local:
            raise ApiError(
                "InvalidParameterValue",
                "local-target only allowed with network local destination CIDRs",
            )
        call.txn.put(replace(table, routes=table.without(destination)))
        return {}
    _check_own(table, destination, "modify")
    _check_target(call, table, destination, target, local)
    if table.route(destination) is None and destination not in local:
        raise ApiError(
            "InvalidParameterValue",
            f"There is no route defined for '{destination}' in the route table. "
            "Use CreateRoute instead.",
        )
    _put(call, table, destination, target)
    return {}


def delete_route(call: Call) -> Shape:
    """DeleteRoute: any but the local ones."""
    table = _asked(call)
    if (text := call.get("DestinationPrefixListId")) and table.route(text) is None:
        raise _no_route("destination-prefix-list-id", text, table)
    destination = _destination(call)
    if destination in cidrs(call.txn.view, table.vpc):
        raise ApiError(
            "InvalidParameterValue",
            f"cannot remove local route {destination} in route table {table.id}",
        )
    if table.route(destination) is None:
        family = "ipv6-" if is_ipv6(destination) else ""
        raise _no_route(f"destination-{family}cidr-block", destination, table)
    _check_own(table, destination, "remove")
    call.txn.put(replace(table, routes=table.without(destination)))
    return {}


def _check_own(table: RouteTable, destination: str, what: str) -> None:
    """A gateway endpoint's route changes with the endpoint only (AWS PrivateLink Guide).

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    route = table.route(destination)
    if route is not None and is_endpoint(route.target):
        raise ApiError(
            "InvalidParameterValue",
            f"cannot {what} VPC endpoint route {destination} in route table {table.id}",
        )


def _no_route(what: str, destination: str, table: RouteTable) -> ApiError:
    return ApiError(
        "InvalidRoute.NotFound", f"no route with {what} {destination} in route table {table.id}"
    )


def _put(call: Call, table: RouteTable, destination: str, target: str) -> RouteTable:
    key = destination if is_list(destination) else None
    route = StaticRoute(destination=destination, target=target, prefix_list=key)
    return call.txn.put(replace(table, routes=(*table.without(destination), route)))


def _destination(call: Call) -> str:
    """The destination: a block in canonical form, or the id of a prefix list.

    Raises:
        ApiError: ``MissingParameter``, ``InvalidParameterCombination``, ``InvalidParameterValue``,
            ``InvalidPrefixListID.NotFound``.
    """
    names = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    named = given(call, *names)
    if len(named) != 1:
        message = (
            "The request must contain exactly one of: destinationCidrBlock, "
            "destinationIpv6CidrBlock, destinationPrefixListId"
        )
        raise invalid_combination(message) if named else ApiError("MissingParameter", message)
    if key := call.get("DestinationPrefixListId"):
        return call.txn.see(PrefixList, key).id
    name, text = named[0]
    if name == names[1]:
        return str(ipv6_network(text, "destinationIpv6CidrBlock"))
    return str(ipv4_network(text, "destinationCidrBlock"))


def _check_target(
    call: Call, table: RouteTable, destination: str, target: str, local: Iterable[str]
) -> None:
    """What is inside the VPC goes to machines inside it, a whole subnet at a time.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    check_family(call.txn.view, destination, target)
    if is_list(destination):
        return
    if not any(inside(destination, cidr) for cidr in local):
        return
    if not within_vpc(target):
        raise ApiError(
            "InvalidParameterValue",
            f"The destination CIDR block {destination} is equal to or more specific than one of "
            "this VPC's CIDR blocks. This route can target only an interface or an instance.",
        )
    if destination in local:
        return
    subnets = call.txn.referrers(table.vpc, Subnet)
    if not any(destination in (row.cidr, row.ipv6 and row.ipv6.cidr) for row in subnets):
        raise ApiError(
            "InvalidParameterValue", "Route destination doesn't match any subnet CIDR blocks."
        )


def _asked(call: Call) -> RouteTable:
    return call.txn.get(RouteTable, call.params["RouteTableId"])


KIND: Kind[Resource] = Kind(
    row=None,
    actions={
        "CreateRoute": create_route,
        "ReplaceRoute": replace_route,
        "DeleteRoute": delete_route,
    },
)
