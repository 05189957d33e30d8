"""LookupEvents: a caller's events of their account and region, the newest first.

Source: AWS CloudTrail API Reference, LookupEvents.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gureum.errors import ApiError
from gureum.kind import Params, Shape
from gureum.model.timestamps import seconds
from gureum.store import Entry, Search, Trail

PAGE = 50

_COLUMNS = {
    "EventId": "event",
    "EventName": "name",
    "Username": "user",
    "EventSource": "source",
    "AccessKeyId": "key",
}
_TOKEN = re.compile(r"(\d{1,18}):([0-9a-f]{16})")

Action = Callable[[Trail, Params, str, str], Shape]


def lookup_events(trail: Trail, params: Params, account: str, region: str) -> Shape:
    """One page of the events of an account and region.

    Raises:
        ApiError: ``InvalidLookupAttributesException``, ``InvalidTimeRangeException``,
            ``InvalidMaxResultsException``, ``InvalidNextTokenException``.
    """
    search = _search(params, account, region)
    most = params.get("MaxResults", PAGE)
    if not 1 <= most <= PAGE:
        raise ApiError("InvalidMaxResultsException", f"Max results must be between 1 and {PAGE}.")
    mark = hashlib.sha256(repr(search).encode()).hexdigest()[:16]
    if token := params.get("NextToken"):
        search = replace(search, below=_number(token, mark))
    if params.get("EventCategory") is not None:
        return {"Events": []}  # the one there is, insight, finds what is unusual; nobody does here
    found = trail.find(search, most + 1)
    page = found[:most]
    answer: Shape = {"Events": [_shown(entry) for _, entry in page]}
    if len(found) > most:
        answer["NextToken"] = base64.b64encode(f"{page[-1][0]}:{mark}".encode()).decode()
    return answer


def _search(params: Params, account: str, region: str) -> Search:
    since, until = params.get("StartTime"), params.get("EndTime")
    if since is not None and until is not None and since > until:
        raise ApiError(
            "InvalidTimeRangeException", "The start time is after the end time, or not valid."
        )
    search = Search(account, region, _seconds(since), _seconds(until))
    asked = params.get("LookupAttributes") or []
    if len(asked) > 1:
        raise ApiError(
            "InvalidLookupAttributesException", "You can specify only one lookup attribute."
        )
    return (
        _narrowed(search, asked[0]["AttributeKey"], asked[0]["AttributeValue"])
        if asked
        else (search)
    )


def _narrowed(search: Search, name: str, value: str) -> Search:
    if not 1 <= len(value) <= 2000:
        raise ApiError(
            "InvalidLookupAttributesException",
            "The value of a lookup attribute has 1 to 2000 characters.",
        )
    if name == "ResourceName":
        return replace(search, resource=value)
    if name == "ResourceType":
        return replace(search, resource_type=value)
    if name == "ReadOnly":
        if value not in ("true", "false"):
            raise ApiError("InvalidLookupAttributesException", "ReadOnly is true or false.")
        return replace(search, columns={"reads": int(value == "true")})
    return replace(search, columns={_COLUMNS[name]: value})


def _seconds(at: datetime | None) -> str | None:
    return seconds(at) if at is not None else None


def _number(token: str, mark: str) -> int:
    """The entry below which a page begins; a token is of the same question only."""
    try:
        found = _TOKEN.fullmatch(base64.b64decode(token, validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        found = None
    if found is None or found[2] != mark:
        raise ApiError("InvalidNextTokenException", "Invalid next token.")
    return int(found[1])


def _shown(entry: Entry) -> Shape:
    return {
        "EventId": entry.event,
        "EventName": entry.name,
        "ReadOnly": "true" if entry.reads else "false",
        "AccessKeyId": entry.key or None,
        "EventTime": entry.time,
        "EventSource": entry.source,
        "Username": entry.user or None,
        "Resources": [
            {"ResourceType": kind, "ResourceName": name} for kind, name in entry.resources
        ],
        "CloudTrailEvent": entry.body.decode(),
    }


ACTIONS: dict[str, Action] = {"LookupEvents": lookup_events}
"""The actions of CloudTrail's API."""
