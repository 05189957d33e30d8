"""An account's alias and summary, and the account that a key's id tells."""

from __future__ import annotations

import pytest

from gureum.iam.access_key import account_of, key_id
from gureum.iam.caller import root
from tests.iam.conftest import ACCOUNT, ALLOW, TRUST, Iam

OTHER = "210987654321"


def test_an_account_has_one_alias(iam: Iam) -> None:
    assert iam.call("ListAccountAliases") == {"AccountAliases": [], "IsTruncated": False}
    iam.call("CreateAccountAlias", AccountAlias="first-name")
    iam.call("CreateAccountAlias", AccountAlias="second")
    assert iam.call("ListAccountAliases")["AccountAliases"] == ["second"]
    gone = ("NoSuchEntity", "The account alias first-name cannot be found.", 404)
    assert iam.error("DeleteAccountAlias", AccountAlias="first-name") == gone
    iam.call("DeleteAccountAlias", AccountAlias="second")
    assert iam.call("ListAccountAliases")["AccountAliases"] == []


def test_nobody_else_has_the_alias(iam: Iam) -> None:
    iam.call_as(root(OTHER), "CreateAccountAlias", AccountAlias="taken")
    taken = ("EntityAlreadyExists", "The account alias taken already exists.", 409)
    assert iam.error("CreateAccountAlias", AccountAlias="taken") == taken
    assert iam.error("DeleteAccountAlias", AccountAlias="taken")[0] == "NoSuchEntity"
    iam.call_as(root(OTHER), "CreateAccountAlias", AccountAlias="another")
    iam.call("CreateAccountAlias", AccountAlias="taken")


@pytest.mark.parametrize("name", ["ab", "-abc", "abc-", "a--b", "Abc", "a_b", "a" * 64, "a.b.c"])
def test_what_is_no_alias(iam: Iam, name: str) -> None:
    assert iam.error("CreateAccountAlias", AccountAlias=name)[0] == "ValidationError"


def test_the_summary_counts_what_is_there(iam: Iam) -> None:
    before = iam.call("GetAccountSummary")["SummaryMap"]
    assert (before["Users"], before["UsersQuota"], before["AccountAccessKeysPresent"]) == (
        0,
        5000,
        0,
    )
    iam.own_account()
    for name in ("a", "b"):
        iam.call("CreateUser", UserName=name)
    iam.call("CreateGroup", GroupName="g")
    iam.call("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
    arn = iam.call("CreatePolicy", PolicyName="p", PolicyDocument=ALLOW)["Policy"]["Arn"]
    iam.call("AttachUserPolicy", UserName="a", PolicyArn=arn)
    iam.call("AttachUserPolicy", UserName="b", PolicyArn=arn)
    iam.call("CreateInstanceProfile", InstanceProfileName="i")
    changed = {
        "Users": 2,
        "Groups": 1,
        "Roles": 1,
        "Policies": 1,
        "PolicyVersionsInUse": 1,
        "InstanceProfiles": 1,
        "AccountAccessKeysPresent": 1,
    }
    assert iam.call("GetAccountSummary")["SummaryMap"] == {**before, **changed}


@pytest.mark.parametrize("account", [ACCOUNT, "000000000000", "999999999999", "000000000042"])
@pytest.mark.parametrize("prefix", ["AKIA", "ASIA"])
def test_a_keys_id_tells_the_account(account: str, prefix: str) -> None:
    keys = {key_id(account, prefix) for _ in range(100)}
    assert len(keys) == 100
    assert {account_of(key) for key in keys} == {account}
    assert {len(key) for key in keys} == {20}


def test_the_known_id_of_a_known_account() -> None:
    """An id of AWS's own, with the account that AWS tells of it (both published)."""
    assert account_of("ASIAQNZGKIQY56JQ7WML") == "029608264753"
