"""What differs between two readings of a live table of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from gureum.engines import Row, TableKind

KEYS: Mapping[TableKind, tuple[str, ...]] = {
    "arp": ("link", "address"),
    "mac": ("segment", "mac", "link"),
    "route": ("table", "destination", "metric"),
    "conntrack": ("protocol", "source", "sport", "destination", "dport"),
    "nat": ("protocol", "gateway", "public", "private", "sport", "destination", "dport"),
    "socket": ("protocol", "address", "port", "peer", "peer_port"),
}
"""The columns by which a row is known again."""

_CLOCKS = frozenset({"age", "expires"})
"""Columns that change by themselves."""


@dataclass(frozen=True)
class Change:
    """A row that came, went, or is another; ``was`` are the values of the columns that differ, as
    they were."""

    change: Literal["added", "removed", "changed"]
    row: Row
    was: Row


def changes(kind: TableKind, before: Iterable[Row], after: Iterable[Row]) -> list[Change]:
    """The differences: what went, then what came or is another, in the tables' order.  Clocks that
    run are none."""
    old = {_key(kind, row): row for row in before}
    new = {_key(kind, row): row for row in after}
    found = [Change("removed", row, {}) for key, row in old.items() if key not in new]
    for key, row in new.items():
        if key not in old:
            found.append(Change("added", row, {}))
            continue
        was = {
            column: value
            for column, value in old[key].items()
            if value != row.get(column) and column not in _CLOCKS
        }
        if was:
            found.append(Change("changed", row, was))
    return found


def _key(kind: TableKind, row: Row) -> tuple[str | int, ...]:
    return tuple(row.get(column, "") for column in KEYS[kind])
