"""Route tables: their life, their associations, and what the network is told of them."""

from __future__ import annotations

import pytest

from gureum.program import Route, SegmentTable, Table
from gureum.resources.route_table import MAX_TABLES
from tests.conftest import Cloud
from tests.resources.building import (
    make_gateway,
    make_interface,
    make_subnet,
    make_vpc,
    plug_in,
    said,
)
from tests.resources.routing import main_of, make_table, refusal, routes, table, tables

ASSOCIATED = {"State": "associated"}


# --- tables -------------------------------------------------------------------------------------
def test_a_vpc_has_a_main_table_with_its_local_route(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    main = main_of(cloud, vpc)
    key = main["RouteTableId"]
    (association,) = main.pop("Associations")
    assert main == {
        "RouteTableId": key,
        "VpcId": vpc,
        "OwnerId": "123456789012",
        "PropagatingVgws": [],
        "Tags": [],
        "Routes": [
            {
                "DestinationCidrBlock": "10.0.0.0/16",
                "GatewayId": "local",
                "Origin": "CreateRouteTable",
                "State": "active",
            }
        ],
    }
    assert association.pop("RouteTableAssociationId").startswith("rtbassoc-")
    assert association == {"Main": True, "RouteTableId": key, "AssociationState": ASSOCIATED}


def test_the_default_vpc_leads_to_the_internet(cloud: Cloud) -> None:
    (vpc,) = cloud.call("DescribeVpcs")["Vpcs"]
    (gateway,) = cloud.call("DescribeInternetGateways")["InternetGateways"]
    assert routes(cloud, main_of(cloud, vpc["VpcId"])["RouteTableId"]) == {
        "172.31.0.0/16": "local active",
        "0.0.0.0/0": f"{gateway['InternetGatewayId']} active",
    }


def test_create(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tags = [{"Key": "Name", "Value": "external"}]
    answer = cloud.call(
        "CreateRouteTable",
        VpcId=vpc,
        ClientToken="t-1",
        TagSpecifications=[{"ResourceType": "route-table", "Tags": tags}],
    )
    assert answer["ClientToken"] == "t-1"
    shape = answer["RouteTable"]
    assert shape["Associations"] == []
    assert shape["Tags"] == tags
    assert table(cloud, shape["RouteTableId"]) == shape


def test_create_with_a_token_twice_makes_one(cloud: Cloud) -> None:
    vpc, other = make_vpc(cloud), make_vpc(cloud)
    first = make_table(cloud, vpc, ClientToken="t-1")
    assert make_table(cloud, vpc, ClientToken="t-1") == first
    assert len(tables(cloud, vpc_id=vpc)) == 2
    code, _ = refusal(cloud, "CreateRouteTable", VpcId=other, ClientToken="t-1")
    assert code == "IdempotentParameterMismatch"


def test_create_in_no_vpc(cloud: Cloud) -> None:
    code, _ = refusal(cloud, "CreateRouteTable", VpcId="vpc-00000000000000001")
    assert code == "InvalidVpcID.NotFound"


def test_a_dry_run_makes_none(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    code, _ = refusal(cloud, "CreateRouteTable", VpcId=vpc, DryRun=True)
    assert code == "DryRunOperation"
    assert len(tables(cloud, vpc_id=vpc)) == 1


def test_the_number_of_tables_is_limited(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    for _ in range(MAX_TABLES - 1):
        make_table(cloud, vpc)
    assert refusal(cloud, "CreateRouteTable", VpcId=vpc) == (
        "RouteTableLimitExceeded",
        "The maximum number of route tables has been reached.",
    )
    make_table(cloud, make_vpc(cloud))


def test_delete(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = make_table(cloud, vpc)
    cloud.call("DeleteRouteTable", RouteTableId=key)
    assert refusal(cloud, "DeleteRouteTable", RouteTableId=key) == (
        "InvalidRouteTableID.NotFound",
        f"The routeTable ID '{key}' does not exist",
    )
    cloud.call("DeleteVpc", VpcId=vpc)
    assert main_gone(cloud, vpc)


def main_gone(cloud: Cloud, vpc: str) -> bool:
    """Whether no table of the VPC is left."""
    return tables(cloud, vpc_id=vpc) == []


def test_a_malformed_id(cloud: Cloud) -> None:
    code, _ = refusal(cloud, "DeleteRouteTable", RouteTableId="vpc-00000000000000001")
    assert code == "InvalidRouteTableId.Malformed"


def test_delete_is_refused_to_main_and_associated_tables(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    main, key = main_of(cloud, vpc)["RouteTableId"], make_table(cloud, vpc)
    subnet = make_subnet(cloud, vpc)
    cloud.call("AssociateRouteTable", RouteTableId=key, SubnetId=subnet)
    for each in (main, key):
        assert refusal(cloud, "DeleteRouteTable", RouteTableId=each) == (
            "DependencyViolation",
            f"The routeTable '{each}' has dependencies and cannot be deleted.",
        )
    cloud.call("DeleteSubnet", SubnetId=subnet)
    cloud.call("DeleteRouteTable", RouteTableId=key)


def test_a_table_of_ones_own_keeps_the_vpc(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    make_table(cloud, vpc)
    assert refusal(cloud, "DeleteVpc", VpcId=vpc)[0] == "DependencyViolation"


# --- associations -------------------------------------------------------------------------------
def test_associate_and_disassociate(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, subnet = make_table(cloud, vpc), make_subnet(cloud, vpc)
    answer = cloud.call("AssociateRouteTable", RouteTableId=key, SubnetId=subnet)
    assert answer["AssociationState"] == ASSOCIATED
    association = answer["AssociationId"]
    assert table(cloud, key)["Associations"] == [
        {
            "Main": False,
            "RouteTableAssociationId": association,
            "RouteTableId": key,
            "SubnetId": subnet,
            "AssociationState": ASSOCIATED,
        }
    ]
    by_id = tables(cloud, association__route_table_association_id=association)
    by_subnet = tables(cloud, association__subnet_id=subnet)
    assert [item["RouteTableId"] for item in (*by_id, *by_subnet)] == [key, key]
    cloud.call("DisassociateRouteTable", AssociationId=association)
    assert table(cloud, key)["Associations"] == []
    assert refusal(cloud, "DisassociateRouteTable", AssociationId=association) == (
        "InvalidAssociationID.NotFound",
        f"The association ID '{association}' does not exist",
    )


def test_a_subnet_has_one_table(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    first, second = make_table(cloud, vpc), make_table(cloud, vpc)
    subnet = make_subnet(cloud, vpc)
    cloud.call("AssociateRouteTable", RouteTableId=first, SubnetId=subnet)
    assert refusal(cloud, "AssociateRouteTable", RouteTableId=second, SubnetId=subnet) == (
        "Resource.AlreadyAssociated",
        (
            f"the specified association for route table {second} conflicts with an existing "
            "association"
        ),
    )


def test_a_subnet_of_another_vpc(cloud: Cloud) -> None:
    key = make_table(cloud, make_vpc(cloud))
    subnet = make_subnet(cloud, make_vpc(cloud))
    assert refusal(cloud, "AssociateRouteTable", RouteTableId=key, SubnetId=subnet) == (
        "InvalidParameterValue",
        f"Route table {key} and subnet {subnet} belong to different networks",
    )


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"GatewayId": "igw-00000000000000001"}, "UnsupportedOperation"),
        ({"SubnetId": "subnet-00000000000000001"}, "InvalidSubnetID.NotFound"),
    ],
)
def test_associate_refusals(cloud: Cloud, params: dict[str, str], code: str) -> None:
    key = make_table(cloud, make_vpc(cloud))
    assert refusal(cloud, "AssociateRouteTable", RouteTableId=key, **params)[0] == code


def test_the_main_association_cannot_be_taken_away(cloud: Cloud) -> None:
    main = main_of(cloud, make_vpc(cloud))["Associations"][0]["RouteTableAssociationId"]
    assert refusal(cloud, "DisassociateRouteTable", AssociationId=main) == (
        "InvalidParameterValue",
        f"cannot disassociate the main route table association {main}",
    )


def test_replace_a_subnets_association(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    first, second = make_table(cloud, vpc), make_table(cloud, vpc)
    subnet = make_subnet(cloud, vpc)
    old = cloud.call("AssociateRouteTable", RouteTableId=first, SubnetId=subnet)["AssociationId"]
    answer = cloud.call("ReplaceRouteTableAssociation", AssociationId=old, RouteTableId=second)
    assert answer["AssociationState"] == ASSOCIATED
    new = answer["NewAssociationId"]
    assert new != old
    assert table(cloud, first)["Associations"] == []
    (item,) = table(cloud, second)["Associations"]
    assert (item["RouteTableAssociationId"], item["SubnetId"]) == (new, subnet)


def test_replace_the_main_association(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    old, new = main_of(cloud, vpc), make_table(cloud, vpc)
    association = old["Associations"][0]["RouteTableAssociationId"]
    answer = cloud.call("ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=new)
    main = main_of(cloud, vpc)
    assert main["RouteTableId"] == new
    assert main["Associations"][0]["RouteTableAssociationId"] == answer["NewAssociationId"]
    cloud.call("DeleteRouteTable", RouteTableId=old["RouteTableId"])
    cloud.call("DeleteVpc", VpcId=vpc)


def test_the_main_table_may_be_replaced_by_itself(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    old = main_of(cloud, vpc)
    answer = cloud.call(
        "ReplaceRouteTableAssociation",
        AssociationId=old["Associations"][0]["RouteTableAssociationId"],
        RouteTableId=old["RouteTableId"],
    )
    (association,) = main_of(cloud, vpc)["Associations"]
    assert association["RouteTableAssociationId"] == answer["NewAssociationId"]


def test_replace_association_refusals(cloud: Cloud) -> None:
    vpc, other = make_vpc(cloud), make_vpc(cloud)
    foreign, subnet = make_table(cloud, other), make_subnet(cloud, vpc)
    own = make_table(cloud, vpc)
    explicit = cloud.call("AssociateRouteTable", RouteTableId=own, SubnetId=subnet)
    main = main_of(cloud, vpc)["Associations"][0]["RouteTableAssociationId"]
    for association in (explicit["AssociationId"], main):
        code, message = refusal(
            cloud, "ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=foreign
        )
        assert code == "InvalidParameterValue"
        assert message.endswith("belong to different networks")
    code, _ = refusal(
        cloud,
        "ReplaceRouteTableAssociation",
        AssociationId="rtbassoc-00000000000000001",
        RouteTableId=own,
    )
    assert code == "InvalidAssociationID.NotFound"


# --- lowering -----------------------------------------------------------------------------------
def test_what_the_network_is_told(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    gateway = make_gateway(cloud, vpc)
    a, b = make_subnet(cloud, vpc), make_subnet(cloud, vpc, "10.0.2.0/24")
    eni = make_interface(cloud, b, PrivateIpAddress="10.0.2.10")["NetworkInterfaceId"]
    plug_in(cloud, eni)
    main, key = main_of(cloud, vpc), make_table(cloud, vpc)
    association = cloud.call("AssociateRouteTable", RouteTableId=key, SubnetId=a)["AssociationId"]
    cloud.call("CreateRoute", RouteTableId=key, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    cloud.call(
        "CreateRoute",
        RouteTableId=key,
        DestinationCidrBlock="192.168.0.0/16",
        NetworkInterfaceId=eni,
    )
    names = {
        vpc: "vpc",
        a: "subnet-a",
        b: "subnet-b",
        main["RouteTableId"]: "rtb-main",
        main["Associations"][0]["RouteTableAssociationId"]: "rtbassoc-main",
        key: "rtb-1",
        association: "rtbassoc-1",
        gateway: "igw",
        eni: "eni",
    }
    assert said(cloud, names, Table, Route, SegmentTable) == (
        "Route table=rtb-1 destination=0.0.0.0/0 target=ViaUplink(igw)  # igw rtb-1\n"
        "Route table=rtb-1 destination=10.0.0.0/16 target=Local()  # rtb-1\n"
        "Route table=rtb-1 destination=192.168.0.0/16 "
        "target=ViaPort(eni,subnet-b,10.0.2.10,MAC)  # eni rtb-1\n"
        "Route table=rtb-main destination=10.0.0.0/16 target=Local()  # rtb-main\n"
        "SegmentTable segment=subnet-a table=rtb-1  # rtb-1 rtbassoc-1\n"
        "SegmentTable segment=subnet-b table=rtb-main  # rtb-main rtbassoc-main\n"
        "Table id=rtb-1 router=vpc number=2  # rtb-1\n"
        "Table id=rtb-main router=vpc number=1  # rtb-main\n"
    )
    cloud.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    cloud.call("DisassociateRouteTable", AssociationId=association)
    assert said(cloud, names, Route, SegmentTable).splitlines() == [
        "Route table=rtb-1 destination=0.0.0.0/0 target=Blackhole(igw)  # igw rtb-1",
        "Route table=rtb-1 destination=10.0.0.0/16 target=Local()  # rtb-1",
        (
            "Route table=rtb-1 destination=192.168.0.0/16 "
            "target=ViaPort(eni,subnet-b,10.0.2.10,MAC)  # eni rtb-1"
        ),
        "Route table=rtb-main destination=10.0.0.0/16 target=Local()  # rtb-main",
        "SegmentTable segment=subnet-a table=rtb-main  # rtb-main rtbassoc-main",
        "SegmentTable segment=subnet-b table=rtb-main  # rtb-main rtbassoc-main",
    ]


def test_a_replaced_local_route_is_told(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    eni = make_interface(cloud, make_subnet(cloud, vpc), PrivateIpAddress="10.0.1.10")
    plug_in(cloud, eni["NetworkInterfaceId"])
    key = make_table(cloud, vpc)
    cloud.call(
        "ReplaceRoute",
        RouteTableId=key,
        DestinationCidrBlock="10.0.0.0/16",
        NetworkInterfaceId=eni["NetworkInterfaceId"],
    )
    names = {key: "rtb", eni["NetworkInterfaceId"]: "eni", eni["SubnetId"]: "subnet"}
    assert said(cloud, names, Route) == (
        "Route table=rtb destination=10.0.0.0/16 "
        "target=ViaPort(eni,subnet,10.0.1.10,MAC)  # eni rtb\n"
    )


def test_numbers_stay_and_are_free_again_after_deletion(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    first, second = make_table(cloud, vpc), make_table(cloud, vpc)
    numbers = {item.id: item.number for item in cloud.program().statements if type(item) is Table}
    assert (numbers[first], numbers[second]) == (2, 3)
    cloud.call("DeleteRouteTable", RouteTableId=first)
    third = make_table(cloud, vpc)
    numbers = {item.id: item.number for item in cloud.program().statements if type(item) is Table}
    assert (numbers[second], numbers[third]) == (3, 2)
