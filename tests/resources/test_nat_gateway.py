"""NAT gateways: states as the data plane follows, failed ones, addresses, quotas, lowering."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Address, Guard, Host, Nat64, Port, PublicAddress, Translator
from gureum.resources import nat_gateway
from gureum.resources.nat_gateway import MAX_PER_ZONE, NatGateway
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


def place(cloud: Cloud) -> tuple[str, str, str]:
    """A VPC, its gateway and a subnet."""
    vpc = make_vpc(cloud)
    return vpc, make_gateway(cloud, vpc), make_subnet(cloud, vpc)


def create(cloud: Cloud, subnet: str, **more: Any) -> dict[str, Any]:
    allocation = make_address(cloud)["AllocationId"]
    answer = cloud.call("CreateNatGateway", SubnetId=subnet, AllocationId=allocation, **more)
    shape: dict[str, Any] = answer["NatGateway"]
    return shape


def shown(cloud: Cloud, key: str) -> dict[str, Any]:
    shape: dict[str, Any] = cloud.call("DescribeNatGateways", NatGatewayIds=[key])["NatGateways"][0]
    return shape


def settle(cloud: Cloud, key: str) -> None:
    """What the reconciler does once the network has the gateway's state."""
    cloud.system(lambda txn: nat_gateway.settled(txn, txn.get(NatGateway, key), cloud.now))


def expire(cloud: Cloud, key: str) -> None:
    cloud.system(lambda txn: nat_gateway.expired(txn, txn.get(NatGateway, key), cloud.now))


def test_create_answers_as_aws_does(cloud: Cloud) -> None:
    vpc, _, subnet = place(cloud)
    address = make_address(cloud)
    tags = [{"Key": "Name", "Value": "nat"}]
    answer = cloud.call(
        "CreateNatGateway",
        SubnetId=subnet,
        AllocationId=address["AllocationId"],
        ClientToken="once",
        TagSpecifications=[{"ResourceType": "natgateway", "Tags": tags}],
    )
    shape = answer["NatGateway"]
    item = shape["NatGatewayAddresses"][0]
    assert answer["ClientToken"] == "once"
    assert shape["NatGatewayId"].startswith("nat-")
    assert shape["CreateTime"].isoformat() == "2026-11-24T08:00:00+00:00"
    assert {name: shape[name] for name in shape if name not in ("NatGatewayId", "CreateTime")} == {
        "VpcId": vpc,
        "SubnetId": subnet,
        "State": "pending",
        "ConnectivityType": "public",
        "AvailabilityMode": "zonal",
        "NatGatewayAddresses": [
            {
                "AllocationId": address["AllocationId"],
                "AssociationId": item["AssociationId"],
                "NetworkInterfaceId": item["NetworkInterfaceId"],
                "PrivateIp": item["PrivateIp"],
                "PublicIp": address["PublicIp"],
                "IsPrimary": True,
                "Status": "succeeded",
            }
        ],
        "Tags": tags,
    }


