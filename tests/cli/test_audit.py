"""Built-in checks: each finds what it is for, and says nothing of what is fine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from gureum.policy import CHECKS
from tests.cli.clouds import Served, until

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


def _ssh_in_halves(shop: Served) -> None:
    _allow(shop, "www", **_open(22, "0.0.0.0/1"))
    _allow(shop, "www", **_open(22, "128.0.0.0/1"))


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
    "route-asymmetric": (_detour, "answers come back straight"),
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
    *("route-blackhole", "rule-contained", "reference-stale", "group-unused", "address-idle"),
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


def test_the_whole_internet_in_two_halves_is_found_and_an_office_is_fine(shop: Served) -> None:
    _allow(shop, "www", **_open(22, "203.0.113.0/24"))
    assert "administration-exposed" not in audited(shop)
    _ssh_in_halves(shop)
    (found,) = audited(shop)["administration-exposed"]
    assert "anybody in 0.0.0.0/1, 128.0.0.0/1 reaches tcp 22" in found["said"]


def test_a_check_that_is_not_there(shop: Served) -> None:
    result = shop.cli("audit", "--only", "nonsense")
    assert result.exit_code == 2
    assert "There is no check 'nonsense'; there are database-exposed" in result.stderr


# --- the finer points ---------------------------------------------------------------------------
def _entries(shop: Served, *entries: tuple[int, str, str, str, tuple[int, int]]) -> None:
    """Entries before the default ACL's own: number, action, protocol, prefix, ports."""
    only = [{"Name": "vpc-id", "Values": [shop.ids["shop"]]}]
    (acl,) = shop.api.call("DescribeNetworkAcls", Filters=only)["NetworkAcls"]
    for number, action, protocol, cidr, ports in entries:
        range_ = (
            {"IcmpTypeCode": {"Type": ports[0], "Code": ports[1]}}
            if protocol == "1"
            else {"PortRange": {"From": ports[0], "To": ports[1]}}
        )
        shop.api.call(
            "CreateNetworkAclEntry", NetworkAclId=acl["NetworkAclId"], RuleNumber=number,
            Egress=False, Protocol=protocol, RuleAction=action, CidrBlock=cidr, **range_,
        )  # fmt: skip


HALVES = ("0.0.0.0/1", "128.0.0.0/1")


@pytest.mark.parametrize(
    ("entries", "shadowed"),
    [
        ([(1, "deny", "6", ANY, (0, 99)), (2, "deny", "6", ANY, (100, 999)),
          (3, "allow", "6", ANY, (50, 999))], True),
        ([(1, "deny", "6", ANY, (0, 99)), (2, "deny", "6", ANY, (101, 999)),
          (3, "allow", "6", ANY, (50, 999))], False),
        ([(1, "deny", "6", HALVES[0], (0, 99)), (2, "allow", "6", HALVES[1], (0, 99)),
          (3, "allow", "6", ANY, (0, 99))], True),
        ([(1, "deny", "6", HALVES[0], (0, 99)), (3, "allow", "6", ANY, (0, 99))], False),
        ([(1, "deny", "17", ANY, (0, 99)), (3, "allow", "6", ANY, (0, 99))], False),
        ([(1, "deny", "1", ANY, (8, -1)), (3, "allow", "1", ANY, (8, 0))], True),
        ([(1, "deny", "1", ANY, (8, 0)), (3, "allow", "1", ANY, (8, -1))], False),
        ([(1, "deny", "1", ANY, (-1, -1)), (3, "allow", "1", "10.0.0.0/8", (8, -1))], True),
        ([(1, "deny", "6", "10.0.0.0/9", (0, 9)), (3, "allow", "6", "10.0.0.0/8", (0, 9))], False),
    ],
)  # fmt: skip
def test_acl_rules_are_shadowed_by_several_too(
    shop: Served, entries: list[tuple[int, str, str, str, tuple[int, int]]], shadowed: bool
) -> None:
    _entries(shop, *entries)
    found = audited(shop, "--only", "acl-rule-shadowed").get("acl-rule-shadowed", [])
    assert [each["said"].split()[1] for each in found] == (["3"] if shadowed else [])


