"""Where a route leads: which targets there are, how a call names one, whether it is there now.

Sources: VPC User Guide, "Configure route tables"; EC2 API Reference, CreateRoute, ReplaceRoute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gureum.errors import ApiError, invalid_combination
from gureum.kind import Call, Shape
from gureum.model import Reader, ref
from gureum.model.cidr import inside, is_ipv6
from gureum.model.nat64 import PREFIX as NAT64
from gureum.model.txn import not_found
from gureum.program import Beyond, Blackhole, Target, ViaPeering, ViaTransit, ViaUplink
from gureum.resources.carrier_gateway import CarrierGateway
from gureum.resources.egress_only_gateway import EgressOnlyGateway
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.network_interface import NetworkInterface, hop, interfaces_of
from gureum.resources.prefix_list import IPV4, IPV6, PrefixList, cidrs_of, weight
from gureum.resources.shapes import given, unsupported
from gureum.resources.transit_gateway import TransitGateway, attachment_of
from gureum.resources.vpc_endpoint import IN_SERVICE, VpcEndpoint
from gureum.resources.vpc_peering import LINKED, VpcPeeringConnection, asked, far_vpc, state_of
from gureum.resources.vpn_gateway import VpnGateway

LOCAL = "local"

RESERVED = ("169.254.168.0/22", "fd00:ec2::/32")
"""AWS's own services are there; no route may lead anywhere inside them."""

_LATER = (
    "LocalGatewayId",
    "VpcEndpointId",
    "CoreNetworkArn",
    "OdbNetworkArn",
)
"""Targets that are not built yet."""

_SERVING = frozenset({"pending", "available"})
"""States of a NAT gateway to which a route may be made."""


@dataclass(frozen=True, kw_only=True)
class StaticRoute:
    """A route that somebody made.  ``target`` is the id of a gateway or a network interface; it
    may be gone, and the route is a blackhole then.

    ``destination`` is a CIDR block, or the id of a prefix list, which ``prefix_list`` is too then.
    """

    destination: str
    target: str = ref("weak")
    prefix_list: str | None = ref("restrict", default=None)


def is_list(destination: str) -> bool:
    """Whether a destination is a prefix list rather than a block."""
    return destination.startswith(f"{PrefixList.prefix}-")


def count_routes(reader: Reader, routes: Iterable[StaticRoute], family: str) -> int:
    """As how many routes of an address family some routes count: one to a prefix list as its
    size."""
    return sum(
        weight(reader, route.prefix_list, family)
        if route.prefix_list
        else int((family == IPV6) == is_ipv6(route.destination))
        for route in routes
    )


def spelled_out(
    reader: Reader, routes: Iterable[StaticRoute], local: Iterable[str]
) -> dict[str, StaticRoute]:
    """The route to each block, those of prefix lists too; ``local`` are the VPC's own blocks.

    A route to the block itself goes before a prefix list that has it, the older of two lists
    before the younger; a list's blocks inside the VPC's own are left out (VPC User Guide, "Route
    priority for prefix lists").
    """
    known, own = list(routes), list(local)
    found = {route.destination: route for route in known if route.prefix_list is None}
    for route in known:
        for family in (IPV4, IPV6) if route.prefix_list else ():
            for cidr in cidrs_of(reader, str(route.prefix_list), family):
                if not any(inside(cidr, each) for each in own):
                    found.setdefault(cidr, route)
    return found


def asked_target(call: Call, table: str, vpc: str) -> str:
    """The id of the target that a call names for a route of a table in a VPC; ``LOCAL`` where
    ReplaceRoute asks for a local route's own target.

    Raises:
        ApiError: ``MissingParameter``, ``InvalidParameterCombination``, the not-found codes of
            the targets, ``InvalidParameterValue`` (a target of another VPC).
    """
    named = given(call, *_RESOLVE, *_LATER)
    if len(named) != 1:
        raise _not_one(call, len(named))
    unsupported(call, *_LATER)
    name, value = named[0]
    return _RESOLVE[name](call, value, table, vpc)


def _not_one(call: Call, count: int) -> ApiError:
    message = (
        "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, "
        "vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, "
        "carrierGatewayId, vpcEndpointId, coreNetworkArn or instanceId"
    )
    if call.action == "ReplaceRoute":
        message += ", or must have localTarget set to true"
    return invalid_combination(message) if count else ApiError("MissingParameter", message)


