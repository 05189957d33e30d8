"""Roles, and instance profiles, which are how instances have them.

Source: IAM API Reference, CreateRole, UpdateRole, CreateInstanceProfile, AddRoleToInstanceProfile
and their like.
"""

from __future__ import annotations

from dataclasses import replace

from gureum.errors import ApiError
from gureum.iam import tag, trust
from gureum.iam.access_key import unique_id
from gureum.iam.attachment import show_boundary
from gureum.iam.bearer import arn, below, by_name, claim_name, show_tags, taken
from gureum.iam.call import (
    Action,
    Call,
    conflict,
    encoded,
    exists,
    invalid,
    new_name,
    no_such,
    over_quota,
    page,
)
from gureum.iam.managed_policy import boundary_of
from gureum.iam.rows import WORDS, InstanceProfile, Role
from gureum.iam.user import refuse_with_policies
from gureum.kind import Shape
from gureum.model import View

SHORTEST, LONGEST = 3600, 43_200
"""Seconds of ``MaxSessionDuration``."""


def create(call: Call) -> Shape:
    """CreateRole."""
    name = new_name(call, "RoleName", 64)
    text: str = call.params["AssumeRolePolicyDocument"]
    trust.check(call.txn.view, text)
    row = Role(
        **tag.common(call, unique_id(Role.prefix), name),
        trust=text,
        description=call.get("Description"),
        longest=_longest(call, SHORTEST),
        boundary=boundary_of(call),
    )
    call.txn.put(row)
    claim_name(call.txn, row, name, call.now, taken(Role, name))
    return {"Role": show(row)}


def _longest(call: Call, default: int) -> int:
    seconds: int = call.get("MaxSessionDuration", default)
    if not SHORTEST <= seconds <= LONGEST:
        raise invalid(
            f"1 validation error detected: Value '{seconds}' at 'maxSessionDuration' failed to "
            f"satisfy constraint: Member must have value between {SHORTEST} and {LONGEST}"
        )
    return seconds


def get(call: Call) -> Shape:
    """GetRole."""
    return {"Role": show(by_name(call, Role, "RoleName")) | {"RoleLastUsed": {}}}


def listed(call: Call) -> Shape:
    """ListRoles: without tags and boundaries, as AWS."""
    rows, rest = page(call, below(call, Role), lambda row: row.name.lower())
    brief = {"PermissionsBoundary": None, "Tags": None}
    return {"Roles": [show(row) | brief for row in rows], **rest}


def update(call: Call) -> Shape:
    """UpdateRole: what is not given stays."""
    row = by_name(call, Role, "RoleName")
    described = call.get("Description", row.description)
    call.txn.put(replace(row, description=described, longest=_longest(call, row.longest)))
    return {}


def update_description(call: Call) -> Shape:
    """UpdateRoleDescription."""
    row = by_name(call, Role, "RoleName")
    row = call.txn.put(replace(row, description=call.params["Description"]))
    return {"Role": show(row)}


def update_trust(call: Call) -> Shape:
    """UpdateAssumeRolePolicy."""
    row, text = by_name(call, Role, "RoleName"), call.params["PolicyDocument"]
    trust.check(call.txn.view, text)
    call.txn.put(replace(row, trust=text))
    return {}


def delete(call: Call) -> Shape:
    """DeleteRole."""
    row = by_name(call, Role, "RoleName")
    if any(True for _ in call.txn.referrers(row.id, InstanceProfile)):
        raise conflict("Cannot delete entity, must remove roles from instance profile first.")
    refuse_with_policies(row)
    call.txn.delete(row)
    return {}


# --- instance profiles --------------------------------------------------------------------------
def create_profile(call: Call) -> Shape:
    """CreateInstanceProfile."""
    name = new_name(call, "InstanceProfileName", 128)
    row = InstanceProfile(**tag.common(call, unique_id(InstanceProfile.prefix), name))
    call.txn.put(row)
    claim_name(call.txn, row, name, call.now, _profile_taken(name))
    return {"InstanceProfile": show_profile(row, call.txn.view)}


