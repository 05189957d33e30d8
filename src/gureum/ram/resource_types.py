"""The types of resources that can be shared here, and their managed permissions.

Each type has one permission of AWS's own, the default.  What it allows is fixed by what the types
are open to; the text of a permission tells it.  Sources: AWS RAM User Guide, "Shareable AWS
resources" and "Managing permissions in AWS RAM".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.kind import Call
from gureum.model import Resource
from gureum.resources.prefix_list import PrefixList
from gureum.resources.security_group import SecurityGroup
from gureum.resources.subnet import Subnet
from gureum.resources.transit_gateway import TransitGateway

_ARN = re.compile(r"arn:aws:([a-z0-9-]+):([a-z0-9-]*):([0-9]{12}|):([A-Za-z-]+)/(.+)")


@dataclass(frozen=True)
class ShareableType:
    """A type that can be shared; ``actions`` is what its permission allows."""

    name: str
    row: type[Resource]
    permission: str
    actions: tuple[str, ...]

    @property
    def arn(self) -> str:
        """The ARN of its permission."""
        return f"arn:aws:ram::aws:permission/{self.permission}"

    @property
    def policy(self) -> str:
        """What its permission allows, as RAM tells it."""
        return json.dumps({"Effect": "Allow", "Action": list(self.actions)}, separators=(",", ":"))

    def policy_of(self, arn: str, principals: list[str]) -> str:
        """What accounts may do with a resource of this type, as its policy."""
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": principals},
            "Action": list(self.actions),
            "Resource": arn,
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        return json.dumps(policy, separators=(",", ":"))


TYPES = (
    ShareableType(
        "ec2:PrefixList",
        PrefixList,
        "AWSRAMDefaultPermissionPrefixList",
        (
            "ec2:DescribeManagedPrefixLists",
            "ec2:GetManagedPrefixListEntries",
            "ec2:GetManagedPrefixListAssociations",
        ),
    ),
    ShareableType(
        "ec2:SecurityGroup",
        SecurityGroup,
        "AWSRAMDefaultPermissionSecurityGroup",
        (
            "ec2:CreateNetworkInterface",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:GetSecurityGroupsForVpc",
            "ec2:ModifyNetworkInterfaceAttribute",
            "ec2:RunInstances",
        ),
    ),
    ShareableType(
        "ec2:Subnet",
        Subnet,
        "AWSRAMDefaultPermissionSubnet",
        ("ec2:CreateNetworkInterface", "ec2:DescribeSubnets", "ec2:RunInstances"),
    ),
    ShareableType(
        "ec2:TransitGateway",
        TransitGateway,
        "AWSRAMDefaultPermissionTransitGateway",
        (
            "ec2:CreateTransitGatewayVpcAttachment",
            "ec2:DeleteTransitGatewayVpcAttachment",
            "ec2:DescribeTransitGateways",
            "ec2:ModifyTransitGatewayVpcAttachment",
        ),
    ),
)
BY_PERMISSION = {each.permission: each for each in TYPES}


def type_of(arn: str) -> ShareableType:
    """The type of the resource that an ARN names.

    Raises:
        ApiError: ``MalformedArnException`` where it is no ARN, or of nothing that can be shared.
    """
    found = _ARN.fullmatch(arn)
    if found and found[1] == "ec2":
        for each in TYPES:
            if each.row.kind == found[4]:
                return each
    raise ApiError(
        "MalformedArnException",
        f"The specified resource ARN {arn[:200]} is not valid. Verify the ARN and try again.",
    )


def is_type(name: str) -> bool:
    """Whether there is a type of that name, in whatever case."""
    return any(name.lower() == each.name.lower() for each in TYPES)


def owned(call: Call, arn: str) -> Resource | None:
    """The caller's resource of an ARN; None where there is none that they may share: AWS's own
    lists, those of others, and what is being deleted."""
    kind = type_of(arn)
    found = _ARN.fullmatch(arn)
    assert found is not None
    if (found[2], found[3]) != (call.region, call.account):
        return None
    row = call.txn.find(kind.row, found[5])
    if isinstance(row, PrefixList) and row.managed_by_aws:
        return None
    gone = isinstance(row, TransitGateway) and row.state in ("deleting", "deleted")
    return None if gone else row
