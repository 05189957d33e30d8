"""One revision of everything, immutable and cheap to derive the next from.

Rows live in persistent maps (hash array mapped tries), so a revision shares all but the changed
path with the one before, readers never lock, and a transaction that fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from immutables import Map

from gureum.model.resource import Resource, references

R = TypeVar("R", bound=Resource)

_NO_IDS: Map[str, None] = Map()
_NO_KINDS: Map[str, Map[str, None]] = Map()


class Reader(Protocol):
    """What a lowering or a describe function may ask of a revision."""

    def find(self, cls: type[R], key: str | None) -> R | None:
        """The row of that type and id, or None."""

    def all(self, cls: type[R]) -> Iterator[R]:
        """All rows of the type, of every account and region, in no particular order."""

    def referrers(self, key: str, cls: type[R]) -> Iterator[R]:
        """All rows of the type that name ``key`` in a ``ref`` field."""


@dataclass(frozen=True)
class View:
    """All rows at one revision: by id, ids by type, and by whom they refer to, ids by type."""

    revision: int = 0
    rows: Map[str, Resource] = field(default_factory=Map)
    kinds: Map[str, Map[str, None]] = field(default_factory=Map)
    referring: Map[str, Map[str, Map[str, None]]] = field(default_factory=Map)

    def find(self, cls: type[R], key: str | None) -> R | None:
        row = self.rows.get(key) if key is not None else None
        return row if isinstance(row, cls) else None

    def all(self, cls: type[R]) -> Iterator[R]:
        for key in self.kinds.get(cls.kind, _NO_IDS):
            row = self.rows[key]
            assert isinstance(row, cls)
            yield row

    def referrers(self, key: str, cls: type[R]) -> Iterator[R]:
        for source in self.referring.get(key, _NO_KINDS).get(cls.kind, _NO_IDS):
            row = self.rows[source]
            assert isinstance(row, cls)
            yield row

    def dependants(self, key: str) -> Iterator[str]:
        """The ids of all rows, of whatever type, that name ``key`` in a ``ref`` field."""
        for ids in self.referring.get(key, _NO_KINDS).values():
            yield from ids

    def put(self, row: Resource) -> View:
        """The view with ``row`` added or replaced (same revision number: a commit sets it)."""
        old = self.rows.get(row.id)
        before = {target for _, target, _ in references(old)} if old else set()
        after = {target for _, target, _ in references(row)}
        referring = _unlink(self.referring, row, before - after)
        for target in after - before:
            kinds_of = referring.get(target, _NO_KINDS)
            ids = kinds_of.get(row.kind, _NO_IDS).set(row.id, None)
            referring = referring.set(target, kinds_of.set(row.kind, ids))
        kinds = self.kinds
        if old is None:
            kinds = kinds.set(row.kind, kinds.get(row.kind, _NO_IDS).set(row.id, None))
        return View(self.revision, self.rows.set(row.id, row), kinds, referring)

    def drop(self, key: str) -> View:
        """The view without that row."""
        row = self.rows[key]
        referring = _unlink(self.referring, row, {target for _, target, _ in references(row)})
        kinds = self.kinds.set(row.kind, self.kinds[row.kind].delete(key))
        return View(self.revision, self.rows.delete(key), kinds, referring)

    def at(self, revision: int) -> View:
        """The same rows under another revision number."""
        return View(revision, self.rows, self.kinds, self.referring)


def _unlink(
    referring: Map[str, Map[str, Map[str, None]]], row: Resource, targets: set[str]
) -> Map[str, Map[str, Map[str, None]]]:
    for target in targets:
        ids = referring[target][row.kind].delete(row.id)
        kinds = referring[target]
        kinds = kinds.set(row.kind, ids) if ids else kinds.delete(row.kind)
        referring = referring.set(target, kinds) if kinds else referring.delete(target)
    return referring
