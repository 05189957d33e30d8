"""The reconciler and the services: open as long as their router is there, and tried again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest

from gureum.engines.fake import FakeEngine
from gureum.model import View
from gureum.program import Router, Service
from gureum.reconcile import Reconciler
from gureum.resources import REGISTRY
from gureum.server.dispatch import utc_now
from gureum.services import NoServices, Rooms
from tests.kernel.packets import eventually
from tests.test_reconcile import Running


class Room:
    """A room of services that notes which routers the engine has when it is told something."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.open: set[Service] = set()
        self.views: list[int] = []
        self.fail_next = 0
        self.orphans: list[Service] = []

    def sync(self, wanted: Collection[Service], view: View) -> None:
        self.open &= set(wanted)
        self.change(wanted, view)

    def change(self, add: Collection[Service], view: View) -> None:
        self.views.append(view.revision)
        if self.fail_next and add:
            self.fail_next -= 1
            raise OSError("told to fail")
        self.orphans += [each for each in add if not self._has(each.router)]
        self.open |= set(add)

    def close(self, removed: Collection[Service]) -> None:
        self.orphans += [each for each in removed if not self._has(each.router)]
        self.open -= set(removed)

    def stop(self) -> None:
        self.open.clear()

    def _has(self, router: str) -> bool:
        return Router(router) in self.engine.statements


@pytest.fixture
def served() -> Iterator[tuple[Running, Room]]:
    made = Running()
    room = Room(made.engine)
    made.reconciler = Reconciler(
        made.store,
        REGISTRY,
        made.engine,
        made.machines,
        utc_now,
        services=Rooms(room, NoServices()),
    )
    made.reconciler.start()
    yield made, room
    made.reconciler.stop()


def test_services_are_there_as_long_as_their_router(served: tuple[Running, Room]) -> None:
    running, room = served
    vpc = running.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    mine = {each for each in room.open if each.router == vpc}
    assert {each.ip for each in mine} == {"169.254.169.254", "169.254.169.253", "10.0.0.2"}
    running.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsSupport={"Value": False})
    assert {each.name for each in room.open if each.router == vpc} == {"metadata"}
    running.call("DeleteVpc", VpcId=vpc)
    assert not [each for each in room.open if each.router == vpc]
    assert room.orphans == [], "opened after the router was made, closed before it went"
    assert room.views[-1] == running.store.view.revision


def test_a_service_that_cannot_be_opened_is_tried_again(
    served: tuple[Running, Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gureum.reconcile.RETRY", 0.01)
    running, room = served
    room.fail_next = 1
    vpc = running.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert eventually(lambda: any(each.router == vpc for each in room.open))
    assert eventually(lambda: running.reconciler.health.error is None)
