"""Elastic IPs: allocating, mapping to interfaces and instances, moving, releasing, quotas."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from gureum.program import PublicAddress
from gureum.resources.elastic_ip import MAX_ADDRESSES
from gureum.resources.public_ip import POOL
from tests.conftest import Cloud
from tests.resources.building import (
    make_address,
    make_gateway,
    make_interface,
    make_subnet,
    make_vpc,
    only,
    plug_in,
    said,
)

INSTANCE = "i-0000000000000000a"


def place(cloud: Cloud) -> tuple[str, str]:
    """A VPC with a gateway, and a subnet in it."""
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    return vpc, make_subnet(cloud, vpc)


def shown(cloud: Cloud, allocation: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = cloud.call("DescribeAddresses", AllocationIds=[allocation])[
        "Addresses"
    ]
    assert len(found) == 1
    return found[0]


def test_allocate_answers_as_aws_does(cloud: Cloud) -> None:
    tags = [{"Key": "Name", "Value": "nat"}]
    answer = cloud.call(
        "AllocateAddress",
        Domain="vpc",
        TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}],
    )
    assert IPv4Address(answer["PublicIp"]) in POOL
    assert answer == {
        "PublicIp": answer["PublicIp"],
        "AllocationId": answer["AllocationId"],
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": "ap-northeast-2",
        "Domain": "vpc",
    }
    assert shown(cloud, answer["AllocationId"]) == {**answer, "Tags": tags}


def test_a_given_address_once(cloud: Cloud) -> None:
    assert cloud.call("AllocateAddress", Address="198.18.7.7")["PublicIp"] == "198.18.7.7"
    for ip in ("198.18.7.7", "203.0.113.5"):
        error = cloud.error("AllocateAddress", Address=ip)
        assert error.code == "InvalidAddress.NotFound"
    assert cloud.error("AllocateAddress", Address="198.18").code == "InvalidParameterValue"


def test_a_refused_allocation_leaves_nothing(cloud: Cloud) -> None:
    cloud.error("AllocateAddress", Address="203.0.113.5")
    assert cloud.call("DescribeAddresses")["Addresses"] == []


def test_the_quota(cloud: Cloud) -> None:
    for _ in range(MAX_ADDRESSES):
        make_address(cloud)
    error = cloud.error("AllocateAddress")
    assert error.code == "AddressLimitExceeded"
    assert error.message == "The maximum number of addresses has been reached."


@pytest.mark.parametrize(
    "params",
    [{"CustomerOwnedIpv4Pool": "coip-1"}, {"IpamPoolId": "ipam-1"}, {"PublicIpv4Pool": "mine"}],
)
def test_pools_that_are_not_built(cloud: Cloud, params: dict[str, str]) -> None:
    assert cloud.error("AllocateAddress", **params).code == "UnsupportedOperation"


def test_associate_with_an_interface(cloud: Cloud) -> None:
    _, subnet = place(cloud)
    eni = make_interface(cloud, subnet)
    address = make_address(cloud)
    answer = cloud.call(
        "AssociateAddress",
        AllocationId=address["AllocationId"],
        NetworkInterfaceId=eni["NetworkInterfaceId"],
    )
    key = answer["AssociationId"]
    assert key.startswith("eipassoc-")
    assert shown(cloud, address["AllocationId"]) == {
        **address,
        "AssociationId": key,
        "NetworkInterfaceId": eni["NetworkInterfaceId"],
        "NetworkInterfaceOwnerId": "123456789012",
        "PrivateIpAddress": eni["PrivateIpAddress"],
        "Tags": [],
    }
    interface = cloud.call(
        "DescribeNetworkInterfaces", NetworkInterfaceIds=[eni["NetworkInterfaceId"]]
    )["NetworkInterfaces"][0]
    assert interface["Association"] == {
        "PublicIp": address["PublicIp"],
        "PublicDnsName": "",
        "IpOwnerId": "123456789012",
        "AllocationId": address["AllocationId"],
        "AssociationId": key,
    }


def test_associate_again_is_the_same_association(cloud: Cloud) -> None:
    _, subnet = place(cloud)
    params = {
        "AllocationId": make_address(cloud)["AllocationId"],
        "NetworkInterfaceId": make_interface(cloud, subnet)["NetworkInterfaceId"],
    }
    first = cloud.call("AssociateAddress", **params)
    assert cloud.call("AssociateAddress", **params, AllowReassociation=False) == first


def test_an_address_moves_unless_that_is_forbidden(cloud: Cloud) -> None:
    _, subnet = place(cloud)
    one, two = (make_interface(cloud, subnet)["NetworkInterfaceId"] for _ in range(2))
    allocation = make_address(cloud)["AllocationId"]
    first = cloud.call("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=one)
    error = cloud.error(
        "AssociateAddress",
        AllocationId=allocation,
        NetworkInterfaceId=two,
        AllowReassociation=False,
    )
    assert error.code == "Resource.AlreadyAssociated"
    assert error.message == (
        f"resource {allocation} is already associated with associate-id {first['AssociationId']}"
    )
    second = cloud.call("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=two)
    assert second != first
    assert shown(cloud, allocation)["NetworkInterfaceId"] == two
    gone = cloud.error("DisassociateAddress", AssociationId=first["AssociationId"])
    assert gone.code == "InvalidAssociationID.NotFound"


def test_another_address_of_the_interface_gives_way(cloud: Cloud) -> None:
    _, subnet = place(cloud)
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    old, new = (make_address(cloud)["AllocationId"] for _ in range(2))
    cloud.call("AssociateAddress", AllocationId=old, NetworkInterfaceId=eni)
    error = cloud.error(
        "AssociateAddress", AllocationId=new, NetworkInterfaceId=eni, AllowReassociation=False
    )
    assert error.code == "Resource.AlreadyAssociated"
    cloud.call("AssociateAddress", AllocationId=new, NetworkInterfaceId=eni)
    assert "AssociationId" not in shown(cloud, old)
    assert shown(cloud, new)["NetworkInterfaceId"] == eni


def test_a_secondary_private_address(cloud: Cloud) -> None:
    _, subnet = place(cloud)
    second = "10.0.1.21"
    eni = make_interface(
        cloud,
        subnet,
        PrivateIpAddress="10.0.1.20",
        PrivateIpAddresses=[{"PrivateIpAddress": second}],
    )
    one, two = (make_address(cloud)["AllocationId"] for _ in range(2))
    where = {"NetworkInterfaceId": eni["NetworkInterfaceId"]}
    cloud.call("AssociateAddress", AllocationId=one, **where)
    cloud.call("AssociateAddress", AllocationId=two, PrivateIpAddress=second, **where)
    assert shown(cloud, one)["PrivateIpAddress"] == "10.0.1.20"
    assert shown(cloud, two)["PrivateIpAddress"] == second
    error = cloud.error("AssociateAddress", AllocationId=one, PrivateIpAddress="10.0.1.99", **where)
    assert error.code == "InvalidParameterValue"


def test_an_instance_stands_for_its_only_interface(cloud: Cloud) -> None:
    _, subnet = place(cloud)
    one, two = (make_interface(cloud, subnet)["NetworkInterfaceId"] for _ in range(2))
    plug_in(cloud, one, INSTANCE)
    address = make_address(cloud)
    cloud.call("AssociateAddress", PublicIp=address["PublicIp"], InstanceId=INSTANCE)
    found = cloud.call("DescribeAddresses", Filters=only({"instance-id": INSTANCE}))["Addresses"]
    assert [item["NetworkInterfaceId"] for item in found] == [one]
    plug_in(cloud, two, INSTANCE, index=1)
    error = cloud.error(
        "AssociateAddress", AllocationId=address["AllocationId"], InstanceId=INSTANCE
    )
    assert error.code == "InvalidInstanceID"
    assert error.message.startswith(
        f"There are multiple interfaces attached to instance '{INSTANCE}'."
    )


def test_a_network_without_gateway(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    eni = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    error = cloud.error(
        "AssociateAddress",
        AllocationId=make_address(cloud)["AllocationId"],
        NetworkInterfaceId=eni,
    )
    assert error.code == "Gateway.NotAttached"
    assert error.message == f"Network {vpc} is not attached to any internet gateway"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {"AllocationId": "eipalloc-0123456789abcdef0", "InstanceId": INSTANCE},
            "InvalidAllocationID.NotFound",
            "The allocation ID 'eipalloc-0123456789abcdef0' does not exist",
        ),
        (
            {"PublicIp": "198.18.1.1", "InstanceId": INSTANCE},
            "InvalidAddress.NotFound",
            "Address '198.18.1.1' not found.",
        ),
        (
            {"InstanceId": INSTANCE},
            "MissingParameter",
            "The request must contain the parameter AllocationId",
        ),
        (
            {"AllocationId": "eipalloc-0123456789abcdef0", "PublicIp": "198.18.1.1"},
            "InvalidParameterCombination",
            "You may specify public IP or allocation id, but not both",
        ),
    ],
)
def test_what_cannot_be_associated(
    cloud: Cloud, params: dict[str, str], code: str, message: str
) -> None:
    error = cloud.error("AssociateAddress", **params)
    assert (error.code, error.message) == (code, message)


def test_to_what_it_cannot_be_associated(cloud: Cloud) -> None:
    allocation = make_address(cloud)["AllocationId"]
    nothing = cloud.error("AssociateAddress", AllocationId=allocation)
    assert nothing.code == "MissingParameter"
    instance = cloud.error("AssociateAddress", AllocationId=allocation, InstanceId=INSTANCE)
    assert instance.code == "InvalidInstanceID.NotFound"
    interface = cloud.error(
        "AssociateAddress",
        AllocationId=allocation,
        NetworkInterfaceId="eni-0123456789abcdef0",
    )
    assert interface.code == "InvalidNetworkInterfaceID.NotFound"


def test_the_address_of_a_nat_gateway_is_not_ours_to_move(cloud: Cloud) -> None:
    _, subnet = place(cloud)
    address = make_address(cloud)
    nat = cloud.call("CreateNatGateway", SubnetId=subnet, AllocationId=address["AllocationId"])
    item = nat["NatGateway"]["NatGatewayAddresses"][0]
    taken = cloud.error("DisassociateAddress", AssociationId=item["AssociationId"])
    assert (taken.code, taken.status) == ("AuthFailure", 400)
    given = cloud.error(
        "AssociateAddress",
        AllocationId=make_address(cloud)["AllocationId"],
        NetworkInterfaceId=item["NetworkInterfaceId"],
    )
    assert given.code == "AuthFailure"
    moved = cloud.error(
        "AssociateAddress",
        AllocationId=address["AllocationId"],
        NetworkInterfaceId=make_interface(cloud, subnet)["NetworkInterfaceId"],
    )
    assert moved.code == "AuthFailure"
    assert cloud.error("ReleaseAddress", AllocationId=address["AllocationId"]).code == (
        "InvalidIPAddress.InUse"
    )


@pytest.mark.parametrize("by", ["AssociationId", "PublicIp"])
def test_disassociate_and_release(cloud: Cloud, by: str) -> None:
    _, subnet = place(cloud)
    address = make_address(cloud)
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    answer = cloud.call(
        "AssociateAddress", AllocationId=address["AllocationId"], NetworkInterfaceId=eni
    )
    used = cloud.error("ReleaseAddress", AllocationId=address["AllocationId"])
    assert used.code == "InvalidIPAddress.InUse"
    assert used.message == f"Address {address['PublicIp']} is in use."
    assert cloud.call("DisassociateAddress", **{by: (answer | address)[by]}) == {}
    again = cloud.error("DisassociateAddress", **{by: (answer | address)[by]})
    assert again.code == "InvalidAssociationID.NotFound"
    assert cloud.call("ReleaseAddress", AllocationId=address["AllocationId"]) == {}
    gone = cloud.error("DescribeAddresses", AllocationIds=[address["AllocationId"]])
    assert gone.code == "InvalidAllocationID.NotFound"
    # What was released can be had again.
    cloud.call("AllocateAddress", Address=address["PublicIp"])


def test_disassociate_needs_a_name(cloud: Cloud) -> None:
    assert cloud.error("DisassociateAddress").code == "MissingParameter"
    unknown = cloud.error("DisassociateAddress", AssociationId="eipassoc-0123456789abcdef0")
    assert unknown.code == "InvalidAssociationID.NotFound"
    assert unknown.message == "The association ID 'eipassoc-0123456789abcdef0' does not exist"


def test_release_by_address(cloud: Cloud) -> None:
    address = make_address(cloud)
    assert cloud.call("ReleaseAddress", PublicIp=address["PublicIp"]) == {}
    error = cloud.error("ReleaseAddress", PublicIp=address["PublicIp"])
    assert error.code == "InvalidAddress.NotFound"
    assert error.message == f"Address '{address['PublicIp']}' not found."


def test_deleting_the_interface_frees_the_address(cloud: Cloud) -> None:
    _, subnet = place(cloud)
    address = make_address(cloud)
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    cloud.call("AssociateAddress", AllocationId=address["AllocationId"], NetworkInterfaceId=eni)
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni)
    assert shown(cloud, address["AllocationId"]) == {**address, "Tags": []}


def test_select_by_public_address(cloud: Cloud) -> None:
    one, two = make_address(cloud), make_address(cloud)
    found = cloud.call("DescribeAddresses", PublicIps=[two["PublicIp"]])["Addresses"]
    assert [item["AllocationId"] for item in found] == [two["AllocationId"]]
    error = cloud.error("DescribeAddresses", PublicIps=[one["PublicIp"], "198.18.0.255"])
    assert error.code == "InvalidAddress.NotFound"
    assert error.message == "Address '198.18.0.255' not found."


@pytest.mark.parametrize(
    "name",
    [
        "allocation-id",
        "association-id",
        "network-interface-id",
        "network-interface-owner-id",
        "private-ip-address",
        "public-ip",
        "tag:Name",
    ],
)
def test_filters(cloud: Cloud, name: str) -> None:
    _, subnet = place(cloud)
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "me"}]}]
    address = cloud.call("AllocateAddress", TagSpecifications=tags)
    other = make_address(cloud)
    eni = make_interface(cloud, subnet)
    answer = cloud.call(
        "AssociateAddress",
        AllocationId=address["AllocationId"],
        NetworkInterfaceId=eni["NetworkInterfaceId"],
    )
    value = {
        "allocation-id": address["AllocationId"],
        "association-id": answer["AssociationId"],
        "network-interface-id": eni["NetworkInterfaceId"],
        "network-interface-owner-id": "123456789012",
        "private-ip-address": eni["PrivateIpAddress"],
        "public-ip": address["PublicIp"],
        "tag:Name": "me",
    }[name]
    found = cloud.call("DescribeAddresses", Filters=only({"domain": "vpc", name: value}))
    assert [item["AllocationId"] for item in found["Addresses"]] == [address["AllocationId"]]
    none = cloud.call("DescribeAddresses", Filters=only({"domain": "standard"}))
    assert none["Addresses"] == []
    assert other["AllocationId"] != address["AllocationId"]


def test_terraform_asks_for_the_domain_name(cloud: Cloud) -> None:
    """Addresses without a name are not listed; an unknown one is refused."""
    key = make_address(cloud)["AllocationId"]
    only_it = {"AllocationIds": [key], "Attribute": "domain-name"}
    assert cloud.call("DescribeAddressesAttribute", **only_it)["Addresses"] == []
    gone = {**only_it, "AllocationIds": ["eipalloc-00000000000000001"]}
    assert cloud.error("DescribeAddressesAttribute", **gone).code == "InvalidAllocationID.NotFound"


def test_lowering_needs_a_port_and_a_gateway(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    gateway = make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc), PrivateIpAddress="10.0.1.20")
    address = cloud.call("AllocateAddress", Address="198.18.7.7")
    key = eni["NetworkInterfaceId"]
    cloud.call("AssociateAddress", AllocationId=address["AllocationId"], NetworkInterfaceId=key)
    names = {key: "ENI", gateway: "IGW", vpc: "VPC", address["AllocationId"]: "EIP"}
    assert said(cloud, names, PublicAddress) == ""
    plug_in(cloud, key)
    assert said(cloud, names, PublicAddress) == (
        "PublicAddress gateway=IGW router=VPC private=10.0.1.20 public=198.18.7.7  # EIP ENI\n"
    )


def test_dry_run(cloud: Cloud) -> None:
    assert cloud.error("AllocateAddress", DryRun=True).code == "DryRunOperation"
    address = make_address(cloud)
    error = cloud.error("ReleaseAddress", AllocationId=address["AllocationId"], DryRun=True)
    assert (error.code, error.status) == ("DryRunOperation", 412)
    assert len(cloud.call("DescribeAddresses")["Addresses"]) == 1