def test_its_interface_is_awss(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    nat = create(cloud, subnet, PrivateIpAddress="10.0.1.9")
    key = nat["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    eni = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[key])["NetworkInterfaces"][0]
    assert eni["InterfaceType"] == "nat_gateway"
    assert eni["Description"] == f"Interface for NAT Gateway {nat['NatGatewayId']}"
    assert (eni["RequesterManaged"], eni["SourceDestCheck"]) == (True, False)
    assert (eni["PrivateIpAddress"], eni["Groups"], eni["Status"]) == ("10.0.1.9", [], "in-use")
    assert eni["Attachment"]["InstanceOwnerId"] == "amazon-aws"
    assert "InstanceId" not in eni["Attachment"]
    deleted = cloud.error("DeleteNetworkInterface", NetworkInterfaceId=key)
    assert deleted.code == "InvalidParameterValue"
    assert deleted.message == f"Network interface '{key}' is currently in use."
    changed = cloud.error(
        "ModifyNetworkInterfaceAttribute",
        NetworkInterfaceId=key,
        Description={"Value": "mine"},
    )
    assert (changed.code, changed.status) == ("AuthFailure", 400)


def test_the_same_token_is_the_same_gateway(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    params = {"SubnetId": subnet, "AllocationId": make_address(cloud)["AllocationId"]}
    first = cloud.call("CreateNatGateway", **params, ClientToken="a")
    assert cloud.call("CreateNatGateway", **params, ClientToken="a") == first
    assert len(cloud.call("DescribeNatGateways")["NatGateways"]) == 1
    error = cloud.error("CreateNatGateway", **params, ClientToken="a", ConnectivityType="public")
    assert error.code == "IdempotentParameterMismatch"


def test_life(cloud: Cloud) -> None:
    vpc, gateway, subnet = place(cloud)
    nat = create(cloud, subnet)
    key = nat["NatGatewayId"]
    settle(cloud, key)
    assert shown(cloud, key)["State"] == "available"
    assert cloud.call("DeleteNatGateway", NatGatewayId=key) == {"NatGatewayId": key}
    deleting = shown(cloud, key)
    assert (deleting["State"], "DeleteTime" in deleting) == ("deleting", True)
    # Until it is gone it keeps its subnet, its gateway and its address.
    assert cloud.error("DeleteSubnet", SubnetId=subnet).code == "DependencyViolation"
    assert (
        cloud.error("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc).code
        == "DependencyViolation"
    )
    settle(cloud, key)
    assert shown(cloud, key)["State"] == "deleted"
    address = cloud.call("DescribeAddresses")["Addresses"][0]
    assert "AssociationId" not in address
    cloud.call("ReleaseAddress", AllocationId=address["AllocationId"])
    cloud.call("DeleteSubnet", SubnetId=subnet)
    cloud.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    # The gateway is remembered with what it had, for an hour.
    assert shown(cloud, key)["SubnetId"] == subnet
    cloud.now = "2026-11-24T08:59:59.000Z"
    expire(cloud, key)
    assert shown(cloud, key)["State"] == "deleted"
    cloud.now = "2026-11-24T09:00:00.000Z"
    expire(cloud, key)
    gone = cloud.error("DescribeNatGateways", NatGatewayIds=[key])
    assert gone.code == "NatGatewayNotFound"
    assert gone.message == f"NAT gateway {key} was not found"


def test_deleting_twice_is_deleting_once(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    key = create(cloud, subnet)["NatGatewayId"]
    for _ in range(2):
        cloud.call("DeleteNatGateway", NatGatewayId=key)
        settle(cloud, key)
        assert shown(cloud, key)["State"] == "deleted"


def test_living_ones_are_not_forgotten(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    key = create(cloud, subnet)["NatGatewayId"]
    settle(cloud, key)
    cloud.now = "2026-12-24T08:00:00.000Z"
    expire(cloud, key)
    assert shown(cloud, key)["State"] == "available"


def test_without_an_internet_gateway_it_fails(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    key = create(cloud, subnet)["NatGatewayId"]
    failed = shown(cloud, key)
    assert failed["State"] == "failed"
    assert failed["FailureCode"] == "Gateway.NotAttached"
    assert failed["FailureMessage"] == f"Network {vpc} has no Internet gateway attached"
    assert failed["NatGatewayAddresses"][0]["Status"] == "failed"
    assert "DeleteTime" not in failed
    settle(cloud, key)
    assert shown(cloud, key)["State"] == "failed"
    cloud.call("DeleteSubnet", SubnetId=subnet)  # it keeps nothing
    cloud.call("DeleteNatGateway", NatGatewayId=key)
    assert shown(cloud, key)["State"] == "deleted"


def test_an_address_in_use_fails_it(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    allocation = make_address(cloud)["AllocationId"]
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    cloud.call("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=eni)
    answer = cloud.call("CreateNatGateway", SubnetId=subnet, AllocationId=allocation)["NatGateway"]
    assert (answer["State"], answer["FailureCode"]) == ("failed", "Resource.AlreadyAssociated")
    assert answer["FailureMessage"] == f"Elastic IP address [{allocation}] is already associated"
    # The interface that had the address keeps it.
    address = cloud.call("DescribeAddresses", AllocationIds=[allocation])["Addresses"][0]
    assert address["NetworkInterfaceId"] == eni


def test_private_gateways(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))  # no internet gateway is needed
    answer = cloud.call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")
    shape = answer["NatGateway"]
    assert (shape["State"], shape["ConnectivityType"]) == ("pending", "private")
    assert set(shape["NatGatewayAddresses"][0]) == {
        "NetworkInterfaceId",
        "PrivateIp",
        "IsPrimary",
        "Status",
    }


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {},
            "MissingParameter",
            (
                "The request must include the AllocationId parameter. "
                "Add the required parameter and retry the request."
            ),
        ),
        (
            {"AllocationId": "eipalloc-0123456789abcdef0"},
            "InvalidAllocationID.NotFound",
            "The allocation ID 'eipalloc-0123456789abcdef0' does not exist",
        ),
        (
            {"AllocationId": "eipalloc-0123456789abcdef0", "ConnectivityType": "private"},
            "InvalidParameterCombination",
            "AllocationId cannot be given for a NAT gateway with private connectivity.",
        ),
        (
            {"AvailabilityMode": "regional"},
            "UnsupportedOperation",
            (
                "The parameter AvailabilityMode of CreateNatGateway is not available in this cloud "
                "yet."
            ),
        ),
    ],
)
def test_what_cannot_be_created(
    cloud: Cloud, params: dict[str, Any], code: str, message: str
) -> None:
    _, _, subnet = place(cloud)
    error = cloud.error("CreateNatGateway", SubnetId=subnet, **params)
    assert (error.code, error.message) == (code, message)


def test_a_subnet_is_needed(cloud: Cloud) -> None:
    missing = cloud.error("CreateNatGateway", ConnectivityType="private")
    assert missing.code == "MissingParameter"
    unknown = cloud.error("CreateNatGateway", SubnetId="subnet-0123456789abcdef0")
    assert unknown.code == "InvalidSubnetID.NotFound"


def test_unknown_and_malformed_ids(cloud: Cloud) -> None:
    unknown = cloud.error("DeleteNatGateway", NatGatewayId="nat-0123456789abcdef0")
    assert unknown.code == "NatGatewayNotFound"
    assert unknown.message == "NAT gateway nat-0123456789abcdef0 was not found"
    assert cloud.error("DeleteNatGateway", NatGatewayId="x").code == "NatGatewayMalformed"


def test_the_quota_of_a_zone(cloud: Cloud) -> None:
    vpc, _, subnet = place(cloud)
    private = {"ConnectivityType": "private"}
    keys = [
        cloud.call("CreateNatGateway", SubnetId=subnet, **private)["NatGateway"]["NatGatewayId"]
        for _ in range(MAX_PER_ZONE)
    ]
    cloud.call("DeleteNatGateway", NatGatewayId=keys[0])
    error = cloud.error("CreateNatGateway", SubnetId=subnet, **private)  # a deleting one counts
    assert error.code == "NatGatewayLimitExceeded"
    other = make_subnet(cloud, vpc, "10.0.2.0/24", AvailabilityZone="ap-northeast-2b")
    cloud.call("CreateNatGateway", SubnetId=other, **private)
    settle(cloud, keys[0])
    cloud.call("CreateNatGateway", SubnetId=subnet, **private)


@pytest.mark.parametrize("name", ["nat-gateway-id", "state", "subnet-id", "tag:Name", "vpc-id"])
def test_filters(cloud: Cloud, name: str) -> None:
    vpc, _, subnet = place(cloud)
    tags = [{"ResourceType": "natgateway", "Tags": [{"Key": "Name", "Value": "one"}]}]
    nat = create(cloud, subnet, TagSpecifications=tags)
    settle(cloud, nat["NatGatewayId"])
    elsewhere = make_subnet(cloud, make_vpc(cloud, "10.1.0.0/16"), "10.1.1.0/24")
    cloud.call("CreateNatGateway", SubnetId=elsewhere, ConnectivityType="private")
    value = {
        "nat-gateway-id": nat["NatGatewayId"],
        "state": "available",
        "subnet-id": subnet,
        "tag:Name": "one",
        "vpc-id": vpc,
    }[name]
    found = cloud.call("DescribeNatGateways", Filter=only({name: value}))["NatGateways"]
    assert [item["NatGatewayId"] for item in found] == [nat["NatGatewayId"]]
    assert cloud.error("DescribeNatGateways", Filter=only({"color": "red"})).code == (
        "InvalidParameterValue"
    )


def test_pages(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    for _ in range(3):
        cloud.call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")
    page = cloud.call("DescribeNatGateways", MaxResults=5)
    assert (len(page["NatGateways"]), "NextToken" in page) == (3, False)


def test_lowering(cloud: Cloud) -> None:
    vpc, gateway, subnet = place(cloud)
    nat = create(cloud, subnet, PrivateIpAddress="10.0.1.9")
    item = nat["NatGatewayAddresses"][0]
    names = {
        nat["NatGatewayId"]: "NAT",
        item["NetworkInterfaceId"]: "ENI",
        subnet: "SUBNET",
        vpc: "VPC",
        gateway: "IGW",
        item["AllocationId"]: "EIP",
        item["PublicIp"]: "PUBLIC",
    }
    types = (Address, Guard, Host, Port, PublicAddress, Translator)
    assert said(cloud, names, *types) == (
        "Address port=ENI ip=10.0.1.9 primary=True delegated=False  # ENI\n"
        "Guard port=ENI addresses=[10.0.1.9] forwarding=True filter_in=None filter_out=None"
        "  # ENI\n"
        "Host id=NAT kind=nat-gateway router=VPC name=NAT  # NAT\n"
        "Port id=ENI segment=SUBNET host=NAT index=0 mac=MAC  # ENI\n"
        "PublicAddress gateway=IGW router=VPC private=10.0.1.9 public=PUBLIC  # EIP ENI\n"
        "Translator port=ENI ip=10.0.1.9 others=[]  # NAT\n"
    )
    cloud.call("DeleteNatGateway", NatGatewayId=nat["NatGatewayId"])
    assert said(cloud, names, *types) == ""


def test_nat64_is_there_while_a_route_of_ipv6_leads_to_the_gateway(cloud: Cloud) -> None:
    vpc, _, subnet = place(cloud)
    nat = create(cloud, subnet, PrivateIpAddress="10.0.1.9")["NatGatewayId"]
    tables = [cloud.call("CreateRouteTable", VpcId=vpc)["RouteTable"] for _ in range(2)]
    ids = [each["RouteTableId"] for each in tables]

    def translated() -> list[str]:
        return [each.ip for each in cloud.program().statements if isinstance(each, Nat64)]

    cloud.call(
        "CreateRoute", RouteTableId=ids[0], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat
    )
    assert translated() == []
    way = {"DestinationIpv6CidrBlock": "64:ff9b::/96"}
    for key in ids:
        cloud.call("CreateRoute", RouteTableId=key, NatGatewayId=nat, **way)
    assert translated() == ["10.0.1.9"]
    cloud.call("DeleteRoute", RouteTableId=ids[0], **way)
    assert translated() == ["10.0.1.9"]
    cloud.call("DeleteNatGateway", NatGatewayId=nat)
    assert translated() == []


def test_dry_run(cloud: Cloud) -> None:
    _, _, subnet = place(cloud)
    error = cloud.error(
        "CreateNatGateway",
        SubnetId=subnet,
        AllocationId=make_address(cloud)["AllocationId"],
        DryRun=True,
    )
    assert (error.code, error.status) == ("DryRunOperation", 412)
    assert cloud.call("DescribeNatGateways")["NatGateways"] == []
