"""Explanations at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gureum.cli.explain_show import show_verdict
from gureum.engines import Row, TableKind
from gureum.engines.fake import FakeEngine
from tests.cli.clouds import Served


def test_a_block_is_told_with_place_rule_and_code(shop: Served) -> None:
    result = shop.cli("explain", "me", "web", "23")
    assert result.exit_code == 1
    (line,) = (line for line in result.output.splitlines() if line.startswith("BLOCK"))
    assert "(web)" in line
    assert line.endswith("[ENI_SG_RULES_MISMATCH]")
    (behind,) = (line for line in result.output.splitlines() if line.startswith("(pass)"))
    assert "deliver" in behind
    mended = result.output.partition("does not work\n\n")[2].splitlines()
    assert mended[0] == "to mend it: let tcp 23 in from 198.19.0.10"
    assert mended[1].startswith("  aws ec2 authorize-security-group-ingress --group-id sg-")
    assert "the port is 23" not in result.output
    assert (
        "tcp 8080 from 0.0.0.0/0: the port is 23"
        in shop.cli("explain", "me", "web", "23", "-v").output
    )


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


def test_only_tcp_and_udp_have_a_source_port(shop: Served) -> None:
    refused = shop.cli("explain", "me", "web", "--source-port", "7")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert shop.cli("explain", "me", "web", "80", "--source-port", "0").exit_code == 2


def test_the_words_where_a_nat_gateway_draws_the_port(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"reach": "some", "listening": None, "source_port": 500, "client_ports": [[500, 500]]}
    show_verdict({**found, "drawn_ports": [[1024, 39999], [50000, 65535]]})
    said = capsys.readouterr().out.strip()
    assert said.endswith("draws one of some ports only: 1024-39999, 50000-65535")


@pytest.mark.parametrize(
    ("service", "packet"),
    [
        ("443", {"protocol": 6, "target_port": 443, "icmp": None}),
        ("udp/53", {"protocol": 17, "target_port": 53, "icmp": None}),
        ("icmp/3/4", {"protocol": 1, "target_port": None, "icmp": [3, 4]}),
        ("proto/47", {"protocol": 47, "target_port": None, "icmp": None}),
    ],
)
def test_services(shop: Served, service: str, packet: dict[str, Any]) -> None:
    found = json.loads(shop.cli("explain", "web", "db", service, "--json").output)
    assert packet.items() <= found["forth"]["steps"][0]["packet"].items()


@pytest.mark.parametrize("service", ["http", "tcp/", "0", "65536", "icmp/256", "proto/256", "47/x"])
def test_what_is_no_service(shop: Served, service: str) -> None:
    assert shop.cli("explain", "web", "db", service).exit_code != 0


def test_an_interface_is_a_place(shop: Served) -> None:
    eni = shop.shown("web")["NetworkInterfaces"][0]["NetworkInterfaceId"]
    other = shop.shown("db")["NetworkInterfaces"][0]["NetworkInterfaceId"]
    found = json.loads(shop.cli("explain", eni, other, "22", "--json").output)
    assert found["source"]["name"] == "web"
    assert found["address"] == shop.shown("db")["PrivateIpAddress"]


def test_the_internet_is_a_place(shop: Served) -> None:
    for name in ("internet", "gate"):
        found = json.loads(shop.cli("explain", name, "web", "8080", "--json").output)
        assert (found["reach"], found["source"]["name"]) == ("all", "mirror")
    found = json.loads(shop.cli("explain", "web", "internet", "80", "--json").output)
    assert (found["reach"], found["forth"]["arrived"]) == ("all", "mirror")


def test_who_has_an_address_of_the_internet_that_is_nobodys_here(shop: Served) -> None:
    found = json.loads(shop.cli("explain", "203.0.113.5", "web", "8080", "--json").output)
    assert (found["reach"], found["source"]["kind"]) == ("all", "internet address")
    assert found["forth"]["steps"][0]["packet"]["source"] == "203.0.113.5"
    blocked = shop.cli("explain", "203.0.113.5", "web", "22")
    assert blocked.exit_code == 1
    assert "ENI_SG_RULES_MISMATCH" in blocked.output
    live = shop.cli("explain", "203.0.113.5", "web", "8080", "--live")
    assert "Nobody here has 203.0.113.5" in live.stderr
    assert shop.cli("explain", "10.99.0.1", "web", "8080").exit_code == 4
    assert shop.cli("explain", "web", "203.0.113.5", "80").exit_code == 1, "nobody answers there"


def test_json_as_aws_has_it(shop: Served) -> None:
    result = shop.cli("explain", "internet", "web", "8081", "--aws-json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["NetworkPathFound"]) == (1, False)
    (block,) = found["Explanations"]
    assert block["ExplanationCode"] == "ENI_SG_RULES_MISMATCH"
    assert [each["Id"] for each in block["SecurityGroups"]] == [shop.ids["www"]]


def test_a_forged_source_is_told(shop: Served) -> None:
    result = shop.cli("explain", "web", "db", "22", "--source-ip", "192.168.55.9", "-vv")
    assert "ENI_ADDRESS_RESTRICTION" in result.output
    assert "192.168.55.9:32768 > " in result.output
    assert shop.cli("explain", "web", "db", "22", "--source-ip", "x").exit_code != 0


class Listening(FakeEngine):
    """An engine on whose hosts one socket waits."""

    address = "0.0.0.0"

    def tables(self, kind: TableKind, place_id: str) -> list[Row]:
        waits: Row = {
            "protocol": "tcp",
            "address": self.address,
            "port": 8080,
            "state": "listening",
        }
        return [waits] if kind == "socket" else []


@pytest.fixture
def listening() -> Iterator[Served]:
    made = Served(engine=Listening())
    made.build()
    yield made
    made.close()


def test_whether_somebody_listens(listening: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    result = listening.cli("explain", "me", "web", "8080")
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "works")
    monkeypatch.setattr(Listening, "address", "127.0.0.1")
    result = listening.cli("explain", "me", "web", "8080")
    assert result.exit_code == 1
    assert "tcp port 8080 is listened on at 127.0.0.1 only" in result.output
    assert result.output.splitlines()[-1] == "the network lets it through, but nobody listens"


def test_from_one_client_port(listening: Served) -> None:
    """Answers to ports from 40000 on are denied."""
    acls = listening.api.call("DescribeNetworkAcls")["NetworkAcls"]
    mine = (each for each in acls for one in each["Associations"]
            if one["SubnetId"] == listening.ids["outside"])  # fmt: skip
    listening.api.call(
        "CreateNetworkAclEntry", NetworkAclId=next(mine)["NetworkAclId"], RuleNumber=1,
        Protocol="6", RuleAction="deny", Egress=True, CidrBlock="0.0.0.0/0",
        PortRange={"From": 40000, "To": 65535},
    )  # fmt: skip
    call = ("explain", "me", "web", "8080")
    for port, status, said in (
        ("39999", 0, "works from client port 39999"),
        ("40000", 1, "does not work from client port 40000"),
        ("1", 0, "works from client port 1"),
    ):
        result = listening.cli(*call, "--source-port", port)
        assert result.exit_code == status, result.output
        assert said in result.output.splitlines()
        found = json.loads(listening.cli(*call, "--source-port", port, "--json").output)
        assert found["source_port"] == int(port)
        assert found["client_ports"] == ([] if status else [[int(port), int(port)]])
        assert found["forth"]["steps"][0]["packet"]["source_port"] == int(port)
    assert listening.cli(*call).exit_code == 2, "of all ports some"
    found = json.loads(listening.cli(*call, "--json").output)
    assert (found["source_port"], found["client_ports"]) == (None, [[32768, 39999]])


def test_a_place_that_is_not_there(shop: Served) -> None:
    assert shop.cli("explain", "web", "nowhere", "80").exit_code == 4
    assert shop.cli("explain", "web", "example.com", "80").exit_code != 0


def test_forth_and_back_side_by_side(shop: Served) -> None:
    result = shop.cli("explain", "me", "web", "8080", "--sides")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["forth", "where", "back"]
    (acl,) = (line for line in lines if "(outside)" in line and "acl:" in line)
    assert acl.index("pass acl:") < acl.index("(outside)") < acl.rindex("pass acl:")
    assert lines[-1] == "the network lets it through, but nobody listens"
    order = [next(n for n, line in enumerate(lines) if word in line)
             for word in ("me has", "(gate)", "(shop)", "(outside)", "(web)")]  # fmt: skip
    assert order == sorted(order), "places that only the answer passes are where it passes them"

    blocked = shop.cli("explain", "me", "web", "23", "--sides").stdout
    assert "BLOCK group:" in blocked
    assert "ENI_SG_RULES_MISMATCH" in blocked
    assert "to mend it: let tcp 23 in" in blocked
