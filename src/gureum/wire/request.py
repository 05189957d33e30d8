"""From an HTTP request to a :class:`Request`: which service, which action, with what parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gureum.errors import ApiError
from gureum.wire import json_rpc, rest_json
from gureum.wire.decoder import decode_input
from gureum.wire.form import pairs, tree
from gureum.wire.models import (
    ALL_SERVICES,
    JSON_SERVICES,
    REST_SERVICES,
    SERVICES,
    api_versions,
    known_action,
    service,
)
from gureum.wire.sigv4 import Scope, credential_scope

_SIGNING_V2 = frozenset(
    ("AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "Expires")
)
"""Parameters of the old signature: part of no action, and no reason to refuse one."""
_ACTION = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")


@dataclass(frozen=True)
class Request:
    """A decoded and validated API call.

    ``params`` has the model's member names; blobs are bytes, timestamps datetimes in UTC.
    ``access_key`` and ``region`` are what the signature claims, not proven; None if unsigned.
    ``token`` is the idempotency token, if the client sent one.
    """

    service: str
    version: str
    action: str
    params: dict[str, Any] = field(default_factory=dict)
    access_key: str | None = None
    region: str | None = None
    dry_run: bool = False
    token: str | None = None


@dataclass(frozen=True)
class Unread:
    """A call of which is known what it is, but not with what parameters."""

    known: Request
    _read: Callable[[], dict[str, Any]] = field(repr=False)

    def read(self) -> Request:
        """The whole call.

        Raises:
            ApiError: with AWS's code; see :mod:`gureum.wire.decoder`.
        """
        known = self.known
        params = self._read()
        return Request(
            service=known.service,
            version=known.version,
            action=known.action,
            params=params,
            access_key=known.access_key,
            region=known.region,
            dry_run=params.get("DryRun") is True,
            token=params.get(_token_member(known.service, known.action)) or None,
        )


def decode(
    method: str,
    headers: Mapping[str, str],
    query: str,
    body: bytes,
    host_service: str | None = None,
    path: str = "/",
) -> Request:
    """Read a request: see :func:`opened` and :meth:`Unread.read`, whose errors it raises."""
    return opened(method, headers, query, body, host_service, path).read()


def opened(
    method: str,
    headers: Mapping[str, str],
    query: str,
    body: bytes,
    host_service: str | None = None,
    path: str = "/",
) -> Unread:
    """What a request of the ec2 or query protocol is, a POST with a form body, or a GET; or of the
    json protocol; or of restJson1, where method and path name the action.

    The service is the one of the credential scope, else ``host_service`` (from the name of the
    host that was called), else the one of the API version, else the first that has the action.

    Raises:
        ApiError: with AWS's code; see :mod:`gureum.wire.form` too.
    """
    lower = {name.lower(): text for name, text in headers.items()}
    at = rest_json.target(method, path)
    if at is not None:
        return _in_json(at, lower, lambda: rest_json.decode(*at, query, body))
    if method not in ("GET", "POST"):
        raise ApiError(
            "UnsupportedHttpVerb", f"The requested HTTP verb is not supported: {method[:20]}"
        )
    named = json_rpc.target(lower) if method == "POST" else None
    if named is not None:
        return _in_json(named, lower, lambda: json_rpc.decode_body(*named, body))
    parameters = pairs(query, body if method == "POST" else b"")
    scope = credential_scope(lower, parameters)
    access_key = scope.access_key if scope else parameters.get("AWSAccessKeyId")
    version = parameters.pop("Version", None)
    action = parameters.pop("Action", "")
    if (scope.service if scope else host_service) in REST_SERVICES:
        raise ApiError("UnknownOperationException", "", 404)
    if not action:
        raise ApiError("MissingAction", "The request is missing an action or a required parameter.")
    name = _service(scope, host_service, version, action)
    if version is not None and version not in api_versions(name):
        raise ApiError(
            "NoSuchVersion",
            f"The requested version ({version[:40]}) of service {name} does not exist",
        )
    if not known_action(name, action):
        raise _invalid_action(action)
    known = Request(
        service=name,
        version=version or SERVICES[name],
        action=action,
        access_key=access_key,
        region=scope.region if scope else None,
    )
    return Unread(known, lambda: decode_input(name, action, tree(_own(parameters))))


def _in_json(
    named: tuple[str, str], headers: Mapping[str, str], read: Callable[[], dict[str, Any]]
) -> Unread:
    """A request with parameters in JSON."""
    name, action = named
    scope = credential_scope(headers, {})
    if scope is not None and scope.service != name:
        raise ApiError(
            "InvalidSignatureException",
            f"Credential should be scoped to correct service: '{name}'.",
        )
    known = Request(
        service=name,
        version=ALL_SERVICES[name],
        action=action,
        access_key=scope.access_key if scope else None,
        region=scope.region if scope else None,
    )
    return Unread(known, read)


def addressed(
    headers: Mapping[str, str],
    query: str,
    body: bytes,
    host_service: str | None = None,
    path: str = "/",
) -> str | None:
    """The service that a request seems to be for, however bad it is: a refusal is told in its form.

    None where nothing tells.
    """
    lower = {name.lower(): text for name, text in headers.items()}
    if json_rpc.TARGET in lower:
        return next(iter(JSON_SERVICES))
    if path != "/" and any(target[1] == path for target in rest_json.known()):
        return next(iter(REST_SERVICES))
    try:
        parameters = pairs(query, body)
        scope = credential_scope(headers, parameters)
    except ApiError:
        return host_service
    if scope is not None or host_service is not None:
        return scope.service if scope else host_service
    version = parameters.get("Version")
    return next((name for name, latest in SERVICES.items() if latest == version), None)


def _own(parameters: dict[str, str]) -> dict[str, str]:
    """The parameters less those of the signature."""
    signed_v2 = "AWSAccessKeyId" in parameters
    return {
        name: value
        for name, value in parameters.items()
        if not name.startswith("X-Amz-") and not (signed_v2 and name in _SIGNING_V2)
    }


def _service(scope: Scope | None, host: str | None, version: str | None, action: str) -> str:
    named = scope.service if scope else host
    if named is not None:
        if named not in SERVICES:
            raise ApiError(
                "UnsupportedOperation",
                f"The service {named} is not built in Gureum; it speaks {', '.join(SERVICES)}.",
                501,
            )
        return named
    for name, api_version in SERVICES.items():
        if version == api_version:
            return name
    for name in SERVICES:
        if known_action(name, action):
            return name
    raise _invalid_action(action)


@cache
def _token_member(name: str, action: str) -> str:
    """The idempotency token of an action.  Where the model marks none, ``ClientToken`` is one
    all the same (RAM spells it small): the mark only tells clients to fill it in unasked."""
    shape = service(name).input_shape(action)
    members = shape.members.items() if shape is not None else ()
    for member, its in members:
        if its.metadata.get("idempotencyToken"):
            return str(member)
    return "clientToken" if name in REST_SERVICES else "ClientToken"


def _invalid_action(action: str) -> ApiError:
    shown = action if _ACTION.fullmatch(action) else "in the request"
    return ApiError("InvalidAction", f"The action {shown} is not valid for this web service.")