def _local(call: Call, value: bool, table: str, vpc: str) -> str:
    return LOCAL


def _gateway(call: Call, key: str, table: str, vpc: str) -> str:
    if key == LOCAL and call.action == "ReplaceRoute":
        return LOCAL
    if is_endpoint(key):
        raise ApiError(
            "InvalidParameterValue",
            f"The route to {key} is made by associating route table {table} with the endpoint.",
        )
    row: InternetGateway | VpnGateway | None = call.txn.find(InternetGateway, key)
    row = row or call.txn.find(VpnGateway, key)
    if row is None:
        raise ApiError("InvalidGatewayID.NotFound", f"The gateway ID '{key}' does not exist")
    if row.vpc != vpc:
        raise _foreign(table, f"network gateway {key}")
    return row.id


def _egress_only(call: Call, key: str, table: str, vpc: str) -> str:
    row = call.txn.get(EgressOnlyGateway, key)
    if row.vpc != vpc:
        raise _foreign(table, f"egress-only internet gateway {key}")
    return row.id


def _nat_gateway(call: Call, key: str, table: str, vpc: str) -> str:
    row = call.txn.find(NatGateway, key)
    if row is None or row.state not in _SERVING:
        raise ApiError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{key}' does not exist")
    if row.vpc != vpc:
        raise _foreign(table, f"NAT gateway {key}")
    return row.id


def _interface(call: Call, key: str, table: str, vpc: str) -> str:
    row = call.txn.get(NetworkInterface, key)
    if row.vpc != vpc:
        raise _foreign(table, f"interface {key}")
    return row.id


def _instance(call: Call, key: str, table: str, vpc: str) -> str:
    """The one interface of an instance stands for it."""
    found = interfaces_of(call.txn.view, key)
    mine = [eni for eni in found if call.txn.find(NetworkInterface, eni.id)]
    if not mine:
        raise ApiError("InvalidInstanceID.NotFound", f"The instance ID '{key}' does not exist")
    if len(mine) > 1:
        raise ApiError(
            "InvalidInstanceID",
            f"There are multiple interfaces attached to instance '{key}'. "
            "Please specify an interface ID for the operation instead.",
        )
    return _interface(call, mine[0].id, table, vpc)


def _peering(call: Call, key: str, table: str, vpc: str) -> str:
    """A connection may still wait to be accepted: the route is a blackhole until then."""
    row = asked(call, key)
    if vpc not in (side.vpc for side in row.sides):
        raise _foreign(table, f"peering {key}")
    if state_of(call.txn.view, row) not in {*LINKED, "pending-acceptance"}:
        raise not_found(VpcPeeringConnection, key)
    return row.id


def _transit(call: Call, key: str, table: str, vpc: str) -> str:
    """A gateway to which the VPC is not attached is as good as none, in AWS's words too."""
    if attachment_of(call.txn.view, key, vpc) is None:
        call.txn.see(TransitGateway, key)
        raise ApiError(TransitGateway.not_found, f"The transitGateway ID '{key}' does not exist.")
    return key


def _carrier(call: Call, key: str, table: str, vpc: str) -> str:
    row = call.txn.get(CarrierGateway, key)
    if row.vpc != vpc:
        raise _foreign(table, f"carrier gateway {key}")
    return row.id


def _foreign(table: str, target: str) -> ApiError:
    return ApiError(
        "InvalidParameterValue", f"route table {table} and {target} belong to different networks"
    )


_RESOLVE: dict[str, Callable[[Call, Any, str, str], str]] = {
    "LocalTarget": _local,
    "GatewayId": _gateway,
    "EgressOnlyInternetGatewayId": _egress_only,
    "NatGatewayId": _nat_gateway,
    "NetworkInterfaceId": _interface,
    "InstanceId": _instance,
    "VpcPeeringConnectionId": _peering,
    "TransitGatewayId": _transit,
    "CarrierGatewayId": _carrier,
}


