"""Who reaches whom over IPv6: ``reach``, ``verify`` and ``audit`` look at both versions."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.clouds import Served
from tests.cli.test_audit import audited
from tests.cli.test_verify import statement, verified

ANYWHERE = "::/0"


@pytest.fixture
def dual(shop: Served) -> Served:
    """The small shop, with IPv6."""
    shop.build6()
    return shop


def allow(shop: Served, port: int, cidr: str = ANYWHERE, **rule: Any) -> str:
    """Let a port, or what a rule says, in over IPv6; the id of the group."""
    given = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port} | rule
    permission = given | {"Ipv6Ranges": [{"CidrIpv6": cidr}]}
    key = shop.ids["www"]
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=key, IpPermissions=[permission])
    return key


def told(shop: Served, *args: str) -> list[tuple[int, str, str, str, list[tuple[str, int]]]]:
    """Version, names, the target's address and what works, of each pair."""
    found = json.loads(shop.cli("reach", "--json", *args).stdout)["pairs"]
    return [
        (
            pair["version"],
            pair["source"]["name"],
            pair["target"]["name"],
            pair["target"]["ip"],
            [(span["protocol"], span["first"]) for span in pair["spans"]],
        )
        for pair in found
    ]


# --- reach --------------------------------------------------------------------------------------
def test_both_versions_are_looked_at(dual: Served) -> None:
    web = dual.shown("web")["PrivateIpAddress"]
    over4 = (4, "internet", "web", web, [("tcp", 8080)])
    assert told(dual, "--from", "internet") == [over4]
    allow(dual, 443)
    over6 = (6, "internet", "web", dual.ids["web6"], [("tcp", 443)])
    assert told(dual, "--from", "internet") == [over4, over6]
    assert told(dual, "--from", "internet", "-6") == [over6]
    assert told(dual, "--from", "internet", "-4") == [over4]
    assert told(dual, "--from", "internet", "443") == [over6]
    assert told(dual, "--from", "internet", "--to", dual.ids["web6"]) == [over6]
    assert told(dual, "--from", "internet", "--to", web) == [over4]
    assert dual.ids["web6"] in dual.cli("reach", "--from", "internet").output


def test_prefix_lists_have_blocks_of_ipv6(dual: Served) -> None:
    """In rules and in routes."""
    entries = {"AddressFamily": "IPv6", "MaxEntries": 2, "Entries": [{"Cidr": "3fff:800::/64"}]}
    made = dual.api.call("CreateManagedPrefixList", PrefixListName="out", **entries)
    key = made["PrefixList"]["PrefixListId"]
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    rule["PrefixListIds"] = [{"PrefixListId": key}]
    dual.api.call("AuthorizeSecurityGroupIngress", GroupId=dual.ids["www"], IpPermissions=[rule])
    found = told(dual, "--to", "web", "443", "-6")
    hosts = {"me", "mirror", "stranger"}
    assert {source for _, source, _, _, _ in found} == hosts | {"3fff:800::/64"}
    out = {"RouteTableId": dual.ids["out"], "DestinationIpv6CidrBlock": ANYWHERE}
    dual.api.call("DeleteRoute", **out)
    assert told(dual, "--to", "web", "443", "-6") == []
    to = {"RouteTableId": dual.ids["out"], "DestinationPrefixListId": key}
    dual.api.call("CreateRoute", GatewayId=dual.ids["gate"], **to)
    assert told(dual, "--to", "web", "443", "-6") == found


def test_a_ping_is_one_of_each_version(dual: Served) -> None:
    assert told(dual, "--from", "me", "--to", "web", "icmp") == []
    allow(dual, 0, IpProtocol="icmpv6", FromPort=128, ToPort=-1)
    ((version, _, _, _, spans),) = told(dual, "--from", "me", "--to", "web", "icmp")
    assert (version, spans) == (6, [("icmpv6", 128 * 256)])
    assert "type 128 code 0" in dual.cli("reach", "--from", "me", "--to", "web", "icmp").output
    explained = json.loads(dual.cli("explain", "-6", "me", "web", "--json").stdout)
    assert explained["works"]


def test_an_egress_only_gateway_lets_db_out_and_nobody_in(dual: Served) -> None:
    found = told(dual, "--from", "db", "443")
    assert {version for version, *_ in found} == {6}
    assert {target for _, _, target, _, _ in found} == {"internet", "me", "mirror", "stranger"}
    group = dual.shown("db")["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": ANYWHERE}]}
    dual.api.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])
    assert told(dual, "--from", "internet", "--to", "db") == []
    assert [version for version, *_ in told(dual, "--from", "web", "--to", "db", "22")] == [6]


