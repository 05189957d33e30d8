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


def admit(shop: Served, port: int, cidr: str) -> None:
    """Let a block in to a port of the web server."""
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=shop.ids["www"], IpPermissions=[rule])


def test_parts_of_the_internet_are_told_apart(shop: Served) -> None:
    admit(shop, 22, "203.0.113.0/24")
    office, rest = "203.0.113.0/24", "internet except 203.0.113.0/24"
    assert pairs(shop, "--from", "internet") == [
        (rest, "web", [("tcp", 8080, 8080)]),
        (office, "web", [("tcp", 22, 22), ("tcp", 8080, 8080)]),
    ]
    assert pairs(shop, "--from", "internet", "22") == [(office, "web", [("tcp", 22, 22)])]
    assert pairs(shop, "--to", "web", "22") == [(office, "web", [("tcp", 22, 22)])]
    assert pairs(shop, "--from", "203.0.113.9", "22") == [
        ("203.0.113.9/32", "web", [("tcp", 22, 22)])
    ]
    assert pairs(shop, "--from", "192.0.2.0/24", "--to", "web", "22") == []
    shown = json.loads(shop.cli("reach", "--from", "internet", "--json").stdout)["pairs"]
    ends = [(pair["source"]["blocks"], pair["source"]["except"]) for pair in shown]
    assert ends == [([], [office]), ([office], [])]
    assert office in shop.cli("reach", "--to", "web", "22").stdout


def test_private_addresses_that_nobody_has_are_nobody(shop: Served) -> None:
    assert shop.cli("reach", "--from", "10.9.9.9").exit_code == 4


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


def test_what_has_changed_since_a_kept_revision(shop: Served) -> None:
    first = int(shop.cli("reach", "--keep").stdout)
    result = shop.cli("reach", "--since", str(first))
    assert (result.exit_code, result.stderr.strip()) == (0, "Nothing has changed.")
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    rule["IpRanges"] = [{"CidrIp": "198.18.0.0/15"}]
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=shop.ids["www"], IpPermissions=[rule])
    second = int(shop.cli("reach", "--keep").stdout)
    result = shop.cli("reach", "--since", str(first), "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["since"], found["until"]) == (first, second)
    assert {(each["source"]["name"], each["target"]["name"]) for each in found["pairs"]} == {
        (name, "web") for name in ("198.18.0.0/15", "me", "mirror", "stranger")
    }
    for pair in found["pairs"]:
        assert [span["first"] for span in pair["before"]] == [8080]
        assert [span["first"] for span in pair["after"]] == [22, 8080]
    assert "tcp 22" in shop.cli("reach", "--since", str(first)).output

    shop.api.call("TerminateInstances", InstanceIds=[shop.ids["web"]])
    shop.until("web", "terminated")
    found = json.loads(shop.cli("reach", "--since", str(second), "--json").stdout)["pairs"]
    assert ("me", "web") in {(each["source"]["name"], each["target"]["name"]) for each in found}
    assert all(each["before"] and not each["after"] for each in found)
    between = shop.cli("reach", "--since", str(first), "--until", str(second), "--json")
    assert len(json.loads(between.stdout)["pairs"]) == 4


def test_a_revision_that_is_not_kept(shop: Served) -> None:
    result = shop.cli("reach", "--since", "1")
    assert result.exit_code == 2
    assert "not kept" in result.stderr
    assert shop.cli("reach", "--keep", "--from", "web").exit_code == 2
    assert shop.cli("reach", "--from", "web", "--until", "3").exit_code == 2
