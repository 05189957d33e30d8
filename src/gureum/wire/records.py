"""Parameters and answers in the form of CloudTrail's records, without what is secret.

Records of EC2 follow the elements of its XML: lower-case names, lists in ``items``, times in
milliseconds since 1970.  Those of the other services have the model's names with a small first
letter.  What the model marks as sensitive, and what is secret by its name, is
:data:`REMOVED` (CloudTrail's own text).  Source: AWS CloudTrail User Guide, "CloudTrail record
contents" and "CloudTrail log file examples".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from gureum.wire.models import service
from gureum.wire.scalars import parse_timestamp

REMOVED = "<sensitiveDataRemoved>"

MOST = 100_000
"""Bytes of parameters, or of an answer, that a record holds; of larger ones it tells the size."""

_SECRET = frozenset(
    {
        "CustomerGatewayConfiguration",
        "KeyMaterial",
        "NewPassword",
        "OldPassword",
        "Password",
        "PreSharedKey",
        "PrivateKey",
        "SecretAccessKey",
        "SessionToken",
        "TokenCode",
        "UserData",
    }
)
"""Members that are secret whatever the model says.  AWS's own records show session tokens; here a
token holds what opens it."""

_LISTS = {
    "Resources": "resourcesSet",
    "InstanceIds": "instancesSet",
    "SecurityGroupIds": "groupSet",
}
"""Lists of EC2's requests that are not called after their members."""

Convert = Callable[[Any], Any]


def shown_input(service_name: str, action: str, params: Mapping[str, Any]) -> Any:
    """The ``requestParameters`` of a record; None where there are none."""
    convert = _of_action(service_name, action, "input")
    return convert(params) if convert is not None and params else None


def shown_output(service_name: str, action: str, result: Mapping[str, Any], request_id: str) -> Any:
    """The ``responseElements`` of a record; None where there are none."""
    convert = _of_action(service_name, action, "output")
    told = convert(result) if convert is not None else {}
    if service(service_name).protocol != "ec2":
        return told or None
    return {"requestId": request_id, **(told if convert is not None else {"_return": True})}


@cache
def _of_action(service_name: str, action: str, way: str) -> Convert | None:
    """What converts the parameters or the answer of an action; None where it has none."""
    model = service(service_name)
    shape = model.input_shape(action) if way == "input" else model.output_shape(action)
    return _recorder(service_name, way).of(shape) if shape is not None else None


class _Recorder:
    """The compiled shapes of one service, on their way in or out."""

    def __init__(self, name: str, way: str) -> None:
        self._ec2 = service(name).protocol == "ec2"
        self._asked = way == "input"
        self._compiled: dict[str, Convert] = {}

    def of(self, shape: Any) -> Convert:
        """Converts values of a shape."""
        if shape.name not in self._compiled:
            self._compiled[shape.name] = self._compile(shape)
        return self._compiled[shape.name]

    def _compile(self, shape: Any) -> Convert:
        if shape.metadata.get("sensitive"):
            return _removed
        if shape.type_name == "structure":
            return self._structure(shape)
        if shape.type_name == "list":
            return self._list(shape)
        if shape.type_name == "timestamp":
            return _milliseconds if self._ec2 else _spoken_time
        return _blob if shape.type_name == "blob" else _same

    def _structure(self, shape: Any) -> Convert:
        plan: dict[str, tuple[str, Convert]] = {}

        def convert(value: Any) -> Any:
            if not plan:  # only now: shapes contain themselves
                for name, its in shape.members.items():
                    plan[name] = (self._name(name, its), self._member(name, its))
            return {
                plan[name][0]: plan[name][1](content)
                for name, content in value.items()
                if content is not None and name in plan
            }

        return convert

    def _member(self, name: str, shape: Any) -> Convert:
        """Converts what a structure has under a name."""
        if name in _SECRET:
            return _removed
        element = str(shape.serialization.get("name", name))
        inside = shape.member if shape.type_name == "list" else None
        if not (self._ec2 and self._asked and inside is not None and element != name):
            return self.of(shape)
        if inside.type_name in ("structure", "list", "map") or inside.metadata.get("sensitive"):
            return self.of(shape)
        called, item = _small(element), self.of(inside)
        return lambda value: {"items": [{called: item(each)} for each in value]} if value else {}

    def _list(self, shape: Any) -> Convert:
        item = self.of(shape.member)
        if not self._ec2:
            return lambda value: [item(each) for each in value]
        return lambda value: {"items": [item(each) for each in value]} if value else {}

    def _name(self, name: str, shape: Any) -> str:
        """What a member is called."""
        element = str(shape.serialization.get("name", name))
        if not self._ec2:
            return _small(name)
        if self._asked and shape.type_name == "list" and element[0].isupper():
            return _LISTS.get(name) or _small(element) + ("Set" if element != name else "")
        return _small(element)


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _removed(value: Any) -> str:
    return REMOVED


def _same(value: Any) -> Any:
    return value


def _blob(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _moment(value: Any) -> datetime | None:
    moment = parse_timestamp(value) if isinstance(value, str) else value
    return moment if isinstance(moment, datetime) else None


def _milliseconds(value: Any) -> Any:
    moment = _moment(value)
    return int(moment.timestamp() * 1000) if moment else value


def _spoken_time(value: Any) -> Any:
    """``Mar 24, 2014 9:11:59 PM``, as records of IAM and STS have it."""
    moment = _moment(value)
    if moment is None:
        return value
    moment = moment.astimezone(UTC)
    hour = moment.hour % 12 or 12
    return f"{moment:%b} {moment.day}, {moment.year} {hour}:{moment:%M:%S %p}"


@cache
def _recorder(name: str, way: str) -> _Recorder:
    return _Recorder(name, way)


@cache
def error_names(service_name: str) -> Mapping[str, str]:
    """The names that records give to codes: ``NoSuchEntity`` is ``NoSuchEntityException``."""
    model = service(service_name).model
    shapes = (model.shape_for(name) for name in model.shape_names)
    return {
        str(shape.metadata["error"]["code"]): str(shape.name)
        for shape in shapes
        if shape.metadata.get("exception") and "code" in shape.metadata.get("error", {})
    }
