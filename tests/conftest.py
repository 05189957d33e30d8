"""Fixtures that all tests share: a cloud in memory, driven through the real wire."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from gureum.compile import Compiler
from gureum.errors import ApiError
from gureum.program import Program
from gureum.resources import REGISTRY
from gureum.server.dispatch import Dispatcher
from gureum.store import Commit, MemoryStore
from tests.wiring import request_for, through_wire

# Whoever runs the tests in the background may have had SIGINT ignored, which programs inherit
# (sh(1)); some tests are about what Ctrl-C does.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left with it at the end."""
    slow = ("terraform", "slowest")
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in slow))


class Cloud:
    """The API on a store in memory; every request and answer goes through the wire's bytes."""

    def __init__(self, account: str = "123456789012", region: str = "ap-northeast-2") -> None:
        self.account, self.region = account, region
        self.now = "2026-11-24T08:00:00.000Z"
        self.store = MemoryStore()
        self.compiler = Compiler(REGISTRY)
        self.store.subscribe(self._compile)
        self.dispatch = Dispatcher(self.store, REGISTRY, clock=lambda: self.now)

    def _compile(self, commit: Commit) -> None:
        self.compiler.update(commit.view, commit.changes)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """The answer of an action as botocore's parser reads it from our bytes."""
        request = request_for(action, params)
        return through_wire(request, self.dispatch(request, self.account, self.region))

    def error(self, action: str, **params: Any) -> ApiError:
        """The refusal of an action, which must be refused."""
        with pytest.raises(ApiError) as caught:
            self.call(action, **params)
        return caught.value

    def program(self) -> Program:
        """The abstract network, as compiled commit by commit."""
        return self.compiler.program()

    def join_acl(self, acl: str, subnet: str) -> None:
        """Give a subnet another network ACL."""
        only = [{"Name": "association.subnet-id", "Values": [subnet]}]
        (old,) = self.call("DescribeNetworkAcls", Filters=only)["NetworkAcls"]
        (item,) = (each for each in old["Associations"] if each["SubnetId"] == subnet)
        key = item["NetworkAclAssociationId"]
        self.call("ReplaceNetworkAclAssociation", AssociationId=key, NetworkAclId=acl)

    def system(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call ``function(txn, …)`` in a transaction, as the reconciler does."""
        with self.store.transaction(self.account, self.region) as txn:
            return function(txn, *args, **kwargs)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()
