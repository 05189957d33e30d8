"""The trail on disk: there with the change that it tells of, searched, and bounded."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gureum.errors import ApiError
from gureum.store import Bounds, Entry, MemoryStore, Search, SqliteStore, Store
from tests.model.rows import ACCOUNT, REGION, House, row

MAKERS: dict[str, Callable[[Path, Bounds], Store]] = {
    "memory": lambda path, bounds: MemoryStore(bounds),
    "sqlite": lambda path, bounds: SqliteStore(path / "gureum.db", bounds=bounds),
}
BOUNDS = Bounds(bytes=100_000, days=90)


@pytest.fixture(params=MAKERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = MAKERS[request.param](tmp_path, BOUNDS)
    yield made
    made.close()


def ago(**span: int) -> str:
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def entry(number: int, *, name: str = "CreateVpc", error: str = "", **more: object) -> Entry:
    fields: dict[str, object] = {
        "account": ACCOUNT,
        "region": REGION,
        "time": ago(seconds=0),
        "event": f"event-{number}",
        "name": name,
        "source": "ec2.amazonaws.com",
        "user": "alice",
        "key": "AKIA1",
        "reads": False,
        "error": error,
        "resources": (("AWS::EC2::VPC", f"vpc-{number}"),),
        "body": f'{{"number":{number}}}'.encode(),
    }
    return Entry(**(fields | more))  # type: ignore[arg-type]


def events(store: Store, search: Search | None = None, *, forward: bool = False) -> list[str]:
    found = store.trail.find(search or Search(), 1000, forward=forward)
    return [each.event for _, each in found]


# --- with the commit ----------------------------------------------------------------------------
def test_an_entry_is_there_with_its_change(store: Store) -> None:
    with store.transaction(ACCOUNT, REGION, tell=lambda: [entry(1)]) as txn:
        txn.put(row(House, 1))
        assert events(store) == []
    assert events(store) == ["event-1"]
    assert store.view.revision == 1
    ((_, found),) = store.trail.find(Search(), 10)
    assert found == entry(1, time=found.time)


def test_what_is_undone_is_not_told(store: Store) -> None:
    def fails() -> None:
        with store.transaction(ACCOUNT, REGION, tell=lambda: [entry(1)]) as txn:
            txn.put(row(House, 1))
            raise ApiError("Nonsense", "no")

    with pytest.raises(ApiError):
        fails()
    assert events(store) == []


def test_a_call_that_changes_nothing_is_told_too(store: Store) -> None:
    with store.transaction(ACCOUNT, REGION, tell=lambda: [entry(1)]):
        pass
    store.tell([entry(2), entry(3)])
    store.tell([])
    assert (events(store), store.view.revision) == (["event-3", "event-2", "event-1"], 0)


def test_it_survives_a_restart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gureum.db", bounds=BOUNDS)
    store.tell([entry(1), entry(2)])
    size = store.trail.bytes
    store.close()
    again = SqliteStore(tmp_path / "gureum.db", bounds=BOUNDS)
    assert (events(again), again.trail.bytes) == (["event-2", "event-1"], size)
    again.close()


def test_an_old_database_gets_one(tmp_path: Path) -> None:
    """A database from before there was a trail."""
    store = SqliteStore(tmp_path / "gureum.db")
    with store.transaction(ACCOUNT, REGION) as txn:
        txn.put(row(House, 1))
    store._db.execute("DROP TABLE trail")
    store.close()
    again = SqliteStore(tmp_path / "gureum.db")
    again.tell([entry(1)])
    assert (events(again), len(again.view.rows)) == (["event-1"], 1)
    again.close()


WRITER = """
import sys
from pathlib import Path
from gureum.store import SqliteStore
from tests.model.rows import ACCOUNT, REGION, House, row
from tests.store.test_trail import entry

store = SqliteStore(Path(sys.argv[1]))
for number in range(store.view.revision, 1_000_000):
    with store.transaction(ACCOUNT, REGION, tell=lambda: [entry(number)]) as txn:
        txn.put(row(House, number))
    print(number, flush=True)  # acknowledged
