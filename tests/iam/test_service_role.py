"""Service-linked roles: made for a service, described, protected, deleted."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from tests.iam.conftest import ACCOUNT, ALLOW, TRUST, Iam

SPOT = "spot.amazonaws.com"
NAME = "AWSServiceRoleForEC2Spot"


def test_a_role_of_a_service(iam: Iam) -> None:
    made = iam.call("CreateServiceLinkedRole", AWSServiceName=SPOT, Description="spot")["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{SPOT}/{NAME}"
    assert (made["RoleName"], made["Description"]) == (NAME, "spot")
    assert SPOT in unquote(str(made["AssumeRolePolicyDocument"]))
    assert iam.call("GetRole", RoleName=NAME)["Role"]["RoleId"] == made["RoleId"]
    listed = iam.call("ListRoles", PathPrefix="/aws-service-role/")["Roles"]
    assert [each["RoleName"] for each in listed] == [NAME]
    taken = (
        "InvalidInput",
        f"Service role name {NAME} has been taken in this account, please try a different suffix.",
        400,
    )
    assert iam.error("CreateServiceLinkedRole", AWSServiceName=SPOT) == taken


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("DeleteRole", {}),
        ("UpdateAssumeRolePolicy", {"PolicyDocument": TRUST}),
        ("PutRolePolicy", {"PolicyName": "p", "PolicyDocument": ALLOW}),
        ("DeleteRolePolicy", {"PolicyName": "p"}),
        ("AttachRolePolicy", {"PolicyArn": "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"}),
        ("DetachRolePolicy", {"PolicyArn": "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"}),
        ("PutRolePermissionsBoundary", {"PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/p"}),
        ("DeleteRolePermissionsBoundary", {}),
        ("AddRoleToInstanceProfile", {"InstanceProfileName": "i"}),
        ("UpdateRole", {"MaxSessionDuration": 7200}),
    ],
)
def test_only_aws_changes_it(iam: Iam, action: str, params: dict[str, Any]) -> None:
    iam.call("CreateServiceLinkedRole", AWSServiceName=SPOT)
    iam.call("CreateInstanceProfile", InstanceProfileName="i")
    code, message, _ = iam.error(action, RoleName=NAME, **params)
    assert code == "UnmodifiableEntity"
    assert message == (
        f"Cannot perform the operation on the protected role '{NAME}' - this role is only "
        "modifiable by AWS"
    )


def test_it_is_described_and_tagged(iam: Iam) -> None:
    iam.call("CreateServiceLinkedRole", AWSServiceName=SPOT)
    iam.call("UpdateRole", RoleName=NAME, Description="one")
    assert iam.call("GetRole", RoleName=NAME)["Role"]["Description"] == "one"
    iam.call("UpdateRoleDescription", RoleName=NAME, Description="two")
    iam.call("TagRole", RoleName=NAME, Tags=[{"Key": "team", "Value": "a"}])
    role = iam.call("GetRole", RoleName=NAME)["Role"]
    assert (role["Description"], role["Tags"]) == ("two", [{"Key": "team", "Value": "a"}])


def test_it_is_deleted_by_a_task(iam: Iam) -> None:
    iam.call("CreateServiceLinkedRole", AWSServiceName=SPOT)
    task = iam.call("DeleteServiceLinkedRole", RoleName=NAME)["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/{SPOT}/{NAME}/")
    status = iam.call("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task)
    assert status["Status"] == "SUCCEEDED"
    assert iam.error("GetRole", RoleName=NAME)[0] == "NoSuchEntity"
    iam.call("CreateServiceLinkedRole", AWSServiceName=SPOT)
    unknown = iam.error("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=f"{task[:-1]}x")
    assert unknown[0] == "NoSuchEntity"


def test_a_role_of_ones_own_is_none(iam: Iam) -> None:
    iam.call("CreateRole", RoleName="own", AssumeRolePolicyDocument=TRUST)
    assert iam.error("DeleteServiceLinkedRole", RoleName="own")[0] == "NoSuchEntity"
    iam.call("DeleteRole", RoleName="own")


def test_suffixes_and_unknown_services(iam: Iam) -> None:
    asked = {"AWSServiceName": "autoscaling.amazonaws.com", "CustomSuffix": "blue"}
    role = iam.call("CreateServiceLinkedRole", **asked)["Role"]
    assert role["RoleName"] == "AWSServiceRoleForAutoScaling_blue"
    iam.call("CreateServiceLinkedRole", AWSServiceName="autoscaling.amazonaws.com")
    for wrong in (
        {"AWSServiceName": SPOT, "CustomSuffix": "blue"},
        {"AWSServiceName": "ec2.amazonaws.com"},
        {**asked, "CustomSuffix": "a b"},
        {**asked, "CustomSuffix": "a" * 60},
    ):
        assert iam.error("CreateServiceLinkedRole", **wrong)[0] == "InvalidInput"
