"""What comes out of a transit gateway is routed by the table of the attachment's subnet: packets
through networks that the API built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gureum.explain import Answer, Network, Packet, explain, fixes, told_anew
from gureum.explain.codes import Code
from gureum.explain.packet import TCP
from gureum.program import InternetHost
from gureum.reach import Reach
from gureum.reach.way import Node
from tests.conftest import Cloud
from tests.explain.test_transit_gateway import ANY, Pair, codes
from tests.kernel.test_transit_gateway import inspected
from tests.resources.building import make_gateway, make_subnet, settle
from tests.resources.routing import main_of, make_table

WEB = InternetHost("web", "198.19.0.20")
ZONES = ("ap-northeast-2a", "ap-northeast-2b")


@dataclass
class Egress(Pair):
    """The second VPC has a NAT gateway, in a subnet of its own, by which the first calls out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        call, (spoke, hub) = self.cloud.call, self.star.vpcs
        self.outer = make_subnet(self.cloud, hub, "10.1.9.0/24", AvailabilityZone=ZONES[0])
        gateway = make_gateway(self.cloud, hub)
        address = call("AllocateAddress")["AllocationId"]
        made = call("CreateNatGateway", SubnetId=self.outer, AllocationId=address)
        self.nat = made["NatGateway"]["NatGatewayId"]
        settle(self.cloud)
        self.table_out = make_table(self.cloud, hub)
        call("AssociateRouteTable", RouteTableId=self.table_out, SubnetId=self.outer)
        self.way(self.table_out, ANY, GatewayId=gateway)
        self.way(self.table_out, "10.0.0.0/16", TransitGatewayId=self.star.gateway)
        self.way(main_of(self.cloud, hub)["RouteTableId"], ANY, NatGatewayId=self.nat)
        tgw = {"TransitGatewayId": self.star.gateway}
        self.way(main_of(self.cloud, spoke)["RouteTableId"], ANY, **tgw)
        call("CreateTransitGatewayRoute", **self.table(DestinationCidrBlock=ANY,
             TransitGatewayAttachmentId=self.star.attachments[1]))  # fmt: skip
        settle(self.cloud)

    def way(self, table: str, cidr: str, **target: str) -> None:
        self.cloud.call("CreateRoute", RouteTableId=table, DestinationCidrBlock=cidr, **target)

    def out(self) -> Answer:
        """The first VPC's instance asks for a page of somebody on the internet."""
        network = self.network()
        start = network.primary(self.one)
        assert start is not None
        own = network.own_address(start) or ""
        return explain(network, start, Packet(own, WEB.ip, TCP, 40000, 80))

    def network(self) -> Network:
        return Network(self.cloud.program().statements).with_host(WEB)


@pytest.fixture
def egress(cloud: Cloud) -> Egress:
    return Egress(cloud)


def routed(answer: Answer) -> list[tuple[str, str]]:
    """The routes that a packet takes: the table, or the gateway, and the route."""
    kinds = ("route", "transit-route")
    return [(step.place, step.said) for step in answer.forth.steps if step.kind in kinds]


def test_the_internet_through_another_vpc(egress: Egress) -> None:
    answer = egress.out()
    assert answer.works
    (spoke, hub), gateway = egress.star.vpcs, egress.star.gateway
    nat_port = egress.network().primary(egress.nat)
    assert nat_port is not None
    to_nat, to_gateway = routed(answer)[2:]
    assert routed(answer)[:2] == [
        (spoke, f"0.0.0.0/0 -> {gateway}"),
        (gateway, f"0.0.0.0/0 -> {egress.star.attachments[1]}"),
    ]
    assert (to_nat[0], to_gateway[0]) == (hub, hub)
    assert nat_port.id in to_nat[1]
    assert "igw-" in to_gateway[1]
    # and the answer: the table of the NAT gateway's subnet leads to the transit gateway
    assert answer.back is not None
    back = [step.place for step in answer.back.steps if step.kind in ("route", "transit-route")]
    assert back == [hub, gateway, spoke]


