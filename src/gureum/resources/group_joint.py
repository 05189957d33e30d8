"""What lets the rules of one VPC name groups of another.

Sources: VPC Peering Guide, "Update your security groups to reference peer security groups"; Amazon
VPC Transit Gateways, "Security group referencing" (inbound rules alone; off for a gateway and on
for its attachments until somebody says otherwise).
"""

from __future__ import annotations

from gureum.model import Reader
from gureum.resources.transit_gateway import (
    SERVING,
    TransitGateway,
    TransitGatewayAttachment,
    attachments_of,
)
from gureum.resources.vpc_peering import link

_SUPPORT = "SecurityGroupReferencingSupport"


def joint(reader: Reader, vpc: str, other: str, *, egress: bool = False) -> str | None:
    """The peering connection by which rules of a VPC may name groups of another one, else the
    transit gateway, which lets inbound rules alone do so; None where nothing does."""
    peering = link(reader, vpc, other)
    if peering is not None or egress:
        return peering.id if peering else None
    theirs = {row.gateway for row in attachments_of(reader, other) if _names_groups(row)}
    for row in attachments_of(reader, vpc):
        gateway = reader.find(TransitGateway, row.gateway)
        if _names_groups(row) and row.gateway in theirs and gateway and _SUPPORT in gateway.enabled:
            return gateway.id
    return None


def _names_groups(row: TransitGatewayAttachment) -> bool:
    return row.state in SERVING and _SUPPORT in row.enabled
