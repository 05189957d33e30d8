"""Every action of EC2 that is built, called over HTTP by a user whose policy grants just what the
table of AWS says the action needs: it ends as for the account's root; with any less it is refused.

Requests are good ones that other tests ask, on a cloud with something of everything in it; they are
dry runs where the action knows any, and what others change is undone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gureum.iam.access_key import GLOBAL
from gureum.iam.bearer import lookup
from gureum.iam.rows import User
from gureum.model import View
from gureum.resources import REGISTRY
from gureum.server.ec2_actions import action as table_of
from gureum.store import MemoryStore
from tests.fuzz.furnished import furnished
from tests.fuzz.requests import Drawn, _good
from tests.server.secured import REGION, Keys, Secured
from tests.wiring import service_model

ACCOUNT = "123456789012"
ACTIONS = sorted({*REGISTRY.actions, *REGISTRY.listings})
REFUSED = "UnauthorizedOperation"

UNASKED: dict[str, set[str]] = {}
"""Types that AWS always asks about, and Gureum does not: this list may only shrink."""


class Granted:
    """The cloud, its root, and a user whose policy can be set."""

    def __init__(self) -> None:
        store = MemoryStore()
        store._view = furnished()
        self.cloud = Secured("enforce", audit="off", store=store)
        made = self.cloud.accounts.create("team", ACCOUNT)
        self.root = made["access_key_id"], made["secret_access_key"]
        iam = self.cloud.client(self.root, "iam")
        iam.create_user(UserName="alice")
        key = iam.create_access_key(UserName="alice")["AccessKey"]
        self.alice = key["AccessKeyId"], key["SecretAccessKey"]
        self.http = httpx.Client(timeout=30)

    def close(self) -> None:
        self.http.close()
        self.cloud.close()

    def grant(self, *statements: dict[str, Any]) -> None:
        """Let the user have a policy of these statements."""
        text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        with self.cloud.store.transaction(ACCOUNT, GLOBAL) as txn:
            row = lookup(txn.view, User, ACCOUNT, "alice")
            assert row is not None
            txn.put(replace(row, inline=(("own", text),) if statements else ()))

    def ends(self, keys: Keys, flat: dict[str, str]) -> str:
        """The code with which a request ends; nothing where it succeeds."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", self.cloud.endpoint + "/", kind, urlencode(flat))
        SigV4Auth(Credentials(*keys), "ec2", REGION).add_auth(request)
        sent = dict(request.headers.items())
        answer = self.http.post(self.cloud.endpoint + "/", content=request.body, headers=sent)
        found = re.search("<Code>(.*?)</Code>", answer.text)
        return found[1] if found else ""

    def request(self, action: str) -> tuple[dict[str, str], str]:
        """A request, as good as there is one, and how it ends for the root."""
        view = self.cloud.store.view
        shape = service_model("ec2").operation_model(action).input_shape
        dry = {"DryRun": "true"} if shape is not None and "DryRun" in shape.members else {}
        choices = []
        for flat in _drawn(action, shape, view):
            whole = {"Action": action, "Version": "2016-11-15", **flat, **dry}
            choices.append((whole, self.ends(self.root, whole)))
            self.cloud.store._view = view
            if choices[-1][1] in GOOD:
                break
        return min(choices, key=lambda each: _rank(each[1]))


GOOD = ("", "DryRunOperation")


def _rank(code: str) -> int:
    return 0 if code in GOOD else 2 if "Malformed" in code or "Parameter" in code else 1


def _drawn(action: str, shape: Any, view: View) -> Iterator[dict[str, str]]:
    """Requests: good ones of other tests, and some of the least that the model asks for."""
    for seed in range(2):
        for good in _good().get(action, ()):
            yield Drawn(Random(seed), view, action).filled(good)
    for seed in range(6):
        drawn = Drawn(Random(seed), view, action)
        drawn._fault = drawn._generous = 0.0
        drawn.parameters.clear()
        if shape is not None:
            drawn._structure(shape, "", 0)
        yield drawn.parameters


def allow(action: str, *resources: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": list(resources)}


def needed(action: str, but: str = "") -> list[dict[str, Any]]:
    """What AWS's table says that an action needs, less a type."""
    types = [f"arn:aws:ec2:{REGION}:*:{kind}/*" for kind in table_of(action).types if kind != but]
    beside = [allow("iam:PassRole", "*")]
    if action != "CreateTags":
        beside.append(allow("ec2:CreateTags", "*"))
    if not table_of(action).required:  # may be about nothing in particular
        types = ["*"]
    return [allow(f"ec2:{action}", *types), *beside] if types else beside


@pytest.fixture(scope="module")
def granted() -> Iterator[Granted]:
    made = Granted()
    yield made
    made.close()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_user_gets_exactly_what_is_granted(granted: Granted, action: str) -> None:
    view = granted.cloud.store.view
    flat, ending = granted.request(action)
    own = ending == REFUSED  # the action's own: what AWS manages is nobody's to change
    granted.grant()
    assert granted.ends(granted.alice, flat) == REFUSED
    granted.grant(*needed(action))
    assert granted.ends(granted.alice, flat) == ending
    granted.cloud.store._view = view
    assert not own or action == "RestoreManagedPrefixListVersion"
    granted.grant(*needed(action), {"Effect": "Deny", "Action": f"ec2:{action}", "Resource": "*"})
    assert granted.ends(granted.alice, flat) == REFUSED
    if ending in GOOD:
        less = {}
        for kind in sorted(table_of(action).required):
            granted.grant(*needed(action, but=kind))
            less[kind] = granted.ends(granted.alice, flat)
            granted.cloud.store._view = view
        unasked = {kind for kind, code in less.items() if code != REFUSED}
        assert unasked == UNASKED.get(action, set())


def test_most_requests_are_good(granted: Granted) -> None:
    """Else little would be tested."""
    ends = [granted.request(action)[1] for action in ACTIONS[::5]]
    assert sum(end in GOOD for end in ends) > 0.75 * len(ends)
