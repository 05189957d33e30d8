"""Traffic mirror targets, filters, rules and sessions, and what they ask of the network."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Choice, Mirrored
from gureum.resources.traffic_mirror_filter import MAX_RULES
from gureum.resources.traffic_mirror_session import MAX_PER_INTERFACE, MAX_PER_TARGET
from tests.conftest import Cloud
from tests.resources.building import make_interface, make_subnet, make_vpc, plug_in
from tests.resources.routing import refusal

RULE: dict[str, Any] = {
    "TrafficDirection": "ingress",
    "RuleNumber": 100,
    "RuleAction": "accept",
    "Protocol": 6,
    "SourceCidrBlock": "10.0.0.5/8",
    "DestinationCidrBlock": "0.0.0.0/0",
    "DestinationPortRange": {"FromPort": 80, "ToPort": 443},
}


class Mirror:
    """A source, a target of its own, and a filter."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.subnet = make_subnet(cloud, make_vpc(cloud))
        self.source, self.sink = self.interface(), self.interface()
        self.target = self.make_target(self.sink)
        made = cloud.call("CreateTrafficMirrorFilter", Description="web")
        self.filter = made["TrafficMirrorFilter"]["TrafficMirrorFilterId"]

    def interface(self) -> str:
        return str(make_interface(self.cloud, self.subnet)["NetworkInterfaceId"])

    def make_target(self, interface: str) -> str:
        made = self.cloud.call("CreateTrafficMirrorTarget", NetworkInterfaceId=interface)
        return str(made["TrafficMirrorTarget"]["TrafficMirrorTargetId"])

    def rule(self, **more: Any) -> dict[str, Any]:
        given = RULE | {"TrafficMirrorFilterId": self.filter} | more
        made = self.cloud.call("CreateTrafficMirrorFilterRule", **given)
        return dict(made["TrafficMirrorFilterRule"])

    def wanted(self, **more: Any) -> dict[str, Any]:
        """What a session is asked for by."""
        return {
            "NetworkInterfaceId": self.source,
            "TrafficMirrorTargetId": self.target,
            "TrafficMirrorFilterId": self.filter,
            "SessionNumber": 1,
            **more,
        }

    def session(self, **more: Any) -> dict[str, Any]:
        made = self.cloud.call("CreateTrafficMirrorSession", **self.wanted(**more))
        return dict(made["TrafficMirrorSession"])

    def sessions(self, **more: Any) -> list[dict[str, Any]]:
        found = self.cloud.call("DescribeTrafficMirrorSessions", **more)
        return list(found["TrafficMirrorSessions"])


@pytest.fixture
def mirror(cloud: Cloud) -> Mirror:
    return Mirror(cloud)


