"""VPCs: their CIDR blocks, attributes and companions."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Range, Router
from gureum.resources.vpc import MAX_VPCS
from tests.conftest import Cloud
from tests.resources.building import make_gateway, make_subnet, make_vpc, only, said
from tests.resources.routing import make_table, refusal
from tests.resources.test_region_api import delete_default_vpc


def vpcs(cloud: Cloud, **filters: str) -> list[str]:
    """The ids of the VPCs that pass filters; ``_`` stands for ``-`` and ``__`` for ``.``."""
    named = {name.replace("__", ".").replace("_", "-"): value for name, value in filters.items()}
    found = cloud.call("DescribeVpcs", Filters=only(named))["Vpcs"]
    return [vpc["VpcId"] for vpc in found]


def add_cidr(cloud: Cloud, vpc: str, cidr: str) -> str:
    """The id of a new secondary block's association."""
    answer = cloud.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock=cidr)
    return str(answer["CidrBlockAssociation"]["AssociationId"])


def test_the_default_vpc(cloud: Cloud) -> None:
    (vpc,) = cloud.call("DescribeVpcs")["Vpcs"]
    assert vpc["IsDefault"] is True
    assert vpc["CidrBlock"] == "172.31.0.0/16"
    subnets = cloud.call("DescribeSubnets")["Subnets"]
    assert sorted((item["AvailabilityZone"], item["CidrBlock"]) for item in subnets) == [
        ("ap-northeast-2a", "172.31.0.0/20"),
        ("ap-northeast-2b", "172.31.16.0/20"),
        ("ap-northeast-2c", "172.31.32.0/20"),
        ("ap-northeast-2d", "172.31.48.0/20"),
    ]
    assert all(item["MapPublicIpOnLaunch"] and item["DefaultForAz"] for item in subnets)
    answer = cloud.call("DescribeVpcAttribute", VpcId=vpc["VpcId"], Attribute="enableDnsHostnames")
    assert answer["EnableDnsHostnames"] == {"Value": True}
    assert refusal(cloud, "CreateDefaultVpc") == (
        "DefaultVpcAlreadyExists",
        "A Default VPC already exists for this account in this region.",
    )


def test_a_default_vpc_can_be_made_again(cloud: Cloud) -> None:
    delete_default_vpc(cloud)
    assert vpcs(cloud) == []
    vpc = cloud.call("CreateDefaultVpc")["Vpc"]
    assert vpc["IsDefault"] is True
    assert len(cloud.call("DescribeSubnets")["Subnets"]) == 4
    (table,) = cloud.call("DescribeRouteTables")["RouteTables"]
    assert [route["DestinationCidrBlock"] for route in table["Routes"]] == [
        "172.31.0.0/16",
        "0.0.0.0/0",
    ]


def test_create(cloud: Cloud) -> None:
    tags = [{"Key": "Name", "Value": "lab"}]
    specification = [{"ResourceType": "vpc", "Tags": tags}]
    answer = cloud.call("CreateVpc", CidrBlock="10.0.0.7/16", TagSpecifications=specification)
    shape = answer["Vpc"]
    (block,) = shape.pop("CidrBlockAssociationSet")
    assert block["CidrBlock"] == "10.0.0.0/16"
    assert block["CidrBlockState"] == {"State": "associated"}
    (options,) = cloud.call("DescribeDhcpOptions")["DhcpOptions"]
    assert shape == {
        "VpcId": shape["VpcId"],
        "OwnerId": "123456789012",
        "CidrBlock": "10.0.0.0/16",
        "Ipv6CidrBlockAssociationSet": [],
        "DhcpOptionsId": options["DhcpOptionsId"],
        "InstanceTenancy": "default",
        "IsDefault": False,
        "State": "available",
        "Tags": tags,
    }


