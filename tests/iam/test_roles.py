"""Roles, whom they trust, and the profiles by which instances have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.iam.conftest import ACCOUNT, ALLOW, TRUST, Iam


def trusting(principal: Any) -> str:
    return TRUST.replace('{"Service": "ec2.amazonaws.com"}', json.dumps(principal))


def test_a_role_is_made_shown_and_gone(iam: Iam) -> None:
    made = iam.role("web", Path="/app/", Description="Serves.", Tags=[{"Key": "a", "Value": "b"}])
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/app/web"
    assert (made["RoleId"][:4], made["MaxSessionDuration"]) == ("AROA", 3600)
    shown = iam.call("GetRole", RoleName="web")["Role"]
    assert shown == made | {"RoleLastUsed": {}}
    (listed,) = iam.call("ListRoles", PathPrefix="/app/")["Roles"]
    assert "Tags" not in listed
    iam.call("UpdateRole", RoleName="web", MaxSessionDuration=7200)
    shown = iam.call("GetRole", RoleName="web")["Role"]
    assert (shown["MaxSessionDuration"], shown["Description"]) == (7200, "Serves.")
    changed = iam.call("UpdateRoleDescription", RoleName="web", Description="Still serves.")
    assert changed["Role"]["Description"] == "Still serves."
    iam.call("DeleteRole", RoleName="web")
    assert iam.error("GetRole", RoleName="web")[0] == "NoSuchEntity"


def test_a_taken_name_and_a_session_too_long(iam: Iam) -> None:
    iam.role("web")
    again = {"RoleName": "WEB", "AssumeRolePolicyDocument": TRUST}
    assert iam.error("CreateRole", **again)[:2] == (
        "EntityAlreadyExists",
        "Role with name WEB already exists.",
    )
    assert iam.error("UpdateRole", RoleName="web", MaxSessionDuration=60)[0] == "ValidationError"


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": ACCOUNT},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        {"AWS": "*"},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/dev/alice"},
        {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/other", "111122223333"]},
        {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/other/session"},
        {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]},
        {"Federated": "cognito-identity.amazonaws.com"},
    ],
)
def test_whom_a_role_may_trust(iam: Iam, principal: Any) -> None:
    iam.call("CreateUser", UserName="alice", Path="/dev/")
    iam.role("other")
    iam.role("web")
    iam.call("UpdateAssumeRolePolicy", RoleName="web", PolicyDocument=trusting(principal))
    assert iam.call("GetRole", RoleName="web")["Role"]["AssumeRolePolicyDocument"]


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"},
        {"AWS": "alice"},
        {"AWS": "12345"},
        {"Service": "ec2"},
    ],
)
def test_whom_it_may_not(iam: Iam, principal: Any) -> None:
    iam.call("CreateUser", UserName="alice", Path="/dev/")
    refused = {"RoleName": "web", "AssumeRolePolicyDocument": trusting(principal)}
    code, message, _ = iam.error("CreateRole", **refused)
    assert code == "MalformedPolicyDocument"
    assert message.startswith("Invalid principal in policy: ")


def test_a_trust_policy_is_one(iam: Iam) -> None:
    refused = {"RoleName": "web", "AssumeRolePolicyDocument": ALLOW}
    assert iam.error("CreateRole", **refused)[0] == "MalformedPolicyDocument"


# --- instance profiles --------------------------------------------------------------------------
def test_a_profile_has_one_role(iam: Iam) -> None:
    made = iam.call("CreateInstanceProfile", InstanceProfileName="web", Path="/app/")
    profile = made["InstanceProfile"]
    assert profile["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/app/web"
    assert profile["Roles"] == []
    role = iam.role("web")
    iam.call("AddRoleToInstanceProfile", InstanceProfileName="web", RoleName="web")
    shown = iam.call("GetInstanceProfile", InstanceProfileName="web")["InstanceProfile"]
    assert [each["RoleId"] for each in shown["Roles"]] == [role["RoleId"]]
    (listed,) = iam.call("ListInstanceProfilesForRole", RoleName="web")["InstanceProfiles"]
    assert listed["InstanceProfileId"] == profile["InstanceProfileId"]
    iam.role("more")
    second = {"InstanceProfileName": "web", "RoleName": "more"}
    assert iam.error("AddRoleToInstanceProfile", **second) == (
        "LimitExceeded",
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
        409,
    )
    assert iam.error("RemoveRoleFromInstanceProfile", **second)[0] == "NoSuchEntity"
    told = "Cannot delete entity, must remove roles from instance profile first."
    assert iam.error("DeleteRole", RoleName="web")[1] == told
    assert iam.error("DeleteInstanceProfile", InstanceProfileName="web")[1] == told
    iam.call("RemoveRoleFromInstanceProfile", InstanceProfileName="web", RoleName="web")
    iam.call("DeleteInstanceProfile", InstanceProfileName="web")
    assert iam.call("ListInstanceProfiles")["InstanceProfiles"] == []
    assert iam.error("GetInstanceProfile", InstanceProfileName="web")[1] == (
        "Instance Profile web cannot be found."
    )


# --- boundaries ---------------------------------------------------------------------------------
@pytest.mark.parametrize("noun", ["User", "Role"])
def test_boundaries(iam: Iam, noun: str) -> None:
    policy, name = iam.policy("limit"), {f"{noun}Name": "x"}
    if noun == "User":
        iam.call("CreateUser", UserName="x")
    else:
        iam.role("x")
    iam.call(f"Put{noun}PermissionsBoundary", PermissionsBoundary=policy, **name)
    shown = iam.call(f"Get{noun}", **name)[noun]["PermissionsBoundary"]
    assert shown == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": policy}
    assert iam.error("DeletePolicy", PolicyArn=policy)[0] == "DeleteConflict"
    assert iam.call("GetPolicy", PolicyArn=policy)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    iam.call(f"Delete{noun}PermissionsBoundary", **name)
    assert iam.error(f"Delete{noun}PermissionsBoundary", **name)[0] == "NoSuchEntity"
    none = {"PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/none", **name}
    assert iam.error(f"Put{noun}PermissionsBoundary", **none)[0] == "NoSuchEntity"
