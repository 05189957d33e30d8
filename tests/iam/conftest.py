"""IAM in memory, driven through the real wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.iam.account import account_id, create
from gureum.iam.caller import Caller, Identity, root
from gureum.iam.vault import new_vault
from gureum.server.iam_api import IamApi
from gureum.store import MemoryStore
from tests.wiring import request_for, through_wire

ACCOUNT = "123456789012"
ALLOW = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


class Iam:
    """IAM of one account; every request and answer goes through the wire's bytes."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.vault = new_vault()
        self.api = IamApi(self.store, self.vault, lambda: "2026-11-24T08:00:00.000Z")
        self.who = root(ACCOUNT)

    def own_account(self) -> str:
        """Make the account one with a root key; its id."""
        with self.store.transaction(ACCOUNT, "aws-global") as txn:
            key = create(txn, self.vault, "team", "2026-11-24T08:00:00.000Z").row.id
        self.who = root(ACCOUNT, key, account_id(ACCOUNT))
        return key

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """The answer to the root as botocore's parser reads it from our bytes."""
        return self.call_as(self.who, action, **params)

    def call_as(self, who: Identity, action: str, **params: Any) -> dict[str, Any]:
        """The answer to somebody."""
        request = request_for(action, params, "iam")
        return through_wire(request, self.api(request, Caller(who, "us-east-1")))

    def error(self, action: str, **params: Any) -> tuple[str, str, int]:
        """Code, message and status of the refusal of an action, which must be refused."""
        before = self.store.view
        with pytest.raises(ApiError) as caught:
            self.call(action, **params)
        assert self.store.view is before
        return caught.value.code, caught.value.message, caught.value.status

    def policy(self, name: str, document: str = ALLOW) -> str:
        """The ARN of a new policy."""
        made = self.call("CreatePolicy", PolicyName=name, PolicyDocument=document)
        return str(made["Policy"]["Arn"])

    def role(self, name: str, **more: Any) -> dict[str, Any]:
        made = self.call("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST, **more)
        found: dict[str, Any] = made["Role"]
        return found


@pytest.fixture
def iam() -> Iam:
    return Iam()