def test_a_vpc_comes_with_defaults_and_takes_them_along(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    listings = {
        "DescribeRouteTables": ("RouteTables", "association.main"),
        "DescribeNetworkAcls": ("NetworkAcls", "default"),
        "DescribeSecurityGroups": ("SecurityGroups", "group-name"),
    }
    for action, (result, name) in listings.items():
        value = "default" if name == "group-name" else "true"
        found = cloud.call(action, Filters=only({"vpc-id": vpc, name: value}))[result]
        assert len(found) == 1
    cloud.call("DeleteVpc", VpcId=vpc)
    for action, (result, _) in listings.items():
        assert cloud.call(action, Filters=only({"vpc-id": vpc}))[result] == []
    assert refusal(cloud, "DeleteVpc", VpcId=vpc) == (
        "InvalidVpcID.NotFound",
        f"The vpc ID '{vpc}' does not exist",
    )


@pytest.mark.parametrize("what", ["subnet", "gateway", "table", "group", "acl"])
def test_what_is_in_it_keeps_it(cloud: Cloud, what: str) -> None:
    vpc = make_vpc(cloud)
    if what == "subnet":
        make_subnet(cloud, vpc)
    elif what == "gateway":
        make_gateway(cloud, vpc)
    elif what == "table":
        make_table(cloud, vpc)
    elif what == "group":
        cloud.call("CreateSecurityGroup", GroupName="web", Description="web", VpcId=vpc)
    else:
        cloud.call("CreateNetworkAcl", VpcId=vpc)
    assert refusal(cloud, "DeleteVpc", VpcId=vpc) == (
        "DependencyViolation",
        f"The vpc '{vpc}' has dependencies and cannot be deleted.",
    )


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"CidrBlock": "10.0.0.0/15"}, "InvalidVpc.Range"),
        ({"CidrBlock": "10.0.0.0/29"}, "InvalidVpc.Range"),
        ({"CidrBlock": "169.254.0.0/24"}, "InvalidVpc.Range"),
        ({"CidrBlock": "224.0.0.0/16"}, "InvalidVpc.Range"),
        ({"CidrBlock": "10.0.0.0"}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.256/24"}, "InvalidParameterValue"),
        ({"CidrBlock": "2001:db8::/56"}, "InvalidParameterValue"),
        ({"Ipv4IpamPoolId": "ipam-pool-00000000000000001"}, "UnsupportedOperation"),
    ],
)
def test_create_refusals(cloud: Cloud, params: dict[str, str], code: str) -> None:
    assert refusal(cloud, "CreateVpc", **params)[0] == code


def test_the_number_of_vpcs_is_limited(cloud: Cloud) -> None:
    for _ in range(MAX_VPCS - 1):
        make_vpc(cloud)
    assert refusal(cloud, "CreateVpc", CidrBlock="10.0.0.0/16") == (
        "VpcLimitExceeded",
        "The maximum number of VPCs has been reached.",
    )
    cloud.region = "us-east-1"
    make_vpc(cloud)


def test_a_dry_run_makes_none(cloud: Cloud) -> None:
    code, _ = refusal(cloud, "CreateVpc", CidrBlock="10.0.0.0/16", DryRun=True)
    assert code == "DryRunOperation"
    assert len(vpcs(cloud)) == 1


# --- attributes ---------------------------------------------------------------------------------
def test_attributes(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    expected = {
        "enableDnsSupport": True,
        "enableDnsHostnames": False,
        "enableNetworkAddressUsageMetrics": False,
    }
    for attribute, value in expected.items():
        member = attribute[0].upper() + attribute[1:]
        answer = cloud.call("DescribeVpcAttribute", VpcId=vpc, Attribute=attribute)
        assert answer == {"VpcId": vpc, member: {"Value": value}}
        cloud.call("ModifyVpcAttribute", VpcId=vpc, **{member: {"Value": True}})
        answer = cloud.call("DescribeVpcAttribute", VpcId=vpc, Attribute=attribute)
        assert answer[member] == {"Value": True}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"EnableDnsSupport": {"Value": True}, "EnableDnsHostnames": {"Value": True}},
    ],
)
def test_one_attribute_a_call(cloud: Cloud, params: dict[str, Any]) -> None:
    vpc = make_vpc(cloud)
    assert refusal(cloud, "ModifyVpcAttribute", VpcId=vpc, **params)[0] == (
        "InvalidParameterCombination"
    )