def test_targets(cloud: Cloud, mirror: Mirror) -> None:
    arn = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/a/b"
    tags = [{"ResourceType": "traffic-mirror-target", "Tags": [{"Key": "a", "Value": "b"}]}]
    made = cloud.call(
        "CreateTrafficMirrorTarget",
        NetworkLoadBalancerArn=arn,
        Description="all",
        TagSpecifications=tags,
    )["TrafficMirrorTarget"]
    assert made == {
        "TrafficMirrorTargetId": made["TrafficMirrorTargetId"],
        "NetworkLoadBalancerArn": arn,
        "Type": "network-load-balancer",
        "Description": "all",
        "OwnerId": "123456789012",
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert made["TrafficMirrorTargetId"].startswith("tmt-")
    shown = cloud.call(
        "DescribeTrafficMirrorTargets",
        Filters=[{"Name": "network-interface-id", "Values": [mirror.sink]}],
    )["TrafficMirrorTargets"]
    assert [each["TrafficMirrorTargetId"] for each in shown] == [mirror.target]
    for given in ({}, {"NetworkInterfaceId": mirror.sink, "NetworkLoadBalancerArn": arn}):
        assert refusal(cloud, "CreateTrafficMirrorTarget", **given)[0] == (
            "InvalidParameterCombination"
        )
    missing = "eni-0123456789abcdef0"
    code, _ = refusal(cloud, "CreateTrafficMirrorTarget", NetworkInterfaceId=missing)
    assert code == "InvalidNetworkInterfaceID.NotFound"
    mirror.session()
    code, _ = refusal(cloud, "DeleteTrafficMirrorTarget", TrafficMirrorTargetId=mirror.target)
    assert code == "TrafficMirrorTargetInUseException"


def test_a_filter_shows_its_rules_by_direction_and_number(cloud: Cloud, mirror: Mirror) -> None:
    second, first = mirror.rule(RuleNumber=200), mirror.rule()
    out = mirror.rule(TrafficDirection="egress", RuleAction="reject", Description="none")
    assert first == {
        "TrafficMirrorFilterRuleId": first["TrafficMirrorFilterRuleId"],
        "TrafficMirrorFilterId": mirror.filter,
        "TrafficDirection": "ingress",
        "RuleNumber": 100,
        "RuleAction": "accept",
        "Protocol": 6,
        "SourceCidrBlock": "10.0.0.0/8",
        "DestinationCidrBlock": "0.0.0.0/0",
        "DestinationPortRange": {"FromPort": 80, "ToPort": 443},
        "Tags": [],
    }
    (shown,) = cloud.call("DescribeTrafficMirrorFilters")["TrafficMirrorFilters"]
    assert shown["IngressFilterRules"] == [first, second]
    assert shown["EgressFilterRules"] == [out]
    assert shown["Description"] == "web"
    listed = cloud.call(
        "DescribeTrafficMirrorFilterRules",
        TrafficMirrorFilterId=mirror.filter,
        Filters=[{"Name": "rule-action", "Values": ["reject"]}],
    )["TrafficMirrorFilterRules"]
    assert listed == [out]


def test_services_of_a_filter(cloud: Cloud, mirror: Mirror) -> None:
    def change(**more: Any) -> list[str]:
        made = cloud.call("ModifyTrafficMirrorFilterNetworkServices",
                          TrafficMirrorFilterId=mirror.filter, **more)  # fmt: skip
        return list(made["TrafficMirrorFilter"]["NetworkServices"])

    assert change(AddNetworkServices=["amazon-dns"]) == ["amazon-dns"]
    assert change(AddNetworkServices=["amazon-dns"]) == ["amazon-dns"]
    assert change(RemoveNetworkServices=["amazon-dns"]) == []


def test_a_rule_is_changed(cloud: Cloud, mirror: Mirror) -> None:
    key = mirror.rule(Description="x")["TrafficMirrorFilterRuleId"]
    other = mirror.rule(RuleNumber=200)

    def change(**more: Any) -> dict[str, Any]:
        made = cloud.call("ModifyTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=key, **more)
        return dict(made["TrafficMirrorFilterRule"])

    changed = change(
        RuleAction="reject", RemoveFields=["destination-port-range", "protocol", "description"]
    )
    assert changed == {
        "TrafficMirrorFilterRuleId": key,
        "TrafficMirrorFilterId": mirror.filter,
        "TrafficDirection": "ingress",
        "RuleNumber": 100,
        "RuleAction": "reject",
        "SourceCidrBlock": "10.0.0.0/8",
        "DestinationCidrBlock": "0.0.0.0/0",
    }
    for given, code in (
        ({"RuleNumber": 200}, "TrafficMirrorFilterRuleAlreadyExists"),
        ({"Protocol": 1, "SourcePortRange": {"FromPort": 1}}, "InvalidParameterCombination"),
        ({"Protocol": 6, "RemoveFields": ["protocol"]}, "InvalidParameterCombination"),
    ):
        action = "ModifyTrafficMirrorFilterRule"
        assert refusal(cloud, action, TrafficMirrorFilterRuleId=key, **given)[0] == code
    cloud.call("DeleteTrafficMirrorFilterRule",
               TrafficMirrorFilterRuleId=other["TrafficMirrorFilterRuleId"])  # fmt: skip
    assert change(RuleNumber=200)["RuleNumber"] == 200


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"RuleNumber": 0}, "InvalidParameterValue"),
        ({"RuleNumber": 32767}, "InvalidParameterValue"),
        ({"Protocol": 256, "DestinationPortRange": None}, "InvalidParameterValue"),
        ({"SourceCidrBlock": "10.0.0/8"}, "InvalidParameterValue"),
        ({"SourceCidrBlock": "::/0"}, "InvalidParameterCombination"),
        ({"Protocol": 1}, "InvalidParameterCombination"),
        ({"SourcePortRange": {"FromPort": 5, "ToPort": 4}}, "InvalidParameterValue"),
        ({"SourcePortRange": {"FromPort": 1, "ToPort": 65536}}, "InvalidParameterValue"),
        (
            {"TrafficMirrorFilterId": "tmf-0123456789abcdef0"},
            "InvalidTrafficMirrorFilterId.NotFound",
        ),
    ],
)
def test_rules_that_are_refused(
    cloud: Cloud, mirror: Mirror, given: dict[str, Any], code: str
) -> None:
    params = RULE | {"TrafficMirrorFilterId": mirror.filter} | given
    present = {name: value for name, value in params.items() if value is not None}
    assert refusal(cloud, "CreateTrafficMirrorFilterRule", **present)[0] == code


