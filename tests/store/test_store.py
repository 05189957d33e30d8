"""Stores: what both keep, in what order they tell of it, and that no answer is lost by a kill."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gureum.errors import ApiError
from gureum.model import Txn
from gureum.store import Commit, MemoryStore, Remembered, SqliteStore, Store, StoreError
from gureum.store.store import SCHEMA_VERSION
from tests.model.rows import ACCOUNT, REGION, Fitting, House, Lamp, Room, row

MAKERS: dict[str, Callable[[Path], Store]] = {
    "memory": lambda path: MemoryStore(),
    "sqlite": lambda path: SqliteStore(path / "gureum.db"),
    "durable": lambda path: SqliteStore(path / "gureum.db", durable=True),
}


@pytest.fixture(params=MAKERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = MAKERS[request.param](tmp_path)
    yield made
    made.close()


def put(store: Store, *rows: House | Room | Lamp) -> None:
    with store.transaction(ACCOUNT, REGION) as txn:
        for item in rows:
            txn.put(item)


# --- both stores --------------------------------------------------------------------------------
def test_who_waits_is_woken_by_the_commit(store: Store) -> None:
    first = row(House, 1)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(store.until, lambda view: first.id in view.rows, 10)
        put(store, row(House, 2))
        put(store, first)
        assert waits.result(10) is True
    assert store.until(lambda view: view.revision == 2, 0) is True
    assert store.until(lambda view: view.revision == 3, 0.01) is False


def test_a_commit_is_a_revision(store: Store) -> None:
    assert store.view.revision == 0
    put(store, row(House, 1), row(House, 2))
    assert store.view.revision == 1
    with store.transaction(ACCOUNT, REGION) as txn:
        txn.delete(txn.get(House, row(House, 1).id))
    assert store.view.revision == 2
    assert list(store.view.all(House)) == [row(House, 2)]


def test_no_change_is_no_revision(store: Store) -> None:
    put(store, row(House, 1))
    told: list[Commit] = []
    store.subscribe(told.append)
    with store.transaction(ACCOUNT, REGION):
        pass
    with store.transaction(ACCOUNT, REGION) as txn:
        txn.put(row(House, 1))
        txn.put(row(House, 2))
        txn.delete(row(House, 2))
    assert (store.view.revision, told) == (1, [])


def test_what_raises_leaves_nothing(store: Store) -> None:
    put(store, row(House, 1))
    told: list[Commit] = []
    store.subscribe(told.append)

    def fail() -> None:
        with store.transaction(ACCOUNT, REGION) as txn:
            txn.put(row(House, 2))
            txn.delete(row(House, 1))
            raise ApiError("Nope", "no")

    with pytest.raises(ApiError):
        fail()
    assert (store.view.revision, told) == (1, [])
    assert list(store.view.all(House)) == [row(House, 1)]
    put(store, row(House, 3))
    assert store.view.revision == 2


def test_nobody_sees_a_transaction_before_its_end(store: Store) -> None:
    with store.transaction(ACCOUNT, REGION) as txn:
        txn.put(row(House, 1))
        assert list(store.view.all(House)) == []
    assert list(store.view.all(House)) == [row(House, 1)]


def test_listeners_are_told_of_every_commit_in_order(store: Store) -> None:
    one: list[Commit] = []
    two: list[Commit] = []
    store.subscribe(one.append)
    house = row(House, 1)
    put(store, house)
    store.subscribe(two.append)
    put(store, replace(house, name="new"))
    with store.transaction(ACCOUNT, REGION) as txn:
        txn.delete(txn.get(House, house.id))
    assert [commit.view.revision for commit in one] == [1, 2, 3]
    assert [commit.view.revision for commit in two] == [2, 3]
    assert [commit.changes.rows[house.id] for commit in one] == [
        (None, house),
        (house, replace(house, name="new")),
        (replace(house, name="new"), None),
    ]


def test_writers_of_many_threads_lose_nothing(store: Store) -> None:
    told: list[int] = []
    store.subscribe(lambda commit: told.append(commit.view.revision))
    put(store, row(House, 0, name="0"))
    failures: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(25):
                with store.transaction(ACCOUNT, REGION) as txn:
                    house = txn.get(House, row(House, 0).id)
                    txn.put(replace(house, name=str(int(house.name) + 1)))
        except BaseException as error:  # shown by the assertion in the main thread
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [house.name for house in store.view.all(House)] == ["100"]
    assert told == list(range(1, 102))


def test_a_transaction_within_a_transaction_is_refused(store: Store) -> None:
    """The outer one, begun on the older view, would undo the inner one."""

    def nest() -> None:
        with store.transaction(ACCOUNT, REGION):
            put(store, row(House, 1))

    with pytest.raises(RuntimeError, match="a transaction within a transaction"):
        nest()
    put(store, row(House, 2))  # the store is free again
    assert list(store.view.all(House)) == [row(House, 2)]


def test_a_listener_cannot_overtake_the_commit_it_hears_of(store: Store) -> None:
    told: list[int] = []
    store.subscribe(lambda commit: told.append(commit.view.revision))

    def write(commit: Commit) -> None:
        with pytest.raises(RuntimeError):
            put(store, row(House, 9))

    store.subscribe(write)
    put(store, row(House, 1))
    assert told == [1]
    assert store.view.find(House, row(House, 9).id) is None


def test_answers_are_remembered_with_the_commit(store: Store) -> None:
    record = Remembered("key", "digest", b'{"VpcId":"vpc-1"}', "2026-11-24T08:00:00.000Z")
    assert store.remembered("key") is None
    with store.transaction(ACCOUNT, REGION, lambda: record) as txn:
        txn.put(row(House, 1))
        assert store.remembered("key") is None
    assert store.remembered("key") == record
    assert store.remembered("other") is None


def test_an_answer_without_a_change_is_remembered_too(store: Store) -> None:
    record = Remembered("key", "digest", b"{}", "2026-11-24T08:00:00.000Z")
    told: list[Commit] = []
    store.subscribe(told.append)
    with store.transaction(ACCOUNT, REGION, lambda: record):
        pass
    assert store.remembered("key") == record
    assert (store.view.revision, told) == (0, [])


def test_old_answers_are_forgotten(store: Store) -> None:
    days = ("2026-11-22", "2026-11-23", "2026-11-24")
    records = iter([Remembered(day, "digest", b"{}", f"{day}T08:00:00.000Z") for day in days])
    for _ in days:
        with store.transaction(ACCOUNT, REGION, lambda: next(records)):
            pass
    assert store.forget("2026-11-23T08:00:00.000Z") == 1
    assert store.forget("2026-11-23T08:00:00.000Z") == 0
    assert [store.remembered(day) is not None for day in days] == [False, True, True]


def test_a_refusal_is_not_remembered(store: Store) -> None:
    record = Remembered("key", "digest", b"{}", "2026-11-24T08:00:00.000Z")

    def fail() -> None:
        with store.transaction(ACCOUNT, REGION, lambda: record):
            raise ApiError("Nope", "no")

    with pytest.raises(ApiError):
        fail()
    assert store.remembered("key") is None


# --- the file -----------------------------------------------------------------------------------
def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "gureum.db"
    house = row(House, 1, name='é"\n', tags=(("Name", "집"),))
    room = row(Room, 2, house=house.id, hall=True)
    lamp = row(
        Lamp,
        3,
        fittings=(Fitting(room=room.id, beside=("lamp-1",), height=-3), Fitting()),
        keepers=(house.id,),
    )
    first = SqliteStore(path)
    record = Remembered("key", "digest", b"\x00\xff", "2026-11-24T08:00:00.000Z")
    with first.transaction(ACCOUNT, REGION, lambda: record) as txn:
        for item in (house, room, lamp, row(House, 4)):
            txn.put(item)
    with first.transaction(ACCOUNT, REGION) as txn:
        txn.delete(row(House, 4))
    first.close()
    again = SqliteStore(path)
    assert dict(again.view.rows) == {item.id: item for item in (house, room, lamp)}
    assert again.view.revision == 2
    assert list(again.view.referrers(room.id, Lamp)) == [lamp]
    assert again.remembered("key") == record
    put(again, row(House, 5))
    assert again.view.revision == 3
    again.forget("2026-11-24T09:00:00.000Z")
    again.close()
    forgetful = SqliteStore(path)
    assert forgetful.remembered("key") is None
    forgetful.close()


def test_rows_of_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "gureum.db"
    SqliteStore(path).close()
    db = sqlite3.connect(path)
    db.execute("INSERT INTO rows VALUES ('x-1', 'unheard-of', '{}')")
    db.commit()
    db.close()
    with pytest.raises(RuntimeError, match="holds a unheard-of, which this Gureum does not know"):
        SqliteStore(path)


def test_only_the_owner_may_read_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "gureum.db"
    path.touch(mode=0o644)  # as an older Gureum left it
    store = SqliteStore(path)
    put(store, row(House, 1))
    modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    store.close()
    assert modes == dict.fromkeys(("gureum.db", "gureum.db-wal", "gureum.db-shm"), 0o600)


@pytest.mark.parametrize("damage", ["the file", "a row"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "gureum.db"
    store = SqliteStore(path)
    put(store, row(House, 1))
    store.close()
    if damage == "the file":
        path.write_bytes(b"\0" * 4096 + path.read_bytes()[4096:])
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE rows SET body = '{'")
            db.commit()
    with pytest.raises(StoreError, match=f"^{path} cannot be used: "):
        SqliteStore(path)


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "gureum.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
    db.execute("INSERT INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION + 1,))
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=r"was written by a newer Gureum \(schema 2\)"):
        SqliteStore(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["gureum.db"]


@pytest.mark.parametrize(("durable", "level"), [(False, 1), (True, 2)])
def test_what_the_disk_is_promised(tmp_path: Path, durable: bool, level: int) -> None:
    """SQLite's ``synchronous`` is 1 for NORMAL, which outlives the process, and 2 for FULL."""
    store = SqliteStore(tmp_path / "gureum.db", durable=durable)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (level,)
    store.close()


