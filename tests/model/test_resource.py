"""Rows: references found wherever they are, kinds told apart, tags."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass

import pytest

from gureum.model import Resource, references
from gureum.model.txn import not_found
from tests.model.rows import Fitting, House, Lamp, Room, row


def test_references_of_a_field() -> None:
    house = row(House, 1)
    found = list(references(row(Room, 2, house=house.id)))
    assert [(path, target, how.on_delete) for path, target, how in found] == [
        ("house", house.id, "restrict")
    ]


def test_references_in_tuples_and_nested_values() -> None:
    lamp = row(
        Lamp,
        1,
        fittings=(Fitting(room="room-1"), Fitting(room="room-2", beside=("lamp-8", "lamp-9"))),
        main=Fitting(room="room-3"),
        keepers=("house-1", "house-2"),
    )
    found = {(path, target, how.on_delete) for path, target, how in references(lamp)}
    assert found == {
        ("fittings.room", "room-1", "cascade"),
        ("fittings.room", "room-2", "cascade"),
        ("fittings.beside", "lamp-8", "weak"),
        ("fittings.beside", "lamp-9", "weak"),
        ("main.room", "room-3", "cascade"),
        ("keepers", "house-1", "restrict"),
        ("keepers", "house-2", "restrict"),
    }


def test_nothing_is_no_reference() -> None:
    assert list(references(row(Lamp, 1, main=Fitting()))) == []
    assert list(references(row(House, 1, name="house-1"))) == []


def test_rows_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        row(House, 1).name = "other"


def test_a_kind_is_unique() -> None:
    with pytest.raises(TypeError, match="two resource types are called 'test-house'"):

        @dataclass(frozen=True, kw_only=True)
        class Cottage(
            Resource, kind="test-house", prefix="cottage", not_found="None", noun="cottage"
        ):
            pass

    assert Resource.by_kind["test-house"] is House


def test_tags_by_key() -> None:
    house = row(House, 1, tags=(("Name", "home"), ("empty", "")))
    assert (house.tag("Name"), house.tag("empty"), house.tag("name")) == ("home", "", None)


def test_words_for_what_is_missing() -> None:
    house, room = not_found(House, f"house-{1:08x}"), not_found(Room, f"room-{1:017x}")
    assert (house.code, house.message) == (
        "InvalidHouseID.NotFound",
        "The house ID 'house-00000001' does not exist",
    )
    assert (room.code, room.message) == ("RoomNotFound", f"There is no room room-{1:017x}")


@pytest.mark.parametrize(
    "key", ["", "house", "house-", "house-1", "house-0000000g", "room-00000001", "house-0000000A"]
)
def test_malformed_ids(key: str) -> None:
    error = not_found(House, key)
    assert error.code == "InvalidHouseID.Malformed"
    assert error.message == f'Invalid id: "{key}" (expecting "house-...")'
    assert not_found(Room, "x").code == "RoomMalformed"
