"""IPv6 from the API to the program: blocks, addresses, routes, rules, egress-only gateways."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from gureum.program import (
    Address,
    Guard,
    Range,
    Segment,
)
from gureum.resources.ipv6 import MAX_BLOCKS, POOL
from gureum.resources.subnet import Lease
from tests.conftest import Cloud
from tests.resources.building import (
    make_interface,
    make_subnet,
    make_vpc,
    only,
    plug_in,
)
from tests.resources.routing import refusal
from tests.resources.test_instance import one as run_one
from tests.resources.test_instance import show as show_instance

ANY, ANY4 = "::/0", "0.0.0.0/0"


def dual(cloud: Cloud) -> tuple[str, str]:
    """A new VPC with an IPv6 block, and the block."""
    shape = cloud.call("CreateVpc", CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)[
        "Vpc"
    ]
    (block,) = shape["Ipv6CidrBlockAssociationSet"]
    return shape["VpcId"], block["Ipv6CidrBlock"]


def nth(block: str, number: int) -> str:
    """The n-th /64 of a block."""
    base = int(IPv6Network(block).network_address) + (number << 64)
    return str(IPv6Network((base, 64)))


def at(cidr: str, number: int) -> str:
    return str(IPv6Network(cidr)[number])


def dual_subnet(cloud: Cloud, number: int = 1) -> tuple[str, str, str]:
    """A VPC, a subnet in it, and the subnet's IPv6 block."""
    vpc, block = dual(cloud)
    cidr = nth(block, number)
    return vpc, make_subnet(cloud, vpc, Ipv6CidrBlock=cidr), cidr


def vpc_shape(cloud: Cloud, vpc: str) -> dict[str, Any]:
    (shape,) = cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    return dict(shape)


def subnet_shape(cloud: Cloud, key: str) -> dict[str, Any]:
    (shape,) = cloud.call("DescribeSubnets", SubnetIds=[key])["Subnets"]
    return dict(shape)


def statements(cloud: Cloud, kind: type) -> list[Any]:
    return [each for each in cloud.program().statements if isinstance(each, kind)]


# --- blocks of VPCs -----------------------------------------------------------------------------
def test_a_vpc_with_a_block(cloud: Cloud) -> None:
    vpc, block = dual(cloud)
    network = IPv6Network(block)
    assert network.prefixlen == 56
    assert network.subnet_of(POOL)
    (shown,) = vpc_shape(cloud, vpc)["Ipv6CidrBlockAssociationSet"]
    assert shown == {
        "AssociationId": shown["AssociationId"],
        "Ipv6CidrBlock": block,
        "Ipv6CidrBlockState": {"State": "associated"},
        "NetworkBorderGroup": "ap-northeast-2",
        "Ipv6Pool": "Amazon",
        "Ipv6AddressAttribute": "public",
        "IpSource": "amazon",
    }
    assert shown["AssociationId"].startswith("vpc-cidr-assoc-")
    for name, value in (("association-id", shown["AssociationId"]), ("ipv6-cidr-block", block)):
        filters = only({f"ipv6-cidr-block-association.{name}": value})
        assert [each["VpcId"] for each in cloud.call("DescribeVpcs", Filters=filters)["Vpcs"]] == [
            vpc
        ]
    assert Range(vpc, block) in cloud.program().statements
    cloud.call("DeleteVpc", VpcId=vpc)
    assert Range(vpc, block) not in cloud.program().statements


