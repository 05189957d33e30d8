"""Every action of IAM and STS that is built is held against policies: refused to who has none, let
through to who has one that names it, and refused again where that is denied.  Those of EC2 are in
``test_exact_grants.py``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.iam.access_key import GLOBAL
from gureum.iam.caller import Caller, Identity
from gureum.iam.identities import of_user
from gureum.iam.registry import ACTIONS, STS_ACTIONS
from gureum.iam.rows import User
from gureum.iam.vault import new_vault
from gureum.resources import REGISTRY
from gureum.server.authorization import FREE, Gate
from gureum.server.dispatch import Dispatcher
from gureum.server.iam_api import IamApi
from gureum.store import MemoryStore
from gureum.wire import Request
from tests.wiring import service_model

ACCOUNT, REGION = "123456789012", "ap-northeast-2"
IDENTITY = sorted(
    [("iam", name) for name in ACTIONS]
    + [("sts", name) for name in STS_ACTIONS if f"sts:{name}" not in FREE]
)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/web"
VALUES = {"RoleArn": ROLE, "ZoneName": f"{REGION}a", "Ipv6CidrBlock": "3fff::/64"}


class Held:
    """A cloud in memory and a user whose policy can be set."""

    def __init__(self) -> None:
        self.store, self.vault = MemoryStore(), new_vault()
        self.ec2 = Dispatcher(self.store, REGISTRY)
        self.iam = IamApi(self.store, self.vault)
        self.user = User(id="AIDA1", account=ACCOUNT, region=GLOBAL, created="", name="alice")
        self.ec2(Request("ec2", "", "DescribeVpcs"), ACCOUNT, REGION)

    def call(self, service: str, action: str, *statements: tuple[str, str]) -> str:
        """The code with which a dry run of a call ends; nothing where it succeeds."""
        said = [{"Effect": e, "Action": a, "Resource": "*"} for e, a in statements]
        text = json.dumps({"Version": "2012-10-17", "Statement": said})
        inline = (("own", text),) if said else ()
        with self.store.transaction(ACCOUNT, GLOBAL) as txn:
            txn.put(User(**(vars(self.user) | {"inline": inline})))
        params = minimal(service, action)
        request = Request(service, "", action, params, dry_run=True)
        who = Caller(self.who, REGION, self.who.principal.keys)
        gate = Gate(self.vault, request, who, action in REGISTRY.reads)
        try:
            if service == "ec2":
                self.ec2(request, ACCOUNT, REGION, gate)
            else:
                self.iam(request, who, gate)
        except ApiError as error:
            return error.code
        return ""

    @property
    def who(self) -> Identity:
        return of_user(self.user)


def minimal(service: str, action: str) -> dict[str, Any]:
    """The least parameters that an action takes, of the right types."""
    shape = service_model(service).operation_model(action).input_shape
    return _structure(shape) if shape is not None else {}


def _structure(shape: Any) -> dict[str, Any]:
    return {name: _value(name, shape.members[name]) for name in shape.required_members}


def _value(name: str, shape: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape)
    if kind == "list":
        return [_value(name, shape.member)]
    if kind == "string":
        return VALUES.get(name) or next(iter(shape.enum), "x")
    return {"integer": 1, "long": 1, "boolean": False, "blob": b""}.get(kind, 0)


@pytest.fixture(scope="module")
def held() -> Held:
    return Held()


@pytest.mark.parametrize(("service", "action"), IDENTITY)
def test_actions_of_iam_and_sts(held: Held, service: str, action: str) -> None:
    name = f"{service}:{action}"
    others = (("Allow", "iam:PassRole"),)
    before = held.store.view.revision
    assert held.call(service, action) == "AccessDenied"
    assert held.store.view.revision - before <= 1  # the user's policy
    assert held.call(service, action, *others, ("Allow", name), ("Deny", name)) == "AccessDenied"
    told = held.call(service, action, *others, ("Allow", name))
    # Of a role or key that is not there, AWS says no more.
    assert told != "AccessDenied" or action in ("AssumeRole", "GetAccessKeyLastUsed")
