"""The API's actions on VPN connections.

No tunnel comes up: nobody speaks IPsec here.  A connection is made and shown as AWS does, with the
configuration for the customer's device, and its static routes propagate.

Sources: EC2 API Reference, CreateVpnConnection, CreateVpnConnectionRoute, ModifyVpnConnection;
Site-to-Site VPN Guide, "Tunnel options".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Txn, View
from gureum.model.cidr import ipv4_network
from gureum.model.txn import not_found
from gureum.resources import public_ip, vpn_tunnel
from gureum.resources.customer_gateway import CustomerGateway
from gureum.resources.customer_gateway import there as customer_there
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.vpn_connection import IN_SERVICE, VpnConnection, live
from gureum.resources.vpn_gateway import VpnGateway, is_over
from gureum.resources.vpn_gateway_api import there as gateway_there
from gureum.resources.vpn_tunnel import Tunnel

MAX_CONNECTIONS = 50
"""VPN connections per region (Site-to-Site VPN quotas)."""

MAX_PER_GATEWAY = 10
"""VPN connections per virtual private gateway (Site-to-Site VPN quotas)."""

TUNNELS = 2


# --- connections --------------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreateVpnConnection: with two tunnels, whose keys and addresses are drawn unless given."""
    unsupported(call, "TransitGatewayId", "VpnConcentratorId", "PreSharedKeyStorage")
    if call.params["Type"] != "ipsec.1":
        raise ApiError(
            "InvalidParameterValue", f"Invalid VPN connection type '{call.params['Type']}'."
        )
    customer = customer_there(call, call.params["CustomerGatewayId"])
    if not call.get("VpnGatewayId"):
        raise missing_parameter("vpnGatewayId")
    gateway = gateway_there(call, call.params["VpnGatewayId"])
    options = call.get("Options", {})
    _check_options(options)
    _check_quota(call, gateway)
    row = VpnConnection(
        **call.common(VpnConnection),
        customer=customer.id,
        gateway=gateway.id,
        static=bool(options.get("StaticRoutesOnly", False)),
        local=_block(options, "LocalIpv4NetworkCidr"),
        remote=_block(options, "RemoteIpv4NetworkCidr"),
    )
    call.created(row)  # addresses are taken by a row that exists
    row = call.txn.put(replace(row, tunnels=_tunnels(call, row, gateway)))
    return {"VpnConnection": show(row, call.txn.view)}


def _check_options(options: dict[str, Any]) -> None:
    """Raises:
    ApiError: ``UnsupportedOperation`` for what needs a transit gateway, and for IPv6.
    """
    v6 = options.get("TunnelInsideIpVersion", "ipv4") != "ipv4"
    private = options.get("OutsideIpAddressType", "PublicIpv4") != "PublicIpv4"
    if v6 or private or options.get("EnableAcceleration"):
        raise ApiError(
            "UnsupportedOperation",
            "VPN connections here have IPv4 tunnels between public addresses, without "
            "acceleration.",
        )
    if len(options.get("TunnelOptions", ())) > TUNNELS:
        raise ApiError("InvalidParameterValue", "A VPN connection has two tunnels.")


def _block(options: dict[str, Any], name: str, default: str = "0.0.0.0/0") -> str:
    return str(ipv4_network(options.get(name) or default, name))


def _check_quota(call: Call, gateway: VpnGateway) -> None:
    rows = call.txn.all(VpnConnection)
    full = sum(1 for row in rows if row.state in IN_SERVICE) >= MAX_CONNECTIONS
    if full or sum(1 for _ in live(call.txn.view, gateway.id)) >= MAX_PER_GATEWAY:
        raise ApiError(
            "VpnConnectionLimitExceeded", "The maximum number of VPN connections has been reached."
        )


def _tunnels(call: Call, row: VpnConnection, gateway: VpnGateway) -> tuple[Tunnel, ...]:
    asked = [*call.get("Options", {}).get("TunnelOptions", ()), {}, {}][:TUNNELS]
    taken = {each.inside for other in live(call.txn.view, gateway.id) for each in other.tunnels}
    made: dict[int, Tunnel] = {}
    # a block that is drawn must not be the one that the other tunnel names
    for number in sorted(range(TUNNELS), key=lambda each: not asked[each].get("TunnelInsideCidr")):
        outside = public_ip.allocate(call, row.id)
        made[number] = vpn_tunnel.make(asked[number], outside, taken)
        taken.add(made[number].inside)
    return tuple(made[number] for number in range(TUNNELS))


