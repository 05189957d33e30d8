"""The book of wanted kernel items: which statements are held and which items they ask for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

from gureum.engines.linux.items import Item, Key
from gureum.engines.linux.lower import Plan, lower
from gureum.program import Address, Port, SegmentMode, Statement
from gureum.program.statements import Mode

DEFAULT_MODE: Mode = "fabric"


class Book:
    """Counts, for every key, how many statements ask for each condition of that part.

    The cost of a change follows the change.  Where two statements want different conditions of
    one part (no compiler should), the choice depends only on the conditions, not on history.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._items: dict[Statement, frozenset[Item]] = {}
        self._asked: dict[Key, Counter[Item]] = {}
        self._modes: dict[str, Counter[Mode]] = defaultdict(Counter)
        self._stations: dict[str, set[Port | Address]] = defaultdict(set)

    def wanted(self, key: Key) -> Item | None:
        """The item to be in force under a key."""
        asked = self._asked.get(key)
        if not asked:
            return None
        return next(iter(asked)) if len(asked) == 1 else min(asked, key=repr)

    def wanted_keys(self) -> Collection[Key]:
        """The keys of all wanted items."""
        return self._asked.keys()

    def statements(self) -> Collection[Statement]:
        """The statements held."""
        return self._items.keys()

    def change(self, add: Collection[Statement], remove: Collection[Statement]) -> set[Key]:
        """Hold what is added, let go of what is removed; the keys this may concern."""
        gone = {each for each in remove if each in self._items} - set(add)
        new = {each for each in add if each not in self._items}
        again = self._count_places(new, gone)
        touched: set[Key] = set()
        for statement in gone:
            self._replace(statement, None, touched)
        for statement in new | {each for each in again if each in self._items}:
            items = lower(statement, self._mode(statement), self.plan)
            self._replace(statement, items, touched)
        return touched

    def _count_places(self, new: set[Statement], gone: set[Statement]) -> set[Port | Address]:
        """Keep the modes of segments and what depends on them: ports and their addresses.  Gives
        those of segments whose mode was touched."""
        again: set[Port | Address] = set()
        for statement, step in (*((s, 1) for s in new), *((s, -1) for s in gone)):
            if isinstance(statement, (Port, Address)):
                stations = self._stations[_segment(statement)]
                (stations.add if step > 0 else stations.discard)(statement)
            elif isinstance(statement, SegmentMode):
                self._modes[statement.segment.id][statement.mode] += step
        for statement in new | gone:
            if isinstance(statement, SegmentMode):
                again |= self._stations[statement.segment.id]
        return again - gone

    def _mode(self, statement: Statement) -> Mode:
        if not isinstance(statement, (Port, Address)):
            return DEFAULT_MODE
        return min(+self._modes[_segment(statement)], default=DEFAULT_MODE)

    def _replace(
        self, statement: Statement, items: frozenset[Item] | None, touched: set[Key]
    ) -> None:
        before = self._items.pop(statement, frozenset())
        for item in before - (items or frozenset()):
            asked = self._asked[item.key]
            asked[item] -= 1
            if not asked[item]:
                del asked[item]
            if not asked:
                del self._asked[item.key]
            touched.add(item.key)
        for item in (items or frozenset()) - before:
            self._asked.setdefault(item.key, Counter())[item] += 1
            touched.add(item.key)
        if items is not None:
            self._items[statement] = items


def _segment(station: Port | Address) -> str:
    port = station if isinstance(station, Port) else station.port
    return port.segment.id
