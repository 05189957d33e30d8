"""The attributes of instances: describe, modify, reset.

Source: EC2 API Reference, DescribeInstanceAttribute, ModifyInstanceAttribute and their kin.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Shape
from gureum.resources.instance import ENDED, Instance, check_names
from gureum.resources.instance_shape import show_devices, show_metadata
from gureum.resources.instance_types import TYPES, burstable, check_ipv6_only
from gureum.resources.network_interface import (
    NetworkInterface,
    checked_groups,
    interfaces_of,
)
from gureum.resources.run_instances import metadata_options
from gureum.resources.security_group import show_identifiers
from gureum.resources.volume import put_attachment, volumes_of


def _alive(call: Call) -> Instance:
    row = call.txn.get(Instance, call.params["InstanceId"])
    if row.state in ENDED:
        raise ApiError(
            "IncorrectInstanceState",
            f"The instance '{row.id}' is not in the 'running' or 'stopped' state.",
        )
    return row


def _primary(call: Call, row: Instance) -> NetworkInterface:
    found = interfaces_of(call.txn.view, row.id)
    if not found:
        raise ApiError(
            "IncorrectInstanceState", f"The instance '{row.id}' has no network interface."
        )
    return found[0]


def _single(call: Call, row: Instance) -> NetworkInterface:
    """The interface that an instance-level attribute is about, where that is clear."""
    if len(interfaces_of(call.txn.view, row.id)) > 1:
        raise ApiError(
            "InvalidInstanceID",
            f"There are multiple interfaces attached to instance '{row.id}'. "
            "Please specify an interface ID for the operation instead.",
        )
    return _primary(call, row)


# --- describe -----------------------------------------------------------------------------------
_VALUES: dict[str, tuple[str, Callable[[Instance], Any]]] = {
    "instanceType": ("InstanceType", lambda row: row.type),
    "disableApiTermination": ("DisableApiTermination", lambda row: row.protected),
    "disableApiStop": ("DisableApiStop", lambda row: row.stop_protected),
    "instanceInitiatedShutdownBehavior": (
        "InstanceInitiatedShutdownBehavior",
        lambda row: row.shutdown_behavior,
    ),
    "rootDeviceName": ("RootDeviceName", lambda row: row.root_device),
    "ebsOptimized": ("EbsOptimized", lambda row: row.ebs_optimized),
    "enaSupport": ("EnaSupport", lambda row: True),
}


def describe_attribute(call: Call) -> Shape:
    """DescribeInstanceAttribute: one attribute a call."""
    row = call.txn.get(Instance, call.params["InstanceId"])
    name = call.params["Attribute"]
    answer: Shape = {"InstanceId": row.id}
    if name in _VALUES:
        member, value = _VALUES[name]
        answer[member] = {"Value": value(row)}
    elif name == "userData":
        answer["UserData"] = {"Value": row.user_data} if row.user_data else {}
    elif name == "blockDeviceMapping":
        answer["BlockDeviceMappings"] = show_devices(row, call.txn.view)
    elif name == "sourceDestCheck":
        answer["SourceDestCheck"] = {"Value": _primary(call, row).source_dest_check}
    elif name == "groupSet":
        answer["Groups"] = show_identifiers(call.txn.view, _primary(call, row).groups)
    elif name == "enclaveOptions":
        answer["EnclaveOptions"] = {"Enabled": False}
    elif name == "productCodes":
        answer["ProductCodes"] = []
    else:  # kernel, ramdisk, sriovNetSupport: an HVM instance has none
        member = {"kernel": "KernelId", "ramdisk": "RamdiskId"}.get(name, "SriovNetSupport")
        answer[member] = {}
    return answer


# --- modify -------------------------------------------------------------------------------------
def modify_attribute(call: Call) -> Shape:
    """ModifyInstanceAttribute: one attribute a call, in either of the API's two styles."""
    row = _alive(call)
    given = {name: value for name, value in call.params.items() if name in _SETTERS}
    if name := call.get("Attribute"):
        if call.get("Value") is None:
            raise missing_parameter("value")
        member = _OLD_STYLE.get(name)
        if member is None:
            raise invalid_value("attribute", name)
        given[member] = {"Value": _typed(member, call.params["Value"])}
    unbuilt = set(call.params) & {"Kernel", "Ramdisk", "SriovNetSupport", "EnclaveOptions"}
    if unbuilt:
        raise ApiError(
            "UnsupportedOperation",
            f"The attribute {min(unbuilt)} is not available in this cloud.",
        )
    if len(given) != 1:
        raise invalid_combination(
            "Fields for multiple attribute types specified" if given else "No attributes specified."
        )
    ((member, value),) = given.items()
    _SETTERS[member](call, row, value)
    return {}


