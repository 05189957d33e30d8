"""Pages of a listing whose tokens name the last row shown, so that new rows disturb nothing.

A token that counted rows would skip or repeat some whenever others come or go between two calls.
Source: EC2 API Reference, "Query requests", on pagination.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

import msgspec

from gureum.errors import ApiError
from gureum.wire.faults import Faults

Item = TypeVar("Item")
Key = tuple[str, ...]

_MAX_TOKEN = 4_096


def paginate(
    items: Iterable[Item],
    key: Callable[[Item], Key],
    *,
    keep: Callable[[Item], bool] = lambda _: True,
    max_results: int | None,
    next_token: str | None,
    low: int | None = None,
    high: int | None = None,
    scope: str = "",
) -> tuple[list[Item], str | None]:
    """One page of ``items`` in the order of their keys, and the token of the next, if any.

    Keys are unique; a later row has a greater key.  ``scope`` ties tokens to a listing.  ``keep``
    says which items count; it is asked of no more of them than the page takes.

    Raises:
        ApiError: ``InvalidParameterValue`` where ``max_results`` is not within ``low`` and
            ``high``, ``InvalidPaginationToken`` where the token is none of ours.
    """
    check_bounds(max_results, low, high)
    after = _read(next_token, scope) if next_token else None
    rest = sorted((item for item in items if after is None or key(item) > after), key=key)
    if max_results is None:
        return [item for item in rest if keep(item)], None
    found = list(islice(filter(keep, rest), max_results + 1))
    page = found[:max_results]
    return page, _write(key(page[-1]), scope) if len(found) > max_results else None


def check_bounds(max_results: int | None, low: int | None, high: int | None) -> None:
    """Raises:
    ApiError: ``InvalidParameterValue`` in EC2's wording.
    """
    if max_results is None:
        return
    if low is not None and max_results < low:
        raise Faults().outside("MaxResults", max_results, "least", low)
    if high is not None and max_results > high:
        raise Faults().outside("MaxResults", max_results, "most", high)


def _write(key: Key, scope: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((scope, *key))).decode()


def _read(token: str, scope: str) -> Key:
    try:
        if len(token) > _MAX_TOKEN:
            raise ValueError(token)
        content = base64.b64decode(token, altchars=b"-_", validate=True)
        found, *key = msgspec.json.decode(content, type=tuple[str, ...])
        if found != scope:
            raise ValueError(found)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise ApiError(
            "InvalidPaginationToken",
            "The specified pagination token is not valid or is expired.",
        ) from None
    return tuple(key)