def test_a_filter_has_ten_rules(cloud: Cloud, mirror: Mirror) -> None:
    for number in range(1, MAX_RULES + 1):
        mirror.rule(RuleNumber=number)
    given = RULE | {"TrafficMirrorFilterId": mirror.filter}
    assert refusal(cloud, "CreateTrafficMirrorFilterRule", **given)[0] == (
        "TrafficMirrorFilterRuleLimitExceeded"
    )


def test_a_session(cloud: Cloud, mirror: Mirror) -> None:
    made = mirror.session(PacketLength=100, VirtualNetworkId=7, Description="d")
    assert made == {
        "TrafficMirrorSessionId": made["TrafficMirrorSessionId"],
        "TrafficMirrorTargetId": mirror.target,
        "TrafficMirrorFilterId": mirror.filter,
        "NetworkInterfaceId": mirror.source,
        "OwnerId": "123456789012",
        "PacketLength": 100,
        "SessionNumber": 1,
        "VirtualNetworkId": 7,
        "Description": "d",
        "Tags": [],
    }
    assert mirror.sessions(Filters=[{"Name": "virtual-network-id", "Values": ["7"]}]) == [made]
    key = made["TrafficMirrorSessionId"]
    changed = cloud.call(
        "ModifyTrafficMirrorSession",
        TrafficMirrorSessionId=key,
        SessionNumber=5,
        RemoveFields=["packet-length", "virtual-network-id"],
    )["TrafficMirrorSession"]
    assert changed["SessionNumber"] == 5
    assert "PacketLength" not in changed
    assert changed["VirtualNetworkId"] in range(1 << 24)
    assert mirror.sessions() == [changed]
    code, _ = refusal(cloud, "DeleteTrafficMirrorFilter", TrafficMirrorFilterId=mirror.filter)
    assert code == "TrafficMirrorFilterInUse"
    cloud.call("DeleteTrafficMirrorSession", TrafficMirrorSessionId=key)
    mirror.rule()
    cloud.call("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=mirror.filter)
    assert cloud.call("DescribeTrafficMirrorFilterRules")["TrafficMirrorFilterRules"] == []
    cloud.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=mirror.target)


@pytest.mark.parametrize(
    "given",
    [
        {"SessionNumber": 0},
        {"SessionNumber": 32767},
        {"VirtualNetworkId": 1 << 24},
        {"PacketLength": 0},
        {"PacketLength": 8501},
    ],
)
def test_sessions_that_are_refused(cloud: Cloud, mirror: Mirror, given: dict[str, Any]) -> None:
    code, message = refusal(cloud, "CreateTrafficMirrorSession", **mirror.wanted(**given))
    assert code == "InvalidParameterValue"
    assert str(*given.values()) in message


def test_how_many_sessions_there_are(cloud: Cloud, mirror: Mirror) -> None:
    for number in range(1, MAX_PER_INTERFACE + 1):
        mirror.session(SessionNumber=number)
    code, _ = refusal(cloud, "CreateTrafficMirrorSession", **mirror.wanted(SessionNumber=9))
    assert code == "TrafficMirrorSessionsPerInterfaceLimitExceeded"
    code, _ = refusal(cloud, "CreateTrafficMirrorSession", **mirror.wanted())
    assert code == "InvalidParameterValue"
    for _ in range(MAX_PER_TARGET - MAX_PER_INTERFACE):
        mirror.session(NetworkInterfaceId=mirror.interface())
    wanted = mirror.wanted(NetworkInterfaceId=mirror.interface())
    code, _ = refusal(cloud, "CreateTrafficMirrorSession", **wanted)
    assert code == "TrafficMirrorSessionsPerTargetLimitExceeded"
    assert len({each["VirtualNetworkId"] for each in mirror.sessions()}) == MAX_PER_TARGET


