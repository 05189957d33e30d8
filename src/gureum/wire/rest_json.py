"""AWS's restJson1 protocol, as RAM speaks it: each action has a method and a path, parameters come
in JSON or in the query, answers in JSON, and the code of a refusal in a header.

Source: Smithy 2.0, "AWS restJson1 protocol".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gureum.errors import ApiError
from gureum.wire.json_rpc import read_body
from gureum.wire.models import REST_SERVICES, service

CONTENT_TYPE = "application/json"
ERROR_HEADER = "x-amzn-errortype"


def target(method: str, path: str) -> tuple[str, str] | None:
    """The service and action that a method and a path name; None where they name none."""
    return None if path == "/" else _targets().get((method, path))


def known() -> Collection[tuple[str, str]]:
    """The methods and paths that name an action."""
    return _targets().keys()


@cache
def _targets() -> Mapping[tuple[str, str], tuple[str, str]]:
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for name in REST_SERVICES:
        for action in service(name).actions:
            at = service(name).model.operation_model(action).http
            found[at["method"], at["requestUri"]] = (name, action)
    return found


def decode(service_name: str, action: str, query: str, body: bytes) -> dict[str, Any]:
    """The parameters of an action in the model's names and types.

    Raises:
        ApiError: ``SerializationException``, ``MissingRequiredParameterException``,
            ``InvalidParameterException``.
    """
    shape = service(service_name).input_shape(action)
    try:
        found = msgspec.json.decode(body or b"{}")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ApiError("SerializationException", "") from None
    if isinstance(found, dict):
        found = {**found, **_in_query(shape, query)}
    return read_body(shape, found, _invalid)


def _in_query(shape: Any, query: str) -> dict[str, Any]:
    """The members that come in the query: texts and numbers, which are all that there are."""
    given = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=100))
    found: dict[str, Any] = {}
    for name, its in shape.members.items():
        if its.serialization.get("location") == "querystring":
            text = given.get(its.serialization.get("name", name))
            if text is not None:
                number = its.type_name == "integer" and text.isdecimal()
                found[name] = int(text) if number else text
    return found


def _invalid(path: str, value: str | None, reason: str) -> ApiError:
    """RAM's names for what is missing, and for what is wrong."""
    if value is None:
        return ApiError("MissingRequiredParameterException", f"{path} must be given.")
    return ApiError(
        "InvalidParameterException", f"The value {value!r} of {path} is not valid. {reason}."
    )


def encode_refusal(error: ApiError) -> bytes:
    """The body of a refusal, whose code is in :data:`ERROR_HEADER`."""
    return msgspec.json.encode({"message": error.message})
