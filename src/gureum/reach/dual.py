"""Reachability in both IP versions: an engine each, which follow the same changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gureum.program import Statement
from gureum.reach.changes import Change, difference
from gureum.reach.prefixes import VERSIONS, Version
from gureum.reach.reach import Reach
from gureum.reach.way import Node


class Dual:
    """What a program's packets, of either version, can get through: ``dual[6]`` is the reachability
    over IPv6."""

    def __init__(self, statements: Iterable[Statement] = ()) -> None:
        self._of = {version: Reach(version=version) for version in VERSIONS}
        self.update(added=statements)

    def __getitem__(self, version: Version) -> Reach:
        return self._of[version]

    def of(self, node: Node) -> Reach:
        """The reachability over the version of a node's address."""
        return self._of[node.version]

    def update(self, added: Iterable[Statement] = (), removed: Iterable[Statement] = ()) -> None:
        """Follow a change of the program (:meth:`Reach.update`)."""
        added, removed = tuple(added), tuple(removed)
        for reach in self._of.values():
            reach.update(added, removed)

    def snapshot(self) -> Dual:
        """The state as it is now, which later updates leave alone."""
        made = Dual()
        made._of = {version: reach.snapshot() for version, reach in self._of.items()}
        return made

    def nodes(self) -> Iterator[Node]:
        """The nodes of both versions (:meth:`Reach.nodes`)."""
        for reach in self._of.values():
            yield from reach.nodes()


def differences(older: Dual, newer: Dual) -> Iterator[Change]:
    """The pairs for which not the same headers work in two states of a program, each version's
    (:func:`gureum.reach.difference`)."""
    for version in VERSIONS:
        yield from difference(older[version], newer[version])