def check_family(reader: Reader, destination: str, target: str) -> None:
    """A NAT gateway translates IPv4, and IPv6 within the prefix of NAT64; an egress-only internet
    gateway and an interface in an IPv6-only subnet carry IPv6 only.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    listed = reader.find(PrefixList, destination)
    v6 = listed.family == IPV6 if listed else is_ipv6(destination)
    translated = not v6 or (listed is None and inside(destination, NAT64))
    only = {NatGateway.prefix: translated, EgressOnlyGateway.prefix: v6}
    eni = reader.find(NetworkInterface, target)
    if eni is not None and eni.ip is None:
        only[NetworkInterface.prefix] = v6
    if not only.get(target.partition("-")[0], True):
        raise ApiError(
            "InvalidParameterValue",
            f"The destination CIDR block {destination} is not of the IP address family that "
            f"{target} carries.",
        )


def check_reserved(destination: str) -> None:
    """Raises:
    ApiError: ``InvalidParameterValue`` for a block of AWS's own services.
    """
    for reserved in RESERVED:
        if not is_list(destination) and inside(destination, reserved):
            raise ApiError(
                "InvalidParameterValue",
                f"The destination CIDR block {destination} is within the reserved range "
                f"{reserved}.",
            )


def within_vpc(target: str) -> bool:
    """Whether traffic between a VPC's own subnets may be sent there (VPC User Guide, "Middlebox
    routing"): to interfaces and NAT gateways, not to an internet gateway."""
    return target.startswith((f"{NetworkInterface.prefix}-", f"{NatGateway.prefix}-"))


def target_now(reader: Reader, target: str, vpc: str) -> Target:
    """Where the target is now; a blackhole if it is gone, stopped or detached."""
    if target.startswith(f"{InternetGateway.prefix}-"):
        gateway = reader.find(InternetGateway, target)
        return ViaUplink(target) if gateway and gateway.vpc == vpc else Blackhole(target)
    if _is_peering(target):
        far = far_vpc(reader, target, vpc)
        return ViaPeering(target, far) if far else Blackhole(target)
    if _is_transit(target):
        link = attachment_of(reader, target, vpc)
        return ViaTransit(target, link.id) if link else Blackhole(target)
    if target.startswith(f"{EgressOnlyGateway.prefix}-"):
        return ViaUplink(target) if reader.find(EgressOnlyGateway, target) else Blackhole(target)
    if _is_vpn(target):
        vpn = reader.find(VpnGateway, target)
        return Beyond(target) if vpn and vpn.vpc == vpc else Blackhole(target)
    if _is_carrier(target):
        return Beyond(target) if reader.find(CarrierGateway, target) else Blackhole(target)
    if is_endpoint(target):
        endpoint = reader.find(VpcEndpoint, target)
        return Beyond(target) if endpoint and endpoint.state in IN_SERVICE else Blackhole(target)
    interface: str | None = target
    if target.startswith(f"{NatGateway.prefix}-"):
        row = reader.find(NatGateway, target)
        interface = row.interface if row else None
    return (hop(reader, interface) if interface else None) or Blackhole(target)


def is_endpoint(target: str) -> bool:
    """Whether a target is a gateway endpoint, whose routes come and go with its associations."""
    return target.startswith(f"{VpcEndpoint.prefix}-")


def _is_vpn(target: str) -> bool:
    return target.startswith(f"{VpnGateway.prefix}-")


def _is_carrier(target: str) -> bool:
    return target.startswith(f"{CarrierGateway.prefix}-")


def _is_peering(target: str) -> bool:
    return target.startswith(f"{VpcPeeringConnection.prefix}-")


def _is_transit(target: str) -> bool:
    return target.startswith(f"{TransitGateway.prefix}-")


def show_target(reader: Reader, target: str, vpc: str) -> Shape:
    """The members of the API's ``Route`` structure that tell the target and its state."""
    blackhole = isinstance(target_now(reader, target, vpc), Blackhole)
    shape: Shape = {"State": "blackhole" if blackhole else "active"}
    plain = target.startswith(f"{InternetGateway.prefix}-")
    if plain or is_endpoint(target) or _is_vpn(target):
        return shape | {"GatewayId": target}
    if target.startswith(f"{EgressOnlyGateway.prefix}-"):
        return shape | {"EgressOnlyInternetGatewayId": target}
    if target.startswith(f"{NatGateway.prefix}-"):
        return shape | {"NatGatewayId": target}
    if _is_peering(target):
        return shape | {"VpcPeeringConnectionId": target}
    if _is_transit(target):
        return shape | {"TransitGatewayId": target}
    if _is_carrier(target):
        return shape | {"CarrierGatewayId": target}
    shape["NetworkInterfaceId"] = target
    eni = reader.find(NetworkInterface, target)
    if eni and eni.attachment and eni.attachment.instance:
        shape["InstanceId"] = eni.attachment.instance
        shape["InstanceOwnerId"] = eni.attachment.owner
    return shape
