"""Rules of security groups: authorize, revoke, modify and describe, in both styles."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import default_group, make_group, make_vpc, only

HTTP: dict[str, Any] = {
    "IpProtocol": "tcp",
    "FromPort": 80,
    "ToPort": 80,
    "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "the world"}],
}
ALL_V4: dict[str, Any] = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def group_of(cloud: Cloud) -> str:
    return make_group(cloud, make_vpc(cloud))


def allow(cloud: Cloud, group: str, *permissions: dict[str, Any]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = cloud.call(
        "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=list(permissions)
    )["SecurityGroupRules"]
    return rules


def rules(cloud: Cloud, group: str, **more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.call(
        "DescribeSecurityGroupRules", Filters=only({"group-id": group, **more})
    )["SecurityGroupRules"]
    return found


def permissions(cloud: Cloud, group: str, member: str = "IpPermissions") -> list[dict[str, Any]]:
    shown = cloud.call("DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"][0]
    found: list[dict[str, Any]] = shown[member]
    return found


def test_authorize_answers_as_aws_does(cloud: Cloud) -> None:
    group = group_of(cloud)
    tags = [{"Key": "Name", "Value": "http"}]
    answer = cloud.call(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[HTTP],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tags}],
    )
    rule = answer["SecurityGroupRules"][0]
    key = rule["SecurityGroupRuleId"]
    assert answer == {
        "Return": True,
        "SecurityGroupRules": [
            {
                "SecurityGroupRuleId": key,
                "GroupId": group,
                "GroupOwnerId": "123456789012",
                "IsEgress": False,
                "IpProtocol": "tcp",
                "FromPort": 80,
                "ToPort": 80,
                "CidrIpv4": "0.0.0.0/0",
                "Description": "the world",
                "SecurityGroupRuleArn": (
                    f"arn:aws:ec2:ap-northeast-2:123456789012:security-group-rule/{key}"
                ),
                "Tags": tags,
            }
        ],
    }
    assert cloud.call("DescribeSecurityGroupRules", SecurityGroupRuleIds=[key]) == {
        "SecurityGroupRules": [rule]
    }
    assert permissions(cloud, group) == [
        {**HTTP, "UserIdGroupPairs": [], "Ipv6Ranges": [], "PrefixListIds": []}
    ]


def test_one_rule_a_peer(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    group, peer = make_group(cloud, vpc), make_group(cloud, vpc, "peer")
    made = allow(
        cloud,
        group,
        {
            "IpProtocol": "tcp",
            "FromPort": 1,
            "ToPort": 2,
            "IpRanges": [{"CidrIp": "10.1.0.0/16"}, {"CidrIp": "10.2.3.4/16"}],
            "Ipv6Ranges": [{"CidrIpv6": "2001:db8::1/32", "Description": "six"}],
            "UserIdGroupPairs": [{"GroupId": peer, "Description": "ours"}],
        },
    )
    assert len({rule["SecurityGroupRuleId"] for rule in made}) == 4
    assert [rule.get("CidrIpv4") or rule.get("CidrIpv6") for rule in made[:3]] == [
        "10.1.0.0/16",
        "10.2.0.0/16",
        "2001:db8::/32",
    ]
    assert made[3]["ReferencedGroupInfo"] == {
        "GroupId": peer,
        "UserId": "123456789012",
        "VpcId": vpc,
    }
    shown = permissions(cloud, group)
    assert len(shown) == 1
    assert {item["CidrIp"] for item in shown[0]["IpRanges"]} == {"10.1.0.0/16", "10.2.0.0/16"}
    assert shown[0]["Ipv6Ranges"] == [{"CidrIpv6": "2001:db8::/32", "Description": "six"}]
    assert shown[0]["UserIdGroupPairs"] == [
        {"GroupId": peer, "UserId": "123456789012", "Description": "ours"}
    ]


def test_the_way_out(cloud: Cloud) -> None:
    group = group_of(cloud)
    answer = cloud.call("AuthorizeSecurityGroupEgress", GroupId=group, IpPermissions=[HTTP])
    rule = answer["SecurityGroupRules"][0]
    assert (rule["IsEgress"], rule["CidrIpv4"]) == (True, "0.0.0.0/0")
    assert permissions(cloud, group) == []
    out = permissions(cloud, group, "IpPermissionsEgress")
    assert {item.get("FromPort") for item in out} == {None, 80}


def test_the_flat_style(cloud: Cloud) -> None:
    group = group_of(cloud)
    cloud.call(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpProtocol="tcp",
        FromPort=22,
        ToPort=22,
        CidrIp="203.0.113.7/32",
    )
    shown = permissions(cloud, group)[0]
    assert (shown["FromPort"], shown["IpRanges"]) == (22, [{"CidrIp": "203.0.113.7/32"}])
    cloud.call(
        "RevokeSecurityGroupIngress",
        GroupId=group,
        IpProtocol="tcp",
        FromPort=22,
        ToPort=22,
        CidrIp="203.0.113.7/32",
    )
    assert permissions(cloud, group) == []


def test_a_group_alone_means_icmp_tcp_and_udp(cloud: Cloud) -> None:
    cloud.call("CreateSecurityGroup", GroupName="peer", Description="peer")
    group = cloud.call("CreateSecurityGroup", GroupName="web", Description="web")["GroupId"]
    cloud.call("AuthorizeSecurityGroupIngress", GroupName="web", SourceSecurityGroupName="peer")
    found = {
        (r["IpProtocol"], r["FromPort"], r["ToPort"])
        for r in rules(cloud, group)
        if not r["IsEgress"]
    }
    assert found == {("icmp", -1, -1), ("tcp", 0, 65535), ("udp", 0, 65535)}


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        (HTTP, "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW"),
        (ALL_V4, "peer: 0.0.0.0/0, ALL, ALLOW"),
        (
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": HTTP["IpRanges"]},
            "peer: 0.0.0.0/0, ICMP, type: 8, code: ALL, ALLOW",
        ),
        (
            {"IpProtocol": "50", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            "peer: 0.0.0.0/0, protocol: 50, ALLOW",
        ),
        (
            {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
            "peer: ::/0, ALL, ALLOW",
        ),
    ],
)
def test_what_is_there_already(cloud: Cloud, permission: dict[str, Any], words: str) -> None:
    group = group_of(cloud)
    allow(cloud, group, permission)
    error = cloud.error("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])
    assert error.code == "InvalidPermission.Duplicate"
    assert error.message == f'the specified rule "{words}" already exists'


def test_another_description_is_the_same_rule(cloud: Cloud) -> None:
    group = group_of(cloud)
    allow(cloud, group, HTTP)
    other = {**HTTP, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "else"}]}
    error = cloud.error("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[other])
    assert error.code == "InvalidPermission.Duplicate"
    twice = cloud.error("AuthorizeSecurityGroupEgress", GroupId=group, IpPermissions=[HTTP, other])
    assert twice.code == "InvalidParameterValue"
    assert twice.message == "The same permission must not appear multiple times"


def test_all_or_nothing(cloud: Cloud) -> None:
    group = group_of(cloud)
    allow(cloud, group, HTTP)
    ssh = {**HTTP, "FromPort": 22, "ToPort": 22}
    cloud.error("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[ssh, HTTP])
    assert len(permissions(cloud, group)) == 1


@pytest.mark.parametrize(
    ("pair", "code"),
    [
        ({"GroupId": "sg-0123456789abcdef0"}, "InvalidGroup.NotFound"),
        ({"GroupName": "nobody"}, "InvalidGroup.NotFound"),
        ({"GroupId": "ELSEWHERE"}, "InvalidGroup.NotFound"),
        ({"GroupId": "PEER", "UserId": "210987654321"}, "InvalidGroup.NotFound"),
        ({"UserId": "123456789012"}, "MissingParameter"),
    ],
)
def test_peers_that_cannot_be_referred_to(cloud: Cloud, pair: dict[str, str], code: str) -> None:
    vpc = make_vpc(cloud)
    group = make_group(cloud, vpc)
    ids = {
        "PEER": make_group(cloud, vpc, "peer"),
        "ELSEWHERE": make_group(cloud, make_vpc(cloud, "10.1.0.0/16")),
    }
    item = {name: ids.get(value, value) for name, value in pair.items()}
    error = cloud.error(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [item]}],
    )
    assert error.code == code


def test_the_quota_counts_families_apart(cloud: Cloud) -> None:
    group = group_of(cloud)
    v4 = [{"CidrIp": f"10.0.{number}.0/24"} for number in range(61)]
    v6 = [{"CidrIpv6": f"2001:db8:{number:x}::/48"} for number in range(60)]
    http = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    allow(cloud, group, {**http, "IpRanges": v4[:60], "Ipv6Ranges": v6})
    error = cloud.error(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[{**http, "IpRanges": v4[60:]}],
    )
    assert error.code == "RulesPerSecurityGroupLimitExceeded"
    assert error.message == "The maximum number of rules per security group has been reached."
    both = cloud.error(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[{**http, "UserIdGroupPairs": [{"GroupId": group}]}],
    )
    assert both.code == "RulesPerSecurityGroupLimitExceeded"


@pytest.mark.parametrize(
    "ports", [{}, {"FromPort": 0, "ToPort": 0}, {"FromPort": -1, "ToPort": -1}]
)
def test_terraform_revokes_the_default_egress(cloud: Cloud, ports: dict[str, int]) -> None:
    group = group_of(cloud)
    before = rules(cloud, group)[0]
    answer = cloud.call(
        "RevokeSecurityGroupEgress", GroupId=group, IpPermissions=[{**ALL_V4, **ports}]
    )
    assert answer == {
        "Return": True,
        "RevokedSecurityGroupRules": [
            {
                "SecurityGroupRuleId": before["SecurityGroupRuleId"],
                "GroupId": group,
                "IsEgress": True,
                "IpProtocol": "-1",
                "FromPort": -1,
                "ToPort": -1,
                "CidrIpv4": "0.0.0.0/0",
            }
        ],
    }
    assert permissions(cloud, group, "IpPermissionsEgress") == []
    v6 = {"IpProtocol": "-1", **ports, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    error = cloud.error("RevokeSecurityGroupEgress", GroupId=group, IpPermissions=[v6])
    assert error.code == "InvalidPermission.NotFound"
    assert error.message == "The specified rule does not exist in this security group."


def test_in_the_default_vpc_what_is_unknown_is_reported(cloud: Cloud) -> None:
    group = cloud.call("CreateSecurityGroup", GroupName="web", Description="web")["GroupId"]
    answer = cloud.call("RevokeSecurityGroupIngress", GroupName="web", IpPermissions=[HTTP])
    assert answer["Return"] is True
    assert answer["UnknownIpPermissions"][0]["FromPort"] == 80
    assert permissions(cloud, group) == []


def test_revoke_by_ids(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    group = make_group(cloud, vpc)
    keys = [
        allow(cloud, group, {**HTTP, "FromPort": port, "ToPort": port})[0]["SecurityGroupRuleId"]
        for port in (80, 443)
    ]
    answer = cloud.call("RevokeSecurityGroupIngress", GroupId=group, SecurityGroupRuleIds=keys)
    assert [r["SecurityGroupRuleId"] for r in answer["RevokedSecurityGroupRules"]] == keys
    assert permissions(cloud, group) == []
    gone = cloud.error("RevokeSecurityGroupIngress", GroupId=group, SecurityGroupRuleIds=keys)
    assert gone.code == "InvalidSecurityGroupRuleId.NotFound"
    assert gone.message == f"The security group rule ID '{keys[0]}' does not exist"
    malformed = cloud.error(
        "RevokeSecurityGroupIngress", GroupId=group, SecurityGroupRuleIds=["rule"]
    )
    assert malformed.code == "InvalidSecurityGroupRuleId.Malformed"


def test_revoke_by_the_id_of_another_direction_or_group(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    group, other = make_group(cloud, vpc), make_group(cloud, vpc, "other")
    key = allow(cloud, group, HTTP)[0]["SecurityGroupRuleId"]
    for action, target in (
        ("RevokeSecurityGroupEgress", group),
        ("RevokeSecurityGroupIngress", other),
    ):
        error = cloud.error(action, GroupId=target, SecurityGroupRuleIds=[key])
        assert error.code == "InvalidSecurityGroupRuleId.NotFound"
    assert len(permissions(cloud, group)) == 1


def test_a_refused_revoke_takes_nothing(cloud: Cloud) -> None:
    group = group_of(cloud)
    key = allow(cloud, group, HTTP)[0]["SecurityGroupRuleId"]
    cloud.error(
        "RevokeSecurityGroupIngress",
        GroupId=group,
        SecurityGroupRuleIds=[key, "sgr-0123456789abcdef0"],
    )
    cloud.error(
        "RevokeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[HTTP, {**HTTP, "FromPort": 1, "ToPort": 1}],
    )
    assert len(permissions(cloud, group)) == 1


@pytest.mark.parametrize("action", ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress"])
def test_something_must_be_asked(cloud: Cloud, action: str) -> None:
    group = group_of(cloud)
    assert cloud.error(action, GroupId=group).code == "MissingParameter"
    nameless = cloud.error(action, IpPermissions=[HTTP])
    assert nameless.code == "MissingParameter"
    unknown = cloud.error(action, GroupId="sg-0123456789abcdef0", IpPermissions=[HTTP])
    assert unknown.code == "InvalidGroup.NotFound"


def test_filters(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    group = make_group(cloud, vpc)
    tags = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "Name", "Value": "http"}]}]
    key = cloud.call(
        "AuthorizeSecurityGroupIngress",
        GroupId=group,
        IpPermissions=[HTTP],
        TagSpecifications=tags,
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    assert len(rules(cloud, group)) == 2
    for more in ({"security-group-rule-id": key}, {"tag:Name": "http"}):
        assert [rule["SecurityGroupRuleId"] for rule in rules(cloud, group, **more)] == [key]
    # A rule that only refers to a group is not one of that group.
    default = default_group(cloud, vpc)["GroupId"]
    allow(cloud, group, {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": default}]})
    assert len(rules(cloud, default)) == 2


def test_pages(cloud: Cloud) -> None:
    group = group_of(cloud)
    ranges = [{"CidrIp": f"10.0.{number}.0/24"} for number in range(11)]
    allow(cloud, group, {**HTTP, "IpRanges": ranges})
    filters = only({"group-id": group})
    first = cloud.call("DescribeSecurityGroupRules", Filters=filters, MaxResults=10)
    rest = cloud.call(
        "DescribeSecurityGroupRules",
        Filters=filters,
        MaxResults=10,
        NextToken=first["NextToken"],
    )
    assert (len(first["SecurityGroupRules"]), len(rest["SecurityGroupRules"])) == (10, 2)
    assert not rest.get("NextToken")


def test_dry_run(cloud: Cloud) -> None:
    group = group_of(cloud)
    error = cloud.error(
        "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[HTTP], DryRun=True
    )
    assert (error.code, error.status) == ("DryRunOperation", 412)
    gone = cloud.error(
        "RevokeSecurityGroupEgress", GroupId=group, IpPermissions=[ALL_V4], DryRun=True
    )
    assert gone.code == "DryRunOperation"
    assert len(rules(cloud, group)) == 1
