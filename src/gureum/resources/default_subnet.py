"""Default subnets that come back: CreateDefaultSubnet.

Sources: VPC User Guide, "Create a default subnet"; EC2 API Reference, CreateDefaultSubnet.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from gureum.errors import ApiError, invalid_combination
from gureum.kind import Call, Kind, Shape
from gureum.model import Resource
from gureum.resources.shapes import unsupported
from gureum.resources.subnet import Subnet, add_default, asked_zone, show
from gureum.resources.vpc import default_vpc


def create_default_subnet(call: Call) -> Shape:
    """CreateDefaultSubnet: a /20 that is free, in a zone whose default subnet was deleted."""
    unsupported(call, "Ipv6Native")
    if bool(call.get("AvailabilityZone")) == bool(call.get("AvailabilityZoneId")):
        raise invalid_combination(
            "Either AvailabilityZone or AvailabilityZoneId must be specified, but not both."
        )
    vpc, zone = default_vpc(call.txn), asked_zone(call)
    if vpc is None:
        raise ApiError(
            "DefaultVpcDoesNotExist", "No default VPC exists for this account in this region."
        )
    others = list(call.txn.referrers(vpc.id, Subnet))
    for other in others:
        if other.default and other.zone == zone:
            raise ApiError(
                "DefaultSubnetAlreadyExistsInAvailabilityZone",
                f"'{other.id}' is already the default subnet in {zone}.",
            )
    taken = [IPv4Network(other.cidr) for other in others]
    for part in IPv4Network(vpc.cidr).subnets(new_prefix=20):
        if not any(part.overlaps(network) for network in taken):
            return {"Subnet": show(add_default(call, vpc, str(part), zone), call.txn.view)}
    raise ApiError("InvalidSubnet.Conflict", f"No /20 of the default VPC '{vpc.id}' is free")


KIND: Kind[Resource] = Kind(row=None, actions={"CreateDefaultSubnet": create_default_subnet})