def test_a_block_is_associated_and_disassociated(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    answer = cloud.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    item = answer["Ipv6CidrBlockAssociation"]
    assert item["Ipv6CidrBlockState"] == {"State": "associating"}
    subnet = make_subnet(cloud, vpc, Ipv6CidrBlock=nth(item["Ipv6CidrBlock"], 0))
    gone = {"AssociationId": item["AssociationId"]}
    assert refusal(cloud, "DisassociateVpcCidrBlock", **gone)[0] == "InvalidCidrBlock.InUse"
    cloud.call("DeleteSubnet", SubnetId=subnet)
    answer = cloud.call("DisassociateVpcCidrBlock", **gone)
    assert answer["Ipv6CidrBlockAssociation"]["Ipv6CidrBlockState"]["State"] == "disassociating"
    assert vpc_shape(cloud, vpc)["Ipv6CidrBlockAssociationSet"] == []
    code = "InvalidVpcCidrBlockAssociationID.NotFound"
    assert refusal(cloud, "DisassociateVpcCidrBlock", **gone)[0] == code


def test_blocks_are_limited_and_never_given_twice(cloud: Cloud) -> None:
    vpc, first = dual(cloud)
    for _ in range(MAX_BLOCKS - 1):
        cloud.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    shown = vpc_shape(cloud, vpc)["Ipv6CidrBlockAssociationSet"]
    assert len({each["Ipv6CidrBlock"] for each in shown}) == MAX_BLOCKS
    more = {"VpcId": vpc, "AmazonProvidedIpv6CidrBlock": True}
    assert refusal(cloud, "AssociateVpcCidrBlock", **more)[0] == "CidrLimitExceeded"
    other = make_vpc(cloud, "10.1.0.0/16")
    asked = {"VpcId": other, "Ipv6Pool": "Amazon", "Ipv6CidrBlock": first}
    assert refusal(cloud, "AssociateVpcCidrBlock", **asked)[0] == "InvalidVpc.Range"


def test_a_block_that_is_asked_for(cloud: Cloud) -> None:
    params = {"CidrBlock": "10.0.0.0/16", "Ipv6Pool": "Amazon"}
    vpc = cloud.call("CreateVpc", Ipv6CidrBlock="3fff:1:2:300::1/56", **params)["Vpc"]
    (item,) = vpc["Ipv6CidrBlockAssociationSet"]
    assert item["Ipv6CidrBlock"] == "3fff:1:2:300::/56"
    assert item["Ipv6CidrBlockState"] == {"State": "associating"}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Ipv6CidrBlock": "3fff:1:2:300::/56"}, "MissingParameter"),
        ({"Ipv6CidrBlock": "3fff:1:2:300::/60", "Ipv6Pool": "Amazon"}, "InvalidVpc.Range"),
        ({"Ipv6CidrBlock": "2001:db8::/56", "Ipv6Pool": "Amazon"}, "InvalidVpc.Range"),
        ({"Ipv6CidrBlock": "10.0.0.0/16", "Ipv6Pool": "Amazon"}, "InvalidParameterValue"),
        ({"Ipv6Pool": "ipv6pool-ec2-012345678"}, "UnsupportedOperation"),
        ({"Ipv6IpamPoolId": "ipam-pool-00000000000000001"}, "UnsupportedOperation"),
        (
            {"AmazonProvidedIpv6CidrBlock": True, "Ipv6Pool": "Amazon"},
            "InvalidParameterCombination",
        ),
    ],
)
def test_blocks_that_no_vpc_gets(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    assert refusal(cloud, "CreateVpc", CidrBlock="10.0.0.0/16", **params)[0] == code
    assert len(cloud.call("DescribeVpcs")["Vpcs"]) == 1


# --- blocks of subnets --------------------------------------------------------------------------
def test_a_subnet_with_a_block(cloud: Cloud) -> None:
    _, subnet, cidr = dual_subnet(cloud)
    shape = subnet_shape(cloud, subnet)
    (item,) = shape["Ipv6CidrBlockAssociationSet"]
    assert item == {
        "AssociationId": item["AssociationId"],
        "Ipv6CidrBlock": cidr,
        "Ipv6CidrBlockState": {"State": "associated"},
        "Ipv6AddressAttribute": "public",
        "IpSource": "amazon",
    }
    assert item["AssociationId"].startswith("subnet-cidr-assoc-")
    assert shape["AssignIpv6AddressOnCreation"] is False
    filters = only({"ipv6-cidr-block-association.ipv6-cidr-block": cidr})
    found = cloud.call("DescribeSubnets", Filters=filters)["Subnets"]
    assert [each["SubnetId"] for each in found] == [subnet]
    (segment,) = (each for each in statements(cloud, Segment) if each.id == subnet)
    assert segment.cidr6 == cidr


def test_subnet_blocks_that_are_refused(cloud: Cloud) -> None:
    vpc, block = dual(cloud)
    make_subnet(cloud, vpc, Ipv6CidrBlock=nth(block, 1))

    def code(cidr: str) -> str:
        params = {"VpcId": vpc, "CidrBlock": "10.0.2.0/24", "Ipv6CidrBlock": cidr}
        return refusal(cloud, "CreateSubnet", **params)[0]

    assert code(nth(block, 1)) == "InvalidSubnet.Conflict"
    assert code(block.replace("/56", "/60")) == "InvalidSubnet.Conflict"  # has the second /64
    assert code(nth(block, 2).replace("/64", "/65")) == "InvalidSubnet.Range"
    assert code(nth(block, 2).replace("/64", "/63")) == "InvalidSubnet.Range"
    assert code("3fff:ff:ff:ff::/64") == "InvalidSubnet.Range"
    assert code("10.0.2.0/24") == "InvalidParameterValue"
    alone = {"VpcId": vpc, "Ipv6CidrBlock": nth(block, 3)}
    assert refusal(cloud, "CreateSubnet", **alone)[0] == "MissingParameter"


def test_a_subnet_gets_a_block_later(cloud: Cloud) -> None:
    vpc, block = dual(cloud)
    subnet = make_subnet(cloud, vpc)
    asked = {"SubnetId": subnet, "Ipv6CidrBlock": nth(block, 5)}
    item = cloud.call("AssociateSubnetCidrBlock", **asked)["Ipv6CidrBlockAssociation"]
    assert item["Ipv6CidrBlock"] == nth(block, 5)
    assert refusal(cloud, "AssociateSubnetCidrBlock", **asked)[0] == "CidrLimitExceeded"
    eni = make_interface(cloud, subnet, Ipv6AddressCount=1)
    gone = {"AssociationId": item["AssociationId"]}
    assert refusal(cloud, "DisassociateSubnetCidrBlock", **gone)[0] == "InvalidCidrBlock.InUse"
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni["NetworkInterfaceId"])
    for value, code in ((True, "InvalidCidrBlock.InUse"), (False, None)):
        assigned = {"AssignIpv6AddressOnCreation": {"Value": value}}
        cloud.call("ModifySubnetAttribute", SubnetId=subnet, **assigned)
        if code:
            assert refusal(cloud, "DisassociateSubnetCidrBlock", **gone)[0] == code
    cloud.call("DisassociateSubnetCidrBlock", **gone)
    assert subnet_shape(cloud, subnet)["Ipv6CidrBlockAssociationSet"] == []
    code = "InvalidSubnetCidrBlockAssociationID.NotFound"
    assert refusal(cloud, "DisassociateSubnetCidrBlock", **gone)[0] == code


