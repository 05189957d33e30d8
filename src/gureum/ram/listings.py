"""What is shared, with whom and by whom: lists over all shares of an account, or all it has joined.

Sources: AWS RAM API Reference, ListResources, ListPrincipals, ListResourceTypes.
"""

from __future__ import annotations

from collections.abc import Iterator

from gureum.errors import ApiError
from gureum.kind import Action, Call, Shape
from gureum.ram.common import Item, check_share_arn, page, wanted
from gureum.ram.resource_types import TYPES, is_type, owned, type_of
from gureum.resources.resource_share import (
    ASSOCIATED,
    ShareAssociation,
    associations_of,
)


def _asked_type(call: Call) -> str | None:
    """The type that a listing is narrowed to, in lower case.

    Raises:
        ApiError: ``InvalidResourceTypeException``.
    """
    name: str | None = call.get("resourceType")
    if name is None:
        return None
    if not is_type(name):
        raise ApiError(
            "InvalidResourceTypeException", f"The resource type {name[:100]} is not valid."
        )
    return name.lower()


def _in_shares(call: Call) -> Iterator[ShareAssociation]:
    """What is now in the shares that a call is about: all of the caller's, or all joined.

    Raises:
        ApiError: ``MalformedArnException``.
    """
    asked, view = wanted(call.params, "resourceShareArns"), call.txn.view
    for arn in sorted(asked or ()):
        check_share_arn(arn)
    if call.params["resourceOwner"] == "SELF":
        rows: Iterator[ShareAssociation] = call.txn.all(ShareAssociation)
    else:
        joined = (
            row.share
            for row in view.referrers(call.account, ShareAssociation)
            if row.status == ASSOCIATED and row.region == call.region
        )
        rows = (each for share in joined for each in associations_of(view, share))
    return (
        row for row in rows if row.status == ASSOCIATED and (asked is None or row.share in asked)
    )


def list_resources(call: Call) -> Shape:
    """ListResources: of one's own, or those that others share with the caller."""
    kind, arns = _asked_type(call), wanted(call.params, "resourceArns")
    if call.get("resourceRegionScope") == "GLOBAL":
        return page(call, "resources", ())
    with_whom = _shares_of_principal(call)
    rows = (
        row
        for row in _in_shares(call)
        if row.resource is not None
        and (arns is None or row.entity in arns)
        and (kind is None or type_of(row.entity).name.lower() == kind)
        and (with_whom is None or row.share in with_whom)
    )
    return page(call, "resources", (show_resource(row) for row in rows))


def _shares_of_principal(call: Call) -> set[str] | None:
    """The shares in which a principal is that the call names."""
    principal = call.get("principal")
    if principal is None:
        return None
    if call.params["resourceOwner"] == "SELF":
        return {row.share for row in _in_shares(call) if row.principal == principal}
    return {row.share for row in _in_shares(call) if row.account == principal}


def show_resource(row: ShareAssociation) -> Item:
    """The API's ``Resource`` structure."""
    return f"{row.created} {row.id}", {
        "arn": row.entity,
        "type": type_of(row.entity).name,
        "resourceShareArn": row.share,
        "status": "AVAILABLE",
        "creationTime": row.created,
        "lastUpdatedTime": row.updated,
        "resourceRegionScope": "REGIONAL",
    }


def list_principals(call: Call) -> Shape:
    """ListPrincipals: with whom the caller shares, or who shares with the caller."""
    kind, asked = _asked_type(call), wanted(call.params, "principals")
    arn, view = call.get("resourceArn"), call.txn.view
    others = call.params["resourceOwner"] != "SELF"
    found: dict[str, Item] = {}
    for row in _in_shares(call):
        if row.principal is None or (others and row.principal != call.account):
            continue
        resources = [each.entity for each in associations_of(view, row.share) if each.resource]
        if arn is not None and arn not in resources:
            continue
        if kind is not None and kind not in {type_of(each).name.lower() for each in resources}:
            continue
        name = row.account if others else row.principal
        if asked is None or name in asked:
            found[row.id] = _principal(row, name)
    return page(call, "principals", found.values())


def _principal(row: ShareAssociation, name: str) -> Item:
    return f"{row.created} {row.id}", {
        "id": name,
        "resourceShareArn": row.share,
        "creationTime": row.created,
        "lastUpdatedTime": row.updated,
        "external": True,
    }


def list_types(call: Call) -> Shape:
    """ListResourceTypes: what can be shared here."""
    if call.get("resourceRegionScope") == "GLOBAL":
        return page(call, "resourceTypes", ())
    shapes = (
        (
            each.name,
            {"resourceType": each.name, "serviceName": "ec2", "resourceRegionScope": "REGIONAL"},
        )
        for each in TYPES
    )
    return page(call, "resourceTypes", shapes)


def get_policies(call: Call) -> Shape:
    """GetResourcePolicies: of resources that the caller shares, who may do what with them.

    Raises:
        ApiError: ``MalformedArnException``, ``ResourceArnNotFoundException``.
    """
    view, only = call.txn.view, call.get("principal")
    found: list[Item] = []
    for arn in dict.fromkeys(call.params["resourceArns"]):
        kind, row = type_of(arn), owned(call, arn)
        if row is None:
            raise ApiError("ResourceArnNotFoundException", f"{arn[:200]} could not be found.")
        shares = [
            each.share
            for each in view.referrers(row.id, ShareAssociation)
            if each.resource == row.id and each.status == ASSOCIATED
        ]
        members = {
            each.principal
            for share in shares
            for each in associations_of(view, share)
            if each.principal and each.status == ASSOCIATED and only in (None, each.principal)
        }
        if members:
            found.append((arn, kind.policy_of(arn, sorted(filter(None, members)))))
    return page(call, "policies", found)


ACTIONS: dict[str, Action] = {
    "GetResourcePolicies": get_policies,
    "ListResources": list_resources,
    "ListPrincipals": list_principals,
    "ListResourceTypes": list_types,
}
