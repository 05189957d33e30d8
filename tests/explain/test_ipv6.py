"""Packets over IPv6 walked over networks that the API built: verdicts, blocks, codes, fixes."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.explain import Answer, Network, Packet, explain, fixes, told_anew
from gureum.explain.aws import Projection
from gureum.explain.codes import Code
from gureum.explain.osi import devices
from gureum.explain.packet import ECHO_V6, ICMPV6, TCP, UDP
from gureum.program import InternetHost, Port
from gureum.resources.instance import observed
from tests.conftest import Cloud
from tests.resources.test_instance import image

ANY = "::/0"
ME = InternetHost("me", "198.19.0.10", "3fff:800::10")
BLOCK = "3fff:1:2:300::/56"
PUBLIC, PRIVATE = "3fff:1:2:301::/64", "3fff:1:2:302::/64"
WEB, DB = "3fff:1:2:301::a", "3fff:1:2:302::b"


class Shop:
    """A VPC with a public subnet behind an internet gateway and a private one behind an
    egress-only one, a web server in one and a database in the other."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        call = cloud.call
        block = {"Ipv6Pool": "Amazon", "Ipv6CidrBlock": BLOCK}
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16", **block)["Vpc"]["VpcId"]
        gateway = call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
        call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=self.vpc)
        made = call("CreateEgressOnlyInternetGateway", VpcId=self.vpc)
        only_out = made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        self.gateway, self.only_out = gateway, only_out
        self.public = self.subnet("10.0.1.0/24", PUBLIC)
        self.private = self.subnet("10.0.2.0/24", PRIVATE)
        self.outer = self.table(self.public, GatewayId=gateway)
        self.inner = self.table(self.private, EgressOnlyInternetGatewayId=only_out)
        self.web_group = self.group("web", 80, Ipv6Ranges=[{"CidrIpv6": ANY}])
        pair = [{"GroupId": self.web_group}]
        self.db_group = self.group("db", 3306, UserIdGroupPairs=pair)
        self.web = self.launch(self.public, self.web_group, WEB)
        self.db = self.launch(self.private, self.db_group, DB)

    def subnet(self, cidr: str, cidr6: str) -> str:
        where = {"VpcId": self.vpc, "CidrBlock": cidr, "Ipv6CidrBlock": cidr6}
        return str(self.cloud.call("CreateSubnet", **where)["Subnet"]["SubnetId"])

    def table(self, subnet: str, **target: str) -> str:
        key = self.cloud.call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.cloud.call("AssociateRouteTable", RouteTableId=key, SubnetId=subnet)
        self.cloud.call("CreateRoute", RouteTableId=key, DestinationIpv6CidrBlock=ANY, **target)
        return str(key)

    def group(self, name: str, port: int, **peers: Any) -> str:
        named = {"GroupName": name, "Description": name, "VpcId": self.vpc}
        key = str(self.cloud.call("CreateSecurityGroup", **named)["GroupId"])
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peers}
        self.cloud.call("AuthorizeSecurityGroupIngress", GroupId=key, IpPermissions=[rule])
        return key

    def launch(self, subnet: str, group: str, *ips: str) -> str:
        station = {
            "DeviceIndex": 0,
            "SubnetId": subnet,
            "Groups": [group],
            "Ipv6Addresses": [{"Ipv6Address": ip} for ip in ips],
        }
        answer = self.cloud.call(
            "RunInstances",
            ImageId=image(self.cloud),
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[station],
        )
        return str(answer["Instances"][0]["InstanceId"])

    def network(self) -> Network:
        return Network([*self.cloud.program().statements, ME])

    def start(self, host: str) -> Port:
        found = self.network().primary(host)
        assert found is not None
        return found

    def ask(self, start: Port | InternetHost, packet: Packet) -> Answer:
        return told_anew(self.cloud.store.view, explain(self.network(), start, packet))

    def fix(self, answer: Answer) -> list[str]:
        return [line for fix in fixes(self.cloud.store.view, answer) for line in fix.commands]


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    return Shop(cloud)


def tcp(source: str, target: str, port: int) -> Packet:
    return Packet(source, target, TCP, None, port)


def ping(source: str, target: str) -> Packet:
    return Packet(source, target, ICMPV6, icmp=(ECHO_V6, 0))


def codes(answer: Answer) -> list[Code | None]:
    return [step.code for step in answer.blocks()]


