"""Requests that are mostly wrong, drawn by the model: each is answered in RAM's words, and a
refusal changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.iam.caller import Caller, root
from gureum.ram.registry import ACTIONS
from gureum.server.ram_api import RamApi
from gureum.store import MemoryStore
from gureum.wire import decode, encode
from tests.conftest import Cloud
from tests.fuzz.test_fuzz import exceptions
from tests.ram.conftest import OTHER, OWNER, THIRD
from tests.wiring import REQUEST_ID, service_model

JUNK: tuple[Any, ...] = (
    "",
    "x",
    "arn:aws:ram",
    "한",
    None,
    0,
    -1,
    10**9,
    [],
    {},
    [None],
    True,
    "*",
)
OURS = frozenset({"SerializationException"})
WHO = (OWNER, OTHER, THIRD)


class Drawn:
    """Requests drawn with a seed; ``known`` are texts that mean something in the cloud."""

    def __init__(self, seed: int, cloud: Cloud) -> None:
        self.dice, self.cloud = Random(seed), cloud

    @property
    def known(self) -> list[str]:
        rows = self.cloud.store.view.rows
        arns = [key for key in rows if key.startswith("arn:")]
        lists = [
            f"arn:aws:ec2:{row.region}:{row.account}:{row.kind}/{row.id}"
            for row in rows.values()
            if row.kind == "prefix-list"
        ]
        return [*arns, *lists, *WHO, "ec2:PrefixList", "SELF", "ours"]

    def value(self, shape: Any) -> Any:
        if self.dice.random() < 0.05:
            return self.dice.choice(JUNK)
        kind = shape.type_name
        if kind == "structure":
            required = set(shape.required_members)
            return {
                name: self.value(its)
                for name, its in shape.members.items()
                if self.dice.random() < (0.97 if name in required else 0.3)
            }
        if kind == "list":
            return [self.value(shape.member) for _ in range(self.dice.randrange(3))]
        if kind == "boolean":
            return self.dice.random() < 0.5
        if kind in ("integer", "long"):
            return self.dice.choice((0, 1, 2, 500, 501))
        return self.dice.choice(list(shape.enum) or self.known)


@pytest.mark.parametrize("seed", range(6))
def test_one_wrong_request_after_another(seed: int) -> None:
    cloud = Cloud(account=OWNER)
    cloud.store = MemoryStore()
    cloud.dispatch.store = cloud.store
    made = {"MaxEntries": 2, "AddressFamily": "IPv4", "PrefixListName": "ours"}
    cloud.call("CreateManagedPrefixList", **made)
    drawn, api, told = Drawn(seed, cloud), RamApi(cloud.store, lambda: cloud.now), Counter[str]()
    codes = exceptions("ram") | OURS | {"done"}
    for _ in range(400):
        action = drawn.dice.choice(sorted(ACTIONS))
        operation = service_model("ram").operation_model(action)
        at = operation.http
        given = drawn.value(operation.input_shape) if operation.input_shape else {}
        query = ""
        if at["method"] == "DELETE" and isinstance(given, dict):
            query = "&".join(f"{name}={value}" for name, value in given.items())
        before, code = cloud.store.view, "done"
        who = Caller(root(drawn.dice.choice(WHO)), cloud.region)
        try:
            body = json.dumps(given).encode()
            request = decode(at["method"], {}, query, body, path=at["requestUri"])
            encode(request, api(request, who), REQUEST_ID)
        except ApiError as error:
            code = error.code
        assert code in codes, (action, given)
        assert code == "done" or cloud.store.view is before
        told[code] += 1
    assert told["done"] > 40
    assert len(told) > 6
