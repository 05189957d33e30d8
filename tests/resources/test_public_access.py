"""VPC Block Public Access: options, exclusions, and what is left of the ways to the internet."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import GlobalAddress, PublicAddress
from tests.conftest import Cloud
from tests.resources.building import make_gateway, make_subnet, settle
from tests.resources.test_instance import image

MODIFY = "ModifyVpcBlockPublicAccessOptions"
CREATE = "CreateVpcBlockPublicAccessExclusion"
LIST = "DescribeVpcBlockPublicAccessExclusions"


def _mode(cloud: Cloud, mode: str) -> dict[str, Any]:
    answer = cloud.call(MODIFY, InternetGatewayBlockMode=mode)
    return dict(answer["VpcBlockPublicAccessOptions"])


@pytest.fixture
def net(cloud: Cloud) -> dict[str, str]:
    """A dual-stack VPC with both gateways; an instance and a NAT gateway, in a subnet each."""
    made = cloud.call("CreateVpc", CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    vpc = str(made["VpcId"])
    block = made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    gateway = make_gateway(cloud, vpc)
    egress = cloud.call("CreateEgressOnlyInternetGateway", VpcId=vpc)
    web = make_subnet(cloud, vpc, "10.0.0.0/24", Ipv6CidrBlock=block.replace("::/56", "::/64"))
    nat = make_subnet(cloud, vpc, "10.0.1.0/24")
    eni = {
        "DeviceIndex": 0,
        "SubnetId": web,
        "AssociatePublicIpAddress": True,
        "Ipv6AddressCount": 1,
    }
    cloud.call(
        "RunInstances",
        ImageId=image(cloud),
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[eni],
    )
    elastic = cloud.call("AllocateAddress", Domain="vpc")["AllocationId"]
    cloud.call("CreateNatGateway", SubnetId=nat, AllocationId=elastic)
    settle(cloud)
    return {
        "vpc": vpc,
        "igw": gateway,
        "eigw": str(egress["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]),
        "web": web,
        "nat": nat,
    }


def ways(cloud: Cloud, net: dict[str, str]) -> set[str]:
    """Which ways to the internet there are."""
    names = {net["igw"]: "igw", net["eigw"]: "eigw"}
    nat = cloud.call("DescribeNatGateways")["NatGateways"][0]["NatGatewayAddresses"][0]
    found = set()
    for each in cloud.program().statements:
        if isinstance(each, PublicAddress):
            found.add("nat" if each.public == nat["PublicIp"] else "web")
        elif isinstance(each, GlobalAddress):
            found.add(f"{names[each.gateway]} ipv6")
    return found


ALL = {"web", "nat", "igw ipv6", "eigw ipv6"}
OUTWARDS = {"nat", "eigw ipv6"}


def test_what_was_never_said_is_shown(cloud: Cloud) -> None:
    answer = cloud.call("DescribeVpcBlockPublicAccessOptions")["VpcBlockPublicAccessOptions"]
    assert answer == {
        "AwsAccountId": "123456789012",
        "AwsRegion": "ap-northeast-2",
        "State": "default-state",
        "InternetGatewayBlockMode": "off",
        "ManagedBy": "account",
        "ExclusionsAllowed": "allowed",
    }


def test_a_mode_is_in_force_and_can_be_taken_back(cloud: Cloud, net: dict[str, str]) -> None:
    assert ways(cloud, net) == ALL
    assert _mode(cloud, "block-bidirectional")["State"] == "update-in-progress"
    assert ways(cloud, net) == set()
    settle(cloud)
    shown = cloud.call("DescribeVpcBlockPublicAccessOptions")["VpcBlockPublicAccessOptions"]
    assert (shown["State"], shown["InternetGatewayBlockMode"]) == (
        "update-complete",
        "block-bidirectional",
    )
    _mode(cloud, "block-ingress")
    assert ways(cloud, net) == OUTWARDS
    _mode(cloud, "off")
    assert ways(cloud, net) == ALL


def test_an_exclusion_excepts_a_vpc_or_a_subnet(cloud: Cloud, net: dict[str, str]) -> None:
    _mode(cloud, "block-bidirectional")
    made = cloud.call(
        CREATE, SubnetId=net["web"], InternetGatewayExclusionMode="allow-bidirectional"
    )["VpcBlockPublicAccessExclusion"]
    key = made["ExclusionId"]
    arn = f"arn:aws:ec2:ap-northeast-2:123456789012:subnet/{net['web']}"
    assert (made["ResourceArn"], made["State"]) == (arn, "create-in-progress")
    assert ways(cloud, net) == {"web", "igw ipv6", "eigw ipv6"}
    cloud.call(
        "ModifyVpcBlockPublicAccessExclusion",
        ExclusionId=key,
        InternetGatewayExclusionMode="allow-egress",
    )
    assert ways(cloud, net) == {"eigw ipv6"}
    cloud.call(CREATE, VpcId=net["vpc"], InternetGatewayExclusionMode="allow-egress")
    assert ways(cloud, net) == OUTWARDS
    settle(cloud)
    only = [{"Name": "state", "Values": ["update-complete"]}]
    (found,) = cloud.call(LIST, Filters=only)["VpcBlockPublicAccessExclusions"]
    assert found["ExclusionId"] == key


def test_a_deleted_exclusion_excepts_nothing_and_is_shown(
    cloud: Cloud, net: dict[str, str]
) -> None:
    _mode(cloud, "block-bidirectional")
    made = cloud.call(CREATE, VpcId=net["vpc"], InternetGatewayExclusionMode="allow-bidirectional")
    key = made["VpcBlockPublicAccessExclusion"]["ExclusionId"]
    settle(cloud)
    assert ways(cloud, net) == ALL
    delete = "DeleteVpcBlockPublicAccessExclusion"
    assert (
        cloud.call(delete, ExclusionId=key)["VpcBlockPublicAccessExclusion"]["State"]
        == "delete-in-progress"
    )
    assert ways(cloud, net) == set()
    settle(cloud)
    (shown,) = cloud.call(LIST, ExclusionIds=[key])["VpcBlockPublicAccessExclusions"]
    assert shown["State"] == "delete-complete"
    assert shown["DeletionTimestamp"]
    assert cloud.error(delete, ExclusionId=key).code == "IncorrectState"


def test_exclusions_are_of_one_thing_each(cloud: Cloud, net: dict[str, str]) -> None:
    mode = {"InternetGatewayExclusionMode": "allow-egress"}
    both = cloud.error(CREATE, VpcId=net["vpc"], SubnetId=net["web"], **mode)
    assert both.code == "InvalidParameterCombination"
    assert cloud.error(CREATE, **mode).code == "MissingParameter"
    assert (
        cloud.error(CREATE, VpcId="vpc-00000000000000001", **mode).code == "InvalidVpcID.NotFound"
    )
    cloud.call(CREATE, VpcId=net["vpc"], **mode)
    assert cloud.error(CREATE, VpcId=net["vpc"], **mode).code == "InvalidParameterValue"
    missing = cloud.error(
        "DeleteVpcBlockPublicAccessExclusion", ExclusionId="vpcbpa-exclude-00000000000000001"
    )
    assert missing.code == "InvalidVpcBlockPublicAccessExclusionId.NotFound"


def test_another_region_s_options_are_its_own(cloud: Cloud, net: dict[str, str]) -> None:
    cloud.region = "eu-central-1"
    _mode(cloud, "block-bidirectional")
    cloud.region = "ap-northeast-2"
    assert ways(cloud, net) == ALL
