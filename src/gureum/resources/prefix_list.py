"""Managed prefix list: CIDR blocks under one id, for rules and routes to refer to.

What others need of lists is here; the API's own actions are in
:mod:`gureum.resources.prefix_list_api`.

Sources: VPC User Guide, "Consolidate and manage network CIDR blocks with managed prefix lists" and
"AWS-managed prefix lists", "Share customer-managed prefix lists"; EC2 API Reference,
CreateManagedPrefixList.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gureum.kind import Call
from gureum.model import Reader, Resource, ref
from gureum.resources.resource_share import is_shared, shared_with

IPV4, IPV6 = "IPv4", "IPv6"

AWS = "AWS"
"""The owner of the lists that AWS manages."""

GATEWAY_SERVICES = {"s3": "198.19.248.0/22", "dynamodb": "198.19.252.0/22"}
"""The services of which AWS keeps a list in each region, with where this cloud's internet would
have them: the last /21 of the block for hosts of the internet."""

AWS_WEIGHT = 1
"""As how many rules or routes those lists count (VPC User Guide, "AWS-managed prefix list
weight")."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A CIDR block of a list, in canonical form."""

    cidr: str
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class PrefixList(
    Resource,
    kind="prefix-list",
    prefix="pl",
    not_found="InvalidPrefixListID.NotFound",
    malformed="InvalidPrefixListId.Malformed",
    noun="prefix list",
    missing="The prefix list ID '{id}' does not exist.",
):
    """A prefix list.  ``owner`` is an account or :data:`AWS`, whose lists are read-only and say
    neither a version nor a size.  ``failure`` tells why the last change of its size failed."""

    name: str
    family: str
    owner: str
    max_entries: int
    entries: tuple[Entry, ...]
    version: int = 1
    failure: str | None = None

    @property
    def managed_by_aws(self) -> bool:
        return self.owner == AWS

    def open_to(self, reader: Reader, account: str) -> bool:
        return is_shared(reader, self.id, account)

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> tuple[PrefixList, ...]:
        return shared_with(reader, PrefixList, account, region)


@dataclass(frozen=True, kw_only=True)
class PrefixListVersion(
    Resource,
    kind="prefix-list-version",
    prefix="plv",
    not_found="InvalidParameterValue",
    noun="prefix list version",
):
    """The entries that a list has or had under a version number.  The id is made of both, so that
    a version is found without going through all."""

    prefix_list: str = ref("cascade")
    version: int
    entries: tuple[Entry, ...]


def version_id(key: str, version: int) -> str:
    """The id of the row of a list's version."""
    return f"plv-{key}/{version}"


def cidrs_of(reader: Reader, key: str, family: str) -> tuple[str, ...]:
    """The blocks that a list stands for now; none if it is of the other address family."""
    row = reader.find(PrefixList, key)
    if row is None or row.family != family:
        return ()
    return tuple(entry.cidr for entry in row.entries)


def weight(reader: Reader, key: str, family: str) -> int:
    """As how many rules or routes of an address family a reference to the list counts: its
    greatest size, whatever it holds."""
    row = reader.find(PrefixList, key)
    return row.max_entries if row is not None and row.family == family else 0


def managed_id(account: str, name: str) -> str:
    """The id that a list of AWS's own has in an account, by its name."""
    digest = hashlib.sha256(f"{account}/{name}".encode()).hexdigest()
    return f"pl-{digest[:8]}"


def provide(call: Call) -> None:
    """The lists that AWS manages.  Their ids are those of no other account: a row has one owner."""
    for service, cidr in GATEWAY_SERVICES.items():
        name = f"com.amazonaws.{call.region}.{service}"
        row = PrefixList(
            **{**call.common(PrefixList, managed_id(call.account, name)), "tags": ()},
            name=name,
            family=IPV4,
            owner=AWS,
            max_entries=AWS_WEIGHT,
            entries=(Entry(cidr=cidr),),
        )
        call.created(row)
