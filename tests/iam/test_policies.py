"""Managed policies and their versions, who has them, and policies of one's own."""

from __future__ import annotations

import json
import re

import pytest

from gureum.iam.aws_policies import DOCUMENTS
from gureum.iam.registry import ACTIONS, READS
from gureum.identity.policy import parse
from tests.iam.conftest import ACCOUNT, ALLOW, Iam
from tests.wiring import service_model

DENY = ALLOW.replace("Allow", "Deny")
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def test_every_action_is_part_of_the_api() -> None:
    assert set(ACTIONS) - set(service_model("iam").operation_names) == set()
    assert set(ACTIONS) > READS


def test_a_policy_and_its_versions(iam: Iam) -> None:
    policy = iam.policy("p")
    assert policy == f"arn:aws:iam::{ACCOUNT}:policy/p"
    for number in range(2, 6):
        made = iam.call("CreatePolicyVersion", PolicyArn=policy, PolicyDocument=DENY)
        assert made["PolicyVersion"]["VersionId"] == f"v{number}"
        assert made["PolicyVersion"]["IsDefaultVersion"] is False
    assert iam.error("CreatePolicyVersion", PolicyArn=policy, PolicyDocument=DENY)[0] == (
        "LimitExceeded"
    )
    listed = iam.call("ListPolicyVersions", PolicyArn=policy)["Versions"]
    assert [each["VersionId"] for each in listed] == ["v5", "v4", "v3", "v2", "v1"]
    iam.call("DeletePolicyVersion", PolicyArn=policy, VersionId="v5")
    made = iam.call("CreatePolicyVersion", PolicyArn=policy, PolicyDocument=DENY, SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v6"
    assert iam.call("GetPolicy", PolicyArn=policy)["Policy"]["DefaultVersionId"] == "v6"
    assert iam.error("DeletePolicyVersion", PolicyArn=policy, VersionId="v6")[0] == "DeleteConflict"
    iam.call("SetDefaultPolicyVersion", PolicyArn=policy, VersionId="v1")
    shown = iam.call("GetPolicyVersion", PolicyArn=policy, VersionId="v1")["PolicyVersion"]
    assert (shown["IsDefaultVersion"], shown["Document"]) == (True, ALLOW_ENCODED)
    assert iam.error("DeletePolicy", PolicyArn=policy)[0] == "DeleteConflict"
    for key in ("v2", "v3", "v4", "v6"):
        iam.call("DeletePolicyVersion", PolicyArn=policy, VersionId=key)
    iam.call("DeletePolicy", PolicyArn=policy)
    assert iam.error("GetPolicy", PolicyArn=policy)[:2] == (
        "NoSuchEntity",
        f"Policy {policy} was not found.",
    )


ALLOW_ENCODED = (
    "%7B%22Version%22%3A%20%222012-10-17%22%2C%20%22Statement%22%3A%20%7B%22Effect%22%3A%20%22"
    "Allow%22%2C%20%22Action%22%3A%20%22%2A%22%2C%20%22Resource%22%3A%20%22%2A%22%7D%7D"
)


def test_names_are_taken_across_paths(iam: Iam) -> None:
    iam.policy("p")
    for name, path in (("p", "/"), ("P", "/x/")):
        given = {"PolicyName": name, "Path": path, "PolicyDocument": ALLOW}
        assert iam.error("CreatePolicy", **given) == (
            "EntityAlreadyExists",
            f"A policy called {name} already exists. Duplicate names are not allowed.",
            409,
        )


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{}", "MalformedPolicyDocument"),
        ("no JSON", "MalformedPolicyDocument"),
        (ALLOW.replace("}}", ', "Sid": "' + "a" * 6200 + '"}}'), "LimitExceeded"),
    ],
)
def test_documents_that_are_refused(iam: Iam, document: str, code: str) -> None:
    assert iam.error("CreatePolicy", PolicyName="p", PolicyDocument=document)[0] == code
    policy = iam.policy("q")
    assert iam.error("CreatePolicyVersion", PolicyArn=policy, PolicyDocument=document)[0] == code


@pytest.mark.parametrize("noun", ["User", "Group", "Role"])
def test_attachments(iam: Iam, noun: str) -> None:
    name = {f"{noun}Name": "x"}
    _ = iam.role("x") if noun == "Role" else iam.call(f"Create{noun}", **name)
    policy = iam.policy("p")
    for each in (policy, ADMIN, policy):
        iam.call(f"Attach{noun}Policy", PolicyArn=each, **name)
    listed = iam.call(f"ListAttached{noun}Policies", **name)["AttachedPolicies"]
    assert [each["PolicyName"] for each in listed] == ["p", "AdministratorAccess"]
    who = iam.call("ListEntitiesForPolicy", PolicyArn=policy)
    assert [each[f"{noun}Name"] for each in who[f"Policy{noun}s"]] == ["x"]
    assert iam.call("GetPolicy", PolicyArn=policy)["Policy"]["AttachmentCount"] == 1
    assert iam.call("GetPolicy", PolicyArn=ADMIN)["Policy"]["AttachmentCount"] == 1
    assert iam.error("DeletePolicy", PolicyArn=policy) == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
        409,
    )
    iam.call(f"Detach{noun}Policy", PolicyArn=policy, **name)
    assert iam.error(f"Detach{noun}Policy", PolicyArn=policy, **name)[0] == "NoSuchEntity"
    iam.call("DeletePolicy", PolicyArn=policy)
    gone = {"PolicyArn": policy, **name}
    assert iam.error(f"Attach{noun}Policy", **gone)[:2] == (
        "NoSuchEntity",
        f"Policy {policy} does not exist or is not attachable.",
    )
    assert iam.error(f"Attach{noun}Policy", PolicyArn="p", **name)[0] == "ValidationError"


