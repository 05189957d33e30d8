"""What lets the rules of one VPC name groups of another.

Sources: VPC Peering Guide, "Update your security groups to reference peer security groups"; Amazon
VPC Transit Gateways, "Security group referencing" (inbound rules alone; off for a gateway and on
for its attachments until somebody says otherwise).
"""

from __future__ import annotations

from gureum.model import Reader
from gureum.resources.transit_gateway import joining
from gureum.resources.vpc_peering import link

_SUPPORT = "SecurityGroupReferencingSupport"


def joint(reader: Reader, vpc: str, other: str, *, egress: bool = False) -> str | None:
    """The peering connection by which rules of a VPC may name groups of another one, else the
    transit gateway, which lets inbound rules alone do so; None where nothing does."""
    peering = link(reader, vpc, other)
    if peering is not None or egress:
        return peering.id if peering else None
    gateway = joining(reader, vpc, other, _SUPPORT)
    return gateway.id if gateway else None
