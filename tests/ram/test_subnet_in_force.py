"""What a participant has in a shared subnet, in the abstract network: it knows no accounts."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest

from gureum.program import Filter, GlobalAddress, Member, PublicAddress, Recorded
from tests.conftest import Cloud
from tests.ram.test_transit_gateways import OTHER, ram
from tests.resources.building import make_gateway, make_group, make_subnet, make_vpc, settle
from tests.resources.routing import refusal
from tests.resources.test_instance import image
from tests.resources.test_public_access import MODIFY

S3 = {"TrafficType": "ALL", "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::logs"}


@dataclass
class Two:
    """The owner of a VPC with a gateway, and a participant with an instance in it."""

    own: Cloud
    other: Cloud
    vpc: str
    subnet: str
    group: str
    eni: str


@pytest.fixture
def two(cloud: Cloud) -> Two:
    other = Cloud(account=OTHER)
    other.store, other.dispatch, other.compiler = cloud.store, cloud.dispatch, cloud.compiler
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    subnet = make_subnet(cloud, vpc)
    arn = f"arn:aws:ec2:{cloud.region}:{cloud.account}:subnet/{subnet}"
    ram(cloud, "CreateResourceShare", name="net", resourceArns=[arn], principals=[OTHER])
    (asked,) = ram(other, "GetResourceShareInvitations")["resourceShareInvitations"]
    key = asked["resourceShareInvitationArn"]
    ram(other, "AcceptResourceShareInvitation", resourceShareInvitationArn=key)
    group = make_group(other, vpc)
    place = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group],
             "AssociatePublicIpAddress": True}  # fmt: skip
    made = other.call(
        "RunInstances", ImageId=image(other), MinCount=1, MaxCount=1, NetworkInterfaces=[place]
    )
    settle(cloud)
    eni = made["Instances"][0]["NetworkInterfaces"][0]["NetworkInterfaceId"]
    return Two(cloud, other, vpc, subnet, group, eni)


def public(two: Two) -> int:
    """How many public addresses are in force."""
    return sum(isinstance(each, PublicAddress) for each in two.own.program().statements)


def test_public_access_is_what_the_owner_of_the_vpc_says(two: Two) -> None:
    assert public(two) == 1
    two.other.call(MODIFY, InternetGatewayBlockMode="block-bidirectional")
    settle(two.own)
    assert public(two) == 1, "the gateway is not the participant's"
    two.own.call(MODIFY, InternetGatewayBlockMode="block-bidirectional")
    settle(two.own)
    assert public(two) == 0


def test_rules_know_who_has_another_accounts_group(two: Two) -> None:
    store = make_group(two.own, two.vpc, "store")
    pair = {"GroupId": two.group, "UserId": OTHER}
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}
    two.own.call("AuthorizeSecurityGroupIngress", GroupId=store, IpPermissions=[rule])
    made = two.own.call("CreateNetworkInterface", SubnetId=two.subnet, Groups=[store])
    instance = two.own.call(
        "RunInstances",
        ImageId=image(two.own),
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[
            {"DeviceIndex": 0, "NetworkInterfaceId": made["NetworkInterface"]["NetworkInterfaceId"]}
        ],
    )
    assert instance["Instances"]
    statements = two.own.program().statements
    members = {each.group for each in statements if isinstance(each, Member)}
    assert two.group in members
    peers = {rule.peer for each in statements if isinstance(each, Filter) for rule in each.rules}
    assert two.group in peers


def test_both_record_the_interface(two: Two) -> None:
    for who, kind, key in (
        (two.own, "Subnet", two.subnet),
        (two.other, "NetworkInterface", two.eni),
    ):
        made = who.call("CreateFlowLogs", ResourceIds=[key], ResourceType=kind, **S3)
        assert made["Unsuccessful"] == []
    recorded = [each for each in two.own.program().statements if isinstance(each, Recorded)]
    assert len(recorded) == 1
    (log,) = two.other.call("DescribeFlowLogs")["FlowLogs"]
    two.other.call("DeleteFlowLogs", FlowLogIds=[log["FlowLogId"]])
    recorded = [each for each in two.own.program().statements if isinstance(each, Recorded)]
    assert len(recorded) == 1, "the owner records on"


def test_ipv6_addresses_are_the_subnets(two: Two) -> None:
    made = two.own.call("AssociateVpcCidrBlock", VpcId=two.vpc, AmazonProvidedIpv6CidrBlock=True)
    block = made["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"].replace("::/56", "::/64")
    two.own.call("AssociateSubnetCidrBlock", SubnetId=two.subnet, Ipv6CidrBlock=block)
    settle(two.own)
    asked = {"NetworkInterfaceId": two.eni, "Ipv6AddressCount": 1}
    (ip,) = two.other.call("AssignIpv6Addresses", **asked)["AssignedIpv6Addresses"]
    assert ip_address(ip) in ip_network(block)
    known = [each for each in two.own.program().statements if isinstance(each, GlobalAddress)]
    assert [each.ip for each in known] == [ip]
    two.own.call(MODIFY, InternetGatewayBlockMode="block-bidirectional")
    settle(two.own)
    assert not [each for each in two.own.program().statements if isinstance(each, GlobalAddress)]
    association = ipv6_association(two)
    code, _ = refusal(two.other, "DisassociateSubnetCidrBlock", AssociationId=association)
    assert code == "UnauthorizedOperation"
    code, _ = refusal(two.own, "DisassociateSubnetCidrBlock", AssociationId=association)
    assert code == "InvalidCidrBlock.InUse", "the participant has an address of it"


def ipv6_association(two: Two) -> str:
    (shown,) = two.own.call("DescribeSubnets", SubnetIds=[two.subnet])["Subnets"]
    return str(shown["Ipv6CidrBlockAssociationSet"][0]["AssociationId"])