def delete(call: Call) -> Shape:
    """DeleteVpnConnection: its routes are propagated no more."""
    row = _there(call)
    call.txn.put(replace(row, state="deleting", ended=call.now))
    return {}


def _there(call: Call) -> VpnConnection:
    row = call.txn.get(VpnConnection, call.params["VpnConnectionId"])
    if row.state not in IN_SERVICE:
        raise not_found(VpnConnection, row.id)
    return row


def modify(call: Call) -> Shape:
    """ModifyVpnConnection: another gateway at either end."""
    unsupported(call, "TransitGatewayId")
    row = _there(call)
    if call.get("CustomerGatewayId"):
        customer = customer_there(call, call.params["CustomerGatewayId"])
        row = replace(row, customer=customer.id)
    if call.get("VpnGatewayId"):
        row = replace(row, gateway=gateway_there(call, call.params["VpnGatewayId"]).id)
    return {"VpnConnection": show(call.txn.put(row), call.txn.view)}


def modify_options(call: Call) -> Shape:
    """ModifyVpnConnectionOptions: the blocks at both ends."""
    unsupported(call, "LocalIpv6NetworkCidr", "RemoteIpv6NetworkCidr")
    row, given = _there(call), dict(call.params)
    row = replace(
        row,
        local=_block(given, "LocalIpv4NetworkCidr", row.local),
        remote=_block(given, "RemoteIpv4NetworkCidr", row.remote),
    )
    return {"VpnConnection": show(call.txn.put(row), call.txn.view)}


def asked_tunnel(call: Call) -> tuple[VpnConnection, Tunnel]:
    """The connection and the tunnel, by its outside address, that a call names.

    Raises:
        ApiError: ``InvalidVpnConnectionID.NotFound``, ``InvalidParameterValue``.
    """
    row, outside = _there(call), call.params["VpnTunnelOutsideIpAddress"]
    for each in row.tunnels:
        if each.outside == outside:
            return row, each
    raise ApiError("InvalidParameterValue", f"The tunnel {outside} does not exist in {row.id}.")


def modify_tunnel(call: Call) -> Shape:
    """ModifyVpnTunnelOptions: of the tunnel with an outside address."""
    row, old = asked_tunnel(call)
    given = {
        "TunnelInsideCidr": old.inside,
        "PreSharedKey": old.key,
        **call.get("TunnelOptions", {}),
    }
    users = live(call.txn.view, str(row.gateway))
    taken = {each.inside for other in users for each in other.tunnels} - {old.inside}
    made = vpn_tunnel.make(given, old.outside, taken)
    new = vpn_tunnel.changed(replace(old, inside=made.inside, key=made.key), given)
    tunnels = tuple(new if each is old else each for each in row.tunnels)
    row = call.txn.put(replace(row, tunnels=tunnels))
    return {"VpnConnection": show(row, call.txn.view)}


# --- routes -------------------------------------------------------------------------------------
def create_route(call: Call) -> Shape:
    """CreateVpnConnectionRoute: to a block at the customer's end; the same again is no error."""
    row = _there(call)
    if not row.static:
        raise ApiError(
            "InvalidVpnConnection.InvalidType",
            f"The VPN connection '{row.id}' does not support static routes.",
        )
    block = str(ipv4_network(call.params["DestinationCidrBlock"], "destinationCidrBlock"))
    if block not in row.routes:
        call.txn.put(replace(row, routes=(*row.routes, block)))
    return {}


def delete_route(call: Call) -> Shape:
    """DeleteVpnConnectionRoute."""
    row = _there(call)
    block = str(ipv4_network(call.params["DestinationCidrBlock"], "destinationCidrBlock"))
    if block not in row.routes:
        raise ApiError("InvalidRoute.NotFound", f"The route {block} of {row.id} does not exist.")
    call.txn.put(replace(row, routes=tuple(each for each in row.routes if each != block)))
    return {}