# --- addresses ----------------------------------------------------------------------------------
def test_interfaces_get_addresses(cloud: Cloud) -> None:
    _, subnet, cidr = dual_subnet(cloud)
    asked = at(cidr, 0x99)
    eni = make_interface(cloud, subnet, Ipv6Addresses=[{"Ipv6Address": asked}])
    assert eni["Ipv6Addresses"] == [{"Ipv6Address": asked, "IsPrimaryIpv6": False}]
    assert eni["Ipv6Address"] == asked
    drawn = make_interface(cloud, subnet, Ipv6AddressCount=2)["Ipv6Addresses"]
    assert len({each["Ipv6Address"] for each in drawn}) == 2
    assert all(IPv6Address(each["Ipv6Address"]) in IPv6Network(cidr) for each in drawn)
    filters = only({"ipv6-addresses.ipv6-address": asked})
    found = cloud.call("DescribeNetworkInterfaces", Filters=filters)["NetworkInterfaces"]
    assert [each["NetworkInterfaceId"] for each in found] == [eni["NetworkInterfaceId"]]
    # an IPv6 address takes none of the IPv4 ones
    assert subnet_shape(cloud, subnet)["AvailableIpAddressCount"] == 251 - 2


def test_addresses_that_nobody_gets(cloud: Cloud) -> None:
    vpc, subnet, cidr = dual_subnet(cloud)
    taken = at(cidr, 10)
    make_interface(cloud, subnet, Ipv6Addresses=[{"Ipv6Address": taken}])

    def code(address: str) -> str:
        params = {"SubnetId": subnet, "Ipv6Addresses": [{"Ipv6Address": address}]}
        return refusal(cloud, "CreateNetworkInterface", **params)[0]

    assert [code(at(cidr, n)) for n in (0, 1, 2, 3, -1)] == ["InvalidParameterValue"] * 5
    assert code("3fff::5") == "InvalidParameterValue"
    assert code("10.0.1.9") == "InvalidParameterValue"
    assert code(taken) == "InvalidIPAddress.InUse"
    plain = make_subnet(cloud, vpc, "10.0.9.0/24")
    asked = {"SubnetId": plain, "Ipv6AddressCount": 1}
    assert refusal(cloud, "CreateNetworkInterface", **asked)[0] == "InvalidParameterValue"
    both = {"Ipv6AddressCount": 1, "Ipv6Addresses": [{"Ipv6Address": at(cidr, 9)}]}
    code_ = refusal(cloud, "CreateNetworkInterface", SubnetId=subnet, **both)[0]
    assert code_ == "InvalidParameterCombination"


