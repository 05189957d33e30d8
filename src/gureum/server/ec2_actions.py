"""Which types of resource each action of EC2 is about, and which condition keys hold of each.

The table is ``ec2_actions.json``, made by ``scripts/ec2_actions.py`` of the Service Authorization
Reference; it is read when the first call is held against policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

import msgspec

from gureum.iam.caller import Keys

TABLE = Path(__file__).with_name("ec2_actions.json")


@dataclass(frozen=True)
class KeySet:
    """Names of condition keys, some of which go on (``aws:ResourceTag/${TagKey}``)."""

    exact: frozenset[str]
    beginnings: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Whether a key is one of them."""
        return name in self.exact or name.startswith(self.beginnings)


NONE = KeySet(frozenset(), ())


@dataclass(frozen=True)
class Action:
    """What the table says of one action: types of resources with their keys, the types that it must
    always be about, and the keys that hold whatever it is about."""

    types: Mapping[str, KeySet] = field(default_factory=lambda: MappingProxyType({}))
    required: frozenset[str] = frozenset()
    keys: KeySet = NONE

    def held(self, kind: str, keys: Keys) -> Keys:
        """Those of ``keys`` that hold of a resource of a type; of none where ``kind`` is empty."""
        own = self.types.get(kind, NONE)
        return tuple(
            (name, value) for name, value in keys if own.holds(name) or self.keys.holds(name)
        )


class _Table(msgspec.Struct):
    keys: list[list[str]]
    actions: dict[str, dict[str, tuple[int, int]]]


@cache
def known() -> Mapping[str, Action]:
    """All actions of EC2 that AWS has in its table."""
    table = msgspec.json.decode(TABLE.read_bytes(), type=_Table)
    sets = [_key_set(names) for names in table.keys]
    return {
        name: Action(
            {kind: sets[number] for kind, (_, number) in types.items() if kind},
            frozenset(kind for kind, (required, _) in types.items() if required and kind),
            sets[types[""][1]] if "" in types else NONE,
        )
        for name, types in table.actions.items()
    }


def action(name: str) -> Action:
    """What is known of an action; of one that is not in the table, that it is about nothing in
    particular."""
    return known().get(name, _UNKNOWN)


_UNKNOWN = Action(keys=KeySet(frozenset({"ec2:Region"}), ()))


def _key_set(names: list[str]) -> KeySet:
    return KeySet(
        frozenset(name for name in names if "$" not in name),
        tuple(name.partition("$")[0] for name in names if "$" in name),
    )