def test_host_names_need_dns(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsSupport={"Value": False})
    code, _ = refusal(cloud, "ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert code == "InvalidParameterCombination"


def test_tenancy(cloud: Cloud) -> None:
    answer = cloud.call("CreateVpc", CidrBlock="10.0.0.0/16", InstanceTenancy="dedicated")
    vpc = answer["Vpc"]["VpcId"]
    assert answer["Vpc"]["InstanceTenancy"] == "dedicated"
    cloud.call("ModifyVpcTenancy", VpcId=vpc, InstanceTenancy="default")
    (shape,) = cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    assert shape["InstanceTenancy"] == "default"


# --- secondary blocks ---------------------------------------------------------------------------
def test_a_secondary_block(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = add_cidr(cloud, vpc, "10.1.0.9/16")
    (shape,) = cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    blocks = [item["CidrBlock"] for item in shape["CidrBlockAssociationSet"]]
    assert (shape["CidrBlock"], blocks) == ("10.0.0.0/16", ["10.0.0.0/16", "10.1.0.0/16"])
    assert vpcs(cloud, cidr_block_association__association_id=key) == [vpc]
    make_subnet(cloud, vpc, "10.1.5.0/24")
    assert refusal(cloud, "DisassociateVpcCidrBlock", AssociationId=key) == (
        "InvalidCidrBlock.InUse",
        f"The vpc {vpc} currently has a subnet within CIDR block 10.1.0.0/16",
    )


def test_a_secondary_block_goes(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = add_cidr(cloud, vpc, "10.1.0.0/16")
    answer = cloud.call("DisassociateVpcCidrBlock", AssociationId=key)
    assert answer["CidrBlockAssociation"]["CidrBlockState"] == {"State": "disassociating"}
    assert refusal(cloud, "DisassociateVpcCidrBlock", AssociationId=key) == (
        "InvalidVpcCidrBlockAssociationID.NotFound",
        f"The vpc CIDR block association ID '{key}' does not exist",
    )


def test_a_secondary_block_goes_beside_one_of_ipv6(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    cloud.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    key = add_cidr(cloud, vpc, "10.1.0.0/16")
    cloud.call("DisassociateVpcCidrBlock", AssociationId=key)
    (shown,) = cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    assert [item["CidrBlock"] for item in shown["CidrBlockAssociationSet"]] == ["10.0.0.0/16"]
    assert len(shown["Ipv6CidrBlockAssociationSet"]) == 1


def test_the_primary_block_stays(cloud: Cloud) -> None:
    vpc = cloud.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]
    key = vpc["CidrBlockAssociationSet"][0]["AssociationId"]
    assert refusal(cloud, "DisassociateVpcCidrBlock", AssociationId=key) == (
        "OperationNotPermitted",
        (
            f"The vpc CIDR block with association ID {key} may not be disassociated. "
            "It is the primary IPv4 CIDR block of the VPC"
        ),
    )


@pytest.mark.parametrize(
    ("primary", "secondary", "allowed"),
    [
        ("10.4.0.0/16", "10.0.0.0/16", True),
        ("10.1.0.0/16", "10.0.0.0/16", False),
        ("10.0.0.0/16", "172.16.0.0/16", False),
        ("10.0.0.0/16", "192.168.1.0/24", False),
        ("10.0.0.0/16", "198.19.0.0/24", False),
        ("10.0.0.0/16", "100.64.0.0/16", True),
        ("10.0.0.0/16", "198.51.100.0/24", True),
        ("172.16.0.0/16", "172.17.0.0/16", True),
        ("172.16.0.0/16", "172.31.0.0/16", False),
        ("172.16.0.0/16", "10.0.0.0/16", False),
        ("172.16.0.0/16", "198.19.0.0/16", False),
        ("192.168.0.0/24", "192.168.1.0/24", True),
        ("192.168.0.0/24", "10.0.0.0/16", False),
        ("192.168.0.0/24", "172.16.0.0/16", False),
        ("198.19.0.0/24", "198.19.1.0/24", True),
        ("198.19.0.0/24", "10.0.0.0/16", False),
        ("100.64.0.0/16", "100.65.0.0/16", True),
        ("100.64.0.0/16", "10.0.0.0/16", False),
        ("100.64.0.0/16", "198.19.0.0/16", False),
        ("10.0.0.0/16", "10.0.128.0/17", False),
    ],
)
def test_families_of_blocks(cloud: Cloud, primary: str, secondary: str, allowed: bool) -> None:
    vpc = make_vpc(cloud, primary)
    if allowed:
        add_cidr(cloud, vpc, secondary)
    else:
        error = refusal(cloud, "AssociateVpcCidrBlock", VpcId=vpc, CidrBlock=secondary)
        assert error[0] == "InvalidVpc.Range"


def test_the_number_of_blocks_is_limited(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    for number in range(1, 5):
        add_cidr(cloud, vpc, f"10.{number}.0.0/16")
    assert refusal(cloud, "AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.5.0.0/16") == (
        "CidrLimitExceeded",
        f"This network '{vpc}' has met its maximum number of allowed CIDRs: 5",
    )


def test_a_block_does_not_swallow_a_route(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key, gateway = make_table(cloud, vpc), make_gateway(cloud, vpc)
    for destination in ("0.0.0.0/0", "10.1.128.0/17"):
        cloud.call(
            "CreateRoute", RouteTableId=key, DestinationCidrBlock=destination, GatewayId=gateway
        )
    code, message = refusal(cloud, "AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.1.0.0/16")
    assert code == "InvalidVpc.Range"
    assert f"10.1.128.0/17 of a route in {key}" in message
    add_cidr(cloud, vpc, "10.1.128.0/18")


# --- describing and lowering --------------------------------------------------------------------
def test_filters(cloud: Cloud) -> None:
    (default,) = vpcs(cloud)
    vpc = make_vpc(cloud)
    assert vpcs(cloud, is_default="true") == [default]
    assert vpcs(cloud, isDefault="false") == [vpc]
    assert vpcs(cloud, cidr="10.0.0.0/16") == [vpc]
    assert vpcs(cloud, cidr_block_association__cidr_block="10.*") == [vpc]
    assert vpcs(cloud, vpc_id=vpc, state="available") == [vpc]
    assert vpcs(cloud, owner_id="210987654321") == []


def test_what_the_network_is_told(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = add_cidr(cloud, vpc, "10.1.0.0/16")
    (shape,) = cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    first = shape["CidrBlockAssociationSet"][0]["AssociationId"]
    assert said(cloud, {vpc: "vpc", key: "second", first: "first"}, Router, Range) == (
        "Range router=vpc cidr=10.0.0.0/16  # first vpc\n"
        "Range router=vpc cidr=10.1.0.0/16  # second vpc\n"
        "Router id=vpc ipv6=False  # vpc\n"
    )
