"""Draws a request: from the shapes of AWS's model, or a good one with faults.

Good, borderline and wrong values are mixed, and ids of what is there.

What is drawn is text, as it is sent: a tree of names as the ec2 protocol has them.  The draws come
from anything that is like :class:`random.Random`, so that hypothesis can shrink them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any
from urllib.parse import urlencode

import msgspec
from botocore.model import Shape

from gureum.model import Resource, View
from tests.fuzz.record import GOOD
from tests.fuzz.words import BORDERS, FILTERS, RUBBISH, WORDS, prefixes
from tests.wiring import service_model

MOST_DEEP = 7
"""Shapes of the model that contain themselves are not followed further."""

_TIMES = ("2026-11-24T08:00:00Z", "2020-01-01", "2099-12-31T23:59:59.999Z", "1", "9999-99-99", "")
_BLOBS = ("", "aGk=", "not base64!", "AAAA" * 6000, "c3NoLXJzYSBBQUFB", "!")


class Drawn:
    """One request on a cloud: ``action`` and ``parameters``, flat, as they are sent."""

    def __init__(self, dice: Random, view: View, action: str) -> None:
        self._dice = dice
        self._ids = _ids(view)
        self.action = action
        self.parameters: dict[str, str] = {}
        # Some requests are all good, most have a fault somewhere, few are rubbish.
        self._fault = dice.choice((0.0, 0.0, 0.0, 0.01, 0.05, 0.3))
        # How many of the parameters that may be left out are given.
        self._generous = dice.choice((0.05, 0.15, 0.15, 0.4, 0.8))
        shape = service_model("ec2").operation_model(action).input_shape
        good = _good().get(action)
        if good and dice.random() < 0.7:
            self._mutate(dice.choice(good))
            self._generous = 0.02
            if shape is not None and dice.random() < 0.3:
                self._structure(shape, "", 0)
        elif shape is not None:
            self._structure(shape, "", 0)
        if dice.random() < self._fault / 2:
            self.parameters[dice.choice(("Nonsense", "VpcId.1", "Filter.1", "A.B.C", "."))] = "1"

    def body(self) -> bytes:
        """The form that a client would send."""
        return urlencode({"Action": self.action, **self.parameters}).encode()

    def _likely(self, chance: float) -> bool:
        return self._dice.random() < chance

    def _mutate(self, good: Mapping[str, str]) -> None:
        """Take over a good request, with ids that are here and perhaps with some faults."""
        flat = self.filled(good)
        for _ in range(self._dice.choice((0, 0, 1, 1, 2, 3))):
            if not flat:
                break
            name = self._dice.choice(sorted(flat))
            last = [part for part in name.split(".") if not part.isdigit()][-1]
            what = self._dice.randrange(5)
            if what == 0:
                del flat[name]
            elif what == 1:
                flat[name] = str(self._dice.choice(RUBBISH))
            elif what == 2:
                flat[name] = str(self._dice.choice(BORDERS))
            elif what == 3 and ".1" in name:
                flat[name.replace(".1", ".2", 1)] = flat[name]
            else:
                flat[name] = self._text(last)
        self.parameters |= flat
        if self._likely(0.1):
            self.parameters["DryRun"] = "true"

    def filled(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Parameters with ids in the places of their prefixes."""
        return {name: _PLACE.sub(self._some_id, text) for name, text in parameters.items()}

    def _some_id(self, found: re.Match[str]) -> str:
        prefix = found.group(1)
        return self._dice.choice(self._ids.get(prefix, [f"{prefix}-00000000"]))

    # --- shapes ---------------------------------------------------------------------------------
    def _structure(self, shape: Any, path: str, depth: int) -> None:
        required = set(shape.required_members)
        for name, member in shape.members.items():
            if name == "DryRun":
                given = self._likely(0.1)
            elif name == "NextToken":
                given = self._likely(self._fault)
            elif name in required:
                given = not self._likely(self._fault)
            else:
                given = self._likely(self._generous / (1 + depth / 2))
            if given:
                self._value(member, f"{path}{_key(name, member)}", name, depth + 1)

    def _value(self, shape: Any, path: str, name: str, depth: int) -> None:
        if depth > MOST_DEEP:
            return
        if self._likely(self._fault / 3):  # something else than what the shape has
            self.parameters[path + self._dice.choice(("", ".1", ".Other"))] = "1"
        elif shape.type_name == "structure":
            self._structure(shape, f"{path}.", depth)
        elif shape.type_name == "list":
            for number in range(1, 1 + self._dice.choice((1, 1, 1, 1, 2, 2, 3))):
                self._value(shape.member, f"{path}.{number}", name, depth + 1)
        else:
            filters = path.startswith("Filter.") and name == "Name"
            words = FILTERS if filters and not self._likely(self._fault) else None
            self.parameters[path] = choice_of(self._dice, words) or self._scalar(shape, name)

    def _scalar(self, shape: Any, name: str) -> str:
        kind, choose = shape.type_name, self._dice.choice
        if self._likely(self._fault):
            return str(choose(RUBBISH))
        if kind == "boolean":
            return str(choose(("true", "false")))
        if kind in ("integer", "long", "float", "double"):
            return str(self._number(shape, name))
        if kind == "timestamp":
            return str(choose(_TIMES))
        if kind == "blob":
            return str(choose(_BLOBS))
        if shape.enum:
            return str(choose(shape.enum))
        return self._text(name)

    def _number(self, shape: Any, name: str) -> int | str:
        if "min" in shape.metadata and self._likely(0.6):
            least, most = shape.metadata["min"], shape.metadata.get("max", 1 << 31)
            return int(self._dice.choice((least, most, least - 1, most + 1, least + 1)))
        if "Port" in name and self._likely(0.8):
            return int(self._dice.choice((-1, 0, 22, 80, 443, 65535, 65536)))
        return str(self._dice.choice(BORDERS))

    def _text(self, name: str) -> str:
        choose = self._dice.choice
        if name in ("Resources", "ResourceId", "ResourceIds", "GatewayId", "Id"):
            return str(choose(self._all_ids()))
        for part, prefix in prefixes(name):
            if part in name:
                found = self._ids.get(self._dice.choice(prefix) if len(prefix) > 1 else prefix[0])
                if found and not self._likely(0.1):
                    return str(choose(found))
                return f"{prefix[0]}-{choose(('00000000', '0' * 17, 'x', ''))}"
        if ("Ip" in name or "Address" in name) and "v6" not in name and self._likely(0.6):
            return str(choose(self._ids.get(".", ["10.0.1.9"])))
        for part, words in WORDS:
            if part in name:
                return str(choose(words))
        if self._likely(0.2):
            return str(choose(self._all_ids()))
        return str(choose(("a", "web", "default", "10.0.0.0/24", "10.0.1.20", "", "*", "x" * 300)))

    def _all_ids(self) -> Sequence[str]:
        return [key for found in self._ids.values() for key in found] or ["vpc-00000000"]


