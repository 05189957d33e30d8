"""AWS's json protocol, as CloudTrail speaks it: the action in a header, parameters and answers in
JSON.

Source: Smithy 2.0, "AWS JSON 1.1 protocol".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from gureum.errors import ApiError
from gureum.wire.models import JSON_SERVICES, Service, service
from gureum.wire.scalars import parse_timestamp

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET = "x-amz-target"

_LATEST = 253_402_300_800
"""Seconds of the year 10000, which no datetime holds."""


def target(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The service and action that a request's headers (names in lower case) name, if it is of this
    protocol.

    Raises:
        ApiError: ``UnknownOperationException``.
    """
    named = headers.get(TARGET)
    if named is None:
        return None
    prefix, _, action = named.rpartition(".")
    for name in JSON_SERVICES:
        if service(name).model.metadata["targetPrefix"] == prefix:
            if action in service(name).actions:
                return name, action
            break
    raise ApiError("UnknownOperationException", "")


def decode_body(service_name: str, action: str, body: bytes) -> dict[str, Any]:
    """The parameters of an action in the model's names and types.

    Raises:
        ApiError: ``SerializationException``, ``ValidationException``.
    """
    try:
        found = msgspec.json.decode(body or b"{}")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ApiError("SerializationException", "") from None
    return read_body(service(service_name).input_shape(action), found, _invalid)


Refuse = Callable[[str, str | None, str], ApiError]
"""Makes the refusal of a value at a path; of None where one is missing."""


def read_body(shape: Any, found: Any, refuse: Refuse) -> dict[str, Any]:
    """A decoded body in a shape's names and types.

    Raises:
        ApiError: ``SerializationException``, and what ``refuse`` makes.
    """
    if not isinstance(found, dict):
        raise ApiError("SerializationException", "")
    value: dict[str, Any] = _read(shape, found, "", refuse)
    return value


def _read(shape: Any, value: Any, path: str, refuse: Refuse) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        _require(shape, value, path, refuse)
        return {
            name: _read(shape.members[name], each, f"{path}.{name}" if path else name, refuse)
            for name, each in value.items()
            if each is not None and name in shape.members  # others are ignored (Smithy)
        }
    if kind == "list" and isinstance(value, list):
        return [
            _read(shape.member, each, f"{path}.{number}.member", refuse)
            for number, each in enumerate(value, start=1)
        ]
    return _scalar(shape, value, path, refuse)


def _require(shape: Any, value: Mapping[str, Any], path: str, refuse: Refuse) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            where = f"{path}.{name}" if path else name
            raise refuse(where, None, "Member must not be null")


def _scalar(shape: Any, value: Any, path: str, refuse: Refuse) -> Any:
    kind = shape.type_name
    if kind == "timestamp":
        return _time(value)
    expected = _TYPES.get(kind)
    fits = expected is not None and isinstance(value, expected)
    if not fits or (expected is int and isinstance(value, bool)):
        raise ApiError("SerializationException", "")
    if kind == "string" and shape.enum and value not in shape.enum:
        known = ", ".join(shape.enum)
        raise refuse(path, str(value)[:200], f"Member must satisfy enum value set: [{known}]")
    return value


_TYPES: Mapping[str, type] = {"string": str, "boolean": bool, "integer": int, "long": int}


def _time(value: Any) -> datetime:
    """Seconds since 1970, or a text as some clients send it."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0 <= value < _LATEST:
        return datetime.fromtimestamp(value, UTC)
    moment = parse_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        raise ApiError("SerializationException", "")
    return moment


def _invalid(path: str, value: str | None, reason: str) -> ApiError:
    spoken = path[:1].lower() + path[1:]
    said = "null" if value is None else value
    return ApiError(
        "ValidationException",
        f"1 validation error detected: Value '{said}' at '{spoken}' failed to satisfy "
        f"constraint: {reason}",
    )


def encode_body(model: Service, action: str, result: Mapping[str, Any]) -> bytes:
    """The body of an answer; times are datetimes or ISO 8601 texts."""
    shape = model.output_shape(action)
    return msgspec.json.encode(_written(shape, result) if shape is not None else {})


def _written(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {
            name: _written(shape.members[name], each)  # an unknown name is our own mistake
            for name, each in value.items()
            if each is not None
        }
    if shape.type_name == "list":
        return [_written(shape.member, each) for each in value]
    if shape.type_name == "timestamp":
        moment = parse_timestamp(value) if isinstance(value, str) else value
        assert isinstance(moment, datetime)
        return moment.timestamp()
    return value


def encode_refusal(error: ApiError) -> bytes:
    """The body of a refusal."""
    return msgspec.json.encode({"__type": error.code, "message": error.message})
