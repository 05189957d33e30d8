"""Resource shares: made, changed, deleted, listed and tagged.

Sources: AWS RAM API Reference, CreateResourceShare and its relatives; AWS RAM User Guide, "Working
with resource shares".
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError
from gureum.kind import Action, Call, Params, Shape
from gureum.model import Tags
from gureum.ram.associations import add, end, external_principals
from gureum.ram.common import (
    Item,
    check_share_arn,
    echoed,
    invalid,
    not_permitted,
    own_share,
    page,
    unknown,
    wanted,
)
from gureum.ram.permissions import named_permission
from gureum.resources.resource_share import (
    ACTIVE,
    ASSOCIATED,
    DELETED,
    OVER,
    ResourceShare,
    ShareAssociation,
    associations_of,
    has_joined,
)

MAX_TAGS = 50
"""Tags of a share."""


def create(call: Call) -> Shape:
    """CreateResourceShare: with resources and principals, or empty."""
    arn = f"arn:aws:ram:{call.region}:{call.account}:resource-share/{uuid.uuid4()}"
    configuration = call.get("resourceShareConfiguration") or {}
    if call.get("sources"):
        raise invalid("Sources can be given for principals that are services only.")
    row = ResourceShare(
        id=arn,
        account=call.account,
        region=call.region,
        created=call.now,
        tags=_tagged((), call.get("tags", ())),
        name=_checked_name(call.params["name"]),
        external=call.get("allowExternalPrincipals", True),
        status=ACTIVE,
        updated=call.now,
        permissions=tuple(
            dict.fromkeys(
                named_permission(each).permission for each in call.get("permissionArns", ())
            )
        ),
        retain=bool(configuration.get("retainSharingOnAccountLeaveOrganization")),
    )
    call.txn.put(row)
    add(call, row, call.get("resourceArns", ()), call.get("principals", ()))
    found = call.txn.view.find(ResourceShare, arn)
    assert found is not None
    return echoed(call, {"resourceShare": show(found, call.account)})


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > 255:
        raise invalid("The name of a resource share has 1 to 255 characters.")
    return name


def update(call: Call) -> Shape:
    """UpdateResourceShare: another name, or whether accounts outside the organization may join."""
    row = own_share(call)
    name, external = call.get("name"), call.get("allowExternalPrincipals")
    if name is None and external is None:
        raise ApiError(
            "MissingRequiredParameterException", "Either name or allowExternalPrincipals is needed."
        )
    if external is False and external_principals(call.txn.view, row):
        raise not_permitted(
            "The resource share is shared with accounts that are not in your organization."
        )
    row = replace(
        row,
        name=row.name if name is None else _checked_name(name),
        external=row.external if external is None else external,
        updated=call.now,
    )
    return echoed(call, {"resourceShare": show(call.txn.put(row), call.account)})


def delete(call: Call) -> Shape:
    """DeleteResourceShare: what was shared is so no more.  The share stays visible for a while."""
    row = own_share(call)
    for each in list(associations_of(call.txn.view, row.id)):
        if each.status not in OVER:
            end(call, each)
    call.txn.put(replace(row, status=DELETED, updated=call.now))
    return echoed(call, {"returnValue": True})


# --- listing ------------------------------------------------------------------------------------
def get_shares(call: Call) -> Shape:
    """GetResourceShares: the caller's own, or those that the caller has joined."""
    asked = wanted(call.params, "resourceShareArns")
    for arn in sorted(asked or ()):
        check_share_arn(arn)
        row = call.txn.view.find(ResourceShare, arn)
        if row is None or not _knows(call, row):
            raise unknown(f"ResourceShare {arn}")
    rows = _own(call) if call.params["resourceOwner"] == "SELF" else _joined(call)
    kept = (
        row for row in rows if (asked is None or row.id in asked) and _matches(row, call.params)
    )
    return page(call, "resourceShares", (_item(row, call.account) for row in kept))


def _knows(call: Call, row: ResourceShare) -> bool:
    mine = (row.account, row.region) == (call.account, call.region)
    return mine or (row.region == call.region and has_joined(call.txn.view, row.id, call.account))


