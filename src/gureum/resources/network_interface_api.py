"""The API's actions on network interfaces, except attaching them to instances.

Sources: EC2 API Reference, CreateNetworkInterface, AssignPrivateIpAddresses and their kin.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.resources.interface_addresses import Asked, Wishes, counted
from gureum.resources.network_interface import (
    Attachment,
    NetworkInterface,
    checked_groups,
    create,
    delete,
    lower,
    show,
    show_attachment,
)
from gureum.resources.network_interface_address import (
    give_address,
    give_ipv6,
    take_address,
    take_ipv6,
)
from gureum.resources.network_interface_prefix import (
    asked_prefixes,
    give_prefixes,
    take_prefix,
)
from gureum.resources.security_group import show_identifiers
from gureum.resources.shapes import unsupported
from gureum.resources.subnet import Lease, Subnet, lease_id

PUBLIC_NAMES = ("public-dual-stack-dns-name", "public-ipv4-dns-name", "public-ipv6-dns-name")
"""The kinds of public host names."""


def create_network_interface(call: Call) -> Shape:
    """CreateNetworkInterface in a subnet, in the VPC's default group unless groups are given."""
    subnet = call.txn.see(Subnet, call.params["SubnetId"])
    eni = create(
        call,
        subnet,
        groups=tuple(call.params["Groups"]) if call.get("Groups") else None,
        description=call.get("Description", ""),
        asked=asked_addresses(call.params),
        primary_ipv6=call.get("EnablePrimaryIpv6", False),
        interface_type=call.get("InterfaceType", "interface"),
    )
    return {
        "NetworkInterface": show(eni, call.txn.view),
        "ClientToken": call.get("ClientToken", ""),
    }


def asked_addresses(params: Any) -> Asked:
    """What a request asks for of a new interface.

    Raises:
        ApiError: ``InvalidParameterCombination``, ``InvalidParameterValue``, the codes of
            :func:`counted` and :func:`asked_prefixes`.
    """
    ips6, prefixes6 = _asked_ipv6(params), asked_prefixes(params, 6)
    if ips6 and prefixes6:
        raise invalid_combination("IPv6 prefixes and IPv6 addresses may not be used together.")
    return Asked(
        ips=_asked_ipv4(params), ips6=ips6, prefixes=asked_prefixes(params), prefixes6=prefixes6
    )


def _asked_ipv4(params: Any) -> list[str | None]:
    """The primary address and the secondary ones, in any of the API's three ways."""
    listed = params.get("PrivateIpAddresses") or []
    count = params.get("SecondaryPrivateIpAddressCount") or 0
    primary = params.get("PrivateIpAddress") or None
    if listed and count:
        raise invalid_combination(
            "The parameters privateIpAddresses and secondaryPrivateIpAddressCount may not be used "
            "together."
        )
    main = [item.get("PrivateIpAddress") for item in listed if item.get("Primary")]
    if len(main) + (1 if primary else 0) > 1:
        raise ApiError(
            "InvalidParameterValue", "Only one primary private IP address can be specified."
        )
    rest = [item.get("PrivateIpAddress") for item in listed if not item.get("Primary")]
    return [primary or next(iter(main), None), *(rest or counted(count))]


def _asked_ipv6(params: Any) -> Wishes | None:
    """The IPv6 addresses; None where the request says nothing, which leaves it to the subnet.  A
    count of 0 is asked for, too."""
    listed = [item.get("Ipv6Address") for item in params.get("Ipv6Addresses") or ()]
    count = params.get("Ipv6AddressCount")
    if listed and count:
        raise invalid_combination(
            "The parameters ipv6Addresses and ipv6AddressCount may not be used together."
        )
    return listed or (None if count is None else counted(count))


def delete_network_interface(call: Call) -> Shape:
    """DeleteNetworkInterface: only while it is attached to nothing."""
    delete(call, call.txn.get(NetworkInterface, call.params["NetworkInterfaceId"]))
    return {}


