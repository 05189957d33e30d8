"""Changing rules of security groups in place: what they permit and what they are described as."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import make_group, make_vpc
from tests.resources.test_security_group_rule import HTTP, allow, group_of, permissions


def test_modify_replaces_a_rule_whole(cloud: Cloud) -> None:
    group = group_of(cloud)
    key = allow(cloud, group, HTTP)[0]["SecurityGroupRuleId"]
    answer = cloud.call(
        "ModifySecurityGroupRules",
        GroupId=group,
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": key,
                "SecurityGroupRule": {
                    "IpProtocol": "udp",
                    "FromPort": 53,
                    "ToPort": 53,
                    "CidrIpv6": "2001:db8::/32",
                },
            }
        ],
    )
    assert answer == {"Return": True}
    rule = cloud.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[key])[
        "SecurityGroupRules"
    ][0]
    assert (rule["IpProtocol"], rule["FromPort"], rule["CidrIpv6"]) == ("udp", 53, "2001:db8::/32")
    assert "CidrIpv4" not in rule
    assert "Description" not in rule


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1}, "InvalidParameterCombination"),
        (
            {"IpProtocol": "-1", "CidrIpv4": "10.0.0.0/8", "CidrIpv6": "::/0"},
            "InvalidParameterCombination",
        ),
        ({"CidrIpv4": "10.0.0.0/8"}, "MissingParameter"),
        ({"IpProtocol": "-1", "PrefixListId": "pl-1"}, "InvalidPrefixListId.Malformed"),
        (
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "0.0.0.0/0"},
            "InvalidPermission.Duplicate",
        ),
        ({"IpProtocol": "-1", "CidrIpv4": "10/8"}, "InvalidParameterValue"),
        (
            {"IpProtocol": "-1", "ReferencedGroupId": "sg-0123456789abcdef0"},
            "InvalidGroup.NotFound",
        ),
    ],
)
def test_what_a_rule_cannot_become(cloud: Cloud, rule: dict[str, Any], code: str) -> None:
    group = group_of(cloud)
    key = allow(cloud, group, HTTP)[0]["SecurityGroupRuleId"]
    allow(cloud, group, {**HTTP, "FromPort": 443, "ToPort": 443})
    error = cloud.error(
        "ModifySecurityGroupRules",
        GroupId=group,
        SecurityGroupRules=[{"SecurityGroupRuleId": key, "SecurityGroupRule": rule}],
    )
    assert error.code == code
    kept = cloud.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[key])
    assert kept["SecurityGroupRules"][0]["FromPort"] == 80


def test_two_rules_may_change_places(cloud: Cloud) -> None:
    group = group_of(cloud)
    one = allow(cloud, group, HTTP)[0]["SecurityGroupRuleId"]
    two = allow(cloud, group, {**HTTP, "FromPort": 443, "ToPort": 443})[0]["SecurityGroupRuleId"]
    updates = [
        {
            "SecurityGroupRuleId": key,
            "SecurityGroupRule": {
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                "CidrIpv4": "0.0.0.0/0",
            },
        }
        for key, port in ((one, 443), (two, 80))
    ]
    cloud.call("ModifySecurityGroupRules", GroupId=group, SecurityGroupRules=updates)
    found = cloud.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[one, two])
    assert [item["FromPort"] for item in found["SecurityGroupRules"]] == [443, 80]


def test_the_rule_of_another_group_is_not_modified(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    group, other = make_group(cloud, vpc), make_group(cloud, vpc, "other")
    key = allow(cloud, group, HTTP)[0]["SecurityGroupRuleId"]
    error = cloud.error(
        "ModifySecurityGroupRules",
        GroupId=other,
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": key,
                "SecurityGroupRule": {"IpProtocol": "-1", "CidrIpv4": "10.0.0.0/8"},
            }
        ],
    )
    assert error.code == "InvalidSecurityGroupRuleId.NotFound"


def test_descriptions_by_property_and_by_id(cloud: Cloud) -> None:
    group = group_of(cloud)
    key = allow(cloud, group, HTTP)[0]["SecurityGroupRuleId"]
    action = "UpdateSecurityGroupRuleDescriptionsIngress"
    new = {**HTTP, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "new"}]}
    assert cloud.call(action, GroupId=group, IpPermissions=[new]) == {"Return": True}
    assert permissions(cloud, group)[0]["IpRanges"][0]["Description"] == "new"
    texts = [{"SecurityGroupRuleId": key, "Description": "newer"}]
    cloud.call(action, GroupId=group, SecurityGroupRuleDescriptions=texts)
    assert permissions(cloud, group)[0]["IpRanges"][0]["Description"] == "newer"
    bare = {**HTTP, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    cloud.call(action, GroupId=group, IpPermissions=[bare])
    assert "Description" not in permissions(cloud, group)[0]["IpRanges"][0]
    unknown = cloud.error(action, GroupId=group, IpPermissions=[{**HTTP, "ToPort": 81}])
    assert unknown.code == "InvalidPermission.NotFound"
    egress = cloud.error(
        "UpdateSecurityGroupRuleDescriptionsEgress",
        GroupId=group,
        SecurityGroupRuleDescriptions=texts,
    )
    assert egress.code == "InvalidSecurityGroupRuleId.NotFound"
