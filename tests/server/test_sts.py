"""Sessions over HTTP: who may have one, what it says of itself, and when it is over."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.server.secured import Keys, Secured


class Team:
    """An account with a user ``alice`` and a role ``web`` that trusts the account."""

    def __init__(self, secured: Secured, name: str) -> None:
        self.cloud, self.root = secured, secured.account(name)
        self.iam = secured.client(self.root, "iam")
        self.number = secured.client(self.root, "sts").get_caller_identity()["Account"]
        self.alice = self.user("alice")
        self.role = self.make_role("web", {"AWS": self.number})

    def user(self, name: str) -> Keys:
        self.iam.create_user(UserName=name)
        made = self.iam.create_access_key(UserName=name)["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    def make_role(self, name: str, principal: Any, **more: Any) -> str:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        return str(made["Role"]["Arn"])

    def assume(self, keys: Keys, role: str, **more: Any) -> dict[str, Any]:
        sts = self.cloud.client(keys, "sts")
        found: dict[str, Any] = sts.assume_role(RoleArn=role, RoleSessionName="s1", **more)
        return found


def keys_of(answer: dict[str, Any]) -> Keys:
    given = answer["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


@pytest.fixture(scope="module")
def team(secured: Secured) -> Team:
    return Team(secured, "team")


def who(secured: Secured, keys: Keys) -> dict[str, Any]:
    found: dict[str, Any] = secured.client(keys, "sts").get_caller_identity()
    return {name: found[name] for name in ("Arn", "UserId", "Account")}


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_role_is_assumed(secured: Secured, team: Team) -> None:
    answer = team.assume(team.alice, team.role)
    assert answer["AssumedRoleUser"]["Arn"] == (f"arn:aws:sts::{team.number}:assumed-role/web/s1")
    keys = keys_of(answer)
    assert keys[0].startswith("ASIA")
    assert who(secured, keys) == {
        "Arn": answer["AssumedRoleUser"]["Arn"],
        "UserId": answer["AssumedRoleUser"]["AssumedRoleId"],
        "Account": team.number,
    }
    ends = answer["Credentials"]["Expiration"] - datetime.now(UTC)
    assert timedelta(minutes=59) < ends <= timedelta(hours=1)
    assert secured.client(keys).describe_vpcs()["Vpcs"]
    assert json.loads(secured.aws(keys, "sts", "get-caller-identity").stdout)["Account"] == (
        team.number
    )


def test_the_id_of_a_key_tells_its_account(secured: Secured, team: Team) -> None:
    stranger = secured.client(secured.account("stranger"), "sts")
    for key in (team.alice[0], keys_of(team.assume(team.alice, team.role))[0]):
        assert stranger.get_access_key_info(AccessKeyId=key)["Account"] == team.number
    for wrong in ("AKIA", "x" * 20, "AKIA" + "1" * 16, "AROA" + "A" * 16):
        assert refused(stranger.get_access_key_info, AccessKeyId=wrong)[0] == "ValidationError"
    found = secured.aws(team.alice, "sts", "get-access-key-info", "--access-key-id", team.alice[0])
    assert json.loads(found.stdout) == {"Account": team.number}


def test_a_session_is_its_token_its_key_and_its_secret(secured: Secured, team: Team) -> None:
    one, other = (keys_of(team.assume(team.alice, team.role)) for _ in range(2))
    assert len(one) == len(other) == 3
    for wrong in (
        (one[0], one[1]),
        (one[0], other[1], one[2]),
        (one[0], one[1], other[2]),
        (other[0], one[1], one[2]),
        (one[0], one[1], one[2][:-8] + "AAAAAAA="),
        (one[0], one[1], one[2] * 40),
        (team.alice[0], team.alice[1], one[2]),
    ):
        code, _ = refused(secured.client(wrong, "sts").get_caller_identity)
        assert code in ("InvalidClientTokenId", "SignatureDoesNotMatch")


def test_a_session_ends(secured: Secured, team: Team) -> None:
    keys = keys_of(team.assume(team.alice, team.role, DurationSeconds=900))
    assert who(secured, keys)
    secured.late = timedelta(seconds=890)
    try:
        assert who(secured, keys)
        secured.late = timedelta(seconds=901)
        sts, ec2 = secured.client(keys, "sts"), secured.client(keys)
        assert refused(sts.get_caller_identity)[0] == "ExpiredToken"
        assert refused(ec2.describe_vpcs)[0] == "RequestExpired"
    finally:
        secured.late = timedelta()


def test_whom_a_role_does_not_trust(secured: Secured, team: Team) -> None:
    bob = team.user("bob")
    only = team.make_role("only", {"AWS": f"arn:aws:iam::{team.number}:user/alice"})
    team.assume(team.alice, only)
    with pytest.raises(ClientError) as caught:
        team.assume(bob, only)
    assert caught.value.response["Error"] == {
        "Type": "Sender",
        "Code": "AccessDenied",
        "Message": f"User: arn:aws:iam::{team.number}:user/bob is not authorized to perform: "
        f"sts:AssumeRole on resource: {only}",
    }
    missing = f"arn:aws:iam::{team.number}:role/missing"
    assert (
        refused(secured.client(bob, "sts").assume_role, RoleArn=missing, RoleSessionName="s1")[0]
        == "AccessDenied"
    )


def test_a_role_of_another_account_opens_to_whom_it_trusts(secured: Secured, team: Team) -> None:
    other = Team(secured, "others")
    with pytest.raises(ClientError, match="AccessDenied"):
        team.assume(other.alice, team.role)
    across = team.make_role("across", {"AWS": other.number})
    keys = keys_of(team.assume(other.alice, across))
    assert who(secured, keys)["Account"] == team.number


def test_an_external_id_is_asked_for(team: Team) -> None:
    wants = {"StringEquals": {"sts:ExternalId": "x1"}}
    role = team.make_role("partner", {"AWS": team.number}, Condition=wants)
    with pytest.raises(ClientError, match="AccessDenied"):
        team.assume(team.alice, role)
    assert team.assume(team.alice, role, ExternalId="x1")


def test_roots_assume_no_roles(team: Team) -> None:
    with pytest.raises(ClientError, match="Roles may not be assumed by root accounts"):
        team.assume(team.root, team.role)


def test_a_deleted_role_ends_its_sessions(secured: Secured, team: Team) -> None:
    keys = keys_of(team.assume(team.alice, team.make_role("brief", {"AWS": team.number})))
    assert who(secured, keys)
    team.iam.delete_role(RoleName="brief")
    assert refused(secured.client(keys, "sts").get_caller_identity)[0] == "InvalidClientTokenId"
    team.make_role("brief", {"AWS": team.number})
    assert refused(secured.client(keys, "sts").get_caller_identity)[0] == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"RoleSessionName": "a b"}, "ValidationError"),
        ({"RoleArn": "arn:aws:iam::123456789012:user/web"}, "ValidationError"),
        ({"Policy": "{}"}, "MalformedPolicyDocument"),
        ({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/Nothing"}]}, "ValidationError"),
        ({"SerialNumber": "arn:aws:iam::123456789012:mfa/alice"}, "UnsupportedOperation"),
    ],
)
def test_what_is_refused(secured: Secured, team: Team, given: dict[str, Any], code: str) -> None:
    params = {"RoleArn": team.role, "RoleSessionName": "s1", **given}
    assert refused(secured.client(team.alice, "sts").assume_role, **params)[0] == code


def test_a_role_assumed_from_a_role_has_an_hour(secured: Secured, team: Team) -> None:
    role = team.make_role("long", {"AWS": team.number})
    team.iam.update_role(RoleName="long", MaxSessionDuration=43_200)
    keys = keys_of(team.assume(team.alice, role, DurationSeconds=43_200))
    team.assume(keys, role, DurationSeconds=3600)
    with pytest.raises(ClientError, match="role chaining"):
        team.assume(keys, role, DurationSeconds=3601)


# --- GetSessionToken ----------------------------------------------------------------------------
def test_a_users_own_session(secured: Secured, team: Team) -> None:
    answer = secured.client(team.alice, "sts").get_session_token()
    keys = keys_of(answer)
    assert who(secured, keys) == who(secured, team.alice)
    assert secured.client(keys).describe_vpcs()["Vpcs"]
    assert refused(secured.client(keys, "iam").list_users)[0] == "InvalidClientTokenId"
    sts = secured.client(keys, "sts")
    assert refused(sts.get_session_token) == (
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )
    long = refused(secured.client(team.root, "sts").get_session_token, DurationSeconds=3601)
    assert long[0] == "ValidationError"


def test_a_deleted_user_ends_the_session(secured: Secured, team: Team) -> None:
    carol = team.user("carol")
    keys = keys_of(secured.client(carol, "sts").get_session_token())
    team.iam.delete_access_key(UserName="carol", AccessKeyId=carol[0])
    team.iam.delete_user(UserName="carol")
    assert refused(secured.client(keys, "sts").get_caller_identity)[0] == "InvalidClientTokenId"
