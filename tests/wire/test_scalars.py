"""Scalars are read strictly, and only what a client may mean passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.model import ShapeResolver
from hypothesis import given
from hypothesis import strategies as st

from gureum.errors import ApiError
from gureum.wire.faults import Faults
from gureum.wire.scalars import Scalar, parse_timestamp, scalar


def decoder(kind: str, **traits: Any) -> Scalar:
    shape = ShapeResolver({"It": {"type": kind, **traits}}).get_shape_by_name("It")
    return scalar(shape, Faults())


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "", ""),
        ("integer", "0", 0),
        ("integer", "-1", -1),
        ("integer", "+7", 7),
        ("integer", "007", 7),
        ("integer", "2147483647", 2**31 - 1),
        ("integer", "-2147483648", -(2**31)),
        ("long", "9223372036854775807", 2**63 - 1),
        ("double", "1", 1.0),
        ("double", ".5", 0.5),
        ("float", "-1.5e-3", -0.0015),
        ("boolean", "true", True),
        ("boolean", "TRUE", True),
        ("boolean", "False", False),
        ("boolean", "1", True),
        ("boolean", "0", False),
        ("blob", "", b""),
        ("blob", "AP8=", b"\x00\xff"),
        ("blob", "AP\r\n8=\n", b"\x00\xff"),
        ("timestamp", "2026-11-24T08:00:00Z", datetime(2026, 11, 24, 8, tzinfo=UTC)),
    ],
)
def test_read(kind: str, text: str, value: object) -> None:
    found = decoder(kind)(text, "It")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "2147483648"),
        ("integer", "1.0"),
        ("integer", "1e3"),
        ("integer", "1\n"),
        ("integer", "--1"),
        ("long", "9223372036854775808"),
        ("double", "nan"),
        ("double", "inf"),
        ("double", "1e999"),
        ("double", "."),
        ("double", "1_0.0"),
        ("boolean", "yes"),
        ("boolean", " true"),
        ("blob", "A"),
        ("blob", "AP8"),
        ("blob", "AP 8="),
        ("blob", "é"),
        ("timestamp", "2026-13-01T00:00:00Z"),
        ("timestamp", "2026-02-30"),
        ("timestamp", "1700000000"),
        ("timestamp", "2026-11-24 08:00:00"),
        ("timestamp", "0001-01-01T00:00:00+23:59"),
        ("timestamp", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_refused(kind: str, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        decoder(kind)(text, "It")
    assert caught.value.code == "InvalidParameterValue"
    assert f"Value ({text}) for parameter it is invalid" in caught.value.message


def test_a_long_bad_value_is_not_repeated_whole() -> None:
    with pytest.raises(ApiError) as caught:
        decoder("integer")("x" * 100_000, "It")
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("text", "passes"), [("4", False), ("5", True), ("9", True), ("10", False)]
)
def test_bounds_are_inclusive(text: str, passes: bool) -> None:
    read = decoder("integer", min=5, max=9)
    if passes:
        assert read(text, "It") == int(text)
    else:
        with pytest.raises(ApiError, match="Expecting a value"):
            read(text, "It")


def test_a_bound_of_zero_is_a_bound() -> None:
    with pytest.raises(ApiError):
        decoder("integer", min=0)("-1", "It")
    with pytest.raises(ApiError):
        decoder("integer", max=0)("1", "It")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T08:00:00.000Z",
        "2026-11-24T08:00:00",
        "2026-11-24T08:00",
        "2026-11-24T08:00:00+00:00",
        "2026-11-24T17:00:00+0900",
        "2026-11-24T07:30:00-00:30",
    ],
)
def test_forms_of_one_time(text: str) -> None:
    assert parse_timestamp(text) == datetime(2026, 11, 24, 8, tzinfo=UTC)


@given(
    st.datetimes(datetime(1900, 1, 2), datetime(2999, 1, 1)),  # noqa: DTZ001
    st.integers(-12 * 60, 12 * 60),
)
def test_any_time_in_any_zone(time: datetime, minutes: int) -> None:
    local = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_timestamp(local.isoformat()) == local
