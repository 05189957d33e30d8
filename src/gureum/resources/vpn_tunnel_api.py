"""The API's actions on single tunnels of VPN connections: what is negotiated, replaced, certified.

Nothing is negotiated here, as no tunnel comes up.

Sources: Site-to-Site VPN Guide, "Tunnel endpoint replacements"; EC2 API Reference,
ReplaceVpnTunnel, GetActiveVpnTunnelStatus, ModifyVpnTunnelCertificate.
"""

from __future__ import annotations

from dataclasses import replace

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Shape
from gureum.resources.customer_gateway import CustomerGateway
from gureum.resources.vpn_connection import VpnConnection
from gureum.resources.vpn_connection_api import asked_tunnel, show
from gureum.resources.vpn_tunnel import Tunnel


def active_status(call: Call) -> Shape:
    """GetActiveVpnTunnelStatus: the end is there, and has nobody to talk to."""
    asked_tunnel(call)
    told = {"ProvisioningStatus": "available", "ProvisioningStatusReason": "IPSEC IS DOWN"}
    return {"ActiveVpnTunnelStatus": told}


def replacement_status(call: Call) -> Shape:
    """GetVpnTunnelReplacementStatus: no maintenance is ever pending."""
    row, tunnel = asked_tunnel(call)
    details: Shape = {"PendingMaintenance": "UNAVAILABLE"}
    if tunnel.replaced:
        details["LastMaintenanceApplied"] = tunnel.replaced
    return {
        "VpnConnectionId": row.id,
        "CustomerGatewayId": row.customer,
        "VpnGatewayId": row.gateway or "",
        "VpnTunnelOutsideIpAddress": tunnel.outside,
        "MaintenanceDetails": details,
    }


def replace_tunnel(call: Call) -> Shape:
    """ReplaceVpnTunnel: AWS's end is another one; addresses, key and options stay."""
    row, tunnel = asked_tunnel(call)
    _put(call, row, tunnel, replace(tunnel, replaced=call.now))
    return {"Return": True}


def modify_certificate(call: Call) -> Shape:
    """ModifyVpnTunnelCertificate: a new one for AWS's end, where certificates are used.

    Raises:
        ApiError: ``UnsupportedOperation`` where the customer's end has none; the codes of
            :func:`gureum.resources.vpn_connection_api.asked_tunnel`.
    """
    row, tunnel = asked_tunnel(call)
    customer = call.txn.find(CustomerGateway, row.customer)
    if customer is None or customer.certificate is None:
        raise ApiError(
            "UnsupportedOperation",
            f"The VPN connection '{row.id}' does not use certificate-based authentication.",
        )
    key = call.new_id("cert").removeprefix("cert-")
    arn = f"arn:aws:acm:{call.region}:{call.account}:certificate/{key}"
    row = _put(call, row, tunnel, replace(tunnel, certificate=arn))
    return {"VpnConnection": show(row, call.txn.view)}


def _put(call: Call, row: VpnConnection, old: Tunnel, new: Tunnel) -> VpnConnection:
    tunnels = tuple(new if each is old else each for each in row.tunnels)
    return call.txn.put(replace(row, tunnels=tunnels))


KIND: Kind[VpnConnection] = Kind(
    row=None,
    actions={
        "GetActiveVpnTunnelStatus": active_status,
        "GetVpnTunnelReplacementStatus": replacement_status,
        "ReplaceVpnTunnel": replace_tunnel,
        "ModifyVpnTunnelCertificate": modify_certificate,
    },
    reads=frozenset({"GetActiveVpnTunnelStatus", "GetVpnTunnelReplacementStatus"}),
)
