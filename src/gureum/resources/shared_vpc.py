"""VPCs of which other accounts have subnets by a share: who is in one, and what each side sees.

The owner of a VPC shares subnets of it (AWS RAM); the accounts that have joined, its participants,
put interfaces of their own there.  They see what of the owner's leads their packets, the owner sees
their interfaces and groups, and neither may change what is the other's.

Source: VPC User Guide, "Share your VPC subnets with other accounts", "Responsibilities and
permissions for owners and participants".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from gureum.model import Reader, Resource
from gureum.resources.resource_share import shared_with

if TYPE_CHECKING:
    from typing import Self

MAX_PARTICIPANTS = 100
"""Accounts with which subnets of one VPC are shared (VPC quotas, "VPC subnet sharing")."""

MAX_SUBNETS = 100
"""Subnets that are shared with one account (VPC quotas, "VPC subnet sharing")."""

SUBNET = "subnet"
"""The type of what is shared; its class needs this module."""


class InVpc(Protocol):
    """A row that says in which VPC it is, if in any."""

    @property
    def region(self) -> str: ...

    @property
    def vpc(self) -> str | None: ...


def shared_vpcs(reader: Reader, account: str, region: str) -> list[str]:
    """The VPCs of which an account has a subnet by a share, once each."""
    rows = shared_with(reader, Resource, account, region)
    return list(dict.fromkeys(str(getattr(row, "vpc", "")) for row in rows if row.kind == SUBNET))


def is_in_vpc(reader: Reader, vpc: str, account: str, region: str) -> bool:
    """Whether an account has a VPC or a subnet of it by a share."""
    row = reader.find(Resource, vpc)
    mine = row is not None and row.account == account
    return mine or vpc in shared_vpcs(reader, account, region)


def takes_part(reader: Reader, row: InVpc, account: str) -> bool:
    """Whether an account has a subnet by a share of the VPC in which a row is."""
    return row.vpc is not None and row.vpc in shared_vpcs(reader, account, row.region)


def owner_of(reader: Reader, row: InVpc) -> str | None:
    """The account that has the VPC in which a row is."""
    vpc = reader.find(Resource, row.vpc)
    return vpc.account if vpc else None


class Shown(Protocol):
    """A row that tells to whom it is open."""

    def open_to(self, reader: Reader, account: str) -> bool: ...


class OpenToGuests:
    """What participants see of the owner's, and cannot change: they may tag it, each for itself.
    Mixed into the class of a row."""

    def beside(self: Shown, reader: Reader, account: str) -> bool:
        return self.open_to(reader, account)


class OfHost(OpenToGuests):
    """The same of a row that says in which VPC it is."""

    def open_to(self: InVpc, reader: Reader, account: str) -> bool:
        return takes_part(reader, self, account)

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> Iterator[Self]:
        mixed: Any = cls  # with a row's class, which a mixin does not know
        for vpc in shared_vpcs(reader, account, region):
            host = reader.find(Resource, vpc)
            for row in reader.referrers(vpc, mixed):
                if host is not None and row.account == host.account:
                    yield row


class OfGuest:
    """What an owner of a VPC sees of participants' and cannot change, shared still or not; mixed
    into the class of a row."""

    def open_to(self: InVpc, reader: Reader, account: str) -> bool:
        return owner_of(reader, self) == account

    def beside(self: InVpc, reader: Reader, account: str) -> bool:
        return owner_of(reader, self) == account

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> Iterator[Self]:
        mixed: Any = cls  # with a row's class, which a mixin does not know
        for vpc in reader.all(Resource.by_kind["vpc"]):
            if (vpc.account, vpc.region) == (account, region):
                yield from (
                    row for row in reader.referrers(vpc.id, mixed) if row.account != account
                )
