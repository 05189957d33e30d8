"""Id formats: all ids are long, and nobody can ask for short ones any more.

Sources: EC2 API Reference, DescribeIdFormat, DescribePrincipalIdFormat, ModifyIdFormat; EC2 User
Guide, "Resource IDs".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, View

_PRINCIPAL = re.compile(r"arn:aws:iam::\d{12}:(root|(user|role)/[\w+=,.@/-]+)")

ID_TYPES = (
    "bundle",
    "conversion-task",
    "customer-gateway",
    "dhcp-options",
    "elastic-ip-allocation",
    "elastic-ip-association",
    "export-task",
    "flow-log",
    "image",
    "import-task",
    "instance",
    "internet-gateway",
    "network-acl",
    "network-acl-association",
    "network-interface",
    "network-interface-attachment",
    "prefix-list",
    "reservation",
    "route-table",
    "route-table-association",
    "security-group",
    "snapshot",
    "subnet",
    "subnet-cidr-block-association",
    "volume",
    "vpc",
    "vpc-cidr-block-association",
    "vpc-endpoint",
    "vpc-peering-connection",
    "vpn-connection",
    "vpn-gateway",
)
"""Types whose ids once were shorter; all have 17 digits now."""


def describe_id_format(call: Call) -> Shape:
    """DescribeIdFormat, of one type or all.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    asked = call.get("Resource")
    if asked is not None and asked not in ID_TYPES:
        raise invalid_value("resource", asked)
    return {"Statuses": _formats(ID_TYPES if asked is None else (asked,))}


def describe_aggregate_id_format(call: Call) -> Shape:
    """DescribeAggregateIdFormat: long ids everywhere."""
    return {"UseLongIdsAggregated": True, "Statuses": _formats(ID_TYPES)}


def _formats(types: Iterable[str]) -> list[Shape]:
    return [{"Resource": name, "UseLongIds": True} for name in types]


def _checked(types: Iterable[str]) -> tuple[str, ...]:
    """The types that a call names, or all where it names none.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    names = tuple(types)
    for name in names:
        if name not in ID_TYPES:
            raise invalid_value("resource", name)
    return names or ID_TYPES


def _check_principal(call: Call, *, everybody: bool = False) -> None:
    arn = call.params["PrincipalArn"]
    if not (everybody and arn == "all") and not _PRINCIPAL.fullmatch(arn):
        raise invalid_value("principalArn", arn)


def describe_identity_id_format(call: Call) -> Shape:
    """DescribeIdentityIdFormat: the same for every principal.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    _check_principal(call)
    asked = call.get("Resource")
    return {"Statuses": _formats(_checked((asked,) if asked else ()))}


def modify_id_format(call: Call) -> Shape:
    """ModifyIdFormat: to what is so already.

    Raises:
        ApiError: ``InvalidParameterValue``, ``OperationNotPermitted`` (short ids).
    """
    (name,) = _checked((call.params["Resource"],))
    if not call.params["UseLongIds"]:
        raise ApiError(
            "OperationNotPermitted",
            f"The opt-in period for longer IDs of the resource type {name} has ended.",
        )
    return {}


def modify_identity_id_format(call: Call) -> Shape:
    """ModifyIdentityIdFormat: as :func:`modify_id_format`, for a principal or all of them."""
    _check_principal(call, everybody=True)
    return modify_id_format(call)


@dataclass(frozen=True)
class Principal:
    """Whose settings are listed: the account's root user, whom all others follow."""

    id: str
    types: tuple[str, ...]
    created: str = ""


def _principals(call: Call) -> list[Principal]:
    types = _checked(call.get("Resources", ()))
    return [Principal(f"arn:aws:iam::{call.account}:root", types)]


def show_principal(row: Principal, view: View) -> Shape:
    """The API's ``PrincipalIdFormat`` structure."""
    return {"Arn": row.id, "Statuses": _formats(row.types)}


_READS = {
    "DescribeIdFormat": describe_id_format,
    "DescribeAggregateIdFormat": describe_aggregate_id_format,
    "DescribeIdentityIdFormat": describe_identity_id_format,
}

KIND: Kind[Resource] = Kind(
    row=None,
    actions={
        **_READS,
        "ModifyIdFormat": modify_id_format,
        "ModifyIdentityIdFormat": modify_identity_id_format,
    },
    reads=frozenset(_READS),
    listings=(
        Listing(
            action="DescribePrincipalIdFormat",
            result="Principals",
            show=show_principal,
            rows=_principals,
        ),
    ),
)
