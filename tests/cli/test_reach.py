"""Who reaches whom, at the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gureum.cli.reach import clients, headers
from tests.cli.clouds import Served


def pairs(shop: Served, *args: str) -> list[tuple[str, str, list[tuple[str, int, int]]]]:
    """The pairs that a command tells, by name, with their spans."""
    found = json.loads(shop.cli("reach", "--json", *args).stdout)["pairs"]
    return [
        (
            pair["source"]["name"],
            pair["target"]["name"],
            [(span["protocol"], span["first"], span["last"]) for span in pair["spans"]],
        )
        for pair in found
    ]


def test_what_the_internet_reaches(shop: Served) -> None:
    assert pairs(shop, "--from", "internet") == [("internet", "web", [("tcp", 8080, 8080)])]
    result = shop.cli("reach", "--from", "internet")
    assert result.exit_code == 0
    assert "tcp" in result.output
    assert "8080" in result.output


def test_who_reaches_a_place_on_a_port(shop: Served) -> None:
    found = {source for source, _, _ in pairs(shop, "--to", "web", "8080")}
    assert found == {"db", "me", "mirror", "stranger", "internet"}
    assert pairs(shop, "--to", "web", "8081") == []
    result = shop.cli("reach", "--to", "web", "8081")
    assert result.exit_code == 1
    assert "Nobody." in result.stderr


def test_a_pair_with_the_rules_that_admit_it(shop: Served) -> None:
    found = json.loads(shop.cli("reach", "--from", "me", "--to", "web", "8080", "--json").stdout)[
        "pairs"
    ]
    (span,) = found[0]["spans"]
    assert [each.partition("-")[0] for each in span["by"]] == ["acl", "sgr"], "each once"
    assert pairs(shop, "--from", "web", "--to", "db") == []


def test_a_change_is_followed(shop: Served) -> None:
    assert pairs(shop, "--from", "web", "--to", "db", "22") == []
    (fix,) = json.loads(shop.cli("explain", "web", "db", "22", "--json").stdout)["fixes"]
    assert "authorize-security-group-ingress" in fix["commands"][0]
    (group,) = shop.shown("db")["SecurityGroups"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    rule["UserIdGroupPairs"] = [{"GroupId": shop.ids["www"]}]
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=group["GroupId"], IpPermissions=[rule])
    assert pairs(shop, "--from", "web", "--to", "db") == [("web", "db", [("tcp", 22, 22)])]


def test_what_is_asked_wrongly(shop: Served) -> None:
    assert shop.cli("reach").exit_code == 2
    assert shop.cli("reach", "--from", "nobody").exit_code == 4


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"protocol": "tcp", "first": 80, "last": 80}, "80"),
        ({"protocol": "udp", "first": 0, "last": 65535}, "0-65535"),
        ({"protocol": "icmp", "first": 2048, "last": 2048}, "type 8 code 0"),
        ({"protocol": "icmp", "first": 2048, "last": 2303}, "type 8"),
        ({"protocol": "icmp", "first": 0, "last": 65535}, "types 0-255"),
        ({"protocol": "icmp", "first": 1, "last": 2048}, "type 0 code 1 to type 8 code 0"),
        ({"protocol": "other", "first": 47, "last": 50}, "47-50"),
    ],
)
def test_spans_in_words(span: dict[str, Any], said: str) -> None:
    assert headers(span) == said


def test_client_ports_in_words() -> None:
    assert clients({"extent": "all", "client_ports": [[32768, 60999]]}) == ""
    assert (
        clients({"extent": "some", "client_ports": [[32768, 40000], [5, 6]]}) == "32768-40000, 5-6"
    )
