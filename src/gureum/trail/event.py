"""A call as one event of CloudTrail's, and as the entry of the trail that holds it.

Source: AWS CloudTrail User Guide, "CloudTrail record contents for management, data, and network
activity events".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gureum.errors import ApiError
from gureum.iam.caller import Caller
from gureum.store import Entry
from gureum.trail import who as users
from gureum.trail.resources import about
from gureum.wire import Request
from gureum.wire.records import MOST, error_names, shown_input, shown_output

VERSION = "1.11"

HOME = "us-east-1"
"""Where calls of services without regions are recorded."""

GIVES = frozenset({"AssumeRole", "GetSessionToken"})
"""Actions of STS that change nothing, but give credentials: records show their answer."""

_REGIONAL = frozenset({"ec2", "sts", "cloudtrail", "ram"})
_LONGEST = 1024
"""Characters of a message, a user agent and such in an event."""


@dataclass(frozen=True)
class Heard:
    """What is known of a request whatever it says: its ids, whence it came and by which program.
    ``request`` is the request's id, ``event`` the event's."""

    request: str
    event: str
    address: str
    agent: str


@dataclass(frozen=True)
class Outcome:
    """How a call ended and when (``time``, in seconds): with ``result``, or a refusal."""

    time: str
    result: Mapping[str, Any] = field(default_factory=dict)
    error: ApiError | None = None


def entry(
    heard: Heard,
    request: Request,
    who: Caller,
    reads: bool,
    outcome: Outcome,
    shared: str | None = None,
) -> Entry:
    """The entry of a call in the trail of the caller's account; ``shared`` is the id that it has in
    common with that of another account, if any."""
    identity = who.identity
    key = identity.access_key or request.access_key or ""
    user = users.element(identity, key)
    event = _event(heard, request, who.region, reads, outcome)
    event = {"eventVersion": VERSION, "userIdentity": user, **event}
    event["recipientAccountId"] = who.account
    if shared is not None:
        event["sharedEventID"] = shared
    return _entry(event, request, who.account, users.user_name(identity), key, outcome)


def entry_of_other(
    heard: Heard, request: Request, who: Caller, account: str, shared: str, outcome: Outcome
) -> Entry:
    """The entry of a call in the trail of an account that is not the caller's, and whose role they
    assumed; ``shared`` is the id that both events have."""
    event = _event(heard, request, who.region, True, outcome)
    user = users.stranger(who.identity)
    event = {"eventVersion": VERSION, "userIdentity": user, **event}
    event |= {"recipientAccountId": account, "sharedEventID": shared}
    return _entry(event, request, account, "", "", outcome)


def _event(
    heard: Heard, request: Request, region: str, reads: bool, outcome: Outcome
) -> dict[str, Any]:
    """The event, less whose it is."""
    event: dict[str, Any] = {
        "eventTime": outcome.time,
        "eventSource": source(request.service),
        "eventName": request.action,
        "awsRegion": region if request.service in _REGIONAL else HOME,
        "sourceIPAddress": heard.address,
        "userAgent": heard.agent[:_LONGEST],
    }
    if outcome.error is not None:
        event["errorCode"] = error_code(request.service, outcome.error)
        event["errorMessage"] = outcome.error.message[:_LONGEST]
    params = shown_input(request.service, request.action, request.params)
    event["requestParameters"] = _bounded(params, "requestParameters")
    shows = outcome.error is None and (not reads or request.action in GIVES)
    told = (
        shown_output(request.service, request.action, outcome.result, heard.request)
        if shows
        else None
    )
    event["responseElements"] = _bounded(told, "responseElements")
    return {
        **event,
        "requestID": heard.request,
        "eventID": heard.event,
        "readOnly": reads,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "eventCategory": "Management",
    }


def _entry(
    event: dict[str, Any], request: Request, account: str, user: str, key: str, outcome: Outcome
) -> Entry:
    return Entry(
        account=account,
        region=event["awsRegion"],
        time=event["eventTime"],
        event=event["eventID"],
        name=event["eventName"],
        source=event["eventSource"],
        user=user,
        key=key,
        reads=event["readOnly"],
        error=event.get("errorCode", ""),
        resources=about(request.service, request.params, outcome.result),
        body=msgspec.json.encode(event),
    )


def source(service: str) -> str:
    """The ``eventSource`` of a service."""
    return f"{service}.amazonaws.com"


def error_code(service: str, error: ApiError) -> str:
    """The ``errorCode`` of a refusal: EC2's say on whose side it is, those of the others are the
    names of their exceptions."""
    if service == "ec2":
        return f"{'Client' if error.status < 500 else 'Server'}.{error.code}"
    return error_names(service).get(error.code, error.code)


def _bounded(value: Any, name: str) -> Any:
    """The value, or what is said of one that is too large."""
    if value is None:
        return None
    text = msgspec.json.encode(value)
    if len(text) <= MOST:
        return msgspec.Raw(text)
    size = len(text)
    return {"omitted": True, "originalSize": size, "reason": f"{name} too large"}


def operators_entry(
    heard: Heard, name: str, account: str, region: str, params: Mapping[str, Any], outcome: Outcome
) -> Entry:
    """The entry of what the daemon's owner did with one of Gureum's own commands."""
    event: dict[str, Any] = {
        "eventVersion": VERSION,
        "userIdentity": users.operator(),
        "eventTime": outcome.time,
        "eventSource": "gureum",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": heard.address,
        "userAgent": heard.agent[:_LONGEST],
    }
    if outcome.error is not None:
        event["errorCode"] = outcome.error.code
        event["errorMessage"] = outcome.error.message[:_LONGEST]
    event |= {
        "requestParameters": _bounded(dict(params), "requestParameters") or None,
        "responseElements": None,
        "requestID": heard.request,
        "eventID": heard.event,
        "readOnly": False,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "eventCategory": "Management",
        "recipientAccountId": account,
    }
    return Entry(
        account=account,
        region=region,
        time=outcome.time,
        event=heard.event,
        name=name,
        source="gureum",
        user="gureum",
        key="",
        reads=False,
        error=outcome.error.code if outcome.error else "",
        resources=(),
        body=msgspec.json.encode(event),
    )
