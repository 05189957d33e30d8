"""Elastic IP: a public address that is kept, and mapped to an interface at will.

Sources: EC2 User Guide, "Elastic IP addresses"; EC2 API Reference, AssociateAddress.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
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

_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})+\.?")


@dataclass(frozen=True, kw_only=True)
class ElasticIp(
    Resource,
    kind="elastic-ip",
    prefix="eipalloc",
    not_found="InvalidAllocationID.NotFound",
    noun="allocation",
):
    """A public address allocated to an account; ``ptr`` is the name that its reverse record has,
    with the dot at its end."""

    ip: str
    ptr: str | None = None


def association_of(view: View, allocation: str) -> Association | None:
    """What the Elastic IP is mapped to, if anything."""
    return next(view.referrers(allocation, Association), None)


def allocate_address(call: Call) -> Shape:
    """AllocateAddress: any free address of the pool, or the one asked for if it is free."""
    unsupported(call, "CustomerOwnedIpv4Pool", "IpamPoolId")
    if call.get("PublicIpv4Pool", "amazon") != "amazon":
        unsupported(call, "PublicIpv4Pool")
    check_quota(call)
    row = ElasticIp(**call.common(ElasticIp), ip="")
    call.txn.put(row)  # addresses are given to a row that exists
    ip = public_ip.allocate(call, row.id, call.get("Address") or None)
    call.created(replace(row, ip=ip))
    return {
        "PublicIp": ip,
        "AllocationId": row.id,
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": call.region,
        "Domain": "vpc",
    }


def check_quota(call: Call) -> None:
    """Raises:
    ApiError: ``AddressLimitExceeded`` where the account has as many as it may have.
    """
    if sum(1 for _ in call.txn.all(ElasticIp)) >= MAX_ADDRESSES:
        raise ApiError("AddressLimitExceeded", "The maximum number of addresses has been reached.")


def release_address(call: Call) -> Shape:
    """ReleaseAddress: refused while it is associated or has a reverse record."""
    row = _asked(call)
    if row.ptr is not None:
        raise ApiError(
            "InvalidAddress.PtrSet",
            f"The address {row.ip} cannot be released because it has a custom reverse DNS record.",
        )
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
    return named_address(call, ip)


def named_address(call: Call, ip: str) -> ElasticIp:
    """The account's Elastic IP with that address.

    Raises:
        ApiError: ``InvalidAddress.NotFound``.
    """
    for row in call.txn.all(ElasticIp):
        if row.ip == ip:
            return row
    raise ApiError("InvalidAddress.NotFound", f"Address '{ip}' not found.")


def associate_address(call: Call) -> Shape:
    """AssociateAddress: with an interface, or the first interface of an instance."""
    row = _asked(call)
    eni = _interface(call)
    private = call.get("PrivateIpAddress") or eni.ipv4
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
    if call.txn.target(Vpc, eni.vpc).gateway is None:
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


def modify_address_attribute(call: Call) -> Shape:
    """ModifyAddressAttribute: the name that the reverse record of the address has.

    AWS wants a record of the name that leads to the address; there is nobody to ask here.
    """
    row, name = call.txn.get(ElasticIp, call.params["AllocationId"]), call.get("DomainName")
    if not name:
        raise missing_parameter("domainName")
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        raise invalid_value("domainName", name, "Not a valid domain name")
    ptr = f"{name.removesuffix('.')}."
    call.txn.put(replace(row, ptr=ptr))
    update = {"Value": ptr, "Status": "PENDING"}
    return {"Address": show_attribute(row, call.txn.view) | {"PtrRecordUpdate": update}}


def reset_address_attribute(call: Call) -> Shape:
    """ResetAddressAttribute: without a reverse record of its own again."""
    row = call.txn.get(ElasticIp, call.params["AllocationId"])
    if call.params["Attribute"] != "domain-name":
        raise invalid_value("attribute", call.params["Attribute"])
    call.txn.put(replace(row, ptr=None))
    shown = show_attribute(row, call.txn.view)
    return {"Address": shown | {"PtrRecordUpdate": {"Value": "", "Status": "PENDING"}}}


def show_attribute(row: ElasticIp, view: View) -> Shape:
    """The API's ``AddressAttribute`` structure."""
    shape: Shape = {"AllocationId": row.id, "PublicIp": row.ip}
    return shape | ({"PtrRecord": row.ptr} if row.ptr else {})


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
        "ModifyAddressAttribute": modify_address_attribute,
        "ResetAddressAttribute": reset_address_attribute,
    },
    listings=(
        Listing(
            action="DescribeAddressesAttribute",
            result="Addresses",
            show=show_attribute,
            ids="AllocationIds",
            # Terraform waits until an address without a name is listed no more.
            keep=lambda call, row: row.ptr is not None,
        ),
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
