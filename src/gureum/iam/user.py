"""Users and their groups.

Source: IAM API Reference, CreateUser, UpdateUser, DeleteUser, CreateGroup, AddUserToGroup and their
like.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gureum.iam import tag
from gureum.iam.access_key import AccessKey, unique_id
from gureum.iam.attachment import show_boundary
from gureum.iam.bearer import (
    arn,
    below,
    by_name,
    claim_name,
    rename,
    show_tags,
    taken,
)
from gureum.iam.call import (
    Action,
    Call,
    conflict,
    invalid,
    new_name,
    no_such,
    over_quota,
    page,
    path_of,
)
from gureum.iam.managed_policy import boundary_of
from gureum.iam.rows import WORDS, Group, Role, User
from gureum.kind import Shape

MAX_GROUPS = 10
"""Groups of a user."""


def user_of(call: Call, member: str = "UserName") -> User:
    """The user that a call names, or else the one that calls.

    Raises:
        ApiError: ``NoSuchEntity``, ``ValidationError`` where nobody is named and no user calls.
    """
    if call.get(member):
        return by_name(call, User, member)
    row = call.txn.find(User, call.caller.owner)
    if row is None:
        raise invalid("Must specify userName when calling with non-User credentials")
    return row


def create(call: Call) -> Shape:
    """CreateUser."""
    name = new_name(call, "UserName", 64)
    row = User(
        **tag.common(call, unique_id(User.prefix), name),
        boundary=boundary_of(call),
    )
    call.txn.put(row)
    claim_name(call.txn, row, name, call.now, taken(User, name))
    return {"User": show(row)}


def get(call: Call) -> Shape:
    """GetUser; of the root, where it asks for itself."""
    who = call.caller
    if not call.get("UserName") and who.principal.root:
        return {"User": {"UserId": who.user_id, "Arn": who.arn, "CreateDate": call.now}}
    return {"User": show(user_of(call))}


def listed(call: Call) -> Shape:
    """ListUsers: without tags and boundaries, as AWS."""
    rows, rest = page(call, below(call, User), lambda row: row.name.lower())
    return {"Users": [_brief(show(row)) for row in rows], **rest}


def update(call: Call) -> Shape:
    """UpdateUser: another name or path."""
    row = by_name(call, User, "UserName")
    return _moved(call, row, "NewUserName", 64)


def _moved(call: Call, row: User | Group, member: str, longest: int) -> Shape:
    name = new_name(call, member, longest) if call.get(member) else row.name
    path = path_of(call, "NewPath", row.path)
    call.txn.put(replace(row, name=name, path=path))
    if name != row.name:
        rename(call.txn, row, row.name, name, call.now, taken(type(row), name))
    return {}


def delete(call: Call) -> Shape:
    """DeleteUser."""
    row = by_name(call, User, "UserName")
    refuse_with_policies(row)
    if row.groups:
        raise conflict("Cannot delete entity, must remove users from group first.")
    if any(True for _ in call.txn.referrers(row.id, AccessKey)):
        raise conflict("Cannot delete entity, must delete access keys first.")
    call.txn.delete(row)
    return {}


def refuse_with_policies(row: User | Group | Role) -> None:
    """Raises:
    ApiError: ``DeleteConflict``.
    """
    if row.attached:
        raise conflict("Cannot delete entity, must detach all policies first.")
    if row.inline:
        raise conflict("Cannot delete entity, must delete policies first.")


# --- groups -------------------------------------------------------------------------------------
def create_group(call: Call) -> Shape:
    """CreateGroup."""
    name = new_name(call, "GroupName", 128)
    row = Group(**tag.common(call, unique_id(Group.prefix), name))
    call.txn.put(row)
    claim_name(call.txn, row, name, call.now, taken(Group, name))
    return {"Group": show_group(row)}


def get_group(call: Call) -> Shape:
    """GetGroup: with its users."""
    row = by_name(call, Group, "GroupName")
    members = call.txn.referrers(row.id, User)
    users, rest = page(call, members, lambda user: user.name.lower())
    return {"Group": show_group(row), "Users": [_brief(show(user)) for user in users], **rest}


def list_groups(call: Call) -> Shape:
    """ListGroups."""
    rows, rest = page(call, below(call, Group), lambda row: row.name.lower())
    return {"Groups": [show_group(row) for row in rows], **rest}


def update_group(call: Call) -> Shape:
    """UpdateGroup: another name or path."""
    return _moved(call, by_name(call, Group, "GroupName"), "NewGroupName", 128)


def delete_group(call: Call) -> Shape:
    """DeleteGroup."""
    row = by_name(call, Group, "GroupName")
    if any(True for _ in call.txn.referrers(row.id, User)):
        raise conflict("Cannot delete entity, must remove users from group first.")
    refuse_with_policies(row)
    call.txn.delete(row)
    return {}


def add_to_group(call: Call) -> Shape:
    """AddUserToGroup."""
    group, user = by_name(call, Group, "GroupName"), by_name(call, User, "UserName")
    if group.id not in user.groups:
        if len(user.groups) >= MAX_GROUPS:
            raise over_quota("GroupsPerUser", MAX_GROUPS)
        call.txn.put(replace(user, groups=(*user.groups, group.id)))
    return {}


def remove_from_group(call: Call) -> Shape:
    """RemoveUserFromGroup."""
    group, user = by_name(call, Group, "GroupName"), by_name(call, User, "UserName")
    if group.id not in user.groups:
        raise no_such(f"User {user.name} is not in group {group.name}.")
    kept = tuple(each for each in user.groups if each != group.id)
    call.txn.put(replace(user, groups=kept))
    return {}


def groups_of(call: Call) -> Shape:
    """ListGroupsForUser."""
    user = by_name(call, User, "UserName")
    found = (call.txn.find(Group, key) for key in user.groups)
    groups, rest = page(call, filter(None, found), lambda row: row.name.lower())
    return {"Groups": [show_group(row) for row in groups], **rest}


# --- what users never have here -----------------------------------------------------------------
def none_of(result: str, **more: Any) -> Action:
    """A list of what a user never has: passwords, devices, certificates."""

    def listed(call: Call) -> Shape:
        if call.get("UserName"):
            by_name(call, User, "UserName")
        return {result: [], "IsTruncated": False, **more}

    return listed


def no_login(call: Call) -> Shape:
    """GetLoginProfile, DeleteLoginProfile: there is no console to log in to."""
    row = user_of(call)
    raise no_such(f"Login Profile for User {row.name} cannot be found.")


# --- answers ------------------------------------------------------------------------------------
def show(row: User) -> Shape:
    """The API's ``User`` structure."""
    return {
        "Path": row.path,
        "UserName": row.name,
        "UserId": row.id,
        "Arn": arn(row, WORDS[User]),
        "CreateDate": row.created,
        "PermissionsBoundary": show_boundary(row.boundary),
        "Tags": show_tags(row.tags) or None,
    }