_PLACE = re.compile("<([a-z-]+)>")


@cache
def _good() -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = json.loads(GOOD.read_text(encoding="utf-8"))
    return found


_WORD = re.compile(rb'"([a-z][a-z-]*)-([0-9a-f]{17}|[0-9a-f]{8})"')
_ADDRESS = re.compile(rb'"(\d+\.\d+\.\d+\.\d+)"')


@cache
def _words_of(row: Resource) -> tuple[tuple[str, str], ...]:
    """The ids in a row, its own and those of parts of it, by prefix; addresses by a dot."""
    text = msgspec.json.encode(row)
    words = [(m.group(1).decode(), m.group(0).decode()[1:-1]) for m in _WORD.finditer(text)]
    words += [(".", m.group(1).decode()) for m in _ADDRESS.finditer(text)]
    return ((row.prefix, row.id), *words)


_last: list[tuple[View, dict[str, list[str]]]] = []
"""The ids of the latest view: most requests change nothing."""


def _ids(view: View) -> dict[str, list[str]]:
    """The ids of everything by their prefix, in an order that does not depend on them."""
    if _last and _last[0][0] is view:
        return _last[0][1]
    found: dict[str, dict[str, None]] = {}
    for row in sorted(view.rows.values(), key=lambda row: (row.created, row.kind, row.id)):
        for prefix, word in _words_of(row):
            found.setdefault(prefix, {})[word] = None
    _last[:] = [(view, {prefix: list(words) for prefix, words in found.items()})]
    return _last[0][1]


def _key(name: str, shape: Shape) -> str:
    """What a member is called in a request of the ec2 protocol."""
    serialization = shape.serialization
    if "queryName" in serialization:
        return str(serialization["queryName"])
    location = str(serialization.get("name", name))
    return location[0].upper() + location[1:]


def choice_of(dice: Random, words: Sequence[str] | None) -> str | None:
    """One of some words, if there are any."""
    return dice.choice(words) if words else None
