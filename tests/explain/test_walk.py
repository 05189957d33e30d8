"""A packet walked over networks that the API built: verdicts, blocks, codes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pytest

from gureum.explain import Answer, Network, Packet, explain, told_anew
from gureum.explain.aws import Projection
from gureum.explain.codes import Code
from gureum.explain.packet import ECHO, ICMP, TCP
from gureum.program import InternetHost, Port
from tests.conftest import Cloud
from tests.resources.building import settle
from tests.resources.test_instance import image

ANY = "0.0.0.0/0"
ME = InternetHost("me", "198.19.0.10")
MIRROR = InternetHost("mirror", "198.19.0.20")


@dataclass
class Shop:
    """A VPC with a public and a private subnet, a web server in one and a database in the other."""

    cloud: Cloud

    def __post_init__(self) -> None:
        call = self.cloud.call
        self.vpc = call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.public = self.subnet("10.0.1.0/24")
        self.private = self.subnet("10.0.2.0/24")
        gateway = call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
        self.gateway = gateway
        call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=self.vpc)
        self.table = self.routed(self.public)
        self.route(self.table, ANY, GatewayId=gateway)
        self.web_group = self.group("web", {"IpRanges": [{"CidrIp": ANY}]}, 80)
        pair = {"UserIdGroupPairs": [{"GroupId": self.web_group}]}
        self.db_group = self.group("db", pair, 3306)
        self.web = self.launch(self.public, self.web_group, public=True)
        self.db = self.launch(self.private, self.db_group)

    def subnet(self, cidr: str) -> str:
        made = self.cloud.call("CreateSubnet", VpcId=self.vpc, CidrBlock=cidr)
        return str(made["Subnet"]["SubnetId"])

    def routed(self, subnet: str) -> str:
        made = self.cloud.call("CreateRouteTable", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.cloud.call("AssociateRouteTable", RouteTableId=made, SubnetId=subnet)
        return str(made)

    def route(self, table: str, cidr: str, **target: str) -> None:
        self.cloud.call("CreateRoute", RouteTableId=table, DestinationCidrBlock=cidr, **target)

    def group(self, name: str, peer: dict[str, Any], port: int) -> str:
        made = self.cloud.call(
            "CreateSecurityGroup", GroupName=name, Description=name, VpcId=self.vpc
        )["GroupId"]
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}
        self.cloud.call("AuthorizeSecurityGroupIngress", GroupId=made, IpPermissions=[rule])
        return str(made)

    def launch(self, subnet: str, group: str, *, public: bool = False) -> str:
        station = {
            "DeviceIndex": 0,
            "SubnetId": subnet,
            "Groups": [group],
            "AssociatePublicIpAddress": public,
        }
        made = self.cloud.call(
            "RunInstances",
            ImageId=image(self.cloud),
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[station],
        )
        return str(made["Instances"][0]["InstanceId"])

    def show(self, key: str) -> dict[str, Any]:
        answer = self.cloud.call("DescribeInstances", InstanceIds=[key])
        found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return found

    def ip(self, key: str) -> str:
        return str(self.show(key)["PrivateIpAddress"])

    def public_ip(self, key: str) -> str:
        return str(self.show(key)["PublicIpAddress"])

    def network(self) -> Network:
        return Network([*self.cloud.program().statements, ME, MIRROR])

    def ask(self, source: str | InternetHost, target: str, port: int) -> Answer:
        """A TCP connection from an instance (by id) or internet host to an address."""
        network = self.network()
        start: Port | InternetHost | None = (
            source if isinstance(source, InternetHost) else network.primary(source)
        )
        assert start is not None
        own = start.ip if isinstance(start, InternetHost) else self.ip(str(source))
        return explain(network, start, Packet(own, target, TCP, target_port=port))


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    return Shop(cloud)


def codes(answer: Answer) -> list[Code | None]:
    return [step.code for step in answer.blocks()]


def test_verdicts(shop: Shop) -> None:
    web, db = shop.web, shop.db
    nobody = next(ip for ip in ("10.0.1.200", "10.0.1.201") if ip != shop.ip(web))
    table: list[tuple[str | InternetHost, str, int, list[Code | None]]] = [
        (ME, shop.public_ip(web), 80, []),
        (ME, shop.public_ip(web), 81, [Code.ENI_SG_RULES_MISMATCH]),
        (ME, shop.ip(db), 3306, [Code.IGW_EXPECTS_PUBLIC_ADDRESS]),
        (ME, "203.0.113.1", 3306, [Code.NO_POSSIBLE_DESTINATION]),
        (web, shop.ip(db), 3306, []),
        (web, shop.ip(db), 22, [Code.ENI_SG_RULES_MISMATCH]),
        (db, shop.ip(web), 80, []),
        (web, MIRROR.ip, 80, []),
        (db, MIRROR.ip, 80, [Code.NO_ROUTE_TO_DESTINATION]),
        (web, nobody, 80, [Code.NO_POSSIBLE_DESTINATION]),
        (web, "10.0.9.9", 80, [Code.NO_POSSIBLE_DESTINATION]),
        (web, "172.16.0.1", 80, [Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS]),
        (web, "198.18.255.254", 80, [Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS]),
    ]
    seen = [codes(shop.ask(source, target, port)) for source, target, port, _ in table]
    assert seen == [wanted for *_, wanted in table]


def test_the_steps_of_a_connection_from_the_internet(shop: Shop) -> None:
    answer = shop.ask(ME, shop.public_ip(shop.web), 80)
    assert answer.works
    assert answer.reach == "all"
    kinds = [step.kind for step in answer.forth.steps]
    assert kinds == ["translate", "acl", "arp", "group", "deliver"]
    group = answer.forth.steps[3]
    assert group.by[0].startswith("sgr-")
    assert answer.back is not None
    kinds = [step.kind for step in answer.back.steps]
    assert kinds == ["arp", "group", "acl", "route", "translate", "deliver"]
    assert answer.back.arrived == "me"
    assert answer.forth.steps[0].after.target == shop.ip(shop.web)


def test_every_block_is_told_not_just_the_first(shop: Shop) -> None:
    """No rule of the group, no rule of the ACL forth, none back."""
    acl = shop.cloud.call("CreateNetworkAcl", VpcId=shop.vpc)["NetworkAcl"]["NetworkAclId"]
    shop.cloud.join_acl(acl, shop.private)
    answer = shop.ask(shop.web, shop.ip(shop.db), 22)
    assert codes(answer) == [
        Code.SUBNET_ACL_RESTRICTION,
        Code.ENI_SG_RULES_MISMATCH,
        Code.SUBNET_ACL_RESTRICTION,
    ]


def test_a_stateless_answer_may_get_through_to_some_ports(shop: Shop) -> None:
    acl = shop.cloud.call("CreateNetworkAcl", VpcId=shop.vpc)["NetworkAcl"]["NetworkAclId"]
    for egress, first, last in ((False, 3306, 3306), (True, 1024, 40000)):
        shop.cloud.call(
            "CreateNetworkAclEntry",
            NetworkAclId=acl,
            RuleNumber=100,
            Egress=egress,
            Protocol="6",
            RuleAction="allow",
            CidrBlock=ANY,
            PortRange={"From": first, "To": last},
        )
    shop.cloud.join_acl(acl, shop.private)
    answer = shop.ask(shop.web, shop.ip(shop.db), 3306)
    assert (answer.reach, answer.ports) == ("some", ((32768, 40000),))
    assert answer.blocks() == [], "the traces are of a port that works"


def test_a_group_reference_is_lost_on_the_way_over_the_internet(shop: Shop) -> None:
    call = shop.cloud.call
    address = call("AllocateAddress")
    call("AssociateAddress", AllocationId=address["AllocationId"], InstanceId=shop.db)
    shop.route(shop.routed(shop.private), ANY, GatewayId=shop.gateway)
    assert codes(shop.ask(shop.web, address["PublicIp"], 3306)) == [
        Code.SG_REFERENCES_NOT_PRESERVED
    ]
    stranger = shop.ask(ME, address["PublicIp"], 3306)
    assert codes(stranger) == [Code.ENI_SG_RULES_MISMATCH], "it never was in a group"


def test_a_nat_gateway_hides_the_sender_and_passes_the_answer(shop: Shop) -> None:
    call = shop.cloud.call
    address = call("AllocateAddress")
    nat = call("CreateNatGateway", SubnetId=shop.public, AllocationId=address["AllocationId"])[
        "NatGateway"
    ]["NatGatewayId"]
    shop.route(shop.routed(shop.private), ANY, NatGatewayId=nat)
    answer = shop.ask(shop.db, MIRROR.ip, 80)
    assert answer.works
    assert answer.forth.packet is not None
    assert answer.forth.packet.source == address["PublicIp"]
    assert answer.back is not None
    assert answer.back.arrived == shop.db
    inbound = shop.ask(ME, address["PublicIp"], 80)
    assert codes(inbound) == [Code.NO_POSSIBLE_DESTINATION]
    call("DeleteNatGateway", NatGatewayId=nat)
    assert codes(shop.ask(shop.db, MIRROR.ip, 80)) == [Code.BAD_STATE_ROUTE]


def test_a_nat_gateway_draws_a_port_for_one_below_1024(shop: Shop) -> None:
    """And AWS's headers have the client's port before it, and those that may be drawn behind it."""
    call = shop.cloud.call
    address = call("AllocateAddress")["AllocationId"]
    made = call("CreateNatGateway", SubnetId=shop.public, AllocationId=address)["NatGateway"]
    shop.route(shop.routed(shop.private), ANY, NatGatewayId=made["NatGatewayId"])
    network = shop.network()
    start = network.primary(shop.db)
    assert start is not None
    answer = explain(network, start, Packet(shop.ip(shop.db), MIRROR.ip, TCP, 500, 80))
    assert (answer.reach, answer.ports) == ("all", ((500, 500),))
    assert answer.drawn == ((1024, 65535),)
    shown = Projection(shop.cloud.store.view, network).analysis(answer, start)
    own, many = {"From": 500, "To": 500}, {"From": 1024, "To": 65535}
    forth = [ports(each, "SourcePortRanges") for each in shown["ForwardPathComponents"]]
    back = [ports(each, "DestinationPortRanges") for each in shown["ReturnPathComponents"]]
    for found, order in ((forth, [own, many]), (back, [many, own])):
        assert [each for each, _ in groupby(each for each in found if each)] == [
            [one] for one in order
        ]


def ports(component: dict[str, Any], member: str) -> list[dict[str, int]]:
    """The client's ports in a component of AWS's, in the header that goes out."""
    found: list[dict[str, int]] = component.get("OutboundHeader", {}).get(member, [])
    return found


def test_no_public_address_no_passage(shop: Shop) -> None:
    shop.route(shop.routed(shop.private), ANY, GatewayId=shop.gateway)
    assert codes(shop.ask(shop.db, MIRROR.ip, 80)) == [Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS]


def test_the_longest_prefix_wins_and_the_losers_are_told(shop: Shop) -> None:
    shop.route(shop.table, "198.19.0.0/24", InstanceId=shop.db)
    answer = shop.ask(shop.web, MIRROR.ip, 80)
    assert Code.ENI_SOURCE_DEST_CHECK_RESTRICTION in codes(answer)
    (route,) = (step for step in answer.forth.steps if step.kind == "route")
    assert route.by == (shop.table,)
    default, local = route.tried
    assert default.said == f"{ANY} -> {shop.gateway}: 198.19.0.0/24 is longer"
    assert default.code == Code.MORE_SPECIFIC_ROUTE
    assert local.said == "10.0.0.0/16 -> local: 198.19.0.20 is outside"
    assert local.code == Code.VPC_LOCAL_ROUTE_CIDR_RESTRICTION


def test_rules_that_do_not_fit_are_told_with_the_field(shop: Shop) -> None:
    answer = shop.ask(ME, shop.public_ip(shop.web), 81)
    (block,) = answer.blocks()
    (lost,) = block.tried
    assert lost.field == "destination-port"
    assert lost.said == f"tcp 80 from {ANY}: the port is 81"
    assert lost.by.startswith("sgr-")
    (block,) = shop.ask(shop.db, shop.ip(shop.launch(shop.private, shop.db_group)), 3306).blocks()
    (lost,) = block.tried
    assert (lost.field, block.direction) == ("source-address", "in")
    assert lost.said == f"tcp 3306 from {shop.web_group}: {shop.ip(shop.db)} is not a member"


def test_a_spoofed_source_is_told(shop: Shop) -> None:
    network = shop.network()
    start = network.primary(shop.web)
    assert start is not None
    forged = Packet("10.0.1.99", shop.ip(shop.db), TCP, 40000, 3306)
    answer = explain(network, start, forged)
    assert Code.ENI_ADDRESS_RESTRICTION in codes(answer)
    assert answer.reach == "none"


@pytest.mark.parametrize(
    ("forged", "code"),
    [
        ("10.0.1.99", Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS),
        ("100.64.0.9", Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS),
    ],
)
def test_nobody_on_the_internet_has_a_private_address(shop: Shop, forged: str, code: Code) -> None:
    public = shop.public_ip(shop.web)
    answer = explain(shop.network(), ME, Packet(forged, public, TCP, 40000, 80))
    (block,) = answer.forth.blocks()
    assert (block.code, block.place) == (code, shop.gateway)
    assert shop.ask(ME, public, 80).works


def test_a_route_that_somebody_made_goes_before_one_that_a_gateway_brings(shop: Shop) -> None:
    call = shop.cloud.call
    vgw = call("CreateVpnGateway", Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    call("AttachVpnGateway", VpnGatewayId=vgw, VpcId=shop.vpc)
    site = call("CreateCustomerGateway", Type="ipsec.1", PublicIp="198.19.7.7")["CustomerGateway"]
    vpn = call(
        "CreateVpnConnection", Type="ipsec.1", VpnGatewayId=vgw,
        CustomerGatewayId=site["CustomerGatewayId"], Options={"StaticRoutesOnly": True},
    )["VpnConnection"]["VpnConnectionId"]  # fmt: skip
    block = "192.0.2.0/24"
    call("CreateVpnConnectionRoute", VpnConnectionId=vpn, DestinationCidrBlock=block)
    table = shop.routed(shop.private)
    call("EnableVgwRoutePropagation", GatewayId=vgw, RouteTableId=table)
    settle(shop.cloud)

    def asked() -> tuple[Code | None, list[Code | None]]:
        answer = told_anew(shop.cloud.store.view, shop.ask(shop.db, "192.0.2.9", 80))
        (step,) = (each for each in answer.forth.steps if each.kind == "route")
        return step.code, [each.code for each in step.tried]

    assert asked()[1] == [Code.VPC_LOCAL_ROUTE_CIDR_RESTRICTION], "only the gateway's leads there"
    shop.route(table, block, GatewayId=shop.gateway)
    code, tried = asked()
    assert code is None, "out by the internet gateway"
    assert tried[0] is Code.HIGHER_PRIORITY_ROUTE


def test_pings_are_answered_by_their_own_kind(shop: Shop) -> None:
    rule = {
        "IpProtocol": "icmp",
        "FromPort": ECHO,
        "ToPort": -1,
        "IpRanges": [{"CidrIp": ANY}],
    }
    network = shop.network()
    start = network.primary(shop.web)
    assert start is not None
    ping = Packet(shop.ip(shop.web), shop.ip(shop.db), ICMP, icmp=(ECHO, 0))
    assert codes(explain(network, start, ping)) == [Code.ENI_SG_RULES_MISMATCH]
    shop.cloud.call("AuthorizeSecurityGroupIngress", GroupId=shop.db_group, IpPermissions=[rule])
    other = Packet(ping.source, ping.target, ICMP, icmp=(13, 0))
    assert codes(explain(shop.network(), start, other)) == [Code.ENI_SG_RULES_MISMATCH]
    answer = explain(shop.network(), start, ping)
    assert answer.reach == "all"
    assert answer.back is not None
    assert answer.back.packet is not None
    assert answer.back.packet.icmp == (0, 0)


def test_neighbours_meet_no_route_and_no_acl(shop: Shop) -> None:
    other = shop.launch(shop.public, shop.web_group)
    answer = shop.ask(shop.web, shop.ip(other), 80)
    assert answer.works
    assert [step.kind for step in answer.forth.steps] == ["switch", "group", "group", "deliver"]
