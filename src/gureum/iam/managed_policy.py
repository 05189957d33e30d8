"""Managed policies and their versions.

A policy's row has its ARN for its id: it has no other name and never changes.
Source: IAM API Reference, CreatePolicy, CreatePolicyVersion; IAM User Guide, "IAM and AWS STS
quotas".
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gureum.errors import ApiError
from gureum.iam import tag
from gureum.iam.access_key import unique_id
from gureum.iam.aws_policies import DOCUMENTS
from gureum.iam.bearer import arn, below, claim_name, show_tags
from gureum.iam.call import (
    Action,
    Call,
    conflict,
    encoded,
    exists,
    invalid,
    new_name,
    no_such,
    page,
)
from gureum.iam.rows import Group, Role, User
from gureum.identity.policy import check_size, parse
from gureum.kind import Shape
from gureum.model import Resource, View

MAX_VERSIONS = 5
_ARN = re.compile(r"arn:aws:iam::(\d{12}|aws):policy/[\x21-\x7e]{1,512}", re.ASCII)
_AWS_SINCE = "2015-02-06T18:39:46.000Z"
"""When AWS made the first of its policies."""


@dataclass(frozen=True)
class Version:
    """One version of a policy: ``v1``, …"""

    id: str
    document: str
    created: str


@dataclass(frozen=True, kw_only=True)
class ManagedPolicy(
    Resource,
    kind="iam-policy",
    prefix="arn:aws:iam",
    not_found="NoSuchEntity",
    noun="policy",
    missing="Policy {id} was not found.",
):
    """A policy of an account; ``key`` is its unique id, ``made`` how many versions ever were."""

    name: str
    path: str
    key: str
    description: str | None = None
    versions: tuple[Version, ...]
    default: str
    made: int = 1
    updated: str

    def version(self, key: str) -> Version | None:
        """One version, or None."""
        return next((each for each in self.versions if each.id == key), None)

    @property
    def document(self) -> str:
        """The document that counts."""
        found = self.version(self.default)
        assert found is not None
        return found.document


def document(view: View, policy: str) -> str | None:
    """The document that counts of a policy by its ARN: an account's or AWS's; None if there is
    none."""
    row = view.find(ManagedPolicy, policy)
    return row.document if row is not None else DOCUMENTS.get(policy)


def attachable(call: Call, member: str = "PolicyArn") -> str:
    """The ARN of a policy that entities of the account may have.

    Raises:
        ApiError: ``NoSuchEntity``, ``ValidationError``.
    """
    policy: str = call.params[member]
    _check_arn(policy)
    if policy not in DOCUMENTS and call.txn.find(ManagedPolicy, policy) is None:
        raise no_such(f"Policy {policy} does not exist or is not attachable.")
    return policy


def boundary_of(call: Call) -> str | None:
    """The permissions boundary that a call gives a new entity, or None; raises as
    :func:`attachable`."""
    return attachable(call, "PermissionsBoundary") if call.get("PermissionsBoundary") else None


def _check_arn(policy: str) -> None:
    if not _ARN.fullmatch(policy):
        raise invalid(f"ARN {policy[:200]} is not valid.")


# --- actions ------------------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreatePolicy."""
    name = new_name(call, "PolicyName", 128)
    text = _document(call)
    first = Version("v1", text, call.now)
    row = ManagedPolicy(
        **tag.common(call, "", name),
        key=unique_id("ANPA"),
        description=call.get("Description"),
        versions=(first,),
        default=first.id,
        updated=call.now,
    )
    row = replace(row, id=arn(row, "policy"))
    taken = exists(f"A policy called {name} already exists. Duplicate names are not allowed.")
    if call.txn.find(ManagedPolicy, row.id) is not None:
        raise taken
    call.txn.put(row)
    claim_name(call.txn, row, name, call.now, taken)
    return {"Policy": {**show(row, call.txn.view), "Tags": show_tags(row.tags) or None}}


def _document(call: Call) -> str:
    text: str = call.params["PolicyDocument"]
    parse(text, "")
    check_size(text)
    return text


def get(call: Call) -> Shape:
    """GetPolicy."""
    policy = call.params["PolicyArn"]
    if policy in DOCUMENTS:
        return {"Policy": show_awss(policy, call)}
    row = _own(call)
    described = {"Description": row.description, "Tags": show_tags(row.tags)}
    return {"Policy": show(row, call.txn.view) | described}


def listed(call: Call) -> Shape:
    """ListPolicies."""
    found = list(_listed(call))
    if call.get("OnlyAttached", False):
        found = [each for each in found if each["AttachmentCount"]]
    if call.get("PolicyUsageFilter") == "PermissionsBoundary":
        found = [each for each in found if each["PermissionsBoundaryUsageCount"]]
    items, rest = page(call, found, lambda each: str(each["Arn"]))
    return {"Policies": items, **rest}


def _listed(call: Call) -> Iterator[Shape]:
    scope, prefix = call.get("Scope", "All"), call.get("PathPrefix", "/")
    if scope != "AWS":
        yield from (show(row, call.txn.view) for row in below(call, ManagedPolicy))
    if scope != "Local" and prefix == "/":
        yield from (show_awss(policy, call) for policy in DOCUMENTS)


def delete(call: Call) -> Shape:
    """DeletePolicy."""
    row = _own(call)
    if usage(call.txn.view, row.id) != (0, 0):
        raise conflict("Cannot delete a policy attached to entities.")
    if len(row.versions) > 1:
        raise conflict(
            "This policy has more than one version. Before you delete a policy, you must delete "
            "the policy's versions. The default version is deleted with the policy."
        )
    call.txn.delete(row)
    return {}


