"""Live tables at the command line; what is in them is the engine's to say."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from gureum.cli.table import TABLES
from gureum.engines import Row, TableKind
from gureum.engines.fake import FakeEngine
from gureum.server import console
from tests.cli.clouds import Served


class TableEngine(FakeEngine):
    """An engine in memory that has tables."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []
        self.rows: list[Row] = []
        self.missing = False

    def tables(self, kind: TableKind, place_id: str) -> list[Row]:
        self.asked.append((kind, place_id))
        if self.missing:
            raise LookupError("there is no such place on the network")
        return self.rows


@pytest.fixture
def engine() -> TableEngine:
    return TableEngine()


@pytest.fixture
def shop(engine: TableEngine) -> Iterator[Served]:
    made = Served(engine=engine)
    made.build()
    yield made
    made.close()


def test_a_table_is_shown_in_the_cloud_s_names(shop: Served, engine: TableEngine) -> None:
    eni = shop.shown("db")["NetworkInterfaces"][0]["NetworkInterfaceId"]
    engine.rows = [{"address": "192.168.55.9", "interface": eni, "age": 3}]
    result = shop.cli("table", "arp", "web")
    assert engine.asked == [("arp", shop.ids["web"])]
    lines = result.output.splitlines()
    assert lines[0].split() == ["address", "interface", "age"]
    assert lines[2].split() == ["192.168.55.9", eni, "(db)", "3"]


def test_the_engine_is_asked_in_its_own_names(shop: Served, engine: TableEngine) -> None:
    for place, meant in (("me", "me"), ("outside", shop.ids["outside"])):
        answer = json.loads(shop.cli("table", "mac", place, "--json").output)
        assert (answer["kind"], answer["rows"]) == ("mac", [])
        assert engine.asked[-1] == ("mac", meant)


def test_an_empty_table_is_said_to_be(shop: Served) -> None:
    result = shop.cli("table", "nat", "shop")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "empty" in result.stderr


def test_a_place_that_the_network_lacks_is_told(shop: Served, engine: TableEngine) -> None:
    engine.missing = True
    result = shop.cli("table", "arp", "shop")
    assert result.exit_code == 4
    assert "is not there yet" in result.stderr


def socket_row(port: int, peer: str, peer_port: int, state: str, **more: str | int) -> Row:
    row: Row = {"protocol": "tcp", "address": "10.0.0.5", "port": port}
    return row | {"peer": peer, "peer_port": peer_port, "state": state} | more


def test_sockets_are_shown_by_the_port_that_listens(shop: Served, engine: TableEngine) -> None:
    door = socket_row(80, "0.0.0.0", 0, "listening", waiting=2, backlog=128)
    engine.rows = [
        door | {"address": "0.0.0.0"},
        socket_row(80, "10.0.0.6", 40001, "established", unread=7, unsent=0),
        socket_row(80, "10.0.0.7", 40001, "time-wait", unread=0, unsent=0),
        socket_row(50000, "10.0.0.8", 80, "established", unread=0, unsent=0),
        door | {"address": "10.0.0.9"},
        socket_row(80, "10.0.0.6", 40002, "established", address="10.0.0.9"),
        socket_row(81, "10.0.0.6", 40003, "established", address="10.0.0.9"),
    ]
    lines = shop.cli("table", "sockets", "web").output.splitlines()
    assert engine.asked == [("socket", shop.ids["web"])]
    door_said = "listening, 2 of at most 128 wait to be accepted"
    assert [" ".join(line.split()) for line in lines] == [
        f"tcp 0.0.0.0:80 {door_said}; 2 connections: 1 established, 1 time-wait",
        "10.0.0.5:80 <- 10.0.0.6:40001 established, 7 bytes unread",
        "10.0.0.5:80 <- 10.0.0.7:40001 time-wait",
        f"tcp 10.0.0.9:80 {door_said}; 1 connection: 1 established",
        "10.0.0.9:80 <- 10.0.0.6:40002 established",
        "calls out; 2 connections: 2 established",
        "10.0.0.5:50000 -> 10.0.0.8:80 established",
        "10.0.0.9:81 -> 10.0.0.6:40003 established",
    ]
    assert json.loads(shop.cli("table", "sockets", "web", "--json").output)["rows"] == engine.rows


class Moving(TableEngine):
    """Tables that are others at each look; the last one stays."""

    def __init__(self, *looks: list[Row]) -> None:
        super().__init__()
        self.looks = list(looks)

    def tables(self, kind: TableKind, place_id: str) -> list[Row]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


def test_a_watch_shows_what_differs_from_the_look_before() -> None:
    one: Row = {"link": "eth0", "address": "10.0.0.1", "mac": "02:00:00:00:00:01", "state": "stale"}
    two: Row = {**one, "address": "10.0.0.2"}
    looks = ([one], [one], [one, two], [{**one, "state": "reachable"}, two], [two])
    for as_json in ((), ("--json",)):
        made = Served(engine=Moving(*looks))
        try:
            made.build()
            result = made.cli("table", "arp", "web", "--watch", "-i", "0.1", "--for", "2", *as_json)
        finally:
            made.close()
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        if as_json:
            first, *told = [json.loads(line) for line in lines]
            assert first == {"rows": [one]}
            assert [each["change"] for each in told] == ["added", "changed", "removed"]
            assert told[1]["was"] == {"state": "stale"}
        else:
            assert [line.split()[1] for line in lines[3:]] == ["+", "~", "-"]
            assert "state stale -> reachable" in lines[4]


def test_command_and_daemon_know_the_same_tables() -> None:
    assert TABLES == console.TABLES
