"""GetAccountAuthorizationDetails: everybody in an account with all their policies.

Source: IAM API Reference, GetAccountAuthorizationDetails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gureum.iam.attachment import show_attached, show_boundary
from gureum.iam.aws_policies import DOCUMENTS
from gureum.iam.bearer import Bearer, show_tags
from gureum.iam.call import Action, Call, encoded, invalid, page
from gureum.iam.managed_policy import (
    ManagedPolicy,
    Version,
    show,
    show_awss,
    show_version,
)
from gureum.iam.role import show as show_role
from gureum.iam.role import show_profile
from gureum.iam.rows import Group, InstanceProfile, Role, User
from gureum.iam.user import show as show_user
from gureum.iam.user import show_group
from gureum.kind import Shape

Entry = tuple[str, str, Shape]
"""The list of the answer that something is in, its place there, and its structure."""

_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


def details(call: Call) -> Shape:
    """GetAccountAuthorizationDetails."""
    wanted = call.get("Filter", list(_FINDERS))
    unknown = set(wanted) - set(_FINDERS)
    if unknown:
        raise invalid(f"Value '{sorted(unknown)[0]}' at 'filter' is none of {', '.join(_FINDERS)}")
    found = (entry for name in _FINDERS if name in wanted for entry in _FINDERS[name](call))
    items, rest = page(call, found, lambda entry: f"{_LISTS.index(entry[0])}/{entry[1]}")
    answer: Shape = {name: [] for name in _LISTS}
    for name, _, shape in items:
        answer[name].append(shape)
    return answer | rest


def _policies(row: Bearer, word: str) -> dict[str, Any]:
    """The policies of an entity, under the names that they have for its type."""
    inline = [{"PolicyName": name, "PolicyDocument": encoded(text)} for name, text in row.inline]
    return {
        f"{word}PolicyList": inline,
        "AttachedManagedPolicies": [show_attached(policy) for policy in row.attached],
    }


def _users(call: Call) -> Iterator[Entry]:
    for row in call.txn.all(User):
        groups = (call.txn.find(Group, key) for key in row.groups)
        shape = show_user(row) | _policies(row, "User")
        shape["GroupList"] = [group.name for group in groups if group is not None]
        yield "UserDetailList", row.name.lower(), shape


def _groups(call: Call) -> Iterator[Entry]:
    for row in call.txn.all(Group):
        yield "GroupDetailList", row.name.lower(), show_group(row) | _policies(row, "Group")


def _roles(call: Call) -> Iterator[Entry]:
    for row in call.txn.all(Role):
        profiles = call.txn.referrers(row.id, InstanceProfile)
        shape = show_role(row) | _policies(row, "Role")
        del shape["Description"], shape["MaxSessionDuration"]
        shape["PermissionsBoundary"] = show_boundary(row.boundary)
        shape["Tags"] = show_tags(row.tags)
        shape["InstanceProfileList"] = [show_profile(each, call.txn.view) for each in profiles]
        yield "RoleDetailList", row.name.lower(), shape


def _own(call: Call) -> Iterator[Entry]:
    for row in call.txn.all(ManagedPolicy):
        shape = show(row, call.txn.view) | {"Description": row.description}
        shape["PolicyVersionList"] = [show_version(each, row.default) for each in row.versions]
        yield "Policies", row.id, shape


def _awss(call: Call) -> Iterator[Entry]:
    """AWS's policies that somebody has, as AWS shows them."""
    for policy, text in DOCUMENTS.items():
        shape = show_awss(policy, call)
        if shape["AttachmentCount"] or shape["PermissionsBoundaryUsageCount"]:
            version = show_version(Version("v1", text, shape["CreateDate"]), "v1")
            yield "Policies", policy, shape | {"PolicyVersionList": [version]}


_FINDERS: dict[str, Callable[[Call], Iterator[Entry]]] = {
    "User": _users,
    "Group": _groups,
    "Role": _roles,
    "LocalManagedPolicy": _own,
    "AWSManagedPolicy": _awss,
}

ACTIONS: dict[str, Action] = {"GetAccountAuthorizationDetails": details}
