"""Simulations say what an enforced call would get, and the report says who has what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.iam.conftest import ACCOUNT, ALLOW, Iam

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"


def policy(effect: str, action: str, resource: str = "*", **condition: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    more = {"Condition": condition} if condition else {}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


def decisions(answer: dict[str, Any]) -> dict[str, str]:
    return {each["EvalActionName"]: each["EvalDecision"] for each in answer["EvaluationResults"]}


def test_policies_that_are_given(iam: Iam) -> None:
    answer = iam.call(
        "SimulateCustomPolicy",
        PolicyInputList=[policy("Allow", "ec2:*"), policy("Deny", "ec2:Delete*")],
        ActionNames=["ec2:CreateVpc", "ec2:DeleteVpc", "iam:GetUser"],
    )
    assert decisions(answer) == {
        "ec2:CreateVpc": "allowed",
        "ec2:DeleteVpc": "explicitDeny",
        "iam:GetUser": "implicitDeny",
    }
    (first, second, third) = (each["MatchedStatements"] for each in answer["EvaluationResults"])
    assert [each["SourcePolicyId"] for each in first] == ["PolicyInputList.1"]
    assert [each["SourcePolicyId"] for each in second] == ["PolicyInputList.2"]
    assert third == []


def test_resources_context_and_what_is_missing(iam: Iam) -> None:
    own = policy(
        "Allow", "ec2:DeleteVpc", "arn:aws:ec2:*:*:vpc/vpc-1", StringEquals={"ec2:Region": "r"}
    )
    ask = {"PolicyInputList": [own], "ActionNames": ["ec2:DeleteVpc"]}
    arns = [f"arn:aws:ec2:r:{ACCOUNT}:vpc/vpc-{n}" for n in (1, 2)]
    (one, two) = iam.call("SimulateCustomPolicy", ResourceArns=arns, **ask)["EvaluationResults"]
    assert (one["EvalDecision"], one["MissingContextValues"]) == ("implicitDeny", ["ec2:Region"])
    assert (two["EvalDecision"], two["MissingContextValues"]) == ("implicitDeny", [])
    entry = {"ContextKeyName": "ec2:region", "ContextKeyValues": ["r"], "ContextKeyType": "string"}
    with_key = iam.call("SimulateCustomPolicy", ResourceArns=arns, ContextEntries=[entry], **ask)[
        "EvaluationResults"
    ]
    assert [each["EvalDecision"] for each in with_key] == ["allowed", "implicitDeny"]


def test_a_boundary_is_told(iam: Iam) -> None:
    answer = iam.call(
        "SimulateCustomPolicy",
        PolicyInputList=[ALLOW],
        PermissionsBoundaryPolicyInputList=[policy("Allow", "ec2:*")],
        ActionNames=["ec2:CreateVpc", "iam:GetUser"],
    )
    told = [
        (each["EvalDecision"], each["PermissionsBoundaryDecisionDetail"])
        for each in answer["EvaluationResults"]
    ]
    assert told == [
        ("allowed", {"AllowedByPermissionsBoundary": True}),
        ("implicitDeny", {"AllowedByPermissionsBoundary": False}),
    ]


def test_a_principals_policies(iam: Iam) -> None:
    iam.call("CreateUser", UserName="alice")
    iam.call("CreateGroup", GroupName="dev")
    iam.call("AddUserToGroup", GroupName="dev", UserName="alice")
    own = policy("Allow", "iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    iam.call("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=own)
    iam.call("AttachGroupPolicy", GroupName="dev", PolicyArn=iam.policy("p"))
    deny = policy("Deny", "ec2:DeleteVpc")
    answer = iam.call(
        "SimulatePrincipalPolicy",
        PolicySourceArn=ALICE,
        PolicyInputList=[deny],
        ActionNames=["iam:GetUser", "ec2:DeleteVpc"],
        ResourceArns=[ALICE],
    )
    assert decisions(answer) == {"iam:GetUser": "allowed", "ec2:DeleteVpc": "explicitDeny"}
    matched = answer["EvaluationResults"][0]["MatchedStatements"]
    assert {(each["SourcePolicyId"], each["SourcePolicyType"]) for each in matched} == {
        ("user alice/own", "user"),
        (f"arn:aws:iam::{ACCOUNT}:policy/p", "user-managed"),
    }


def test_results_come_in_pages(iam: Iam) -> None:
    names = [f"ec2:Describe{n}" for n in range(12)]
    ask = {"PolicyInputList": [ALLOW], "ActionNames": names, "MaxItems": 5}
    seen: list[str] = []
    more: dict[str, str] = {}
    for _ in range(3):
        answer = iam.call("SimulateCustomPolicy", **ask, **more)
        seen += [each["EvalActionName"] for each in answer["EvaluationResults"]]
        more = {"Marker": answer["Marker"]} if answer["IsTruncated"] else {}
    assert (seen, more) == (names, {})


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ActionNames": ["ec2:*"]}, "InvalidInput"),
        ({"ActionNames": ["nothing"]}, "InvalidInput"),
        ({"CallerArn": "alice"}, "InvalidInput"),
        ({"PolicyInputList": ["{}"]}, "MalformedPolicyDocument"),
    ],
)
def test_what_is_refused(iam: Iam, given: dict[str, Any], code: str) -> None:
    params = {"PolicyInputList": [ALLOW], "ActionNames": ["ec2:CreateVpc"], **given}
    assert iam.error("SimulateCustomPolicy", **params)[0] == code


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (ALICE, "NoSuchEntity"),
        ("alice", "InvalidInput"),
        ("arn:aws:iam::111122223333:user/alice", "NoSuchEntity"),
    ],
)
def test_whom_there_is_not(iam: Iam, source: str, code: str) -> None:
    asked = {"PolicySourceArn": source, "ActionNames": ["ec2:CreateVpc"]}
    assert iam.error("SimulatePrincipalPolicy", **asked)[0] == code


def test_keys_that_policies_ask_for(iam: Iam) -> None:
    text = policy(
        "Allow",
        "ec2:*",
        "arn:aws:ec2:*:*:vpc/${aws:username}",
        Bool={"aws:SecureTransport": "true"},
    )
    found = iam.call("GetContextKeysForCustomPolicy", PolicyInputList=[text])["ContextKeyNames"]
    assert found == ["aws:SecureTransport", "aws:username"]
    iam.call("CreateUser", UserName="alice")
    iam.call("PutUserPolicy", UserName="alice", PolicyName="own", PolicyDocument=text)
    own = iam.call("GetContextKeysForPrincipalPolicy", PolicySourceArn=ALICE)["ContextKeyNames"]
    assert own == found


# --- the report ---------------------------------------------------------------------------------
def test_the_report_has_everybody(iam: Iam) -> None:
    own = iam.policy("p")
    iam.call("CreateUser", UserName="alice", PermissionsBoundary=own)
    iam.call("CreateGroup", GroupName="dev")
    iam.call("AddUserToGroup", GroupName="dev", UserName="alice")
    iam.call("AttachGroupPolicy", GroupName="dev", PolicyArn=ADMIN)
    iam.role("web", Description="Serves.", Tags=[{"Key": "a", "Value": "b"}])
    iam.call("PutRolePolicy", RoleName="web", PolicyName="own", PolicyDocument=ALLOW)
    iam.call("CreateInstanceProfile", InstanceProfileName="web")
    iam.call("AddRoleToInstanceProfile", InstanceProfileName="web", RoleName="web")
    answer = iam.call("GetAccountAuthorizationDetails")
    (alice,), (dev,), (web,) = (
        answer[name] for name in ("UserDetailList", "GroupDetailList", "RoleDetailList")
    )
    assert (alice["GroupList"], alice["PermissionsBoundary"]["PermissionsBoundaryArn"]) == (
        ["dev"],
        own,
    )
    assert [each["PolicyArn"] for each in dev["AttachedManagedPolicies"]] == [ADMIN]
    assert [each["PolicyName"] for each in web["RolePolicyList"]] == ["own"]
    assert [each["InstanceProfileName"] for each in web["InstanceProfileList"]] == ["web"]
    assert {each["Arn"] for each in answer["Policies"]} == {own, ADMIN}
    only = iam.call("GetAccountAuthorizationDetails", Filter=["LocalManagedPolicy"])
    assert [each["Arn"] for each in only["Policies"]] == [own]
    assert only["UserDetailList"] == []


def test_the_report_comes_in_pages(iam: Iam) -> None:
    for number in range(3):
        iam.call("CreateUser", UserName=f"u{number}")
        iam.role(f"r{number}")
    first = iam.call("GetAccountAuthorizationDetails", MaxItems=4)
    assert (len(first["UserDetailList"]), len(first["RoleDetailList"])) == (3, 1)
    rest = iam.call("GetAccountAuthorizationDetails", MaxItems=4, Marker=first["Marker"])
    assert [each["RoleName"] for each in rest["RoleDetailList"]] == ["r1", "r2"]
    assert rest["IsTruncated"] is False
