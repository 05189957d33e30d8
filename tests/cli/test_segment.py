"""How a subnet carries frames, at the command line; that it then does is for the kernel tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gureum.cli.segment import MODES
from gureum.program import SegmentMode
from gureum.resources import segment_mode
from tests.cli.clouds import Served
from tests.cli.test_table import TableEngine

TAG = "gureum:segment-mode"


@pytest.fixture
def engine() -> TableEngine:
    return TableEngine()


@pytest.fixture
def shop(engine: TableEngine) -> Iterator[Served]:
    made = Served(engine=engine)
    made.build()
    yield made
    made.close()


def asked(shop: Served, *args: str) -> dict[str, Any]:
    """What the command prints as JSON; it must succeed."""
    result = shop.cli("segment", *args, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def tags(shop: Served, subnet: str) -> dict[str, str]:
    """The tags of a subnet, as an AWS client sees them."""
    answer = shop.api.call("DescribeSubnets", SubnetIds=[shop.ids[subnet]])
    return {tag["Key"]: tag["Value"] for tag in answer["Subnets"][0]["Tags"]}


def in_force(shop: Served, engine: TableEngine, subnet: str) -> str:
    """The mode that the engine was told."""
    (found,) = (
        each.mode
        for each in engine.statements
        if isinstance(each, SegmentMode) and each.segment.id == shop.ids[subnet]
    )
    return found


def test_without_a_mode_it_shows_mode_stations_and_macs(shop: Served, engine: TableEngine) -> None:
    eni = shop.shown("web")["NetworkInterfaces"][0]
    key, mac = eni["NetworkInterfaceId"], eni["MacAddress"]
    row = {"segment": shop.ids["outside"], "mac": mac, "link": key, "age": 0, "interface": key}
    engine.rows = [row | {"kind": "static"}, row | {"mac": "02:ff:ff:ff:ff:ff", "kind": "own"}]
    found = asked(shop, "outside")
    assert engine.asked == [("mac", shop.ids["outside"])]
    assert (found["mode"], found["cidr"], found["ageing"]) == ("fabric", "192.168.55.0/26", None)
    router, web = found["stations"]
    assert (router["interface"], router["ip"]) == ("router", "192.168.55.1")
    assert web == {
        "station": shop.ids["web"],
        "interface": key,
        "mac": mac,
        "ip": eni["PrivateIpAddress"],
    }
    assert found["macs"] == engine.rows
    text = shop.cli("segment", "outside").output
    assert f"mode    fabric: {MODES['fabric']}" in text
    assert f"{key} (web)" in text
    assert "02:ff:ff:ff:ff:ff" not in text, "the bridge's own addresses are no stations"


def test_a_mode_is_in_force_when_the_command_ends(shop: Served, engine: TableEngine) -> None:
    for mode in ("switch", "hub"):
        found = asked(shop, "outside", mode)
        assert (found["mode"], found["in_force"]) == (mode, True)
        assert in_force(shop, engine, "outside") == mode
        assert tags(shop, "outside") == {"Name": "outside", TAG: mode}
    assert in_force(shop, engine, "inside") == "fabric", "the other subnet is as it was"
    assert asked(shop, "outside", "fabric")["mode"] == "fabric"
    assert in_force(shop, engine, "outside") == "fabric"
    assert tags(shop, "outside") == {"Name": "outside"}, "as AWS does it there is nothing to say"


def test_only_a_switch_forgets(shop: Served) -> None:
    assert asked(shop, "outside", "switch")["ageing"] == 300
    assert "silent for 300 s" in shop.cli("segment", "outside").output
    assert asked(shop, "outside", "hub")["ageing"] is None


def test_a_bridge_that_knows_nobody_is_said_to(shop: Served) -> None:
    result = shop.cli("segment", "inside", "hub")
    assert result.exit_code == 0
    assert "knows no station" in result.stderr


def test_who_is_stopped_is_not_on_the_wire(shop: Served) -> None:
    shop.api.call("StopInstances", InstanceIds=[shop.ids["db"]])
    shop.until("db", "stopped")
    assert [each["interface"] for each in asked(shop, "inside")["stations"]] == ["router"]


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (("web",), 4, "this needs a subnet"),
        (("nowhere",), 4, "No place is called 'nowhere'"),
        (("outside", "ring"), 2, "'ring' is not one of 'fabric', 'switch', 'hub'"),
    ],
)
def test_refusals(shop: Served, args: tuple[str, ...], status: int, says: str) -> None:
    result = shop.cli("segment", *args)
    assert (result.exit_code, result.stdout) == (status, "")
    assert says in result.stderr


def test_a_segment_that_the_network_lacks_is_told(shop: Served, engine: TableEngine) -> None:
    engine.missing = True
    result = shop.cli("segment", "outside")
    assert result.exit_code == 4
    assert "is not there yet" in result.stderr


def test_a_mode_not_from_the_command_line_is_refused_by_name(shop: Served) -> None:
    answer = shop.cli("segment", "outside", "hub", "--account", "999999999999")
    assert answer.exit_code == 4, "names count in an account"
    assert tags(shop, "outside") == {"Name": "outside"}


def test_command_and_tag_know_the_same_modes() -> None:
    assert tuple(MODES) == segment_mode.MODES
