"""Recorded accounts: what was found of single packets in them is found here too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gureum.explain import Answer, Network, Packet, explain, told_anew
from gureum.explain.packet import ECHO, ICMP
from gureum.program import InternetHost, Port
from tests.explain.recorded import ACCOUNTS, Account

INTERNET = InternetHost("outside", "198.19.0.20")
"""What stands for all hosts of the internet, among them 8.8.8.8."""

UNBUILT = {
    "test-public-private-subnet/testToSite/1": "no VPN tunnel is ever up, so that no site answers; "
    "test_to_a_site asks how far the packet comes",
    "test-public-private-subnet/testFromVgw/0": "nothing comes from a VPN gateway",
    "test-public-private-subnet/testFromVgw/1": "nothing comes from a VPN gateway",
    "test-public-private-subnet/testFromVgw/2": "nothing comes from a VPN gateway",
}
NO_QUESTION = {
    "test-public-subnet/testFromInternetToPrivateIp/1": "between two strangers on the internet",
    "test-public-subnet/testToInternetInvalidPrivateIp/0": "begins in the middle of the network; "
    "test_from_the_middle asks it of an instance that may forge",
    "test-subnet/testOutsideSubnetToInstance/0": "begins in the router, from 0.0.0.0",
}
CODES = {
    # Batfish drops these in the VPN gateway, which has no route to them; here they end there too.
    "test-public-private-subnet/testFromPrivateToPublicSubnet/0": "NO_POSSIBLE_DESTINATION",
    "test-public-private-subnet/testToInternet/1": "NO_POSSIBLE_DESTINATION",
    # AWS has no code of its own for these; this is what its guide says comes nearest.
    "test-subnet/testInstanceToOutsideSubnet/0": "NO_POSSIBLE_DESTINATION",
    "test-nat-gateway/testNonSessionPacket/0": "NO_POSSIBLE_DESTINATION",
    "test-nat-gateway/testIntraSubnetPacket/0": "NO_POSSIBLE_DESTINATION",
}


def recorded() -> list[dict[str, Any]]:
    """The cases that can be asked here."""
    cases = json.loads((ACCOUNTS / "cases.json").read_text())["cases"]
    left = {*UNBUILT, *NO_QUESTION}
    return [case for case in cases if not {case["id"], case["snapshot"]} & left]


def test_all_cases_are_asked_or_excused() -> None:
    cases = json.loads((ACCOUNTS / "cases.json").read_text())["cases"]
    assert (len(cases), len(recorded())) == (30, 23)
    assert set(CODES) <= {case["id"] for case in recorded()}


@pytest.mark.parametrize("case", recorded(), ids=lambda case: str(case["id"]))
def test_a_recorded_case(case: dict[str, Any]) -> None:
    account = Account(case["snapshot"])
    cloud = account.cloud
    network = Network([*cloud.program().statements, INTERNET])
    answer = _asked(account, network, case)
    answer = told_anew(cloud.store.view, answer)
    expected = case["expected"]
    assert answer.forth.passed == expected["reachable"]
    if case["test"].endswith("_bidirectional"):  # the others ask for one way
        assert answer.reach == "all"
    blocks = [step.code for step in answer.forth.blocks()]
    code = expected.get("aws_code") or CODES.get(case["id"])
    if code is not None:
        assert blocks[:1] == [code]
    if expected["final_node"].startswith("vgw-"):
        (block,) = answer.forth.blocks()
        assert block.by[-1] == expected["final_node"]
    rewritten = [
        (step.place, step.packet, step.after)
        for step in answer.forth.steps
        if step.kind == "translate" and step.after != step.packet
    ]
    for change in expected.get("transformations", ()):
        field = "target" if change["field"] == "dst" else "source"
        ends = [account.public.get(change[key], change[key]) for key in ("before", "after")]
        assert [change["node"], *ends] in [
            [p, getattr(b, field), getattr(a, field)] for p, b, a in rewritten
        ]


def _asked(account: Account, network: Network, case: dict[str, Any]) -> Answer:
    source, target = case["source"], case["destination"]["ip"]
    outside = case["source"]["node"] == "internet"
    start: Port | InternetHost | None = INTERNET if outside else network.primary(source["node"])
    assert start is not None
    packet = Packet(
        INTERNET.ip if outside else source["ip"],
        account.public.get(target, _here(target)),
        case["protocol"],
        case["src_port"],
        case["dst_port"],
    )
    return explain(network, start, packet)


def _here(ip: str) -> str:
    """What stands for an address of the real internet; private addresses are themselves."""
    known = {"8.8.8.8": INTERNET.ip, "19.168.0.0": INTERNET.ip, "54.191.107.23": "198.18.255.254"}
    return known.get(ip, ip)


def test_to_a_site() -> None:
    """A packet to a site behind a VPN gets as far as the gateway, as it does in the recording."""
    account = Account("test-public-private-subnet")
    network = Network([*account.cloud.program().statements, INTERNET])
    start = network.primary("i-099cf38911942421c")
    assert start is not None
    packet = Packet("10.0.1.204", "19.168.0.0", ICMP, icmp=(ECHO, 0))
    (block,) = explain(network, start, packet).forth.blocks()
    assert block.code == "NO_POSSIBLE_DESTINATION"
    assert block.by[-1] == "vgw-070087240d6fa2989"


def test_from_the_middle() -> None:
    """A source that no interface has, sent by an instance with its check off."""
    cloud, web = Account("test-public-subnet").cloud, "i-06669a407b2ef3ae5"
    cloud.call("ModifyInstanceAttribute", InstanceId=web, SourceDestCheck={"Value": False})
    network = Network([*cloud.program().statements, INTERNET])
    start = network.primary(web)
    assert start is not None
    packet = Packet("10.0.0.92", INTERNET.ip, ICMP, icmp=(ECHO, 0))
    (block,) = explain(network, start, packet).forth.blocks()
    assert block.code == "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"
    assert block.place == "igw-0a409e562d251f766"
