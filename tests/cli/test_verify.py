"""Policies at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.clouds import Served

WEB = """
- name: the internet reaches the web on 8080 only
  from: internet
  to: web
  only: tcp/8080
  always: tcp/8080
"""


def verified(shop: Served, text: str, tmp_path: Path, *args: str) -> tuple[int, list[Any]]:
    """The exit status and the statements that a policy's check gives."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    result = shop.cli("verify", str(path), "--json", *args)
    found: list[Any] = json.loads(result.stdout)[str(path)]["statements"]
    return result.exit_code, found


def statement(**members: str) -> str:
    return "- name: a\n" + "".join(
        f"  {key.rstrip('_')}: {text}\n" for key, text in members.items()
    )


@pytest.mark.parametrize(
    ("members", "holds"),
    [
        ({"from_": "internet", "to": "web", "only": "tcp/8080", "always": "tcp/8080"}, True),
        ({"from_": "internet", "to": "web", "only": "tcp/80"}, False),
        ({"from_": "internet", "to": "web", "never": "tcp/1-8079"}, True),
        ({"from_": "internet", "to": "web", "never": "tcp/8000-9000"}, False),
        ({"from_": "internet", "to": "web", "never": "any"}, False),
        ({"from_": "internet", "to": "db", "never": "any"}, True),
        ({"from_": "internet", "to": "web", "always": "[tcp/8080, udp/53]"}, False),
        ({"from_": "web", "to": "db", "never": "any"}, True),
        ({"from_": "any", "to": "internet", "always": "tcp/443"}, False),
        ({"from_": "{group: www}", "to": "internet", "always": "tcp/443"}, True),
        ({"from_": "{subnet: inside}", "to": "any", "only": "tcp/8080"}, True),
        ({"from_": "{cidr: 192.168.55.0/26}", "to": "db", "always": "tcp/22"}, False),
        ({"from_": "{vpc: shop}", "to": "web", "always": "tcp/8080"}, True),
        ({"from_": "{tag: {Name: web}}", "to": "db", "never": "icmp"}, True),
        ({"subnets": "outside", "leave_by": "internet-gateway"}, True),
        ({"subnets": "{vpc: shop}", "leave_by": "nothing"}, False),
        ({"subnets": "{tag: {Name: inside}}", "leave_by": "nothing"}, True),
        ({"subnets": "{cidr: 192.168.55.128/25}", "leave_by": "nat"}, False),
    ],
)
def test_statements(shop: Served, tmp_path: Path, members: dict[str, str], holds: bool) -> None:
    status, (found,) = verified(shop, statement(**members), tmp_path)
    assert (found["holds"], status) == (holds, 0 if holds else 1)
    assert bool(found["findings"]) is not holds


def test_a_rule_for_a_part_of_the_internet_breaks_a_policy(shop: Served, tmp_path: Path) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    rule["IpRanges"] = [{"CidrIp": "203.0.113.0/24"}]
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=shop.ids["www"], IpPermissions=[rule])
    nobody = statement(from_="internet", to="web", never="tcp/22")
    status, (found,) = verified(shop, nobody, tmp_path)
    (finding,) = found["findings"]
    assert (status, finding["source"]["name"], finding["first"]) == (1, "203.0.113.0/24", 22)
    assert finding["explanation"]["reach"] == "all", "the way of a packet from there"
    said = shop.cli("verify", str(tmp_path / "policy.yaml")).stdout
    assert "203.0.113.0/24 reaches web" in said
    others = statement(
        from_="{internet: {except: 203.0.113.0/24}}", to="web", only="tcp/8080", always="tcp/8080"
    )
    assert verified(shop, others, tmp_path)[0] == 0
    office = statement(from_="{cidr: 203.0.113.0/25}", to="web", always="tcp/22")
    assert verified(shop, office, tmp_path)[0] == 0
    away = statement(from_="web", to="{cidr: 203.0.113.0/24}", never="tcp/443")
    status, (found,) = verified(shop, away, tmp_path)
    assert (status, found["findings"][0]["explanation"]["reach"]) == (1, "all")


