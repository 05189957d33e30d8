"""Shared transit gateways: who attaches, who accepts, who may change what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gureum.iam.caller import Caller, root
from gureum.kind import Shape
from gureum.program import Attachment, AttachmentTable
from gureum.server.ram_api import RamApi
from gureum.wire import Request
from tests.conftest import Cloud
from tests.resources.building import make_subnet, make_vpc, settle
from tests.resources.routing import make_table, routes
from tests.resources.transit import (
    attach,
    attachment,
    default_table,
    found,
    make_transit,
    new_table,
)

OTHER = "210987654321"


@dataclass
class Two:
    """The owner of a gateway, and the account that it is shared with and that has a VPC."""

    own: Cloud
    other: Cloud
    gateway: str
    vpc: str
    subnet: str
    share: str

    def attach(self) -> str:
        return attach(self.other, self.gateway, self.vpc, self.subnet)

    def answer(self, how: str, key: str) -> dict[str, Any]:
        """Accept or reject an attachment; the state that the answer tells."""
        told = self.own.call(f"{how}TransitGatewayVpcAttachment", TransitGatewayAttachmentId=key)
        settle(self.own)
        shown: dict[str, Any] = told["TransitGatewayVpcAttachment"]
        return shown

    def accepted(self) -> str:
        key = self.attach()
        self.answer("Accept", key)
        return key


def ram(cloud: Cloud, action: str, **params: Any) -> Shape:
    who = Caller(root(cloud.account), cloud.region)
    return RamApi(cloud.store, lambda: cloud.now)(Request("ram", "", action, params), who)


def shared(cloud: Cloud, **options: Any) -> Two:
    other = Cloud(account=OTHER)
    other.store, other.dispatch, other.compiler = cloud.store, cloud.dispatch, cloud.compiler
    gateway = make_transit(cloud, **options)
    arn = f"arn:aws:ec2:{cloud.region}:{cloud.account}:transit-gateway/{gateway}"
    made = ram(cloud, "CreateResourceShare", name="hub", resourceArns=[arn], principals=[OTHER])
    share = made["resourceShare"]["resourceShareArn"]
    (asked,) = ram(other, "GetResourceShareInvitations")["resourceShareInvitations"]
    key = asked["resourceShareInvitationArn"]
    ram(other, "AcceptResourceShareInvitation", resourceShareInvitationArn=key)
    vpc = make_vpc(other, "10.1.0.0/16")
    return Two(cloud, other, gateway, vpc, make_subnet(other, vpc, "10.1.1.0/24"), share)


@pytest.fixture
def two(cloud: Cloud) -> Two:
    return shared(cloud)


def linked(two: Two, key: str) -> set[str]:
    """Which statements there are about an attachment."""
    return {
        type(each).__name__
        for each in two.own.compiler.statements()
        if (isinstance(each, Attachment) and each.id == key)
        or (isinstance(each, AttachmentTable) and each.attachment == key)
    }


def test_the_other_account_sees_the_gateway_as_the_owners(two: Two) -> None:
    tags = [{"Key": "secret", "Value": "plan"}]
    two.own.call("CreateTags", Resources=[two.gateway], Tags=tags)
    (whole,) = two.own.call("DescribeTransitGateways")["TransitGateways"]
    (shown,) = two.other.call("DescribeTransitGateways")["TransitGateways"]
    assert shown == {**whole, "Tags": []}
    assert shown["OwnerId"] == two.own.account


def test_its_tables_and_itself_are_the_owners(two: Two) -> None:
    table = default_table(two.own, two.gateway)
    assert two.other.call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"] == []
    for action, params in (
        ("ModifyTransitGateway", {"TransitGatewayId": two.gateway}),
        ("DeleteTransitGateway", {"TransitGatewayId": two.gateway}),
        ("CreateTransitGatewayRouteTable", {"TransitGatewayId": two.gateway}),
    ):
        error = two.other.error(action, **params)
        assert error.code == "InvalidTransitGatewayID.NotFound"
    key = two.accepted()
    pair = {"TransitGatewayRouteTableId": table, "TransitGatewayAttachmentId": key}
    for action in (
        "DisassociateTransitGatewayRouteTable",
        "DisableTransitGatewayRouteTablePropagation",
    ):
        assert two.other.error(action, **pair).code == "InvalidRouteTableID.NotFound"


def test_an_attachment_waits_for_the_owner(two: Two) -> None:
    key = two.attach()
    assert attachment(two.other, key)["State"] == "pendingAcceptance"
    assert "Association" not in attachment(two.other, key)
    assert linked(two, key) == set()
    table = make_table(two.other, two.vpc)
    to = {"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/8"}
    error = two.other.error("CreateRoute", **to, TransitGatewayId=two.gateway)
    assert error.code == "InvalidTransitGatewayID.NotFound", "not attached yet"
    assert attachment(two.own, key)["ResourceOwnerId"] == OTHER
    assert attachment(two.own, key)["TransitGatewayOwnerId"] == two.own.account

    error = two.other.error("AcceptTransitGatewayVpcAttachment", TransitGatewayAttachmentId=key)
    assert error.code == "OperationNotPermitted"
    told = two.answer("Accept", key)
    assert (told["State"], told["VpcOwnerId"]) == ("pending", OTHER)
    shown = attachment(two.other, key)
    hub = default_table(two.own, two.gateway)
    assert shown["State"] == "available"
    assert shown["Association"] == {"TransitGatewayRouteTableId": hub, "State": "associated"}
    assert linked(two, key) == {"Attachment", "AttachmentTable"}
    assert found(two.own, hub) == {"10.1.0.0/16": f"propagated active {key}"}
    two.other.call("CreateRoute", **to, TransitGatewayId=two.gateway)
    assert routes(two.other, table)["10.0.0.0/8"] == f"{two.gateway} active"
    for how in ("Accept", "Reject"):
        error = two.own.error(f"{how}TransitGatewayVpcAttachment", TransitGatewayAttachmentId=key)
        assert error.code == "IncorrectState"


def test_a_gateway_may_accept_unasked(cloud: Cloud) -> None:
    two = shared(cloud, AutoAcceptSharedAttachments="enable")
    key = two.attach()
    assert attachment(two.own, key)["State"] == "available"
    assert linked(two, key) == {"Attachment", "AttachmentTable"}


def test_who_is_rejected_has_nothing_left(two: Two) -> None:
    key = two.attach()
    assert len(two.other.call("DescribeNetworkInterfaces")["NetworkInterfaces"]) == 1
    assert two.answer("Reject", key)["State"] == "rejecting"
    assert attachment(two.other, key)["State"] == "rejected"
    assert two.other.call("DescribeNetworkInterfaces")["NetworkInterfaces"] == []
    error = two.other.error("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=key)
    assert error.code == "IncorrectState"
    assert two.attach() != key, "and may ask again"


def test_the_owner_routes_for_the_other(two: Two) -> None:
    key, table = two.accepted(), new_table(two.own, two.gateway)
    pair = {"TransitGatewayAttachmentId": key}
    hub = {"TransitGatewayRouteTableId": default_table(two.own, two.gateway)} | pair
    mine = {"TransitGatewayRouteTableId": table} | pair
    two.own.call("DisassociateTransitGatewayRouteTable", **hub)
    settle(two.own)
    two.own.call("AssociateTransitGatewayRouteTable", **mine)
    two.own.call("EnableTransitGatewayRouteTablePropagation", **mine)
    two.own.call("CreateTransitGatewayRoute", DestinationCidrBlock="0.0.0.0/0", **mine)
    settle(two.own)
    assert attachment(two.other, key)["Association"]["TransitGatewayRouteTableId"] == table
    assert found(two.own, table) == {
        "0.0.0.0/0": f"static active {key}",
        "10.1.0.0/16": f"propagated active {key}",
    }


def test_who_may_end_an_attachment(two: Two) -> None:
    for cloud in (two.own, two.other):
        key = two.accepted()
        error = two.own.error("DeleteTransitGateway", TransitGatewayId=two.gateway)
        assert error.code == "IncorrectState"
        options = {"ApplianceModeSupport": "enable"}
        modify = {"TransitGatewayAttachmentId": key, "Options": options}
        error = two.own.error("ModifyTransitGatewayVpcAttachment", **modify)
        assert error.code == "InvalidTransitGatewayAttachmentID.NotFound", "the VPC is another's"
        cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=key)
        settle(cloud)
        assert attachment(two.other, key)["State"] == "deleted"


def test_unsharing_leaves_what_is_attached(two: Two) -> None:
    """Amazon VPC Transit Gateways, "Unshare a transit gateway"."""
    key = two.accepted()
    ram(two.own, "DeleteResourceShare", resourceShareArn=two.share)
    assert two.other.call("DescribeTransitGateways")["TransitGateways"] == []
    assert attachment(two.other, key)["State"] == "available"
    assert linked(two, key) == {"Attachment", "AttachmentTable"}
    more = make_vpc(two.other, "10.2.0.0/16")
    error = two.other.error(
        "CreateTransitGatewayVpcAttachment",
        TransitGatewayId=two.gateway,
        VpcId=more,
        SubnetIds=[make_subnet(two.other, more, "10.2.1.0/24")],
    )
    assert error.code == "InvalidTransitGatewayID.NotFound"


def test_an_attachment_is_nobody_elses(two: Two) -> None:
    key = two.accepted()
    third = Cloud(account="333333333333")
    third.store, third.dispatch = two.own.store, two.own.dispatch
    for action in ("DeleteTransitGatewayVpcAttachment", "AcceptTransitGatewayVpcAttachment"):
        error = third.error(action, TransitGatewayAttachmentId=key)
        assert error.code == "InvalidTransitGatewayAttachmentID.NotFound"
    assert third.call("DescribeTransitGatewayAttachments")["TransitGatewayAttachments"] == []
