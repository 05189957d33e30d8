"""What every action can count on: ids, common fields, tags within AWS's limits, companions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.kind import MAX_TAGS, Call, check_tag, given_tags
from gureum.model import Txn, View
from tests.model.rows import ACCOUNT, REGION, House, Room, row

NOW = "2026-11-24T08:00:00.000Z"


def call(**params: Any) -> Call:
    return Call("CreateHouse", params, Txn(View(), ACCOUNT, REGION), NOW)


def specification(kind: str | None, *tags: tuple[str, str]) -> dict[str, Any]:
    shape: dict[str, Any] = {"Tags": [{"Key": key, "Value": value} for key, value in tags]}
    return shape if kind is None else shape | {"ResourceType": kind}


def refused(function: Any, *args: Any) -> tuple[str, str]:
    with pytest.raises(ApiError) as caught:
        function(*args)
    return caught.value.code, caught.value.message


def test_ids_are_fresh_and_look_like_awss() -> None:
    ids = {call().new_id(House) for _ in range(50)}
    assert len(ids) == 50
    assert all(re.fullmatch("house-[0-9a-f]{17}", key) for key in ids)
    assert re.fullmatch("eni-attach-[0-9a-f]{17}", call().new_id("eni-attach"))


def test_common_fields() -> None:
    made = call(TagSpecifications=[specification("test-house", ("Name", "home"))])
    fields = made.common(House)
    assert fields.pop("id").startswith("house-")
    assert fields == {
        "account": ACCOUNT,
        "region": REGION,
        "created": NOW,
        "tags": (("Name", "home"),),
    }
    assert made.common(House, "house-1")["id"] == "house-1"


def test_parameters_have_defaults() -> None:
    made = call(Name="x", Count=0, Nothing=None)
    assert (made.get("Name"), made.get("Count", 5), made.get("Nothing", 5)) == ("x", 0, 5)
    assert made.get("Absent") is None


def test_tags_are_for_one_type() -> None:
    made = call(
        TagSpecifications=[
            specification("test-house", ("Name", "home")),
            specification("test-room", ("Name", "kitchen"), ("Floor", "2")),
        ]
    )
    assert made.tags_for("test-house") == (("Name", "home"),)
    assert made.tags_for("test-room") == (("Name", "kitchen"), ("Floor", "2"))
    assert made.tags_for("test-lamp") == ()
    made.check_tag_specifications()


@pytest.mark.parametrize(
    ("specifications", "message"),
    [
        (
            [specification("test-lamp", ("a", "b"))],
            "'test-lamp' is not a valid taggable resource type for this operation.",
        ),
        (
            [specification(None, ("a", "b"))],
            "Tag specification resource type must have a value",
        ),
        (
            [specification("test-house")],
            "Tag specification must have at least one tag",
        ),
        (
            [specification("test-house", ("a", "b")), specification("test-house", ("c", "d"))],
            "The resource type 'test-house' is given in more than one tag specification.",
        ),
    ],
)
def test_specifications_that_are_refused(
    specifications: list[dict[str, Any]], message: str
) -> None:
    made = call(TagSpecifications=specifications)
    made.tags_for("test-house")
    assert refused(made.check_tag_specifications) == ("InvalidParameterValue", message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("", "x", "Tag key cannot be empty"),
        (None, "x", "Tag key cannot be empty"),
        ("aws:name", "x", "Tag keys starting with 'aws:' are reserved for internal use"),
        ("AWS:name", "x", "Tag keys starting with 'aws:' are reserved for internal use"),
        ("k" * 128, "x", "Tag key exceeds the maximum length of 127 characters"),
        ("key", "v" * 256, "Tag value exceeds the maximum length of 255 characters"),
    ],
)
def test_tags_that_are_refused(key: str | None, value: str, message: str) -> None:
    assert refused(check_tag, key, value) == ("InvalidParameterValue", message)


def test_tags_at_the_limits() -> None:
    check_tag("k" * 127, "v" * 255)
    check_tag("aws", None)
    check_tag("집", "")
    assert given_tags([{"Key": "empty"}]) == (("empty", ""),)


def test_a_key_once() -> None:
    tags = [{"Key": "Name", "Value": "a"}, {"Key": "Name", "Value": "b"}]
    assert refused(given_tags, tags) == (
        "InvalidParameterValue",
        "Duplicate tag key 'Name' specified.",
    )
    assert len(given_tags([{"Key": "Name"}, {"Key": "name"}])) == 2


def test_the_quota_of_tags() -> None:
    tags = [{"Key": f"key{number}", "Value": ""} for number in range(MAX_TAGS + 1)]
    assert len(given_tags(tags[:MAX_TAGS])) == 50
    assert refused(given_tags, tags)[0] == "TagLimitExceeded"


def test_companions_come_after_the_row_in_their_order() -> None:
    made = call(TagSpecifications=[specification("test-house", ("Name", "home"))])
    order: list[str] = []

    def hall(inner: Call, house: House) -> None:
        assert inner.txn.find(House, house.id) == house
        order.append("hall")
        inner.created(row(Room, 2, house=house.id, hall=True))

    made.companions = {
        "test-house": [hall, lambda inner, house: order.append("garden")],
        "test-room": [lambda inner, room: order.append(f"lamp of {room.kind}")],
    }
    house = made.created(row(House, 1))
    assert house == row(House, 1)
    assert order == ["hall", "lamp of test-room", "garden"]
    assert set(made.txn.view.rows) == {house.id, row(Room, 2, house=house.id).id}


def test_what_only_a_companion_has_cannot_be_tagged() -> None:
    made = call(TagSpecifications=[specification("test-room", ("a", "b"))])

    def hall(inner: Call, house: House) -> None:
        inner.common(Room)

    made.companions = {"test-house": [hall]}
    made.common(House)
    made.created(row(House, 1))
    assert refused(made.check_tag_specifications)[0] == "InvalidParameterValue"
