"""Calls as commands of the AWS CLI, and fixes run by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gureum.labs import Call, Unknown, names, read
from gureum.labs.commands import commands, kebab
from gureum.labs.lab import account_of
from gureum.resources.instance import Instance
from gureum.server.console_explain import Explainer
from gureum.server.labs import Labs
from tests.explain.conftest import Site
from tests.explain.test_fixes import ROUNDS, codes
from tests.labs.conftest import Forwarding


def one(do: str, known: dict[str, str] | None = None, **params: Any) -> str:
    """One call as a line."""
    (line,) = commands([Call(do=do, params=params)], known or {})
    return line


@pytest.mark.parametrize(
    ("do", "params", "line"),
    [
        ("StopInstances", {"InstanceIds": ["i-1", "i-2"]}, "stop-instances --instance-ids i-1 i-2"),
        (
            "CreateNetworkAclEntry",
            {"Egress": True, "PortRange": {"From": 1, "To": 2}},
            """create-network-acl-entry --egress --port-range '{"From": 1, "To": 2}'""",
        ),
        ("CreateNetworkAclEntry", {"Egress": False}, "create-network-acl-entry --ingress"),
        (
            "ModifyNetworkInterfaceAttribute",
            {"SourceDestCheck": {"Value": False}},
            "modify-network-interface-attribute --no-source-dest-check",
        ),
        ("RunInstances", {"MinCount": 1, "MaxCount": 1}, "run-instances"),
        (
            "RunInstances",
            {"UserData": "IyEvYmluL3NoCmVjaG8gJ1xuJwo="},
            r"run-instances --user-data $'#!/bin/sh\necho \'\\n\'\n'",
        ),
        ("RunInstances", {"MinCount": 1, "MaxCount": 2}, "run-instances --count 1:2"),
        (
            "AssociateAddress",
            {"AllowReassociation": False},
            "associate-address --no-allow-reassociation",
        ),
        ("CreateVpc", {"CidrBlock": "a b"}, "create-vpc --cidr-block 'a b'"),
    ],
)
def test_a_call_as_a_command(do: str, params: dict[str, Any], line: str) -> None:
    assert one(do, **params) == f"aws ec2 {line}"


def test_what_takes_a_while_is_waited_for() -> None:
    calls = [
        Call(do="DeleteNatGateway", params={"NatGatewayId": "$nat"}),
        Call(do="StartInstances", params={"InstanceIds": ["$a", "i-2"]}),
    ]
    assert commands(calls, {"nat": "nat-1", "a": "i-1"})[1::2] == [
        "aws ec2 wait nat-gateway-deleted --nat-gateway-ids nat-1",
        "aws ec2 wait instance-running --instance-ids i-1 i-2",
    ]


def test_what_an_answer_says_is_kept_in_a_variable() -> None:
    calls = [
        Call(do="AllocateAddress", keep={"my-address": "AllocationId"}),
        Call(do="AssociateAddress", params={"AllocationId": "$my-address", "InstanceId": "$web"}),
        Call(do="X", params={"Rules": [{"Cidr": "$my-address"}]}, keep={"a": "A", "b": "B.C"}),
    ]
    json = """'[{"Cidr": "'"$my_address"'"}]'"""
    assert commands(calls, {"web": "i-1"}) == [
        "my_address=$(aws ec2 allocate-address --query AllocationId --output text)",
        "aws ec2 associate-address --allocation-id $my_address --instance-id i-1",
        f"answer=$(aws ec2 x --rules {json} --query '[A, B.C]' --output text)",
        'read -r a b <<<"$answer"',
    ]
    with pytest.raises(Unknown, match=r"\$web"):
        commands(calls, {})


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("VpcId", "vpc-id"),
        ("IpPermissions", "ip-permissions"),
        ("CreateNetworkAcl", "create-network-acl"),
    ],
)
def test_names_of_options(name: str, word: str) -> None:
    assert kebab(name) == word


# --- run by the AWS CLI -------------------------------------------------------------------------
def shortest() -> list[str]:
    """Labs whose fixes have every action among them, so that each is run once at least."""
    chosen, seen = [], set[tuple[str, frozenset[str]]]()
    for name in sorted(names(), key=lambda name: -len(read(name).fix)):
        actions = {(call.do, frozenset(call.params)) for call in read(name).fix}
        if not actions <= seen:
            chosen.append(name)
            seen |= actions
    return chosen


class LabSite(Site):
    """A cloud that Gureum's commands, the AWS CLI and labs can ask."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.labs = Labs(self.parts, Explainer(self.parts.networks, self.parts.engine))

    def start(self, name: str) -> tuple[str, ...]:
        """Start a lab; the words of its question."""
        asked = self.labs.start(name)["question"]
        return tuple(asked.values())

    def run_in(self, name: str, lines: list[str]) -> None:
        """Run lines of a shell that look at the lab."""
        self.shell([f"export AWS_ACCESS_KEY_ID={account_of(name)}", *lines])


@pytest.fixture
def labs_site() -> Iterator[LabSite]:
    made = LabSite(engine=Forwarding())
    yield made
    made.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", shortest())
def test_the_fix_as_commands_mends_the_lab(labs_site: LabSite, name: str) -> None:
    labs_site.start(name)
    labs_site.run_in(name, commands(read(name).fix, labs_site.labs.known(name)))
    assert labs_site.labs.check(name)["verdict"] == "solved"
    scripts = {call.params["UserData"] for call in read(name).fix if "UserData" in call.params}
    assert scripts <= {row.user_data for row in labs_site.parts.store.view.all(Instance)}


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "name",
    ["closed-door", "wrong-badge", "deaf-client", "nat-in-the-cellar", "dead-route", "inspector",
     "asleep", "long-way-round", "no-way-out", "straight-to-the-gate", "loose-gateway",
     "unmapped-bridge", "one-way-bridge", "unsigned-treaty", "two-islands", "private-letter",
     "borrowed-gateway", "friend-of-a-friend"],
)  # fmt: skip
def test_what_explain_proposes_mends_the_lab(labs_site: LabSite, name: str) -> None:
    words = ("--account", account_of(name), *labs_site.start(name))
    found = labs_site.explain(*words)
    assert codes(found) == list(read(name).expect)
    for _ in range(ROUNDS):
        assert found["fixes"], f"no fix for {codes(found)}"
        for fix in found["fixes"]:
            labs_site.run_in(name, fix["commands"])
        found = labs_site.explain(*words)
        if found["reach"] == "all":
            break
    assert labs_site.labs.check(name)["verdict"] == "solved"
