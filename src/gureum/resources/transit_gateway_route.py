"""Routes of transit gateway route tables, and references to prefix lists in them.

Sources: Amazon VPC Transit Gateways, "Transit gateway route tables", "Prefix list references"; EC2
API Reference, CreateTransitGatewayRoute, SearchTransitGatewayRoutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

from gureum.errors import ApiError, invalid_combination, missing_parameter
from gureum.kind import Call, Kind, Listing, Part, Shape, show_part
from gureum.model import Reader, View
from gureum.model.cidr import inside, ipv4_network, ipv6_network, is_ipv6
from gureum.resources.prefix_list import IPV4, IPV6, PrefixList, weight
from gureum.resources.transit_gateway import (
    StaticWay,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    Way,
    live,
    tables_of,
    usable,
    ways,
)
from gureum.resources.transit_gateway_table import asked_pair

MAX_ROUTES = 10_000
"""Static routes per transit gateway, all of its tables together; a prefix list counts as its
greatest size (transit gateway quotas)."""

_MATCH = "route-search."
_SEARCHES: Mapping[str, Callable[[str, str], bool]] = {
    f"{_MATCH}exact-match": lambda route, asked: route == asked,
    f"{_MATCH}longest-prefix-match": lambda route, asked: inside(asked, route),
    f"{_MATCH}subnet-of-match": lambda route, asked: inside(route, asked),
    f"{_MATCH}supernet-of-match": lambda route, asked: inside(asked, route),
}


# --- routes -------------------------------------------------------------------------------------
def create_route(call: Call) -> Shape:
    """CreateTransitGatewayRoute: to an attachment, or a blackhole."""
    table, attachment = _asked(call)
    destination = _destination(call)
    if table.route(destination) is not None:
        raise ApiError("RouteAlreadyExists", f"Route {destination} already exists in {table.id}.")
    return _put(call, table, StaticWay(destination=destination, attachment=attachment))


def replace_route(call: Call) -> Shape:
    """ReplaceTransitGatewayRoute: of a static route that is there."""
    table, attachment = _asked(call)
    destination = _destination(call)
    if table.route(destination) is None:
        raise _no_route(table, destination)
    return _put(call, table, StaticWay(destination=destination, attachment=attachment))


def delete_route(call: Call) -> Shape:
    """DeleteTransitGatewayRoute: a static one."""
    table, destination = _table(call), _destination(call)
    if table.route(destination) is None:
        raise _no_route(table, destination)
    way = ways(call.txn.view, table)[destination]
    call.txn.put(replace(table, routes=table.without(destination)))
    return {"Route": show(call.txn.view, way, table.gateway) | {"State": "deleted"}}


def _no_route(table: TransitGatewayRouteTable, destination: str) -> ApiError:
    return ApiError("InvalidRoute.NotFound", f"Route {destination} does not exist in {table.id}.")


def _table(call: Call) -> TransitGatewayRouteTable:
    return usable(call, TransitGatewayRouteTable, call.params["TransitGatewayRouteTableId"])


def _asked(call: Call) -> tuple[TransitGatewayRouteTable, str | None]:
    """The table and where a route of it leads: an attachment's id, or None for a blackhole.

    Raises:
        ApiError: the not-found codes, ``IncorrectState``, ``InvalidParameterCombination``,
            ``MissingParameter``, ``InvalidParameterValue``.
    """
    if call.get("Blackhole"):
        if call.get("TransitGatewayAttachmentId"):
            raise invalid_combination("A blackhole route cannot have an attachment.")
        return _table(call), None
    table, attachment = asked_pair(call)
    return table, attachment.id


def _destination(call: Call) -> str:
    text = call.params["DestinationCidrBlock"]
    if is_ipv6(text):
        return str(ipv6_network(text, "destinationCidrBlock"))
    return str(ipv4_network(text, "destinationCidrBlock"))


def _put(call: Call, table: TransitGatewayRouteTable, route: StaticWay) -> Shape:
    table = _stored(call, table, route)
    way = ways(call.txn.view, table)[route.destination]
    return {"Route": show(call.txn.view, way, table.gateway)}


def _stored(
    call: Call, table: TransitGatewayRouteTable, route: StaticWay
) -> TransitGatewayRouteTable:
    """Put a route, in place of one to the same destination, into a table.

    Raises:
        ApiError: ``RouteLimitExceeded``.
    """
    table = call.txn.put(replace(table, routes=(*table.without(route.destination), route)))
    if over_quota(call.txn.view, table):
        raise ApiError(
            "RouteLimitExceeded",
            f"The maximum number of static routes of {table.gateway} has been reached.",
        )
    return table


def over_quota(reader: Reader, table: TransitGatewayRouteTable) -> bool:
    """Whether the gateway of a table has more static routes than it may."""
    routes = (route for row in tables_of(reader, table.gateway) for route in row.routes)
    return sum(_count(reader, route) for route in routes) > MAX_ROUTES


def _count(reader: Reader, route: StaticWay) -> int:
    if route.prefix_list is None:
        return 1
    return sum(weight(reader, route.prefix_list, family) for family in (IPV4, IPV6))


# --- searching ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Found:
    """A route that passes the searches of a call; ``searches`` are their values by name."""

    id: str
    created: str
    shape: Shape
    searches: Mapping[str, tuple[str, ...]]


def _search(call: Call) -> Iterator[Found]:
    """The routes that match all ``route-search`` filters of the call, whose values are blocks or
    addresses; the other filters are generic."""
    table = live(call, TransitGatewayRouteTable, call.params["TransitGatewayRouteTableId"])
    yield from search(call, table, call.params["Filters"])


def search(
    call: Call, table: TransitGatewayRouteTable, filters: Iterable[Mapping[str, Any]]
) -> Iterator[Found]:
    """The routes of a table that match all ``route-search`` filters among some."""
    searches = {
        item["Name"]: tuple(item.get("Values", ()))
        for item in filters
        if item.get("Name") in _SEARCHES
    }
    found = list(ways(call.txn.view, table).values())
    for name, values in searches.items():
        found = _matching(found, name, values)
    for way in sorted(found, key=lambda each: _order(each.destination)):
        shape = show(call.txn.view, way, table.gateway)
        yield Found(way.destination, table.created, shape, searches)


def _matching(found: Iterable[Way], name: str, values: Iterable[str]) -> list[Way]:
    kept: dict[str, Way] = {}
    for value in values:
        asked = _searched(name, value)
        hits = [way for way in found if _SEARCHES[name](way.destination, asked)]
        if name.endswith("longest-prefix-match"):
            hits = sorted(hits, key=lambda way: ip_network(way.destination).prefixlen)[-1:]
        kept |= {way.destination: way for way in hits}
    return list(kept.values())


def _searched(name: str, value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ApiError(
            "InvalidParameterValue", f"Value ({value}) for filter {name} is not a CIDR block."
        ) from None


def _order(cidr: str) -> tuple[int, int, int]:
    network = ip_network(cidr)
    return network.version, int(network.network_address), network.prefixlen


def _searched_for(name: str) -> Callable[[Found, View], Iterable[str]]:
    """What a route that was found has for a search: all that was asked for."""
    return lambda found, view: found.searches.get(name, ())


def _show_found(found: Found, view: View) -> Shape:
    return found.shape


def show(reader: Reader, way: Way, gateway: str) -> Shape:
    """The API's ``TransitGatewayRoute`` structure, of a table of the gateway."""
    shape: Shape = {
        "DestinationCidrBlock": way.destination,
        "Type": way.source,
        "State": "active" if way.active else "blackhole",
    }
    if way.prefix_list:
        shape["PrefixListId"] = way.prefix_list
    if way.attachment:
        shape["TransitGatewayAttachments"] = [_show_attachment(reader, way.attachment, gateway)]
    return shape


