"""Subnets: ranges and zones, attributes, free addresses, what keeps them, how they are lowered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gureum.errors import ApiError
from gureum.kind import Call
from gureum.model import Txn
from gureum.program import Segment, SegmentMode
from gureum.resources.subnet import Lease, Subnet, lease
from tests.conftest import Cloud
from tests.resources.building import make_interface, make_subnet, make_vpc, only, said


def test_create_answers_as_aws_does(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    answer = cloud.call(
        "CreateSubnet",
        VpcId=vpc,
        CidrBlock="10.0.1.0/24",
        AvailabilityZone="ap-northeast-2c",
        TagSpecifications=[
            {"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "public"}]}
        ],
    )["Subnet"]
    key = answer["SubnetId"]
    assert answer == {
        "SubnetId": key,
        "SubnetArn": f"arn:aws:ec2:ap-northeast-2:123456789012:subnet/{key}",
        "VpcId": vpc,
        "OwnerId": "123456789012",
        "CidrBlock": "10.0.1.0/24",
        "Ipv6CidrBlockAssociationSet": [],
        "AvailabilityZone": "ap-northeast-2c",
        "AvailabilityZoneId": "apne2-az3",
        "AvailableIpAddressCount": 251,
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": False,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "EnableDns64": False,
        "Ipv6Native": False,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
        },
        "State": "available",
        "Tags": [{"Key": "Name", "Value": "public"}],
    }
    assert cloud.call("DescribeSubnets", SubnetIds=[key])["Subnets"] == [answer]


def test_host_bits_are_cleared(cloud: Cloud) -> None:
    shape = cloud.call("CreateSubnet", VpcId=make_vpc(cloud), CidrBlock="10.0.1.77/24")
    assert shape["Subnet"]["CidrBlock"] == "10.0.1.0/24"


def test_zone_by_id_and_the_first_zone_otherwise(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    by_id = cloud.call(
        "CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZoneId="apne2-az2"
    )
    plain = cloud.call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.2.0/24")
    assert by_id["Subnet"]["AvailabilityZone"] == "ap-northeast-2b"
    assert plain["Subnet"]["AvailabilityZone"] == "ap-northeast-2a"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({}, "MissingParameter", "Either 'cidrBlock' or 'ipv6CidrBlock' should be given."),
        (
            {"CidrBlock": "10.0.1.0"},
            "InvalidParameterValue",
            "Value (10.0.1.0) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        ),
        ({"CidrBlock": "10.1.0.0/24"}, "InvalidSubnet.Range", "The CIDR '10.1.0.0/24' is invalid."),
        ({"CidrBlock": "10.0.0.0/15"}, "InvalidSubnet.Range", "The CIDR '10.0.0.0/15' is invalid."),
        ({"CidrBlock": "10.0.0.0/29"}, "InvalidSubnet.Range", "The CIDR '10.0.0.0/29' is invalid."),
        (
            {"CidrBlock": "10.0.9.128/25"},
            "InvalidSubnet.Conflict",
            "The CIDR '10.0.9.128/25' conflicts with another subnet",
        ),
        (
            {"CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a"},
            "InvalidParameterValue",
            (
                "Value (us-east-1a) for parameter availabilityZone is invalid. Subnets can "
                "currently only be created in the following availability zones: ap-northeast-2a, "
                "ap-northeast-2b, ap-northeast-2c, ap-northeast-2d."
            ),
        ),
        (
            {"CidrBlock": "10.0.1.0/24", "AvailabilityZoneId": "use1-az1"},
            "InvalidParameterValue",
            "Value (use1-az1) for parameter availabilityZoneId is invalid",
        ),
    ],
)
def test_what_cannot_be_created(
    cloud: Cloud, params: dict[str, str], code: str, message: str
) -> None:
    vpc = make_vpc(cloud)
    make_subnet(cloud, vpc, "10.0.9.0/24")
    error = cloud.error("CreateSubnet", VpcId=vpc, **params)
    assert (error.code, error.message) == (code, message)


def test_the_vpc_must_exist(cloud: Cloud) -> None:
    error = cloud.error("CreateSubnet", VpcId="vpc-0123456789abcdef0", CidrBlock="10.0.0.0/24")
    assert error.code == "InvalidVpcID.NotFound"
    assert error.message == "The vpc ID 'vpc-0123456789abcdef0' does not exist"


def test_a_subnet_may_lie_in_a_secondary_block(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    cloud.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.1.0.0/16")
    subnet = make_subnet(cloud, vpc, "10.1.3.0/24")
    names = {subnet: "SUBNET", vpc: "VPC"}
    assert "cidr=10.1.3.0/24 gateway=10.1.3.1 mac=MAC" in said(cloud, names, Segment)


def test_the_quota_of_a_vpc(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    first = make_subnet(cloud, vpc, "10.0.0.0/28")

    def fill(txn: Txn) -> None:
        row = txn.get(Subnet, first)
        for number in range(1, 200):
            cidr = f"10.0.{number // 16}.{number % 16 * 16}/28"
            txn.put(replace(row, id=f"subnet-{number:017x}", cidr=cidr))

    cloud.system(fill)
    error = cloud.error("CreateSubnet", VpcId=vpc, CidrBlock="10.0.200.0/24")
    assert error.code == "SubnetLimitExceeded"
    assert error.message == "The maximum number of subnets has been reached."


def test_dry_run_changes_nothing(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    error = cloud.error("CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.0/24", DryRun=True)
    assert (error.code, error.status) == ("DryRunOperation", 412)
    assert cloud.call("DescribeSubnets", Filters=only({"vpc-id": vpc}))["Subnets"] == []


def test_default_subnets_are_there_unasked(cloud: Cloud) -> None:
    shown = cloud.call("DescribeSubnets", Filters=only({"default-for-az": "true"}))["Subnets"]
    found = sorted((item["AvailabilityZone"], item["CidrBlock"]) for item in shown)
    assert found == [
        ("ap-northeast-2a", "172.31.0.0/20"),
        ("ap-northeast-2b", "172.31.16.0/20"),
        ("ap-northeast-2c", "172.31.32.0/20"),
        ("ap-northeast-2d", "172.31.48.0/20"),
    ]
    assert {item["MapPublicIpOnLaunch"] for item in shown} == {True}
    assert {item["AvailableIpAddressCount"] for item in shown} == {4091}


@pytest.mark.parametrize(
    "filters",
    [
        {"cidr": "10.0.1.0/24"},
        {"cidr-block": "10.0.1.*"},
        {"cidrBlock": "10.0.1.0/24"},
        {"availability-zone": "ap-northeast-2b"},
        {"availabilityZone": "ap-northeast-2b"},
        {"availability-zone-id": "apne2-az2"},
        {"available-ip-address-count": "251"},
        {"tag:Name": "one"},
        {"tag-key": "Name"},
        {"map-public-ip-on-launch": "true"},
    ],
)
def test_filters(cloud: Cloud, filters: dict[str, str]) -> None:
    vpc = make_vpc(cloud)
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "one"}]}]
    one = make_subnet(
        cloud, vpc, "10.0.1.0/24", AvailabilityZone="ap-northeast-2b", TagSpecifications=tags
    )
    cloud.call("ModifySubnetAttribute", SubnetId=one, MapPublicIpOnLaunch={"Value": True})
    make_subnet(cloud, vpc, "10.0.2.0/25")
    found = cloud.call("DescribeSubnets", Filters=only({"vpc-id": vpc, **filters}))["Subnets"]
    assert [item["SubnetId"] for item in found] == [one]


def test_terraform_reads_an_association_that_is_not_there(cloud: Cloud) -> None:
    filters = only({"ipv6-cidr-block-association.association-id": "subnet-cidr-assoc-1"})
    assert cloud.call("DescribeSubnets", Filters=filters)["Subnets"] == []


def test_unknown_and_malformed_ids(cloud: Cloud) -> None:
    unknown = cloud.error("DescribeSubnets", SubnetIds=["subnet-0123456789abcdef0"])
    assert unknown.code == "InvalidSubnetID.NotFound"
    assert unknown.message == "The subnet ID 'subnet-0123456789abcdef0' does not exist"
    malformed = cloud.error("DeleteSubnet", SubnetId="vpc-1")
    assert malformed.code == "InvalidSubnetID.Malformed"
    assert malformed.message == 'Invalid id: "vpc-1" (expecting "subnet-...")'


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"MapPublicIpOnLaunch": {"Value": True}}, {"MapPublicIpOnLaunch": True}),
        ({"EnableDns64": {"Value": True}}, {"EnableDns64": True}),
        (
            {"PrivateDnsHostnameTypeOnLaunch": "resource-name"},
            {
                "PrivateDnsNameOptionsOnLaunch": {
                    "HostnameType": "resource-name",
                    "EnableResourceNameDnsARecord": False,
                    "EnableResourceNameDnsAAAARecord": False,
                }
            },
        ),
        (
            {"EnableResourceNameDnsARecordOnLaunch": {"Value": True}},
            {
                "PrivateDnsNameOptionsOnLaunch": {
                    "HostnameType": "ip-name",
                    "EnableResourceNameDnsARecord": True,
                    "EnableResourceNameDnsAAAARecord": False,
                }
            },
        ),
    ],
)
def test_modify_one_attribute(
    cloud: Cloud, params: dict[str, object], shown: dict[str, object]
) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    before = cloud.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"][0]
    assert cloud.call("ModifySubnetAttribute", SubnetId=subnet, **params) == {}
    after = cloud.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"][0]
    assert after == before | shown


def test_modify_takes_one_attribute_a_call(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    both = {"MapPublicIpOnLaunch": {"Value": True}, "EnableDns64": {"Value": True}}
    for params in ({}, both):
        error = cloud.error("ModifySubnetAttribute", SubnetId=subnet, **params)
        assert error.code == "InvalidParameterCombination"
    unbuilt = cloud.error(
        "ModifySubnetAttribute", SubnetId=subnet, DisableLniAtDeviceIndex={"Value": True}
    )
    assert unbuilt.code == "UnsupportedOperation"


def test_addresses_are_counted_and_keep_the_subnet(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    eni = make_interface(cloud, subnet, SecondaryPrivateIpAddressCount=2)["NetworkInterfaceId"]
    shown = cloud.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"][0]
    assert shown["AvailableIpAddressCount"] == 248
    error = cloud.error("DeleteSubnet", SubnetId=subnet)
    assert error.code == "DependencyViolation"
    assert error.message == f"The subnet '{subnet}' has dependencies and cannot be deleted."
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni)
    assert cloud.call("DeleteSubnet", SubnetId=subnet) == {}
    assert not list(cloud.store.view.all(Lease))


def test_a_subnet_that_is_full(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud), "10.0.1.0/28")
    enis = [make_interface(cloud, subnet) for _ in range(11)]
    assert {eni["PrivateIpAddress"] for eni in enis} == {f"10.0.1.{n}" for n in range(4, 15)}
    error = cloud.error("CreateNetworkInterface", SubnetId=subnet)
    assert error.code == "InsufficientFreeAddressesInSubnet"
    assert error.message == (
        f"The subnet '{subnet}' does not have enough free addresses to satisfy the request."
    )


@pytest.mark.parametrize(
    ("ip", "code"),
    [
        ("10.0.2.9", "InvalidParameterValue"),
        ("10.0.1.0", "InvalidParameterValue"),
        ("10.0.1.3", "InvalidParameterValue"),
        ("10.0.1.255", "InvalidParameterValue"),
        ("10.0.1", "InvalidParameterValue"),
        ("10.0.1.50", "InvalidIPAddress.InUse"),
    ],
)
def test_addresses_that_cannot_be_leased(cloud: Cloud, ip: str, code: str) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    eni = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.50")["NetworkInterfaceId"]

    def ask(txn: Txn) -> None:
        lease(Call("", {}, txn, cloud.now), txn.get(Subnet, subnet), eni, ip)

    with pytest.raises(ApiError) as caught:
        cloud.system(ask)
    assert caught.value.code == code


def test_lowering(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    names = {subnet: "SUBNET", vpc: "VPC"}
    assert said(cloud, names, Segment, SegmentMode) == (
        "Segment id=SUBNET router=VPC cidr=10.0.1.0/24 gateway=10.0.1.1 mac=MAC cidr6="
        "  # SUBNET VPC\n"
        "SegmentMode segment=SUBNET mode=fabric  # SUBNET\n"
    )
    cloud.call("DeleteSubnet", SubnetId=subnet)
    assert said(cloud, {subnet: "SUBNET"}) == ""


@pytest.mark.parametrize("mode", ["fabric", "switch", "hub"])
def test_a_tag_chooses_how_frames_are_carried(cloud: Cloud, mode: str) -> None:
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "gureum:segment-mode", "Value": mode}]}]
    subnet = make_subnet(cloud, make_vpc(cloud), TagSpecifications=tags)
    assert said(cloud, {subnet: "SUBNET"}, SegmentMode) == (
        f"SegmentMode segment=SUBNET mode={mode}  # SUBNET\n"
    )


@pytest.mark.parametrize("value", ["ring", "Hub", ""])
def test_a_mode_that_is_none_is_refused(cloud: Cloud, value: str) -> None:
    vpc = make_vpc(cloud)
    tag = {"Key": "gureum:segment-mode", "Value": value}
    message = (
        f"Value ({value}) for tag gureum:segment-mode is invalid. "
        "Valid values: fabric, switch, hub."
    )
    given = [{"ResourceType": "subnet", "Tags": [tag]}]
    at = {"VpcId": vpc, "CidrBlock": "10.0.1.0/24"}
    error = cloud.error("CreateSubnet", **at, TagSpecifications=given)
    assert (error.code, error.message) == ("InvalidParameterValue", message)
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    assert cloud.call("DescribeSubnets", Filters=mine)["Subnets"] == []
    subnet = make_subnet(cloud, vpc)
    error = cloud.error("CreateTags", Resources=[vpc, subnet], Tags=[tag])
    assert (error.code, error.message) == ("InvalidParameterValue", message)
    assert cloud.call("DescribeTags")["Tags"] == [], "all or nothing"


def test_on_anything_but_a_subnet_the_tag_is_one_like_others(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tag = {"Key": "gureum:segment-mode", "Value": "ring"}
    cloud.call("CreateTags", Resources=[vpc], Tags=[tag])
    assert cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"][0]["Tags"] == [tag]
