"""The book of wanted items: shared parts, modes, no memory of history."""

from __future__ import annotations

import random

from gureum.engines.linux.book import Book
from gureum.engines.linux.items import PortFlags
from gureum.engines.linux.lower import Plan
from gureum.program import (
    InternetHost,
    Member,
    Port,
    Route,
    Router,
    Segment,
    SegmentMode,
    Statement,
    Table,
    ViaUplink,
)

SEGMENT = Segment("subnet-1", "vpc-1", "10.0.1.0/24", "10.0.1.1", "02:00:00:00:00:01")
PORT = Port("eni-1", SEGMENT, "i-1", 0, "02:00:00:00:00:0a")
FLAGS = ("flags", "vpc-1", "e-1")


def test_a_shared_part_stays_while_anybody_asks_for_it() -> None:
    book = Book(Plan())
    one, two = InternetHost("a", "198.19.0.1"), InternetHost("b", "198.19.0.2")
    book.change([one, two], ())
    key = ("namespace", "internet")
    book.change((), [one])
    assert book.wanted(key) is not None
    assert key in book.change((), [two])
    assert book.wanted(key) is None
    assert not book.wanted_keys()


def test_the_second_time_nothing_is_touched() -> None:
    book = Book(Plan())
    assert book.change([Router("vpc-1")], ())
    assert not book.change([Router("vpc-1")], ())
    assert not book.change((), [Router("vpc-2")])
    assert not book.change([Router("vpc-1")], [Router("vpc-1")])


def _flags(book: Book) -> PortFlags:
    found = book.wanted(FLAGS)
    assert isinstance(found, PortFlags)
    return found


def test_a_mode_concerns_the_ports_of_its_segment() -> None:
    book = Book(Plan())
    book.change([SEGMENT, PORT], ())
    assert not _flags(book).flood
    hub = SegmentMode(SEGMENT, "hub")
    assert FLAGS in book.change([hub], ())
    assert _flags(book).flood
    assert FLAGS in book.change([SegmentMode(SEGMENT, "switch")], [hub])
    assert _flags(book).learning
    assert FLAGS in book.change((), [SegmentMode(SEGMENT, "switch")])
    assert not _flags(book).flood


def test_the_mode_may_come_first() -> None:
    book = Book(Plan())
    book.change([SegmentMode(SEGMENT, "hub")], ())
    book.change([PORT], ())
    assert _flags(book).flood


def test_a_replaced_target_touches_one_route() -> None:
    book = Book(Plan())
    table = Table("rtb-1", "vpc-1", 1)
    old = Route(table, "0.0.0.0/0", ViaUplink("igw-1"))
    book.change([old], ())
    touched = book.change([Route(table, "0.0.0.0/0", ViaUplink("igw-2"))], [old])
    assert touched == {("route", "vpc-1", "1001", "0.0.0.0/0", "0")}


def test_history_leaves_no_trace() -> None:
    """Any path of additions and removals ends where a fresh book with the same statements is."""
    draw = random.Random(11)
    pool: list[Statement] = [
        Router("vpc-1"), SEGMENT, PORT, SegmentMode(SEGMENT, "hub"), SegmentMode(SEGMENT, "switch"),
        InternetHost("a", "198.19.0.1"), InternetHost("b", "198.19.0.2"),
        *(Member("vpc-1", group, "10.0.1.4") for group in ("sg-1", "sg-2")),
        *(Member("vpc-1", "sg-1", f"10.0.1.{n}") for n in range(5, 9)),
    ]  # fmt: skip
    for _ in range(30):
        book, held = Book(Plan()), set[Statement]()
        for _ in range(20):
            add = set(draw.sample(pool, draw.randint(0, 4)))
            remove = set(draw.sample(pool, draw.randint(0, 4)))
            held = (held - remove) | add
            book.change(add, remove)
        fresh = Book(Plan())
        fresh.change(held, ())
        assert set(book.statements()) == held
        assert set(book.wanted_keys()) == set(fresh.wanted_keys())
        for key in fresh.wanted_keys():
            assert book.wanted(key) == fresh.wanted(key)