def test_who_has_no_address_of_the_version(shop: Served) -> None:
    result = shop.cli("reach", "--from", "web", "--to", "db", "-6")
    assert result.exit_code != 0
    assert "web has no IPv6 address" in result.stderr
    assert shop.cli("reach", "--keep", "-6").exit_code == 2


def test_a_change_over_ipv6_is_one(dual: Served) -> None:
    first = dual.cli("reach", "--keep").stdout.strip()
    assert dual.cli("reach", "--since", first).exit_code == 0
    allow(dual, 443, "3fff:800::/21")
    result = dual.cli("reach", "--since", first, "--json")
    assert result.exit_code == 1
    pairs = json.loads(result.stdout)["pairs"]
    assert {each["version"] for each in pairs} == {6}
    assert "me" in {each["source"]["name"] for each in pairs}
    assert {each["target"]["ip"] for each in pairs} == {dual.ids["web6"]}


# --- verify -------------------------------------------------------------------------------------
def test_a_statement_is_about_both_versions(dual: Served, tmp_path: Path) -> None:
    text = statement(from_="internet", to="web", only="tcp/8080", always="tcp/8080")
    status, (found,) = verified(dual, text, tmp_path)
    (finding,) = found["findings"]
    assert (status, finding["what"], finding["version"]) == (1, "does not reach", 6)
    assert finding["explanation"]["address"] == dual.ids["web6"]
    allow(dual, 8080)
    assert verified(dual, text, tmp_path)[0] == 0
    allow(dual, 22)
    status, (found,) = verified(dual, text, tmp_path)
    (finding,) = found["findings"]
    assert (finding["what"], finding["version"], finding["first"]) == ("reaches", 6, 22)
    assert finding["explanation"]["reach"] == "all"
    assert dual.ids["web6"] in finding["target"]["ip"]
    assert verified(dual, text + "  over: ipv4\n", tmp_path)[0] == 0
    assert verified(dual, text + "  over: ipv6\n", tmp_path)[0] == 1
    output = dual.cli("verify", str(tmp_path / "policy.yaml")).output
    assert "on tcp 22 by" in output
    assert "over IPv6" in output


def test_icmp_of_a_policy_is_that_of_the_version(dual: Served, tmp_path: Path) -> None:
    text = statement(from_="internet", to="web", never="icmp")
    assert verified(dual, text, tmp_path)[0] == 0
    allow(dual, 0, IpProtocol="icmpv6", FromPort=-1, ToPort=-1)
    status, (found,) = verified(dual, text, tmp_path)
    assert (status, found["findings"][0]["protocol"]) == (1, "icmpv6")


STATEMENTS: tuple[tuple[dict[str, str], bool], ...] = (
    ({"from_": "{cidr: 3fff::/21}", "to": "internet", "always": "tcp/443"}, True),
    ({"from_": "{cidr: 192.168.55.128/27}", "to": "internet", "never": "any"}, True),
    ({"from_": "db", "to": "internet", "never": "any"}, False),
    ({"from_": "db", "to": "internet", "never": "any", "over": "ipv4"}, True),
    ({"subnets": "outside", "leave_by": "internet-gateway"}, True),
    ({"subnets": "inside", "leave_by": "nat"}, False),
    ({"subnets": "inside", "leave_by": "nat", "over": "ipv6"}, True),
    ({"subnets": "inside", "leave_by": "[nat, nothing]"}, True),
    ({"subnets": "inside", "leave_by": "nothing"}, False),
    ({"subnets": "{cidr: 3fff::/21}", "leave_by": "nat"}, False),
    ({"subnets": "inside", "leave_by": "egress-only-internet-gateway", "over": "ipv6"}, True),
)


def test_statements(dual: Served, tmp_path: Path) -> None:
    for members, holds in STATEMENTS:
        status, (found,) = verified(dual, statement(**members), tmp_path)
        assert (found["holds"], status) == (holds, 0 if holds else 1), members


def test_nobody_over_ipv6_says_nothing(shop: Served, tmp_path: Path) -> None:
    text = statement(from_="internet", to="any", never="tcp/22")
    assert verified(shop, text, tmp_path)[0] == 0
    status, (found,) = verified(shop, text + "  over: ipv6\n", tmp_path)
    assert (status, found["empty"]) == (1, ["any"])


