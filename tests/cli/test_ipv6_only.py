"""What the commands say of IPv6-only subnets: listings, ways, policies, audits, explanations."""

from __future__ import annotations

import json
from ipaddress import IPv6Network
from pathlib import Path

import pytest

from tests.cli.clouds import Served
from tests.cli.test_audit import audited
from tests.cli.test_ipv6 import allow, told
from tests.cli.test_verify import statement, verified


@pytest.fixture
def native(shop: Served) -> Served:
    """The small shop with IPv6, and with ``six`` in the IPv6-only subnet ``new``, which has the
    gateway for IPv6 alone."""
    shop.build6()
    call, vpc = shop.api.call, shop.ids["shop"]
    (shown,) = call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    block = IPv6Network(shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])
    part = str(list(block.subnets(new_prefix=64))[9])
    where = {"VpcId": vpc, "Ipv6Native": True, "Ipv6CidrBlock": part}
    where["AvailabilityZone"] = "ap-northeast-2c"
    shop.make("CreateSubnet", "Subnet", "SubnetId", "new", **where)
    table = shop.make("CreateRouteTable", "RouteTable", "RouteTableId", "six out", VpcId=vpc)
    call("AssociateRouteTable", RouteTableId=table, SubnetId=shop.ids["new"])
    shop.lead6("six out", GatewayId=shop.ids["gate"])
    shop.run("six", "new", group="www")
    shop.ids["six6"] = shop.shown("six")["Ipv6Address"]
    shop.ids["part"] = part
    return shop


def test_it_is_listed(native: Served) -> None:
    listed = native.cli("map").output
    row = next(line for line in listed.splitlines() if native.ids["new"] in line)
    assert f"{native.ids['part']} IPv6-only" in row
    row = next(line for line in listed.splitlines() if native.ids["six"] in line)
    assert f"running {native.ids['six6']} [www]" in row
    eni = native.api.call("CreateNetworkInterface", SubnetId=native.ids["new"])["NetworkInterface"]
    row = next(
        line for line in native.cli("map").output.splitlines() if eni["NetworkInterfaceId"] in line
    )
    assert eni["Ipv6Address"] in row
    assert native.cli("cidr", "overlap", "10.0.0.0/16").output == "Nothing overlaps.\n"


def test_names_mean_its_ipv6_address(native: Served) -> None:
    for source, target in (("web", "six"), ("me", "six"), ("six", "web"), ("six", "me")):
        found = json.loads(native.cli("explain", source, target, "443", "--json").stdout)
        assert ":" in found["address"], (source, target)
    lost = native.cli("explain", "six", "192.168.55.9", "443")
    assert lost.exit_code == 4
    assert "six) has no IPv4 address" in lost.stderr
    eni = native.shown("six")["NetworkInterfaces"][0]["NetworkInterfaceId"]
    found = json.loads(native.cli("explain", "web", eni, "443", "--json").stdout)
    assert found["address"] == native.ids["six6"]
    assert native.cli("explain", eni, "192.168.55.9", "443").exit_code == 4


def test_a_resolver_that_is_off(native: Served) -> None:
    resolver = "fd00:ec2::253"
    asked = ("explain", "six", resolver, "udp/53", "--json")
    steps = json.loads(native.cli(*asked).stdout)["forth"]["steps"]
    assert "service" in [each["kind"] for each in steps]
    vpc = {"VpcId": native.ids["shop"], "EnableDnsSupport": {"Value": False}}
    native.api.call("ModifyVpcAttribute", **vpc)
    way = {"RouteTableId": native.ids["six out"], "DestinationIpv6CidrBlock": "::/0"}
    native.api.call("DeleteRoute", **way)
    said = native.cli(*asked).output
    assert (
        f"{resolver} is the resolver's, and enableDnsSupport of {native.ids['shop']} is off" in said
    )


def test_who_reaches_it(native: Served) -> None:
    assert told(native, "--from", "internet", "--to", "six") == []
    allow(native, 443)
    over6 = (6, "internet", "six", native.ids["six6"], [("tcp", 443)])
    assert told(native, "--from", "internet", "--to", "six") == [over6]
    assert told(native, "--from", "internet", "--to", native.ids["six6"]) == [over6]
    assert {version for version, *_ in told(native, "--from", "six")} == {6}
    result = native.cli("reach", "--to", "six", "-4")
    assert result.exit_code == 4
    assert "six has no IPv4 address" in result.stderr


def test_policies_and_audits(native: Served, tmp_path: Path) -> None:
    statements: tuple[tuple[dict[str, str], bool], ...] = (
        ({"subnets": "new", "leave_by": "internet-gateway"}, True),
        ({"subnets": "new", "leave_by": "nothing"}, False),
        ({"subnets": "{cidr: 3fff::/21}", "leave_by": "nothing"}, False),
        ({"from_": "six", "to": "internet", "always": "tcp/443"}, True),
        ({"from_": "internet", "to": "six", "never": "any"}, True),
    )
    for members, holds in statements:
        status, (found,) = verified(native, statement(**members), tmp_path)
        assert (found["holds"], status) == (holds, 0 if holds else 1), members
    allow(native, 22)
    assert native.cli("audit").exit_code == 1
    remarks = audited(native, "--only", "administration-exposed")
    assert native.ids["six"] in str(remarks)


def test_a_second_interface_has_ipv4_and_no_default_route(native: Served) -> None:
    """That is eth0's, which is in the IPv6-only subnet: IPv4 goes as far as neighbours of eth1."""
    call, inside = native.api.call, native.ids["inside"]
    made = call("CreateNetworkInterface", SubnetId=inside)["NetworkInterface"]
    where = {"NetworkInterfaceId": made["NetworkInterfaceId"], "InstanceId": native.ids["six"]}
    call("AttachNetworkInterface", DeviceIndex=1, **where)
    group = native.shown("db")["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    for key in (group, native.ids["www"]):
        call("AuthorizeSecurityGroupIngress", GroupId=key, IpPermissions=[rule])
    web, db = (native.shown(name)["PrivateIpAddress"] for name in ("web", "db"))
    near = json.loads(native.cli("explain", "six", db, "443", "--json").stdout)
    assert near["forth"]["arrived"] == native.ids["db"]
    assert near["forth"]["steps"][0]["packet"]["source"] == made["PrivateIpAddress"]
    for far in (web, "198.19.0.20"):
        result = native.cli("explain", "six", far, "443")
        assert result.exit_code == 4
        assert f"no way to {far}: its first interface has no IPv4 address" in result.stderr
    here = {source for _, source, _, _, _ in told(native, "--to", "six", "-4", "443")}
    assert here == {"db"}, "no answer finds its way to others"
    back = json.loads(native.cli("explain", "web", made["PrivateIpAddress"], "22", "--json").stdout)
    assert back["forth"]["passed"]
    assert not back["works"]
