"""Scalars of a request: from text to Python values, strictly.

What Python would read generously (``1_000``, ``١``, ``nan``, base64 with blanks and rubbish) is
refused here, for a later store or netlink message must get what the client meant.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gureum.wire.faults import Faults

Scalar = Callable[[str, str], Any]
"""``decode(text, path)``; the path is for the message."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_BITS = {"integer": 31, "long": 63}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}

OPEN = frozenset({"AccountAttributeName"})
"""Enumerations of which the model does not know all values that AWS documents."""


def scalar(shape: Any, faults: Faults) -> Scalar:
    """The decoder of a scalar shape of the model."""
    kind: str = shape.type_name
    if kind == "string":
        closed = shape.enum and shape.name not in OPEN
        return _enum(frozenset(shape.enum), faults) if closed else _string
    if kind in ("integer", "long"):
        bits = _BITS[kind]
        return _ranged(_integer(bits, faults), shape, faults)
    if kind in ("float", "double"):
        return _ranged(_number(faults), shape, faults)
    return {"boolean": _boolean, "timestamp": _timestamp, "blob": _blob}[kind](faults)


def _string(text: str, path: str) -> str:
    return text


def _enum(allowed: frozenset[str], faults: Faults) -> Scalar:
    def decode(text: str, path: str) -> str:
        if text not in allowed:
            raise faults.invalid(path, text)
        return text

    return decode


def _integer(bits: int, faults: Faults) -> Scalar:
    def decode(text: str, path: str) -> int:
        if not _INTEGER.fullmatch(text) or not -(1 << bits) <= int(text) < 1 << bits:
            raise faults.invalid(path, text, "Expecting an integer")
        return int(text)

    return decode


def _number(faults: Faults) -> Scalar:
    def decode(text: str, path: str) -> float:
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(value):
            raise faults.invalid(path, text, "Expecting a number")
        return value

    return decode


def _ranged(decode: Scalar, shape: Any, faults: Faults) -> Scalar:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is None and most is None:
        return decode

    def ranged(text: str, path: str) -> Any:
        value = decode(text, path)
        if least is not None and value < least:
            raise faults.outside(path, value, "least", least)
        if most is not None and value > most:
            raise faults.outside(path, value, "most", most)
        return value

    return ranged


def _boolean(faults: Faults) -> Scalar:
    def decode(text: str, path: str) -> bool:
        value = _BOOLEANS.get(text.lower())
        if value is None:
            raise faults.invalid(path, text, "Expecting true or false")
        return value

    return decode


def _timestamp(faults: Faults) -> Scalar:
    def decode(text: str, path: str) -> datetime:
        value = parse_timestamp(text)
        if value is None:
            raise faults.invalid(path, text, "Expecting a timestamp like 2026-11-24T08:00:00Z")
        return value

    return decode


def parse_timestamp(text: str) -> datetime | None:
    """An ISO 8601 date or time (UTC unless it says otherwise) in UTC, or None."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        value = datetime.fromisoformat(text)
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _blob(faults: Faults) -> Scalar:
    def decode(text: str, path: str) -> bytes:
        try:
            # Line breaks are common: `base64` wraps its output.
            return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
        except (binascii.Error, ValueError):
            raise faults.invalid(path, text, "Invalid BASE64 encoding") from None

    return decode
