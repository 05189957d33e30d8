"""From a result in the model's names to XML elements, refusing what the model does not know.

A key that the shape lacks, a value of the wrong type or outside its enum is a mistake in our own
code and raises :class:`MisfitError`, so that it fails a test instead of vanishing from an answer.
Shapes are compiled to closures once, as in :mod:`gureum.wire.decoder`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from gureum.wire.models import SCALARS, service
from gureum.wire.scalars import parse_timestamp
from gureum.wire.xml import escape

Write = Callable[[Any, list[str]], None]
"""Appends pieces of XML for a value to a list."""
Format = Callable[[Any], str]

_BEYOND: Mapping[str, frozenset[str]] = {
    "AttachmentStatus": frozenset({"available"}),
    "NetworkInterfacePermissionStateCode": frozenset({"GRANTED"}),
    "NetworkInterfaceType": frozenset({"nat_gateway"}),
    "PermissionsBoundaryAttachmentType": frozenset({"Policy"}),
    "State": frozenset(
        {"available", "deleted", "deleting", "failed", "pending", "pendingAcceptance", "rejected"}
    ),
}
"""Values that AWS sends although the enum of the shape lacks them: an attached internet gateway is
``available`` (EC2 API Reference, InternetGatewayAttachment), and recorded answers show
``nat_gateway`` where the enum has ``natGateway``.  Terraform's provider waits until a permission is
``GRANTED``; states of VPC endpoints come in lower case (``vpc-endpoint-state`` of
DescribeVpcEndpoints, and what the provider waits for).  A boundary's type "can only have a value of
Policy" (IAM API Reference, AttachedPermissionsBoundary)."""


class MisfitError(ValueError):
    """A result that is not of the output shape; says where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def inside(self, name: str) -> MisfitError:
        """The same, seen from one level further out."""
        self.path.insert(0, name)
        return self

    def __str__(self) -> str:
        return f"{'.'.join(self.path).replace('.[', '[')}: {self.reason}"


class Encoder:
    """The compiled output shapes of one service."""

    def __init__(self, protocol: str) -> None:
        self._unnamed = "item" if protocol == "ec2" else "member"
        self._compiled: dict[str, Write] = {}

    def element(self, tag: str, shape: Any) -> Write:
        """Writes a value as one element, or a flattened list as several."""
        if shape.type_name in ("list", "map") and shape.serialization.get("flattened"):
            return self._repeated(tag, shape)
        start, end = f"<{tag}>", f"</{tag}>"
        if shape.type_name in SCALARS:  # nearly all: one piece, not three
            form = _format(shape)
            return lambda value, out: out.append(f"{start}{form(value)}{end}")
        content = self.content(shape)

        def write(value: Any, out: list[str]) -> None:
            out.append(start)
            content(value, out)
            out.append(end)

        return write

    def content(self, shape: Any) -> Write:
        """Writes what stands between the tags."""
        if shape.name not in self._compiled:
            self._compiled[shape.name] = self._compile(shape)
        return self._compiled[shape.name]

    def _compile(self, shape: Any) -> Write:
        if shape.type_name in SCALARS:
            return _scalar(shape)
        if shape.type_name == "structure":
            return self._structure(shape)
        return self._repeated("", shape)

    def _structure(self, shape: Any) -> Write:
        plan: dict[str, Write] = {}

        def write(value: Any, out: list[str]) -> None:
            if not isinstance(value, dict | Mapping):
                raise MisfitError(f"a structure is expected, not {value!r}")
            if not plan:  # only now: shapes of other services contain themselves
                members = shape.members.items()
                plan.update({name: self.element(_tag(name, its), its) for name, its in members})
            for name, content in value.items():
                if content is None:
                    continue
                member = plan.get(name)
                if member is None:
                    raise MisfitError(f"{shape.name} has no such member").inside(str(name))
                try:
                    member(content, out)
                except MisfitError as misfit:
                    raise misfit.inside(name) from None

        return write

    def _repeated(self, tag: str, shape: Any) -> Write:
        if shape.type_name == "map":
            return self._map(tag or "entry", shape)
        unnamed = tag or self._unnamed
        item = self.element(shape.member.serialization.get("name", unnamed), shape.member)

        def write(value: Any, out: list[str]) -> None:
            if not isinstance(value, list | tuple):
                raise MisfitError(f"a list is expected, not {value!r}")
            for index, content in enumerate(value):
                try:
                    item(content, out)
                except MisfitError as misfit:
                    raise misfit.inside(f"[{index}]") from None

        return write

    def _map(self, tag: str, shape: Any) -> Write:
        key = self.element(shape.key.serialization.get("name", "key"), shape.key)
        item = self.element(shape.value.serialization.get("name", "value"), shape.value)

        def write(value: Any, out: list[str]) -> None:
            if not isinstance(value, dict | Mapping):
                raise MisfitError(f"a map is expected, not {value!r}")
            for name, content in value.items():
                out.append(f"<{tag}>")
                try:
                    key(name, out)
                    item(content, out)
                except MisfitError as misfit:
                    raise misfit.inside(str(name)) from None
                out.append(f"</{tag}>")

        return write


def _tag(name: str, shape: Any) -> str:
    return str(shape.serialization.get("name", name))


def _scalar(shape: Any) -> Write:
    form = _format(shape)

    def write(value: Any, out: list[str]) -> None:
        out.append(form(value))

    return write


def _format(shape: Any) -> Format:
    if shape.type_name == "string":
        return _string(allowed(shape))
    return _FORMATS[shape.type_name]


def allowed(shape: Any) -> frozenset[str]:
    """The values that AWS sends for a string of the model; none stands for all."""
    known = frozenset(shape.enum)
    return known | _BEYOND.get(shape.name, frozenset()) if known else known


def _string(allowed: Iterable[str]) -> Format:
    def form(value: Any) -> str:
        if not isinstance(value, str):
            raise MisfitError(f"a string is expected, not {value!r}")
        if allowed and value not in allowed:
            raise MisfitError(f"{value!r} is none of {', '.join(sorted(allowed))}"[:300])
        return escape(value)

    return form


def _boolean(value: Any) -> str:
    if not isinstance(value, bool):
        raise MisfitError(f"a boolean is expected, not {value!r}")
    return "true" if value else "false"


def _integer(value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MisfitError(f"an integer is expected, not {value!r}")
    return str(value)


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MisfitError(f"a number is expected, not {value!r}")
    return repr(value)


def _timestamp(value: Any) -> str:
    """``2026-11-24T08:00:00.000Z``: EC2 shows milliseconds always."""
    moment = parse_timestamp(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise MisfitError(f"a time (aware, or ISO 8601) is expected, not {value!r}")
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def _blob(value: Any) -> str:
    if not isinstance(value, bytes):
        raise MisfitError(f"bytes are expected, not {value!r}")
    return base64.b64encode(value).decode()


_FORMATS: Mapping[str, Format] = {
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
    "float": _number,
    "double": _number,
    "timestamp": _timestamp,
    "blob": _blob,
}


@cache
def encoder(service_name: str) -> Encoder:
    """The encoder of a service; per service, for shapes of two services may share a name."""
    return Encoder(service(service_name).protocol)
