"""What a call asks of policies: one question for each resource that it is about.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS services".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gureum.iam.access_key import AccessKey
from gureum.iam.bearer import arn, lookup
from gureum.iam.caller import Identity, Keys
from gureum.iam.managed_policy import ManagedPolicy
from gureum.iam.rows import WORDS, Group, InstanceProfile, Role, User
from gureum.iam.service_role import role_name
from gureum.kind import Params
from gureum.model import Resource, Tags, View
from gureum.model.timestamps import timestamp


@dataclass(frozen=True)
class Question:
    """May this be done to that?  ``keys`` are the condition keys that hold of this resource."""

    action: str
    resource: str = "*"
    keys: Keys = ()


@dataclass(frozen=True)
class Around:
    """Whence a request came, when, and by which program."""

    address: str
    agent: str
    now: datetime


def global_keys(view: View, who: Identity, region: str, around: Around) -> Keys:
    """The condition keys that hold of a request whatever it asks.

    Source: IAM User Guide, "AWS global condition context keys".
    """
    keys = [
        *who.principal.keys(),
        ("aws:userid", who.user_id),
        ("aws:PrincipalType", _principal_type(who)),
        ("aws:RequestedRegion", region),
        ("aws:SourceIp", around.address),
        ("aws:CurrentTime", timestamp(around.now)),
        ("aws:EpochTime", str(int(around.now.timestamp()))),
        ("aws:SecureTransport", "false"),
        ("aws:ViaAWSService", "false"),
        ("aws:PrincipalIsAWSService", "false"),
    ]
    if around.agent:
        keys.append(("aws:UserAgent", around.agent))
    if who.session is not None:
        keys.append(("aws:TokenIssueTime", who.session.issued))
        keys.append(("aws:MultiFactorAuthPresent", "false"))
        if who.session.source:
            keys.append(("aws:SourceIdentity", who.session.source))
    row = view.rows.get(who.owner)
    tags = tags_of(row.tags if row else (), who)
    return (*keys, *((f"aws:PrincipalTag/{key}", value) for key, value in tags))


def tags_of(own: Tags, who: Identity) -> Tags:
    """The tags of somebody whose row has ``own``: those of their session go before; keys ignore
    case (IAM User Guide, "Pass session tags in AWS STS")."""
    session = who.session.tags if who.session else ()
    return tuple({key.lower(): (key, value) for key, value in (*own, *session)}.values())


def _principal_type(who: Identity) -> str:
    if who.principal.root:
        return "Account"
    return "AssumedRole" if who.principal.issuer else "User"


def resource_tags(tags: Tags, service: str) -> Keys:
    """The tags of a resource as condition keys, both AWS's and the service's."""
    return tuple(
        (f"{prefix}:ResourceTag/{key}", value) for key, value in tags for prefix in ("aws", service)
    )


def request_tags(tags: Any) -> Keys:
    """The tags of a request as condition keys."""
    pairs = [(str(tag.get("Key", "")), str(tag.get("Value") or "")) for tag in tags or ()]
    asked = tuple((f"aws:RequestTag/{key}", value) for key, value in pairs)
    return (*asked, *(("aws:TagKeys", key) for key, _ in pairs))


# --- IAM ----------------------------------------------------------------------------------------
_NAMED: tuple[tuple[str, type[User] | type[Group] | type[Role] | type[InstanceProfile]], ...] = (
    ("InstanceProfileName", InstanceProfile),
    ("GroupName", Group),
    ("RoleName", Role),
    ("UserName", User),
)
"""Members that name what a call is about, in this order: adding a user to a group is about the
group, adding a role to a profile about the profile."""

_LISTS = {
    "ListUsers": "user",
    "ListGroups": "group",
    "ListRoles": "role",
    "ListPolicies": "policy",
    "ListInstanceProfiles": "instance-profile",
}
_SELF = frozenset(
    {"GetUser", "CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"}
)
"""Actions that are about the caller where they name nobody."""


def of_iam(action: str, params: Params, view: View, who: Identity) -> Iterator[Question]:
    """What a call of IAM asks."""
    resource, tags = _about(action, params, view, who)
    keys = [*resource_tags(tags, "iam"), *request_tags(params.get("Tags"))]
    keys += [("aws:TagKeys", str(key)) for key in params.get("TagKeys", ())]
    if boundary := params.get("PermissionsBoundary") or _boundary(params, view, who):
        keys.append(("iam:PermissionsBoundary", str(boundary)))
    if action.startswith(("Attach", "Detach")):
        keys.append(("iam:PolicyARN", str(params.get("PolicyArn", ""))))
    if params.get("AWSServiceName"):
        keys.append(("iam:AWSServiceName", str(params["AWSServiceName"])))
    yield Question(f"iam:{action}", resource, tuple(keys))
    if action == "AddRoleToInstanceProfile":
        role = lookup(view, Role, who.account, str(params["RoleName"]))
        name = arn(role, WORDS[Role]) if role else _plain(who, Role, str(params["RoleName"]))
        yield Question("iam:PassRole", name)


def _about(action: str, params: Params, view: View, who: Identity) -> tuple[str, Tags]:
    """The ARN and tags of what a call of IAM is about."""
    for member, cls in _NAMED:
        if params.get(member):
            row = lookup(view, cls, who.account, str(params[member]))
            if row is not None:
                return arn(row, WORDS[cls]), row.tags
            path = str(params.get("Path") or "/")
            return _plain(who, cls, str(params[member]), path), ()
    if action == "GetAccessKeyLastUsed":
        key = view.find(AccessKey, str(params.get("AccessKeyId")))
        user = view.find(User, key.owner) if key and key.account == who.account else None
        return (arn(user, WORDS[User]), user.tags) if user else ("*", ())
    if action == "CreateServiceLinkedRole":
        service = str(params.get("AWSServiceName") or "")
        name = role_name(service, params.get("CustomSuffix")) or "*"
        return _plain(who, Role, name, f"/aws-service-role/{service}/"), ()
    if params.get("PolicySourceArn"):
        return str(params["PolicySourceArn"]), ()
    if params.get("PolicyArn"):
        policy = view.find(ManagedPolicy, str(params["PolicyArn"]))
        return str(params["PolicyArn"]), policy.tags if policy else ()
    if params.get("PolicyName"):
        path = str(params.get("Path") or "/")
        return f"arn:aws:iam::{who.account}:policy{path}{params['PolicyName']}", ()
    if action in _LISTS:
        prefix = str(params.get("PathPrefix") or "/")
        return f"arn:aws:iam::{who.account}:{_LISTS[action]}{prefix}", ()
    return (who.arn if action in _SELF else "*"), ()


def _plain(who: Identity, cls: type[Resource], name: str, path: str = "/") -> str:
    """The ARN of what is not there (yet)."""
    return f"arn:aws:iam::{who.account}:{WORDS[cls]}{path}{name}"


def _boundary(params: Params, view: View, who: Identity) -> str | None:
    """The boundary that the entity has which a call is about."""
    for member, cls in (("RoleName", Role), ("UserName", User)):
        row = lookup(view, cls, who.account, str(params.get(member) or ""))
        if row is not None:
            found: str | None = getattr(row, "boundary", None)
            return found
    return None
