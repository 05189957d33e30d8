"""One revision of everything: indexes that always tell what the rows say, older ones untouched."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gureum.model import View, references
from gureum.model.resource import Resource
from tests.model.rows import Fitting, House, Lamp, Room, row


def test_find_needs_the_right_type() -> None:
    view = View().put(row(House, 1))
    key = row(House, 1).id
    assert view.find(House, key) == row(House, 1)
    assert view.find(Room, key) is None
    assert view.find(House, None) is None
    assert view.find(House, "house-2") is None


def test_older_views_stay_as_they_were() -> None:
    first = View().put(row(House, 1))
    second = first.put(row(House, 1, name="new")).put(row(House, 2))
    third = second.drop(row(House, 1).id)
    assert [house.name for house in first.all(House)] == [""]
    assert sorted(house.name for house in second.all(House)) == ["", "new"]
    assert [house.id for house in third.all(House)] == [row(House, 2).id]


def test_referrers_follow_changes() -> None:
    one, two = row(House, 1), row(House, 2)
    room = row(Room, 3, house=one.id)
    view = View().put(one).put(two).put(room)
    assert list(view.referrers(one.id, Room)) == [room]
    assert list(view.referrers(one.id, Lamp)) == []
    moved = view.put(replace(room, house=two.id))
    assert list(moved.referrers(one.id, Room)) == []
    assert [other.id for other in moved.referrers(two.id, Room)] == [room.id]
    assert list(moved.drop(room.id).referrers(two.id, Room)) == []


def test_one_row_that_refers_twice_is_one_referrer() -> None:
    lamp = row(Lamp, 1, main=Fitting(room="room-1"), fittings=(Fitting(room="room-1"),))
    view = View().put(lamp)
    assert list(view.referrers("room-1", Lamp)) == [lamp]
    once = view.put(replace(lamp, main=None))
    assert [other.id for other in once.referrers("room-1", Lamp)] == [lamp.id]


def test_a_revision_is_a_number_on_the_same_rows() -> None:
    view = View().put(row(House, 1))
    assert view.at(7).revision == 7
    assert view.at(7).put(row(House, 2)).revision == 7
    assert view.at(7).rows == view.rows


def _row(draw: st.DrawFn) -> Resource:
    number = draw(st.integers(0, 4))
    ids = st.sampled_from([f"room-{n}" for n in range(3)])
    item: Resource = draw(
        st.sampled_from(
            [
                row(House, number, name=draw(st.sampled_from(["", "a"]))),
                row(Room, number, house=draw(ids)),
                row(Lamp, number, keepers=tuple(draw(st.lists(ids, max_size=3)))),
            ]
        )
    )
    return item


steps = st.lists(st.tuples(st.booleans(), st.composite(_row)()), max_size=25)


@given(steps)
def test_the_indexes_say_what_the_rows_say(changes: list[tuple[bool, Resource]]) -> None:
    view = View()
    for drop, item in changes:
        if drop and item.id in view.rows:
            view = view.drop(item.id)
        elif not drop:
            view = view.put(item)
    kinds: dict[str, set[str]] = {}
    referring: dict[str, dict[str, set[str]]] = {}
    for key, item in view.rows.items():
        kinds.setdefault(item.kind, set()).add(key)
        for _, target, _ in references(item):
            referring.setdefault(target, {}).setdefault(item.kind, set()).add(key)
    assert {kind: set(ids) for kind, ids in view.kinds.items() if ids} == kinds
    assert {
        target: {kind: set(ids) for kind, ids in found.items()}
        for target, found in view.referring.items()
    } == referring
    for target, found in referring.items():
        assert sorted(view.dependants(target)) == sorted(set().union(*found.values()))
