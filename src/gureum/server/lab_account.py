"""The account of a lab: calls in it as a client would make them, and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

from gureum.errors import ApiError
from gureum.kind import Shape
from gureum.model import Resource, Txn
from gureum.resources.instance import ENDED, USER_REQUEST, Instance, reason
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.region import DEFAULT_REGION
from gureum.resources.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
)
from gureum.server.cloud import Cloud
from gureum.wire import Request
from gureum.wire.models import SERVICES

R = TypeVar("R", bound=Resource)

IN_FORCE = 10.0
"""Seconds that a call waits for the data plane."""

SETTLED = 45.0
"""Seconds until what was begun has come to rest; an image may have to be built first."""

_BOOTING = frozenset({"pending"})
_ENDING = frozenset({"stopping", "shutting-down"})
_CHANGING = frozenset({"pending", "modifying", "deleting"})

_Stated = (
    Instance | NatGateway | TransitGateway | TransitGatewayAttachment | TransitGatewayRouteTable
)
_BEGUN = (NatGateway, TransitGateway, TransitGatewayAttachment, TransitGatewayRouteTable)


class LabAccount:
    """One account of a cloud."""

    def __init__(self, cloud: Cloud, number: str) -> None:
        self._cloud = cloud
        self.number = number

    def transaction(self) -> AbstractContextManager[Txn]:
        """A transaction of the account."""
        return self._cloud.store.transaction(self.number, DEFAULT_REGION)

    def rows(self, cls: type[R]) -> Iterator[R]:
        """The account's rows of a type, in all regions."""
        rows = self._cloud.store.view.all(cls)
        return (row for row in rows if row.account == self.number)

    # --- calls ----------------------------------------------------------------------------------
    def call(self, action: str, params: Mapping[str, Any]) -> Shape:
        """The answer to a call, when it is in force.

        Raises:
            ApiError: the refusal.
        """
        if action == "StopInstances":  # a client waits until they run (``aws ec2 wait``)
            self.rest()
        request = Request("ec2", SERVICES["ec2"], action, dict(params))
        answer = self._cloud.dispatch(request, self.number, DEFAULT_REGION)
        self.in_force()
        # As a client waits for gateways and for what ends.  Instances boot side by side.
        self._until(lambda: not any(self._any(cls, _CHANGING) for cls in _BEGUN))
        self._until(lambda: not self._any(Instance, _ENDING))
        return answer

    def in_force(self) -> bool:
        """Wait until the data plane has what is written; whether it has."""
        return self._cloud.reconciler.wait(self._cloud.store.view.revision, IN_FORCE)

    def rest(self) -> bool:
        """Wait until everything is in force and every instance runs or not; whether that came."""
        quiet = self._until(lambda: not self._any(Instance, _BOOTING | _ENDING))
        return self.in_force() and quiet

    def _any(self, cls: type[_Stated], states: frozenset[str]) -> bool:
        return any(row.state in states for row in self.rows(cls))

    def _until(self, holds: Callable[[], bool]) -> bool:
        return self._cloud.store.until(lambda view: holds(), SETTLED)

    # --- the end --------------------------------------------------------------------------------
    def clear(self) -> None:
        """Remove everything that the account has, whatever protects it."""
        # The disk of a stopped instance goes when the instance is terminated, not with its row.
        with self.transaction() as txn:
            why = reason(USER_REQUEST, self._cloud.dispatch.clock())
            for row in list(self.rows(Instance)):
                if row.state not in ENDED:
                    txn.put(replace(row, state="shutting-down", reason=why))
        self._until(lambda: not self._any(Instance, _ENDING))
        with self.transaction() as txn:
            delete_all(txn)
        self.in_force()


def delete_all(txn: Txn) -> None:
    """Delete every row of the transaction's account, in all regions: each as soon as nothing that
    it is protected by is left.

    Raises:
        ApiError: ``DependencyViolation`` where rows protect each other.
    """
    keys = [key for key, row in txn.view.rows.items() if row.account == txn.account]
    refusal: ApiError | None = None
    while keys:
        before, left = len(keys), []
        for key in keys:
            refusal = _refused(txn, key) or refusal
            if key in txn.view.rows:
                left.append(key)
        keys = left
        if len(keys) == before and refusal is not None:
            raise refusal


def _refused(txn: Txn, key: str) -> ApiError | None:
    row = txn.view.rows.get(key)
    try:
        if row is not None:
            txn.delete(row)
    except ApiError as error:
        return error
    return None