# --- attributes ---------------------------------------------------------------------------------
def modify_attribute(call: Call) -> Shape:
    """ModifyNetworkInterfaceAttribute: one attribute a call."""
    eni = _own(call)
    unsupported(
        call,
        "EnaSrdSpecification",
        "ConnectionTrackingSpecification",
        "AssociatePublicIpAddress",
        "AssociatedSubnetIds",
    )
    names = ("Attachment", "Description", "EnablePrimaryIpv6", "Groups", "SourceDestCheck")
    given = [name for name in names if call.get(name) is not None]
    if not given:
        raise missing_parameter("attribute")
    if len(given) > 1:
        raise invalid_combination("Fields for multiple attribute types specified")
    call.txn.put(_modified(call, eni, given[0]))
    return {}


def _modified(call: Call, eni: NetworkInterface, name: str) -> NetworkInterface:
    value = call.params[name]
    if name == "Description":
        return replace(eni, description=value.get("Value") or "")
    if name == "EnablePrimaryIpv6":
        if eni.primary_ipv6 and not value:
            raise invalid_value("enablePrimaryIpv6", value, "It cannot be disabled once enabled")
        return replace(eni, primary_ipv6=value)
    if name == "SourceDestCheck":
        return replace(eni, source_dest_check=value["Value"])
    if name == "Groups":
        place = f"interface {eni.id}"
        return replace(eni, groups=checked_groups(call, value, eni.vpc, place, eni.groups))
    attachment = _attachment(eni, value)
    flag = value.get("DeleteOnTermination", attachment.delete_on_termination)
    return replace(eni, attachment=replace(attachment, delete_on_termination=flag))


def _attachment(eni: NetworkInterface, value: Any) -> Attachment:
    key = value.get("AttachmentId")
    if not key:
        raise missing_parameter("attachment.attachmentId")
    if eni.attachment is None or eni.attachment.id != key:
        raise ApiError(
            "InvalidAttachmentID.NotFound",
            f"The networkInterface attachment ID '{key}' does not exist",
        )
    return eni.attachment


def _own(call: Call) -> NetworkInterface:
    """The interface, which must not be one that AWS manages."""
    eni = call.txn.get(NetworkInterface, call.params["NetworkInterfaceId"])
    if eni.requester_managed:
        raise ApiError(
            "AuthFailure", "You do not have permission to access the specified resource."
        )
    return eni


def reset_attribute(call: Call) -> Shape:
    """ResetNetworkInterfaceAttribute: switches the source/destination check on again."""
    call.txn.put(replace(_own(call), source_dest_check=True))
    return {}


def describe_attribute(call: Call) -> Shape:
    """DescribeNetworkInterfaceAttribute: one attribute a call."""
    eni = call.txn.see(NetworkInterface, call.params["NetworkInterfaceId"])
    answer: Shape = {"NetworkInterfaceId": eni.id}
    attribute = call.get("Attribute")
    if attribute is None:
        raise missing_parameter("attribute")
    if attribute == "description":
        answer["Description"] = {"Value": eni.description}
    elif attribute == "groupSet":
        answer["Groups"] = show_identifiers(call.txn.view, eni.groups)
    elif attribute == "sourceDestCheck":
        answer["SourceDestCheck"] = {"Value": eni.source_dest_check}
    elif attribute == "attachment" and eni.attachment:
        answer["Attachment"] = show_attachment(eni.attachment)
    elif attribute == "associatePublicIpAddress":
        answer["AssociatePublicIpAddress"] = "Association" in show(eni, call.txn.view)
    return answer


