"""Differences between two readings of a table."""

from __future__ import annotations

from typing import get_args

from gureum.engines import Row, TableKind
from gureum.server.table_changes import KEYS, Change, changes

ONE: Row = {"link": "eth0", "address": "10.0.0.1", "mac": "02:00:00:00:00:01", "state": "stale"}


def test_what_comes_goes_and_differs() -> None:
    two: Row = {**ONE, "address": "10.0.0.2"}
    assert changes("arp", [ONE], [ONE]) == []
    assert changes("arp", [ONE], [two]) == [Change("removed", ONE, {}), Change("added", two, {})]
    new: Row = {**ONE, "state": "reachable"}
    assert changes("arp", [ONE], [new]) == [Change("changed", new, {"state": "stale"})]


def test_a_clock_that_runs_is_no_change() -> None:
    row: Row = {"segment": "s", "mac": "m", "link": "l", "kind": "learned", "age": 3}
    assert changes("mac", [row], [{**row, "age": 4}]) == []
    moved: Row = {**row, "link": "k"}
    assert [each.change for each in changes("mac", [row], [moved])] == ["removed", "added"]


def test_every_table_has_a_key() -> None:
    assert set(KEYS) == set(get_args(TableKind))
