"""Users, groups and their keys, as IAM has them."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.iam.caller import Identity
from gureum.iam.identities import of_user
from gureum.iam.rows import User
from tests.iam.conftest import ACCOUNT, ALLOW, Iam


def user(iam: Iam, name: str = "alice", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = iam.call("CreateUser", UserName=name, **more)["User"]
    return found


def myself(iam: Iam, name: str) -> Identity:
    (row,) = (row for row in iam.store.view.all(User) if row.name == name)
    return of_user(row)


def test_a_user_is_made_shown_and_gone(iam: Iam) -> None:
    made = user(iam, Path="/dev/", Tags=[{"Key": "team", "Value": "a"}])
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/dev/alice"
    assert made["UserId"].startswith("AIDA")
    assert len(made["UserId"]) == 21
    assert iam.call("GetUser", UserName="alice")["User"] == made
    (listed,) = iam.call("ListUsers")["Users"]
    assert listed == {name: value for name, value in made.items() if name != "Tags"}
    iam.call("DeleteUser", UserName="alice")
    assert iam.error("GetUser", UserName="alice") == (
        "NoSuchEntity",
        "The user with name alice cannot be found.",
        404,
    )
    assert user(iam)["UserId"] != made["UserId"]


def test_names_ignore_case_where_they_are_taken(iam: Iam) -> None:
    user(iam)
    assert iam.error("CreateUser", UserName="Alice") == (
        "EntityAlreadyExists",
        "User with name Alice already exists.",
        409,
    )
    assert iam.error("GetUser", UserName="ALICE")[0] == "NoSuchEntity"


@pytest.mark.parametrize("name", ["a b", "a/b", "ä", "a" * 65])
def test_names_that_are_none(iam: Iam, name: str) -> None:
    assert iam.error("CreateUser", UserName=name)[0] == "ValidationError"


@pytest.mark.parametrize("path", ["dev", "/dev", "dev/", "", "/a b/"])
def test_paths_that_are_none(iam: Iam, path: str) -> None:
    assert iam.error("CreateUser", UserName="alice", Path=path)[0] == "ValidationError"


def test_a_user_moves_with_all_it_has(iam: Iam) -> None:
    made = user(iam)
    user(iam, "bob")
    iam.call("PutUserPolicy", UserName="alice", PolicyName="p", PolicyDocument=ALLOW)
    assert iam.error("UpdateUser", UserName="alice", NewUserName="Bob")[0] == "EntityAlreadyExists"
    iam.call("UpdateUser", UserName="alice", NewUserName="carol", NewPath="/x/")
    moved = iam.call("GetUser", UserName="carol")["User"]
    assert (moved["UserId"], moved["Arn"]) == (
        made["UserId"],
        f"arn:aws:iam::{ACCOUNT}:user/x/carol",
    )
    assert iam.call("ListUserPolicies", UserName="carol")["PolicyNames"] == ["p"]
    assert iam.error("GetUser", UserName="alice")[0] == "NoSuchEntity"
    iam.call("UpdateUser", UserName="carol", NewUserName="Carol")
    assert iam.call("GetUser", UserName="Carol")["User"]["UserId"] == made["UserId"]
    user(iam, "alice")


def test_what_a_user_has_keeps_it(iam: Iam) -> None:
    user(iam)
    iam.call("CreateGroup", GroupName="dev")
    key = iam.call("CreateAccessKey", UserName="alice")["AccessKey"]["AccessKeyId"]
    steps = [
        (
            ("AttachUserPolicy", {"PolicyArn": iam.policy("p")}),
            "must detach all policies first",
            ("DetachUserPolicy", {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/p"}),
        ),
        (
            ("PutUserPolicy", {"PolicyName": "own", "PolicyDocument": ALLOW}),
            "must delete policies first",
            ("DeleteUserPolicy", {"PolicyName": "own"}),
        ),
        (
            ("AddUserToGroup", {"GroupName": "dev"}),
            "must remove users from group first",
            ("RemoveUserFromGroup", {"GroupName": "dev"}),
        ),
    ]
    for (make, given), told, (undo, back) in steps:
        iam.call(make, UserName="alice", **given)
        code, message, status = iam.error("DeleteUser", UserName="alice")
        assert (code, status) == ("DeleteConflict", 409)
        assert told in message
        iam.call(undo, UserName="alice", **back)
    assert "must delete access keys first" in iam.error("DeleteUser", UserName="alice")[1]
    iam.call("DeleteAccessKey", UserName="alice", AccessKeyId=key)
    iam.call("DeleteUser", UserName="alice")
    assert [row for row in iam.store.view.rows if "alice" in row] == []


def test_lists_come_in_pages(iam: Iam) -> None:
    names = [f"user{number:02}" for number in range(12)]
    for name in reversed(names):
        user(iam, name, Path="/odd/" if name.endswith(("1", "3")) else "/")
    seen, marker = [], None
    while True:
        more: dict[str, str] = {"Marker": marker} if marker else {}
        answer = iam.call("ListUsers", MaxItems=5, **more)
        seen += [each["UserName"] for each in answer["Users"]]
        marker = answer.get("Marker")
        assert answer["IsTruncated"] is (marker is not None)
        if marker is None:
            break
    assert seen == names
    odd = iam.call("ListUsers", PathPrefix="/odd/")["Users"]
    assert [each["UserName"] for each in odd] == ["user01", "user03", "user11"]
    assert iam.error("ListUsers", Marker="nonsense") == ("ValidationError", "Invalid Marker.", 400)
    assert iam.error("ListUsers", MaxItems=1001)[0] == "ValidationError"


# --- groups -------------------------------------------------------------------------------------
def test_groups_and_members(iam: Iam) -> None:
    group = iam.call("CreateGroup", GroupName="dev", Path="/x/")["Group"]
    assert group["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/x/dev"
    for name in ("bob", "alice"):
        user(iam, name)
        iam.call("AddUserToGroup", GroupName="dev", UserName=name)
    iam.call("AddUserToGroup", GroupName="dev", UserName="bob")
    shown = iam.call("GetGroup", GroupName="dev")
    assert shown["Group"] == group
    assert [each["UserName"] for each in shown["Users"]] == ["alice", "bob"]
    assert iam.call("ListGroupsForUser", UserName="bob")["Groups"] == [group]
    assert iam.error("DeleteGroup", GroupName="dev")[0] == "DeleteConflict"
    for name in ("bob", "alice"):
        iam.call("RemoveUserFromGroup", GroupName="dev", UserName=name)
    assert iam.error("RemoveUserFromGroup", GroupName="dev", UserName="bob")[0] == "NoSuchEntity"
    iam.call("UpdateGroup", GroupName="dev", NewGroupName="ops")
    iam.call("PutGroupPolicy", GroupName="ops", PolicyName="p", PolicyDocument=ALLOW)
    assert iam.error("DeleteGroup", GroupName="ops")[0] == "DeleteConflict"
    iam.call("DeleteGroupPolicy", GroupName="ops", PolicyName="p")
    iam.call("DeleteGroup", GroupName="ops")
    assert iam.call("ListGroups")["Groups"] == []


def test_a_user_is_in_ten_groups_at_most(iam: Iam) -> None:
    user(iam)
    for number in range(11):
        iam.call("CreateGroup", GroupName=f"g{number}")
    for number in range(10):
        iam.call("AddUserToGroup", GroupName=f"g{number}", UserName="alice")
    assert iam.error("AddUserToGroup", GroupName="g10", UserName="alice") == (
        "LimitExceeded",
        "Cannot exceed quota for GroupsPerUser: 10",
        409,
    )


# --- keys ---------------------------------------------------------------------------------------
def test_keys_of_a_user(iam: Iam) -> None:
    user(iam)
    made = iam.call("CreateAccessKey", UserName="alice")["AccessKey"]
    assert (made["AccessKeyId"][:4], len(made["AccessKeyId"])) == ("AKIA", 20)
    assert len(made["SecretAccessKey"]) == 40
    iam.call(
        "UpdateAccessKey", UserName="alice", AccessKeyId=made["AccessKeyId"], Status="Inactive"
    )
    (shown,) = iam.call("ListAccessKeys", UserName="alice")["AccessKeyMetadata"]
    assert shown["Status"] == "Inactive"
    assert "SecretAccessKey" not in shown
    iam.call("CreateAccessKey", UserName="alice")
    assert iam.error("CreateAccessKey", UserName="alice") == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
        409,
    )
    user(iam, "bob")
    assert iam.error("DeleteAccessKey", UserName="bob", AccessKeyId=made["AccessKeyId"]) == (
        "NoSuchEntity",
        f"The Access Key with id {made['AccessKeyId']} cannot be found.",
        404,
    )


def test_who_names_nobody_means_themselves(iam: Iam) -> None:
    user(iam)
    who = myself(iam, "alice")
    assert iam.call_as(who, "GetUser")["User"]["UserName"] == "alice"
    made = iam.call_as(who, "CreateAccessKey")["AccessKey"]
    assert made["UserName"] == "alice"
    (shown,) = iam.call_as(who, "ListAccessKeys")["AccessKeyMetadata"]
    assert shown["AccessKeyId"] == made["AccessKeyId"]


def test_the_root_means_itself(iam: Iam) -> None:
    assert iam.error("CreateAccessKey")[0] == "ValidationError"
    first = iam.own_account()
    assert iam.call("GetUser")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    second = iam.call("CreateAccessKey")["AccessKey"]["AccessKeyId"]
    listed = iam.call("ListAccessKeys")["AccessKeyMetadata"]
    assert {each["AccessKeyId"] for each in listed} == {first, second}


# --- tags ---------------------------------------------------------------------------------------
def test_tags(iam: Iam) -> None:
    user(iam, Tags=[{"Key": "a", "Value": "1"}])
    iam.call(
        "TagUser", UserName="alice", Tags=[{"Key": "b", "Value": ""}, {"Key": "A", "Value": "2"}]
    )
    assert iam.call("ListUserTags", UserName="alice")["Tags"] == [
        {"Key": "A", "Value": "2"},
        {"Key": "b", "Value": ""},
    ]
    iam.call("UntagUser", UserName="alice", TagKeys=["B", "none"])
    assert [each["Key"] for each in iam.call("GetUser", UserName="alice")["User"]["Tags"]] == ["A"]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}], "InvalidInput"),
        ([{"Key": "aws:x", "Value": ""}], "InvalidInput"),
        ([{"Key": "a" * 129, "Value": ""}], "ValidationError"),
        ([{"Key": str(number), "Value": ""} for number in range(51)], "LimitExceeded"),
    ],
)
def test_tags_that_are_refused(iam: Iam, tags: list[dict[str, str]], code: str) -> None:
    assert iam.error("CreateUser", UserName="alice", Tags=tags)[0] == code


def test_what_users_never_have(iam: Iam) -> None:
    user(iam)
    assert iam.call("ListMFADevices", UserName="alice")["MFADevices"] == []
    assert iam.error("ListSSHPublicKeys", UserName="bob")[0] == "NoSuchEntity"
    assert iam.error("GetLoginProfile", UserName="alice")[1] == (
        "Login Profile for User alice cannot be found."
    )
