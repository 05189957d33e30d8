"""EC2 Instance Connect Endpoint: a way into private subnets; a record with its interface here.

Its interface takes an address of the subnet and is in its groups, so that rules about them mean
something; no tunnel is made, for ``gureum ssh`` and ``gureum exec`` need none.

Source: EC2 API Reference, CreateInstanceConnectEndpoint; EC2 User Guide, "Connect to your instances
using EC2 Instance Connect Endpoint".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, Txn, View, ref
from gureum.model.timestamps import age
from gureum.resources import network_interface
from gureum.resources.network_interface import AMAZON, Attachment, NetworkInterface, checked_groups
from gureum.resources.region import zone_id
from gureum.resources.shapes import tag_list
from gureum.resources.subnet import Subnet

MAX_PER_VPC = 1
"""Endpoints of a VPC that are there at a time (EC2 Instance Connect Endpoint quotas)."""

KEPT = timedelta(hours=1)
"""How long a deleted endpoint stays visible."""


@dataclass(frozen=True, kw_only=True)
class ConnectEndpoint(
    Resource,
    kind="instance-connect-endpoint",
    prefix="eice",
    not_found="InvalidInstanceConnectEndpointId.NotFound",
    noun="instance connect endpoint",
    missing="The instance connect endpoint ID '{id}' does not exist",
):
    """An endpoint in a subnet.  Its interface and groups go before it does."""

    vpc: str = ref("weak")
    subnet: str = ref("weak")
    zone: str
    interface: str | None = ref("restrict", default=None)
    groups: tuple[str, ...] = ref("weak", default=())
    preserve_ip: bool = False
    state: Literal[
        "create-in-progress", "create-complete", "delete-in-progress", "delete-complete"
    ] = "create-in-progress"
    ended: str | None = None


def create_endpoint(call: Call) -> Shape:
    """CreateInstanceConnectEndpoint: one in a VPC."""
    subnet = call.txn.get(Subnet, call.params["SubnetId"])
    if call.get("IpAddressType", "ipv4") != "ipv4":
        raise ApiError("UnsupportedOperation", "Endpoints here have IPv4 addresses only.")
    there = [row for row in call.txn.referrers(subnet.vpc, ConnectEndpoint) if not row.ended]
    if len(there) >= MAX_PER_VPC:
        raise ApiError(
            "ResourceLimitExceeded",
            f"You have reached the limit of {MAX_PER_VPC} EC2 Instance Connect Endpoint in VPC "
            f"{subnet.vpc}.",
        )
    common = call.common(ConnectEndpoint)
    eni = network_interface.create(
        call,
        subnet,
        groups=tuple(call.get("SecurityGroupIds", ())) or None,
        description=f"EC2 Instance Connect Endpoint - {common['id']}",
        requester_managed=True,
        tags=(),
    )
    attachment = Attachment(
        id=call.new_id("ela-attach"), owner=AMAZON, device_index=1, attach_time=call.now
    )
    call.txn.put(replace(eni, attachment=attachment))
    row = ConnectEndpoint(
        **common,
        vpc=subnet.vpc,
        subnet=subnet.id,
        zone=subnet.zone,
        interface=eni.id,
        groups=eni.groups,
        preserve_ip=call.get("PreserveClientIp", False),
    )
    answer: Shape = {"InstanceConnectEndpoint": show(call.created(row), call.txn.view)}
    return answer | ({"ClientToken": call.get("ClientToken")} if call.get("ClientToken") else {})


def modify_endpoint(call: Call) -> Shape:
    """ModifyInstanceConnectEndpoint: groups, and whether instances see the client's address."""
    row = _there(call)
    if call.get("IpAddressType", "ipv4") != "ipv4":
        raise ApiError("UnsupportedOperation", "Endpoints here have IPv4 addresses only.")
    groups = row.groups
    if keys := call.get("SecurityGroupIds"):
        groups = checked_groups(call, tuple(keys), row.vpc, f"endpoint {row.id}")
        eni = call.txn.get(NetworkInterface, str(row.interface))
        call.txn.put(replace(eni, groups=groups))
    preserve = call.get("PreserveClientIp", row.preserve_ip)
    call.txn.put(replace(row, groups=groups, preserve_ip=preserve))
    return {"Return": True}


def delete_endpoint(call: Call) -> Shape:
    """DeleteInstanceConnectEndpoint."""
    row = call.txn.put(replace(_there(call), state="delete-in-progress", ended=call.now))
    return {"InstanceConnectEndpoint": show(row, call.txn.view)}


def _there(call: Call) -> ConnectEndpoint:
    row = call.txn.get(ConnectEndpoint, call.params["InstanceConnectEndpointId"])
    if row.ended:
        raise ApiError("IncorrectState", f"The endpoint '{row.id}' is '{row.state}'.")
    return row


def settled(txn: Txn, row: ConnectEndpoint, now: str) -> None:
    """The cloud has the endpoint, or has it no more."""
    if row.state == "create-in-progress":
        txn.put(replace(row, state="create-complete"))
    elif row.state == "delete-in-progress":
        eni = txn.find(NetworkInterface, row.interface)
        txn.put(replace(row, state="delete-complete", interface=None, ended=now))
        if eni is not None:
            network_interface.delete(txn, network_interface.detach(txn, eni))


def expired(txn: Txn, row: ConnectEndpoint, now: str) -> None:
    """Forget an endpoint that was deleted an hour ago."""
    if row.ended and age(row.ended, now) >= KEPT:
        txn.delete(row)


def show(row: ConnectEndpoint, view: View) -> Shape:
    """The API's ``Ec2InstanceConnectEndpoint`` structure."""
    arn = f"arn:aws:ec2:{row.region}:{row.account}:instance-connect-endpoint/{row.id}"
    domain = f"{row.id}.{{}}.ec2-instance-connect-endpoint.{row.region}.amazonaws.com"
    return {
        "OwnerId": row.account,
        "InstanceConnectEndpointId": row.id,
        "InstanceConnectEndpointArn": arn,
        "State": row.state,
        "StateMessage": "",
        "DnsName": domain.format(row.id.removeprefix("eice-")[:8]),
        "NetworkInterfaceIds": [row.interface] if row.interface else [],
        "VpcId": row.vpc,
        "AvailabilityZone": row.zone,
        "AvailabilityZoneId": zone_id(row.zone),
        "CreatedAt": row.created,
        "SubnetId": row.subnet,
        "PreserveClientIp": row.preserve_ip,
        "SecurityGroupIds": list(row.groups),
        "IpAddressType": "ipv4",
        "Tags": tag_list(row),
    }


KIND = Kind(
    row=ConnectEndpoint,
    actions={
        "CreateInstanceConnectEndpoint": create_endpoint,
        "ModifyInstanceConnectEndpoint": modify_endpoint,
        "DeleteInstanceConnectEndpoint": delete_endpoint,
    },
    settled=settled,
    expired=expired,
    listings=(
        Listing(
            action="DescribeInstanceConnectEndpoints",
            result="InstanceConnectEndpoints",
            show=show,
            ids="InstanceConnectEndpointIds",
        ),
    ),
)
