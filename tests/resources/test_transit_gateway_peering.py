"""Peering attachments of transit gateways: life, who may do what, static routes, packets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gureum.explain import Network, Packet, explain
from gureum.explain.codes import Code
from gureum.explain.osi import devices
from gureum.explain.packet import TCP
from gureum.program import TransitPeering
from gureum.reach import Reach
from gureum.resources.transit_gateway import attached_with, shared
from gureum.resources.transit_gateway_peering import MAX_PER_GATEWAY
from tests.conftest import Cloud
from tests.resources.building import default_group, make_subnet, make_vpc, settle
from tests.resources.routing import main_of
from tests.resources.test_instance import image
from tests.resources.transit import attach, default_table, found, make_transit, new_table

OTHER, FAR = "210987654321", "eu-west-1"


@pytest.fixture
def other(cloud: Cloud) -> Cloud:
    """The same cloud as another account sees it, in another region."""
    made = Cloud(account=OTHER, region=FAR)
    made.store, made.dispatch, made.compiler = cloud.store, cloud.dispatch, cloud.compiler
    return made


def ask(cloud: Cloud, one: str, two: str, **more: Any) -> dict[str, Any]:
    ends = {"TransitGatewayId": one, "PeerTransitGatewayId": two}
    where = {"PeerAccountId": OTHER, "PeerRegion": FAR}
    answer = cloud.call("CreateTransitGatewayPeeringAttachment", **ends, **(where | more))
    shape: dict[str, Any] = answer["TransitGatewayPeeringAttachment"]
    return shape


def asked(cloud: Cloud, other: Cloud) -> tuple[str, str, str]:
    """Two gateways and a request between them."""
    one, two = make_transit(cloud), make_transit(other)
    return one, two, str(ask(cloud, one, two)["TransitGatewayAttachmentId"])


def joined(cloud: Cloud, other: Cloud) -> tuple[str, str, str]:
    one, two, key = asked(cloud, other)
    other.call("AcceptTransitGatewayPeeringAttachment", TransitGatewayAttachmentId=key)
    settle(cloud)
    return one, two, key


def state(cloud: Cloud, key: str) -> str:
    (shape,) = cloud.call(
        "DescribeTransitGatewayPeeringAttachments", TransitGatewayAttachmentIds=[key]
    )["TransitGatewayPeeringAttachments"]
    assert shape["Status"]["Code"] == shape["State"]
    return str(shape["State"])


def test_a_request_is_accepted(cloud: Cloud, other: Cloud) -> None:
    one, two = make_transit(cloud), make_transit(other)
    named = [{"ResourceType": "transit-gateway-attachment", "Tags": [{"Key": "a", "Value": "b"}]}]
    shape = ask(cloud, one, two, TagSpecifications=named)
    key = shape["TransitGatewayAttachmentId"]
    assert shape["State"] == "initiatingRequest"
    assert shape["RequesterTgwInfo"] == {
        "TransitGatewayId": one,
        "OwnerId": cloud.account,
        "Region": cloud.region,
    }
    assert shape["AccepterTgwInfo"] == {"TransitGatewayId": two, "OwnerId": OTHER, "Region": FAR}
    assert "Options" not in shape
    assert shape["Tags"] == [{"Key": "a", "Value": "b"}]
    assert (state(cloud, key), state(other, key)) == ("pendingAcceptance",) * 2
    call = "AcceptTransitGatewayPeeringAttachment"
    answer = other.call(call, TransitGatewayAttachmentId=key)["TransitGatewayPeeringAttachment"]
    assert answer["State"] == "pending"
    settle(cloud)
    assert (state(cloud, key), state(other, key)) == ("available",) * 2
    # at each end it is associated with the default table
    for side, gateway in ((cloud, one), (other, two)):
        table = default_table(side, gateway)
        listed = side.call(
            "GetTransitGatewayRouteTableAssociations", TransitGatewayRouteTableId=table
        )["Associations"]
        assert listed == [
            {
                "TransitGatewayAttachmentId": key,
                "ResourceId": two if side is cloud else one,
                "ResourceType": "peering",
                "State": "associated",
            }
        ]
        (shown,) = side.call("DescribeTransitGatewayAttachments")["TransitGatewayAttachments"]
        assert (shown["ResourceType"], shown["State"]) == ("peering", "available")
        assert side.call("DescribeTransitGatewayVpcAttachments")[
            "TransitGatewayVpcAttachments"
        ] == []  # fmt: skip


def test_who_may_answer(cloud: Cloud, other: Cloud) -> None:
    _, _, key = asked(cloud, other)
    third = Cloud(account="333333333333", region=FAR)
    third.store, third.dispatch, third.compiler = cloud.store, cloud.dispatch, cloud.compiler
    where = {"TransitGatewayAttachmentId": key}
    for verb in ("Accept", "Reject"):
        call = f"{verb}TransitGatewayPeeringAttachment"
        assert cloud.error(call, **where).code == "OperationNotPermitted"
        assert third.error(call, **where).code == "InvalidTransitGatewayAttachmentID.NotFound"
    answer = other.call("RejectTransitGatewayPeeringAttachment", **where)
    assert answer["TransitGatewayPeeringAttachment"]["State"] == "rejected"
    for side in (cloud, other):
        error = side.error("DeleteTransitGatewayPeeringAttachment", **where)
        assert error.code == "IncorrectState"
    assert other.error("AcceptTransitGatewayPeeringAttachment", **where).code == "IncorrectState"


def test_what_cannot_be_asked_for(cloud: Cloud, other: Cloud) -> None:
    one, two, _ = asked(cloud, other)
    error = cloud.error(
        "CreateTransitGatewayPeeringAttachment",
        TransitGatewayId=one, PeerTransitGatewayId=two, PeerAccountId=OTHER, PeerRegion=FAR,
    )  # fmt: skip
    assert error.code == "DuplicateTransitGatewayAttachment"
    error = cloud.error(
        "CreateTransitGatewayPeeringAttachment",
        TransitGatewayId=one, PeerTransitGatewayId=one, PeerAccountId=cloud.account,
        PeerRegion=cloud.region,
    )  # fmt: skip
    assert error.code == "InvalidParameterValue"
    gone = ask(cloud, one, "tgw-0123456789abcdef0")
    listing = "DescribeTransitGatewayPeeringAttachments"
    error = cloud.error(listing, TransitGatewayAttachmentIds=["tgw-attach-0123456789abcdef0"])
    assert error.code == "InvalidTransitGatewayAttachmentID.NotFound"
    assert (gone["State"], state(cloud, gone["TransitGatewayAttachmentId"])) == ("failed",) * 2


def test_the_quota(cloud: Cloud, other: Cloud) -> None:
    one = make_transit(cloud)
    two = make_transit(other)
    ask(cloud, one, two)
    (row,) = (each for each in cloud.store.view.rows.values() if getattr(each, "peer", None))

    def fill(txn: Any) -> None:
        for number in range(1, MAX_PER_GATEWAY):
            txn.put(replace(row, id=f"tgw-attach-{number:017x}"))

    cloud.system(fill)
    error = cloud.error(
        "CreateTransitGatewayPeeringAttachment",
        TransitGatewayId=one, PeerTransitGatewayId="tgw-0123456789abcdef0", PeerAccountId=OTHER,
        PeerRegion=FAR,
    )  # fmt: skip
    assert error.code == "TransitGatewayAttachmentLimitExceeded"


def test_only_static_routes(cloud: Cloud, other: Cloud) -> None:
    one, two, key = joined(cloud, other)
    for side, gateway, far in ((cloud, one, two), (other, two, one)):
        table = {"TransitGatewayRouteTableId": default_table(side, gateway)}
        pair = table | {"TransitGatewayAttachmentId": key}
        error = side.error("EnableTransitGatewayRouteTablePropagation", **pair)
        assert error.code == "InvalidParameterValue"
        made = side.call("CreateTransitGatewayRoute", **pair, DestinationCidrBlock="10.9.0.0/16")
        assert made["Route"]["TransitGatewayAttachments"] == [
            {"TransitGatewayAttachmentId": key, "ResourceType": "peering", "ResourceId": far}
        ]
        assert found(side, table["TransitGatewayRouteTableId"]) == {
            "10.9.0.0/16": f"static active {key}"
        }
    # another table at one end alone
    table_ = new_table(other, two)
    where = {"TransitGatewayAttachmentId": key}
    old = default_table(other, two)
    assert other.error(
        "AssociateTransitGatewayRouteTable", TransitGatewayRouteTableId=table_, **where
    ).code == "Resource.AlreadyAssociated"  # fmt: skip
    other.call("DisassociateTransitGatewayRouteTable", TransitGatewayRouteTableId=old, **where)
    settle(other)
    other.call("AssociateTransitGatewayRouteTable", TransitGatewayRouteTableId=table_, **where)
    settle(other)
    shown = cloud.call(
        "GetTransitGatewayRouteTableAssociations",
        TransitGatewayRouteTableId=default_table(cloud, one),
    )["Associations"]
    assert [each["TransitGatewayAttachmentId"] for each in shown] == [key]
    call = "DeleteTransitGatewayRouteTable"
    assert other.error(call, TransitGatewayRouteTableId=table_).code == "IncorrectState"


def test_an_end(cloud: Cloud, other: Cloud) -> None:
    one, two, key = joined(cloud, other)
    table = default_table(cloud, one)
    where = {"TransitGatewayAttachmentId": key}
    cloud.call("CreateTransitGatewayRoute", TransitGatewayRouteTableId=table,
               DestinationCidrBlock="10.9.0.0/16", **where)  # fmt: skip
    for side, gateway in ((cloud, one), (other, two)):
        error = side.error("DeleteTransitGateway", TransitGatewayId=gateway)
        assert error.code == "IncorrectState"
        call = "DeleteTransitGatewayVpcAttachment"
        assert side.error(call, **where).code == "InvalidTransitGatewayAttachmentID.NotFound"
    changed = other.call(
        "ModifyTransitGatewayPeeringAttachment", **where, Options={"AllowMultipathResilience": True}
    )["TransitGatewayPeeringAttachment"]
    assert changed["Options"]["AccepterAllowMultipathResilience"] is True
    assert "RequesterAllowMultipathResilience" not in changed["Options"]
    settle(cloud)
    other.call("DeleteTransitGatewayPeeringAttachment", **where)
    assert found(cloud, table) == {"10.9.0.0/16": f"static blackhole {key}"}
    assert [each for each in cloud.program().statements if isinstance(each, TransitPeering)] == []
    settle(cloud)
    assert state(cloud, key) == "deleted"
    for side, gateway in ((cloud, one), (other, two)):
        side.call("DeleteTransitGateway", TransitGatewayId=gateway)


def test_packets_pass(cloud: Cloud, other: Cloud) -> None:
    """From a VPC of one account and region to one of another, and back."""
    one, two, key = joined(cloud, other)
    hosts = {}
    for side, gateway, cidr, far in (
        (cloud, one, "10.0.0.0/16", "10.1.0.0/16"),
        (other, two, "10.1.0.0/16", "10.0.0.0/16"),
    ):
        vpc = make_vpc(side, cidr)
        subnet = make_subnet(side, vpc, cidr.replace("0.0/16", "1.0/24"))
        attach(side, gateway, vpc, subnet)
        side.call("CreateRoute", RouteTableId=main_of(side, vpc)["RouteTableId"],
                  DestinationCidrBlock=far, TransitGatewayId=gateway)  # fmt: skip
        side.call("CreateTransitGatewayRoute", DestinationCidrBlock=far,
                  TransitGatewayRouteTableId=default_table(side, gateway),
                  TransitGatewayAttachmentId=key)  # fmt: skip
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
        group = default_group(side, vpc)["GroupId"]
        side.call("AuthorizeSecurityGroupIngress", GroupId=group,
                  IpPermissions=[rule | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])  # fmt: skip
        made = side.call("RunInstances", ImageId=image(side), InstanceType="t3.micro", MinCount=1,
                         MaxCount=1, SubnetId=subnet)["Instances"][0]  # fmt: skip
        hosts[side.account] = made["InstanceId"], made["PrivateIpAddress"]
    (here, mine), (there, theirs) = hosts[cloud.account], hosts[OTHER]
    statements = cloud.program().statements
    network = Network(statements)
    start, end = network.primary(here), network.primary(there)
    assert start is not None
    assert end is not None
    answer = explain(network, start, Packet(mine, theirs, TCP, 40000, 80))
    assert answer.works
    told = [(each.place, each.said) for each in answer.forth.steps if each.kind == "transit-route"]
    assert [place for place, _ in told] == [one, two]
    assert told[0][1].endswith(key)
    kinds = [each.kind for each in devices(network, here, Packet(mine, theirs, TCP), answer.forth)]
    assert kinds.count("transit gateway") == 2
    reach = Reach(statements)
    ends = reach.node(start.id), reach.node(end.id)
    assert reach.point(*ends, TCP, 80).works
    assert ends[0] in reach.sources(ends[1], TCP, 80)
    assert ends[1] in reach.targets(ends[0], TCP, 80)
    vpcs = [each.segment.router for each in (start, end)]
    assert shared(cloud.store.view, *vpcs) == one
    assert attached_with(cloud.store.view, vpcs[1]) == {vpcs[0]}
    # without an association there, nothing comes through
    where = {"TransitGatewayRouteTableId": default_table(other, two)}
    other.call("DisassociateTransitGatewayRouteTable", **where, TransitGatewayAttachmentId=key)
    network = Network(cloud.program().statements)
    answer = explain(network, start, Packet(mine, theirs, TCP, 40000, 80))
    (block,) = answer.forth.blocks()
    assert (block.code, block.place) == (Code.TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION, two)
