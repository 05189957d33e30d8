"""Service-linked roles: roles of a service of AWS's in an account, which only the service changes.

No service here acts by one: they are kept, and protected as in AWS.

Source: IAM User Guide, "Create a service-linked role"; IAM API Reference, CreateServiceLinkedRole,
DeleteServiceLinkedRole; the services' guides for the names of their roles.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.iam.access_key import GLOBAL, unique_id
from gureum.iam.bearer import by_name, claim_name
from gureum.iam.call import Action, Call, no_such
from gureum.iam.role import show
from gureum.iam.rows import Role
from gureum.kind import Shape
from gureum.model import Resource

PREFIX = "AWSServiceRoleFor"

SERVICES = {
    "autoscaling.amazonaws.com": "AutoScaling",
    "ec2-instance-connect.amazonaws.com": "EC2InstanceConnect",
    "ec2fleet.amazonaws.com": "EC2Fleet",
    "ecs.amazonaws.com": "ECS",
    "eks.amazonaws.com": "AmazonEKS",
    "elasticache.amazonaws.com": "ElastiCache",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
    "globalaccelerator.amazonaws.com": "GlobalAccelerator",
    "ipam.amazonaws.com": "IPAM",
    "network-firewall.amazonaws.com": "NetworkFirewall",
    "networkmanager.amazonaws.com": "NetworkManager",
    "organizations.amazonaws.com": "Organizations",
    "rds.amazonaws.com": "RDS",
    "reachabilityanalyzer.networkinsights.amazonaws.com": "ReachabilityAnalyzer",
    "resource-access-manager.amazonaws.com": "ResourceAccessManager",
    "s2svpn.amazonaws.com": "VPCS2SVPN",
    "spot.amazonaws.com": "EC2Spot",
    "spotfleet.amazonaws.com": "EC2SpotFleet",
    "transitgateway.amazonaws.com": "VPCTransitGateway",
}
"""Services that have such roles, with what the roles are called; there are more in AWS."""

WITH_SUFFIX = frozenset({"autoscaling.amazonaws.com"})
"""Services of which an account may have several roles."""

PROTECTED = frozenset(
    {
        "AddRoleToInstanceProfile",
        "AttachRolePolicy",
        "DeleteRole",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "PutRolePermissionsBoundary",
        "PutRolePolicy",
        "UpdateAssumeRolePolicy",
        "UpdateRole",
    }
)
"""Actions that change nothing of a service's role, but for its description."""

_SUFFIX = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Deletion(
    Resource,
    kind="service-role-deletion",
    prefix="task",
    not_found="NoSuchEntity",
    noun="deletion task",
):
    """A role that was deleted; the id is that of the task, with the account."""


def role_name(service: str, suffix: str | None = None) -> str | None:
    """What the role of a service is called; None where the service has none."""
    known = SERVICES.get(service)
    name = f"{PREFIX}{known}" if known else None
    return f"{name}_{suffix}" if name and suffix else name


def create(call: Call) -> Shape:
    """CreateServiceLinkedRole."""
    service, suffix = call.params["AWSServiceName"], call.get("CustomSuffix")
    name = role_name(service, suffix)
    if name is None:
        raise _wrong(f"The service {service[:128]} has no service-linked roles.")
    if suffix and service not in WITH_SUFFIX:
        raise _wrong(f"Custom suffix is not allowed for {service}")
    if suffix and not (_SUFFIX.fullmatch(suffix) and len(name) <= 64):
        raise _wrong(f"The custom suffix {suffix[:64]} is not valid.")
    row = Role(
        id=unique_id(Role.prefix),
        account=call.account,
        region=GLOBAL,
        created=call.now,
        name=name,
        path=f"/aws-service-role/{service}/",
        trust=_trust(service),
        description=call.get("Description"),
        service=service,
    )
    call.txn.put(row)
    taken = _wrong(
        f"Service role name {name} has been taken in this account, please try a different suffix."
    )
    claim_name(call.txn, row, name, call.now, taken)
    return {"Role": show(row)}


def delete(call: Call) -> Shape:
    """DeleteServiceLinkedRole: it is gone with the answer, where AWS's takes a while."""
    row = by_name(call, Role, "RoleName")
    if not row.service:
        raise no_such(f"The service-linked role with name {row.name} cannot be found.")
    call.txn.delete(row)
    task = f"task{row.path}{row.name}/{uuid.uuid4()}"
    call.txn.put(
        Deletion(id=_key(call, task), account=call.account, region=GLOBAL, created=call.now)
    )
    return {"DeletionTaskId": task}


def deletion_status(call: Call) -> Shape:
    """GetServiceLinkedRoleDeletionStatus."""
    task: str = call.params["DeletionTaskId"]
    if call.txn.find(Deletion, _key(call, task)) is None:
        raise no_such(f"The deletion task {task[:1000]} cannot be found.")
    return {"Status": "SUCCEEDED"}


def guarded(name: str, action: Action) -> Action:
    """The action, which refuses to change a service's role."""

    def checked(call: Call) -> Shape:
        row = by_name(call, Role, "RoleName")
        only_described = name == "UpdateRole" and call.get("MaxSessionDuration") is None
        if row.service and not only_described:
            raise ApiError(
                "UnmodifiableEntity",
                f"Cannot perform the operation on the protected role '{row.name}' - this role is "
                "only modifiable by AWS",
            )
        return action(call)

    return checked if name in PROTECTED else action


def _key(call: Call, task: str) -> str:
    return f"{call.account}/{task}"


def _trust(service: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _wrong(message: str) -> ApiError:
    return ApiError("InvalidInput", message)


ACTIONS: dict[str, Action] = {
    "CreateServiceLinkedRole": create,
    "DeleteServiceLinkedRole": delete,
    "GetServiceLinkedRoleDeletionStatus": deletion_status,
}