# --- secondary addresses ------------------------------------------------------------------------
def assign_private_addresses(call: Call) -> Shape:
    """AssignPrivateIpAddresses: secondary addresses or prefixes, given or any free ones.

    With ``AllowReassignment`` an address that is a secondary one of another interface moves here.
    """
    eni, prefixes = _own(call), asked_prefixes(call.params)
    ips, count = call.get("PrivateIpAddresses", []), call.get("SecondaryPrivateIpAddressCount", 0)
    if [bool(ips), bool(count), bool(prefixes)].count(True) != 1:
        raise invalid_combination(
            "Exactly one of privateIpAddresses, secondaryPrivateIpAddressCount, ipv4Prefixes and "
            "ipv4PrefixCount must be given."
        )
    if prefixes:
        given = give_prefixes(call, eni, prefixes, 4)
        shown = [{"Ipv4Prefix": prefix} for prefix in given]
        return {"NetworkInterfaceId": eni.id, "AssignedIpv4Prefixes": shown}
    before = len(eni.ips)
    for ip in ips or counted(count):
        if ip is not None:
            if ip in eni.ips:
                continue  # AWS takes an address that is already here as done
            _make_free(call, eni, ip)
        eni = give_address(call, eni, ip)
    added = [{"PrivateIpAddress": ip} for ip in eni.ips[before:]]
    return {"NetworkInterfaceId": eni.id, "AssignedPrivateIpAddresses": added}


def _make_free(call: Call, eni: NetworkInterface, ip: str) -> None:
    """Take the address from the interface that has it, if that is allowed."""
    row = call.txn.find(Lease, lease_id(eni.subnet, ip))
    holder = call.txn.find(NetworkInterface, row.holder) if row else None
    if holder is None or not call.get("AllowReassignment") or holder.ip == ip:
        return  # leasing it tells what is wrong
    take_address(call, holder, ip)


def unassign_private_addresses(call: Call) -> Shape:
    """UnassignPrivateIpAddresses: any but the primary one, and prefixes."""
    eni = _own(call)
    for prefix in call.get("Ipv4Prefixes", []):
        eni = take_prefix(call, eni, prefix)
    for ip in call.get("PrivateIpAddresses", []):
        if ip not in eni.ips[1:]:
            what = "is the primary address of" if ip == eni.ip else "is not assigned to interface"
            raise ApiError(
                "InvalidParameterValue",
                f"Some of the specified addresses cannot be unassigned: {ip} {what} {eni.id}",
            )
        eni = take_address(call, eni, ip)
    return {}


def modify_public_names(call: Call) -> Shape:
    """ModifyPublicIpDnsNameOptions: the kind of public host name that the interface has."""
    eni, kind = _own(call), call.params["HostnameType"]
    if kind not in PUBLIC_NAMES:
        raise invalid_value("hostnameType", kind)
    call.txn.put(replace(eni, public_name=kind))
    return {"Successful": True}


# --- IPv6 addresses -----------------------------------------------------------------------------
def assign_ipv6_addresses(call: Call) -> Shape:
    """AssignIpv6Addresses: the given ones, or any free ones, beside those that are there; so with
    prefixes."""
    eni, prefixes = _own(call), asked_prefixes(call.params, 6)
    ips, count = call.get("Ipv6Addresses", []), call.get("Ipv6AddressCount", 0)
    if [bool(ips), bool(count), bool(prefixes)].count(True) != 1:
        raise invalid_combination(
            "Exactly one of ipv6Addresses, ipv6AddressCount, ipv6Prefixes and ipv6PrefixCount must "
            "be given."
        )
    if prefixes:
        given = give_prefixes(call, eni, prefixes, 6)
        return {"NetworkInterfaceId": eni.id, "AssignedIpv6Prefixes": list(given)}
    before = len(eni.ips6)
    for ip in ips or counted(count):
        eni = give_ipv6(call, eni, ip)
    return {"NetworkInterfaceId": eni.id, "AssignedIpv6Addresses": list(eni.ips6[before:])}