def test_reach_knows_the_way(egress: Egress) -> None:
    reach = Reach([*egress.cloud.program().statements, WEB])
    port = egress.network().primary(egress.one)
    assert port is not None
    here, web = reach.node(port.id), reach.outside(WEB.ip)
    assert reach.point(here, web, TCP, 80).works
    assert Node("internet", "web", WEB.ip) in reach.targets(here, TCP, 80)
    assert here in reach.sources(web, TCP, 80)
    older = reach.snapshot()
    gone = [each for each in egress.cloud.program().statements if "igw-" in str(each)
            and type(each).__name__ == "Route"]  # fmt: skip
    reach.update([], gone)
    assert not reach.point(here, web, TCP, 80).works
    assert older.point(here, web, TCP, 80).works


@pytest.mark.parametrize("missing", ["to the NAT gateway", "back to the spoke"])
def test_a_route_of_the_hub_is_missing(egress: Egress, missing: str) -> None:
    hub = egress.star.vpcs[1]
    if missing == "to the NAT gateway":
        key, cidr = main_of(egress.cloud, hub)["RouteTableId"], ANY
    else:
        key, cidr = egress.table_out, "10.0.0.0/16"
    egress.cloud.call("DeleteRoute", RouteTableId=key, DestinationCidrBlock=cidr)
    answer = egress.out()
    expected = Code.NO_ROUTE_TO_DESTINATION
    if missing == "back to the spoke":  # by the default route, where private addresses end
        expected = Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS
    assert codes(answer) == [expected]
    view = egress.cloud.store.view
    for fix in fixes(view, told_anew(view, answer)):
        assert fix.commands


def test_an_internet_gateway_takes_nothing_from_a_transit_gateway(egress: Egress) -> None:
    """Nobody in another VPC has a public address in this one."""
    hub = egress.star.vpcs[1]
    where: dict[str, Any] = {"DestinationCidrBlock": ANY}
    where["RouteTableId"] = main_of(egress.cloud, hub)["RouteTableId"]
    (gateway,) = egress.cloud.call("DescribeInternetGateways", Filters=[
        {"Name": "attachment.vpc-id", "Values": [hub]}
    ])["InternetGateways"]  # fmt: skip
    egress.cloud.call("ReplaceRoute", **where, GatewayId=gateway["InternetGatewayId"])
    assert codes(egress.out()) == [Code.GATEWAY_REJECTS_SPOOFED_TRAFFIC]


def test_the_acl_of_the_attachments_subnet(egress: Egress) -> None:
    """Out of it towards the NAT gateway; in to it from there, and not the other way round."""
    call, subnet = egress.cloud.call, egress.star.subnets[1]
    made = call("CreateNetworkAcl", VpcId=egress.star.vpcs[1])["NetworkAcl"]["NetworkAclId"]
    for egress_ in (True, False):
        call("CreateNetworkAclEntry", NetworkAclId=made, RuleNumber=100, Protocol="-1",
             RuleAction="allow", Egress=egress_, CidrBlock=ANY)  # fmt: skip
    only = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (acl,) = call("DescribeNetworkAcls", Filters=only)["NetworkAcls"]
    (old,) = (each for each in acl["Associations"] if each["SubnetId"] == subnet)
    call("ReplaceNetworkAclAssociation", NetworkAclId=made,
         AssociationId=old["NetworkAclAssociationId"])  # fmt: skip
    assert egress.out().works
    for way, peer in ((True, f"{WEB.ip}/32"), (False, f"{WEB.ip}/32")):
        entry = {"NetworkAclId": made, "RuleNumber": 50, "Egress": way}
        call("CreateNetworkAclEntry", **entry, Protocol="-1", RuleAction="deny", CidrBlock=peer)
        answer = egress.out()
        (block,) = answer.blocks()
        assert (block.code, block.place) == (Code.SUBNET_ACL_RESTRICTION, subnet)
        assert block.by == (f"{made}/50",)
        assert (block in answer.forth.steps) == way
        call("DeleteNetworkAclEntry", **entry)
    assert egress.out().works


@pytest.mark.parametrize("appliance", [True, False])
def test_appliance_mode(appliance: bool) -> None:
    """What is tested on real packets in ``tests/kernel``."""
    statements, hosts = inspected(appliance=appliance)
    network = Network(statements, forwards=lambda host, version: True)
    there = Packet("10.0.1.10", "10.1.1.10", TCP, 40000, 80)
    forth = explain(network, hosts["i-host"], there)
    assert forth.works == appliance
    assert forth.forth.arrived == "i-host2"
    back = Packet("10.1.1.10", "10.0.1.10", TCP, 40000, 80)
    assert explain(network, hosts["i-host2"], back).forth.arrived is None
