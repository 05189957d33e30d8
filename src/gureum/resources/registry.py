"""The list of kinds, indexed: by API action, by listing, by row type.  A duplicate is an error."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from gureum.kind import Action, Call, Companion, Kind, Listing


class Registry:
    """All kinds of a cloud.

    Raises:
        ValueError: two kinds claim one action or one row type.
    """

    def __init__(self, kinds: Iterable[Kind[Any]]) -> None:
        self.kinds = tuple(kinds)
        self.actions: dict[str, Action] = {}
        self.listings: dict[str, tuple[Kind[Any], Listing[Any]]] = {}
        self.reads: set[str] = set()
        self.by_row: dict[type, Kind[Any]] = {}
        self.companions: dict[str, list[Companion]] = {}
        for kind in self.kinds:
            self._add(kind)

    def _add(self, kind: Kind[Any]) -> None:
        for name, action in kind.actions.items():
            self._unclaimed(name)
            self.actions[name] = action
        for listing in kind.listings:
            self._unclaimed(listing.action)
            self.listings[listing.action] = (kind, listing)
            self.reads.add(listing.action)
        self.reads |= kind.reads
        if kind.row is not None:
            if kind.row in self.by_row:
                raise ValueError(f"two kinds for {kind.row.__name__}")
            self.by_row[kind.row] = kind
        for beside, companion in kind.beside.items():
            self.companions.setdefault(beside.kind, []).append(companion)

    def _unclaimed(self, name: str) -> None:
        if name in self.actions or name in self.listings:
            raise ValueError(f"two kinds claim the action {name}")

    def provide(self, call: Call, but: Collection[type] = ()) -> None:
        """Make what AWS provides unasked in an account's region, ``but`` rows of some types."""
        for kind in self.kinds:
            if kind.defaults is not None and kind.row not in but:
                kind.defaults(call)
