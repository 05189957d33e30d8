"""Packets that change their version at a NAT gateway, walked over a network that the API built."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.explain import Answer, Network, Packet, explain, fixes, told_anew
from gureum.explain.codes import Code
from gureum.explain.osi import devices
from gureum.explain.packet import ECHO, ECHO_V6, ICMP, ICMPV6, TCP, UDP
from gureum.model.nat64 import PREFIX, synthesized
from gureum.program import InternetHost, Port
from tests.conftest import Cloud
from tests.resources.building import settle
from tests.resources.test_instance import image

ME = InternetHost("me", "198.19.0.10", "3fff:800::10")
BLOCK, NATIVE, APP = "3fff:1:2:300::/56", "3fff:1:2:301::/64", "3fff:1:2:301::a"
NAT, DB = "10.0.2.5", "10.0.3.11"
OUT, INWARDS = synthesized(ME.ip), synthesized(DB)


class Site:
    """An IPv6-only subnet with an application, a public one with a NAT gateway, and one of IPv4
    alone with a database."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, call = cloud, cloud.call
        block = {"Ipv6Pool": "Amazon", "Ipv6CidrBlock": BLOCK}
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16", **block)["Vpc"]["VpcId"]
        self.gateway = call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
        call("AttachInternetGateway", InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.native = self.subnet(Ipv6Native=True, Ipv6CidrBlock=NATIVE)
        self.public = self.subnet(CidrBlock="10.0.2.0/24")
        self.private = self.subnet(CidrBlock="10.0.3.0/24")
        self.outer, self.inner = self.table(self.public), self.table(self.native)
        self.route(self.outer, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateway)
        self.app = self.launch(self.native, Ipv6Addresses=[{"Ipv6Address": APP}])
        self.db = self.launch(self.private, PrivateIpAddress=DB)

    def subnet(self, **more: object) -> str:
        return str(self.cloud.call("CreateSubnet", VpcId=self.vpc, **more)["Subnet"]["SubnetId"])

    def table(self, subnet: str) -> str:
        key = self.cloud.call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.cloud.call("AssociateRouteTable", RouteTableId=key, SubnetId=subnet)
        return str(key)

    def route(self, table: str, **more: str) -> None:
        self.cloud.call("CreateRoute", RouteTableId=table, **more)

    def launch(self, subnet: str, **more: Any) -> str:
        eni = {"DeviceIndex": 0, "SubnetId": subnet, **more}
        kind = {"ImageId": image(self.cloud), "InstanceType": "t3.micro"}
        made = self.cloud.call(
            "RunInstances", MinCount=1, MaxCount=1, NetworkInterfaces=[eni], **kind
        )
        return str(made["Instances"][0]["InstanceId"])

    def translate(self, **more: Any) -> str:
        """A NAT gateway, and a route of NAT64 to it."""
        if not more:
            more = {"AllocationId": self.cloud.call("AllocateAddress")["AllocationId"]}
        made = self.cloud.call(
            "CreateNatGateway", SubnetId=self.public, PrivateIpAddress=NAT, **more
        )
        key = str(made["NatGateway"]["NatGatewayId"])
        self.route(self.inner, DestinationIpv6CidrBlock=PREFIX, NatGatewayId=key)
        return key

    def network(self) -> Network:
        return Network([*self.cloud.program().statements, ME])

    def ask(self, packet: Packet, host: str = "") -> Answer:
        start = self.network().primary(host or self.app)
        assert start is not None
        return self.walk(start, packet)

    def walk(self, start: Port | InternetHost, packet: Packet) -> Answer:
        return told_anew(self.cloud.store.view, explain(self.network(), start, packet))

    def fix(self, answer: Answer) -> list[str]:
        return [line for fix in fixes(self.cloud.store.view, answer) for line in fix.commands]


@pytest.fixture
def site(cloud: Cloud) -> Site:
    return Site(cloud)


def ping(target: str) -> Packet:
    return Packet(APP, target, ICMPV6, icmp=(ECHO_V6, 0))


def tcp(target: str, port: int = 443) -> Packet:
    return Packet(APP, target, TCP, None, port)


def test_forth_as_ipv4_and_back_as_ipv6(site: Site) -> None:
    nat = site.translate()
    answer = site.ask(tcp(OUT))
    assert answer.works
    assert answer.reach == "all"
    kinds = [step.kind for step in answer.forth.steps]
    assert kinds == [
        "arp", "group", "acl", "route", "acl", "arp", "translate",
        "arp", "acl", "route", "translate", "deliver",
    ]  # fmt: skip
    before, after = answer.forth.steps[4], answer.forth.steps[8]
    assert (before.place, before.packet.target) == (site.public, OUT)
    assert (after.place, after.packet.target) == (site.public, ME.ip)
    turned = answer.forth.steps[6]
    assert (turned.place, turned.after.source, turned.after.target) == (nat, NAT, ME.ip)
    assert f"and target {OUT} {ME.ip}: IPv4 from here on (NAT64)" in turned.said
    assert answer.back is not None
    assert answer.back.packet == answer.forth.steps[0].packet.reply()
    (back,) = (step for step in answer.back.steps if step.place == nat)
    assert back.said == f"an answer: target becomes {APP}"
    assert back.after.source == OUT


def test_pings_become_those_of_the_other_version(site: Site) -> None:
    nat = site.translate()
    answer = site.ask(ping(INWARDS))
    turned = next(step for step in answer.forth.steps if step.place == nat)
    assert (turned.after.protocol, turned.after.icmp) == (ICMP, (ECHO, 0))
    assert [step.code for step in answer.blocks()] == [Code.ENI_SG_RULES_MISMATCH]
    assert answer.blocks()[0].packet.source == NAT
    groups = site.cloud.call("DescribeSecurityGroups")["SecurityGroups"]
    (group,) = (each["GroupId"] for each in groups if each["VpcId"] == site.vpc)
    rule = {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1}
    rule |= {"IpRanges": [{"CidrIp": f"{NAT}/32"}]}
    site.cloud.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])
    assert site.ask(ping(INWARDS)).works