_OLD_STYLE = {
    "instanceType": "InstanceType",
    "userData": "UserData",
    "disableApiTermination": "DisableApiTermination",
    "disableApiStop": "DisableApiStop",
    "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior",
    "sourceDestCheck": "SourceDestCheck",
    "ebsOptimized": "EbsOptimized",
}


def _typed(member: str, text: str) -> Any:
    if member == "UserData":
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            raise invalid_value("value", text[:200], "User data must be base64") from None
    if member in ("InstanceType", "InstanceInitiatedShutdownBehavior"):
        return text
    return text.lower() == "true"


def _flag(name: str) -> Callable[[Call, Instance, Any], None]:
    def set_flag(call: Call, row: Instance, value: Any) -> None:
        call.txn.put(replace(row, **{name: value.get("Value", False)}))

    return set_flag


def _set_behavior(call: Call, row: Instance, value: Any) -> None:
    text = value.get("Value")
    if text not in ("stop", "terminate"):
        raise invalid_value("instanceInitiatedShutdownBehavior", text)
    call.txn.put(replace(row, shutdown_behavior=text))


def _set_stopped(name: str) -> Callable[[Call, Instance, Any], None]:
    """What can be changed while the instance is stopped only."""

    def set_value(call: Call, row: Instance, value: Any) -> None:
        if row.state != "stopped":
            raise ApiError(
                "IncorrectInstanceState", f"The instance '{row.id}' is not in the 'stopped' state."
            )
        content = value.get("Value", "")
        if name == "type" and content not in TYPES:
            raise invalid_value("instanceType", content)
        if name == "type" and any(eni.ip is None for eni in interfaces_of(call.txn.view, row.id)):
            check_ipv6_only(content)
        if name == "user_data":
            content = base64.b64encode(content or b"").decode()
        changed = replace(row, **{name: content})
        if name == "type":  # another type has other cores
            changed = replace(changed, cores=None, threads=None)
        call.txn.put(changed)

    return set_value


def _set_check(call: Call, row: Instance, value: Any) -> None:
    eni = _single(call, row)
    call.txn.put(replace(eni, source_dest_check=value.get("Value", True)))


def _set_groups(call: Call, row: Instance, value: Any) -> None:
    eni = _single(call, row)
    groups = checked_groups(call, value, eni.vpc, f"instance {row.id}", eni.groups)
    call.txn.put(replace(eni, groups=groups))


def _set_devices(call: Call, row: Instance, value: Any) -> None:
    found = {how.device: (disk, how) for disk, how in volumes_of(call.txn.view, row.id)}
    for item in value:
        if item.get("DeviceName") not in found:
            raise ApiError(
                "InvalidInstanceAttributeValue",
                f"No device is currently mapped at {item.get('DeviceName')}",
            )
        disk, how = found[item["DeviceName"]]
        flag = item.get("Ebs", {}).get("DeleteOnTermination")
        if flag is not None:
            put_attachment(call.txn, disk, replace(how, delete_on_termination=flag))


