"""Users, groups, roles and instance profiles as rows of the store.

Sources: IAM API Reference, "User", "Group", "Role", "InstanceProfile"; IAM User Guide, "IAM
identifiers".
"""

from __future__ import annotations

from dataclasses import dataclass

from gureum.iam.bearer import Bearer
from gureum.model import Resource, ref


@dataclass(frozen=True, kw_only=True)
class User(
    Bearer,
    Resource,
    kind="iam-user",
    prefix="AIDA",
    not_found="NoSuchEntity",
    noun="user",
    missing="The {noun} with name {id} cannot be found.",
):
    """Somebody with keys; ``groups`` are ids of groups."""

    groups: tuple[str, ...] = ref("weak", default=())
    boundary: str | None = ref("weak", default=None)


@dataclass(frozen=True, kw_only=True)
class Group(
    Bearer,
    Resource,
    kind="iam-group",
    prefix="AGPA",
    not_found="NoSuchEntity",
    noun="group",
    missing="The {noun} with name {id} cannot be found.",
):
    """Policies that users share."""


@dataclass(frozen=True, kw_only=True)
class Role(
    Bearer,
    Resource,
    kind="iam-role",
    prefix="AROA",
    not_found="NoSuchEntity",
    noun="role",
    missing="The {noun} with name {id} cannot be found.",
):
    """What those may become for a while whom ``trust``, a policy, lets; ``longest`` is in
    seconds.  ``service`` is the service whose role it is, where it is linked to one."""

    trust: str
    description: str | None = None
    longest: int = 3600
    boundary: str | None = ref("weak", default=None)
    service: str = ""


@dataclass(frozen=True, kw_only=True)
class InstanceProfile(
    Resource,
    kind="iam-instance-profile",
    prefix="AIPA",
    not_found="NoSuchEntity",
    noun="Instance Profile",
    missing="{noun} {id} cannot be found.",
):
    """A role as instances have it."""

    name: str
    path: str = "/"
    role: str | None = ref("weak", default=None)


WORDS: dict[type[Resource], str] = {
    User: "user",
    Group: "group",
    Role: "role",
    InstanceProfile: "instance-profile",
}
"""The word of each type in ARNs."""