# --- life ---------------------------------------------------------------------------------------
def settled(txn: Txn, row: VpnConnection, now: str) -> None:
    """The cloud has the connection, or has it no more."""
    if row.state == "pending":
        txn.put(replace(row, state="available"))
    elif row.state == "deleting":
        for tunnel in row.tunnels:
            public_ip.release(txn, tunnel.outside)
        txn.put(replace(row, state="deleted", ended=now))


def expired(txn: Txn, row: VpnConnection, now: str) -> None:
    """Forget a connection that was deleted an hour ago."""
    if row.state == "deleted" and is_over(row.ended, now):
        txn.delete(row)


# --- answers ------------------------------------------------------------------------------------
def show(row: VpnConnection, view: View) -> Shape:
    """The API's ``VpnConnection`` structure."""
    shape: Shape = {
        "VpnConnectionId": row.id,
        "State": row.state,
        "Type": "ipsec.1",
        "Category": "VPN",
        "CustomerGatewayId": row.customer,
        "GatewayAssociationState": "associated" if row.state in IN_SERVICE else "not-associated",
        "Options": {
            "EnableAcceleration": False,
            "StaticRoutesOnly": row.static,
            "LocalIpv4NetworkCidr": row.local,
            "RemoteIpv4NetworkCidr": row.remote,
            "OutsideIpAddressType": "PublicIpv4",
            "TunnelInsideIpVersion": "ipv4",
            "TunnelOptions": [vpn_tunnel.show(each) for each in row.tunnels],
        },
        "Routes": [{"DestinationCidrBlock": each, "State": "available"} for each in row.routes],
        "VgwTelemetry": [_telemetry(row, each) for each in row.tunnels],
        "Tags": tag_list(row),
    }
    if row.gateway:
        shape["VpnGatewayId"] = row.gateway
    if row.state in IN_SERVICE:
        shape["CustomerGatewayConfiguration"] = "\n".join(_configuration(row, view)) + "\n"
    return shape


def _telemetry(row: VpnConnection, tunnel: Tunnel) -> Shape:
    certificate = {"CertificateArn": tunnel.certificate} if tunnel.certificate else {}
    return {
        **certificate,
        "OutsideIpAddress": tunnel.outside,
        "Status": "DOWN",
        "StatusMessage": "IPSEC IS DOWN",
        "AcceptedRouteCount": len(row.routes),
        "LastStatusChange": row.created,
    }


def _configuration(row: VpnConnection, view: View) -> Iterator[str]:
    """The lines of the configuration for the customer's device, in AWS's XML."""
    customer, gateway = view.find(CustomerGateway, row.customer), view.find(VpnGateway, row.gateway)
    kind = "<vpn_connection_attributes>NoBGPVPNConnection</vpn_connection_attributes>"
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<vpn_connection id="{row.id}">'
    yield f"  <customer_gateway_id>{row.customer}</customer_gateway_id>"
    yield f"  <vpn_gateway_id>{row.gateway or ''}</vpn_gateway_id>"
    yield "  <vpn_connection_type>ipsec.1</vpn_connection_type>"
    if row.static:
        yield f"  {kind}"
    asns = (customer.asn, gateway.asn) if customer and gateway and not row.static else None
    outside = (customer.ip if customer else None) or ""
    for tunnel in row.tunnels:
        yield from vpn_tunnel.configuration(tunnel, outside, asns)
    yield "</vpn_connection>"


def _asn(row: VpnConnection, view: View) -> list[str]:
    customer = view.find(CustomerGateway, row.customer)
    return [str(customer.asn)] if customer else []


KIND = Kind(
    row=VpnConnection,
    actions={
        "CreateVpnConnection": create,
        "DeleteVpnConnection": delete,
        "ModifyVpnConnection": modify,
        "ModifyVpnConnectionOptions": modify_options,
        "ModifyVpnTunnelOptions": modify_tunnel,
        "CreateVpnConnectionRoute": create_route,
        "DeleteVpnConnectionRoute": delete_route,
    },
    listings=(
        Listing(
            action="DescribeVpnConnections",
            result="VpnConnections",
            show=show,
            ids="VpnConnectionIds",
            paths={
                "option.static-routes-only": "Options.StaticRoutesOnly",
                "route.destination-cidr-block": "Routes[].DestinationCidrBlock",
            },
            computed={"bgp-asn": _asn},
        ),
    ),
    settled=settled,
    expired=expired,
)
