"""EC2's filters on shown structures: which values a name means, and how values match.

The values of a filter are or-ed, the filters of a call and-ed; matching is case-sensitive, ``*``
stands for any characters and ``?`` for one, a backslash takes their meaning away.
Source: EC2 API Reference, "Filter", and EC2 User Guide, "List and filter using the CLI and API".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from gureum.errors import ApiError

Row = TypeVar("Row")
Shown = dict[str, Any]


class Candidate(Generic[Row]):
    """A row that may be listed, and the structure that shows it.  That is made when it is first
    looked at: many filters tell by the row alone, and a page shows only the rows that are on it."""

    def __init__(self, row: Row, show: Callable[[Row], Shown]) -> None:
        self.row = row
        self._show = show

    @cached_property
    def shown(self) -> Shown:
        return self._show(self.row)


Values = Callable[[Candidate[Row]], Iterable[str]]
"""The values of one filter for an candidate."""
Passes = Callable[[Candidate[Row]], bool]
Match = Callable[[str], bool]

MAX_VALUES = 200
"""Of all filters of a call together."""
MAX_FILTERS = 50

_ANY, _ONE = object(), object()


def passing(
    filters: Sequence[Mapping[str, Any]], resolve: Callable[[str], Values[Row]]
) -> Passes[Row]:
    """Whether an candidate passes all ``filters`` (as decoded: ``Name`` and ``Values``).

    ``resolve`` turns a filter's name into a function that reads its values, or raises
    :func:`unknown_filter`.

    Raises:
        ApiError: ``InvalidParameterValue``, ``FilterLimitExceeded``.
    """
    if len(filters) > MAX_FILTERS:
        raise ApiError(
            "FilterLimitExceeded",
            f"The maximum number of filters specified on a single call is {MAX_FILTERS}",
        )
    if sum(len(each.get("Values", ())) for each in filters) > MAX_VALUES:
        raise ApiError(
            "FilterLimitExceeded",
            f"The maximum number of filter values specified on a single call is {MAX_VALUES}",
        )
    tests = [_test(each, resolve) for each in filters]
    return lambda candidate: all(test(candidate) for test in tests)


def unknown_filter(name: str) -> ApiError:
    """The refusal of a filter that the action does not have."""
    return ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")


def _test(each: Mapping[str, Any], resolve: Callable[[str], Values[Row]]) -> Passes[Row]:
    name, wanted = each.get("Name"), each.get("Values", ())
    if not name:
        raise unknown_filter("null")
    values = resolve(name)
    if not wanted:
        raise ApiError("InvalidParameterValue", f"The filter '{name}' has no values")
    matches = [matcher(pattern) for pattern in wanted]
    return lambda candidate: any(match(value) for value in values(candidate) for match in matches)


def values_at(item: Any, path: str) -> list[str]:
    """The values that a path such as ``Associations[].Main`` leads to, as filters see them."""
    return [as_text(value) for value in nodes_at(item, path)]


def nodes_at(item: Any, path: str) -> list[Any]:
    """Whatever a path leads to, less what is absent or None."""
    found = [item]
    for name in path.split("."):
        if name.endswith("[]"):
            lists = (each.get(name[:-2]) for each in found)
            found = [inner for one in lists if one is not None for inner in one]
        else:
            found = [each.get(name) for each in found]
        found = [each for each in found if each is not None]
    return found


def as_text(value: Any) -> str:
    """A scalar as a filter value: ``true``, ``42``, ``2026-11-24T08:00:00.000Z``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.removesuffix("+00:00") + "Z"
    return str(value)


def matcher(pattern: str) -> Match:
    """A function that says whether a text matches ``pattern``.

    It takes at most the square of the text's length, whatever the pattern: a regular expression
    made from a hostile one (``*a*a*a*…``) could take for ever.
    """
    tokens = _tokens(pattern)
    if _ANY not in tokens and _ONE not in tokens:
        literal = "".join(str(token) for token in tokens)
        return lambda text: text == literal
    return lambda text: _matches(tokens, text)


def _tokens(pattern: str) -> list[object]:
    tokens: list[object] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        following = pattern[position + 1 : position + 2]
        if character == "\\" and following and following in "*?\\":
            tokens.append(following)
            position += 1
        elif character == "*":
            if not tokens or tokens[-1] is not _ANY:
                tokens.append(_ANY)
        else:
            tokens.append(_ONE if character == "?" else character)
        position += 1
    return tokens


def _matches(tokens: Sequence[object], text: str) -> bool:
    """Greedy matching that goes back to the last ``*`` only: earlier ones need no second try."""
    at = token = 0
    star, resume = -1, 0
    while at < len(text):
        here = tokens[token] if token < len(tokens) else None
        if here is _ANY:
            star, resume = token, at
            token += 1
        elif here is _ONE or here == text[at]:
            at += 1
            token += 1
        elif star >= 0:
            resume += 1
            at, token = resume, star + 1
        else:
            return False
    return all(rest is _ANY for rest in tokens[token:])
