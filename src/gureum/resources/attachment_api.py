"""Attaching network interfaces to instances, and detaching them.

Sources: EC2 API Reference, AttachNetworkInterface, DetachNetworkInterface.
"""

from __future__ import annotations

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Shape
from gureum.resources import network_interface
from gureum.resources.instance import ENDED, Instance
from gureum.resources.instance_types import TYPES, check_ipv6_only
from gureum.resources.network_interface import NetworkInterface, interfaces_of
from gureum.resources.network_interface_api import attached
from gureum.resources.shapes import unsupported


def attach_network_interface(call: Call) -> Shape:
    """AttachNetworkInterface: to an instance of the same zone and VPC, running or stopped."""
    unsupported(call, "EnaSrdSpecification")
    eni = call.txn.get(NetworkInterface, call.params["NetworkInterfaceId"])
    row = call.txn.get(Instance, call.params["InstanceId"])
    if row.state not in ("running", "stopped", "pending"):
        raise ApiError(
            "IncorrectInstanceState", f"Instance '{row.id}' is not 'running' or 'stopped'."
        )
    if eni.zone != row.zone or eni.vpc != row.vpc:
        raise ApiError(
            "InvalidParameterCombination",
            "You may not attach a network interface to an instance if they are not in the same "
            "availability zone",
        )
    if len(interfaces_of(call.txn.view, row.id)) >= TYPES[row.type].interfaces:
        raise ApiError(
            "AttachmentLimitExceeded",
            f"Interface count {TYPES[row.type].interfaces + 1} exceeds the limit for {row.type}",
        )
    if eni.ip is None:
        check_ipv6_only(row.type)
    index = call.params["DeviceIndex"]
    eni = network_interface.attach(call, eni, row.id, index, delete_on_termination=False)
    if row.state != "stopped":
        eni = network_interface.plug(call, eni, row.id)
    assert eni.attachment is not None
    return {"AttachmentId": eni.attachment.id, "NetworkCardIndex": 0}


def detach_network_interface(call: Call) -> Shape:
    """DetachNetworkInterface: any but the first interface of an instance."""
    eni = attached(call, call.params["AttachmentId"])
    if eni.requester_managed or eni.attachment is None:
        raise ApiError(
            "AuthFailure", "You do not have permission to access the specified resource.", 403
        )
    row = call.txn.find(Instance, eni.attachment.instance)
    if eni.attachment.device_index == 0 and row is not None and row.state not in ENDED:
        raise ApiError(
            "OperationNotPermitted",
            "The network interface at device index 0 and networkCard index 0 cannot be detached.",
        )
    network_interface.detach(call, eni)
    return {}


KIND: Kind[NetworkInterface] = Kind(
    row=None,
    actions={
        "AttachNetworkInterface": attach_network_interface,
        "DetachNetworkInterface": detach_network_interface,
    },
)