# --- versions -----------------------------------------------------------------------------------
def create_version(call: Call) -> Shape:
    """CreatePolicyVersion."""
    row = _own(call)
    text = _document(call)
    if len(row.versions) >= MAX_VERSIONS:
        raise ApiError(
            "LimitExceeded",
            f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new "
            "version, you must delete an existing version.",
            409,
        )
    new = Version(f"v{row.made + 1}", text, call.now)
    default = new.id if call.get("SetAsDefault", False) else row.default
    row = replace(
        row,
        versions=(*row.versions, new),
        made=row.made + 1,
        default=default,
        updated=call.now,
    )
    call.txn.put(row)
    shown = show_version(new, row.default)
    del shown["Document"]
    return {"PolicyVersion": shown}


def get_version(call: Call) -> Shape:
    """GetPolicyVersion."""
    policy, key = call.params["PolicyArn"], call.params["VersionId"]
    if policy in DOCUMENTS:
        if key != "v1":
            raise _no_version(policy, key)
        only = Version("v1", DOCUMENTS[policy], _AWS_SINCE)
        return {"PolicyVersion": show_version(only, "v1")}
    row = _own(call)
    return {"PolicyVersion": show_version(_version(row, key), row.default)}


def versions(call: Call) -> Shape:
    """ListPolicyVersions: the newest first."""
    policy = call.params["PolicyArn"]
    if policy in DOCUMENTS:
        only = show_version(Version("v1", DOCUMENTS[policy], _AWS_SINCE), "v1")
        return {"Versions": [only | {"Document": None}], "IsTruncated": False}
    row = _own(call)
    items, rest = page(call, row.versions, lambda each: f"{row.made - int(each.id[1:]):09}")
    shown = [show_version(each, row.default) | {"Document": None} for each in items]
    return {"Versions": shown, **rest}


def set_default(call: Call) -> Shape:
    """SetDefaultPolicyVersion."""
    row = _own(call)
    version = _version(row, call.params["VersionId"])
    call.txn.put(replace(row, default=version.id, updated=call.now))
    return {}


def delete_version(call: Call) -> Shape:
    """DeletePolicyVersion."""
    row = _own(call)
    version = _version(row, call.params["VersionId"])
    if version.id == row.default:
        raise conflict("Cannot delete the default version of a policy.")
    kept = tuple(each for each in row.versions if each != version)
    call.txn.put(replace(row, versions=kept, updated=call.now))
    return {}


def _version(row: ManagedPolicy, key: str) -> Version:
    found = row.version(key)
    if found is None:
        raise _no_version(row.id, key)
    return found


def _no_version(policy: str, key: str) -> ApiError:
    return no_such(f"Policy {policy} version {key[:20]} does not exist or is not attachable.")


def _own(call: Call) -> ManagedPolicy:
    policy = call.params["PolicyArn"]
    _check_arn(policy)
    row = call.txn.find(ManagedPolicy, policy)
    if row is None:
        raise no_such(f"Policy {policy} was not found.")
    return row


# --- answers ------------------------------------------------------------------------------------
def usage(view: View, policy: str, account: str | None = None) -> tuple[int, int]:
    """How many entities have a policy attached, and how many for their boundary."""
    holders: tuple[type[User | Group | Role], ...] = (User, Group, Role)
    rows = [
        row
        for cls in holders
        for row in view.referrers(policy, cls)
        if account is None or row.account == account
    ]
    limits = (row.boundary for row in rows if not isinstance(row, Group))
    return sum(policy in row.attached for row in rows), sum(each == policy for each in limits)


def show(row: ManagedPolicy, view: View) -> Shape:
    """The API's ``Policy`` structure, as lists have it."""
    attached, boundaries = usage(view, row.id)
    return {
        "PolicyName": row.name,
        "PolicyId": row.key,
        "Arn": row.id,
        "Path": row.path,
        "DefaultVersionId": row.default,
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": boundaries,
        "IsAttachable": True,
        "CreateDate": row.created,
        "UpdateDate": row.updated,
    }


def show_awss(policy: str, call: Call) -> Shape:
    """A policy of AWS's, as an account sees it."""
    attached, boundaries = usage(call.txn.view, policy, call.account)
    digest = base64.b32encode(hashlib.sha256(policy.encode()).digest()).decode()
    return {
        "PolicyName": policy.rpartition("/")[2],
        "PolicyId": f"ANPA{digest[:17]}",
        "Arn": policy,
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": boundaries,
        "IsAttachable": True,
        "CreateDate": _AWS_SINCE,
        "UpdateDate": _AWS_SINCE,
    }


def show_version(version: Version, default: str) -> Shape:
    """The API's ``PolicyVersion`` structure."""
    return {
        "Document": encoded(version.document),
        "VersionId": version.id,
        "IsDefaultVersion": version.id == default,
        "CreateDate": version.created,
    }


ACTIONS: dict[str, Action] = {
    "CreatePolicy": create,
    "GetPolicy": get,
    "ListPolicies": listed,
    "DeletePolicy": delete,
    "CreatePolicyVersion": create_version,
    "GetPolicyVersion": get_version,
    "ListPolicyVersions": versions,
    "SetDefaultPolicyVersion": set_default,
    "DeletePolicyVersion": delete_version,
    **tag.actions("Policy", _own),
}