_SETTERS: Mapping[str, Callable[[Call, Instance, Any], None]] = {
    "DisableApiTermination": _flag("protected"),
    "DisableApiStop": _flag("stop_protected"),
    "EbsOptimized": _flag("ebs_optimized"),
    "EnaSupport": lambda call, row, value: None,
    "InstanceInitiatedShutdownBehavior": _set_behavior,
    "InstanceType": _set_stopped("type"),
    "UserData": _set_stopped("user_data"),
    "SourceDestCheck": _set_check,
    "Groups": _set_groups,
    "BlockDeviceMappings": _set_devices,
}


def reset_attribute(call: Call) -> Shape:
    """ResetInstanceAttribute: switches the source/destination check on again."""
    row = _alive(call)
    if call.params["Attribute"] != "sourceDestCheck":
        raise invalid_value("attribute", call.params["Attribute"])
    _set_check(call, row, {"Value": True})
    return {}


# --- options ------------------------------------------------------------------------------------
def modify_metadata(call: Call) -> Shape:
    """ModifyInstanceMetadataOptions: ``pending`` now, ``applied`` whenever that is asked."""
    row = _alive(call)
    row = call.txn.put(replace(row, metadata=metadata_options(row.metadata, call.params)))
    options = show_metadata(row) | {"State": "pending"}
    return {"InstanceId": row.id, "InstanceMetadataOptions": options}


def modify_credits(call: Call) -> Shape:
    """ModifyInstanceCreditSpecification: remembered only; what fails is listed, not refused."""
    done, failed = [], []
    for item in call.params["InstanceCreditSpecifications"]:
        row = call.txn.find(Instance, item.get("InstanceId"))
        if row is None or not burstable(row.type):
            code = (
                "InvalidInstanceID.NotFound"
                if row is None
                else "InstanceCreditSpecification.NotSupported"
            )
            words = "does not exist" if row is None else "is not burstable"
            message = f"The instance ID '{item.get('InstanceId')}' {words}"
            error = {"Code": code, "Message": message}
            failed.append({"InstanceId": item.get("InstanceId"), "Error": error})
            continue
        call.txn.put(replace(row, credits=item.get("CpuCredits")))
        done.append({"InstanceId": row.id})
    return {
        "SuccessfulInstanceCreditSpecifications": done,
        "UnsuccessfulInstanceCreditSpecifications": failed,
    }


def modify_maintenance(call: Call) -> Shape:
    """ModifyInstanceMaintenanceOptions: remembered only."""
    row = _alive(call)
    row = call.txn.put(replace(row, recovery=call.get("AutoRecovery", row.recovery)))
    return {"InstanceId": row.id, "AutoRecovery": row.recovery}


def modify_private_dns(call: Call) -> Shape:
    """ModifyPrivateDnsNameOptions: the host name follows at the next boot."""
    row = _alive(call)
    changed = replace(
        row,
        hostname_type=call.get("PrivateDnsHostnameType", row.hostname_type),
        dns_a_record=call.get("EnableResourceNameDnsARecord", row.dns_a_record),
        dns_aaaa_record=call.get("EnableResourceNameDnsAAAARecord", row.dns_aaaa_record),
    )
    if changed.hostname_type != row.hostname_type and row.state != "stopped":
        raise ApiError(
            "IncorrectInstanceState", f"The instance '{row.id}' is not in the 'stopped' state."
        )
    check_names(call.txn.view, changed)
    call.txn.put(changed)
    return {"Return": True}


ACTIONS: Mapping[str, Callable[[Call], Shape]] = {
    "DescribeInstanceAttribute": describe_attribute,
    "ModifyInstanceAttribute": modify_attribute,
    "ResetInstanceAttribute": reset_attribute,
    "ModifyInstanceMetadataOptions": modify_metadata,
    "ModifyInstanceCreditSpecification": modify_credits,
    "ModifyInstanceMaintenanceOptions": modify_maintenance,
    "ModifyPrivateDnsNameOptions": modify_private_dns,
}