def test_a_door_at_a_secondary_address_is_found(shop: Served) -> None:
    """Though the primary address has no public one."""
    (eni,) = shop.shown("db")["NetworkInterfaces"]
    key = {"NetworkInterfaceId": eni["NetworkInterfaceId"]}
    shop.api.call("AssociateRouteTable", RouteTableId=shop.ids["out"], SubnetId=shop.ids["inside"])
    _allow(shop, eni["Groups"][0]["GroupId"], **_open(3306))
    made = shop.api.call("AssignPrivateIpAddresses", SecondaryPrivateIpAddressCount=1, **key)
    ip = made["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    assert audited(shop, "--only", "database-exposed") == {}
    address = shop.api.call("AllocateAddress")["AllocationId"]
    shop.api.call("AssociateAddress", AllocationId=address, PrivateIpAddress=ip, **key)
    (found,) = audited(shop, "--only", "database-exposed")["database-exposed"]
    assert f"tcp 3306 (MySQL) of {shop.ids['db']} at its address {ip}" in found["said"]


def test_a_stopped_instance_has_no_address_for_now(shop: Served) -> None:
    shop.api.call("StopInstances", InstanceIds=[shop.ids["web"]])
    shop.until("web", "stopped")
    assert audited(shop, "--only", "subnet-public-by-accident") == {}


def test_a_route_to_nowhere_is_no_detour(shop: Served) -> None:
    made = shop.api.call("CreateNetworkInterface", SubnetId=shop.ids["outside"])
    shop.api.call(
        "CreateRoute", RouteTableId=shop.ids["out"], DestinationCidrBlock="192.168.55.128/27",
        NetworkInterfaceId=made["NetworkInterface"]["NetworkInterfaceId"],
    )  # fmt: skip
    assert audited(shop, "--only", "route-asymmetric") == {}


def _inner_table(shop: Served) -> str:
    key = shop.make("CreateRouteTable", "RouteTable", "RouteTableId", "in", VpcId=shop.ids["shop"])
    shop.api.call("AssociateRouteTable", RouteTableId=key, SubnetId=shop.ids["inside"])
    return key


@pytest.mark.parametrize("box", ["web", "other"])
def test_answers_through_another_box(shop: Served, box: str) -> None:
    """Through the same one they may go; another one has not seen the packet."""
    shop.run("other", "outside", public=True, group="www")
    _detour(shop)
    shop.api.call(
        "CreateRoute", RouteTableId=_inner_table(shop), DestinationCidrBlock="192.168.55.0/26",
        InstanceId=shop.ids[box],
    )  # fmt: skip
    found = audited(shop, "--only", "route-asymmetric").get("route-asymmetric", [])
    assert len(found) == (box == "other")


def test_a_public_address_behind_a_nat_gateway(shop: Served) -> None:
    """Packets come by the one gateway, answers leave by the other: the sender takes none of it."""
    first, second = (shop.api.call("AllocateAddress")["AllocationId"] for _ in range(2))
    where = {"SubnetId": shop.ids["outside"], "AllocationId": first}
    nat = shop.make("CreateNatGateway", "NatGateway", "NatGatewayId", "nat", **where)
    until(lambda: _nat_state(shop, nat) == "available")
    shop.api.call(
        "CreateRoute", RouteTableId=_inner_table(shop), DestinationCidrBlock=ANY, NatGatewayId=nat
    )
    assert audited(shop, "--only", "route-asymmetric") == {}
    shop.api.call("AssociateAddress", AllocationId=second, InstanceId=shop.ids["db"])
    _allow(shop, shop.shown("db")["SecurityGroups"][0]["GroupId"], **_open(3306))
    (found,) = audited(shop, "--only", "route-asymmetric")["route-asymmetric"]
    assert "nobody takes them for answers" in found["said"]
    result = shop.cli("explain", "internet", "db", "3306", "--json")
    assert json.loads(result.stdout)["reach"] == "none"


def _nat_state(shop: Served, key: str) -> str:
    found = shop.api.call("DescribeNatGateways", NatGatewayIds=[key])["NatGateways"]
    return str(found[0]["State"])


def test_a_gateway_in_a_table_that_no_subnet_has(shop: Served) -> None:
    assert audited(shop, "--only", "gateway-idle") == {}
    shop.api.call("DeleteRoute", RouteTableId=shop.ids["out"], DestinationCidrBlock=ANY)
    vpc = shop.ids["shop"]
    spare = shop.make("CreateRouteTable", "RouteTable", "RouteTableId", "spare", VpcId=vpc)
    shop.api.call(
        "CreateRoute", RouteTableId=spare, DestinationCidrBlock=ANY, GatewayId=shop.ids["gate"]
    )
    (found,) = audited(shop, "--only", "gateway-idle")["gateway-idle"]
    assert f"no subnet of {vpc} has a route to it" in found["said"]
