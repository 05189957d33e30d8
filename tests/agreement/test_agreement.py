"""Predictions agree with real packets: random clouds in the kernel, and all that ever disagreed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.explain import Network
from tests.agreement.__main__ import PER_CLOUD
from tests.agreement.compare import answered, compare
from tests.agreement.draw import Draw
from tests.agreement.draw_ipv6 import DualDraw
from tests.agreement.draw_nat64 import TranslatedDraw
from tests.agreement.draw_transit import TransitDraw
from tests.agreement.replay import ApiCall, Replay
from tests.agreement.shrink import REGRESSIONS, shrunk
from tests.conftest import Cloud
from tests.kernel.lab import Lab
from tests.resources.test_instance import image

PACKETS, PACKETS6, PACKETS64 = 2000, 1500, 300
MET = {
    "BAD_STATE_ROUTE",
    "ENI_ADDRESS_RESTRICTION",
    "ENI_SG_RULES_MISMATCH",
    "ENI_SOURCE_DEST_CHECK_RESTRICTION",
    "IGW_EXPECTS_PUBLIC_ADDRESS",
    "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS",
    "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
    "NO_POSSIBLE_DESTINATION",
    "NO_ROUTE_TO_DESTINATION",
    "SG_HAS_NO_RULES",
    "SG_REFERENCES_NOT_PRESERVED",
    "SUBNET_ACL_RESTRICTION",
}
"""Codes of the blocks at which packets must be seen to end."""
MET6 = MET - {
    "IGW_EXPECTS_PUBLIC_ADDRESS",
    "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
    "SG_REFERENCES_NOT_PRESERVED",
}
"""The same of IPv6, which has public addresses only."""
MET64 = {
    "ENI_SG_RULES_MISMATCH",
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS",
    "NO_POSSIBLE_DESTINATION",
    "NO_ROUTE_TO_DESTINATION",
    "SUBNET_ACL_RESTRICTION",
}
"""The same of IPv6 that becomes IPv4."""
FIRST_SEED = 1
"""The soak (``python -m tests.agreement``) goes on with other ones."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = Lab("auto")
    yield made
    assert made.close() == []


@pytest.mark.kernel
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("drawn", "packets", "met"),
    [(Draw, PACKETS, MET), (DualDraw, PACKETS6, MET6), (TranslatedDraw, PACKETS64, MET64)],
    ids=["ipv4", "dual-stack", "nat64"],
)
def test_random_clouds(lab: Lab, drawn: type[Draw], packets: int, met: set[str]) -> None:
    sent, answered, seed = 0, 0, FIRST_SEED
    codes: Counter[str] = Counter()
    while sent < packets:
        draw = drawn(seed)
        found = compare(lab, Replay(draw.calls), draw.questions(PER_CLOUD))
        assert found.wrong == (), f"seed {seed}"
        sent, answered, seed = sent + found.sent, answered + found.answered, seed + 1
        codes += found.codes
    assert answered > packets / 20, "both verdicts must be among them"
    assert codes.keys() >= met, "blocks of every kind must be among them"


@pytest.mark.kernel
@pytest.mark.timeout(600)
def test_random_clouds_with_transit_gateways(lab: Lab) -> None:
    sent, seed = 0, FIRST_SEED
    codes: Counter[str] = Counter()
    while sent < PACKETS:
        draw = TransitDraw(seed)
        seed += 1
        if not draw.peered:
            continue  # one VPC, or two that nothing joins: as in the clouds above
        found = compare(lab, Replay(draw.calls), draw.questions(PER_CLOUD))
        assert found.wrong == (), f"seed {seed}"
        sent += found.sent
        codes += found.codes
    assert any(code.startswith("TGW_") for code in codes)


@pytest.mark.kernel
@pytest.mark.parametrize("path", sorted(REGRESSIONS.glob("*.json")), ids=lambda path: path.stem)
def test_what_once_disagreed(lab: Lab, path: Path) -> None:
    stored = json.loads(path.read_text())
    replay = Replay(stored["calls"])
    assert replay.refused == []
    found = compare(lab, replay, stored["questions"])
    assert (found.sent, found.wrong) == (len(stored["questions"]), ())


