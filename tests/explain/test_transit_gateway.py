"""Packets through transit gateways that the API built: verdicts, codes, devices, AWS's shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gureum.explain import Answer, Network, Packet, explain, told_anew
from gureum.explain.aws import Projection
from gureum.explain.codes import Code
from gureum.explain.osi import devices
from gureum.explain.packet import TCP
from tests.conftest import Cloud
from tests.resources.building import default_group, make_subnet, settle
from tests.resources.test_instance import image
from tests.resources.transit import Star, make_star, new_table

ANY = "0.0.0.0/0"
FORTH, BACK = "10.1.0.0/16", "10.0.0.0/16"


@dataclass
class Pair:
    """Two VPCs on a gateway, with an instance in each and routes to the other's blocks."""

    cloud: Cloud

    def __post_init__(self) -> None:
        self.star: Star = make_star(self.cloud)
        for vpc, far in zip(self.star.vpcs, (FORTH, BACK), strict=True):
            self.route(vpc, far)
            self.open(vpc)
        self.one, self.two = (self.launch(subnet) for subnet in self.star.subnets)

    def route(self, vpc: str, cidr: str) -> None:
        only = [{"Name": "vpc-id", "Values": [vpc]}]
        (table,) = self.cloud.call("DescribeRouteTables", Filters=only)["RouteTables"]
        self.cloud.call(
            "CreateRoute",
            RouteTableId=table["RouteTableId"],
            DestinationCidrBlock=cidr,
            TransitGatewayId=self.star.gateway,
        )

    def launch(self, subnet: str) -> str:
        """An instance with the VPC's default group."""
        made = self.cloud.call(
            "RunInstances",
            ImageId=image(self.cloud),
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
        )["Instances"][0]
        return str(made["InstanceId"])

    def open(self, vpc: str) -> None:
        """The VPC's default group lets everybody in at port 80."""
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": ANY}]}
        group = default_group(self.cloud, vpc)["GroupId"]
        self.cloud.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])

    def ask(self, source: str, target: str, source_ip: str | None = None) -> Answer:
        network = self.network()
        start, end = network.primary(source), network.primary(target)
        assert start is not None
        assert end is not None
        own, aim = network.own_address(start), network.own_address(end)
        return explain(network, start, Packet(source_ip or own or "", aim or "", TCP, 40000, 80))

    def network(self) -> Network:
        return Network(self.cloud.program().statements)

    def table(self, **more: Any) -> dict[str, Any]:
        return {"TransitGatewayRouteTableId": self.star.table, **more}


@pytest.fixture
def pair(cloud: Cloud) -> Pair:
    return Pair(cloud)


def codes(answer: Answer) -> list[Code | None]:
    return [step.code for step in answer.blocks()]


def test_there_and_back(pair: Pair) -> None:
    answer = pair.ask(pair.one, pair.two)
    assert answer.works
    gateway, (one, two) = pair.star.gateway, pair.star.attachments
    told = [
        (step.kind, step.place, step.said)
        for step in answer.forth.steps
        if step.kind in ("route", "transit", "transit-route")
    ]
    assert told == [
        ("route", pair.star.vpcs[0], f"{FORTH} -> {gateway}"),
        ("transit", one, f"into {gateway}"),
        ("transit-route", gateway, f"{FORTH} -> {two}"),
        ("route", pair.star.vpcs[1], f"{FORTH} -> local"),
    ]
    network = pair.network()
    found = devices(network, pair.one, answer.forth.steps[0].packet, answer.forth)
    kinds = [(each.kind, each.leaving.ttl if each.leaving else None) for each in found]
    assert kinds == [
        ("host", 64),
        ("switch", 64),
        ("router", 63),
        ("transit gateway", 62),
        ("router", 61),
        ("switch", 61),
        ("host", None),
    ]


def test_in_the_shapes_of_aws(pair: Pair) -> None:
    one, two = pair.star.attachments
    network = pair.network()
    projection = Projection(pair.cloud.store.view, network)
    found = projection.analysis(pair.ask(pair.one, pair.two), network.primary(pair.one))
    components = found["ForwardPathComponents"]
    ids = [each["Component"]["Id"] for each in components]
    at = ids.index(one)
    assert (ids[at], *ids[at + 2 : at + 4]) == (one, pair.star.gateway, two)
    assert components[at - 1]["RouteTableRoute"]["TransitGatewayId"] == pair.star.gateway
    assert components[at + 1]["AclRule"]["Egress"] is False, "into the subnet of the attachment"
    assert components[at + 2]["TransitGatewayRouteTableRoute"] == {
        "DestinationCidr": FORTH,
        "RouteOrigin": "propagated",
        "State": "active",
        "AttachmentId": two,
        "ResourceId": pair.star.vpcs[1],
        "ResourceType": "vpc",
    }


def why(pair: Pair) -> list[dict[str, Any]]:
    network = pair.network()
    projection = Projection(pair.cloud.store.view, network)
    found = projection.analysis(pair.ask(pair.one, pair.two), network.primary(pair.one))
    reasons: list[dict[str, Any]] = found["Explanations"]
    return reasons


