"""IAM over HTTP: AWS's clients make users, whose keys count, change and end at once."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.iam.conftest import TRUST
from tests.server.secured import Keys, Secured


@pytest.fixture(scope="module")
def root(secured: Secured) -> Keys:
    return secured.account("team")


def arn(secured: Secured, keys: Keys) -> str:
    return str(secured.client(keys, "sts").get_caller_identity()["Arn"])


def refused(secured: Secured, keys: Keys) -> str:
    with pytest.raises(ClientError) as caught:
        secured.client(keys, "sts").get_caller_identity()
    return str(caught.value.response["Error"]["Code"])


def test_a_users_key_counts_as_long_as_it_is_on(secured: Secured, root: Keys) -> None:
    iam = secured.client(root, "iam")
    user = iam.create_user(UserName="alice", Path="/dev/")["User"]
    made = iam.create_access_key(UserName="alice")["AccessKey"]
    keys = (made["AccessKeyId"], made["SecretAccessKey"])
    who = secured.client(keys, "sts").get_caller_identity()
    assert (who["Arn"], who["UserId"]) == (user["Arn"], user["UserId"])
    given = {"UserName": "alice", "AccessKeyId": keys[0]}
    iam.update_access_key(Status="Inactive", **given)
    assert refused(secured, keys) == "InvalidClientTokenId"
    iam.update_access_key(Status="Active", **given)
    assert arn(secured, keys) == user["Arn"]
    iam.update_user(UserName="alice", NewUserName="carol")
    assert arn(secured, keys).endswith(":user/dev/carol")
    iam.delete_access_key(UserName="carol", AccessKeyId=keys[0])
    assert refused(secured, keys) == "InvalidClientTokenId"
    iam.delete_user(UserName="carol")


def test_paginators_and_waiters_work(secured: Secured, root: Keys) -> None:
    iam = secured.client(root, "iam")
    for number in range(12):
        iam.create_user(UserName=f"u{number:02}")
    pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 5})
    assert [user["UserName"] for page in pages for user in page["Users"]] == [
        f"u{number:02}" for number in range(12)
    ]
    iam.get_waiter("user_exists").wait(UserName="u00")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName="nobody")


def test_documents_are_decoded_by_clients(secured: Secured, root: Keys) -> None:
    iam = secured.client(root, "iam")
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}],
    }
    iam.create_group(GroupName="dev")
    iam.put_group_policy(
        GroupName="dev", PolicyName="own", PolicyDocument=json.dumps(document, indent=2)
    )
    shown = iam.get_group_policy(GroupName="dev", PolicyName="own")
    assert shown["PolicyDocument"] == document


def test_the_aws_cli(secured: Secured, root: Keys) -> None:
    words = ("--role-name", "web", "--assume-role-policy-document", TRUST)
    done = secured.aws(root, "iam", "create-role", *words)
    assert json.loads(done.stdout)["Role"]["RoleName"] == "web", done.stderr