def unassign_ipv6_addresses(call: Call) -> Shape:
    """UnassignIpv6Addresses: all of the addresses and prefixes that are named, or none."""
    eni = _own(call)
    gone, prefixes = list(call.get("Ipv6Addresses", [])), list(call.get("Ipv6Prefixes", []))
    if not gone and not prefixes:
        raise missing_parameter("ipv6Addresses")
    for prefix in prefixes:
        eni = take_prefix(call, eni, prefix)
    for text in gone:
        ip = _canonical(text)
        if ip not in eni.ips6:
            raise ApiError(
                "InvalidParameterValue",
                f"Some of the specified addresses are not assigned to interface {eni.id}: {text}",
            )
        if eni.primary_ipv6 and ip == eni.ips6[0]:
            raise ApiError(
                "InvalidParameterValue",
                f"Some of the specified addresses cannot be unassigned: {text} is the primary IPv6 "
                f"address of {eni.id}",
            )
        if eni.ip is None and len(eni.ips6) == 1:
            raise ApiError(
                "InvalidParameterValue",
                f"Some of the specified addresses cannot be unassigned: {text} is the last address "
                f"of {eni.id}, which is in an IPv6-only subnet",
            )
        eni = take_ipv6(call, eni, ip)
    return {
        "NetworkInterfaceId": eni.id,
        "UnassignedIpv6Addresses": gone,
        "UnassignedIpv6Prefixes": prefixes,
    }


def _canonical(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise invalid_value("ipv6Address", text, "Not a valid IPv6 address") from None


def attached(call: Call, attachment_id: str) -> NetworkInterface:
    """The interface with that attachment.

    Raises:
        ApiError: ``InvalidAttachmentID.NotFound``.
    """
    for eni in call.txn.all(NetworkInterface):
        if eni.attachment and eni.attachment.id == attachment_id:
            return eni
    raise ApiError(
        "InvalidAttachmentID.NotFound",
        f"The networkInterface attachment ID '{attachment_id}' does not exist",
    )


_PATHS = {
    "addresses.association.owner-id": "PrivateIpAddresses[].Association.IpOwnerId",
    "addresses.association.public-ip": "PrivateIpAddresses[].Association.PublicIp",
    "addresses.primary": "PrivateIpAddresses[].Primary",
    "addresses.private-ip-address": "PrivateIpAddresses[].PrivateIpAddress",
    "association.allocation-id": "PrivateIpAddresses[].Association.AllocationId",
    "association.association-id": "PrivateIpAddresses[].Association.AssociationId",
    "association.ip-owner-id": "PrivateIpAddresses[].Association.IpOwnerId",
    "association.public-dns-name": "PrivateIpAddresses[].Association.PublicDnsName",
    "association.public-ip": "PrivateIpAddresses[].Association.PublicIp",
    "attachment.attach-time": "Attachment.AttachTime",
    "attachment.attachment-id": "Attachment.AttachmentId",
    "attachment.delete-on-termination": "Attachment.DeleteOnTermination",
    "attachment.device-index": "Attachment.DeviceIndex",
    "attachment.instance-id": "Attachment.InstanceId",
    "attachment.instance-owner-id": "Attachment.InstanceOwnerId",
    "attachment.status": "Attachment.Status",
    "group-id": "Groups[].GroupId",
    "group-name": "Groups[].GroupName",
    "ipv6-addresses.ipv6-address": "Ipv6Addresses[].Ipv6Address",
    "operator.managed": "Operator.Managed",
    "operator.principal": "Operator.Principal",
    "private-ip-address": "PrivateIpAddresses[].PrivateIpAddress",
}

KIND = Kind(
    row=NetworkInterface,
    actions={
        "CreateNetworkInterface": create_network_interface,
        "DeleteNetworkInterface": delete_network_interface,
        "ModifyNetworkInterfaceAttribute": modify_attribute,
        "ResetNetworkInterfaceAttribute": reset_attribute,
        "DescribeNetworkInterfaceAttribute": describe_attribute,
        "AssignPrivateIpAddresses": assign_private_addresses,
        "UnassignPrivateIpAddresses": unassign_private_addresses,
        "ModifyPublicIpDnsNameOptions": modify_public_names,
        "AssignIpv6Addresses": assign_ipv6_addresses,
        "UnassignIpv6Addresses": unassign_ipv6_addresses,
    },
    reads=frozenset({"DescribeNetworkInterfaceAttribute"}),
    listings=(
        Listing(
            action="DescribeNetworkInterfaces",
            result="NetworkInterfaces",
            show=show,
            ids="NetworkInterfaceIds",
            paths=_PATHS,
        ),
    ),
    lower=lower,
)