def _profile_taken(name: str) -> ApiError:
    return exists(f"Instance Profile {name} already exists.")


def _profile(call: Call) -> InstanceProfile:
    return by_name(call, InstanceProfile, "InstanceProfileName")


def get_profile(call: Call) -> Shape:
    """GetInstanceProfile."""
    return {"InstanceProfile": show_profile(_profile(call), call.txn.view)}


def list_profiles(call: Call) -> Shape:
    """ListInstanceProfiles."""
    rows, rest = page(call, below(call, InstanceProfile), lambda row: row.name.lower())
    shown = [show_profile(row, call.txn.view) | {"Tags": None} for row in rows]
    return {"InstanceProfiles": shown, **rest}


def profiles_of(call: Call) -> Shape:
    """ListInstanceProfilesForRole."""
    role = by_name(call, Role, "RoleName")
    found = call.txn.referrers(role.id, InstanceProfile)
    rows, rest = page(call, found, lambda row: row.name.lower())
    return {"InstanceProfiles": [show_profile(row, call.txn.view) for row in rows], **rest}


def add_role(call: Call) -> Shape:
    """AddRoleToInstanceProfile: one at most."""
    row, role = _profile(call), by_name(call, Role, "RoleName")
    if row.role is not None:
        raise over_quota("InstanceSessionsPerInstanceProfile", 1)
    call.txn.put(replace(row, role=role.id))
    return {}


def remove_role(call: Call) -> Shape:
    """RemoveRoleFromInstanceProfile."""
    row, role = _profile(call), by_name(call, Role, "RoleName")
    if row.role != role.id:
        raise no_such(f"Role {role.name} in Instance Profile {row.name} cannot be found.")
    call.txn.put(replace(row, role=None))
    return {}


def delete_profile(call: Call) -> Shape:
    """DeleteInstanceProfile."""
    row = _profile(call)
    if row.role is not None:
        raise conflict("Cannot delete entity, must remove roles from instance profile first.")
    call.txn.delete(row)
    return {}


# --- answers ------------------------------------------------------------------------------------
def show(row: Role) -> Shape:
    """The API's ``Role`` structure."""
    return {
        "Path": row.path,
        "RoleName": row.name,
        "RoleId": row.id,
        "Arn": arn(row, WORDS[Role]),
        "CreateDate": row.created,
        "AssumeRolePolicyDocument": encoded(row.trust),
        "Description": row.description,
        "MaxSessionDuration": row.longest,
        "PermissionsBoundary": show_boundary(row.boundary),
        "Tags": show_tags(row.tags) or None,
    }


def show_profile(row: InstanceProfile, view: View) -> Shape:
    """The API's ``InstanceProfile`` structure."""
    role = view.find(Role, row.role)
    brief = {"PermissionsBoundary": None, "Tags": None, "MaxSessionDuration": None}
    return {
        "Path": row.path,
        "InstanceProfileName": row.name,
        "InstanceProfileId": row.id,
        "Arn": arn(row, WORDS[InstanceProfile]),
        "CreateDate": row.created,
        "Roles": [show(role) | brief] if role else [],
        "Tags": show_tags(row.tags) or None,
    }


ACTIONS: dict[str, Action] = {
    "CreateRole": create,
    "GetRole": get,
    "ListRoles": listed,
    "UpdateRole": update,
    "UpdateRoleDescription": update_description,
    "UpdateAssumeRolePolicy": update_trust,
    "DeleteRole": delete,
    "CreateInstanceProfile": create_profile,
    "GetInstanceProfile": get_profile,
    "ListInstanceProfiles": list_profiles,
    "ListInstanceProfilesForRole": profiles_of,
    "AddRoleToInstanceProfile": add_role,
    "RemoveRoleFromInstanceProfile": remove_role,
    "DeleteInstanceProfile": delete_profile,
    **tag.actions("Role", lambda call: by_name(call, Role, "RoleName")),
    **tag.actions("InstanceProfile", _profile),
}
