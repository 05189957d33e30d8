"""What calls of RAM ask of policies: the share, invitation or permission they are about, and what
holds of it.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Resource
Access Manager".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gureum.errors import ApiError
from gureum.iam.caller import Keys
from gureum.iam.question import Question, resource_tags
from gureum.kind import Params
from gureum.model import View
from gureum.ram.resource_types import type_of
from gureum.resources.resource_share import ResourceShare, ShareInvitation

_ABOUT = ("resourceShareInvitationArn", "resourceShareArn", "resourceArn", "permissionArn")
_ANY = frozenset({"GetResourceShares", "ListResources", "ListPrincipals"})
"""Actions that name resources and are about none in particular."""


def before(action: str, params: Params, view: View) -> Iterator[Question]:
    """What a call asks."""
    named = next((str(params[name]) for name in _ABOUT if params.get(name)), "*")
    resource = "*" if action.startswith(("List", "GetResource")) or action in _ANY else named
    yield Question(f"ram:{action}", resource, (*_asked(action, params), *_held(view, named)))


def _asked(action: str, params: Params) -> Keys:
    """What holds of a request."""
    keys: list[tuple[str, str]] = []
    for tag in params.get("tags", ()):
        key = str(tag.get("key", ""))
        keys += [(f"aws:RequestTag/{key}", str(tag.get("value") or "")), ("aws:TagKeys", key)]
    keys += [("aws:TagKeys", str(key)) for key in params.get("tagKeys", ())]
    keys += [("ram:Principal", str(each)) for each in params.get("principals", ())]
    for arn in params.get("resourceArns", ()):
        keys.append(("ram:ResourceArn", str(arn)))
        keys += [("ram:RequestedResourceType", name) for name in _types(arn)]
    keys += [("ram:PermissionArn", str(each)) for each in params.get("permissionArns", ())]
    external: Any = params.get("allowExternalPrincipals")
    if external is None and action == "CreateResourceShare":
        external = True
    if external is not None:
        keys.append(("ram:RequestedAllowsExternalPrincipals", _said(external)))
    return tuple(dict.fromkeys(keys))


def _types(arn: str) -> list[str]:
    try:
        return [type_of(arn).name]
    except ApiError:
        return []


def _held(view: View, named: str) -> Keys:
    """What holds of the share or invitation that a call is about."""
    share = view.find(ResourceShare, named)
    if share is not None:
        return (
            ("ram:AllowsExternalPrincipals", _said(share.external)),
            ("ram:ResourceShareName", share.name),
            *resource_tags(share.tags, "ram"),
        )
    invitation = view.find(ShareInvitation, named)
    if invitation is not None:
        return (
            ("ram:ShareOwnerAccountId", invitation.account),
            ("ram:ResourceShareName", invitation.name),
        )
    return ()


def _said(value: bool) -> str:
    return "true" if value else "false"