def test_a_route_for_a_part_of_the_internet_is_a_way_out(shop: Served, tmp_path: Path) -> None:
    only = [{"Name": "vpc-id", "Values": [shop.ids["shop"]]},
            {"Name": "association.main", "Values": ["true"]}]  # fmt: skip
    (table,) = shop.api.call("DescribeRouteTables", Filters=only)["RouteTables"]
    route = {"DestinationCidrBlock": "203.0.113.0/24", "GatewayId": shop.ids["gate"]}
    shop.api.call("CreateRoute", RouteTableId=table["RouteTableId"], **route)
    closed = statement(subnets="inside", leave_by="nothing")
    status, (found,) = verified(shop, closed, tmp_path)
    assert (status, [each["by"] for each in found["findings"]]) == (1, ["internet-gateway"])


@pytest.mark.parametrize(
    ("selector", "who"),
    [
        ("any", ["db", "web"]),
        ("[web, db]", ["db", "web"]),
        ("{subnet: inside}", ["db"]),
        ("{cidr: 192.168.55.0/26}", ["web"]),
        ("{group: www}", ["web"]),
        ("{vpc: shop}", ["db", "web"]),
        ("{tag: {Name: db}}", ["db"]),
        ("{tag: {Name: inside}}", ["db"]),
    ],
)
def test_selectors(shop: Served, tmp_path: Path, selector: str, who: list[str]) -> None:
    """Nobody of them can be pinged from outside."""
    text = statement(from_="internet", to=selector, always="icmp")
    _, (found,) = verified(shop, text, tmp_path)
    assert sorted(each["target"]["name"] for each in found["findings"]) == who


def test_nobody_says_nothing(shop: Served, tmp_path: Path) -> None:
    """A statement about nobody would hold whatever happens."""
    text = statement(from_="internet", to="{tag: {role: db}}", never="any")
    status, (found,) = verified(shop, text, tmp_path)
    assert (status, found["empty"], found["pairs"]) == (1, ["tag role=db"], 0)
    status, _ = verified(shop, text + "  allow_empty: true\n", tmp_path)
    assert status == 0
    status, _ = verified(shop, statement(subnets="{tag: {a: b}}", leave_by="nat"), tmp_path)
    assert status == 1


