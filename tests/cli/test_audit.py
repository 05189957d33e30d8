"""Built-in checks: each finds what it is for, and says nothing of what is fine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from gureum.policy import CHECKS
from tests.cli.clouds import Served

ANY = "0.0.0.0/0"
Change = Callable[[Served], None]


def audited(shop: Served, *args: str) -> dict[str, list[dict[str, Any]]]:
    """The findings by check; those of the default VPC, which nobody uses, left out."""
    result = shop.cli("audit", "--json", *args)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(result.stdout)["findings"]:
        found.setdefault(each["check"], []).append(each)
    assert result.exit_code == (1 if found else 0)
    return found


def _allow(shop: Served, group: str, direction: str = "Ingress", **rule: Any) -> None:
    key = shop.ids.get(group, group)
    shop.api.call(f"AuthorizeSecurityGroup{direction}", GroupId=key, IpPermissions=[rule])


def _open(port: int, cidr: str = ANY) -> dict[str, Any]:
    ranges = [{"CidrIp": cidr}]
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": ranges}


def _database(shop: Served) -> None:
    _allow(shop, "www", **_open(5432))


def _ssh(shop: Served) -> None:
    _allow(shop, "www", **_open(22))


def _everything(shop: Served) -> None:
    _allow(shop, "www", IpProtocol="-1", IpRanges=[{"CidrIp": ANY}])


def _shadow(shop: Served) -> None:
    only = [{"Name": "vpc-id", "Values": [shop.ids["shop"]]}]
    (acl,) = shop.api.call("DescribeNetworkAcls", Filters=only)["NetworkAcls"]
    shop.api.call(
        "CreateNetworkAclEntry", NetworkAclId=acl["NetworkAclId"], RuleNumber=200, Egress=False,
        Protocol="6", RuleAction="deny", CidrBlock="10.0.0.0/8", PortRange={"From": 22, "To": 22},
    )  # fmt: skip


def _bare(shop: Served) -> None:
    shop.run("quiet", "outside", group="www")


def _no_target(shop: Served) -> None:
    shop.api.call(
        "CreateRoute", RouteTableId=shop.ids["out"], DestinationCidrBlock="10.9.0.0/16",
        InstanceId=shop.ids["db"],
    )  # fmt: skip
    shop.api.call("StopInstances", InstanceIds=[shop.ids["db"]])
    shop.until("db", "stopped")


def _detour(shop: Served) -> None:
    shop.api.call(
        "CreateRoute", RouteTableId=shop.ids["out"], DestinationCidrBlock="192.168.55.128/27",
        InstanceId=shop.ids["web"],
    )  # fmt: skip


def _group(shop: Served, name: str) -> str:
    vpc = shop.ids["shop"]
    made = shop.api.call("CreateSecurityGroup", GroupName=name, Description=name, VpcId=vpc)
    shop.ids[name] = str(made["GroupId"])
    return shop.ids[name]


def _stale(shop: Served) -> None:
    key = _group(shop, "gone")
    pair = [{"GroupId": key}]
    _allow(shop, "www", IpProtocol="tcp", FromPort=1, ToPort=2, UserIdGroupPairs=pair)


def _contained(shop: Served) -> None:
    _allow(shop, "www", **_open(8080, "10.0.0.0/8"))


def _unused(shop: Served) -> None:
    _group(shop, "idle")


def _address(shop: Served) -> None:
    shop.api.call("AllocateAddress")


def _gateway(shop: Served) -> None:
    shop.api.call("CreateInternetGateway")


def _nothing(shop: Served) -> None:
    pass


BY_CHECK: dict[str, tuple[Change, str]] = {
    "database-exposed": (_database, "tcp 5432 (PostgreSQL)"),
    "administration-exposed": (_ssh, "tcp 22 (ssh)"),
    "group-open-to-all": (_everything, "lets everything in from everywhere"),
    "acl-rule-shadowed": (_shadow, "rule 200 (ingress) never decides: rule 100 allows it all"),
    "subnet-public-by-accident": (_bare, "has no public address"),
    "route-blackhole": (_no_target, "the target of 10.9.0.0/16 is gone"),
    "route-asymmetric": (_detour, "take a detour that answers do not take"),
    "reference-stale": (_stale, "which no interface has"),
    "default-group-used": (_nothing, "default group"),
    "rule-contained": (_contained, "admits nothing that"),
    "group-unused": (_unused, "no interface has 'idle'"),
    "address-idle": (_address, "is mapped to nothing"),
    "gateway-idle": (_gateway, "it is attached to nothing"),
}


def test_every_check_is_tested() -> None:
    assert list(BY_CHECK) == [each.id for each in CHECKS]


@pytest.mark.parametrize("check", list(BY_CHECK))
def test_a_check_finds_what_it_is_for(shop: Served, check: str) -> None:
    change, said = BY_CHECK[check]
    if change is not _nothing:
        assert audited(shop, "--only", check) == {}
    change(shop)
    found = audited(shop, "--only", check)[check]
    assert len(found) == 1
    assert said in found[0]["said"]


MENDED = [
    *("database-exposed", "administration-exposed", "group-open-to-all", "acl-rule-shadowed"),
    *("route-blackhole", "rule-contained", "group-unused", "address-idle"),
]


@pytest.mark.parametrize("check", MENDED)
def test_its_commands_mend_it(shop: Served, check: str) -> None:
    """The command's words are the API's members; the AWS CLI runs others in test_fixes."""
    BY_CHECK[check][0](shop)
    (found,) = audited(shop, "--only", check)[check]
    for command in found["commands"]:
        _run(shop, shlex.split(command))
    assert audited(shop, "--only", check) == {}


def _run(shop: Served, words: list[str]) -> None:
    assert words[:2] == ["aws", "ec2"]
    action = "".join(part.title() for part in words[2].split("-"))
    members = {
        "group-id": "GroupId", "network-acl-id": "NetworkAclId", "rule-number": "RuleNumber",
        "route-table-id": "RouteTableId", "allocation-id": "AllocationId",
        "destination-cidr-block": "DestinationCidrBlock",
    }  # fmt: skip
    params: dict[str, Any] = {}
    rest = iter(words[3:])
    for word in rest:
        name = word.removeprefix("--")
        if name in ("ingress", "egress"):
            params["Egress"] = name == "egress"
        elif name == "security-group-rule-ids":
            params["SecurityGroupRuleIds"] = [next(rest)]
        else:
            value = next(rest)
            params[members[name]] = int(value) if name == "rule-number" else value
    shop.api.call(action, **params)


def test_what_is_shown_and_what_fails(shop: Served) -> None:
    _ssh(shop)
    result = shop.cli("audit", "--severity", "high")
    assert result.exit_code == 1
    first, second, third = result.output.splitlines()
    assert first.startswith("high    administration-exposed: logins open to the world")
    assert "reaches tcp 22 (ssh) of i-" in second
    assert third.strip().startswith("aws ec2 revoke-security-group-ingress --group-id sg-")
    result = shop.cli("audit", "--severity", "high", "--skip", "administration-exposed")
    assert (result.exit_code, result.output.strip()) == (0, "Nothing found.")


def test_a_check_that_is_not_there(shop: Served) -> None:
    result = shop.cli("audit", "--only", "nonsense")
    assert result.exit_code == 1
    assert "There is no check 'nonsense'; there are database-exposed" in result.stderr
