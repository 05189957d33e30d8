"""Filters match as EC2's do; wildcards agree with a formulation by regular expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gureum.errors import ApiError
from gureum.wire.filters import (
    MAX_FILTERS,
    MAX_VALUES,
    Candidate,
    Values,
    matcher,
    passing,
    values_at,
)


def expression(pattern: str) -> re.Pattern[str]:
    """The same meaning, said in another way: token by token as a regular expression."""
    meaning = {"*": ".*", "?": ".", r"\*": r"\*", r"\?": r"\?", "\\\\": r"\\"}
    tokens = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL)
    return re.compile("".join(meaning.get(token) or re.escape(token) for token in tokens), re.S)


@given(st.text("ab*?\\", max_size=8), st.text("ab*?\\\n", max_size=8))
@example("a*b*a", "abababba")
@example("*a*b", "aab")
@example("\\", "\\")
@example("\\a", "\\a")
@example("*\\*", "a*")
@example("", "")
def test_wildcards(pattern: str, text: str) -> None:
    assert matcher(pattern)(text) == bool(expression(pattern).fullmatch(text))


@given(st.text("ab*?\\", max_size=6), st.data())
def test_wildcards_match_what_they_were_made_from(text: str, data: st.DataObject) -> None:
    parts = [
        data.draw(st.sampled_from(["?", "*", "**", re.sub(r"([*?\\])", r"\\\1", character)]))
        for character in text
    ]
    assert matcher("".join(parts))(text)


def test_a_hostile_pattern_is_cheap() -> None:
    # A backtracking matcher would need more than 10**20 steps.
    assert not matcher("*a" * 100 + "b")("a" * 5000)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("Id", ["x"]),
        ("Main", ["true"]),
        ("Off", ["false"]),
        ("Count", ["42"]),
        ("Made", ["2026-11-24T08:00:00.000Z"]),
        ("State.Name", ["up"]),
        ("Links[].To", ["a", "b"]),
        ("Links[].Deep[].N", ["1", "2"]),
        ("Words[]", ["p", "q"]),
        ("None", []),
        ("Missing", []),
        ("Missing.Name", []),
        ("Missing[].Name", []),
        ("State.Missing", []),
    ],
)
def test_values_at(path: str, values: list[str]) -> None:
    item = {
        "Id": "x",
        "Main": True,
        "Off": False,
        "Count": 42,
        "Made": datetime(2026, 11, 24, 8, tzinfo=UTC),
        "State": {"Name": "up"},
        "Links": [{"To": "a", "Deep": [{"N": 1}, {"N": 2}]}, {"To": "b"}, {}],
        "Words": ["p", "q"],
        "None": None,
    }
    assert values_at(item, path) == values


def resolve(name: str) -> Values[Any]:
    def values(candidate: Candidate[int]) -> Iterable[str]:
        return values_at(candidate.shown, name)

    return values


SHOWN: dict[int, dict[str, Any]] = {
    1: {"Id": "vpc-1", "State": "available", "Tags": [{"Key": "a"}, {"Key": "b"}]},
    2: {"Id": "vpc-2", "State": "pending", "Tags": [{"Key": "b"}]},
    3: {"Id": "VPC-3", "State": "available"},
}


def select(filters: list[dict[str, Any]]) -> list[int]:
    """The rows that pass."""
    passes = passing(filters, resolve)
    return [row for row in SHOWN if passes(Candidate(row, SHOWN.__getitem__))]


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ([], [1, 2, 3]),
        ([("Id", ["vpc-1"])], [1]),
        ([("Id", ["vpc-*"])], [1, 2]),
        ([("Id", ["vpc-2", "VPC-?", "nothing"])], [2, 3]),
        ([("Id", ["vpc-*"]), ("State", ["available"])], [1]),
        ([("Id", ["vpc-1"]), ("Id", ["vpc-2"])], []),
        ([("Tags[].Key", ["b"])], [1, 2]),
        ([("Tags[].Key", ["*"])], [1, 2]),
        ([("State", ["Available"])], []),
    ],
)
def test_select(filters: list[tuple[str, list[str]]], rows: list[int]) -> None:
    asked = [{"Name": name, "Values": values} for name, values in filters]
    assert select(asked) == rows


@pytest.mark.parametrize(
    ("filters", "code", "message"),
    [
        ([{"Values": ["x"]}], "InvalidParameterValue", "The filter 'null' is invalid"),
        ([{"Name": "", "Values": ["x"]}], "InvalidParameterValue", "The filter 'null' is invalid"),
        ([{"Name": "Id"}], "InvalidParameterValue", "The filter 'Id' has no values"),
        ([{"Name": "Id", "Values": ["x"] * (MAX_VALUES + 1)}], "FilterLimitExceeded", ""),
        ([{"Name": "Id", "Values": ["x"] * (MAX_VALUES // 2 + 1)}] * 2, "FilterLimitExceeded", ""),
        ([{"Name": "Id", "Values": ["x"]}] * (MAX_FILTERS + 1), "FilterLimitExceeded", ""),
    ],
)
def test_refused(filters: list[dict[str, Any]], code: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        passing(filters, resolve)
    assert caught.value.code == code
    assert not message or caught.value.message == message


def test_as_many_values_as_allowed() -> None:
    values = [*("x" for _ in range(MAX_VALUES - 1)), "vpc-1"]
    assert select([{"Name": "Id", "Values": values}]) == [1]
