"""Transit gateways and their VPC attachments: life, options, quotas, who depends on whom."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Attachment, AttachmentTable, Foot, Route, Served, Transit
from gureum.resources.transit_gateway_api import MAX_GATEWAYS
from gureum.resources.transit_gateway_attachment import MAX_PER_VPC
from tests.conftest import Cloud
from tests.resources.building import make_subnet, make_vpc, only, said, settle
from tests.resources.routing import make_table, routes
from tests.resources.transit import (
    attach,
    attachment,
    default_table,
    found,
    gateway,
    make_star,
    make_transit,
    new_table,
)

NOWHERE = "tgw-00000000000000001"


def test_a_gateway_comes_with_a_default_table(cloud: Cloud) -> None:
    tags = [{"Key": "Name", "Value": "core"}]
    made = cloud.call(
        "CreateTransitGateway",
        Description="core",
        TagSpecifications=[{"ResourceType": "transit-gateway", "Tags": tags}],
    )["TransitGateway"]
    key, table = made["TransitGatewayId"], made["Options"]["AssociationDefaultRouteTableId"]
    assert made["State"] == "pending"
    assert made["TransitGatewayArn"] == (
        f"arn:aws:ec2:ap-northeast-2:123456789012:transit-gateway/{key}"
    )
    assert made["Options"] == {
        "AmazonSideAsn": 64512,
        "AutoAcceptSharedAttachments": "disable",
        "DefaultRouteTableAssociation": "enable",
        "AssociationDefaultRouteTableId": table,
        "DefaultRouteTablePropagation": "enable",
        "PropagationDefaultRouteTableId": table,
        "VpnEcmpSupport": "enable",
        "DnsSupport": "enable",
        "SecurityGroupReferencingSupport": "disable",
        "MulticastSupport": "disable",
    }
    settle(cloud)
    assert (gateway(cloud, key)["State"], gateway(cloud, key)["Tags"]) == ("available", tags)
    (shown,) = cloud.call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"]
    assert shown["DefaultAssociationRouteTable"]
    assert shown["DefaultPropagationRouteTable"]
    assert (shown["TransitGatewayRouteTableId"], shown["State"]) == (table, "available")
    assert not shown.get("Tags"), "tags of the gateway are not the table's"


def test_without_defaults_there_is_no_table(cloud: Cloud) -> None:
    key = make_transit(
        cloud, DefaultRouteTableAssociation="disable", DefaultRouteTablePropagation="disable"
    )
    assert cloud.call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"] == []
    table = new_table(cloud, key)
    change: dict[str, Any] = {"DefaultRouteTableAssociation": "enable"}
    error = cloud.error("ModifyTransitGateway", TransitGatewayId=key, Options=change)
    assert error.code == "InvalidParameterCombination"
    change["AssociationDefaultRouteTableId"] = table
    answer = cloud.call("ModifyTransitGateway", TransitGatewayId=key, Options=change)
    assert answer["TransitGateway"]["State"] == "modifying"
    settle(cloud)
    assert gateway(cloud, key)["State"] == "available"
    assert default_table(cloud, key) == table
    vpc = make_vpc(cloud)
    joined = attach(cloud, key, vpc, make_subnet(cloud, vpc))
    assert attachment(cloud, joined)["Association"] == {
        "TransitGatewayRouteTableId": table,
        "State": "associated",
    }
    assert found(cloud, table) == {}, "it is no table to which attachments propagate"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"AmazonSideAsn": 65535}, "InvalidParameterValue"),
        ({"DnsSupport": "yes"}, "InvalidParameterValue"),
        ({"MulticastSupport": "on"}, "InvalidParameterValue"),
        ({"TransitGatewayCidrBlocks": ["10.0.0.0/25"]}, "InvalidParameterValue"),
    ],
)
def test_options_that_are_refused(cloud: Cloud, options: dict[str, Any], code: str) -> None:
    assert cloud.error("CreateTransitGateway", Options=options).code == code
    assert cloud.call("DescribeTransitGateways")["TransitGateways"] == []


def test_an_attachment_has_an_interface_in_each_zone(cloud: Cloud) -> None:
    key, vpc = make_transit(cloud), make_vpc(cloud)
    one = make_subnet(cloud, vpc, AvailabilityZone="ap-northeast-2a")
    two = make_subnet(cloud, vpc, "10.0.2.0/24", AvailabilityZone="ap-northeast-2b")
    twin = make_subnet(cloud, vpc, "10.0.3.0/24", AvailabilityZone="ap-northeast-2a")
    where = {"TransitGatewayId": key, "VpcId": vpc}
    error = cloud.error("CreateTransitGatewayVpcAttachment", **where, SubnetIds=[one, twin])
    assert (error.code, error.message) == (
        "DuplicateSubnetsInSameZone",
        "Duplicate Subnets for same AZ",
    )
    joined = attach(cloud, key, vpc, one, Ipv6Support="enable")
    shown = vpc_attachment(cloud, joined)
    assert (shown["State"], shown["SubnetIds"]) == ("available", [one])
    assert shown["Options"] == {
        "DnsSupport": "enable",
        "SecurityGroupReferencingSupport": "enable",
        "Ipv6Support": "enable",
        "ApplianceModeSupport": "disable",
    }
    (eni,) = interfaces(cloud)
    assert (eni["SubnetId"], eni["RequesterManaged"]) == (one, True)
    assert eni["Description"] == f"Network Interface for Transit Gateway Attachment {joined}"
    refused = cloud.error("DeleteSubnet", SubnetId=one)
    assert refused.code == "DependencyViolation"
    change = {"TransitGatewayAttachmentId": joined}
    cloud.call(
        "ModifyTransitGatewayVpcAttachment", **change, AddSubnetIds=[two], RemoveSubnetIds=[one]
    )
    settle(cloud)
    assert vpc_attachment(cloud, joined)["SubnetIds"] == [two]
    assert [each["SubnetId"] for each in interfaces(cloud)] == [two]
    error = cloud.error("ModifyTransitGatewayVpcAttachment", **change, RemoveSubnetIds=[two])
    assert error.code == "InvalidParameterValue"
    error = cloud.error("ModifyTransitGatewayVpcAttachment", **change, RemoveSubnetIds=[one])
    assert error.code == "InvalidParameterValue"
    cloud.call("DeleteSubnet", SubnetId=one)


def vpc_attachment(cloud: Cloud, key: str) -> dict[str, Any]:
    answer = cloud.call("DescribeTransitGatewayVpcAttachments", TransitGatewayAttachmentIds=[key])
    shape: dict[str, Any] = answer["TransitGatewayVpcAttachments"][0]
    return shape


def interfaces(cloud: Cloud) -> list[dict[str, Any]]:
    filters = only({"interface-type": "transit_gateway"})
    shapes: list[dict[str, Any]] = cloud.call("DescribeNetworkInterfaces", Filters=filters)[
        "NetworkInterfaces"
    ]
    return shapes


def test_a_vpc_is_attached_once(cloud: Cloud) -> None:
    star = make_star(cloud)
    error = cloud.error(
        "CreateTransitGatewayVpcAttachment",
        TransitGatewayId=star.gateway,
        VpcId=star.vpcs[0],
        SubnetIds=[star.subnets[0]],
    )
    assert (error.code, error.message) == (
        "DuplicateTransitGatewayAttachment",
        f"{star.gateway} has non-deleted Transit Gateway Attachments with same VPC ID.",
    )
    foreign = cloud.error(
        "CreateTransitGatewayVpcAttachment",
        TransitGatewayId=make_transit(cloud),
        VpcId=star.vpcs[0],
        SubnetIds=[star.subnets[1]],
    )
    assert foreign.code == "InvalidParameterValue"


def test_a_gateway_that_is_pending_takes_no_attachment(cloud: Cloud) -> None:
    key = cloud.call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]
    vpc = make_vpc(cloud)
    where = {"VpcId": vpc, "SubnetIds": [make_subnet(cloud, vpc)]}
    error = cloud.error("CreateTransitGatewayVpcAttachment", TransitGatewayId=key, **where)
    assert (error.code, error.message) == ("IncorrectState", f"{key} is in invalid state")
    gone = cloud.error("CreateTransitGatewayVpcAttachment", TransitGatewayId=NOWHERE, **where)
    assert (gone.code, gone.message) == (
        "InvalidTransitGatewayID.NotFound",
        f"Transit Gateway {NOWHERE} was deleted or does not exist.",
    )


def test_life_ends_in_the_order_of_dependence(cloud: Cloud) -> None:
    star = make_star(cloud)
    one, two = sorted(star.attachments)  # made in one moment, so listed by their ids
    error = cloud.error("DeleteTransitGateway", TransitGatewayId=star.gateway)
    assert (error.code, error.message) == (
        "IncorrectState",
        f"{star.gateway} has non-deleted VPC Attachments: {one}, {two}.",
    )
    for key in star.attachments:
        answer = cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=key)
        assert answer["TransitGatewayVpcAttachment"]["State"] == "deleting"
    still = cloud.error("DeleteTransitGateway", TransitGatewayId=star.gateway)
    assert still.code == "IncorrectState"
    settle(cloud)
    assert attachment(cloud, one)["State"] == "deleted"
    assert interfaces(cloud) == []
    cloud.call("DeleteSubnet", SubnetId=star.subnets[0])
    cloud.call("DeleteVpc", VpcId=star.vpcs[0])
    answer = cloud.call("DeleteTransitGateway", TransitGatewayId=star.gateway)
    assert answer["TransitGateway"]["State"] == "deleting"
    settle(cloud)
    assert gateway(cloud, star.gateway)["State"] == "deleted"
    assert cloud.error("DeleteTransitGateway", TransitGatewayId=star.gateway).code == (
        "InvalidTransitGatewayID.NotFound"
    )
    cloud.now = "2026-11-24T09:00:00.000Z"
    forget(cloud)
    for action, result in (
        ("DescribeTransitGateways", "TransitGateways"),
        ("DescribeTransitGatewayAttachments", "TransitGatewayAttachments"),
        ("DescribeTransitGatewayRouteTables", "TransitGatewayRouteTables"),
    ):
        assert cloud.call(action)[result] == []


def forget(cloud: Cloud) -> None:
    """What the reconciler does now and then."""
    for row in list(cloud.store.view.rows.values()):
        kind = cloud.dispatch.registry.by_row.get(type(row))
        if kind is not None and kind.expired is not None:
            cloud.system(kind.expired, row, cloud.now)


def test_in_one_account_there_is_nothing_to_accept(cloud: Cloud) -> None:
    key = make_star(cloud).attachments[0]
    for action in ("AcceptTransitGatewayVpcAttachment", "RejectTransitGatewayVpcAttachment"):
        error = cloud.error(action, TransitGatewayAttachmentId=key)
        assert (error.code, error.message) == ("IncorrectState", f"{key} is in invalid state")


def test_quotas(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    keys = [make_transit(cloud) for _ in range(MAX_GATEWAYS)]
    assert cloud.error("CreateTransitGateway").code == "TransitGatewayLimitExceeded"
    for key in keys[:MAX_PER_VPC]:
        attach(cloud, key, vpc, subnet)
    assert MAX_PER_VPC == MAX_GATEWAYS, "else the quota of the VPC is to be tested here"


def test_what_the_network_is_told(cloud: Cloud) -> None:
    star = make_star(cloud)
    one, two = star.attachments
    names = {star.gateway: "tgw", star.table: "tgw-rtb", one: "att-1", two: "att-2"}
    names |= dict(zip((*star.vpcs, *star.subnets), ("vpc-1", "vpc-2", "s1", "s2"), strict=True))
    mine = [{"Name": "vpc-id", "Values": [star.vpcs[0]]}]
    (main,) = cloud.call("DescribeRouteTables", Filters=mine)["RouteTables"]
    (acl,) = cloud.call("DescribeNetworkAcls", Filters=mine)["NetworkAcls"]
    names |= {main["RouteTableId"]: "rtb", acl["NetworkAclId"]: "acl"}
    kinds = (Transit, Attachment, AttachmentTable, Route, Served, Foot)
    zone = "ap-northeast-2a"
    feet = f"feet=[[{zone} MAC]] ipv6=False appliance=False"

    def told(*mentioned: str) -> list[str]:
        lines = said(cloud, names, *kinds).splitlines()
        found = (line.partition("  # ")[0] for line in lines)
        return [line for line in found if any(each in line for each in mentioned)]

    assert told("Transit ", "Attachment ") == [
        f"Attachment id=att-1 transit=tgw router=vpc-1 {feet}",
        f"Attachment id=att-2 transit=tgw router=vpc-2 {feet}",
        "Transit id=tgw",
    ]
    assert told("AttachmentTable", "table=tgw-rtb") == [
        "AttachmentTable attachment=att-1 table=tgw-rtb",
        "AttachmentTable attachment=att-2 table=tgw-rtb",
        "Route table=tgw-rtb destination=10.0.0.0/16 target=ViaAttachment(att-1,vpc-1)",
        "Route table=tgw-rtb destination=10.1.0.0/16 target=ViaAttachment(att-2,vpc-2)",
    ]
    assert told("Served") == [
        f"Served attachment=att-1 segment=s1 zone={zone}",
        f"Served attachment=att-2 segment=s2 zone={zone}",
    ]
    at, filters = f"zone={zone} segment=s1 mac=MAC table=rtb", "filter_in=acl/in filter_out=acl/out"
    assert told("Foot attachment=att-1") == [f"Foot attachment=att-1 {at} {filters}"]
    table = make_table(cloud, star.vpcs[0])
    where = {"RouteTableId": table, "DestinationCidrBlock": "10.1.0.0/16"}
    cloud.call("CreateRoute", **where, TransitGatewayId=star.gateway)
    route = f"Route table={table} destination=10.1.0.0/16 target="
    assert told(route) == [f"{route}ViaTransit(tgw,att-1)"]
    cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=one)
    assert told(route) == [f"{route}Blackhole(tgw)"]
    assert told("att-1") == []
    settle(cloud)
    cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=two)
    settle(cloud)
    cloud.call("DeleteTransitGateway", TransitGatewayId=star.gateway)
    assert told("Transit ", "Attachment", "table=tgw-rtb", "Served") == []


def test_a_vpc_routes_to_a_gateway_that_it_is_attached_to(cloud: Cloud) -> None:
    star = make_star(cloud)
    table = make_table(cloud, star.vpcs[0])
    where = {"RouteTableId": table, "DestinationCidrBlock": "10.1.0.0/16"}
    other = make_transit(cloud)
    error = cloud.error("CreateRoute", **where, TransitGatewayId=other)
    assert (error.code, error.message) == (
        "InvalidTransitGatewayID.NotFound",
        f"The transitGateway ID '{other}' does not exist.",
    )
    cloud.call("CreateRoute", **where, TransitGatewayId=star.gateway)
    assert routes(cloud, table)["10.1.0.0/16"] == f"{star.gateway} active"
    cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=star.attachments[0])
    assert routes(cloud, table)["10.1.0.0/16"] == f"{star.gateway} blackhole"
