"""The policies of users, groups and roles: managed ones attached, and those of their own.

One function makes an action for each of the three.  Sources: IAM API Reference, AttachUserPolicy,
PutUserPolicy and their like, ListEntitiesForPolicy; IAM User Guide, "IAM and AWS STS quotas".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from gureum.errors import ApiError
from gureum.iam.aws_policies import DOCUMENTS
from gureum.iam.bearer import by_name
from gureum.iam.call import Action, Call, encoded, invalid, new_name, no_such, over_quota, page
from gureum.iam.managed_policy import ManagedPolicy, attachable
from gureum.iam.rows import Group, Role, User
from gureum.identity.policy import check_inline_size, parse
from gureum.kind import Shape

Holder: TypeAlias = User | Group | Role

MAX_ATTACHED = 10


@dataclass(frozen=True)
class Kind:
    """One of the three: ``noun`` is its word in actions and parameters, ``inline`` the characters
    that its own policies may have together."""

    row: type[User] | type[Group] | type[Role]
    noun: str
    inline: int

    @property
    def member(self) -> str:
        return f"{self.noun}Name"

    def find(self, call: Call) -> Holder:
        """The entity that a call names."""
        return by_name(call, self.row, self.member)

    def actions(self) -> dict[str, Action]:
        """All actions about policies of this type."""
        noun = self.noun
        return {
            f"Attach{noun}Policy": self._attach,
            f"Detach{noun}Policy": self._detach,
            f"ListAttached{noun}Policies": self._attached,
            f"Put{noun}Policy": self._put,
            f"Get{noun}Policy": self._get,
            f"Delete{noun}Policy": self._delete,
            f"List{noun}Policies": self._listed,
        }

    # --- managed policies -----------------------------------------------------------------------
    def _attach(self, call: Call) -> Shape:
        row, policy = self.find(call), attachable(call)
        if policy not in row.attached:
            if len(row.attached) >= MAX_ATTACHED:
                raise over_quota(f"PoliciesPer{self.noun}", MAX_ATTACHED)
            call.txn.put(replace(row, attached=(*row.attached, policy)))
        return {}

    def _detach(self, call: Call) -> Shape:
        row, policy = self.find(call), call.params["PolicyArn"]
        if policy not in row.attached:
            raise no_such(f"Policy {policy} was not found.")
        call.txn.put(replace(row, attached=tuple(p for p in row.attached if p != policy)))
        return {}

    def _attached(self, call: Call) -> Shape:
        row, prefix = self.find(call), call.get("PathPrefix", "/")
        found = [policy for policy in row.attached if _path(policy).startswith(prefix)]
        items, rest = page(call, found, lambda policy: policy)
        return {"AttachedPolicies": [show_attached(policy) for policy in items], **rest}

    # --- policies of their own ------------------------------------------------------------------
    def _put(self, call: Call) -> Shape:
        row = self.find(call)
        name, text = new_name(call, "PolicyName", 128), call.params["PolicyDocument"]
        parse(text, name)
        kept = dict(row.inline) | {name: text}
        check_inline_size(kept.values(), self.inline, f"{self.noun.lower()} {row.name}")
        call.txn.put(replace(row, inline=tuple(kept.items())))
        return {}

    def _get(self, call: Call) -> Shape:
        row, name = self.find(call), call.params["PolicyName"]
        text = dict(row.inline).get(name)
        if text is None:
            raise self._no_policy(name)
        return {self.member: row.name, "PolicyName": name, "PolicyDocument": encoded(text)}

    def _delete(self, call: Call) -> Shape:
        row, name = self.find(call), call.params["PolicyName"]
        kept = dict(row.inline)
        if kept.pop(name, None) is None:
            raise self._no_policy(name)
        call.txn.put(replace(row, inline=tuple(kept.items())))
        return {}

    def _listed(self, call: Call) -> Shape:
        items, rest = page(call, dict(self.find(call).inline), lambda name: name)
        return {"PolicyNames": items, **rest}

    def _no_policy(self, name: str) -> ApiError:
        word = self.noun.lower()
        return no_such(f"The {word} policy with name {name[:128]} cannot be found.")


USER = Kind(User, "User", 2048)
GROUP = Kind(Group, "Group", 5120)
ROLE = Kind(Role, "Role", 10_240)


def show_attached(policy: str) -> Shape:
    """The API's ``AttachedPolicy`` structure."""
    return {"PolicyName": policy.rpartition("/")[2], "PolicyArn": policy}