def test_services_are_reached_past_groups_and_acls(shop: Shop) -> None:
    web = shop.start(shop.web)
    resolver, metadata = "fd00:ec2::253", "fd00:ec2::254"
    for packet in (tcp(WEB, metadata, 80), Packet(WEB, resolver, UDP, None, 53)):
        answer = shop.ask(web, packet)
        assert answer.works
        assert [step.kind for step in answer.forth.steps] == ["arp", "service"]
        assert answer.back is not None
        assert answer.back.arrived == shop.web
    (block,) = shop.ask(web, tcp(WEB, metadata, 443)).blocks()
    assert "and nothing else" in block.said


def test_what_works(shop: Shop) -> None:
    web, db = shop.start(shop.web), shop.start(shop.db)
    assert shop.ask(ME, tcp(ME.ip6, WEB, 80)).works
    assert shop.ask(web, tcp(WEB, DB, 3306)).works  # as a member of the group
    assert shop.ask(web, ping(WEB, ME.ip6)).works
    assert shop.ask(db, tcp(DB, ME.ip6, 443)).works
    assert shop.ask(db, Packet(DB, ME.ip6, UDP, None, 53)).works


def test_addresses_of_a_prefix(shop: Shop) -> None:
    """All of them are the interface's, and their neighbours nobody's."""
    call, prefix = shop.cloud.call, "3fff:1:2:301:a::/80"
    eni = shop.start(shop.web).id
    call("AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6Prefixes=[prefix])
    own, other, outside = "3fff:1:2:301:a::5", "3fff:1:2:301:a:1:2:3", "3fff:1:2:301:b::5"
    web, db = shop.start(shop.web), shop.start(shop.db)
    assert shop.ask(ME, tcp("3fff:800::10", own, 80)).works
    assert shop.ask(db, tcp(DB, other, 80)).works
    assert shop.ask(web, tcp(own, DB, 3306)).works  # as a member of its group
    assert codes(shop.ask(ME, tcp("3fff:800::10", own, 81))) == [Code.ENI_SG_RULES_MISMATCH]
    assert not shop.ask(ME, tcp("3fff:800::10", outside, 80)).works
    assert codes(shop.ask(web, tcp(outside, DB, 3306)))[:1] == [Code.ENI_ADDRESS_RESTRICTION]
    call("UnassignIpv6Addresses", NetworkInterfaceId=eni, Ipv6Prefixes=[prefix])
    assert not shop.ask(ME, tcp("3fff:800::10", own, 80)).works


def test_a_route_to_an_interface_without_ipv6(shop: Shop) -> None:
    """It passes packets on, of IPv4, and its group would let these in."""
    call = shop.cloud.call
    made = call("CreateSubnet", VpcId=shop.vpc, CidrBlock="10.0.3.0/24")["Subnet"]["SubnetId"]
    box = shop.start(shop.launch(made, shop.web_group)).id
    unchecked = {"NetworkInterfaceId": box, "SourceDestCheck": {"Value": False}}
    call("ModifyNetworkInterfaceAttribute", **unchecked)
    target = {"DestinationIpv6CidrBlock": ANY, "NetworkInterfaceId": box}
    call("ReplaceRoute", RouteTableId=shop.outer, **target)
    answer = shop.ask(shop.start(shop.web), tcp(WEB, ME.ip6, 80))
    (block,) = answer.blocks()
    assert (block.kind, block.place) == ("dest-check", box)
    assert block.code is Code.NO_POSSIBLE_DESTINATION
    assert shop.fix(answer) == []


def test_what_does_not(shop: Shop) -> None:
    web, db = shop.start(shop.web), shop.start(shop.db)
    assert codes(shop.ask(ME, tcp(ME.ip6, WEB, 81))) == [Code.ENI_SG_RULES_MISMATCH]
    refused = shop.ask(ME, tcp(ME.ip6, DB, 3306))
    assert codes(refused)[0] is Code.NO_POSSIBLE_DESTINATION
    assert next(iter(refused.blocks())).place == shop.only_out
    assert codes(shop.ask(db, tcp(DB, WEB, 22))) == [Code.ENI_SG_RULES_MISMATCH]
    forged = shop.ask(web, tcp("3fff:1:2:301::c", DB, 3306))
    assert codes(forged)[0] is Code.ENI_ADDRESS_RESTRICTION
    nobody = shop.ask(web, ping(WEB, "3fff:1:2:301::77"))
    assert codes(nobody) == [Code.NO_POSSIBLE_DESTINATION]
    outside = shop.ask(web, ping(WEB, "2001:db8::1"))
    assert codes(outside) == [Code.NO_POSSIBLE_DESTINATION]
    unassigned = shop.ask(ME, ping(ME.ip6, "3fff:1:2:301::77"))
    assert codes(unassigned) == [Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS]


def test_the_router_keeps_its_own_addresses_whatever_routes_say(shop: Shop) -> None:
    """As the kernel does: its local addresses come before all route tables."""
    route = {"RouteTableId": shop.outer, "DestinationIpv6CidrBlock": PRIVATE}
    web, db = shop.start(shop.web), shop.start(shop.db)
    shop.cloud.call("CreateRoute", NetworkInterfaceId=db.id, **route)
    answer = shop.ask(web, tcp(WEB, PRIVATE.replace("/64", "1"), 80))
    (block,) = answer.blocks()
    assert (block.kind, block.place) == ("route", shop.vpc)
    assert "the router, which answers nothing" in block.said


def test_ipv4_rules_admit_no_ipv6(shop: Shop) -> None:
    key = shop.cloud.call("DescribeNetworkAcls", Filters=[{"Name": "default", "Values": ["true"]}])
    (acl,) = (each for each in key["NetworkAcls"] if each["VpcId"] == shop.vpc)
    gone = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 101, "Egress": False}
    shop.cloud.call("DeleteNetworkAclEntry", **gone)
    answer = shop.ask(ME, tcp(ME.ip6, WEB, 80))
    assert codes(answer) == [Code.SUBNET_ACL_RESTRICTION]
    (command,) = shop.fix(answer)
    assert f"--ipv6-cidr-block {ME.ip6}/128" in command


