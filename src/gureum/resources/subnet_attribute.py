"""What a subnet does unasked for what is launched in it: ModifySubnetAttribute.

Source: EC2 API Reference, ModifySubnetAttribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Shape
from gureum.resources.subnet import IPV6_ONLY, Subnet

_FLAGS = {
    "MapPublicIpOnLaunch": "map_public_ip",
    "EnableDns64": "enable_dns64",
    "AssignIpv6AddressOnCreation": "assign_ipv6",
    "EnableResourceNameDnsARecordOnLaunch": "dns_a_record",
    "EnableResourceNameDnsAAAARecordOnLaunch": "dns_aaaa_record",
}


def modify_subnet_attribute(call: Call) -> Shape:
    """ModifySubnetAttribute: one attribute a call."""
    subnet = call.txn.get(Subnet, call.params["SubnetId"])
    changes = {
        name: call.params[member]["Value"]
        for member, name in _FLAGS.items()
        if "Value" in call.get(member, {})
    }
    if kind := call.get("PrivateDnsHostnameTypeOnLaunch"):
        changes["hostname_type"] = kind
    given = [name for name in call.params if name != "SubnetId"]
    if len(given) != 1:
        raise invalid_combination("You must specify exactly one attribute to modify.")
    if not changes:
        raise ApiError(
            "UnsupportedOperation", f"The attribute {given[0]} is not available in this cloud yet."
        )
    if changes.get("assign_ipv6") and subnet.ipv6 is None:
        raise ApiError(
            "InvalidParameterValue",
            "Invalid value 'true' for assignIpv6AddressOnCreation: the subnet "
            f"'{subnet.id}' does not have an IPv6 CIDR block associated with it.",
        )
    _check_ipv6_only(subnet, given[0], changes)
    call.txn.put(replace(subnet, **changes))
    return {}


def _check_ipv6_only(subnet: Subnet, member: str, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if subnet.native and value != IPV6_ONLY.get(name, value):
            parameter = member[0].lower() + member[1:]
            reason = f"It is not supported for the IPv6-only subnet '{subnet.id}'"
            raise invalid_value(parameter, str(value).lower(), reason)


KIND: Kind[Subnet] = Kind(row=None, actions={"ModifySubnetAttribute": modify_subnet_attribute})
