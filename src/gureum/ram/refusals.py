"""What keeps a subnet or a security group from being shared, or from being shared with one account
more.

AWS tells so in the association, which fails, not in the answer to the call.  Sources: VPC User
Guide, "Share your VPC subnets with other accounts", "Share security groups with AWS Organizations",
and "Amazon VPC quotas", "VPC subnet sharing".
"""

from __future__ import annotations

from collections.abc import Iterator

from gureum.model import Reader, Resource
from gureum.resources.resource_share import OVER, ResourceShare, ShareAssociation, associations_of
from gureum.resources.security_group import SecurityGroup
from gureum.resources.shared_vpc import MAX_PARTICIPANTS, MAX_SUBNETS, owner_of
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc

DEFAULT = "Subnets of a default VPC cannot be shared."
DEFAULT_GROUP = "Default security groups cannot be shared."
IN_DEFAULT = "Security groups of a default VPC cannot be shared."
FOREIGN = "Security groups of another account's VPC cannot be shared."
TOO_MANY_PARTICIPANTS = (
    f"The subnets of a VPC can be shared with at most {MAX_PARTICIPANTS} accounts."
)
TOO_MANY_SUBNETS = f"At most {MAX_SUBNETS} subnets can be shared with an account."


def why_not(reader: Reader, share: ResourceShare, row: Resource) -> str | None:
    """Why a resource cannot be put into a share; None where it can."""
    if isinstance(row, SecurityGroup):
        return _why_not_group(reader, row)
    if not isinstance(row, Subnet):
        return None
    vpc = reader.find(Vpc, row.vpc)
    if row.default or (vpc is not None and vpc.default):
        return DEFAULT
    principals = set(_principals(reader, share.id))
    if len(participants(reader, row.vpc) | principals) > MAX_PARTICIPANTS:
        return TOO_MANY_PARTICIPANTS
    if any(len(subnets_of(reader, each) | {row.id}) > MAX_SUBNETS for each in principals):
        return TOO_MANY_SUBNETS
    return None


def _why_not_group(reader: Reader, row: SecurityGroup) -> str | None:
    vpc = reader.find(Vpc, row.vpc)
    if row.default:
        return DEFAULT_GROUP
    if vpc is not None and vpc.default:
        return IN_DEFAULT
    return FOREIGN if owner_of(reader, row) != row.account else None


def why_not_with(reader: Reader, share: ResourceShare, principal: str) -> str | None:
    """Why a share cannot be shared with one account more; None where it can."""
    rows = list(_subnets(reader, share.id))
    for vpc in {row.vpc for row in rows}:
        if len(participants(reader, vpc) | {principal}) > MAX_PARTICIPANTS:
            return TOO_MANY_PARTICIPANTS
    keys = {row.id for row in rows}
    if keys and len(subnets_of(reader, principal) | keys) > MAX_SUBNETS:
        return TOO_MANY_SUBNETS
    return None


def participants(reader: Reader, vpc: str) -> set[str]:
    """The accounts with which subnets of a VPC are shared, or that are asked to join."""
    return {
        principal
        for subnet in reader.referrers(vpc, Subnet)
        for each in reader.referrers(subnet.id, ShareAssociation)
        if each.status not in OVER
        for principal in _principals(reader, each.share)
    }


def subnets_of(reader: Reader, principal: str) -> set[str]:
    """The subnets that are shared with an account, or will be once it joins."""
    return {
        row.id
        for each in reader.referrers(principal, ShareAssociation)
        if each.status not in OVER
        for row in _subnets(reader, each.share)
    }


def _principals(reader: Reader, share: str) -> Iterator[str]:
    for each in associations_of(reader, share):
        if each.principal and each.status not in OVER:
            yield each.principal


def _subnets(reader: Reader, share: str) -> Iterator[Subnet]:
    for each in associations_of(reader, share):
        row = reader.find(Subnet, each.resource) if each.status not in OVER else None
        if row is not None:
            yield row