def _path(policy: str) -> str:
    return "/" + policy.partition(":policy/")[2].rpartition("/")[0]


# --- who has a policy ---------------------------------------------------------------------------
def entities(call: Call) -> Shape:
    """ListEntitiesForPolicy."""
    policy = call.params["PolicyArn"]
    if policy not in DOCUMENTS and call.txn.find(ManagedPolicy, policy) is None:
        raise no_such(f"Policy {policy} was not found.")
    items, rest = page(call, _holders(call, policy), lambda row: f"{row.kind}/{row.name.lower()}")
    return {
        "PolicyUsers": [
            {"UserName": row.name, "UserId": row.id} for row in items if isinstance(row, User)
        ],
        "PolicyGroups": [
            {"GroupName": row.name, "GroupId": row.id} for row in items if isinstance(row, Group)
        ],
        "PolicyRoles": [
            {"RoleName": row.name, "RoleId": row.id} for row in items if isinstance(row, Role)
        ],
        **rest,
    }


_FILTERS: dict[str, type[Holder]] = {"User": User, "Group": Group, "Role": Role}


def _holders(call: Call, policy: str) -> Iterator[Holder]:
    """Who has a policy, as far as the call asks."""
    only, prefix = call.get("EntityFilter"), call.get("PathPrefix", "/")
    if only is not None and only not in _FILTERS:
        raise invalid(f"Value '{only}' at 'entityFilter' is not of entities: User, Role, Group")
    asked = call.get("PolicyUsageFilter")
    for cls in (_FILTERS[only],) if only else (User, Group, Role):
        for row in call.txn.referrers(policy, cls):
            uses = {
                "PermissionsPolicy": policy in row.attached,
                "PermissionsBoundary": getattr(row, "boundary", None) == policy,
            }
            wanted = uses[asked] if asked else any(uses.values())
            if wanted and row.account == call.account and row.path.startswith(prefix):
                yield row


def put_boundary(kind: Kind) -> Action:
    """PutUserPermissionsBoundary and its like."""

    def put(call: Call) -> Shape:
        row = kind.find(call)
        assert not isinstance(row, Group)
        call.txn.put(replace(row, boundary=attachable(call, "PermissionsBoundary")))
        return {}

    return put


def delete_boundary(kind: Kind) -> Action:
    """DeleteUserPermissionsBoundary and its like."""

    def delete(call: Call) -> Shape:
        row = kind.find(call)
        assert not isinstance(row, Group)
        if row.boundary is None:
            word = kind.noun.lower()
            raise no_such(f"The {word} {row.name} has no permissions boundary.")
        call.txn.put(replace(row, boundary=None))
        return {}

    return delete


def show_boundary(boundary: str | None) -> Shape | None:
    """The API's ``AttachedPermissionsBoundary`` structure."""
    if boundary is None:
        return None
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}


ACTIONS: dict[str, Action] = {
    **USER.actions(),
    **GROUP.actions(),
    **ROLE.actions(),
    "ListEntitiesForPolicy": entities,
    "PutUserPermissionsBoundary": put_boundary(USER),
    "DeleteUserPermissionsBoundary": delete_boundary(USER),
    "PutRolePermissionsBoundary": put_boundary(ROLE),
    "DeleteRolePermissionsBoundary": delete_boundary(ROLE),
}
