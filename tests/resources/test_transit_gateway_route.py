"""Route tables of transit gateways: associations, propagation, static routes, prefix lists."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.resources.transit_gateway_table import MAX_TABLES
from tests.conftest import Cloud
from tests.resources.building import make_subnet, make_vpc, settle
from tests.resources.transit import (
    attach,
    attachment,
    found,
    make_star,
    make_transit,
    new_table,
)


def pair(table: str, key: str) -> dict[str, str]:
    return {"TransitGatewayRouteTableId": table, "TransitGatewayAttachmentId": key}


def associations(cloud: Cloud, table: str) -> dict[str, str]:
    answer = cloud.call("GetTransitGatewayRouteTableAssociations", TransitGatewayRouteTableId=table)
    return {each["TransitGatewayAttachmentId"]: each["State"] for each in answer["Associations"]}


# --- associations -------------------------------------------------------------------------------
def test_an_attachment_is_associated_with_one_table(cloud: Cloud) -> None:
    star = make_star(cloud)
    one, two = star.attachments
    assert associations(cloud, star.table) == {one: "associated", two: "associated"}
    table = new_table(cloud, star.gateway)
    error = cloud.error("AssociateTransitGatewayRouteTable", **pair(table, one))
    assert (error.code, error.message) == (
        "Resource.AlreadyAssociated",
        f"Transit Gateway Attachment {one} is already associated to a route table.",
    )
    answer = cloud.call("DisassociateTransitGatewayRouteTable", **pair(star.table, one))
    assert answer["Association"]["State"] == "disassociating"
    settle(cloud)
    assert associations(cloud, star.table) == {two: "associated"}
    assert "Association" not in attachment(cloud, one)
    answer = cloud.call("AssociateTransitGatewayRouteTable", **pair(table, one))
    assert answer["Association"] == {
        **pair(table, one),
        "ResourceId": star.vpcs[0],
        "ResourceType": "vpc",
        "State": "associating",
    }
    settle(cloud)
    assert associations(cloud, table) == {one: "associated"}
    error = cloud.error("DisassociateTransitGatewayRouteTable", **pair(star.table, one))
    assert error.code == "InvalidAssociation.NotFound"


def test_a_table_that_is_needed_stays(cloud: Cloud) -> None:
    star = make_star(cloud)
    one, _ = star.attachments
    default = cloud.error("DeleteTransitGatewayRouteTable", TransitGatewayRouteTableId=star.table)
    assert default.code == "IncorrectState"
    table = new_table(cloud, star.gateway)
    cloud.call("DisassociateTransitGatewayRouteTable", **pair(star.table, one))
    settle(cloud)
    cloud.call("AssociateTransitGatewayRouteTable", **pair(table, one))
    settle(cloud)
    used = cloud.error("DeleteTransitGatewayRouteTable", TransitGatewayRouteTableId=table)
    assert used.code == "IncorrectState"
    cloud.call("DisassociateTransitGatewayRouteTable", **pair(table, one))
    cloud.call("EnableTransitGatewayRouteTablePropagation", **pair(table, one))
    settle(cloud)
    answer = cloud.call("DeleteTransitGatewayRouteTable", TransitGatewayRouteTableId=table)
    assert answer["TransitGatewayRouteTable"]["State"] == "deleting"
    settle(cloud)
    assert propagations_of(cloud, one) == {star.table: "enabled"}
    gone = cloud.error("AssociateTransitGatewayRouteTable", **pair(table, one))
    assert (gone.code, gone.message) == (
        "InvalidRouteTableID.NotFound",
        f"Transit Gateway Route Table {table} was deleted or does not exist.",
    )


def propagations_of(cloud: Cloud, key: str) -> dict[str, str]:
    answer = cloud.call("GetTransitGatewayAttachmentPropagations", TransitGatewayAttachmentId=key)
    return {
        each["TransitGatewayRouteTableId"]: each["State"]
        for each in answer["TransitGatewayAttachmentPropagations"]
    }


def test_the_quota_of_tables(cloud: Cloud) -> None:
    key = make_transit(cloud)
    for _ in range(MAX_TABLES - 1):
        cloud.call("CreateTransitGatewayRouteTable", TransitGatewayId=key)
    error = cloud.error("CreateTransitGatewayRouteTable", TransitGatewayId=key)
    assert error.code == "TransitGatewayRouteTableLimitExceeded"


# --- propagation --------------------------------------------------------------------------------
def test_propagated_routes_are_the_vpcs_blocks(cloud: Cloud) -> None:
    star = make_star(cloud)
    one, two = star.attachments
    assert found(cloud, star.table) == {
        "10.0.0.0/16": f"propagated active {one}",
        "10.1.0.0/16": f"propagated active {two}",
    }
    cloud.call("AssociateVpcCidrBlock", VpcId=star.vpcs[0], CidrBlock="10.9.0.0/16")
    assert found(cloud, star.table)["10.9.0.0/16"] == f"propagated active {one}"
    again = cloud.error("EnableTransitGatewayRouteTablePropagation", **pair(star.table, one))
    assert again.code == "TransitGatewayRouteTablePropagation.Duplicate"
    answer = cloud.call("DisableTransitGatewayRouteTablePropagation", **pair(star.table, one))
    assert answer["Propagation"]["State"] == "disabling"
    assert list(found(cloud, star.table)) == ["10.1.0.0/16"]
    settle(cloud)
    listed = cloud.call(
        "GetTransitGatewayRouteTablePropagations", TransitGatewayRouteTableId=star.table
    )["TransitGatewayRouteTablePropagations"]
    assert [each["TransitGatewayAttachmentId"] for each in listed] == [two]
    none = cloud.error("DisableTransitGatewayRouteTablePropagation", **pair(star.table, one))
    assert none.code == "TransitGatewayRouteTablePropagation.NotFound"
    cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=two)
    assert found(cloud, star.table) == {}


def test_of_two_vpcs_with_one_block_the_first_propagates(cloud: Cloud) -> None:
    star = make_star(cloud)
    twin = make_vpc(cloud)
    cloud.now = "2026-11-24T08:30:00.000Z"
    attach(cloud, star.gateway, twin, make_subnet(cloud, twin))
    assert found(cloud, star.table)["10.0.0.0/16"] == f"propagated active {star.attachments[0]}"


# --- static routes ------------------------------------------------------------------------------
def test_a_static_route_beats_a_propagated_one(cloud: Cloud) -> None:
    star = make_star(cloud)
    one, two = star.attachments
    where = {"TransitGatewayRouteTableId": star.table, "DestinationCidrBlock": "10.1.0.0/16"}
    made = cloud.call("CreateTransitGatewayRoute", **where, TransitGatewayAttachmentId=one)
    assert made["Route"] == {
        "DestinationCidrBlock": "10.1.0.0/16",
        "TransitGatewayAttachments": [
            {
                "ResourceId": star.vpcs[0],
                "TransitGatewayAttachmentId": one,
                "ResourceType": "vpc",
            }
        ],
        "Type": "static",
        "State": "active",
    }
    twice = cloud.error("CreateTransitGatewayRoute", **where, TransitGatewayAttachmentId=two)
    assert twice.code == "RouteAlreadyExists"
    cloud.call("ReplaceTransitGatewayRoute", **where, Blackhole=True)
    assert found(cloud, star.table)["10.1.0.0/16"] == "static blackhole"
    gone = cloud.call("DeleteTransitGatewayRoute", **where)
    assert gone["Route"]["State"] == "deleted"
    assert found(cloud, star.table)["10.1.0.0/16"] == f"propagated active {two}"
    for action in ("DeleteTransitGatewayRoute", "ReplaceTransitGatewayRoute"):
        more = {"Blackhole": True} if action.startswith("Replace") else {}
        assert cloud.error(action, **where, **more).code == "InvalidRoute.NotFound"


def test_a_route_to_a_deleted_attachment_is_a_blackhole(cloud: Cloud) -> None:
    star = make_star(cloud)
    two = star.attachments[1]
    where = {"TransitGatewayRouteTableId": star.table, "DestinationCidrBlock": "0.0.0.0/0"}
    cloud.call("CreateTransitGatewayRoute", **where, TransitGatewayAttachmentId=two)
    cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=two)
    settle(cloud)
    assert found(cloud, star.table)["0.0.0.0/0"] == f"static blackhole {two}"


def test_routes_that_are_refused(cloud: Cloud) -> None:
    star = make_star(cloud)
    other = make_star_of_one(cloud)
    where: dict[str, Any] = {
        "TransitGatewayRouteTableId": star.table,
        "DestinationCidrBlock": "10.7.0.0/16",
    }
    for more, code in (
        ({}, "MissingParameter"),
        (
            {"Blackhole": True, "TransitGatewayAttachmentId": star.attachments[0]},
            "InvalidParameterCombination",
        ),
        ({"TransitGatewayAttachmentId": other}, "InvalidParameterValue"),
        (
            {"TransitGatewayAttachmentId": "tgw-attach-00000000000000001"},
            "InvalidTransitGatewayAttachmentID.NotFound",
        ),
        ({"DestinationCidrBlock": "10.7.0.0", "Blackhole": True}, "InvalidParameterValue"),
    ):
        assert cloud.error("CreateTransitGatewayRoute", **(where | more)).code == code


def make_star_of_one(cloud: Cloud) -> str:
    vpc = make_vpc(cloud, "10.5.0.0/16")
    return attach(cloud, make_transit(cloud), vpc, make_subnet(cloud, vpc, "10.5.1.0/24"))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"type": "propagated"}, ["10.0.0.0/16", "10.1.0.0/16"]),
        ({"state": "blackhole"}, ["10.0.4.0/24"]),
        ({"route_search__exact_match": "10.0.0.0/16"}, ["10.0.0.0/16"]),
        ({"route_search__longest_prefix_match": "10.0.4.7/32"}, ["10.0.4.0/24"]),
        ({"route_search__longest_prefix_match": "10.2.0.1"}, ["0.0.0.0/0"]),
        ({"route_search__subnet_of_match": "10.0.0.0/15"}, None),
        ({"route_search__supernet_of_match": "10.0.4.0/25"}, "over"),
        ({"route_search__subnet_of_match": "10.0.0.0/16", "type": "static"}, ["10.0.4.0/24"]),
    ],
)
def test_searching(cloud: Cloud, filters: dict[str, str], expected: object) -> None:
    star = make_star(cloud)
    table = {"TransitGatewayRouteTableId": star.table}
    one = star.attachments[0]
    cloud.call(
        "CreateTransitGatewayRoute",
        **table,
        DestinationCidrBlock="0.0.0.0/0",
        TransitGatewayAttachmentId=one,
    )
    cloud.call(
        "CreateTransitGatewayRoute", **table, DestinationCidrBlock="10.0.4.0/24", Blackhole=True
    )
    if expected is None:
        expected = ["10.0.0.0/16", "10.0.4.0/24", "10.1.0.0/16"]
    elif expected == "over":
        expected = ["0.0.0.0/0", "10.0.0.0/16", "10.0.4.0/24"]
    assert list(found(cloud, star.table, **filters)) == expected


def test_a_search_for_no_block_is_refused(cloud: Cloud) -> None:
    star = make_star(cloud)
    filters = [{"Name": "route-search.exact-match", "Values": ["all"]}]
    error = cloud.error(
        "SearchTransitGatewayRoutes", TransitGatewayRouteTableId=star.table, Filters=filters
    )
    assert error.code == "InvalidParameterValue"


# --- prefix lists -------------------------------------------------------------------------------
def make_list(cloud: Cloud, *cidrs: str) -> str:
    answer = cloud.call(
        "CreateManagedPrefixList",
        PrefixListName="sites",
        AddressFamily="IPv4",
        MaxEntries=5,
        Entries=[{"Cidr": cidr} for cidr in cidrs],
    )
    return str(answer["PrefixList"]["PrefixListId"])


def test_a_reference_is_a_route_to_each_block(cloud: Cloud) -> None:
    star = make_star(cloud)
    one, two = star.attachments
    key = make_list(cloud, "10.1.0.0/16", "10.8.0.0/16")
    table = {"TransitGatewayRouteTableId": star.table}
    where = {**table, "PrefixListId": key}
    made = cloud.call(
        "CreateTransitGatewayPrefixListReference", **where, TransitGatewayAttachmentId=one
    )["TransitGatewayPrefixListReference"]
    assert made == {
        **where,
        "PrefixListOwnerId": "123456789012",
        "State": "pending",
        "Blackhole": False,
        "TransitGatewayAttachment": {
            "TransitGatewayAttachmentId": one,
            "ResourceType": "vpc",
            "ResourceId": star.vpcs[0],
        },
    }
    assert found(cloud, star.table, prefix_list_id=key) == {
        "10.1.0.0/16": f"static active {one}",
        "10.8.0.0/16": f"static active {one}",
    }
    cloud.call(
        "CreateTransitGatewayRoute",
        **table,
        DestinationCidrBlock="10.8.0.0/16",
        TransitGatewayAttachmentId=two,
    )
    assert found(cloud, star.table)["10.8.0.0/16"] == f"static active {two}"
    twice = cloud.error("CreateTransitGatewayPrefixListReference", **where, Blackhole=True)
    assert twice.code == "RouteAlreadyExists"
    cloud.call("ModifyTransitGatewayPrefixListReference", **where, Blackhole=True)
    assert found(cloud, star.table)["10.1.0.0/16"] == "static blackhole"
    assert cloud.error("DeleteManagedPrefixList", PrefixListId=key).code == "DependencyViolation"
    users = cloud.call("GetManagedPrefixListAssociations", PrefixListId=key)
    assert [each["ResourceId"] for each in users["PrefixListAssociations"]] == [star.table]
    (listed,) = cloud.call("GetTransitGatewayPrefixListReferences", **table)[
        "TransitGatewayPrefixListReferences"
    ]
    assert (listed["State"], listed["Blackhole"]) == ("available", True)
    assert "TransitGatewayAttachment" not in listed
    cloud.call("DeleteTransitGatewayPrefixListReference", **where)
    assert found(cloud, star.table)["10.1.0.0/16"] == f"propagated active {two}"
    gone = cloud.error("DeleteTransitGatewayPrefixListReference", **where)
    assert gone.code == "InvalidPrefixListId.NotFound"
    cloud.call("DeleteManagedPrefixList", PrefixListId=key)