def test_what_is_not_needed_is_left_out() -> None:
    calls: list[ApiCall] = [{"do": f"Call{number}"} for number in range(20)]
    needed = [calls[3], calls[4], calls[17]]
    asked = 0

    def fails(part: list[ApiCall]) -> bool:
        nonlocal asked
        asked += 1
        return all(each in part for each in needed)

    assert shrunk(calls, fails) == needed
    assert asked < 80


def test_a_cloud_can_be_drawn_again() -> None:
    first, second = Draw(7), Draw(7)
    assert first.calls == second.calls
    assert list(first.questions(50)) == list(second.questions(50))
    assert Draw(8).calls != first.calls


def test_few_calls_of_a_drawn_cloud_are_refused() -> None:
    """A generator whose calls are refused would test empty clouds."""
    drawn = [Draw(seed).calls for seed in range(1, 9)]
    refused = sum(len(Replay(calls).refused) for calls in drawn)
    assert refused < sum(map(len, drawn)) / 8


def _appliance(*, both_ways: bool) -> list[ApiCall]:
    """A client and a server whose subnets reach each other through an instance in a third one."""

    def call(do: str, kept: dict[str, str] | None = None, /, **params: object) -> ApiCall:
        return {"do": do, "with": params, "as": kept or {}}

    image_id = image(Cloud())
    every = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]
    calls = [
        call("CreateVpc", {"v": "Vpc.VpcId"}, CidrBlock="10.0.0.0/16"),
        call("CreateSecurityGroup", {"g": "GroupId"}, GroupName="g", Description="g", VpcId="$v"),
        call("AuthorizeSecurityGroupIngress", GroupId="$g", IpPermissions=every),
    ]
    for number, name in enumerate(("client", "server", "middle"), 1):
        cidr, ip = f"10.0.{number}.0/24", f"10.0.{number}.10"
        station = {
            "DeviceIndex": 0,
            "SubnetId": f"${name}s",
            "Groups": ["$g"],
            "PrivateIpAddress": ip,
        }
        kept = {
            name: "Instances[0].InstanceId",
            f"{name}e": "Instances[0].NetworkInterfaces[0].NetworkInterfaceId",
        }
        calls += [
            call("CreateSubnet", {f"{name}s": "Subnet.SubnetId"}, VpcId="$v", CidrBlock=cidr),
            call(
                "RunInstances",
                kept,
                ImageId=image_id,
                InstanceType="t3.micro",
                MinCount=1,
                MaxCount=1,
                NetworkInterfaces=[station],
            ),
        ]
    off = {"Value": False}
    calls += [
        call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId="$middlee", SourceDestCheck=off),
        {"forward": "middle"},
    ]
    for name, other in (("client", 2), ("server", 1))[: 2 if both_ways else 1]:
        route = {"DestinationCidrBlock": f"10.0.{other}.0/24", "NetworkInterfaceId": "$middlee"}
        calls += [
            call("CreateRouteTable", {f"{name}t": "RouteTable.RouteTableId"}, VpcId="$v"),
            call("AssociateRouteTable", RouteTableId=f"${name}t", SubnetId=f"${name}s"),
            call("CreateRoute", RouteTableId=f"${name}t", **route),
        ]
    return calls


@pytest.mark.kernel
@pytest.mark.parametrize("both_ways", [True, False])
def test_an_appliance_passes_packets_on(lab: Lab, both_ways: bool) -> None:
    replay = Replay(_appliance(both_ways=both_ways))
    assert replay.refused == []
    ends = (("client", "10.0.2.10"), ("server", "10.0.1.10"))
    questions = [
        {"source": source, "target": target, "protocol": protocol, "port": port, "source_port": at}
        for source, target in ends
        for protocol, port, at in (("tcp", 80, 40001), ("udp", 53, 40002), ("icmp", None, None))
    ]
    found = compare(lab, replay, questions)
    assert (found.answered, found.wrong) == (6, ())
    network = Network(replay.statements(), lab.engine.forwards)
    kinds = [
        [step.kind for trace in (answer.forth, answer.back) if trace for step in trace.steps]
        for answer in (answered(network, replay, question) for question in questions)
    ]
    passes = [each.count("forward") for each in kinds]
    assert passes == [2 if both_ways else 1] * 6
