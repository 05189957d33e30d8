"""Imports a recorded account into a cloud, as ``gureum import`` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gureum.imports import Options, build, gather
from gureum.kind import Call
from gureum.resources import REGISTRY
from tests.conftest import Cloud

ACCOUNTS = Path(__file__).parent / "accounts"


def documents(name: str) -> dict[str, Any]:
    """The files of a recorded account."""
    folder = ACCOUNTS / name
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


class Account:
    """A recorded account in this cloud, which is of the account's own region.  ``public`` are the
    recorded public addresses with what they are here."""

    def __init__(self, name: str) -> None:
        answers = gather(documents(name))
        zone = answers.of("Subnets")[0]["AvailabilityZone"]
        self.cloud = Cloud(answers.of("Vpcs")[0]["OwnerId"], zone[:-1])
        with self.cloud.store.transaction(self.cloud.account, self.cloud.region) as txn:
            call = Call("", {}, txn, self.cloud.now, REGISTRY.companions)
            self.report = build(call, answers, Options())
        mapped = self.report.mapped
        self.public = {given: here for what, given, here in mapped if what == "public address"}
