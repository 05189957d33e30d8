"""Policies explained at the command line, without a cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.cli.clouds import run

SUBNET = "arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-1"
ROOT = "arn:aws:iam::123456789012:root"
ANN = "arn:aws:iam::123456789012:user/ann"
DEV = [
    {
        "Sid": "Small",
        "Effect": "Allow",
        "Action": "ec2:Run*",
        "Resource": "*",
        "Condition": {"StringEquals": {"ec2:InstanceType": ["t3.micro", "t3.small"]}},
    },
    {
        "Effect": "Deny",
        "Action": "ec2:*",
        "Resource": "arn:aws:ec2:*:*:subnet/*",
        "Condition": {"StringLike": {"aws:ResourceTag/env": "prod*"}},
    },
]


def written(folder: Path, name: str, statements: Any, **more: Any) -> str:
    path = folder / name
    document = {"Version": "2012-10-17", "Statement": statements, **more}
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def why(folder: Path, *args: str, action: str = "ec2:RunInstances") -> Result:
    return run(folder, "iam", "why", "--action", action, *args)


def test_what_allows_is_named_with_the_values_seen(tmp_path: Path) -> None:
    dev = written(tmp_path, "dev.json", DEV)
    args = ("--policy", dev, "--resource", SUBNET, "--context", "ec2:InstanceType=t3.micro")
    found = why(tmp_path, *args)
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        f"allowed by Allow Small of {dev} (identity policy)",
        f"  applies   Allow Small of {dev} (identity policy)",
        "    holds  StringEquals ec2:InstanceType: wants 't3.micro' or 't3.small'; has 't3.micro'",
        f"  does not  Deny statement 2 of {dev} (identity policy)",
        "    FAILS  StringLike aws:ResourceTag/env: wants 'prod*'; not in the request",
    ]
    denied = why(tmp_path, *args, "--context", "aws:ResourceTag/env=prod=1")
    assert denied.exit_code == 1
    assert denied.output.startswith(
        f"denied explicitly by Deny statement 2 of {dev} (identity policy)\n"
    )


def test_a_layer_without_an_allow_is_named(tmp_path: Path) -> None:
    dev = written(tmp_path, "dev.json", DEV[0])
    limit = written(tmp_path, "limit.json", {**DEV[0], "Action": "s3:*"})
    kind = ("--context", "ec2:InstanceType=t3.micro")
    for option, layer in (("--boundary", "permissions boundary"), ("--session", "session policy")):
        found = why(tmp_path, "--policy", dev, option, limit, *kind)
        assert found.exit_code == 1
        assert found.output.startswith(f"denied implicitly: no {layer} allows it\n")
        assert f"  does not  Allow Small of {limit} ({layer}): other action\n" in found.output
    none = why(tmp_path, "--policy", dev, *kind, action="ec2:CreateVpc")
    assert none.output.startswith("denied implicitly: no identity policy allows it\n")


def test_policies_of_resources_and_who_asks(tmp_path: Path) -> None:
    statement = {"Effect": "Allow", "Action": "ec2:*", "Resource": SUBNET}
    mine = {**statement, "Principal": {"AWS": ANN}}
    theirs = {**statement, "Principal": {"AWS": "123456789012"}}
    args = ("--resource", SUBNET, "--principal", ANN, "--resource-policy")
    assert why(tmp_path, *args, written(tmp_path, "a", mine)).exit_code == 0
    left = why(tmp_path, *args, written(tmp_path, "b", theirs))
    assert left.exit_code == 1
    assert ": names the account, which leaves it to identity policies\n" in left.output
    root = why(tmp_path, *args, written(tmp_path, "c", theirs), "--principal", ROOT)
    assert root.exit_code == 0
    assert root.output.startswith("allowed: the root user may do everything that no policy denies")


def test_keys_of_the_principal_are_known_unless_given(tmp_path: Path) -> None:
    own = {**DEV[0], "Condition": {"StringEquals": {"aws:username": "ann"}}}
    args = ("--policy", written(tmp_path, "own.json", own), "--principal", ANN)
    assert why(tmp_path, *args).exit_code == 0
    assert why(tmp_path, *args, "--context", "AWS:UserName=bob").exit_code == 1


def test_facts_for_programs(tmp_path: Path) -> None:
    dev = written(tmp_path, "dev.json", DEV)
    keys = ("--context", "ec2:InstanceType=m5.large", "--context", "ec2:InstanceType=t3.nano")
    found = why(tmp_path, "--policy", dev, *keys, "--json")
    assert found.exit_code == 1
    facts = json.loads(found.output)
    assert (facts["decision"], facts["missing"]) == ("implicitDeny", "identity policy")
    assert facts["deciders"] == []
    assert facts["statements"][0] == {
        "layer": "identity policy",
        "policy": dev,
        "index": 0,
        "sid": "Small",
        "effect": "Allow",
        "applies": False,
        "action": True,
        "resource": True,
        "principal": "direct",
        "conditions": [
            {
                "operator": "StringEquals",
                "key": "ec2:InstanceType",
                "wanted": ["t3.micro", "t3.small"],
                "seen": ["m5.large", "t3.nano"],
                "holds": False,
            }
        ],
    }
    assert not facts["statements"][1]["resource"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "give --policy or --resource-policy"),
        (("--policy", "absent.json"), "absent.json cannot be read"),
        (("--policy", "BAD"), "BAD: Policy statement must contain actions."),
        (("--policy", "GOOD", "--action", "ec2:*"), "'ec2:*' is no action"),
        (("--policy", "GOOD", "--action", "RunInstances"), "is no action"),
        (("--policy", "GOOD", "--resource", "i-1"), "'i-1' is no resource"),
        (("--policy", "GOOD", "--context", "x"), "'x' is no context key"),
        (("--policy", "GOOD", "--principal", "ann"), "ann is neither an ARN nor a service"),
        (("--resource-policy", "GOOD"), "Missing required field Principal"),
    ],
)
def test_bad_input_has_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "GOOD", DEV)
    written(tmp_path, "BAD", {"Effect": "Allow", "Resource": "*"})
    found = why(tmp_path, *args)
    assert (found.exit_code, found.stdout) == (2, "")
    assert says in found.stderr
    assert found.stderr.count("\n") == 1


def test_policies_do_not_steer_the_terminal(tmp_path: Path) -> None:
    evil = {**DEV[0], "Condition": {"StringEquals": {"a:\x1b[2J": "\x1b[2J"}}}
    found = why(tmp_path, "--policy", written(tmp_path, "evil.json", evil))
    assert found.exit_code == 1
    assert "\x1b" not in found.output
