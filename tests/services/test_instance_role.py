"""An instance reads the credentials of its role: they count, end, rotate, and name the instance."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gureum.iam.caller import Caller, root
from gureum.iam.identities import of_session
from gureum.iam.instance_role import InstanceRoles
from gureum.iam.session import opened
from gureum.iam.vault import new_vault
from gureum.model.timestamps import timestamp
from gureum.resources.instance import Instance
from gureum.server.iam_api import IamApi
from gureum.services.imds import Metadata, Request
from gureum.services.tokens import Tokens
from tests.conftest import Cloud
from tests.iam.conftest import TRUST
from tests.resources.test_instance import one
from tests.wiring import request_for

PATH = "/latest/meta-data/iam"
PROFILE = {"InstanceProfileName": "web"}


class Held:
    """A cloud with an instance that has the profile ``web``, and IAM beside it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.vault = cloud, new_vault()
        self.now = datetime(2026, 11, 24, 8, tzinfo=UTC)
        self.iam = IamApi(cloud.store, self.vault, lambda: cloud.now)
        roles = InstanceRoles(self.vault, lambda: timestamp(self.now))
        self.metadata = Metadata(Tokens(lambda: 0.0), roles)
        self.call("CreateRole", RoleName="web", AssumeRolePolicyDocument=TRUST)
        self.call("CreateInstanceProfile", **PROFILE)
        self.call("AddRoleToInstanceProfile", RoleName="web", **PROFILE)
        self.id = one(cloud, IamInstanceProfile={"Name": "web"})["InstanceId"]

    def call(self, action: str, **params: Any) -> None:
        who = Caller(root(self.cloud.account), "us-east-1")
        self.iam(request_for(action, params, "iam"), who)

    def ask(self, path: str) -> tuple[int, str]:
        view = self.cloud.store.view
        row = view.find(Instance, self.id)
        assert row is not None
        row = replace(row, metadata=replace(row.metadata, tokens="optional"))
        answer = self.metadata.answer(view, row, Request("GET", path))
        return answer.status, answer.body.decode()

    def given(self) -> dict[str, str]:
        """The credentials that the instance reads."""
        status, text = self.ask(f"{PATH}/security-credentials/web")
        assert status == 200
        found: dict[str, str] = json.loads(text)
        return found


@pytest.fixture
def held(cloud: Cloud) -> Held:
    return Held(cloud)


def test_the_role_is_found_and_its_credentials_name_the_instance(held: Held) -> None:
    assert "iam/" in held.ask("/latest/meta-data/")[1].splitlines()
    assert held.ask(f"{PATH}/")[1].splitlines() == ["info", "security-credentials/"]
    assert held.ask(f"{PATH}/security-credentials/") == (200, "web")
    given = held.given()
    assert (given["Code"], given["Type"], given["AccessKeyId"][:4]) == (
        "Success",
        "AWS-HMAC",
        "ASIA",
    )
    assert given["Expiration"] == "2026-11-24T14:00:00Z"
    sealed = opened(held.vault, given["AccessKeyId"], given["Token"])
    assert sealed is not None
    assert sealed.secret == given["SecretAccessKey"]
    who = of_session(held.cloud.store.view, sealed.session, given["AccessKeyId"])
    assert who is not None
    assert who.arn == f"arn:aws:sts::{held.cloud.account}:assumed-role/web/{held.id}"
    info = json.loads(held.ask(f"{PATH}/info")[1])
    assert info["InstanceProfileArn"].endswith(":instance-profile/web")


def test_they_stay_and_rotate_before_they_end(held: Held) -> None:
    first = held.given()
    held.now += timedelta(hours=5, minutes=44)
    assert held.given() == first
    held.now += timedelta(minutes=2)
    second = held.given()
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert second["Expiration"] == "2026-11-24T19:46:00Z"


def test_there_are_new_ones_once_the_key_of_the_vault_has_changed(held: Held) -> None:
    first = held.given()
    held.vault.turn(bytes(32))
    held.vault.turned()
    second = held.given()
    assert opened(held.vault, first["AccessKeyId"], first["Token"]) is None
    assert opened(held.vault, second["AccessKeyId"], second["Token"]) is not None
    assert held.given() == second


def test_another_role_has_others(held: Held) -> None:
    first = held.given()
    held.call("RemoveRoleFromInstanceProfile", RoleName="web", **PROFILE)
    assert held.ask(f"{PATH}/security-credentials/")[0] == 404
    held.call("DeleteRole", RoleName="web")
    held.call("CreateRole", RoleName="web", AssumeRolePolicyDocument=TRUST)
    held.call("AddRoleToInstanceProfile", RoleName="web", **PROFILE)
    assert held.given()["AccessKeyId"] != first["AccessKeyId"]


def test_a_role_that_does_not_trust_ec2_gives_none(held: Held) -> None:
    other = TRUST.replace("ec2.amazonaws.com", "lambda.amazonaws.com")
    held.call("UpdateAssumeRolePolicy", RoleName="web", PolicyDocument=other)
    given = held.given()
    assert given["Code"] == "AssumeRoleUnauthorizedAccess"
    assert "SecretAccessKey" not in given


def test_without_a_profile_there_is_nothing(held: Held) -> None:
    held.id = one(held.cloud)["InstanceId"]
    assert held.ask(f"{PATH}/")[0] == 404
    held.id = one(held.cloud, IamInstanceProfile={"Name": "missing"})["InstanceId"]
    assert held.ask(f"{PATH}/")[0] == 404
    assert "iam/" not in held.ask("/latest/meta-data/")[1].splitlines()