def test_a_finding_names_the_pair_the_ports_the_rules_and_the_way(
    shop: Served, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(WEB.replace("only: tcp/8080", "only: tcp/80"))
    result = shop.cli("verify", str(path))
    assert result.exit_code == 1
    first, finding, *way = result.output.splitlines()
    assert first == "FAIL  the internet reaches the web on 8080 only"
    assert "reaches web 192.168.55." in finding
    assert "on tcp 8080 by acl-" in finding
    assert "sgr-" in finding
    assert any("let in by sgr-" in line for line in way)


def test_what_is_missing_is_told_with_what_blocks(shop: Served, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(statement(from_="web", to="db", always="tcp/3306"))
    result = shop.cli("verify", str(path))
    assert "web 192.168.55" in result.output
    assert "does not reach db" in result.output
    assert "[ENI_SG_RULES_MISMATCH]" in result.output


def test_junit(shop: Served, tmp_path: Path) -> None:
    good, bad, report = (tmp_path / name for name in ("good.yaml", "bad.yaml", "report.xml"))
    good.write_text(WEB)
    bad.write_text(statement(from_="internet", to="web", never="any"))
    result = shop.cli("verify", str(good), str(bad), "--junit", str(report))
    assert result.exit_code == 1
    assert result.output.splitlines()[0].startswith("ok    the internet")
    suites = ElementTree.parse(report).getroot()
    counts = [(each.get("tests"), each.get("failures")) for each in suites]
    assert counts == [("1", "0"), ("1", "1")]
    failure = suites.find("testsuite/testcase/failure")
    assert failure is not None
    assert "on tcp 8080" in (failure.get("message") or "")


def test_what_is_no_policy(shop: Served, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("- name: a\n  nevr: any\n")
    result = shop.cli("verify", str(path))
    assert result.exit_code == 2
    assert f"{path}, line 1: there is no 'nevr' in a statement" in result.stderr
    assert shop.cli("verify", str(tmp_path / "none.yaml")).exit_code == 2
    path.write_text(statement(from_="nobody", to="web", never="any"))
    assert shop.cli("verify", str(path)).exit_code == 4


def test_a_change_is_seen(shop: Served, tmp_path: Path) -> None:
    text = statement(from_="web", to="db", always="tcp/22")
    assert verified(shop, text, tmp_path)[0] == 1
    (group,) = shop.shown("db")["SecurityGroups"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    rule["UserIdGroupPairs"] = [{"GroupId": shop.ids["www"]}]
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=group["GroupId"], IpPermissions=[rule])
    assert verified(shop, text, tmp_path)[0] == 0


def test_a_secondary_address_is_a_door_too(shop: Served, tmp_path: Path) -> None:
    """Its own public address leads to it, though the primary one has none."""
    (eni,) = shop.shown("db")["NetworkInterfaces"]
    key = {"NetworkInterfaceId": eni["NetworkInterfaceId"]}
    shop.api.call("AssociateRouteTable", RouteTableId=shop.ids["out"], SubnetId=shop.ids["inside"])
    rule = {"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306}
    rule["IpRanges"] = [{"CidrIp": "0.0.0.0/0"}]
    group = eni["Groups"][0]["GroupId"]
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])
    text = statement(from_="internet", to="db", never="tcp/3306")
    assert verified(shop, text, tmp_path)[0] == 0
    made = shop.api.call("AssignPrivateIpAddresses", SecondaryPrivateIpAddressCount=1, **key)
    ip = made["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    address = shop.api.call("AllocateAddress")
    shop.api.call(
        "AssociateAddress", AllocationId=address["AllocationId"], PrivateIpAddress=ip, **key
    )
    status, (found,) = verified(shop, text, tmp_path)
    assert (status, [each["target"]["ip"] for each in found["findings"]]) == (1, [ip])
    explanation = found["findings"][0]["explanation"]
    assert (explanation["address"], explanation["reach"]) == (address["PublicIp"], "all")


def test_a_secondary_address_is_a_sender_too(shop: Served, tmp_path: Path) -> None:
    (eni,) = shop.shown("db")["NetworkInterfaces"]
    key = {"NetworkInterfaceId": eni["NetworkInterfaceId"]}
    made = shop.api.call("AssignPrivateIpAddresses", SecondaryPrivateIpAddressCount=1, **key)
    ip = made["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": f"{ip}/32"}]}
    shop.api.call("AuthorizeSecurityGroupIngress", GroupId=shop.ids["www"], IpPermissions=[rule])
    text = statement(from_="db", to="web", only="tcp/8080", always="tcp/8080")
    status, (found,) = verified(shop, text, tmp_path)
    (finding,) = found["findings"]
    assert (status, finding["source"]["ip"], finding["first"]) == (1, ip, 22)
    assert finding["explanation"]["reach"] == "all"


def test_each_address_is_explained_by_its_own_public_one(shop: Served, tmp_path: Path) -> None:
    (eni,) = shop.shown("web")["NetworkInterfaces"]
    key = {"NetworkInterfaceId": eni["NetworkInterfaceId"]}
    made = shop.api.call("AssignPrivateIpAddresses", SecondaryPrivateIpAddressCount=1, **key)
    ip = made["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    address = shop.api.call("AllocateAddress")
    shop.api.call(
        "AssociateAddress", AllocationId=address["AllocationId"], PrivateIpAddress=ip, **key
    )
    text = statement(from_="internet", to="web", never="tcp/8080")
    _, (found,) = verified(shop, text, tmp_path)
    told = {each["target"]["ip"]: each["explanation"]["address"] for each in found["findings"]}
    own = eni["Association"]["PublicIp"]
    assert told == {eni["PrivateIpAddress"]: own, ip: address["PublicIp"]}
