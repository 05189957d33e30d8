"""Draws a request from the shapes of AWS's model: good, borderline and wrong values, mixed.

What is drawn is text, as it is sent: a tree of names as the ec2 protocol has them.  The draws come
from anything that is like :class:`random.Random`, so that hypothesis can shrink them.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any
from urllib.parse import urlencode

from botocore.model import Shape

from gureum.model import View
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
        self._fault = dice.choice((0.0, 0.0, 0.02, 0.05, 0.3))
        # How many of the parameters that may be left out are given.
        self._generous = dice.choice((0.05, 0.15, 0.15, 0.4, 0.8))
        shape = service_model("ec2").operation_model(action).input_shape
        if shape is not None:
            self._structure(shape, "", 0)
        if dice.random() < self._fault / 2:
            self.parameters[dice.choice(("Nonsense", "VpcId.1", "Filter.1", "A.B.C", "."))] = "1"

    def body(self) -> bytes:
        """The form that a client would send."""
        return urlencode({"Action": self.action, **self.parameters}).encode()

    def _likely(self, chance: float) -> bool:
        return self._dice.random() < chance

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
                found = self._ids.get(prefix)
                if found and not self._likely(0.1):
                    return str(choose(found))
                return f"{prefix}-{choose(('00000000', '0' * 17, 'x', ''))}"
        for part, words in WORDS:
            if part in name:
                return str(choose(words))
        if self._likely(0.2):
            return str(choose(self._all_ids()))
        return str(choose(("a", "web", "default", "10.0.0.0/24", "10.0.1.20", "", "*", "x" * 300)))

    def _all_ids(self) -> Sequence[str]:
        return [key for found in self._ids.values() for key in found] or ["vpc-00000000"]


def _ids(view: View) -> dict[str, list[str]]:
    """The ids of all rows by their prefix, in an order that does not depend on them."""
    found: dict[str, list[str]] = {}
    for row in sorted(view.rows.values(), key=lambda row: (row.created, row.kind, row.id)):
        found.setdefault(row.prefix, []).append(row.id)
    return found


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