def test_a_secondary_address_is_a_door_over_ipv6_too(dual: Served, tmp_path: Path) -> None:
    text = statement(from_="internet", to="db", never="any")
    assert verified(dual, text, tmp_path)[0] == 0
    second = dual.assign6("web")
    allow(dual, 22)
    text = statement(from_="internet", to="web", only="tcp/8080")
    _, (found,) = verified(dual, text, tmp_path)
    found = sorted(each["target"]["ip"] for each in found["findings"])
    assert found == sorted((second, dual.ids["web6"]))


# --- audit --------------------------------------------------------------------------------------
def test_what_is_open_over_ipv6(dual: Served) -> None:
    for port, check, name in (
        (22, "administration-exposed", "ssh"),
        (5432, "database-exposed", "PostgreSQL"),
    ):
        assert audited(dual, "--only", check) == {}
        group = allow(dual, port)
        (found,) = audited(dual, "--only", check)[check]
        assert f"tcp {port} ({name}) of {dual.ids['web']} over IPv6" in found["said"]
        rule = shlex.split(found["commands"][0])[-1]
        dual.api.call("RevokeSecurityGroupIngress", GroupId=group, SecurityGroupRuleIds=[rule])
        assert audited(dual, "--only", check) == {}


def test_a_secondary_address_that_is_open_over_ipv6(dual: Served) -> None:
    allow(dual, 22)
    second = dual.assign6("web")
    said = [each["said"] for each in audited(dual)["administration-exposed"]]
    assert len(said) == 2
    assert f"at its address {second}" in said[1]


def test_a_group_that_is_open_to_all_over_ipv6(dual: Served) -> None:
    allow(dual, 0, IpProtocol="-1", FromPort=-1, ToPort=-1)
    (found,) = audited(dual, "--only", "group-open-to-all")["group-open-to-all"]
    assert "lets everything in from everywhere" in found["said"]


def test_a_private_subnet_that_is_public_over_ipv6(dual: Served) -> None:
    check = "subnet-public-by-accident"
    assert audited(dual, "--only", check) == {}
    key = dual.ids["in"]
    dual.api.call("DeleteRoute", RouteTableId=key, DestinationIpv6CidrBlock=ANYWHERE)
    dual.lead6("in", GatewayId=dual.ids["gate"])
    (found,) = audited(dual, "--only", check)[check]
    assert found["place"] == dual.ids["inside"]
    assert "over IPv6 alone" in found["said"]


def test_routes_of_ipv6_to_nowhere_and_round(dual: Served) -> None:
    call = dual.api.call
    (subnet,) = call("DescribeSubnets", SubnetIds=[dual.ids["inside"]])["Subnets"]
    part = subnet["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    to = {"RouteTableId": dual.ids["out"], "DestinationIpv6CidrBlock": part}
    call("CreateRoute", InstanceId=dual.ids["web"], **to)
    (found,) = audited(dual, "--only", "route-asymmetric")["route-asymmetric"]
    assert f"packets to {dual.ids['inside']} over IPv6 go through eni-" in found["said"]
    call("StopInstances", InstanceIds=[dual.ids["web"]])
    dual.until("web", "stopped")
    (found,) = audited(dual, "--only", "route-blackhole")["route-blackhole"]
    assert f"--destination-ipv6-cidr-block {part}" in found["commands"][0]


def test_an_egress_only_gateway_that_nobody_takes(dual: Served) -> None:
    assert audited(dual, "--only", "gateway-idle") == {}
    key = dual.ids["in"]
    dual.api.call("DeleteRoute", RouteTableId=key, DestinationIpv6CidrBlock=ANYWHERE)
    (found,) = audited(dual, "--only", "gateway-idle")["gateway-idle"]
    assert found["place"] == dual.ids["eigw"]


def test_a_type_of_icmpv6_is_no_port(dual: Served) -> None:
    """All codes of a type contain one of them."""
    check = "rule-contained"
    allow(dual, 0, IpProtocol="icmpv6", FromPort=1, ToPort=-1)
    assert audited(dual, "--only", check) == {}
    allow(dual, 0, IpProtocol="icmpv6", FromPort=1, ToPort=4)
    (found,) = audited(dual, "--only", check)[check]
    told = [found["said"].split()[0]]
    (rule,) = dual.api.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=told)[
        "SecurityGroupRules"
    ]
    assert (rule["FromPort"], rule["ToPort"]) == (1, 4)