def test_sessions_go_with_their_interfaces(cloud: Cloud, mirror: Mirror) -> None:
    mirror.session()
    other = mirror.interface()
    mirror.session(NetworkInterfaceId=other)
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=mirror.source)
    assert [each["NetworkInterfaceId"] for each in mirror.sessions()] == [other]
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=mirror.sink)
    assert mirror.sessions() == []
    assert cloud.call("DescribeTrafficMirrorTargets")["TrafficMirrorTargets"] == []


def test_no_interface_is_a_source_and_a_target(cloud: Cloud, mirror: Mirror) -> None:
    given = mirror.wanted(NetworkInterfaceId=mirror.sink)
    code, _ = refusal(cloud, "CreateTrafficMirrorSession", **given)
    assert code == "InterfaceInUseByTrafficMirrorTarget"
    mirror.session()
    code, _ = refusal(cloud, "CreateTrafficMirrorTarget", NetworkInterfaceId=mirror.source)
    assert code == "InterfaceInUseByTrafficMirrorSession"


def mirrored(cloud: Cloud) -> dict[Mirrored, frozenset[str]]:
    said = cloud.program().statements
    return {each: ids for each, ids in said.items() if isinstance(each, Mirrored)}


def test_a_source_in_a_host_is_mirrored_by_all_its_sessions_in_order(
    cloud: Cloud, mirror: Mirror
) -> None:
    late = mirror.session(SessionNumber=9, VirtualNetworkId=9)["TrafficMirrorSessionId"]
    assert mirrored(cloud) == {}
    plug_in(cloud, mirror.source, "i-0123456789abcdef0")
    second, first = mirror.rule(RuleNumber=200), mirror.rule(RuleNumber=5, RuleAction="reject")
    out = mirror.rule(TrafficDirection="egress", Protocol=17, SourcePortRange={"FromPort": 7})
    cloud.call(
        "ModifyTrafficMirrorFilterNetworkServices",
        TrafficMirrorFilterId=mirror.filter,
        AddNetworkServices=["amazon-dns"],
    )
    soon = mirror.session(SessionNumber=2, VirtualNetworkId=2, PacketLength=64)
    early = soon["TrafficMirrorSessionId"]
    ((said, ids),) = mirrored(cloud).items()
    shown = cloud.call(
        "DescribeNetworkInterfaces", NetworkInterfaceIds=[mirror.source, mirror.sink]
    )
    ips = {i["NetworkInterfaceId"]: i["PrivateIpAddress"] for i in shown["NetworkInterfaces"]}
    assert ids == {early, late}
    assert (said.port.id, said.ip) == (mirror.source, ips[mirror.source])
    assert [
        (each.session, each.vni, each.length, each.target, each.names) for each in said.mirrors
    ] == [(early, 2, 64, ips[mirror.sink], True), (late, 9, None, ips[mirror.sink], True)]
    ids_of = [each["TrafficMirrorFilterRuleId"] for each in (first, second, out)]
    any_ = "10.0.0.0/8", "0.0.0.0/0"
    web = (80, 443)
    assert said.mirrors[0].entering == (
        Choice(ids_of[0], False, 6, *any_, target_ports=web),
        Choice(ids_of[1], True, 6, *any_, target_ports=web),
    )
    assert said.mirrors[1].leaving == (
        Choice(ids_of[2], True, 17, *any_, source_ports=(7, 7), target_ports=web),
    )
    for key in (early, late):
        cloud.call("DeleteTrafficMirrorSession", TrafficMirrorSessionId=key)
    assert mirrored(cloud) == {}


def test_a_load_balancer_gets_nothing(cloud: Cloud, mirror: Mirror) -> None:
    plug_in(cloud, mirror.source, "i-0123456789abcdef0")
    arn = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/a/b"
    made = cloud.call("CreateTrafficMirrorTarget", NetworkLoadBalancerArn=arn)
    mirror.session(TrafficMirrorTargetId=made["TrafficMirrorTarget"]["TrafficMirrorTargetId"])
    assert mirrored(cloud) == {}
