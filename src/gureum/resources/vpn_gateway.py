"""Virtual private gateway: the VPC's end of VPN connections; a record, behind which nobody is.

The row is here; the API's own actions are in :mod:`gureum.resources.vpn_gateway_api`.

Sources: Site-to-Site VPN Guide, "Virtual private gateway"; EC2 API Reference, CreateVpnGateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gureum.model import Reader, Resource, ref
from gureum.model.timestamps import age

DEFAULT_ASN = 64512
"""Amazon's BGP number where none is asked for."""

KEPT = timedelta(hours=1)
"""How long deleted gateways and VPN connections stay visible."""


@dataclass(frozen=True, kw_only=True)
class VpnGateway(
    Resource,
    kind="vpn-gateway",
    prefix="vgw",
    not_found="InvalidVpnGatewayID.NotFound",
    malformed="InvalidVpnGatewayID.Malformed",
    noun="vpnGateway",
):
    """A gateway, attached to one VPC or to none.  ``asn`` is Amazon's BGP number, ``ended`` when it
    was deleted."""

    vpc: str | None = ref(default=None)
    asn: int = DEFAULT_ASN
    zone: str | None = None
    ended: str | None = None


def attached(reader: Reader, vpc: str) -> VpnGateway | None:
    """The gateway that is attached to a VPC."""
    return next(reader.referrers(vpc, VpnGateway), None)


def is_over(ended: str | None, now: str) -> bool:
    """Whether something that ended then is to be forgotten."""
    if ended is None:
        return False
    return age(ended, now) >= KEPT