def _show_attachment(reader: Reader, key: str, gateway: str) -> Shape:
    shape: Shape = {"TransitGatewayAttachmentId": key, "ResourceType": "vpc"}
    row = reader.find(TransitGatewayAttachment, key)
    return shape | (row.seen_from(gateway) if row else {})


# --- prefix lists -------------------------------------------------------------------------------
def create_reference(call: Call) -> Shape:
    """CreateTransitGatewayPrefixListReference: a route to each block of a list, now and later."""
    table, attachment = _asked(call)
    key = call.txn.see(PrefixList, call.params["PrefixListId"]).id
    if table.route(key) is not None:
        raise ApiError("RouteAlreadyExists", f"{table.id} already refers to {key}.")
    route = StaticWay(destination=key, attachment=attachment, prefix_list=key)
    return _answer(call, _stored(call, table, route), route, "pending")


def modify_reference(call: Call) -> Shape:
    """ModifyTransitGatewayPrefixListReference: to another attachment, or to nowhere."""
    table, attachment = _asked(call)
    route = replace(_reference(call, table), attachment=attachment)
    return _answer(call, _stored(call, table, route), route, "modifying")


def delete_reference(call: Call) -> Shape:
    """DeleteTransitGatewayPrefixListReference."""
    table = _table(call)
    route = _reference(call, table)
    call.txn.put(replace(table, routes=table.without(route.destination)))
    return _answer(call, table, route, "deleting")


