"""The policies that AWS manages and that are attached most often, by name.

There are a thousand more in AWS.  Source: AWS Managed Policy Reference Guide; of policies that
allow actions of services which are not here, only what concerns EC2, IAM and STS is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_PREFIX = "arn:aws:iam::aws:policy/"


def _allow(actions: str | Iterable[str], **more: Any) -> dict[str, Any]:
    listed = actions if isinstance(actions, str) else list(actions)
    return {"Effect": "Allow", "Action": listed, "Resource": "*", **more}


def _document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


_READ_IAM = (
    "iam:GenerateCredentialReport",
    "iam:GenerateServiceLastAccessedDetails",
    "iam:Get*",
    "iam:List*",
    "iam:SimulateCustomPolicy",
    "iam:SimulatePrincipalPolicy",
)
_VPC_READS = (
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeCustomerGateways",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeEgressOnlyInternetGateways",
    "ec2:DescribeFlowLogs",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeManagedPrefixLists",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaceAttribute",
    "ec2:DescribeNetworkInterfacePermissions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribePrefixLists",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroupReferences",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeStaleSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcClassicLink",
    "ec2:DescribeVpcClassicLinkDnsSupport",
    "ec2:DescribeVpcEndpoint*",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpcs",
    "ec2:DescribeVpnConnections",
    "ec2:DescribeVpnGateways",
    "ec2:GetManagedPrefixListAssociations",
    "ec2:GetManagedPrefixListEntries",
)

_DOCUMENTS: Mapping[str, str] = {
    "AdministratorAccess": _document(_allow("*")),
    "PowerUserAccess": _document(
        {
            "Effect": "Allow",
            "NotAction": ["iam:*", "organizations:*", "account:*"],
            "Resource": "*",
        },
        _allow(("iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles")),
    ),
    "ReadOnlyAccess": _document(
        _allow(("ec2:Describe*", "ec2:Get*", "ec2:Search*", *_READ_IAM, "sts:GetCallerIdentity"))
    ),
    "AmazonEC2FullAccess": _document(_allow("ec2:*")),
    "AmazonEC2ReadOnlyAccess": _document(_allow(("ec2:Describe*", "ec2:GetSecurityGroupsForVpc"))),
    "AmazonVPCReadOnlyAccess": _document(_allow(_VPC_READS)),
    "IAMFullAccess": _document(_allow("iam:*")),
    "IAMReadOnlyAccess": _document(_allow(_READ_IAM)),
}

DOCUMENTS: Mapping[str, str] = {_PREFIX + name: text for name, text in _DOCUMENTS.items()}
"""The documents by ARN."""