def test_devices_on_the_way(site: Site) -> None:
    nat = site.translate()
    answer = site.ask(ping(OUT))
    start = answer.forth.steps[0].packet
    found = devices(site.network(), site.app, start, answer.forth)
    assert [each.id for each in found] == [
        site.app, site.native, site.vpc, site.public, nat,
        site.public, site.vpc, site.gateway, "internet", "me",
    ]  # fmt: skip


def test_a_private_gateway_reaches_private_addresses(site: Site) -> None:
    site.translate(ConnectivityType="private")
    (block,) = site.ask(tcp(OUT)).blocks()
    assert block.code is Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS
    assert site.ask(tcp(INWARDS)).forth.arrived == site.db


def test_what_is_not_translated(site: Site) -> None:
    nat = site.translate()
    for packet, words in (
        (tcp(synthesized("169.254.169.254"), 80), "no such packet to 169.254.169.254"),
        (ping(synthesized("224.0.0.1")), "no such packet"),
        (ping(synthesized(NAT)), "itself, which answers nothing"),
        (Packet(APP, OUT, ICMPV6, icmp=(139, 0)), "no such packet"),
    ):
        (block,) = site.ask(packet).blocks()
        assert (block.kind, block.place) == ("translate", nat)
        assert words in block.said
    (block,) = site.ask(Packet(APP, OUT, 47)).blocks()
    assert block.code is Code.PROTOCOL_RESTRICTION


def test_nothing_begins_outside(site: Site) -> None:
    site.translate()
    public = site.cloud.call("DescribeAddresses")["Addresses"][0]["PublicIp"]
    (block,) = site.walk(ME, Packet(ME.ip, public, UDP, 4000, 53)).blocks()
    assert (block.kind, block.code) == ("translate", Code.NO_POSSIBLE_DESTINATION)


def test_acls_see_each_version_in_turn(site: Site) -> None:
    """The default ACL of the gateway's subnet without its entries of IPv6."""
    site.translate()
    found = site.cloud.call("DescribeNetworkAcls")["NetworkAcls"]
    (acl,) = (each["NetworkAclId"] for each in found if each["VpcId"] == site.vpc)
    made = site.cloud.call("CreateNetworkAcl", VpcId=site.vpc)["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": made, "RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow"}
    for egress in (True, False):
        only = {**entry, "Egress": egress, "CidrBlock": "0.0.0.0/0"}
        site.cloud.call("CreateNetworkAclEntry", **only)
    associations = next(each for each in found if each["NetworkAclId"] == acl)["Associations"]
    (old,) = (each["NetworkAclAssociationId"] for each in associations
              if each["SubnetId"] == site.public)  # fmt: skip
    site.cloud.call("ReplaceNetworkAclAssociation", AssociationId=old, NetworkAclId=made)
    blocks = site.ask(tcp(OUT)).blocks()
    assert {(step.place, step.code) for step in blocks} == {
        (site.public, Code.SUBNET_ACL_RESTRICTION)
    }
    assert [step.packet.target for step in blocks] == [OUT, APP]


def test_the_missing_route_is_the_fix(site: Site) -> None:
    answer = site.ask(tcp(OUT))
    (block,) = answer.blocks()
    assert block.code is Code.NO_ROUTE_TO_DESTINATION
    lines = site.fix(answer)
    assert any("create-nat-gateway" in line for line in lines)
    assert f"--destination-ipv6-cidr-block {PREFIX} --nat-gateway-id" in lines[-1]
    nat = site.translate()
    settle(site.cloud)
    way = {"RouteTableId": site.inner, "DestinationIpv6CidrBlock": PREFIX}
    site.cloud.call("DeleteRoute", **way)
    (line,) = site.fix(site.ask(tcp(OUT)))
    assert line.endswith(f"--destination-ipv6-cidr-block {PREFIX} --nat-gateway-id {nat}")
