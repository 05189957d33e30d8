"""Default subnets that come back: CreateDefaultSubnet.

Sources: VPC User Guide, "Create a default subnet"; EC2 API Reference, CreateDefaultSubnet.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from gureum.errors import ApiError, invalid_combination
from gureum.kind import Call, Kind, Shape
from gureum.model import Resource
from gureum.resources import ipv6
from gureum.resources.subnet import Subnet, add_default, asked_zone, ipv6_only, ipv6_parts, show
from gureum.resources.vpc import Vpc, default_vpc

LENGTH = 64
"""The prefix length of a default subnet that is IPv6-only."""


def create_default_subnet(call: Call) -> Shape:
    """CreateDefaultSubnet: a /20 that is free, in a zone whose default subnet was deleted; for an
    IPv6-only one a /64."""
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
    if call.get("Ipv6Native"):
        return {"Subnet": show(_ipv6_only(call, vpc, zone), call.txn.view)}
    taken = [IPv4Network(other.cidr) for other in others if other.cidr]
    for part in IPv4Network(vpc.cidr).subnets(new_prefix=20):
        if not any(part.overlaps(network) for network in taken):
            return {"Subnet": show(add_default(call, vpc, str(part), zone), call.txn.view)}
    raise ApiError("InvalidSubnet.Conflict", f"No /20 of the default VPC '{vpc.id}' is free")


def _ipv6_only(call: Call, vpc: Vpc, zone: str) -> Subnet:
    """The first free /64 of the default VPC's IPv6 blocks; AWS does not tell which it takes."""
    whole = ipv6.blocks(call.txn.view, vpc.id)
    if not whole:
        raise ApiError(
            "InvalidParameterValue",
            f"The default VPC '{vpc.id}' does not have an IPv6 CIDR block associated with it.",
        )
    parts = ipv6_parts(call.txn.view, vpc.id)
    taken = [IPv6Network(cidr) for cidr in parts]
    for block in whole:
        for part in IPv6Network(block.cidr).subnets(new_prefix=LENGTH):
            if not any(part.overlaps(network) for network in taken):
                own = ipv6.part(call, vpc.id, str(part), parts)
                common = {**call.common(Subnet), "tags": ()}
                row = ipv6_only(**common, vpc=vpc.id, zone=zone, ipv6=own, default=True)
                return call.created(row)
    raise ApiError("InvalidSubnet.Conflict", f"No /64 of the default VPC '{vpc.id}' is free")


KIND: Kind[Resource] = Kind(row=None, actions={"CreateDefaultSubnet": create_default_subnet})
