"""The API's actions on network interfaces: addresses in three ways, attributes, filters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import (
    default_group,
    make_address,
    make_gateway,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
    plug_in,
)

INSTANCE = "i-0000000000000000a"


def subnet_of(cloud: Cloud) -> str:
    return make_subnet(cloud, make_vpc(cloud))


def shown(cloud: Cloud, key: str) -> dict[str, Any]:
    shape: dict[str, Any] = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[key])[
        "NetworkInterfaces"
    ][0]
    return shape


def ips(shape: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(item["PrivateIpAddress"], item["Primary"]) for item in shape["PrivateIpAddresses"]]


def test_create_answers_as_aws_does(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    group = default_group(cloud, vpc)["GroupId"]
    tags = [{"Key": "Name", "Value": "spare"}]
    answer = cloud.call(
        "CreateNetworkInterface",
        SubnetId=subnet,
        Description="a spare one",
        PrivateIpAddress="10.0.1.20",
        ClientToken="once",
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}],
    )
    shape = answer["NetworkInterface"]
    assert answer["ClientToken"] == "once"
    assert shape == {
        "NetworkInterfaceId": shape["NetworkInterfaceId"],
        "SubnetId": subnet,
        "VpcId": vpc,
        "AvailabilityZone": "ap-northeast-2a",
        "AvailabilityZoneId": "apne2-az1",
        "OwnerId": "123456789012",
        "Description": "a spare one",
        "InterfaceType": "interface",
        "RequesterManaged": False,
        "SourceDestCheck": True,
        "Status": "available",
        "MacAddress": shape["MacAddress"],
        "PrivateIpAddress": "10.0.1.20",
        "PrivateDnsName": "ip-10-0-1-20.ap-northeast-2.compute.internal",
        "PrivateIpAddresses": [
            {
                "PrivateIpAddress": "10.0.1.20",
                "Primary": True,
                "PrivateDnsName": "ip-10-0-1-20.ap-northeast-2.compute.internal",
            }
        ],
        "Ipv6Addresses": [],
        "Groups": [{"GroupId": group, "GroupName": "default"}],
        "Operator": {"Managed": False},
        "TagSet": tags,
    }
    assert shown(cloud, shape["NetworkInterfaceId"]) == shape


def test_the_same_token_is_the_same_interface(cloud: Cloud) -> None:
    params = {"SubnetId": subnet_of(cloud), "ClientToken": "a"}
    first = cloud.call("CreateNetworkInterface", **params)
    assert cloud.call("CreateNetworkInterface", **params) == first
    error = cloud.error("CreateNetworkInterface", **params, Description="other")
    assert error.code == "IdempotentParameterMismatch"
    assert len(cloud.call("DescribeNetworkInterfaces")["NetworkInterfaces"]) == 1


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        (
            {"PrivateIpAddress": "10.0.1.20", "SecondaryPrivateIpAddressCount": 2},
            [("10.0.1.20", True), (None, False), (None, False)],
        ),
        (
            {
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": "10.0.1.31", "Primary": False},
                    {"PrivateIpAddress": "10.0.1.30", "Primary": True},
                ]
            },
            [("10.0.1.30", True), ("10.0.1.31", False)],
        ),
        (
            {
                "PrivateIpAddress": "10.0.1.30",
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.31"}],
            },
            [("10.0.1.30", True), ("10.0.1.31", False)],
        ),
        ({"SecondaryPrivateIpAddressCount": 1}, [(None, True), (None, False)]),
    ],
)
def test_addresses_in_three_ways(
    cloud: Cloud, params: dict[str, Any], wanted: list[tuple[str | None, bool]]
) -> None:
    found = ips(make_interface(cloud, subnet_of(cloud), **params))
    assert len({ip for ip, _ in found}) == len(wanted)
    assert [
        (None if want[0] is None else ip, primary)
        for (ip, primary), want in zip(found, wanted, strict=True)
    ] == wanted


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.20", "Primary": True}],
                "SecondaryPrivateIpAddressCount": 1,
            },
            "InvalidParameterCombination",
            (
                "The parameters privateIpAddresses and secondaryPrivateIpAddressCount may not "
                "be used together."
            ),
        ),
        (
            {
                "PrivateIpAddress": "10.0.1.20",
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.21", "Primary": True}],
            },
            "InvalidParameterValue",
            "Only one primary private IP address can be specified.",
        ),
        (
            {"PrivateIpAddress": "10.0.2.20"},
            "InvalidParameterValue",
            "Address does not fall within the subnet's address range",
        ),
        (
            {"PrivateIpAddress": "10.0.1.1"},
            "InvalidParameterValue",
            "Address is in subnet's reserved address range",
        ),
        (
            {"PrivateIpAddress": "10.0.1.256"},
            "InvalidParameterValue",
            "Value (10.0.1.256) for parameter address is invalid. Not a valid IPv4 address",
        ),
        (
            {"PrivateIpAddress": "10.0.1.77"},
            "InvalidIPAddress.InUse",
            "Address 10.0.1.77 is in use.",
        ),
        (
            {"Ipv6PrefixCount": 1, "Ipv6AddressCount": 1},
            "InvalidParameterCombination",
            "IPv6 prefixes and IPv6 addresses may not be used together.",
        ),
        (
            {"Groups": ["sg-0123456789abcdef0"]},
            "InvalidGroup.NotFound",
            "The security group 'sg-0123456789abcdef0' does not exist",
        ),
        (
            {"Groups": ["web"]},
            "InvalidGroupId.Malformed",
            'Invalid id: "web" (expecting "sg-...")',
        ),
    ],
)
def test_what_cannot_be_created(
    cloud: Cloud, params: dict[str, Any], code: str, message: str
) -> None:
    subnet = subnet_of(cloud)
    make_interface(cloud, subnet, PrivateIpAddress="10.0.1.77")
    error = cloud.error("CreateNetworkInterface", SubnetId=subnet, **params)
    assert (error.code, error.message) == (code, message)


def test_a_group_of_another_vpc(cloud: Cloud) -> None:
    subnet = subnet_of(cloud)
    group = make_group(cloud, make_vpc(cloud, "10.1.0.0/16"))
    error = cloud.error("CreateNetworkInterface", SubnetId=subnet, Groups=[group])
    assert error.code == "InvalidParameterValue"
    assert error.message == (
        f"Security group {group} and subnet {subnet} belong to different networks."
    )


def test_five_groups_and_no_more(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    groups = [make_group(cloud, vpc, f"g{number}") for number in range(6)]
    make_interface(cloud, subnet, Groups=[*groups[:5], groups[0]])
    error = cloud.error("CreateNetworkInterface", SubnetId=subnet, Groups=groups)
    assert error.code == "SecurityGroupsPerInterfaceLimitExceeded"
    assert error.message == (
        "The maximum number of security groups per interface has been reached."
    )


def test_unknown_and_malformed_ids(cloud: Cloud) -> None:
    unknown = cloud.error("DeleteNetworkInterface", NetworkInterfaceId="eni-0123456789abcdef0")
    assert unknown.code == "InvalidNetworkInterfaceID.NotFound"
    assert unknown.message == "The networkInterface ID 'eni-0123456789abcdef0' does not exist"
    malformed = cloud.error("DescribeNetworkInterfaces", NetworkInterfaceIds=["eni"])
    assert malformed.code == "InvalidNetworkInterfaceId.Malformed"


def test_delete_gives_the_address_back(cloud: Cloud) -> None:
    subnet = subnet_of(cloud)
    key = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.20")["NetworkInterfaceId"]
    assert cloud.call("DeleteNetworkInterface", NetworkInterfaceId=key) == {}
    make_interface(cloud, subnet, PrivateIpAddress="10.0.1.20")
    gone = cloud.error("DescribeNetworkInterfaces", NetworkInterfaceIds=[key])
    assert gone.code == "InvalidNetworkInterfaceID.NotFound"


def test_modify_each_attribute(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"]
    group = make_group(cloud, vpc)
    plug_in(cloud, key)
    attachment = shown(cloud, key)["Attachment"]["AttachmentId"]
    for params in (
        {"Description": {"Value": "new"}},
        {"SourceDestCheck": {"Value": False}},
        {"Groups": [group]},
        {"Attachment": {"AttachmentId": attachment, "DeleteOnTermination": True}},
    ):
        answer = cloud.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=key, **params)
        assert answer == {}
    after = shown(cloud, key)
    assert (after["Description"], after["SourceDestCheck"]) == ("new", False)
    assert after["Groups"] == [{"GroupId": group, "GroupName": "web"}]
    assert after["Attachment"]["DeleteOnTermination"] is True
    cloud.call("ResetNetworkInterfaceAttribute", NetworkInterfaceId=key, SourceDestCheck="true")
    assert shown(cloud, key)["SourceDestCheck"] is True


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        (
            {"Description": {"Value": "x"}, "SourceDestCheck": {"Value": True}},
            "InvalidParameterCombination",
        ),
        ({"Attachment": {"DeleteOnTermination": True}}, "MissingParameter"),
        (
            {"Attachment": {"AttachmentId": "eni-attach-0", "DeleteOnTermination": True}},
            "InvalidAttachmentID.NotFound",
        ),
        ({"Groups": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"AssociatePublicIpAddress": True}, "UnsupportedOperation"),
    ],
)
def test_what_cannot_be_modified(cloud: Cloud, params: dict[str, Any], code: str) -> None:
    key = make_interface(cloud, subnet_of(cloud))["NetworkInterfaceId"]
    error = cloud.error("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=key, **params)
    assert error.code == code


def test_describe_each_attribute(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    group = make_group(cloud, vpc)
    key = make_interface(cloud, make_subnet(cloud, vpc), Description="text", Groups=[group])[
        "NetworkInterfaceId"
    ]

    def asked(attribute: str) -> dict[str, Any]:
        answer = cloud.call(
            "DescribeNetworkInterfaceAttribute", NetworkInterfaceId=key, Attribute=attribute
        )
        assert answer.pop("NetworkInterfaceId") == key
        return answer

    assert asked("description") == {"Description": {"Value": "text"}}
    assert asked("groupSet") == {"Groups": [{"GroupId": group, "GroupName": "web"}]}
    assert asked("sourceDestCheck") == {"SourceDestCheck": {"Value": True}}
    assert asked("attachment") == {}
    assert asked("associatePublicIpAddress") == {"AssociatePublicIpAddress": False}
    plug_in(cloud, key)
    assert asked("attachment")["Attachment"]["InstanceId"] == INSTANCE
    cloud.call(
        "AssociateAddress",
        AllocationId=make_address(cloud)["AllocationId"],
        NetworkInterfaceId=key,
    )
    assert asked("associatePublicIpAddress") == {"AssociatePublicIpAddress": True}
    error = cloud.error("DescribeNetworkInterfaceAttribute", NetworkInterfaceId=key)
    assert error.code == "MissingParameter"


def test_assign_and_unassign(cloud: Cloud) -> None:
    key = make_interface(cloud, subnet_of(cloud), PrivateIpAddress="10.0.1.20")[
        "NetworkInterfaceId"
    ]
    given = cloud.call(
        "AssignPrivateIpAddresses",
        NetworkInterfaceId=key,
        PrivateIpAddresses=["10.0.1.30", "10.0.1.31"],
    )
    assert given == {
        "NetworkInterfaceId": key,
        "AssignedPrivateIpAddresses": [
            {"PrivateIpAddress": "10.0.1.30"},
            {"PrivateIpAddress": "10.0.1.31"},
        ],
    }
    counted = cloud.call(
        "AssignPrivateIpAddresses", NetworkInterfaceId=key, SecondaryPrivateIpAddressCount=2
    )
    assert len(counted["AssignedPrivateIpAddresses"]) == 2
    again = cloud.call(
        "AssignPrivateIpAddresses", NetworkInterfaceId=key, PrivateIpAddresses=["10.0.1.30"]
    )
    assert again.get("AssignedPrivateIpAddresses", []) == []
    taken = cloud.call(
        "UnassignPrivateIpAddresses", NetworkInterfaceId=key, PrivateIpAddresses=["10.0.1.30"]
    )
    assert taken == {}
    found = [ip for ip, _ in ips(shown(cloud, key))]
    assert found[:2] == ["10.0.1.20", "10.0.1.31"]
    assert len(found) == 4
    # What was given back can be had by another.
    subnet = shown(cloud, key)["SubnetId"]
    make_interface(cloud, subnet, PrivateIpAddress="10.0.1.30")


@pytest.mark.parametrize(
    "params", [{}, {"PrivateIpAddresses": ["10.0.1.9"], "SecondaryPrivateIpAddressCount": 1}]
)
def test_assign_takes_addresses_or_a_count(cloud: Cloud, params: dict[str, Any]) -> None:
    key = make_interface(cloud, subnet_of(cloud))["NetworkInterfaceId"]
    error = cloud.error("AssignPrivateIpAddresses", NetworkInterfaceId=key, **params)
    assert error.code == "InvalidParameterCombination"


def test_an_address_moves_only_if_allowed(cloud: Cloud) -> None:
    subnet = subnet_of(cloud)
    one = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.20")["NetworkInterfaceId"]
    two = make_interface(cloud, subnet, PrivateIpAddress="10.0.1.40")["NetworkInterfaceId"]
    cloud.call("AssignPrivateIpAddresses", NetworkInterfaceId=one, PrivateIpAddresses=["10.0.1.30"])
    move = {"NetworkInterfaceId": two, "PrivateIpAddresses": ["10.0.1.30"]}
    assert cloud.error("AssignPrivateIpAddresses", **move).code == "InvalidIPAddress.InUse"
    cloud.call("AssignPrivateIpAddresses", **move, AllowReassignment=True)
    assert ips(shown(cloud, one)) == [("10.0.1.20", True)]
    assert ("10.0.1.30", False) in ips(shown(cloud, two))
    primary = cloud.error(
        "AssignPrivateIpAddresses",
        NetworkInterfaceId=two,
        PrivateIpAddresses=["10.0.1.20"],
        AllowReassignment=True,
    )
    assert primary.code == "InvalidIPAddress.InUse"


@pytest.mark.parametrize(
    ("ip", "what"),
    [
        ("10.0.1.20", "10.0.1.20 is the primary address of ENI"),
        ("10.0.1.99", "10.0.1.99 is not assigned to interface ENI"),
    ],
)
def test_what_cannot_be_unassigned(cloud: Cloud, ip: str, what: str) -> None:
    key = make_interface(cloud, subnet_of(cloud), PrivateIpAddress="10.0.1.20")[
        "NetworkInterfaceId"
    ]
    error = cloud.error(
        "UnassignPrivateIpAddresses", NetworkInterfaceId=key, PrivateIpAddresses=[ip]
    )
    assert error.code == "InvalidParameterValue"
    assert error.message.replace(key, "ENI") == (
        f"Some of the specified addresses cannot be unassigned: {what}"
    )


def test_unassigning_frees_the_elastic_ip(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc), SecondaryPrivateIpAddressCount=1)
    second = eni["PrivateIpAddresses"][1]["PrivateIpAddress"]
    where = {"NetworkInterfaceId": eni["NetworkInterfaceId"]}
    address = make_address(cloud)
    cloud.call(
        "AssociateAddress",
        AllocationId=address["AllocationId"],
        PrivateIpAddress=second,
        **where,
    )
    cloud.call("UnassignPrivateIpAddresses", PrivateIpAddresses=[second], **where)
    assert "AssociationId" not in cloud.call("DescribeAddresses")["Addresses"][0]


def test_dry_run(cloud: Cloud) -> None:
    subnet = subnet_of(cloud)
    made = cloud.error("CreateNetworkInterface", SubnetId=subnet, DryRun=True)
    assert (made.code, made.status) == ("DryRunOperation", 412)
    key = make_interface(cloud, subnet)["NetworkInterfaceId"]
    gone = cloud.error("DeleteNetworkInterface", NetworkInterfaceId=key, DryRun=True)
    assert gone.code == "DryRunOperation"
    assert shown(cloud, key)["Status"] == "available"


def test_asked_addresses_are_kept_from_the_random_ones(cloud: Cloud) -> None:
    """All but one address of the subnet is asked for, so the primary one must be the other."""
    asked = [f"10.0.1.{number}" for number in range(4, 14)]
    subnet = make_subnet(cloud, make_vpc(cloud), "10.0.1.0/28")
    eni = make_interface(
        cloud, subnet, PrivateIpAddresses=[{"PrivateIpAddress": ip} for ip in asked]
    )
    assert ips(eni) == [("10.0.1.14", True), *((ip, False) for ip in asked)]