def test_a_subnet_gives_addresses_unasked(cloud: Cloud) -> None:
    vpc, subnet, _ = dual_subnet(cloud)
    on = {"AssignIpv6AddressOnCreation": {"Value": True}}
    cloud.call("ModifySubnetAttribute", SubnetId=subnet, **on)
    assert subnet_shape(cloud, subnet)["AssignIpv6AddressOnCreation"] is True
    assert len(make_interface(cloud, subnet)["Ipv6Addresses"]) == 1
    assert make_interface(cloud, subnet, Ipv6AddressCount=0)["Ipv6Addresses"] == []
    assert len(make_interface(cloud, subnet, Ipv6AddressCount=2)["Ipv6Addresses"]) == 2
    assert "Ipv6Address" in run_one(cloud, SubnetId=subnet)
    plain = make_subnet(cloud, vpc, "10.0.9.0/24")
    code, _ = refusal(cloud, "ModifySubnetAttribute", SubnetId=plain, **on)
    assert code == "InvalidParameterValue"


def test_addresses_are_assigned_and_unassigned(cloud: Cloud) -> None:
    _, subnet, cidr = dual_subnet(cloud)
    eni = make_interface(cloud, subnet)["NetworkInterfaceId"]
    one, two = at(cidr, 0x10), at(cidr, 0x11)
    params = {"NetworkInterfaceId": eni}
    answer = cloud.call("AssignIpv6Addresses", Ipv6Addresses=[one, two], **params)
    assert answer["AssignedIpv6Addresses"] == [one, two]
    drawn = cloud.call("AssignIpv6Addresses", Ipv6AddressCount=1, **params)
    assert len(drawn["AssignedIpv6Addresses"]) == 1
    plug_in(cloud, eni)
    guard = next(each for each in statements(cloud, Guard) if each.port.id == eni)
    assert set(guard.addresses[1:]) == {one, two, *drawn["AssignedIpv6Addresses"]}
    found = {each.ip: each.primary for each in statements(cloud, Address) if each.port.id == eni}
    assert (found[one], found[two]) == (True, False)
    written = IPv6Address(one).exploded
    answer = cloud.call("UnassignIpv6Addresses", Ipv6Addresses=[written], **params)
    assert answer["UnassignedIpv6Addresses"] == [written]
    again = refusal(cloud, "UnassignIpv6Addresses", Ipv6Addresses=[one], **params)
    assert again[0] == "InvalidParameterValue"
    assert one not in {each.ip for each in cloud.store.view.all(Lease)}
    neither = refusal(cloud, "AssignIpv6Addresses", **params)[0]
    assert neither == "InvalidParameterCombination"


def test_instances_are_launched_with_addresses(cloud: Cloud) -> None:
    _, subnet, cidr = dual_subnet(cloud)
    asked = [{"Ipv6Address": at(cidr, 0x42)}]
    made = run_one(cloud, SubnetId=subnet, Ipv6Addresses=asked)
    assert made["Ipv6Address"] == at(cidr, 0x42)
    shown = show_instance(cloud, made["InstanceId"])
    assert shown["NetworkInterfaces"][0]["Ipv6Addresses"] == [
        {"Ipv6Address": at(cidr, 0x42), "IsPrimaryIpv6": False}
    ]
    for name in ("ipv6-address", "network-interface.ipv6-addresses.ipv6-address"):
        filters = only({name: at(cidr, 0x42)})
        (found,) = cloud.call("DescribeInstances", Filters=filters)["Reservations"]
        assert found["Instances"][0]["InstanceId"] == made["InstanceId"]
    listed = [{"DeviceIndex": 0, "SubnetId": subnet, "Ipv6AddressCount": 2}]
    two = run_one(cloud, NetworkInterfaces=listed)
    assert len(two["NetworkInterfaces"][0]["Ipv6Addresses"]) == 2
    image = {"ImageId": made["ImageId"], "MinCount": 2, "MaxCount": 2, "SubnetId": subnet}
    both = refusal(cloud, "RunInstances", Ipv6Addresses=[{"Ipv6Address": at(cidr, 0x43)}], **image)
    assert both[0] == "InvalidParameterCombination"


