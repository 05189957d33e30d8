"""VPN connection: two tunnels between a VPC's gateway and a customer's device; a record.

The row and the routes that it gives to route tables are here; the API's own actions are in
:mod:`gureum.resources.vpn_connection_api`.

Sources: Site-to-Site VPN Guide, "Site-to-Site VPN connections" and "Route tables and route
priority"; EC2 API Reference, CreateVpnConnection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gureum.model import Reader, Resource, ref
from gureum.resources.vpn_tunnel import Tunnel

IN_SERVICE = frozenset({"pending", "available"})
"""States in which a connection uses its gateways."""


@dataclass(frozen=True, kw_only=True)
class VpnConnection(
    Resource,
    kind="vpn-connection",
    prefix="vpn",
    not_found="InvalidVpnConnectionID.NotFound",
    malformed="InvalidVpnConnectionID.Malformed",
    noun="vpnConnection",
):
    """A connection.  ``static`` says that it has routes by hand instead of BGP; ``local`` and
    ``remote`` are the blocks at the customer's end and at AWS's.  ``ended`` is when it was
    deleted."""

    customer: str = ref("weak")
    gateway: str | None = ref("weak", default=None)
    static: bool = False
    local: str = "0.0.0.0/0"
    remote: str = "0.0.0.0/0"
    tunnels: tuple[Tunnel, ...] = ()
    routes: tuple[str, ...] = ()
    state: str = "pending"
    ended: str | None = None


def live(reader: Reader, gateway: str) -> Iterator[VpnConnection]:
    """The connections that use a gateway, of either end."""
    rows = reader.referrers(gateway, VpnConnection)
    return (row for row in rows if row.state in IN_SERVICE)


def propagated(reader: Reader, gateway: str) -> list[str]:
    """The blocks to which a virtual private gateway propagates routes, in order: those of its
    connections, which only static ones have, as no BGP session ever comes up here."""
    rows = sorted(live(reader, gateway), key=lambda row: (row.created, row.id))
    return list(dict.fromkeys(route for row in rows for route in row.routes))