def test_an_attachment_without_a_table(pair: Pair) -> None:
    one, _ = pair.star.attachments
    pair.cloud.call(
        "DisassociateTransitGatewayRouteTable", **pair.table(TransitGatewayAttachmentId=one)
    )
    assert codes(pair.ask(pair.one, pair.two)) == [Code.TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION]
    (reason,) = why(pair)
    assert reason["TransitGatewayAttachment"]["Id"] == one
    # what is forth for one is back for the other
    assert codes(pair.ask(pair.two, pair.one)) == [Code.TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION]


def test_a_table_without_a_route(pair: Pair) -> None:
    _, two = pair.star.attachments
    pair.cloud.call(
        "DisableTransitGatewayRouteTablePropagation", **pair.table(TransitGatewayAttachmentId=two)
    )
    answer = pair.ask(pair.one, pair.two)
    assert codes(answer) == [Code.TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT]
    (step,) = answer.blocks()
    assert [each.code for each in step.tried] == [Code.TGW_RTB_CANNOT_ROUTE]
    (reason,) = why(pair)
    assert reason["TransitGatewayRouteTable"]["Id"] == pair.star.table


def test_a_blackhole(pair: Pair) -> None:
    black = pair.table(DestinationCidrBlock="10.1.1.0/24", Blackhole=True)
    pair.cloud.call("CreateTransitGatewayRoute", **black)
    answer = pair.ask(pair.one, pair.two)
    assert codes(answer) == [Code.TGW_RTB_BAD_STATE_ROUTE]
    (step,) = answer.blocks()
    assert [each.code for each in step.tried] == [
        Code.TGW_RTB_MORE_SPECIFIC_ROUTE,
        Code.TGW_RTB_CANNOT_ROUTE,
    ]
    (reason,) = why(pair)
    assert reason["TransitGatewayRouteTableRoute"] == {
        "DestinationCidr": "10.1.1.0/24",
        "RouteOrigin": "static",
        "State": "blackhole",
    }


def test_a_zone_that_is_not_served(pair: Pair) -> None:
    zone = "ap-northeast-2c"
    subnet = make_subnet(pair.cloud, pair.star.vpcs[0], "10.0.9.0/24", AvailabilityZone=zone)
    far = pair.launch(subnet)
    assert codes(pair.ask(far, pair.two)) == [Code.TGW_ROUTE_AZ_RESTRICTION]
    pair.cloud.call(
        "ModifyTransitGatewayVpcAttachment",
        TransitGatewayAttachmentId=pair.star.attachments[0],
        AddSubnetIds=[subnet],
    )
    assert pair.ask(far, pair.two).works


def test_a_source_that_the_vpc_does_not_have(pair: Pair) -> None:
    """An attachment asks nobody's source: the check of the interface does."""
    network = pair.network()
    port = network.primary(pair.one)
    assert port is not None
    forged = pair.ask(pair.one, pair.two, source_ip="10.7.0.9")
    assert [each.code for each in forged.forth.blocks()] == [Code.ENI_ADDRESS_RESTRICTION]
    pair.cloud.call(
        "ModifyNetworkInterfaceAttribute",
        NetworkInterfaceId=port.id,
        SourceDestCheck={"Value": False},
    )
    assert pair.ask(pair.one, pair.two, source_ip="10.7.0.9").forth.arrived == pair.two


def test_spokes_reach_a_shared_network_by_tables_of_their_own(pair: Pair) -> None:
    """Associated with a table that knows nobody, a network reaches nobody."""
    one, _ = pair.star.attachments
    pair.cloud.call(
        "DisassociateTransitGatewayRouteTable", **pair.table(TransitGatewayAttachmentId=one)
    )
    settle(pair.cloud)
    table = new_table(pair.cloud, pair.star.gateway)
    both = {"TransitGatewayRouteTableId": table, "TransitGatewayAttachmentId": one}
    pair.cloud.call("AssociateTransitGatewayRouteTable", **both)
    assert codes(pair.ask(pair.one, pair.two)) == [Code.TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT]
    pair.cloud.call(
        "CreateTransitGatewayRoute",
        TransitGatewayRouteTableId=table,
        DestinationCidrBlock=ANY,
        TransitGatewayAttachmentId=pair.star.attachments[1],
    )
    assert pair.ask(pair.one, pair.two).works
    assert pair.ask(pair.two, pair.one).works


def test_a_static_route_goes_before_a_propagated_one(pair: Pair) -> None:
    route = pair.table(DestinationCidrBlock=FORTH, Blackhole=True)
    pair.cloud.call("CreateTransitGatewayRoute", **route)
    settle(pair.cloud)
    answer = told_anew(pair.cloud.store.view, pair.ask(pair.one, pair.two))
    (block,) = answer.forth.blocks()
    assert block.code is Code.TGW_RTB_BAD_STATE_ROUTE
    lost = block.tried[0]
    assert lost.code is Code.TGW_RTB_HIGHER_PRIORITY_ROUTE
    assert pair.star.attachments[1] in lost.said