def test_the_steps_of_a_way_out(shop: Shop) -> None:
    answer = shop.ask(shop.start(shop.db), tcp(DB, ME.ip6, 443))
    assert [step.kind for step in answer.forth.steps] == [
        "arp", "group", "acl", "route", "gateway", "deliver",
    ]  # fmt: skip
    assert answer.forth.steps[0].said.startswith("next hop: the router fe80::1 is at ")
    assert answer.back is not None
    assert [step.kind for step in answer.back.steps] == [
        "gateway",
        "acl",
        "arp",
        "group",
        "deliver",
    ]
    assert answer.back.steps[0].said == "an answer to what was begun from inside"
    way = devices(shop.network(), shop.db, answer.forth.steps[0].packet, answer.forth)
    assert [each.kind for each in way] == [
        "host", "switch", "router", "egress-only internet gateway", "internet", "host",
    ]  # fmt: skip


def test_fixes_are_about_ipv6(shop: Shop) -> None:
    closed = shop.fix(shop.ask(ME, tcp(ME.ip6, WEB, 81)))
    assert f'"Ipv6Ranges": [{{"CidrIpv6": "{ME.ip6}/128"}}]' in closed[0]
    route = {"RouteTableId": shop.outer, "DestinationIpv6CidrBlock": ANY}
    shop.cloud.call("DeleteRoute", **route)
    lost = shop.ask(shop.start(shop.web), tcp(WEB, ME.ip6, 443))
    assert codes(lost) == [Code.NO_ROUTE_TO_DESTINATION]
    (command,) = shop.fix(lost)
    assert f"--destination-ipv6-cidr-block ::/0 --gateway-id {shop.gateway}" in command
    forged = shop.fix(shop.ask(shop.start(shop.web), tcp("3fff:1:2:301::c", DB, 3306)))
    assert any("assign-ipv6-addresses" in line and "3fff:1:2:301::c" in line for line in forged)


def test_as_aws_tells_it(shop: Shop) -> None:
    start = shop.start(shop.db)
    answer = shop.ask(start, tcp(DB, ME.ip6, 443))
    found = Projection(shop.cloud.store.view, shop.network()).analysis(answer, start)
    assert found["NetworkPathFound"] is True
    ids = [each["Component"]["Id"] for each in found["ForwardPathComponents"]]
    assert shop.only_out in ids
    routes = [each["RouteTableRoute"] for each in found["ForwardPathComponents"]
              if "RouteTableRoute" in each]  # fmt: skip
    assert routes[0]["EgressOnlyInternetGatewayId"] == shop.only_out
    header = found["ForwardPathComponents"][0]["OutboundHeader"]
    assert header["SourceAddresses"] == [f"{DB}/128"]


def test_a_stopped_instance(shop: Shop) -> None:
    shop.cloud.system(observed, shop.cloud.now, shop.web, "running")
    shop.cloud.call("StopInstances", InstanceIds=[shop.web])
    shop.cloud.system(observed, shop.cloud.now, shop.web, "stopped")
    answer = shop.ask(ME, tcp(ME.ip6, WEB, 80))
    assert codes(answer) == [Code.BAD_STATE]
    assert any("start-instances" in line for line in shop.fix(answer))
