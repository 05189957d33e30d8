"""Parameters and answers in the form of records: CloudTrail's names, and nothing secret.

What is secret is decided here anew, by names, and held against all shapes of all built actions.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gureum.iam.registry import ACTIONS, STS_ACTIONS
from gureum.resources import REGISTRY
from gureum.wire.records import REMOVED, error_names, shown_input, shown_output
from tests.wiring import service_model

MARK = "do-not-tell"
SECRET = re.compile(
    r"Password|SecretAccessKey|SessionToken|PrivateKey|KeyMaterial|UserData|PreSharedKey|"
    r"CustomerGatewayConfiguration|ClientSecret"
)
OPEN = re.compile(r"^PublicKey|Arn$|Storage$")
BUILT = sorted(
    [("ec2", name) for name in {*REGISTRY.actions, *REGISTRY.listings}]
    + [("iam", name) for name in ACTIONS]
    + [("sts", name) for name in STS_ACTIONS]
)


def filled(shape: Any, *, secret: bool, depth: int = 0) -> Any:
    """A value of a shape; texts that are secret are the mark."""
    kind = shape.type_name
    if kind == "structure":
        return {
            name: filled(
                its, secret=secret or bool(SECRET.search(name) and not OPEN.search(name)),
                depth=depth + 1,
            )
            for name, its in shape.members.items()
        } if depth < 8 else {}  # fmt: skip
    if kind == "list":
        return [filled(shape.member, secret=secret, depth=depth + 1)] if depth < 8 else []
    if kind == "map":
        return {}
    if kind == "timestamp":
        return "2026-11-24T08:00:00.000Z"
    if kind == "string":
        return MARK if secret else "shown"
    return {"boolean": True, "blob": MARK.encode() if secret else b"shown"}.get(kind, 7)


@pytest.mark.parametrize(("service", "action"), BUILT)
def test_no_record_tells_a_secret(service: str, action: str) -> None:
    operation = service_model(service).operation_model(action)
    asked = operation.input_shape and filled(operation.input_shape, secret=False)
    told = operation.output_shape and filled(operation.output_shape, secret=False)
    records = [
        shown_input(service, action, asked or {}),
        shown_output(service, action, told or {}, "r-1"),
    ]
    text = json.dumps(records)
    assert MARK not in text
    assert "ZG8tbm90LXRlbGw" not in text  # the mark in base64
    if MARK in json.dumps([asked, told], default=bytes.decode):
        assert REMOVED in text


def test_requests_of_ec2() -> None:
    tags = [{"Key": "Name", "Value": "x"}]
    assert shown_input("ec2", "CreateTags", {"Resources": ["i-1", "i-2"], "Tags": tags}) == {
        "resourcesSet": {"items": [{"resourceId": "i-1"}, {"resourceId": "i-2"}]},
        "tagSet": {"items": [{"key": "Name", "value": "x"}]},
    }
    assert shown_input("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]}) == {
        "instancesSet": {"items": [{"instanceId": "i-1"}]}
    }
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
        "UserIdGroupPairs": [],
    }
    asked = {"GroupId": "sg-1", "IpPermissions": [rule]}
    assert shown_input("ec2", "AuthorizeSecurityGroupIngress", asked) == {
        "groupId": "sg-1",
        "ipPermissions": {
            "items": [
                {
                    "ipProtocol": "tcp",
                    "fromPort": 22,
                    "toPort": 22,
                    "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
                    "groups": {},
                }
            ]
        },
    }
    assert shown_input("ec2", "DescribeVpcs", {}) is None


def test_user_data_is_removed_wherever_it_is() -> None:
    assert shown_input("ec2", "RunInstances", {"UserData": "aGk=", "MinCount": 1}) == {
        "userData": REMOVED,
        "minCount": 1,
    }
    changed = {"InstanceId": "i-1", "UserData": {"Value": b"hi"}}
    assert shown_input("ec2", "ModifyInstanceAttribute", changed) == {
        "instanceId": "i-1",
        "userData": REMOVED,
    }
    template = {"LaunchTemplateName": "t", "LaunchTemplateData": {"UserData": "aGk="}}
    shown = shown_input("ec2", "CreateLaunchTemplate", template)
    assert shown["launchTemplateData"] == {"userData": REMOVED}


def test_answers_of_ec2() -> None:
    assert shown_output("ec2", "DeleteVpc", {}, "r-1") == {"requestId": "r-1", "_return": True}
    launched = {
        "ReservationId": "r-2",
        "Groups": [],
        "Instances": [{"InstanceId": "i-1", "LaunchTime": "2026-11-24T08:00:00.000Z"}],
    }
    assert shown_output("ec2", "RunInstances", launched, "r-1") == {
        "requestId": "r-1",
        "reservationId": "r-2",
        "groupSet": {},
        "instancesSet": {"items": [{"instanceId": "i-1", "launchTime": 1795507200000}]},
    }


def test_iam() -> None:
    asked = {"UserName": "bob", "Tags": [{"Key": "a", "Value": "b"}]}
    assert shown_input("iam", "CreateUser", asked) == {
        "userName": "bob",
        "tags": [{"key": "a", "value": "b"}],
    }
    made = {"AccessKey": {"AccessKeyId": "AKIA", "SecretAccessKey": "s", "CreateDate":
            "2014-03-24T21:11:59.000Z"}}  # fmt: skip
    assert shown_output("iam", "CreateAccessKey", made, "r") == {
        "accessKey": {
            "accessKeyId": "AKIA",
            "secretAccessKey": REMOVED,
            "createDate": "Mar 24, 2014 9:11:59 PM",
        }
    }
    assert shown_output("iam", "DeleteUser", {}, "r") is None
    assert error_names("iam")["NoSuchEntity"] == "NoSuchEntityException"
