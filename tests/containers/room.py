"""An instance in a store, and containers in it, without anything that runs."""

from __future__ import annotations

from typing import Any

from gureum.containers import Container, changes
from gureum.containers.requests import Fields, read
from gureum.model import Txn
from gureum.resources.instance import Instance
from gureum.store import MemoryStore

ACCOUNT, REGION, NOW = "123456789012", "ap-northeast-2", "2026-11-29T08:00:00.000Z"
HOST = "i-00000000000000001"
IMAGE = {"Cmd": ["sh"], "Env": ["PATH=/bin", "A=image"], "ExposedPorts": {"80/tcp": {}}}


def store() -> MemoryStore:
    """A store with one instance that runs."""
    made = MemoryStore()
    with made.transaction(ACCOUNT, REGION) as txn:
        txn.put(
            Instance(
                id=HOST, account=ACCOUNT, region=REGION, created=NOW, image="ami-1", base="b",
                root_device="/dev/xvda", type="t3.nano", vpc="vpc-1", subnet="subnet-1", zone="a",
                reservation="r-1", launched=NOW, state="running",
            )
        )  # fmt: skip
    return made


def asked(txn: Txn, name: str = "", **body: Any) -> Container:
    """A row for a request, not yet stored."""
    whole = {"Image": "web", **body}
    return read(txn, HOST, name, whole, "sha256:1", Fields(IMAGE), NOW)


def created(txn: Txn, name: str = "", **body: Any) -> Container:
    """A new container."""
    return changes.create(txn, asked(txn, name, **body), NOW)


def run(txn: Txn, name: str = "", **body: Any) -> Container:
    """A container that is asked to run."""
    return changes.ask_to_run(txn, created(txn, name, **body))
