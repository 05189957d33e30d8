"""Explanations at the command line."""

from __future__ import annotations

import json

from tests.cli.clouds import Served


def test_a_block_is_told_with_place_rule_and_code(shop: Served) -> None:
    result = shop.cli("explain", "me", "web", "23")
    assert result.exit_code == 1
    (line,) = (line for line in result.output.splitlines() if line.startswith("BLOCK"))
    assert "(web)" in line
    assert line.endswith("[ENI_SG_RULES_MISMATCH]")
    assert result.output.splitlines()[-1] == "does not work"


def test_json_has_every_step_with_the_headers(shop: Served) -> None:
    result = shop.cli("explain", "me", "web", "23", "--json")
    found = json.loads(result.output)
    assert (result.exit_code, found["works"], found["reach"]) == (1, False, "none")
    first = found["forth"]["steps"][0]
    assert first["kind"] == "translate"
    assert first["packet"]["target"] == found["address"]
    assert first["after"]["target"] != found["address"]
    assert found["forth"]["arrived"] == shop.ids["web"]


def test_a_ping_needs_no_port_and_a_datagram_does(shop: Served) -> None:
    found = json.loads(shop.cli("explain", "web", "db", "--json").output)
    assert found["forth"]["steps"][0]["packet"]["icmp"] == [8, 0]
    assert shop.cli("explain", "web", "db", "--udp").exit_code == 2


def test_a_place_that_is_not_there(shop: Served) -> None:
    assert shop.cli("explain", "web", "nowhere", "80").exit_code == 4
    assert shop.cli("explain", "web", "example.com", "80").exit_code != 0