def _brief(shown: Shape) -> Shape:
    """As lists have it."""
    return shown | {"PermissionsBoundary": None, "Tags": None}


def show_group(row: Group) -> Shape:
    """The API's ``Group`` structure."""
    return {
        "Path": row.path,
        "GroupName": row.name,
        "GroupId": row.id,
        "Arn": arn(row, WORDS[Group]),
        "CreateDate": row.created,
    }


ACTIONS: dict[str, Action] = {
    "CreateUser": create,
    "GetUser": get,
    "ListUsers": listed,
    "UpdateUser": update,
    "DeleteUser": delete,
    "CreateGroup": create_group,
    "GetGroup": get_group,
    "ListGroups": list_groups,
    "UpdateGroup": update_group,
    "DeleteGroup": delete_group,
    "AddUserToGroup": add_to_group,
    "RemoveUserFromGroup": remove_from_group,
    "ListGroupsForUser": groups_of,
    "ListMFADevices": none_of("MFADevices"),
    "ListVirtualMFADevices": none_of("VirtualMFADevices"),
    "ListSSHPublicKeys": none_of("SSHPublicKeys"),
    "ListSigningCertificates": none_of("Certificates"),
    "ListServiceSpecificCredentials": none_of("ServiceSpecificCredentials"),
    "GetLoginProfile": no_login,
    "DeleteLoginProfile": no_login,
    **tag.actions("User", lambda call: by_name(call, User, "UserName")),
}
