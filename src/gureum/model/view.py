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
    """All rows at one revision: by id, ids by type, and ids by whom they refer to."""

    revision: int = 0
    rows: Map[str, Resource] = field(default_factory=Map)
    kinds: Map[str, Map[str, None]] = field(default_factory=Map)
    referring: Map[str, Map[str, None]] = field(default_factory=Map)

    def find(self, cls: type[R], key: str | None) -> R | None:
        row = self.rows.get(key) if key is not None else None
        return row if isinstance(row, cls) else None

    def all(self, cls: type[R]) -> Iterator[R]:
        for key in self.kinds.get(cls.kind, _NO_IDS):
            row = self.rows[key]
            assert isinstance(row, cls)
            yield row

    def referrers(self, key: str, cls: type[R]) -> Iterator[R]:
        for source in self.referring.get(key, _NO_IDS):
            row = self.rows[source]
            if isinstance(row, cls):
                yield row

    def put(self, row: Resource) -> View:
        """The view with ``row`` added or replaced (same revision number: a commit sets it)."""
        old = self.rows.get(row.id)
        before = {target for _, target, _ in references(old)} if old else set()
        after = {target for _, target, _ in references(row)}
        referring = _unlink(self.referring, row.id, before - after)
        for target in after - before:
            referring = referring.set(target, referring.get(target, _NO_IDS).set(row.id, None))
        kinds = self.kinds
        if old is None:
            kinds = kinds.set(row.kind, kinds.get(row.kind, _NO_IDS).set(row.id, None))
        return View(self.revision, self.rows.set(row.id, row), kinds, referring)

    def drop(self, key: str) -> View:
        """The view without that row."""
        row = self.rows[key]
        referring = _unlink(self.referring, key, {target for _, target, _ in references(row)})
        kinds = self.kinds.set(row.kind, self.kinds[row.kind].delete(key))
        return View(self.revision, self.rows.delete(key), kinds, referring)

    def at(self, revision: int) -> View:
        """The same rows under another revision number."""
        return View(revision, self.rows, self.kinds, self.referring)


def _unlink(
    referring: Map[str, Map[str, None]], source: str, targets: set[str]
) -> Map[str, Map[str, None]]:
    for target in targets:
        rest = referring[target].delete(source)
        referring = referring.set(target, rest) if rest else referring.delete(target)
    return referring