def _own(call: Call) -> Iterable[ResourceShare]:
    return call.txn.all(ResourceShare)


def _joined(call: Call) -> Iterable[ResourceShare]:
    view = call.txn.view
    for each in view.referrers(call.account, ShareAssociation):
        share = view.find(ResourceShare, each.share)
        if share and each.status == ASSOCIATED and share.region == call.region:
            yield share


def _matches(row: ResourceShare, params: Params) -> bool:
    named = params.get("name") in (None, row.name)
    in_state = params.get("resourceShareStatus") in (None, row.status)
    permission = params.get("permissionArn")
    permitted = permission is None or permission.rpartition("/")[2] in row.permissions
    return named and in_state and permitted and _has_tags(row, params.get("tagFilters", ()))


def _has_tags(row: ResourceShare, filters: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a share has, for each filter, the tag of its key with one of its values."""
    for each in filters:
        value = row.tag(each.get("tagKey", ""))
        if value is None or (each.get("tagValues") and value not in each["tagValues"]):
            return False
    return True


def _item(row: ResourceShare, account: str) -> Item:
    return f"{row.created} {row.id}", show(row, account)


def show(row: ResourceShare, account: str) -> Shape:
    """The API's ``ResourceShare`` structure; its tags are shown to its owner."""
    shape: Shape = {
        "resourceShareArn": row.id,
        "name": row.name,
        "owningAccountId": row.account,
        "allowExternalPrincipals": row.external,
        "status": row.status,
        "creationTime": row.created,
        "lastUpdatedTime": row.updated,
        "featureSet": "STANDARD",
    }
    if row.account == account:
        shape["tags"] = [{"key": key, "value": value} for key, value in row.tags]
        shape["resourceShareConfiguration"] = {
            "retainSharingOnAccountLeaveOrganization": row.retain
        }
    return shape


# --- tags ---------------------------------------------------------------------------------------
def tag(call: Call) -> Shape:
    """TagResource: of the caller's shares; AWS's permissions cannot be tagged."""
    row = _to_tag(call)
    call.txn.put(replace(row, tags=_tagged(row.tags, call.params["tags"]), updated=call.now))
    return {}


def untag(call: Call) -> Shape:
    """UntagResource."""
    row, gone = _to_tag(call), set(call.params["tagKeys"])
    kept = tuple((key, value) for key, value in row.tags if key not in gone)
    call.txn.put(replace(row, tags=kept, updated=call.now))
    return {}


def _to_tag(call: Call) -> ResourceShare:
    arn = call.get("resourceShareArn") or call.get("resourceArn")
    if not arn:
        raise invalid("One of resourceShareArn and resourceArn is needed.")
    return own_share(replace(call, params={**call.params, "resourceShareArn": arn}))


def _tagged(before: Tags, tags: Iterable[Mapping[str, Any]]) -> Tags:
    """The tags with those that a request gives.

    Raises:
        ApiError: ``InvalidParameterException``, ``TagLimitExceededException``.
    """
    found = dict(before)
    for each in tags:
        key, value = each.get("key") or "", each.get("value") or ""
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:") or len(value) > 256:
            raise invalid(f"The tag {key[:140]!r} is not valid.")
        found[key] = value
    if len(found) > MAX_TAGS:
        raise ApiError(
            "TagLimitExceededException", f"A resource share has at most {MAX_TAGS} tags."
        )
    return tuple(found.items())


def enable_organization(call: Call) -> Shape:
    """EnableSharingWithAwsOrganization: no account here is in an organization.

    Raises:
        ApiError: ``OperationNotPermittedException``.
    """
    raise not_permitted(
        "Unable to enable sharing with AWS Organizations: your account is not a member of an "
        "organization."
    )


ACTIONS: dict[str, Action] = {
    "CreateResourceShare": create,
    "UpdateResourceShare": update,
    "DeleteResourceShare": delete,
    "GetResourceShares": get_shares,
    "TagResource": tag,
    "UntagResource": untag,
    "EnableSharingWithAwsOrganization": enable_organization,
}
