"""Elastic IP: a public address that is kept, and mapped to an interface at will.

Sources: EC2 User Guide, "Elastic IP addresses"; EC2 API Reference, AssociateAddress.
"""

from __future__ import annotations

from dataclasses import dataclass

from gureum.errors import ApiError, invalid_combination, missing_parameter
from gureum.kind import Call, Kind, Listing, Selector, Shape
from gureum.model import Resource, View
from gureum.resources import public_ip
from gureum.resources.network_interface import (
    NetworkInterface,
    interfaces_of,
    release_public,
)
from gureum.resources.public_ip import Association
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.vpc import Vpc

MAX_ADDRESSES = 5
"""Elastic IPs per region (VPC quotas)."""


@dataclass(frozen=True, kw_only=True)
class ElasticIp(
    Resource,
    kind="elastic-ip",
    prefix="eipalloc",
    not_found="InvalidAllocationID.NotFound",
    noun="allocation",
):
    """A public address allocated to an account."""

    ip: str


def association_of(view: View, allocation: str) -> Association | None:
    """What the Elastic IP is mapped to, if anything."""
    return next(view.referrers(allocation, Association), None)


def allocate_address(call: Call) -> Shape:
    """AllocateAddress: any free address of the pool, or the one asked for if it is free."""
    unsupported(call, "CustomerOwnedIpv4Pool", "IpamPoolId")
    if call.get("PublicIpv4Pool", "amazon") != "amazon":
        unsupported(call, "PublicIpv4Pool")
    if sum(1 for _ in call.txn.all(ElasticIp)) >= MAX_ADDRESSES:
        raise ApiError("AddressLimitExceeded", "The maximum number of addresses has been reached.")
    row = ElasticIp(**call.common(ElasticIp), ip="")
    call.txn.put(row)  # addresses are given to a row that exists
    ip = public_ip.allocate(call, row.id, call.get("Address") or None)
    call.created(ElasticIp(**call.common(ElasticIp, row.id), ip=ip))
    return {
        "PublicIp": ip,
        "AllocationId": row.id,
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": call.region,
        "Domain": "vpc",
    }


def release_address(call: Call) -> Shape:
    """ReleaseAddress: refused while it is associated."""
    row = _asked(call)
    if association_of(call.txn.view, row.id):
        raise ApiError("InvalidIPAddress.InUse", f"Address {row.ip} is in use.")
    call.txn.delete(row)
    return {}


def _asked(call: Call) -> ElasticIp:
    """The Elastic IP that AllocationId or PublicIp names."""
    key, ip = call.get("AllocationId"), call.get("PublicIp")
    if key and ip:
        raise invalid_combination("You may specify public IP or allocation id, but not both")
    if key:
        return call.txn.get(ElasticIp, key)
    if not ip:
        raise missing_parameter("AllocationId")
    for row in call.txn.all(ElasticIp):
        if row.ip == ip:
            return row
    raise ApiError("InvalidAddress.NotFound", f"Address '{ip}' not found.")


def associate_address(call: Call) -> Shape:
    """AssociateAddress: with an interface, or the first interface of an instance."""
    row = _asked(call)
    eni = _interface(call)
    private = call.get("PrivateIpAddress") or eni.ip
    if private not in eni.ips:
        raise ApiError(
            "InvalidParameterValue",
            f"The private IP address {private} is not assigned to interface {eni.id}",
        )
    item = associate(call, row, eni, private, reassociate=call.get("AllowReassociation", True))
    return {"AssociationId": item.id}


def associate(
    call: Call, row: ElasticIp, eni: NetworkInterface, private: str, *, reassociate: bool
) -> Association:
    """Map an Elastic IP to a private address of an interface.

    What either was mapped to gives way: another Elastic IP is associated no more, an address that
    AWS assigned by itself is released.

    Raises:
        ApiError: ``Gateway.NotAttached``, ``Resource.AlreadyAssociated``, ``AuthFailure`` (the
            Elastic IP is a NAT gateway's).
    """
    if call.txn.get(Vpc, eni.vpc).gateway is None:
        raise ApiError(
            "Gateway.NotAttached", f"Network {eni.vpc} is not attached to any internet gateway"
        )
    old = association_of(call.txn.view, row.id)
    if old and (old.interface, old.private_ip) == (eni.id, private):
        return old
    if old and not reassociate:
        raise ApiError(
            "Resource.AlreadyAssociated",
            f"resource {row.id} is already associated with associate-id {old.id}",
        )
    if old:
        _check_movable(call, old)
    there = [
        item
        for item in public_ip.associations(call.txn.view, eni.id)
        if item.private_ip == private and item.allocation
    ]
    if there and not reassociate:
        raise ApiError(
            "Resource.AlreadyAssociated",
            f"resource {eni.id} is already associated with address {there[0].ip}",
        )
    for item in ([old] if old else []) + there:
        call.txn.delete(item)
    if private == eni.ip:
        release_public(call, eni)
    return public_ip.associate(call, eni.id, private, row.ip, row.id)