def _reference(call: Call, table: TransitGatewayRouteTable) -> StaticWay:
    key = call.params["PrefixListId"]
    if not key:
        raise missing_parameter("prefixListId")
    route = table.route(key)
    if route is None:
        raise ApiError(
            "InvalidPrefixListId.NotFound", f"{table.id} does not refer to prefix list {key}."
        )
    return route


def _answer(call: Call, table: TransitGatewayRouteTable, route: StaticWay, state: str) -> Shape:
    """AWS answers with the state on the way; here it is there with the answer."""
    shape = show_reference(call.txn.view, table, route) | {"State": state}
    return {"TransitGatewayPrefixListReference": shape}


def show_reference(reader: Reader, table: TransitGatewayRouteTable, route: StaticWay) -> Shape:
    """The API's ``TransitGatewayPrefixListReference`` structure."""
    listed = reader.find(PrefixList, route.destination)
    shape: Shape = {
        "TransitGatewayRouteTableId": table.id,
        "PrefixListId": route.destination,
        "State": "available",
        "Blackhole": route.attachment is None,
    }
    if listed:
        shape["PrefixListOwnerId"] = listed.owner
    if route.attachment:
        shape["TransitGatewayAttachment"] = _show_attachment(
            reader, route.attachment, table.gateway
        )
    return shape


def _references(call: Call) -> Iterator[Part]:
    table = live(call, TransitGatewayRouteTable, call.params["TransitGatewayRouteTableId"])
    for route in table.routes:
        if route.prefix_list:
            shape = show_reference(call.txn.view, table, route)
            yield Part(route.destination, table.created, shape)


SEARCH: Listing[Found] = Listing(
    action="SearchTransitGatewayRoutes",
    result="Routes",
    show=_show_found,
    rows=_search,
    paths={
        "attachment.transit-gateway-attachment-id": (
            "TransitGatewayAttachments[].TransitGatewayAttachmentId"
        ),
        "attachment.resource-id": "TransitGatewayAttachments[].ResourceId",
        "attachment.resource-type": "TransitGatewayAttachments[].ResourceType",
    },
    computed={name: _searched_for(name) for name in _SEARCHES},
    beside=lambda call: {"AdditionalRoutesAvailable": False},
)

KIND: Kind[TransitGatewayRouteTable] = Kind(
    row=None,
    actions={
        "CreateTransitGatewayRoute": create_route,
        "ReplaceTransitGatewayRoute": replace_route,
        "DeleteTransitGatewayRoute": delete_route,
        "CreateTransitGatewayPrefixListReference": create_reference,
        "ModifyTransitGatewayPrefixListReference": modify_reference,
        "DeleteTransitGatewayPrefixListReference": delete_reference,
    },
    listings=(
        SEARCH,
        Listing(
            action="GetTransitGatewayPrefixListReferences",
            result="TransitGatewayPrefixListReferences",
            show=show_part,
            rows=_references,
            paths={
                "attachment.transit-gateway-attachment-id": (
                    "TransitGatewayAttachment.TransitGatewayAttachmentId"
                ),
                "attachment.resource-id": "TransitGatewayAttachment.ResourceId",
                "attachment.resource-type": "TransitGatewayAttachment.ResourceType",
                "is-blackhole": "Blackhole",
            },
        ),
    ),
)