"""


def test_kill_9_parts_no_change_from_its_entry(tmp_path: Path) -> None:
    path, total = tmp_path / "gureum.db", 0
    for commits in (1, 30, 90):
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
        total += commits + rest.count("\n")
        store = SqliteStore(path)
        assert store.view.revision in (total, total + 1)
        total = store.view.revision
        assert events(store, forward=True)[-total:] == [f"event-{each}" for each in range(total)]
        store.close()


# --- bounds -------------------------------------------------------------------------------------
def test_the_oldest_go_when_there_are_too_many_bytes(store: Store) -> None:
    for number in range(300):
        store.tell([entry(number, body=b"x" * 1000)])
        assert store.trail.bytes <= BOUNDS.bytes
    kept = events(store, forward=True)
    assert kept == [f"event-{number}" for number in range(300 - len(kept), 300)]
    assert 60 <= len(kept) <= 72


def test_a_smaller_bound_takes_effect_call_by_call(tmp_path: Path) -> None:
    """Each call that comes lets some of the old go, never thousands at once."""
    path = tmp_path / "gureum.db"
    store = SqliteStore(path)
    store.tell(entry(number, body=b"x" * 1000) for number in range(100))
    store.close()
    small = SqliteStore(path, bounds=Bounds(bytes=20_000))
    before = len(events(small))
    small.tell([entry(100, body=b"x")])
    assert before - 8 <= len(events(small)) < before
    for number in range(101, 130):
        small.tell([entry(number, body=b"x")])
    assert small.trail.bytes <= 20_000
    assert events(small)[0] == "event-129"
    small.close()


def test_the_room_of_what_went_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "gureum.db"
    store = SqliteStore(path, bounds=BOUNDS)
    sizes = []
    for number in range(1500):
        store.tell([entry(number, body=b"x" * 1000)])
        if number % 500 == 499:
            store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            sizes.append(path.stat().st_size)
    assert sizes[-1] <= sizes[0] * 1.2
    assert sizes[-1] <= BOUNDS.bytes * 1.6
    store.close()


def test_what_is_too_old_is_not_found_and_goes(store: Store) -> None:
    store.tell(entry(number, time=ago(days=91)) for number in range(10))
    store.tell([entry(10, time=ago(days=89))])
    assert events(store) == ["event-10"]
    store.tell([entry(11)])
    store.tell([entry(12)])
    assert store.trail.bytes < 4 * 500  # three are left
    assert events(store) == ["event-12", "event-11", "event-10"]


# --- searching ----------------------------------------------------------------------------------
@pytest.fixture
def filled(store: Store) -> Store:
    store.tell(
        [
            entry(1, time=ago(hours=3), name="CreateVpc"),
            entry(2, time=ago(hours=2), name="DeleteVpc", user="bob", key="AKIA2"),
            entry(3, time=ago(hours=1), region="us-east-1", source="iam.amazonaws.com"),
            entry(4, account="999999999999", error="Client.UnauthorizedOperation"),
            entry(5, reads=True, resources=(("A\tB", "x\ny"), ("AWS::EC2::Subnet", "vpc-1"))),
        ]
    )
    return store


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), "54321"),
        (Search(account=ACCOUNT), "5321"),
        (Search(account=ACCOUNT, region=REGION), "521"),
        (Search(region="us-east-1"), "3"),
        (Search(columns={"name": "DeleteVpc"}), "2"),
        (Search(columns={"user": "alice", "reads": 0}), "431"),
        (Search(columns={"key": "AKIA2"}), "2"),
        (Search(columns={"event": "event-4"}), "4"),
        (Search(columns={"source": "iam.amazonaws.com"}), "3"),
        (Search(resource="vpc-1"), "51"),
        (Search(resource="vpc-"), ""),
        (Search(resource="x y"), "5"),
        (Search(resource_type="AWS::EC2::VPC"), "4321"),
        (Search(resource_type="AWS::EC2::V"), ""),
        (Search(refused=True), "4"),
        (Search(since=ago(minutes=90)), "543"),
        (Search(until=ago(minutes=90)), "21"),
        (Search(since=ago(minutes=150), until=ago(minutes=90)), "2"),
        (Search(columns={"user": "' OR 1=1 --"}), ""),
    ],
)
def test_searches(filled: Store, search: Search, found: str) -> None:
    assert events(filled, search) == [f"event-{each}" for each in found]


def test_pages_by_numbers(filled: Store) -> None:
    first = filled.trail.find(Search(), 2)
    rest = filled.trail.find(Search(below=first[-1][0]), 10)
    assert [each.event for _, each in first + rest] == [f"event-{each}" for each in "54321"]
    later = filled.trail.find(Search(above=rest[0][0]), 10, forward=True)
    assert [number for number, _ in later] == sorted(number for number, _ in first)


def test_an_unknown_column_is_no_sql(filled: Store) -> None:
    with pytest.raises(KeyError):
        filled.trail.find(Search(columns={"1=1; --": "x"}), 10)


# --- accounts -----------------------------------------------------------------------------------
LOUD, QUIET = "111111111111", "222222222222"


def test_nobody_pushes_out_what_another_account_did(store: Store) -> None:
    store.tell([entry(number, account=QUIET) for number in range(20)])
    for number in range(1000, 1600):
        store.tell([entry(number, account=LOUD)])
        assert store.trail.bytes <= BOUNDS.bytes
    assert len(events(store, Search(account=QUIET))) == 20
    loud = events(store, Search(account=LOUD), forward=True)
    assert 100 < len(loud) < 600
    assert loud == [f"event-{number}" for number in range(1600 - len(loud), 1600)], "the latest"


def test_who_comes_late_gets_a_share(store: Store) -> None:
    """Whoever takes most makes room, also where an account alone had all."""
    for number in range(400):
        store.tell([entry(number, account=LOUD)])
    before = len(events(store, Search(account=LOUD)))
    for number in range(1000, 1400):
        store.tell([entry(number, account=QUIET)])
    left, late = (len(events(store, Search(account=each))) for each in (LOUD, QUIET))
    assert before - left == late
    assert abs(left - late) <= 3


def test_shares_are_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "gureum.db"
    store = SqliteStore(path, bounds=BOUNDS)
    store.tell([entry(number, account=QUIET) for number in range(20)])
    for number in range(1000, 1300):
        store.tell([entry(number, account=LOUD)])
    store.close()
    again = SqliteStore(path, bounds=BOUNDS)
    for number in range(1300, 1600):
        again.tell([entry(number, account=LOUD)])
    assert len(events(again, Search(account=QUIET))) == 20
    assert again.trail.bytes <= BOUNDS.bytes
    again.close()


def test_what_was_undone_takes_nothing(store: Store) -> None:
    def fails() -> None:
        with store.transaction(ACCOUNT, REGION, tell=lambda: [entry(1)]):
            raise ApiError("Nonsense", "no")

    store.tell([entry(0)])
    size = store.trail.bytes
    with pytest.raises(ApiError):
        fails()
    assert store.trail.bytes == size