def test_ten_policies_at_most(iam: Iam) -> None:
    iam.call("CreateUser", UserName="x")
    for number in range(10):
        iam.call("AttachUserPolicy", UserName="x", PolicyArn=iam.policy(f"p{number}"))
    assert iam.error("AttachUserPolicy", UserName="x", PolicyArn=ADMIN)[0] == "LimitExceeded"


@pytest.mark.parametrize(("noun", "limit"), [("User", 2048), ("Group", 5120), ("Role", 10_240)])
def test_policies_of_their_own(iam: Iam, noun: str, limit: int) -> None:
    name = {f"{noun}Name": "x"}
    _ = iam.role("x") if noun == "Role" else iam.call(f"Create{noun}", **name)
    iam.call(f"Put{noun}Policy", PolicyName="own", PolicyDocument=DENY, **name)
    iam.call(f"Put{noun}Policy", PolicyName="own", PolicyDocument=ALLOW, **name)
    shown = iam.call(f"Get{noun}Policy", PolicyName="own", **name)
    assert (shown[f"{noun}Name"], shown["PolicyDocument"]) == ("x", ALLOW_ENCODED)
    assert iam.call(f"List{noun}Policies", **name)["PolicyNames"] == ["own"]
    large = json.dumps(json.loads(ALLOW) | {"Id": "a" * (limit - 50)})
    refused = {"PolicyName": "large", "PolicyDocument": large, **name}
    assert iam.error(f"Put{noun}Policy", **refused)[0] == "LimitExceeded"
    iam.call(f"Delete{noun}Policy", PolicyName="own", **name)
    assert iam.error(f"Get{noun}Policy", PolicyName="own", **name)[1] == (
        f"The {noun.lower()} policy with name own cannot be found."
    )


# --- lists, and AWS's own -----------------------------------------------------------------------
def test_lists_of_policies(iam: Iam) -> None:
    local = iam.policy("p")
    assert [each["Arn"] for each in iam.call("ListPolicies", Scope="Local")["Policies"]] == [local]
    awss = {each["Arn"] for each in iam.call("ListPolicies", Scope="AWS")["Policies"]}
    assert awss == set(DOCUMENTS)
    assert len(iam.call("ListPolicies")["Policies"]) == len(awss) + 1
    assert iam.call("ListPolicies", OnlyAttached=True)["Policies"] == []
    iam.call("CreateUser", UserName="x", PermissionsBoundary=local)
    iam.call("AttachUserPolicy", UserName="x", PolicyArn=ADMIN)
    attached = iam.call("ListPolicies", OnlyAttached=True)["Policies"]
    assert [each["Arn"] for each in attached] == [ADMIN]
    limits = iam.call("ListPolicies", PolicyUsageFilter="PermissionsBoundary")["Policies"]
    assert [each["Arn"] for each in limits] == [local]
    only = {"PolicyArn": local, "PolicyUsageFilter": "PermissionsPolicy"}
    assert iam.call("ListEntitiesForPolicy", **only)["PolicyUsers"] == []


@pytest.mark.parametrize("policy", sorted(DOCUMENTS))
def test_awss_policies_are_some(iam: Iam, policy: str) -> None:
    parse(DOCUMENTS[policy], policy)
    shown = iam.call("GetPolicy", PolicyArn=policy)["Policy"]
    assert re.fullmatch("ANPA[A-Z2-7]{17}", shown["PolicyId"])
    version = iam.call("GetPolicyVersion", PolicyArn=policy, VersionId="v1")["PolicyVersion"]
    assert version["Document"].startswith("%7B%22Version%22")
    assert iam.error("DeletePolicy", PolicyArn=policy)[0] == "NoSuchEntity"


def test_accounts_are_apart(iam: Iam) -> None:
    policy = iam.policy("p")
    other = iam.who.__class__("111122223333", iam.who.principal, "111122223333")
    assert iam.call_as(other, "ListPolicies", Scope="Local")["Policies"] == []
    iam.call_as(other, "CreateUser", UserName="x")
    iam.call("CreateUser", UserName="x")
    iam.who = other
    assert iam.error("AttachUserPolicy", UserName="x", PolicyArn=policy)[0] == "NoSuchEntity"
