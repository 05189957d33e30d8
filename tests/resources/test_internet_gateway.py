"""Internet gateways: attaching and detaching, the default one, quotas, lowering."""

from __future__ import annotations

import pytest

from gureum.program import Gateway, Uplink
from gureum.resources.internet_gateway import MAX_GATEWAYS
from tests.conftest import Cloud
from tests.resources.building import (
    make_address,
    make_gateway,
    make_interface,
    make_subnet,
    make_vpc,
    only,
    said,
)


def test_create_answers_as_aws_does(cloud: Cloud) -> None:
    tags = [{"Key": "Name", "Value": "door"}]
    answer = cloud.call(
        "CreateInternetGateway",
        TagSpecifications=[{"ResourceType": "internet-gateway", "Tags": tags}],
    )["InternetGateway"]
    key = answer["InternetGatewayId"]
    assert key.startswith("igw-")
    assert answer == {
        "InternetGatewayId": key,
        "OwnerId": "123456789012",
        "Attachments": [],
        "Tags": tags,
    }
    shown = cloud.call("DescribeInternetGateways", InternetGatewayIds=[key])["InternetGateways"]
    assert shown == [answer]


def test_attach_and_detach(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = cloud.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    assert cloud.call("AttachInternetGateway", InternetGatewayId=key, VpcId=vpc) == {}
    shown = cloud.call("DescribeInternetGateways", InternetGatewayIds=[key])["InternetGateways"]
    assert shown[0]["Attachments"] == [{"VpcId": vpc, "State": "available"}]
    names = {key: "IGW", vpc: "VPC"}
    assert said(cloud, names, Gateway, Uplink) == (
        "Gateway id=IGW egress_only=False  # IGW\nUplink router=VPC gateway=IGW  # IGW\n"
    )
    assert cloud.call("DetachInternetGateway", InternetGatewayId=key, VpcId=vpc) == {}
    assert said(cloud, names, Gateway, Uplink) == "Gateway id=IGW egress_only=False  # IGW\n"
    assert cloud.call("DeleteInternetGateway", InternetGatewayId=key) == {}
    assert said(cloud, names, Gateway, Uplink) == ""
    cloud.call("DeleteVpc", VpcId=vpc)


def test_a_vpc_changes_its_gateway(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    cloud.call("DetachInternetGateway", InternetGatewayId=make_gateway(cloud, vpc), VpcId=vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    allocation = make_address(cloud)["AllocationId"]
    error = cloud.error("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=eni)
    assert error.code == "Gateway.NotAttached"
    key = make_gateway(cloud, vpc)
    cloud.call("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=eni)
    assert "Uplink router=VPC gateway=IGW" in said(cloud, {vpc: "VPC", key: "IGW"}, Uplink)


def test_one_gateway_one_vpc(cloud: Cloud) -> None:
    vpc, other = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    key = make_gateway(cloud, vpc)
    again = cloud.error("AttachInternetGateway", InternetGatewayId=key, VpcId=other)
    assert again.code == "Resource.AlreadyAssociated"
    assert again.message == f"resource {key} is already attached to network {vpc}"
    second = cloud.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    taken = cloud.error("AttachInternetGateway", InternetGatewayId=second, VpcId=vpc)
    assert taken.code == "InvalidParameterValue"
    assert taken.message == f"Network {vpc} already has an internet gateway attached"


def test_detach_what_is_not_attached(cloud: Cloud) -> None:
    vpc, other = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    key = make_gateway(cloud, vpc)
    error = cloud.error("DetachInternetGateway", InternetGatewayId=key, VpcId=other)
    assert error.code == "Gateway.NotAttached"
    assert error.message == f"resource {key} is not attached to network {other}"


def test_detach_is_refused_while_an_address_is_mapped(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    association = cloud.call(
        "AssociateAddress",
        AllocationId=make_address(cloud)["AllocationId"],
        NetworkInterfaceId=eni,
    )["AssociationId"]
    error = cloud.error("DetachInternetGateway", InternetGatewayId=key, VpcId=vpc)
    assert error.code == "DependencyViolation"
    assert error.message == (
        f"Network {vpc} has some mapped public address(es). "
        "Please unmap those public address(es) before detaching the gateway."
    )
    cloud.call("DisassociateAddress", AssociationId=association)
    assert cloud.call("DetachInternetGateway", InternetGatewayId=key, VpcId=vpc) == {}


def test_what_is_attached_is_kept(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = make_gateway(cloud, vpc)
    gateway = cloud.error("DeleteInternetGateway", InternetGatewayId=key)
    assert gateway.code == "DependencyViolation"
    assert gateway.message == (
        f"The internetGateway '{key}' has dependencies and cannot be deleted."
    )
    assert cloud.error("DeleteVpc", VpcId=vpc).code == "DependencyViolation"


def test_unknown_and_malformed_ids(cloud: Cloud) -> None:
    unknown = cloud.error(
        "AttachInternetGateway", InternetGatewayId="igw-0123456789abcdef0", VpcId=make_vpc(cloud)
    )
    assert unknown.code == "InvalidInternetGatewayID.NotFound"
    assert unknown.message == "The internetGateway ID 'igw-0123456789abcdef0' does not exist"
    malformed = cloud.error("DescribeInternetGateways", InternetGatewayIds=["door"])
    assert malformed.code == "InvalidInternetGatewayId.Malformed"


def test_the_default_vpc_has_one(cloud: Cloud) -> None:
    shown = cloud.call("DescribeInternetGateways")["InternetGateways"]
    default = cloud.call("DescribeVpcs", Filters=only({"is-default": "true"}))["Vpcs"][0]
    assert [item["Attachments"][0]["VpcId"] for item in shown] == [default["VpcId"]]


@pytest.mark.parametrize("name", ["attachment.vpc-id", "internet-gateway-id", "tag:Name"])
def test_filters(cloud: Cloud, name: str) -> None:
    vpc = make_vpc(cloud)
    key = make_gateway(cloud, vpc)
    tagged = cloud.call(
        "CreateInternetGateway",
        TagSpecifications=[
            {"ResourceType": "internet-gateway", "Tags": [{"Key": "Name", "Value": "x"}]}
        ],
    )["InternetGateway"]["InternetGatewayId"]
    value, wanted = {
        "attachment.vpc-id": (vpc, key),
        "internet-gateway-id": (key, key),
        "tag:Name": ("x", tagged),
    }[name]
    found = cloud.call("DescribeInternetGateways", Filters=only({name: value}))
    assert [item["InternetGatewayId"] for item in found["InternetGateways"]] == [wanted]


def test_the_state_of_an_attachment(cloud: Cloud) -> None:
    cloud.call("CreateInternetGateway")
    found = cloud.call("DescribeInternetGateways", Filters=only({"attachment.state": "available"}))
    assert len(found["InternetGateways"]) == 1  # the default VPC's


def test_the_quota(cloud: Cloud) -> None:
    for _ in range(MAX_GATEWAYS - 1):  # the default VPC has one
        cloud.call("CreateInternetGateway")
    error = cloud.error("CreateInternetGateway")
    assert error.code == "InternetGatewayLimitExceeded"
    assert error.message == "The maximum number of internet gateways has been reached."


def test_dry_run(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    assert cloud.error("CreateInternetGateway", DryRun=True).code == "DryRunOperation"
    key = make_gateway(cloud, vpc)
    error = cloud.error("DetachInternetGateway", InternetGatewayId=key, VpcId=vpc, DryRun=True)
    assert (error.code, error.status) == ("DryRunOperation", 412)
    shown = cloud.call("DescribeInternetGateways", InternetGatewayIds=[key])["InternetGateways"]
    assert shown[0]["Attachments"][0]["VpcId"] == vpc
