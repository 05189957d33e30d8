"""Managed permissions: AWS's own, one for each type, which are all that there are here.

Sources: AWS RAM API Reference, ListPermissions, GetPermission, AssociateResourceSharePermission.
"""

from __future__ import annotations

import re
from dataclasses import replace

from gureum.errors import ApiError
from gureum.kind import Action, Call, Shape
from gureum.ram.common import echoed, invalid, not_permitted, own_share, page, unknown
from gureum.ram.resource_types import BY_PERMISSION, TYPES, ShareableType, is_type, type_of
from gureum.resources.resource_share import (
    ASSOCIATED,
    ResourceShare,
    associations_of,
    has_joined,
)

_ARN = re.compile(r"arn:aws:ram:[a-z0-9-]*:(?:aws|[0-9]{12}):permission/([\w.-]{1,128})")

MADE = "2019-12-31T00:00:00+00:00"
"""When AWS's permissions were made, about."""


def named_permission(arn: str) -> ShareableType:
    """The type whose permission has an ARN.

    Raises:
        ApiError: ``MalformedArnException``, ``UnknownResourceException``.
    """
    found = _ARN.fullmatch(arn)
    if found is None:
        raise ApiError(
            "MalformedArnException",
            "The specified permission ARN is not valid. Verify the ARN and try again.",
        )
    kind = BY_PERMISSION.get(found[1])
    if kind is None or kind.arn != arn:
        raise unknown(f"Permission {arn}")
    return kind


def _asked(call: Call) -> ShareableType:
    kind = named_permission(call.params["permissionArn"])
    if call.get("permissionVersion", 1) != 1:
        raise invalid(
            f"The permission {kind.arn} has no version {call.params['permissionVersion']}."
        )
    return kind


def list_permissions(call: Call) -> Shape:
    """ListPermissions."""
    wanted: str | None = call.get("resourceType")
    if wanted is not None and not is_type(wanted):
        raise invalid(f"The resource type {wanted[:100]} is not valid.")
    own = call.get("permissionType") == "CUSTOMER_MANAGED" or call.get("resourceOwner") == "SELF"
    kinds = [
        each
        for each in TYPES
        if not own and (wanted is None or each.name.lower() == wanted.lower())
    ]
    if call.get("permissionStatus", "ATTACHABLE") != "ATTACHABLE":
        kinds = []
    return page(call, "permissions", ((each.permission, _summary(each)) for each in kinds))


def list_versions(call: Call) -> Shape:
    """ListPermissionVersions: each has one."""
    kind = named_permission(call.params["permissionArn"])
    return page(call, "permissions", [(kind.permission, _summary(kind))])


def get_permission(call: Call) -> Shape:
    """GetPermission: with what it allows."""
    kind = _asked(call)
    return {"permission": _summary(kind) | {"permission": kind.policy}}


def _summary(kind: ShareableType) -> Shape:
    return {
        "arn": kind.arn,
        "version": "1",
        "defaultVersion": True,
        "name": kind.permission,
        "resourceType": kind.name,
        "status": "ATTACHABLE",
        "creationTime": MADE,
        "lastUpdatedTime": MADE,
        "isResourceTypeDefault": True,
        "permissionType": "AWS_MANAGED",
        "featureSet": "STANDARD",
    }


# --- of a share ---------------------------------------------------------------------------------
def list_of_share(call: Call) -> Shape:
    """ListResourceSharePermissions: by the owner, or who has joined."""
    view = call.txn.view
    row = view.find(ResourceShare, call.params["resourceShareArn"])
    known = row and (row.account == call.account or has_joined(view, row.id, call.account))
    if row is None or not known:
        raise unknown(f"ResourceShare {call.params['resourceShareArn'][:200]}")
    kinds = [BY_PERMISSION[name] for name in row.permissions]
    shapes = ((each.permission, _summary(each) | {"status": "ASSOCIATED"}) for each in kinds)
    return page(call, "permissions", shapes)


def associate(call: Call) -> Shape:
    """AssociateResourceSharePermission: the one that there is for its type; it replaces itself."""
    row, kind = own_share(call), _asked(call)
    names = tuple(dict.fromkeys((*row.permissions, kind.permission)))
    call.txn.put(replace(row, permissions=names, updated=call.now))
    return echoed(call, {"returnValue": True})


def disassociate(call: Call) -> Shape:
    """DisassociateResourceSharePermission: while no resource of its type is in the share."""
    row, kind = own_share(call), named_permission(call.params["permissionArn"])
    if kind.permission not in row.permissions:
        raise unknown(f"The association of {kind.arn} with {row.id}")
    for each in associations_of(call.txn.view, row.id):
        if each.status == ASSOCIATED and each.resource and type_of(each.entity) == kind:
            raise not_permitted(f"{row.id} has resources of the type {kind.name}.")
    names = tuple(name for name in row.permissions if name != kind.permission)
    call.txn.put(replace(row, permissions=names, updated=call.now))
    return echoed(call, {"returnValue": True})


ACTIONS: dict[str, Action] = {
    "ListPermissions": list_permissions,
    "ListPermissionVersions": list_versions,
    "GetPermission": get_permission,
    "ListResourceSharePermissions": list_of_share,
    "AssociateResourceSharePermission": associate,
    "DisassociateResourceSharePermission": disassociate,
}
