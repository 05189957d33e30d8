"""The trail: who called what and how it ended, in the order in which it ended, bounded on disk.

Entries go into the database of the rows, in the transaction of the call that they are about: no
change is there without its entry, whenever the process dies.  What is written a call does not
depend on how many entries there are.  What is too old goes, and when there are too many bytes, the
oldest of the account that takes most: so no account pushes out what another has that takes no more
than its share.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gureum.model.timestamps import seconds

SCHEMA = """
CREATE TABLE IF NOT EXISTS trail (
    number INTEGER PRIMARY KEY,
    account TEXT NOT NULL, region TEXT NOT NULL, time TEXT NOT NULL, event TEXT NOT NULL,
    name TEXT NOT NULL, source TEXT NOT NULL, user TEXT NOT NULL, key TEXT NOT NULL,
    reads INTEGER NOT NULL, error TEXT NOT NULL, resources TEXT NOT NULL, bytes INTEGER NOT NULL,
    body BLOB NOT NULL
);
"""
"""No index: one would cost every call a page, and a search reads 64 MiB in a tenth of a second.
Numbers only grow, for there is always a last entry: what is old goes after what is new has come."""

_FIELDS = "account, region, time, event, name, source, user, key, reads, error, resources, body"

_BESIDE = 400
"""Bytes that an entry takes on disk beside its body: its columns and its share of a page."""

_AT_ONCE = 8
"""Entries that go at most for one that comes: a call pays for its own, not for a new bound."""


@dataclass(frozen=True)
class Bounds:
    """How much is kept: bytes on disk, and days."""

    bytes: int = 64 << 20
    days: int = 90


@dataclass(frozen=True)
class Share:
    """What an account holds: bytes, and a number below which it has no entry, so that its oldest is
    found without going through what others have."""

    bytes: int
    first: int


@dataclass
class Held:
    """What each account holds and all do together, and what a transaction changes of that."""

    shares: dict[str, Share]
    total: int
    changed: dict[str, Share] = field(default_factory=dict)

    def of(self, account: str) -> Share:
        """What an account holds now."""
        return self.changed.get(account) or self.shares.get(account, _NOTHING)

    def largest(self) -> str:
        """The account that holds most."""
        return max((*self.shares, *self.changed), key=lambda account: self.of(account).bytes)

    def came(self, account: str, size: int, number: int) -> None:
        """An account has one more entry."""
        old = self.of(account)
        self.changed[account] = Share(old.bytes + size, old.first if old.bytes else number)
        self.total += size

    def went(self, account: str, size: int, number: int) -> None:
        """An account has one less, its oldest."""
        self.changed[account] = Share(self.of(account).bytes - size, number + 1)
        self.total -= size

    def changing(self) -> Held:
        """The same, for a transaction to change."""
        return Held(self.shares, self.total)

    def settled(self) -> Held:
        """What is held once the transaction is there."""
        for account, share in self.changed.items():
            if share.bytes:
                self.shares[account] = share
            else:
                self.shares.pop(account, None)
        return Held(self.shares, self.total)


_NOTHING = Share(0, 0)


@dataclass(frozen=True)
class Entry:
    """One call.  ``event`` is its id; ``reads`` whether it could change nothing; ``error`` the code
    of its refusal, if any; ``resources`` are types and names of what it was about; ``body`` is the
    whole event, JSON.  ``time`` has seconds (``2026-11-24T08:00:00Z``)."""

    account: str
    region: str
    time: str
    event: str
    name: str
    source: str
    user: str
    key: str
    reads: bool
    error: str
    resources: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Search:
    """What is looked for: entries of an account and region, or of all, within times (both ends
    belong to it), with these values in columns of the table.  ``resource`` and ``resource_type``
    are one that it was about.  ``below`` and ``above`` are numbers of entries."""

    account: str | None = None
    region: str | None = None
    since: str | None = None
    until: str | None = None
    columns: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    resource: str | None = None
    resource_type: str | None = None
    refused: bool = False
    below: int | None = None
    above: int | None = None

    def where(self) -> tuple[str, list[str | int]]:
        """The condition in SQL, and its values."""
        found: list[tuple[str, str | int | None]] = [
            ("account = ?", self.account),
            ("region = ?", self.region),
            ("time >= ?", self.since),
            ("time <= ?", self.until),
            ("number < ?", self.below),
            ("number > ?", self.above),
            ("instr(resources, char(9) || ? || char(10))", self.resource),
            ("instr(resources, char(10) || ? || char(9))", self.resource_type),
        ]
        found += [(f"{_COLUMNS[name]} = ?", value) for name, value in self.columns.items()]
        terms = [(term, value) for term, value in found if value is not None]
        conditions = [term for term, _ in terms] + (["error <> ''"] if self.refused else [])
        return " AND ".join(conditions) or "1", [value for _, value in terms]


_COLUMNS = {each: each for each in ("event", "name", "source", "user", "key", "reads")}
"""The columns that may be asked for by value."""


class Trail:
    """Entries in SQLite.  ``write`` is the connection of whoever commits, ``read`` one to look with
    meanwhile; the writer holds the store's lock.

    The bounds hold for what entries take; SQLite keeps the room of those that went for new ones."""

    def __init__(
        self, write: sqlite3.Connection, read: sqlite3.Connection, bounds: Bounds, clock: Any = None
    ) -> None:
        self._write, self._read, self._bounds = write, read, bounds
        self._clock = clock or _utc
        self._lock = threading.Lock()
        rows = write.execute("SELECT account, sum(bytes), min(number) FROM trail GROUP BY account")
        shares = {account: Share(size, first) for account, size, first in rows}
        self._held = Held(shares, sum(each.bytes for each in shares.values()))
        self._today = ""

    @classmethod
    def on(cls, path: Path, write: sqlite3.Connection, bounds: Bounds) -> Trail:
        """The trail in the database at ``path``, which ``write`` has open."""
        write.executescript(SCHEMA)
        read = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        read.execute("PRAGMA query_only=ON")
        return cls(write, read, bounds)

    @classmethod
    def in_memory(cls, bounds: Bounds | None = None) -> Trail:
        """A trail that is forgotten with the process."""
        only = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        only.executescript(SCHEMA)
        made = cls(only, only, bounds or Bounds())
        weakref.finalize(made, only.close)
        return made

    @property
    def bytes(self) -> int:
        """What the entries take, in bytes."""
        return self._held.total

    def add(self, entries: Iterable[Entry]) -> Held:
        """Write entries in the writer's transaction, and let some go; what the accounts hold then,
        which :meth:`kept` is told when the transaction is there."""
        held, last = self._held.changing(), None
        for each in entries:
            size = len(each.body) + _BESIDE
            last = self._write.execute(
                f"INSERT INTO trail ({_FIELDS}, bytes) VALUES ({'?, ' * 12}?)",  # noqa: S608
                (*_columns(each), each.body, size),
            ).lastrowid
            assert last is not None
            held.came(each.account, size, last)
        if last is not None:
            if self._is_new_day():
                self._let_old_go(held, last)
            self._let_go(held, last)
        return held

    def kept(self, held: Held) -> None:
        """The transaction with what :meth:`add` wrote is there."""
        self._held = held.settled()

    def _is_new_day(self) -> bool:
        """Whether nobody has looked today for what is too old."""
        return self._today != self._clock().date().isoformat()

    def _let_old_go(self, held: Held, before: int) -> None:
        """Let some go that are too old, whosever they are; never the last of all."""
        oldest = self._oldest()
        rows = self._write.execute(
            "SELECT number, time, account, bytes FROM trail WHERE number < ? "
            "ORDER BY number LIMIT ?",
            (before, _AT_ONCE),
        ).fetchall()
        old = [row for row in rows if row[1] < oldest]
        for number, _, account, size in old:
            self._delete(held, number, account, size)
        if len(old) < _AT_ONCE:
            self._today = self._clock().date().isoformat()

    def _let_go(self, held: Held, before: int) -> None:
        """While there are too many bytes, let the oldest go of who takes most; never the last of
        all."""
        for _ in range(_AT_ONCE):
            if held.total <= self._bounds.bytes:
                return
            account = held.largest()
            row = self._write.execute(
                "SELECT number, bytes FROM trail WHERE number >= ? AND number < ? AND account = ? "
                "ORDER BY number LIMIT 1",
                (held.of(account).first, before, account),
            ).fetchone()
            if row is None:
                return
            self._delete(held, row[0], account, row[1])

    def _delete(self, held: Held, number: int, account: str, size: int) -> None:
        self._write.execute("DELETE FROM trail WHERE number = ?", (number,))
        held.went(account, size, number)

    def _oldest(self) -> str:
        """The time of the oldest entry that is kept."""
        return seconds(self._clock() - timedelta(days=self._bounds.days))

    def find(self, search: Search, limit: int, *, forward: bool = False) -> list[tuple[int, Entry]]:
        """Entries with their numbers, the newest first, or the oldest first if ``forward``."""
        where, values = search.where()
        order = "ASC" if forward else "DESC"
        text = (
            f"SELECT number, {_FIELDS} FROM trail "  # noqa: S608  (conditions are our own)
            f"WHERE {where} AND time >= ? ORDER BY number {order} LIMIT ?"
        )
        with self._lock:
            rows = self._read.execute(text, (*values, self._oldest(), limit)).fetchall()
        return [(row[0], _entry(row[1:])) for row in rows]

    def close(self) -> None:
        """Let go of the connection to look with."""
        self._read.close()


def _columns(entry: Entry) -> tuple[str | int, ...]:
    resources = "".join(f"{_plain(kind)}\t{_plain(name)}\n" for kind, name in entry.resources)
    return (
        entry.account,
        entry.region,
        entry.time,
        entry.event,
        entry.name,
        entry.source,
        entry.user,
        entry.key,
        int(entry.reads),
        entry.error,
        f"\n{resources}",
    )


def _plain(text: str) -> str:
    """A text without what parts the resources."""
    return text.replace("\t", " ").replace("\n", " ")


def _entry(row: tuple[Any, ...]) -> Entry:
    *texts, reads, error, resources, body = row
    account, region, time, event, name, source, user, key = texts
    pairs = [line.split("\t") for line in resources.strip("\n").split("\n") if line]
    about = tuple((kind, called) for kind, called in pairs)
    return Entry(
        account, region, time, event, name, source, user, key, bool(reads), error, about, body
    )


def _utc() -> datetime:
    return datetime.now(UTC)