def test_the_schema_is_noted(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gureum.db")
    store.close()
    db = sqlite3.connect(tmp_path / "gureum.db")
    found = db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    db.close()
    assert found == (SCHEMA_VERSION,)


def test_what_cannot_be_written_has_not_happened(tmp_path: Path) -> None:
    """The disk is full in the middle of a commit: neither rows nor listeners know of it."""
    store = SqliteStore(tmp_path / "gureum.db")
    put(store, row(House, 1))
    told: list[Commit] = []
    store.subscribe(told.append)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        put(store, *(row(House, number, name="x" * 4000) for number in range(2, 50)))
    assert list(store.view.all(House)) == [row(House, 1)]
    assert told == []
    store._db.execute("PRAGMA max_page_count = 100000")
    put(store, row(House, 2))
    store.close()
    again = SqliteStore(tmp_path / "gureum.db")
    assert {house.id for house in again.view.all(House)} == {row(House, n).id for n in (1, 2)}
    assert again.view.revision == 2
    again.close()


# --- kill -9 ------------------------------------------------------------------------------------
WRITER = """
import sys
from pathlib import Path
from gureum.store import Remembered, SqliteStore
from tests.model.rows import ACCOUNT, REGION, House, Room, row

store = SqliteStore(Path(sys.argv[1]))
for number in range(store.view.revision, 1_000_000):
    record = Remembered(f"token-{number}", "digest", b"{}", "2026-11-24T08:00:00.000Z")
    with store.transaction(ACCOUNT, REGION, lambda: record) as txn:
        txn.put(row(House, number, name="x" * 3000))
        txn.put(row(Room, number, house=row(House, number).id))
    print(number, flush=True)  # acknowledged
"""


def acknowledged_before_the_kill(path: Path, commits: int) -> int:
    """Let a process commit until it has acknowledged so many, kill it amid the next ones, and
    return how many it did acknowledge."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    assert process.stdout is not None
    with process:
        for _ in range(commits):
            assert process.stdout.readline()
        process.kill()
        rest = process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    return commits + rest.count("\n")


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "gureum.db"
    total = 0
    for commits in (1, 7, 40, 120):
        total += acknowledged_before_the_kill(path, commits)
        store = SqliteStore(path)
        # At most one commit was on disk already and not acknowledged yet.
        assert store.view.revision in (total, total + 1)
        total = store.view.revision
        houses = sorted(house.id for house in store.view.all(House))
        assert houses == [row(House, number).id for number in range(total)]
        # Each commit is there whole: with its second row and its record.
        assert sum(1 for _ in store.view.all(Room)) == total
        assert store.remembered(f"token-{total - 1}") is not None
        assert store.remembered(f"token-{total}") is None
        store.close()


def test_a_writer_can_be_read_while_it_writes(store: Store) -> None:
    """Readers take a view and keep it, whatever is committed meanwhile."""
    put(store, row(House, 1))
    view = store.view
    seen: list[Txn] = []
    with store.transaction(ACCOUNT, REGION) as txn:
        seen.append(txn)
        txn.put(row(House, 2))
    assert list(view.all(House)) == [row(House, 1)]
    assert seen[0].base is view
