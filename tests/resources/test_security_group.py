"""Security groups: names, defaults, who may delete them, filters, selection by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gureum.model import Txn
from gureum.resources.security_group import MAX_GROUPS, SecurityGroup, SecurityGroupRule
from tests.conftest import Cloud
from tests.resources.building import (
    default_group,
    make_group,
    make_interface,
    make_subnet,
    make_vpc,
    only,
)

ALL_V4 = {
    "IpProtocol": "-1",
    "UserIdGroupPairs": [],
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    "Ipv6Ranges": [],
    "PrefixListIds": [],
}


def shown(cloud: Cloud, key: str) -> dict[str, Any]:
    shape: dict[str, Any] = cloud.call("DescribeSecurityGroups", GroupIds=[key])["SecurityGroups"][
        0
    ]
    return shape


def refer(cloud: Cloud, group: str, peer: str) -> None:
    """Let ``peer``'s members reach ``group``'s."""
    cloud.call(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": peer}]}],
    )


def test_create_answers_as_aws_does(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tags = [{"Key": "Name", "Value": "web"}]
    answer = cloud.call(
        "CreateSecurityGroup",
        GroupName="web",
        Description="Web servers (HTTP)",
        VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
    )
    key = answer["GroupId"]
    arn = f"arn:aws:ec2:ap-northeast-2:123456789012:security-group/{key}"
    assert answer == {"GroupId": key, "SecurityGroupArn": arn, "Tags": tags}
    assert shown(cloud, key) == {
        "GroupId": key,
        "GroupName": "web",
        "Description": "Web servers (HTTP)",
        "OwnerId": "123456789012",
        "VpcId": vpc,
        "SecurityGroupArn": arn,
        "IpPermissions": [],
        "IpPermissionsEgress": [ALL_V4],
        "Tags": tags,
    }


def test_tags_of_the_group_are_not_its_rules(cloud: Cloud) -> None:
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "Name", "Value": "web"}]}]
    cloud.call(
        "CreateSecurityGroup",
        GroupName="web",
        Description="web",
        VpcId=make_vpc(cloud),
        TagSpecifications=tags,
    )
    assert all(row.tags == () for row in cloud.store.view.all(SecurityGroupRule))


def test_the_default_vpc_unless_one_is_given(cloud: Cloud) -> None:
    key = cloud.call("CreateSecurityGroup", GroupName="web", Description="web")["GroupId"]
    default = cloud.call("DescribeVpcs", Filters=only({"is-default": "true"}))["Vpcs"][0]
    assert shown(cloud, key)["VpcId"] == default["VpcId"]


def test_the_default_group(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    group = default_group(cloud, vpc)
    key = group["GroupId"]
    assert group["Description"] == "default VPC security group"
    assert group["IpPermissions"] == [
        {
            "IpProtocol": "-1",
            "UserIdGroupPairs": [{"GroupId": key, "UserId": "123456789012"}],
            "IpRanges": [],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
        }
    ]
    assert group["IpPermissionsEgress"] == [ALL_V4]
    error = cloud.error("DeleteSecurityGroup", GroupId=key)
    assert error.code == "CannotDelete"
    assert error.message == (
        f'the specified group: "{key}" name: "default" cannot be deleted by a user'
    )
    cloud.call("DeleteVpc", VpcId=vpc)
    assert cloud.error("DescribeSecurityGroups", GroupIds=[key]).code == "InvalidGroup.NotFound"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {"GroupName": "taken"},
            "InvalidGroup.Duplicate",
            "The security group 'taken' already exists for VPC 'VPC'",
        ),
        (
            {"GroupName": "default"},
            "InvalidParameterValue",
            "Cannot use reserved security group name: default",
        ),
        (
            {"GroupName": "sg-mine"},
            "InvalidParameterValue",
            (
                "Value (sg-mine) for parameter GroupName is invalid. "
                "Group names may not be in the format sg-*."
            ),
        ),
        ({"GroupName": " "}, "MissingParameter", None),
        ({"GroupName": "é"}, "InvalidParameterValue", None),
        ({"GroupName": "x" * 256}, "InvalidParameterValue", None),
        ({"Description": "a\nb"}, "InvalidParameterValue", None),
        ({"Description": ""}, "MissingParameter", None),
        (
            {"VpcId": "vpc-0123456789abcdef0"},
            "InvalidVpcID.NotFound",
            "The vpc ID 'vpc-0123456789abcdef0' does not exist",
        ),
    ],
)
def test_what_cannot_be_created(
    cloud: Cloud, params: dict[str, str], code: str, message: str | None
) -> None:
    vpc = make_vpc(cloud)
    make_group(cloud, vpc, "taken")
    given = {"GroupName": "web", "Description": "web", "VpcId": vpc, **params}
    error = cloud.error("CreateSecurityGroup", **given)
    assert error.code == code
    assert message is None or error.message.replace(vpc, "VPC") == message


def test_a_name_is_unique_in_its_vpc_only(cloud: Cloud) -> None:
    make_group(cloud, make_vpc(cloud), "web")
    make_group(cloud, make_vpc(cloud, "10.1.0.0/16"), "web")


def test_without_a_default_vpc(cloud: Cloud) -> None:
    cloud.call("DescribeVpcs")

    def undo(txn: Txn) -> None:
        from gureum.resources.vpc import Vpc

        for vpc in txn.all(Vpc):
            txn.put(replace(vpc, default=False))

    cloud.system(undo)
    created = cloud.error("CreateSecurityGroup", GroupName="web", Description="web")
    assert (created.code, created.message) == (
        "VPCIdNotSpecified",
        "No default VPC for this user",
    )
    deleted = cloud.error("DeleteSecurityGroup", GroupName="web")
    assert deleted.code == "InvalidGroup.NotFound"


def test_the_quota(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    first = make_group(cloud, vpc)

    def fill(txn: Txn) -> None:
        row = txn.get(SecurityGroup, first)
        for number in range(MAX_GROUPS - sum(1 for _ in txn.all(SecurityGroup))):
            txn.put(replace(row, id=f"sg-{number:017x}", name=f"g{number}"))

    cloud.system(fill)
    error = cloud.error("CreateSecurityGroup", GroupName="b", Description="b", VpcId=vpc)
    assert error.code == "SecurityGroupLimitExceeded"


def test_delete(cloud: Cloud) -> None:
    key = make_group(cloud, make_vpc(cloud))
    assert cloud.call("DeleteSecurityGroup", GroupId=key) == {"Return": True, "GroupId": key}
    error = cloud.error("DescribeSecurityGroups", GroupIds=[key])
    assert error.code == "InvalidGroup.NotFound"
    assert error.message == f"The security group '{key}' does not exist"
    assert not [row for row in cloud.store.view.all(SecurityGroupRule) if row.group == key]


def test_delete_by_name_in_the_default_vpc(cloud: Cloud) -> None:
    cloud.call("CreateSecurityGroup", GroupName="web", Description="web")
    cloud.call("DeleteSecurityGroup", GroupName="web")
    error = cloud.error("DeleteSecurityGroup", GroupName="web")
    assert error.code == "InvalidGroup.NotFound"
    assert error.message.startswith("The security group 'web' does not exist in default VPC 'vpc-")
    nothing = cloud.error("DeleteSecurityGroup")
    assert nothing.code == "MissingParameter"
    assert nothing.message == "The request must contain the parameter groupName or groupId"
    assert cloud.error("DeleteSecurityGroup", GroupId="web").code == "InvalidGroupId.Malformed"


def test_delete_what_others_refer_to(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    one, two = make_group(cloud, vpc, "one"), make_group(cloud, vpc, "two")
    refer(cloud, one, two)
    error = cloud.error("DeleteSecurityGroup", GroupId=two)
    assert error.code == "DependencyViolation"
    assert error.message == f"resource {two} has a dependent object"
    cloud.call("DeleteSecurityGroup", GroupId=one)
    cloud.call("DeleteSecurityGroup", GroupId=two)


def test_a_reference_to_itself_keeps_nothing(cloud: Cloud) -> None:
    key = make_group(cloud, make_vpc(cloud))
    refer(cloud, key, key)
    cloud.call("DeleteSecurityGroup", GroupId=key)


def test_delete_what_is_worn(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = make_group(cloud, vpc)
    eni = make_interface(cloud, make_subnet(cloud, vpc), Groups=[key])["NetworkInterfaceId"]
    error = cloud.error("DeleteSecurityGroup", GroupId=key)
    assert (error.code, error.message) == (
        "DependencyViolation",
        f"resource {key} has a dependent object",
    )
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=eni)
    cloud.call("DeleteSecurityGroup", GroupId=key)


def test_a_group_keeps_its_vpc(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = make_group(cloud, vpc)
    assert cloud.error("DeleteVpc", VpcId=vpc).code == "DependencyViolation"
    cloud.call("DeleteSecurityGroup", GroupId=key)
    cloud.call("DeleteVpc", VpcId=vpc)


def test_names_select_in_the_default_vpc(cloud: Cloud) -> None:
    here = cloud.call("CreateSecurityGroup", GroupName="web", Description="web")["GroupId"]
    make_group(cloud, make_vpc(cloud), "web")
    make_group(cloud, make_vpc(cloud, "10.1.0.0/16"), "db")
    found = cloud.call("DescribeSecurityGroups", GroupNames=["web"])["SecurityGroups"]
    assert [item["GroupId"] for item in found] == [here]
    error = cloud.error("DescribeSecurityGroups", GroupNames=["web", "db"])
    assert error.code == "InvalidGroup.NotFound"
    assert error.message == "The security group 'db' does not exist in the default VPC"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("description", "about web"),
        ("egress.ip-permission.cidr", "198.51.100.0/24"),
        ("egress.ip-permission.from-port", "443"),
        ("egress.ip-permission.protocol", "tcp"),
        ("egress.ip-permission.to-port", "444"),
        ("group-id", "GROUP"),
        ("group-name", "web"),
        ("ip-permission.cidr", "10.9.0.0/16"),
        ("ip-permission.from-port", "80"),
        ("ip-permission.group-id", "PEER"),
        ("ip-permission.group-name", "peer"),
        ("ip-permission.ipv6-cidr", "2001:db8::/32"),
        ("ip-permission.protocol", "udp"),
        ("ip-permission.to-port", "81"),
        ("ip-permission.user-id", "123456789012"),
        ("tag:Name", "web"),
        ("tag-key", "Name"),
    ],
)
def test_filters(cloud: Cloud, name: str, value: str) -> None:
    vpc = make_vpc(cloud)
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "Name", "Value": "web"}]}]
    group = cloud.call(
        "CreateSecurityGroup",
        GroupName="web",
        Description="about web",
        VpcId=vpc,
        TagSpecifications=tags,
    )["GroupId"]
    peer = make_group(cloud, vpc, "peer")
    cloud.call(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "udp",
                "FromPort": 80,
                "ToPort": 81,
                "IpRanges": [{"CidrIp": "10.9.0.0/16"}],
                "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
                "UserIdGroupPairs": [{"GroupId": peer}],
            }
        ],
    )
    cloud.call(
        "AuthorizeSecurityGroupEgress",
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 444,
                "IpRanges": [{"CidrIp": "198.51.100.0/24"}],
            }
        ],
    )
    wanted = {"GROUP": group, "PEER": peer}.get(value, value)
    filters = only({"vpc-id": vpc, name: wanted})
    found = [
        item["GroupId"]
        for item in cloud.call("DescribeSecurityGroups", Filters=filters)["SecurityGroups"]
        if item["GroupName"] != "default"  # whose rules name this account too
    ]
    assert found == [group]


def test_dry_run(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    made = cloud.error(
        "CreateSecurityGroup", GroupName="web", Description="web", VpcId=vpc, DryRun=True
    )
    assert (made.code, made.status) == ("DryRunOperation", 412)
    key = make_group(cloud, vpc)
    gone = cloud.error("DeleteSecurityGroup", GroupId=key, DryRun=True)
    assert gone.code == "DryRunOperation"
    assert shown(cloud, key)["GroupName"] == "web"
