"""From rows to the abstract network: pure, and incremental without being told what matters.

Each row with a lowering is a *unit*; what several rows share (the rules of a set of groups) is a
*derived* unit, lowered once per distinct key.  A unit remembers which rows it read.  A commit
lowers again only the units that read a changed row, so the cost follows the change; a full
compilation by :func:`compile_all` must give the identical program, which tests and the periodic
full pass assert.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from gureum.kind import Lowering
from gureum.model import Changes, Resource, View, references
from gureum.program import Program, Statement
from gureum.resources import Registry

R = TypeVar("R", bound=Resource)

Unit: TypeAlias = Hashable
"""A row's id, or ``(derive, key)``."""
Token: TypeAlias = tuple[str, ...]
"""Something a unit read: ``row id``, ``referrers id kind`` or ``all kind``."""
Derive = Callable[[Lowering, Any], None]


class _Reading:
    """A reader that remembers what was asked."""

    def __init__(self, view: View, tokens: set[Token]) -> None:
        self._view = view
        self._tokens = tokens

    def find(self, cls: type[R], key: str | None) -> R | None:
        if key is not None:
            self._tokens.add(("row", key))
        return self._view.find(cls, key)

    def all(self, cls: type[R]) -> Iterator[R]:
        self._tokens.add(("all", cls.kind))
        return iter(sorted(self._view.all(cls), key=lambda row: row.id))

    def referrers(self, key: str, cls: type[R]) -> Iterator[R]:
        self._tokens.add(("referrers", key, cls.kind))
        return iter(sorted(self._view.referrers(key, cls), key=lambda row: row.id))


@dataclass
class _Result:
    """What one unit said, read and needs."""

    owner: str | None
    view: _Reading
    tokens: set[Token]
    said: dict[Statement, frozenset[str]] = field(default_factory=dict)
    needs: set[Unit] = field(default_factory=set)

    def say(self, statement: Statement, *whys: str) -> None:
        own = (self.owner,) if self.owner else ()
        self.said[statement] = self.said.get(statement, frozenset()) | {*own, *whys}

    def need(self, derive: Derive, key: Any) -> None:
        self.needs.add((derive, key))


class Compiler:
    """Keeps the program of the latest view it was given."""

    def __init__(self, registry: Registry) -> None:
        self._lower: dict[str, Callable[[Any, Lowering], None]] = {
            row.kind: kind.lower
            for row, kind in registry.by_row.items()
            if kind.lower is not None and issubclass(row, Resource)
        }
        self._units: dict[Unit, _Result] = {}
        self._readers: dict[Token, set[Unit]] = {}
        self._needers: dict[Unit, set[Unit]] = {}
        self._sayers: dict[Statement, set[Unit]] = {}
        self.revision = 0

    def load(self, view: View) -> None:
        """Compile everything, as on start-up."""
        self._clear()
        changes = Changes({key: (None, row) for key, row in view.rows.items()})
        self.update(view, changes)

    def _clear(self) -> None:
        self._units, self._readers = {}, {}
        self._needers, self._sayers = {}, {}

    def update(
        self, view: View, changes: Changes
    ) -> tuple[frozenset[Statement], frozenset[Statement]]:
        """Bring the program to ``view``, which differs from the last one by ``changes``.

        Returns ``(added, removed)``.
        """
        before: dict[Statement, bool] = {}
        dirty = self._dirty(changes)
        while dirty:
            unit = dirty.pop()
            self._lower_again(unit, view, before, dirty)
        self.revision = view.revision
        added = {s for s, was in before.items() if not was and s in self._sayers}
        removed = {s for s, was in before.items() if was and s not in self._sayers}
        return frozenset(added), frozenset(removed)

    def program(self) -> Program:
        """The whole program with the ids that asked for each statement."""
        return Program(
            self.revision,
            {
                statement: frozenset().union(*(self._units[u].said[statement] for u in units))
                for statement, units in self._sayers.items()
            },
        )

    def statements(self) -> Mapping[Statement, Any]:
        """The statements of the program, without their whys (cheap; do not keep or change)."""
        return self._sayers

    def whys(self, statement: Statement) -> frozenset[str]:
        """The ids of the resources that asked for the statement; empty if it is not there."""
        units = self._sayers.get(statement, ())
        return frozenset().union(*(self._units[unit].said[statement] for unit in units))

    def _dirty(self, changes: Changes) -> set[Unit]:
        tokens: set[Token] = set()
        units: set[Unit] = set()
        for key, (old, new) in changes.rows.items():
            row = new or old
            assert row is not None
            if row.kind in self._lower:
                units.add(key)
            tokens |= {("row", key), ("all", row.kind)}
            for version in (old, new):
                if version is not None:
                    tokens |= {("referrers", t, row.kind) for _, t, _ in references(version)}
        for token in tokens:
            units |= self._readers.get(token, set())
        return units

    def _lower_again(
        self, unit: Unit, view: View, before: dict[Statement, bool], dirty: set[Unit]
    ) -> None:
        old = self._units.pop(unit, None)
        new = self._lowered(unit, view)
        if old is not None:
            self._forget(unit, old, before)
        if new is not None:
            self._remember(unit, new, before)
        needed, wanted = (r.needs if r else set() for r in (old, new))
        for other in wanted - needed:
            self._needers.setdefault(other, set()).add(unit)
            if other not in self._units:
                dirty.add(other)
        for other in needed - wanted:
            self._needers[other].discard(unit)
            if not self._needers[other]:
                del self._needers[other]
                dirty.add(other)

    def _lowered(self, unit: Unit, view: View) -> _Result | None:
        tokens: set[Token] = set()
        reading = _Reading(view, tokens)
        if isinstance(unit, tuple):
            if unit not in self._needers:
                return None
            derive, key = unit
            result = _Result(None, reading, tokens)
            derive(result, key)
            return result
        row = view.rows.get(str(unit))
        if row is None:
            return None
        result = _Result(row.id, reading, tokens)
        self._lower[row.kind](row, result)
        return result

    def _forget(self, unit: Unit, result: _Result, before: dict[Statement, bool]) -> None:
        for token in result.tokens:
            self._readers[token].discard(unit)
            if not self._readers[token]:
                del self._readers[token]
        for statement in result.said:
            before.setdefault(statement, True)
            self._sayers[statement].discard(unit)
            if not self._sayers[statement]:
                del self._sayers[statement]

    def _remember(self, unit: Unit, result: _Result, before: dict[Statement, bool]) -> None:
        self._units[unit] = result
        for token in result.tokens:
            self._readers.setdefault(token, set()).add(unit)
        for statement in result.said:
            before.setdefault(statement, statement in self._sayers)
            self._sayers.setdefault(statement, set()).add(unit)


def compile_all(registry: Registry, view: View) -> Program:
    """The program of a view from scratch."""
    compiler = Compiler(registry)
    compiler.load(view)
    return compiler.program()
