"""What groups ask of the network: one filter a set and direction, and which flows are untracked."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Filter, Rule
from gureum.resources.group_filter import filter_id
from tests.conftest import Cloud
from tests.resources.building import make_group, make_interface, make_subnet, make_vpc, plug_in

ANY: dict[str, Any] = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
ANY_V6: dict[str, Any] = {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}


def worn(cloud: Cloud, *names: str) -> tuple[str, list[str]]:
    """A VPC with groups of those names, which an interface of a running host wears."""
    vpc = make_vpc(cloud)
    groups = [make_group(cloud, vpc, name) for name in names]
    eni = make_interface(cloud, make_subnet(cloud, vpc), Groups=groups)["NetworkInterfaceId"]
    plug_in(cloud, eni)
    return vpc, groups


def allow(cloud: Cloud, group: str, **permission: Any) -> str:
    answer = cloud.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])
    return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def filters(cloud: Cloud, vpc: str) -> dict[str, Filter]:
    return {
        item.direction: item
        for item in cloud.program().statements
        if isinstance(item, Filter) and item.stateful and item.router == vpc
    }


def egress(cloud: Cloud, group: str) -> str:
    """The id of the only rule for outgoing traffic."""
    rules = cloud.call(
        "DescribeSecurityGroupRules", Filters=[{"Name": "group-id", "Values": [group]}]
    )["SecurityGroupRules"]
    return str(next(rule["SecurityGroupRuleId"] for rule in rules if rule["IsEgress"]))


def revoke_egress(cloud: Cloud, group: str) -> None:
    cloud.call(
        "RevokeSecurityGroupEgress",
        GroupId=group,
        SecurityGroupRuleIds=[egress(cloud, group)],
    )


def test_a_new_group(cloud: Cloud) -> None:
    vpc, (group,) = worn(cloud, "web")
    rule = egress(cloud, group)
    assert filters(cloud, vpc) == {
        "in": Filter(
            id=f"{group}/in",
            router=vpc,
            direction="in",
            stateful=True,
            rules=(),
            default=f"sg:{group}",
        ),
        "out": Filter(
            id=f"{group}/out",
            router=vpc,
            direction="out",
            stateful=True,
            rules=(Rule(rule, True, None, None, None, "0.0.0.0/0"),),
            default=f"sg:{group}",
        ),
    }
    whys = cloud.program().statements[filters(cloud, vpc)["in"]]
    assert whys == {group}


def test_a_group_that_nobody_wears_is_not_there(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    allow(cloud, make_group(cloud, vpc), IpProtocol="-1", **ANY)
    assert filters(cloud, vpc) == {}


@pytest.mark.parametrize(
    ("permission", "protocol", "ports", "icmp"),
    [
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81}, 6, (80, 81), None),
        ({"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535}, 17, None, None),
        ({"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}, 1, None, (8, -1)),
        ({"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1}, 1, None, None),
        ({"IpProtocol": "47"}, 47, None, None),
        ({"IpProtocol": "-1", "FromPort": 0, "ToPort": 0}, None, None, None),
    ],
)
def test_lines(
    cloud: Cloud,
    permission: dict[str, Any],
    protocol: int | None,
    ports: tuple[int, int] | None,
    icmp: tuple[int, int] | None,
) -> None:
    vpc, (group,) = worn(cloud, "web")
    key = allow(cloud, group, **permission, IpRanges=[{"CidrIp": "10.9.0.0/16"}])
    assert filters(cloud, vpc)["in"].rules == (
        Rule(key, True, protocol, ports, icmp, "10.9.0.0/16"),
    )


def test_a_reference_is_the_groups_id(cloud: Cloud) -> None:
    vpc, (group,) = worn(cloud, "web")
    peer = make_group(cloud, vpc, "peer")
    allow(cloud, group, IpProtocol="-1", UserIdGroupPairs=[{"GroupId": peer}])
    assert [rule.peer for rule in filters(cloud, vpc)["in"].rules] == [peer]


def test_ipv6(cloud: Cloud) -> None:
    vpc, (group,) = worn(cloud, "web")
    allow(cloud, group, IpProtocol="-1", **ANY_V6)
    allow(cloud, group, IpProtocol="icmpv6", FromPort=-1, ToPort=-1, **ANY_V6)
    found = filters(cloud, vpc)["in"]
    assert {(rule.protocol, rule.peer) for rule in found.rules} == {(None, "::/0"), (58, "::/0")}
    assert found.ipv6 is False  # the VPC has no IPv6 block


def test_a_set_is_the_union_of_its_groups(cloud: Cloud) -> None:
    vpc, groups = worn(cloud, "one", "two")
    keys = [
        allow(
            cloud,
            group,
            IpProtocol="tcp",
            FromPort=80,
            ToPort=80,
            IpRanges=[{"CidrIp": "10.9.0.0/16"}],
        )
        for group in groups
    ]
    found = filters(cloud, vpc)["in"]
    assert [rule.why for rule in found.rules] == sorted(keys)
    assert found.id == filter_id(tuple(sorted(groups)), "in")
    assert found.id.startswith("sgset-")
    assert found.default == f"sg:{','.join(sorted(groups))}"
    assert cloud.program().statements[found] == set(groups)


def test_the_id_stays_while_the_rules_change(cloud: Cloud) -> None:
    vpc, (group,) = worn(cloud, "web")
    before = filters(cloud, vpc)["in"]
    key = allow(cloud, group, IpProtocol="-1", IpRanges=[{"CidrIp": "10.9.0.0/16"}])
    after = filters(cloud, vpc)["in"]
    assert (before.id, before.rules) == (after.id, ())
    cloud.call("RevokeSecurityGroupIngress", GroupId=group, SecurityGroupRuleIds=[key])
    assert filters(cloud, vpc)["in"] == before


def test_untracked_if_anybody_may_and_every_answer_may(cloud: Cloud) -> None:
    """EC2 User Guide, "Untracked connections": 0.0.0.0/0 here, 0.0.0.0/0 and all ports back."""
    vpc, (group,) = worn(cloud, "web")
    tcp = allow(cloud, group, IpProtocol="tcp", FromPort=80, ToPort=80, **ANY)
    ping = allow(cloud, group, IpProtocol="icmp", FromPort=8, ToPort=-1, **ANY)
    some = allow(
        cloud,
        group,
        IpProtocol="tcp",
        FromPort=22,
        ToPort=22,
        IpRanges=[{"CidrIp": "10.9.0.0/16"}],
    )
    assert {rule.why: rule.untracked for rule in filters(cloud, vpc)["in"].rules} == {
        tcp: True,
        ping: False,
        some: False,
    }
    # The way out is open to all, but the way back is not: only port 80 may come in.
    assert [rule.untracked for rule in filters(cloud, vpc)["out"].rules] == [False]


def test_tracked_once_the_way_back_is_not_open(cloud: Cloud) -> None:
    vpc, (group,) = worn(cloud, "web")
    allow(cloud, group, IpProtocol="tcp", FromPort=80, ToPort=80, **ANY)
    revoke_egress(cloud, group)
    cloud.call(
        "AuthorizeSecurityGroupEgress",
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1024, "ToPort": 65535, **ANY}],
    )
    assert [rule.untracked for rule in filters(cloud, vpc)["in"].rules] == [False]
    cloud.call(
        "AuthorizeSecurityGroupEgress",
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, **ANY}],
    )
    assert [rule.untracked for rule in filters(cloud, vpc)["in"].rules] == [True]


def test_all_protocols_are_untracked_in_part(cloud: Cloud) -> None:
    """TCP and UDP may be untracked, everything else never is; the untracked lines come first."""
    vpc, (group,) = worn(cloud, "web")
    key = allow(cloud, group, IpProtocol="-1", **ANY)
    out = egress(cloud, group)
    for direction, why in (("in", key), ("out", out)):
        assert filters(cloud, vpc)[direction].rules == (
            Rule(why, True, 6, None, None, "0.0.0.0/0", untracked=True),
            Rule(why, True, 17, None, None, "0.0.0.0/0", untracked=True),
            Rule(why, True, None, None, None, "0.0.0.0/0"),
        )


def test_the_way_back_may_be_another_groups(cloud: Cloud) -> None:
    vpc, (one, two) = worn(cloud, "one", "two")
    allow(cloud, one, IpProtocol="udp", FromPort=53, ToPort=53, **ANY)
    revoke_egress(cloud, one)
    assert [rule.untracked for rule in filters(cloud, vpc)["in"].rules] == [True]
    revoke_egress(cloud, two)
    assert [rule.untracked for rule in filters(cloud, vpc)["in"].rules] == [False]


def test_untracked_lines_come_first_then_by_id(cloud: Cloud) -> None:
    """A flow that any untracked rule admits is untracked, so that rule must decide first; the rest
    is in an order that does not depend on when the rules were made."""
    vpc, (group,) = worn(cloud, "web")
    tracked = [
        allow(
            cloud,
            group,
            IpProtocol="tcp",
            FromPort=port,
            ToPort=port,
            IpRanges=[{"CidrIp": "10.9.0.0/16"}],
        )
        for port in (1, 2, 3, 4)
    ]
    untracked = [
        allow(cloud, group, IpProtocol="tcp", FromPort=port, ToPort=port, **ANY)
        for port in (5, 6, 7, 8)
    ]
    found = [rule.why for rule in filters(cloud, vpc)["in"].rules]
    assert found == [*sorted(untracked), *sorted(tracked)]
