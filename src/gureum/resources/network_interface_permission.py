"""Permissions that the owner of a network interface grants to other accounts.

Source: EC2 API Reference, CreateNetworkInterfacePermission.
"""

from __future__ import annotations

from dataclasses import dataclass

from gureum.errors import invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, View, ref
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.shapes import is_account, unsupported

PERMISSIONS = ("INSTANCE-ATTACH", "EIP-ASSOCIATE")


@dataclass(frozen=True, kw_only=True)
class InterfacePermission(
    Resource,
    kind="network-interface-permission",
    prefix="eni-perm",
    not_found="InvalidPermissionID.NotFound",
    malformed="InvalidPermissionID.Malformed",
    noun="networkInterfacePermission",
):
    """What another account may do with an interface."""

    interface: str = ref("cascade")
    grantee: str
    permission: str


def create_permission(call: Call) -> Shape:
    """CreateNetworkInterfacePermission: granted at once; the same again is the same permission."""
    unsupported(call, "AwsService")
    eni = call.txn.get(NetworkInterface, call.params["NetworkInterfaceId"])
    grantee, permission = call.get("AwsAccountId"), call.params["Permission"]
    if not grantee:
        raise missing_parameter("awsAccountId")
    if not is_account(grantee):
        raise invalid_value("awsAccountId", grantee, "Not a valid AWS account ID")
    if permission not in PERMISSIONS:
        raise invalid_value("permission", permission)
    for row in call.txn.referrers(eni.id, InterfacePermission):
        if (row.grantee, row.permission) == (grantee, permission):
            return {"InterfacePermission": show(row, call.txn.view)}
    common = {**call.common(InterfacePermission), "tags": ()}
    row = InterfacePermission(**common, interface=eni.id, grantee=grantee, permission=permission)
    return {"InterfacePermission": show(call.created(row), call.txn.view)}


def delete_permission(call: Call) -> Shape:
    """DeleteNetworkInterfacePermission."""
    key = call.params["NetworkInterfacePermissionId"]
    call.txn.delete(call.txn.get(InterfacePermission, key))
    return {"Return": True}


def show(row: InterfacePermission, view: View) -> Shape:
    """The API's ``NetworkInterfacePermission`` structure."""
    return {
        "NetworkInterfacePermissionId": row.id,
        "NetworkInterfaceId": row.interface,
        "AwsAccountId": row.grantee,
        "Permission": row.permission,
        # In capitals, whatever the model says: Terraform's provider waits for this word.
        "PermissionState": {"State": "GRANTED"},
    }


_FILTERS = {
    "network-interface-permission-id": "NetworkInterfacePermissionId",
    "network-interface-id": "NetworkInterfaceId",
    "aws-account-id": "AwsAccountId",
    "aws-service": "AwsService",
    "permission": "Permission",
}

KIND = Kind(
    row=InterfacePermission,
    actions={
        "CreateNetworkInterfacePermission": create_permission,
        "DeleteNetworkInterfacePermission": delete_permission,
    },
    listings=(
        Listing(
            action="DescribeNetworkInterfacePermissions",
            result="NetworkInterfacePermissions",
            show=show,
            ids="NetworkInterfacePermissionIds",
            paths={f"network-interface-permission.{name}": path for name, path in _FILTERS.items()},
        ),
    ),
)
