"""Rows in memory as one immutable view, made durable by SQLite commit by commit.

Readers take the current :class:`~gureum.model.View` and never wait.  Writers are serialised; a
transaction is on disk before anybody sees it, so what was acknowledged survives ``kill -9`` (and,
with ``durable=True``, the loss of power: SQLite's ``synchronous=FULL``).
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gureum.model import Changes, Resource, Txn, View
from gureum.store.trail import Bounds, Entry, Trail

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    key TEXT PRIMARY KEY, digest TEXT NOT NULL, answer BLOB NOT NULL, created TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Remembered:
    """The answer to a call with an idempotency token: ``digest`` is of its parameters."""

    key: str
    digest: str
    answer: bytes
    created: str


@dataclass(frozen=True)
class Commit:
    """One revision and what it changed."""

    view: View
    changes: Changes


Listener = Callable[[Commit], None]


class StoreError(RuntimeError):
    """The rows on disk cannot be used; the text names the file and what is wrong with it."""


class Store:
    """The rows of all accounts and regions.  This class keeps them in memory only."""

    trail: Trail

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._busy = False
        self._view = View()
        self._tokens: dict[str, Remembered] = {}
        self._listeners: list[Listener] = []
        self._moved = threading.Condition()

    @property
    def view(self) -> View:
        """The latest committed revision."""
        return self._view

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with every commit from now on, in order, on the writer's thread."""
        self._listeners.append(listener)

    def until(self, holds: Callable[[View], bool], seconds: float) -> bool:
        """Wait until a revision of which something holds; whether there was one in time."""
        with self._moved:
            return self._moved.wait_for(lambda: holds(self._view), seconds)

    @contextmanager
    def transaction(
        self,
        account: str,
        region: str,
        remember: Callable[[], Remembered | None] | None = None,
        tell: Callable[[], Iterable[Entry]] | None = None,
    ) -> Iterator[Txn]:
        """A transaction: committed when the block ends, forgotten when it raises.

        ``remember`` is asked at the end for the idempotency record to keep with it, and ``tell``
        what the trail is to say of it.

        Raises:
            RuntimeError: inside another transaction or a listener of the same thread, where it
                would undo or overtake the one in progress.
        """
        with self._lock, self._alone():
            txn = Txn(self._view, account, region)
            yield txn
            changes = txn.changes()
            record = remember() if remember else None
            told = tuple(tell()) if tell else ()
            if not changes.rows and record is None and not told:
                return
            revision = self._view.revision + 1 if changes.rows else self._view.revision
            self._save(revision, changes, record, told)
            if record is not None:
                self._tokens[record.key] = record
            if changes.rows:
                self._view = txn.view.at(revision)
                commit = Commit(self._view, changes)
                for listener in self._listeners:
                    listener(commit)
                with self._moved:
                    self._moved.notify_all()

    def tell(self, entries: Iterable[Entry]) -> None:
        """Let the trail say something that no change comes with."""
        told = tuple(entries)
        if told:
            with self._lock:
                self._save(self._view.revision, Changes(), None, told)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._busy:
            raise RuntimeError("a transaction within a transaction")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def remembered(self, key: str) -> Remembered | None:
        """The record of an idempotency token, if the token was used."""
        return self._tokens.get(key)

    def forget(self, before: str) -> int:
        """Forget the idempotency records made before a time; how many there were."""
        with self._lock:
            old = [key for key, record in self._tokens.items() if record.created < before]
            if old:
                self._save_forgotten(before)
            for key in old:
                del self._tokens[key]
            return len(old)

    def scrub(self) -> bool:
        """Leave no trace on disk of what was replaced or deleted, and make the rest durable; false
        where somebody else reads the file for long."""
        return True

    def close(self) -> None:
        """Release what the store holds; it must not be used afterwards."""

    def _save_forgotten(self, before: str) -> None:
        """Make forgetting durable."""

    def _save(
        self,
        revision: int,
        changes: Changes,
        record: Remembered | None,
        told: tuple[Entry, ...],
    ) -> None:
        """Make a commit durable; raise and nothing has happened."""
        if told:
            self.trail.kept(self.trail.add(told))


class MemoryStore(Store):
    """Forgets everything with the process: for tests."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        super().__init__()
        self.trail = Trail.in_memory(bounds)


class SqliteStore(Store):
    """Rows in one SQLite file, write-ahead logged, which only its owner may read: it holds user
    data of instances.

    Raises:
        StoreError: the file was written by a newer Gureum, holds what this one does not know, or is
            damaged.
        OSError: it may not be opened.
    """

    def __init__(self, path: Path, *, durable: bool = False, bounds: Bounds | None = None) -> None:
        super().__init__()
        path.touch(mode=0o600)
        path.chmod(0o600)  # SQLite gives its further files the mode of the first
        try:
            self._open(path, durable, bounds or Bounds())
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise StoreError(f"{path} cannot be used: {error}") from error

    def _open(self, path: Path, durable: bool, bounds: Bounds) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            self._check(path)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._db.executescript(_SCHEMA)
            self._load(path)
            self.trail = Trail.on(path, self._db, bounds)
        except BaseException:
            self._db.close()
            raise

    def _check(self, path: Path) -> None:
        """Refuse a newer file before anything in it is touched."""
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            return
        meta = dict(self._db.execute("SELECT name, value FROM meta"))
        version = meta.get("schema", SCHEMA_VERSION)
        if version > SCHEMA_VERSION:
            raise StoreError(f"{path} was written by a newer Gureum (schema {version})")

    def _load(self, path: Path) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
        meta = dict(self._db.execute("SELECT name, value FROM meta"))
        view = View()
        decoders = {kind: msgspec.json.Decoder(cls) for kind, cls in Resource.by_kind.items()}
        for kind, body in self._db.execute("SELECT kind, body FROM rows"):
            if kind not in decoders:
                raise StoreError(f"{path} holds a {kind}, which this Gureum does not know")
            view = view.put(decoders[kind].decode(body))
        self._view = view.at(meta.get("revision", 0))
        for record in self._db.execute("SELECT key, digest, answer, created FROM tokens"):
            self._tokens[record[0]] = Remembered(*record)

    def _save(
        self,
        revision: int,
        changes: Changes,
        record: Remembered | None,
        told: tuple[Entry, ...],
    ) -> None:
        put = [
            (key, new.kind, msgspec.json.encode(new))
            for key, (_, new) in changes.rows.items()
            if new is not None
        ]
        gone = [(key,) for key, (_, new) in changes.rows.items() if new is None]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            held = self.trail.add(told)
            if changes.rows:
                self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", put)
                self._db.executemany("DELETE FROM rows WHERE id = ?", gone)
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('revision', ?)", (revision,))
            if record is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?)",
                    (record.key, record.digest, record.answer, record.created),
                )
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.trail.kept(held)

    def _save_forgotten(self, before: str) -> None:
        self._db.execute("DELETE FROM tokens WHERE created < ?", (before,))

    def scrub(self) -> bool:
        with self._lock:
            try:
                self._db.execute("VACUUM")
                busy, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError:
                log.exception("the database could not be written anew")
                return False
            return not busy

    def close(self) -> None:
        with self._lock:
            self.trail.close()
            self._db.close()
