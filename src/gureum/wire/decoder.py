"""From the tree of a request's parameters to a structure of the model, validated on the way.

Shapes are compiled to closures once and shared by all operations that use them.  The rules of the
ec2 protocol: a name is the model's ``queryName``, else its ``locationName`` with a capital, else
the member's own; lists are always flat (``InstanceId.1``).  Of query: ``locationName`` as it
stands, lists as ``Names.member.1`` unless flattened, maps as ``Map.entry.1.key``.
Sources: Smithy, "AWS EC2 query protocol" and "AWS query protocol".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from gureum.errors import ApiError
from gureum.wire.faults import Faults, faults
from gureum.wire.form import Node, Tree
from gureum.wire.models import SCALARS, service
from gureum.wire.scalars import scalar

Decode = Callable[[Node, str], Any]

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class _Member:
    name: str
    decode: Decode
    drops_empty: bool
    """``X=`` is as good as no X at all.  Go clients send it for options not set.  Strings are
    different: an empty tag value or description is a value."""


class Decoder:
    """The compiled input shapes of one protocol."""

    def __init__(self, protocol: str) -> None:
        self._ec2 = protocol == "ec2"
        self._faults: Faults = faults(protocol)
        self._compiled: dict[tuple[str, bool], Decode] = {}

    def of(self, shape: Any) -> Decode:
        """The decoder of a shape."""
        key = (shape.name, shape.type_name not in SCALARS and self._flat(shape))
        if key not in self._compiled:
            self._compiled[key] = self._compile(shape)
        return self._compiled[key]

    def _compile(self, shape: Any) -> Decode:
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        return self._scalar(shape)

    # --- names ---------------------------------------------------------------------------------
    def _flat(self, shape: Any) -> bool:
        return self._ec2 or bool(shape.serialization.get("flattened"))

    def _key(self, name: str, shape: Any) -> str:
        """What a member is called in a request."""
        serialization = shape.serialization
        if not self._ec2:
            if shape.type_name == "list" and self._flat(shape):
                inner: str | None = shape.member.serialization.get("name")
                if inner:
                    return inner
            return str(serialization.get("name", name))
        if "queryName" in serialization:
            return str(serialization["queryName"])
        location: str = serialization.get("name", name)
        return location[0].upper() + location[1:]

    # --- shapes --------------------------------------------------------------------------------
    def _scalar(self, shape: Any) -> Decode:
        decode = scalar(shape, self._faults)
        unknown = self._unknown

        def decode_scalar(node: Node, path: str) -> Any:
            if not isinstance(node, str):
                raise unknown(node, path)
            return decode(node, path)

        return decode_scalar

    def _structure(self, shape: Any) -> Decode:
        plan: dict[str, _Member] = {}
        required: list[tuple[str, str]] = []
        unknown, missing = self._unknown, self._faults.missing

        def decode_structure(node: Node, path: str) -> dict[str, Any]:
            if not plan:  # only now: shapes of other services contain themselves
                members = self._members(shape)
                keys = {member.name: key for key, member in members.items()}
                required[:] = [(name, keys[name]) for name in shape.required_members]
                plan.update(members)  # last: other threads may be looking at it
            if isinstance(node, str) and node:
                raise unknown(node, path)
            prefix = path + "." if path else ""
            found: dict[str, Any] = {}
            for key, child in node.items() if isinstance(node, dict) else ():
                member = plan.get(key)
                if member is None:
                    raise unknown(child, prefix + key)
                if child or not member.drops_empty:
                    found[member.name] = member.decode(child, prefix + key)
            for name, key in required:
                if name not in found:
                    raise missing(prefix + key)
            return found

        return decode_structure

    def _members(self, shape: Any) -> dict[str, _Member]:
        """The members of a structure by what they are called in a request."""
        return {
            self._key(name, its): _Member(
                name, self.of(its), its.type_name in SCALARS and not _keeps_empty(its)
            )
            for name, its in shape.members.items()
        }

    def _list(self, shape: Any) -> Decode:
        inner = None if self._flat(shape) else shape.member.serialization.get("name", "member")
        item, entries = self.of(shape.member), self._entries

        def decode_list(node: Node, path: str) -> list[Any]:
            return [item(child, where) for child, where in entries(node, path, inner)]

        return decode_list

    def _map(self, shape: Any) -> Decode:
        inner = None if self._flat(shape) else "entry"
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        key, value, entries = self.of(shape.key), self.of(shape.value), self._entries
        missing, unknown = self._faults.missing, self._unknown

        def decode_map(node: Node, path: str) -> dict[str, Any]:
            found = {}
            for child, where in entries(node, path, inner):
                if isinstance(child, str) or not child.keys() <= {key_name, value_name}:
                    raise unknown(child, where)
                for name in (key_name, value_name):
                    if name not in child:
                        raise missing(f"{where}.{name}")
                name = key(child[key_name], f"{where}.{key_name}")
                found[name] = value(child[value_name], f"{where}.{value_name}")
            return found

        return decode_map

    def _entries(self, node: Node, path: str, inner: str | None) -> Iterator[tuple[Node, str]]:
        """The children of a list in the order of their numbers, which may have gaps."""
        if node == "":  # how the query protocol sends an empty list
            return
        if inner is not None:
            if isinstance(node, str) or node.keys() != {inner}:
                raise self._unknown(node, path)
            node, path = node[inner], f"{path}.{inner}"
        if isinstance(node, str):
            raise self._unknown(node, path)
        for index in node:
            if not _INDEX.fullmatch(index):
                raise self._unknown(node[index], f"{path}.{index}")
        for index in sorted(node, key=int):
            yield node[index], f"{path}.{index}"

    def _unknown(self, node: Node, path: str) -> ApiError:
        """The refusal of a parameter, by the full name that the client gave it."""
        while isinstance(node, dict) and node:
            segment, node = next(iter(node.items()))
            path = f"{path}.{segment}"
        return self._faults.unknown(path)


def _keeps_empty(shape: Any) -> bool:
    return shape.type_name == "string" and not shape.enum


@cache
def _decoder(protocol: str, service_name: str) -> Decoder:
    # Per service: shapes of two services may share a name.
    return Decoder(protocol)


def decode_input(service_name: str, action: str, parameters: Tree) -> dict[str, Any]:
    """The parameters of an action in the model's names and types.

    Raises:
        ApiError: ``UnknownParameter``, ``MissingParameter``, ``InvalidParameterValue`` (or
            ``ValidationError`` in services of the query protocol).
    """
    model = service(service_name)
    shape = model.input_shape(action)
    if shape is None:
        for name in parameters:
            raise faults(model.protocol).unknown(name)
        return {}
    found: dict[str, Any] = _decoder(model.protocol, service_name).of(shape)(parameters, "")
    return found
