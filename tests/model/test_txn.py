"""Transactions: whose rows they see, what references forbid, what goes with what, net changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.model import Txn, View
from tests.model.rows import ACCOUNT, REGION, Fitting, House, Lamp, Room, row


def world(*rows: Any) -> View:
    view = View()
    for item in rows:
        view = view.put(item)
    return view


def begin(view: View) -> Txn:
    return Txn(view, ACCOUNT, REGION)


def code(function: Any, *args: Any) -> str:
    with pytest.raises(ApiError) as caught:
        function(*args)
    return caught.value.code


def test_reads_see_the_writes_of_the_transaction_only() -> None:
    view = world(row(House, 1))
    txn, other = begin(view), begin(view)
    txn.put(row(House, 2))
    assert [house.id for house in txn.all(House)] == [row(House, 1).id, row(House, 2).id]
    assert [house.id for house in other.all(House)] == [row(House, 1).id]
    assert len(view.rows) == 1


def test_rows_are_in_the_order_of_creation_then_id() -> None:
    house = row(House, 9)
    later, first, second = (
        row(Room, 1, house=house.id, created="2026-11-24T09:00:00.000Z"),
        row(Room, 2, house=house.id, created="2026-11-24T08:00:00.000Z"),
        row(Room, 3, house=house.id, created="2026-11-24T08:00:00.000Z"),
    )
    txn = begin(world(house, later, second, first))
    assert list(txn.all(Room)) == [first, second, later]
    assert list(txn.referrers(house.id, Room)) == [first, second, later]


@pytest.mark.parametrize("elsewhere", [{"account": "210987654321"}, {"region": "us-east-1"}])
def test_rows_of_others_are_not_there(elsewhere: dict[str, str]) -> None:
    theirs = row(House, 1, **elsewhere)
    txn = begin(world(theirs))
    assert txn.find(House, theirs.id) is None
    assert list(txn.all(House)) == []
    assert code(txn.get, House, theirs.id) == "InvalidHouseID.NotFound"
    # Nor can anything of ours refer to them.
    assert code(txn.put, row(Room, 2, house=theirs.id)) == "InvalidHouseID.NotFound"


def test_what_is_referred_to_must_be_there() -> None:
    txn = begin(View())
    assert code(txn.put, row(Room, 1, house=row(House, 1).id)) == "InvalidHouseID.NotFound"
    assert code(txn.put, row(Room, 1, house="house-x")) == "InvalidHouseID.Malformed"
    assert code(txn.put, row(Room, 1, house="what is this")) == "InvalidParameterValue"
    lamp = row(Lamp, 1, main=Fitting(room=f"room-{1:017x}"))
    assert code(txn.put, lamp) == "RoomNotFound"
    assert txn.changes().rows == {}


def test_weak_references_may_dangle() -> None:
    txn = begin(View())
    lamp = row(Lamp, 1, main=Fitting(beside=("lamp-gone",)))
    assert txn.put(lamp) == lamp


def test_an_old_reference_is_not_asked_for_again() -> None:
    """A row whose target is gone (by a weak reference once) can still be changed otherwise."""
    room = row(Room, 1, house=row(House, 1).id)
    txn = begin(world(room))
    txn.put(replace(room, hall=True))
    assert code(txn.put, replace(room, house=row(House, 2).id)) == "InvalidHouseID.NotFound"


def test_what_is_needed_stays() -> None:
    house = row(House, 1)
    txn = begin(world(house, row(Room, 2, house=house.id)))
    with pytest.raises(ApiError) as caught:
        txn.delete(house)
    assert caught.value.code == "DependencyViolation"
    assert caught.value.message == (
        f"The house '{house.id}' has dependencies and cannot be deleted."
    )


def test_companions_go_along() -> None:
    house = row(House, 1)
    hall = row(Room, 2, house=house.id, hall=True)
    txn = begin(world(house, hall))
    txn.delete(house)
    assert len(txn.view.rows) == 0


def test_a_companion_that_is_needed_keeps_it() -> None:
    house = row(House, 1)
    hall = row(Room, 2, house=house.id, hall=True)
    keeper = row(Lamp, 3, keepers=(hall.id,))
    txn = begin(world(house, hall, keeper))
    assert code(txn.delete, house) == "DependencyViolation"


def test_cascades_reach_all_and_each_once() -> None:
    house = row(House, 1)
    room, other = row(Room, 2, house=house.id), row(Room, 3, house=house.id)
    both = row(Lamp, 4, fittings=(Fitting(room=room.id), Fitting(room=other.id)))
    mine = row(Lamp, 5, main=Fitting(room=room.id))
    near = row(Lamp, 6, main=Fitting(room=other.id, beside=(mine.id, room.id)))
    txn = begin(world(house, room, other, both, mine, near))
    txn.delete(room)
    assert set(txn.view.rows) == {house.id, other.id, near.id}
    assert set(txn.changes().rows) == {room.id, both.id, mine.id}


def test_changes_are_net() -> None:
    house = row(House, 1)
    txn = begin(world(house))
    txn.put(replace(house, name="a"))
    txn.put(replace(house, name="b"))
    txn.put(row(House, 2))
    txn.delete(row(House, 2))
    txn.put(row(House, 3))
    assert txn.changes().rows == {
        house.id: (house, replace(house, name="b")),
        row(House, 3).id: (None, row(House, 3)),
    }
    txn.put(house)
    assert set(txn.changes().rows) == {row(House, 3).id}


def test_deleted_and_made_again_is_changed() -> None:
    house = row(House, 1)
    txn = begin(world(house))
    txn.delete(house)
    assert txn.changes().rows == {house.id: (house, None)}
    txn.put(replace(house, name="new"))
    assert txn.changes().rows == {house.id: (house, replace(house, name="new"))}