def _interface(call: Call) -> NetworkInterface:
    key, instance = call.get("NetworkInterfaceId"), call.get("InstanceId")
    if key:
        eni = call.txn.get(NetworkInterface, key)
        if eni.requester_managed:
            raise _not_yours()
        return eni
    if not instance:
        raise missing_parameter("NetworkInterfaceId")
    found = interfaces_of(call.txn.view, instance)
    if not found or found[0].account != call.account or found[0].region != call.region:
        raise ApiError("InvalidInstanceID.NotFound", f"The instance ID '{instance}' does not exist")
    if len(found) > 1:
        raise ApiError(
            "InvalidInstanceID",
            f"There are multiple interfaces attached to instance '{instance}'. "
            "Please specify an interface ID for the operation instead.",
        )
    return found[0]


def disassociate_address(call: Call) -> Shape:
    """DisassociateAddress; the interface does not get an address of AWS's own back."""
    item = _association(call)
    _check_movable(call, item)
    call.txn.delete(item)
    return {}


def _check_movable(call: Call, item: Association) -> None:
    """What AWS mapped to an interface of its own stays there."""
    eni = call.txn.find(NetworkInterface, item.interface)
    if eni and eni.requester_managed:
        raise _not_yours()


def _association(call: Call) -> Association:
    key = call.get("AssociationId")
    if key:
        item = call.txn.get(Association, key)
        if item.allocation:
            return item
    elif call.get("PublicIp"):
        found = association_of(call.txn.view, _asked(call).id)
        if found:
            return found
        key = call.params["PublicIp"]
    else:
        raise missing_parameter("AssociationId")
    raise ApiError("InvalidAssociationID.NotFound", f"The association ID '{key}' does not exist")


def _not_yours() -> ApiError:
    return ApiError("AuthFailure", "You do not have permission to access the specified resource.")


def describe_addresses_attribute(call: Call) -> Shape:
    """DescribeAddressesAttribute: reverse names, of which there are none here."""
    keys = call.get("AllocationIds") or [row.id for row in call.txn.all(ElasticIp)]
    rows = [call.txn.get(ElasticIp, key) for key in keys]
    return {"Addresses": [{"AllocationId": row.id, "PublicIp": row.ip} for row in rows]}


def show(row: ElasticIp, view: View) -> Shape:
    """The API's ``Address`` structure."""
    shape: Shape = {
        "PublicIp": row.ip,
        "AllocationId": row.id,
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": row.region,
        "Tags": tag_list(row),
    }
    item = association_of(view, row.id)
    eni = view.find(NetworkInterface, item.interface) if item else None
    if item is None or eni is None:
        return shape
    shape |= {
        "AssociationId": item.id,
        "NetworkInterfaceId": eni.id,
        "NetworkInterfaceOwnerId": eni.account,
        "PrivateIpAddress": item.private_ip,
    }
    if eni.attachment and eni.attachment.instance:
        shape["InstanceId"] = eni.attachment.instance
    return shape


KIND = Kind(
    row=ElasticIp,
    actions={
        "AllocateAddress": allocate_address,
        "ReleaseAddress": release_address,
        "AssociateAddress": associate_address,
        "DisassociateAddress": disassociate_address,
        "DescribeAddressesAttribute": describe_addresses_attribute,
    },
    reads=frozenset({"DescribeAddressesAttribute"}),
    listings=(
        Listing(
            action="DescribeAddresses",
            result="Addresses",
            show=show,
            ids="AllocationIds",
            selectors={
                "PublicIps": Selector(
                    path="PublicIp",
                    code="InvalidAddress.NotFound",
                    message="Address '{}' not found.",
                )
            },
            paths={"instance": "InstanceId"},
            computed={"domain": lambda row, view: ("vpc",)},
        ),
    ),
)
