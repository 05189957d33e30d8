"""When a key was last used: for what, where, to the minute."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.iam.access_key_use import AccessKeyUse
from tests.server.secured import REGION, Keys, Secured
from tests.server.test_enforce import Team, allow, refused


@pytest.fixture(scope="module")
def team(enforced: Secured) -> Team:
    return Team(enforced)


def last(team: Team, keys: Keys) -> dict[str, Any]:
    found: dict[str, Any] = team.iam.get_access_key_last_used(AccessKeyId=keys[0])
    return {"UserName": found["UserName"], **found["AccessKeyLastUsed"]}


def test_a_key_is_used(team: Team) -> None:
    keys = team.user(allow("ec2:DescribeVpcs"))
    never = {"UserName": team.name, "ServiceName": "N/A", "Region": "N/A"}
    assert last(team, keys) == never
    team.cloud.client(keys).describe_vpcs()
    used = last(team, keys)
    assert (used["ServiceName"], used["Region"]) == ("ec2", REGION)
    assert used["LastUsedDate"].second == 0
    # Who was refused has used the key, too; the last use within a minute counts.
    assert refused(team.cloud.client(keys, "iam").list_users)[0] == "AccessDenied"
    assert last(team, keys)["ServiceName"] == "iam"
    team.cloud.client(keys, "ec2", "us-west-2").describe_vpcs()
    assert last(team, keys)["Region"] == "us-west-2"


def test_what_was_not_signed_with_it_is_no_use(team: Team) -> None:
    keys = team.user(allow("ec2:DescribeVpcs"))
    wrong = team.cloud.client((keys[0], "wrong"))
    assert refused(wrong.describe_vpcs)[0] == "AuthFailure"
    assert last(team, keys)["ServiceName"] == "N/A"


def test_uses_cost_one_commit_a_minute(team: Team) -> None:
    keys = team.user(allow("ec2:DescribeVpcs"))
    client, store = team.cloud.client(keys), team.cloud.store
    client.describe_vpcs()
    before = store.view.revision
    for _ in range(5):
        client.describe_vpcs()
    assert store.view.revision <= before + 1, "the clock may have come to the next minute"


def test_a_use_goes_with_its_key(team: Team) -> None:
    keys = team.user(allow("ec2:DescribeVpcs"))
    team.cloud.client(keys).describe_vpcs()

    def kept() -> list[str]:
        return [row.key for row in team.cloud.store.view.all(AccessKeyUse) if row.key == keys[0]]

    assert kept() == [keys[0]]
    team.iam.delete_access_key(UserName=team.name, AccessKeyId=keys[0])
    assert kept() == []


def test_who_may_ask(team: Team) -> None:
    keys = team.user(allow("ec2:DescribeVpcs"))
    name = team.name
    arn = f"arn:aws:iam::{team.number}:user/{name}"
    may = team.cloud.client(team.user(allow("iam:GetAccessKeyLastUsed", resource=arn)), "iam")
    assert may.get_access_key_last_used(AccessKeyId=keys[0])["UserName"] == name
    other = team.user()
    code, message, _ = refused(may.get_access_key_last_used, AccessKeyId=other[0])
    assert code == "AccessDenied"
    stranger = team.cloud.client(team.cloud.account("stranger"), "iam")
    for key in (keys[0], "AKIAIOSFODNN7EXAMPLE"):
        code, message, _ = refused(stranger.get_access_key_last_used, AccessKeyId=key)
        assert code == "AccessDenied"
        assert f"on resource: access key {key}" in message
