"""What cannot be called here as there: told once, and consistent wherever it stands."""

from __future__ import annotations

import json
import re
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.resources import ipv6, prefix_list
from tests.agreement.draw import Draw
from tests.agreement.draw_ipv6 import DualDraw
from tests.agreement.replay import Replay
from tests.conftest import Cloud
from tests.imports.accounts import exported, imported, texts
from tests.resources.building import settle

_PUBLIC = re.compile(r'"198\.18\.(\d+\.\d+(?:/32)?)"')


def renamed(files: dict[str, str], *swaps: tuple[str, str]) -> dict[str, Any]:
    """Files with texts replaced everywhere."""
    found = {}
    for name, text in files.items():
        for old, new in swaps:
            text, name = text.replace(old, new), name.replace(old, new)
        found[name] = json.loads(text)
    return found


@pytest.mark.parametrize("seed", range(2))
def test_another_account_with_addresses_of_the_real_internet(seed: int) -> None:
    """Addresses keep their last two numbers, so that what was renamed comes back as it was."""
    calls = [*Draw(seed).calls, {"settle": True}]
    there = Replay(calls).cloud
    address = there.call("AllocateAddress")["PublicIp"]
    (group,) = there.call("DescribeSecurityGroups", GroupIds=[_some_group(there)])["SecurityGroups"]
    rule = {"IpProtocol": "udp", "FromPort": 9, "ToPort": 9}
    rule["IpRanges"] = [{"CidrIp": f"{address}/32"}]
    there.call("AuthorizeSecurityGroupIngress", GroupId=group["GroupId"], IpPermissions=[rule])
    files = texts(exported(there))
    foreign = {name: _PUBLIC.sub(r'"54.18.\1"', text) for name, text in files.items()}
    assert any(f'"{address.replace("198.", "54.", 1)}/32"' in text for text in foreign.values())
    here = Cloud()
    report = imported(here, renamed(foreign, ("123456789012", "210987654321")))
    assert (report.left, report.lost) == ([], {})
    assert ("account", "210987654321", "123456789012") in report.mapped
    assert ("public address", address.replace("198.", "54.", 1), address) in report.mapped
    assert texts(exported(here)) == files


def _some_group(cloud: Cloud) -> str:
    groups = cloud.call("DescribeSecurityGroups")["SecurityGroups"]
    return str(max(groups, key=lambda each: each["GroupName"])["GroupId"])


def test_an_address_that_is_taken_is_another_one() -> None:
    there = Cloud()
    address = there.call("AllocateAddress")["PublicIp"]
    files = texts(exported(there))
    here = Cloud()
    here.call("AllocateAddress", Address=address)
    other = Cloud("210987654321")
    other.store = here.store
    other.dispatch.store = here.store
    report = imported(other, _only(files, "Addresses.json"))
    ((what, given, stand_in),) = report.mapped[1:] or report.mapped
    assert (what, given) == ("public address", address)
    assert stand_in.rsplit(".", 1)[0] == address.rsplit(".", 1)[0]
    assert stand_in != address


def _only(files: dict[str, str], *names: str) -> dict[str, Any]:
    return {name: json.loads(files[name]) for name in names}


@pytest.mark.parametrize("seed", range(2))
def test_blocks_of_ipv6(seed: int) -> None:
    """An IPv6 block of AWS's becomes one of here, and what is inside stays where it is inside."""
    there = Replay([*DualDraw(seed).calls, {"settle": True}]).cloud
    files = texts(exported(there))
    blocks = {row.cidr for row in there.store.view.all(ipv6.Ipv6Block)}
    assert blocks
    swaps = [(block.partition("::")[0], f"2600:1f13:7{n}:ab00") for n, block in enumerate(blocks)]
    short = [(old[:-2], new[:-2]) for old, new in swaps]  # 3fff:1:2:34 of 3fff:1:2:3400
    here = Cloud()
    report = imported(here, renamed(files, *short))
    assert report.left == []
    mapped = {given: place for what, given, place in report.mapped if what == "IPv6 block"}
    assert len(mapped) == len(blocks)
    for old, new in swaps:
        one, other = IPv6Network(f"{old}::/56"), IPv6Network(mapped[f"{new}::/56"])
        assert other.subnet_of(ipv6.POOL)
        assert _inside(there, one) == _inside(here, other)


def _inside(cloud: Cloud, block: IPv6Network) -> list[int]:
    """The addresses of interfaces in a block, as offsets."""
    items = cloud.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
    found = [IPv6Address(a["Ipv6Address"]) for item in items for a in item["Ipv6Addresses"]]
    return sorted(int(ip) - int(block.network_address) for ip in found if ip in block)


def test_lists_that_aws_manages() -> None:
    """A route to AWS's list of S3, which has another id here, is one to that of here."""
    there, here = Cloud(), Cloud()
    there.call("DescribeVpcs")  # AWS provides the rest
    files = texts(exported(there))
    key = prefix_list.managed_id("123456789012", "com.amazonaws.ap-northeast-2.s3")
    report = imported(here, renamed(files, (key, "pl-78a54011")))
    assert ("prefix list of AWS", "pl-78a54011", key) in report.mapped
    assert report.left == []
    assert texts(exported(here)) == files


def test_nothing_changes_where_an_id_is_taken() -> None:
    there = Cloud()
    there.call("DescribeVpcs")
    files = exported(there)
    before = there.store.view
    with pytest.raises(ApiError) as caught:
        imported(there, files)
    assert caught.value.code == "ImportClash"
    assert there.store.view is before


def test_a_peering_of_two_accounts_comes_with_the_second() -> None:
    there = Cloud()
    other = Cloud("210987654321")
    other.store = there.store
    other.dispatch.store = there.store
    one = there.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    two = other.call("CreateVpc", CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    made = there.call(
        "CreateVpcPeeringConnection", VpcId=one, PeerVpcId=two, PeerOwnerId=other.account
    )
    key = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    other.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    settle(there)
    asked = {"Peerings.json": there.call("DescribeVpcPeeringConnections")}
    asked["Peerings.json"] = json.loads(json.dumps(asked["Peerings.json"], default=str))
    files = [exported(there) | asked, exported(other) | asked]
    for order in (files, files[::-1]):
        here = Cloud(order[0]["Vpcs.json"]["Vpcs"][0]["OwnerId"])
        far = Cloud(order[1]["Vpcs.json"]["Vpcs"][0]["OwnerId"])
        far.store = here.store
        far.dispatch.store = here.store
        (left,) = imported(here, order[0]).left
        assert left[:2] == ("VpcPeeringConnections", key)
        assert imported(far, order[1]).left == []
        for side in (here, far):
            (shown,) = side.call("DescribeVpcPeeringConnections")["VpcPeeringConnections"]
            assert shown["Status"]["Code"] == "active"
            assert shown["RequesterVpcInfo"]["VpcId"] == one
