"""Conditions of statements: every operator of IAM, and what it makes of a request.

Sources: IAM User Guide, "IAM JSON policy elements: Condition operators", "Conditions with multiple
context keys or values", "Set operators for multivalued context keys".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any, Literal, TypeAlias

from gureum.identity.matching import arn_matches
from gureum.identity.request import Context
from gureum.identity.variables import expand, glob, plain

Quantifier: TypeAlias = Literal["", "ForAllValues", "ForAnyValue"]
_Compare: TypeAlias = Callable[[str, str, Context | None], bool]
"""Of a value of the request, a value of the policy, and the context where variables count."""


@dataclass(frozen=True)
class Operator:
    """A condition operator: ``base`` is its name without prefix and suffix."""

    base: str
    quantifier: Quantifier = ""
    if_exists: bool = False

    def __str__(self) -> str:
        prefix = f"{self.quantifier}:" if self.quantifier else ""
        return f"{prefix}{self.base}{'IfExists' if self.if_exists else ''}"

    @property
    def negated(self) -> bool:
        """Whether it holds where no value of the policy matches."""
        return self.base in NEGATED


@dataclass(frozen=True)
class Condition:
    """One key of one operator with the values that a policy gives."""

    operator: Operator
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """A condition, the values that the request had for its key, and whether it holds."""

    condition: Condition
    seen: tuple[str, ...]
    holds: bool


def check(condition: Condition, context: Context, *, variables: bool) -> Checked:
    """Hold a condition against a request; ``variables`` says whether the policy's version has
    variables."""
    seen = context.get(condition.key)
    held = _holds(condition, seen, context if variables else None)
    return Checked(condition, seen, held)


def _holds(condition: Condition, seen: tuple[str, ...], context: Context | None) -> bool:
    operator = condition.operator
    if operator.base == "Null":
        return ("false" if seen else "true") in [value.lower() for value in condition.values]
    if not seen or (operator.quantifier and seen == ("",)):
        return _holds_without(operator)
    compare = COMPARE[NEGATED.get(operator.base, operator.base)]
    matched = [any(compare(value, each, context) for each in condition.values) for value in seen]
    match operator.quantifier:
        case "ForAllValues":
            return all(one != operator.negated for one in matched)
        case "ForAnyValue":
            return any(one != operator.negated for one in matched)
        case _:
            return any(matched) != operator.negated


def _holds_without(operator: Operator) -> bool:
    """What holds of a key that the request has not: with IfExists and ForAllValues everything, with
    ForAnyValue nothing, else what is negated."""
    if operator.if_exists or operator.quantifier == "ForAllValues":
        return True
    return operator.negated and not operator.quantifier


def parse_operator(text: str) -> Operator | None:
    """An operator by its name in a policy; None if there is no such operator."""
    head, colon, rest = text.rpartition(":")
    if_exists = rest.endswith("IfExists")
    base = rest.removesuffix("IfExists")
    if base == "Null":
        return Operator(base) if text == "Null" else None
    if base not in COMPARE and base not in NEGATED:
        return None
    match head:
        case "" if not colon:
            return Operator(base, "", if_exists)
        case "ForAllValues" | "ForAnyValue":
            return Operator(base, head, if_exists)
        case _:
            return None


def _string_equals(seen: str, wanted: str, context: Context | None) -> bool:
    pattern = expand(wanted, context)
    return pattern is not None and seen == plain(pattern)


def _string_equals_ignore_case(seen: str, wanted: str, context: Context | None) -> bool:
    pattern = expand(wanted, context)
    return pattern is not None and seen.lower() == plain(pattern).lower()


def _string_like(seen: str, wanted: str, context: Context | None) -> bool:
    pattern = expand(wanted, context)
    return pattern is not None and glob(pattern, seen)


def _arn_like(seen: str, wanted: str, context: Context | None) -> bool:
    return arn_matches(wanted, seen, context)


def _bool(seen: str, wanted: str, context: Context | None) -> bool:
    return seen.lower() == wanted.lower() and seen.lower() in ("true", "false")


def _binary_equals(seen: str, wanted: str, context: Context | None) -> bool:
    one, other = _binary(seen), _binary(wanted)
    return one is not None and one == other


def _binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _ip_address(seen: str, wanted: str, context: Context | None) -> bool:
    try:
        return ip_address(seen) in ip_network(wanted, strict=False)
    except ValueError:
        return False


def _ordered(parse: Callable[[str], Any], relation: Callable[[Any, Any], bool]) -> _Compare:
    def compare(seen: str, wanted: str, context: Context | None) -> bool:
        one, other = parse(seen), parse(wanted)
        return one is not None and other is not None and relation(one, other)

    return compare


_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def number(text: str) -> Decimal | None:
    """An integer or decimal number; None if it is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"(Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)
_EPOCH = re.compile(r"-?[0-9]{1,11}")


def date(text: str) -> Decimal | None:
    """A time in seconds since 1970, UTC: a W3C form of ISO 8601, of which the end may be missing,
    or such a number itself (four digits are a year); None if it is no time."""
    found = _DATE.fullmatch(text)
    if found is None:
        return Decimal(text) if _EPOCH.fullmatch(text) else None
    year, month, day = (int(part or 1) for part in found.group(1, 2, 3))
    hour, minute, second = (int(part or 0) for part in found.group(4, 5, 6))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        whole = moment - _offset(found[8]) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return Decimal(whole.days * 86400 + whole.seconds) + Decimal(f"0.{found[7] or 0}")


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


def _relations(kind: str, parse: Callable[[str], Any]) -> dict[str, _Compare]:
    names = {
        "Equals": eq,
        "LessThan": lt,
        "LessThanEquals": le,
        "GreaterThan": gt,
        "GreaterThanEquals": ge,
    }
    return {f"{kind}{name}": _ordered(parse, relation) for name, relation in names.items()}


COMPARE: dict[str, _Compare] = {
    "StringEquals": _string_equals,
    "StringEqualsIgnoreCase": _string_equals_ignore_case,
    "StringLike": _string_like,
    **_relations("Numeric", number),
    **_relations("Date", date),
    "Bool": _bool,
    "BinaryEquals": _binary_equals,
    "IpAddress": _ip_address,
    # The two are the same, AWS says.
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
}
"""How a value of the request is held against one of the policy, by operator."""

NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
"""Operators that hold where no value matches, and whose contrary each is."""
