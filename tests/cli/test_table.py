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


def test_command_and_daemon_know_the_same_tables() -> None:
    assert TABLES == console.TABLES