def test_a_primary_address_stays_until_the_interface_is_detached(cloud: Cloud) -> None:
    _, subnet, cidr = dual_subnet(cloud)
    first, second = at(cidr, 0x10), at(cidr, 0x20)
    asked = [{"Ipv6Address": first}, {"Ipv6Address": second}]
    eni = make_interface(cloud, subnet, Ipv6Addresses=asked)["NetworkInterfaceId"]
    which = {"NetworkInterfaceId": eni}

    def primary() -> list[bool]:
        (shape,) = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])[
            "NetworkInterfaces"
        ]
        return [each["IsPrimaryIpv6"] for each in shape["Ipv6Addresses"]]

    assert primary() == [False, False]
    change = "ModifyNetworkInterfaceAttribute"
    cloud.call(change, EnablePrimaryIpv6=True, **which)
    assert primary() == [True, False]
    code, message = refusal(cloud, "UnassignIpv6Addresses", Ipv6Addresses=[first], **which)
    assert code == "InvalidParameterValue"
    assert first in message
    cloud.call("UnassignIpv6Addresses", Ipv6Addresses=[second], **which)
    assert refusal(cloud, change, EnablePrimaryIpv6=False, **which)[0] == "InvalidParameterValue"
    two = make_interface(cloud, subnet, EnablePrimaryIpv6=True, Ipv6AddressCount=2)
    assert [each["IsPrimaryIpv6"] for each in two["Ipv6Addresses"]] == [True, False]


def test_an_instance_is_launched_with_a_primary_address(cloud: Cloud) -> None:
    _, subnet, cidr = dual_subnet(cloud)
    given = [{"Ipv6Address": at(cidr, 0x42)}]
    made = run_one(cloud, SubnetId=subnet, Ipv6Addresses=given, EnablePrimaryIpv6=True)
    (station,) = made["NetworkInterfaces"]
    (address,) = station["Ipv6Addresses"]
    assert address == {"Ipv6Address": at(cidr, 0x42), "IsPrimaryIpv6": True}
    listed = [{"DeviceIndex": 0, "SubnetId": subnet, "Ipv6AddressCount": 1, "PrimaryIpv6": True}]
    other = run_one(cloud, NetworkInterfaces=listed)["NetworkInterfaces"][0]
    assert other["Ipv6Addresses"][0]["IsPrimaryIpv6"] is True
    image = {"ImageId": made["ImageId"], "MinCount": 1, "MaxCount": 1}
    both = {"EnablePrimaryIpv6": True, "NetworkInterfaces": listed}
    code, message = refusal(cloud, "RunInstances", **image, **both)
    assert code == "InvalidParameterCombination"
    assert "primary IPv6 address" in message


def test_a_detached_interface_has_no_primary_address(cloud: Cloud) -> None:
    _, subnet, _ = dual_subnet(cloud)
    made = run_one(cloud, SubnetId=subnet)
    more = {"EnablePrimaryIpv6": True, "Ipv6AddressCount": 1}
    eni = make_interface(cloud, subnet, **more)["NetworkInterfaceId"]
    where = {"InstanceId": made["InstanceId"], "DeviceIndex": 1, "NetworkInterfaceId": eni}
    key = cloud.call("AttachNetworkInterface", **where)["AttachmentId"]
    cloud.call("DetachNetworkInterface", AttachmentId=key)
    (shape,) = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[eni])[
        "NetworkInterfaces"
    ]
    assert [each["IsPrimaryIpv6"] for each in shape["Ipv6Addresses"]] == [False]


def test_a_nat_gateway_has_no_address(cloud: Cloud) -> None:
    _, subnet, _ = dual_subnet(cloud)
    on = {"AssignIpv6AddressOnCreation": {"Value": True}}
    cloud.call("ModifySubnetAttribute", SubnetId=subnet, **on)
    cloud.call("CreateNatGateway", SubnetId=subnet, ConnectivityType="private")
    (eni,) = cloud.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
    assert eni["Ipv6Addresses"] == []
