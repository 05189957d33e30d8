"""Sample values for any shape of a model, chosen to hurt: many items, escapes, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from botocore.model import ShapeResolver

TEXTS = (
    "<&>\"'",
    "]]></item><item>",
    "a=b&c=d%20+e;f#?",
    "line\nfeed, \r return, \r\n both, \t tab",
    " spaces around ",
    "구름 ünïcode 🦆 \u2028\ufffd",
    "",
    "plain",
    "a.b.1.c",
    "&amp;%25",
)
MANY = 11
"""Items of an outermost list: sorted as text, the tenth would come before the second."""


class Sampler:
    """Makes distinct samples; ``most`` bounds the items of lists within lists."""

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._numbers: Iterator[int] = count()

    def value(self, shape: Any, lists: int = 0, path: tuple[str, ...] = ()) -> Any:
        """A sample of a shape; a shape inside itself ends as an empty list, map or structure."""
        kind = shape.type_name
        if kind == "structure":
            members = {} if path.count(shape.name) > 1 else shape.members
            inner = (*path, shape.name)
            return {name: self.value(its, lists, inner) for name, its in members.items()}
        if kind in ("list", "map") and path.count(shape.name) > 1:
            return [] if kind == "list" else {}
        if kind == "list":
            size = MANY if lists == 0 else self._most if lists == 1 else 1
            inner = (*path, shape.name)
            return [self.value(shape.member, lists + 1, inner) for _ in range(size)]
        if kind == "map":
            inner = (*path, shape.name)
            keys = shape.key.enum[:3] or [f"<key&{number}>" for number in range(3)]
            return {key: self.value(shape.value, lists + 1, inner) for key in keys}
        return self._scalar(shape)

    def _scalar(self, shape: Any) -> Any:
        number = next(self._numbers)
        kind = shape.type_name
        if kind == "string":
            if shape.enum:
                return shape.enum[number % len(shape.enum)]
            text = TEXTS[number % len(TEXTS)]
            return f"{text}{number}" if number % 3 else text
        if kind in ("integer", "long"):
            edge = (1 << 31 if kind == "integer" else 1 << 63) - 1
            low = shape.metadata.get("min", -edge - 1)
            high = shape.metadata.get("max", edge)
            return (low, high, max(low, min(high, number)))[number % 3]
        if kind in ("float", "double"):
            low, high = shape.metadata.get("min", -1e300), shape.metadata.get("max", 1e300)
            return float(max(low, min(high, (0.1, -2.5e-7, 1e300, 17.0)[number % 4])))
        if kind == "boolean":
            return number % 2 == 0
        if kind == "blob":
            return bytes(range(256)) + b"%d" % number
        assert kind == "timestamp", kind
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number, milliseconds=7 * number)


def odd_shape() -> Any:
    """A structure with what our services lack: flat lists and maps, and itself."""
    shapes = {
        "Odd": {
            "type": "structure",
            "members": {
                "Leaves": {"shape": "FlatList"},
                "Names": {"shape": "NamedList", "locationName": "Named"},
                "Map": {"shape": "Map"},
                "Flat": {"shape": "FlatMap"},
                "Me": {"shape": "Odd"},
            },
        },
        "FlatList": {
            "type": "list",
            "member": {"shape": "Text", "locationName": "Leaf"},
            "flattened": True,
        },
        "NamedList": {"type": "list", "member": {"shape": "Text", "locationName": "Name"}},
        "Map": {
            "type": "map",
            "key": {"shape": "Text", "locationName": "Key"},
            "value": {"shape": "Number"},
        },
        "FlatMap": {
            "type": "map",
            "key": {"shape": "Text"},
            "value": {"shape": "Number"},
            "flattened": True,
        },
        "Text": {"type": "string"},
        "Number": {"type": "integer"},
    }
    return ShapeResolver(shapes).get_shape_by_name("Odd")
