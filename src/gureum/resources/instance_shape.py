"""How the API shows instances: DescribeInstances and its kin.

Source: EC2 API Reference, Instance, InstanceStatus, InstanceNetworkInterface.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gureum.kind import Call, FilterValues, Listing, Shape
from gureum.model import Resource, View
from gureum.resources import network_interface
from gureum.resources.instance import ENDED, STATES, Instance, hostname
from gureum.resources.instance_profile import association_of, show_profile
from gureum.resources.instance_types import burstable, default_credits, nitro
from gureum.resources.network_interface import NetworkInterface, interfaces_of
from gureum.resources.placement import PlacementGroup
from gureum.resources.region import zone_id
from gureum.resources.security_group import show_identifiers
from gureum.resources.shapes import tag_list
from gureum.resources.volume import volumes_of
from gureum.wire.filters import values_at


def show_state(state: str) -> Shape:
    """The API's ``InstanceState`` structure."""
    return {"Code": STATES[state], "Name": state}


def show_reservation(row: Instance, view: View) -> Shape:
    """A ``Reservation`` with this one instance; see :func:`gathered`."""
    return {
        "ReservationId": row.reservation,
        "OwnerId": row.account,
        "Groups": [],
        "Instances": [show(row, view)],
    }


def gathered(items: Iterable[Shape]) -> list[Shape]:
    """Reservations, each with all of its instances that are to be shown."""
    found: dict[str, Shape] = {}
    for item in items:
        known = found.setdefault(item["ReservationId"], {**item, "Instances": []})
        known["Instances"] = [*known["Instances"], *item["Instances"]]
    return list(found.values())


def show(row: Instance, view: View) -> Shape:
    """The API's ``Instance`` structure."""
    cores, threads = row.processors
    shape: Shape = {
        "InstanceId": row.id,
        "ImageId": row.image,
        "InstanceType": row.type,
        "State": show_state(row.state),
        "StateTransitionReason": row.reason.transition if row.reason else "",
        "AmiLaunchIndex": row.launch_index,
        "Architecture": "x86_64",
        "BlockDeviceMappings": show_devices(row, view),
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
        "ClientToken": row.token,
        "CpuOptions": {"CoreCount": cores, "ThreadsPerCore": threads},
        "CurrentInstanceBootMode": "legacy-bios",
        "EbsOptimized": row.ebs_optimized,
        "EnaSupport": True,
        "EnclaveOptions": {"Enabled": False},
        "HibernationOptions": {"Configured": False},
        "Hypervisor": "xen",  # AWS says so of Nitro instances too
        "LaunchTime": row.launched,
        "MaintenanceOptions": {"AutoRecovery": row.recovery, "RebootMigration": "default"},
        "MetadataOptions": show_metadata(row),
        "Monitoring": {"State": "enabled" if row.monitored else "disabled"},
        "NetworkPerformanceOptions": _performance(row),
        "Operator": {"Managed": False},
        "Placement": _show_placement(row, view),
        "PlatformDetails": "Linux/UNIX",
        "PrivateDnsName": "",
        "ProductCodes": [],
        "PublicDnsName": "",
        "RootDeviceName": row.root_device,
        "RootDeviceType": "ebs",
        "Tags": tag_list(row),
        "UsageOperation": "RunInstances",
        "UsageOperationUpdateTime": row.created,
        "VirtualizationType": "hvm",
        "NetworkInterfaces": [],
        "SecurityGroups": [],
    }
    if row.key_name:
        shape["KeyName"] = row.key_name
    profile = association_of(view, row.id)
    if profile is not None:
        shape["IamInstanceProfile"] = show_profile(profile.arn)
    if row.reason and row.state not in ("pending", "running"):
        shape["StateReason"] = {"Code": row.reason.code, "Message": row.reason.message}
    return shape | _show_network(row, view)


def _performance(row: Instance) -> Shape | None:
    return {"BandwidthWeighting": row.bandwidth} if nitro(row.type) else None


def _show_placement(row: Instance, view: View) -> Shape:
    shape: Shape = {
        "AvailabilityZone": row.zone,
        "AvailabilityZoneId": zone_id(row.zone),
        "GroupName": "",
        "Tenancy": row.tenancy,
    }
    group = view.find(PlacementGroup, row.placement_group)
    if group is not None:
        shape |= {"GroupName": group.name, "GroupId": group.id}
        if row.partition is not None:
            shape["PartitionNumber"] = row.partition
    return shape


def _show_network(row: Instance, view: View) -> Shape:
    """What a terminated instance has no more."""
    found = interfaces_of(view, row.id)
    if row.state == "terminated" or not found:
        return {}
    interfaces = [_show_interface(eni, view) for eni in found]
    primary = interfaces[0]
    shape: Shape = {
        "VpcId": row.vpc,
        "SubnetId": row.subnet,
        "PrivateDnsName": hostname(view, row),
        "PrivateDnsNameOptions": {
            "HostnameType": row.hostname_type,
            "EnableResourceNameDnsARecord": row.dns_a_record,
            "EnableResourceNameDnsAAAARecord": row.dns_aaaa_record,
        },
        "SourceDestCheck": found[0].source_dest_check,
        "SecurityGroups": show_identifiers(view, found[0].groups),
        "NetworkInterfaces": interfaces,
    }
    if found[0].ip is not None:
        shape["PrivateIpAddress"] = found[0].ip
    if found[0].ips6:
        shape["Ipv6Address"] = found[0].ips6[0]
    if "Association" in primary:
        shape["PublicIpAddress"] = primary["Association"]["PublicIp"]
        shape["PublicDnsName"] = primary["Association"]["PublicDnsName"]
    return shape


_INTERFACE = (
    "Description",
    "Groups",
    "InterfaceType",
    "Ipv6Addresses",
    "MacAddress",
    "NetworkInterfaceId",
    "Operator",
    "OwnerId",
    "PrivateDnsName",
    "PrivateIpAddress",
    "SourceDestCheck",
    "Status",
    "SubnetId",
    "VpcId",
)
_ASSOCIATION = ("IpOwnerId", "PublicDnsName", "PublicIp")
_ATTACHMENT = (
    "AttachTime",
    "AttachmentId",
    "DeleteOnTermination",
    "DeviceIndex",
    "NetworkCardIndex",
    "Status",
)


def _show_interface(eni: NetworkInterface, view: View) -> Shape:
    """The API's ``InstanceNetworkInterface``: the interface with fewer members."""
    whole = network_interface.show(eni, view)
    shape = {name: whole[name] for name in _INTERFACE if name in whole}
    shape["Attachment"] = _part(whole["Attachment"], _ATTACHMENT)
    addresses = []
    for item in whole["PrivateIpAddresses"]:
        address = {name: value for name, value in item.items() if name != "Association"}
        if "Association" in item:
            address["Association"] = _part(item["Association"], _ASSOCIATION)
        addresses.append(address)
    shape["PrivateIpAddresses"] = addresses
    for name in ("Ipv4Prefixes", "Ipv6Prefixes"):
        if name in whole:
            shape[name] = whole[name]
    if addresses and "Association" in addresses[0]:
        shape["Association"] = addresses[0]["Association"]
    return shape


def _part(shape: Shape, names: Iterable[str]) -> Shape:
    return {name: shape[name] for name in names}


def show_devices(row: Instance, view: View) -> list[Shape]:
    """The API's ``InstanceBlockDeviceMapping`` structures, the root device first."""
    found = volumes_of(view, row.id)
    found.sort(key=lambda pair: pair[1].device != row.root_device)
    return [
        {
            "DeviceName": how.device,
            "Ebs": {
                "VolumeId": volume.id,
                "Status": how.state,
                "AttachTime": how.attached,
                "DeleteOnTermination": how.delete_on_termination,
            },
        }
        for volume, how in found
    ]


def show_metadata(row: Instance) -> Shape:
    """The API's ``InstanceMetadataOptionsResponse`` structure."""
    return {
        "State": "applied",
        "HttpTokens": row.metadata.tokens,
        "HttpPutResponseHopLimit": row.metadata.hop_limit,
        "HttpEndpoint": row.metadata.endpoint,
        "HttpProtocolIpv6": row.metadata.ipv6,
        "InstanceMetadataTags": row.metadata.tags,
    }


# --- statuses -----------------------------------------------------------------------------------
def show_status(row: Instance, view: View) -> Shape:
    """The API's ``InstanceStatus`` structure: it is well if it runs."""
    well = "ok" if row.state == "running" else "not-applicable"
    if row.state == "pending":
        well = "initializing"
    details = [] if well == "not-applicable" else [{"Name": "reachability", "Status": _word(well)}]
    summary = {"Status": well, "Details": details}
    return {
        "InstanceId": row.id,
        "AvailabilityZone": row.zone,
        "AvailabilityZoneId": zone_id(row.zone),
        "InstanceState": show_state(row.state),
        "InstanceStatus": summary,
        "SystemStatus": summary,
        "Operator": {"Managed": False},
        "Events": [],
    }


def _word(status: str) -> str:
    return "passed" if status == "ok" else status


def _running_unless_all(call: Call, row: Resource) -> bool:
    assert isinstance(row, Instance)
    return row.state == "running" or bool(call.get("IncludeAllInstances"))


def _show_credits(row: Instance, view: View) -> Shape:
    return {
        "InstanceId": row.id,
        "CpuCredits": row.credits or default_credits(row.type),
    }


def _burstable(call: Call, row: Resource) -> bool:
    assert isinstance(row, Instance)
    return burstable(row.type) and row.state not in ENDED


def _hop_tag(row: Any, view: View) -> list[str]:
    return [str(row.metadata.hop_limit)]


_INTERFACE_PATHS = {
    f"network-interface.{name}": f"Instances[].NetworkInterfaces[].{path}"
    for name, path in {
        "addresses.association.ip-owner-id": "PrivateIpAddresses[].Association.IpOwnerId",
        "addresses.association.public-ip": "PrivateIpAddresses[].Association.PublicIp",
        "addresses.primary": "PrivateIpAddresses[].Primary",
        "addresses.private-ip-address": "PrivateIpAddresses[].PrivateIpAddress",
        "association.ip-owner-id": "Association.IpOwnerId",
        "association.public-ip": "Association.PublicIp",
        "attachment.attach-time": "Attachment.AttachTime",
        "attachment.attachment-id": "Attachment.AttachmentId",
        "attachment.delete-on-termination": "Attachment.DeleteOnTermination",
        "attachment.device-index": "Attachment.DeviceIndex",
        "attachment.status": "Attachment.Status",
        "description": "Description",
        "group-id": "Groups[].GroupId",
        "group-name": "Groups[].GroupName",
        "ipv6-addresses.ipv6-address": "Ipv6Addresses[].Ipv6Address",
        "mac-address": "MacAddress",
        "network-interface-id": "NetworkInterfaceId",
        "owner-id": "OwnerId",
        "private-dns-name": "PrivateDnsName",
        "private-ip-address": "PrivateIpAddress",
        "source-dest-check": "SourceDestCheck",
        "status": "Status",
        "subnet-id": "SubnetId",
        "vpc-id": "VpcId",
    }.items()
}


def _of_interfaces(path: str) -> FilterValues:
    """A filter on what DescribeNetworkInterfaces shows of the instance's interfaces, where
    DescribeInstances shows less."""

    def values(row: Any, view: View) -> list[str]:
        shown = (network_interface.show(eni, view) for eni in interfaces_of(view, row.id))
        return [value for shape in shown for value in values_at(shape, path)]

    return values


def _native(row: Any, view: View) -> list[str]:
    return [str(eni.ip is None).lower() for eni in interfaces_of(view, row.id)]


_HIDDEN = {
    f"network-interface.{name}": _of_interfaces(path)
    for name, path in {
        "addresses.association.allocation-id": "PrivateIpAddresses[].Association.AllocationId",
        "addresses.association.association-id": "PrivateIpAddresses[].Association.AssociationId",
        "addresses.association.carrier-ip": "PrivateIpAddresses[].Association.CarrierIp",
        "addresses.association.customer-owned-ip": (
            "PrivateIpAddresses[].Association.CustomerOwnedIp"
        ),
        "addresses.association.public-dns-name": "PrivateIpAddresses[].Association.PublicDnsName",
        "addresses.private-dns-name": "PrivateIpAddresses[].PrivateDnsName",
        "association.allocation-id": "Association.AllocationId",
        "association.association-id": "Association.AssociationId",
        "attachment.instance-id": "Attachment.InstanceId",
        "attachment.instance-owner-id": "Attachment.InstanceOwnerId",
        "availability-zone": "AvailabilityZone",
        "deny-all-igw-traffic": "DenyAllIgwTraffic",
        "ipv6-address": "Ipv6Address",
        "outpost-arn": "OutpostArn",
        "public-dns-name": "PublicDnsName",
        "requester-id": "RequesterId",
        "requester-managed": "RequesterManaged",
        "tag-key": "TagSet[].Key",
        "tag-value": "TagSet[].Value",
    }.items()
} | {"network-interface.ipv6-native": _native}

_DESCRIBE = Listing(
    action="DescribeInstances",
    result="Reservations",
    show=show_reservation,
    ids="InstanceIds",
    gather=gathered,
    paths={
        "": "Instances[]",
        **_INTERFACE_PATHS,
        "affinity": "Instances[].Placement.Affinity",
        "availability-zone": "Instances[].Placement.AvailabilityZone",
        "availability-zone-id": "Instances[].Placement.AvailabilityZoneId",
        "block-device-mapping.attach-time": "Instances[].BlockDeviceMappings[].Ebs.AttachTime",
        "block-device-mapping.delete-on-termination": (
            "Instances[].BlockDeviceMappings[].Ebs.DeleteOnTermination"
        ),
        "block-device-mapping.device-name": "Instances[].BlockDeviceMappings[].DeviceName",
        "block-device-mapping.status": "Instances[].BlockDeviceMappings[].Ebs.Status",
        "block-device-mapping.volume-id": "Instances[].BlockDeviceMappings[].Ebs.VolumeId",
        "dns-name": "Instances[].PublicDnsName",
        "host-id": "Instances[].Placement.HostId",
        "instance.group-id": "Instances[].SecurityGroups[].GroupId",
        "instance.group-name": "Instances[].SecurityGroups[].GroupName",
        "instance-state-code": "Instances[].State.Code",
        "instance-state-name": "Instances[].State.Name",
        "ip-address": "Instances[].PublicIpAddress",
        "launch-index": "Instances[].AmiLaunchIndex",
        "monitoring-state": "Instances[].Monitoring.State",
        "owner-id": "OwnerId",
        "placement-group-name": "Instances[].Placement.GroupName",
        "placement-partition-number": "Instances[].Placement.PartitionNumber",
        "product-code": "Instances[].ProductCodes[].ProductCodeId",
        "product-code.type": "Instances[].ProductCodes[].ProductCodeType",
        "reason": "Instances[].StateTransitionReason",
        "requester-id": "RequesterId",
        "reservation-id": "ReservationId",
        "state-reason-code": "Instances[].StateReason.Code",
        "state-reason-message": "Instances[].StateReason.Message",
        "tenancy": "Instances[].Placement.Tenancy",
    },
    computed={
        **_HIDDEN,
        "metadata-options.http-protocol-ipv4": lambda row, view: ("enabled",),
        "metadata-options.http-put-response-hop-limit": _hop_tag,
    },
)

_STATUS = Listing(
    action="DescribeInstanceStatus",
    result="InstanceStatuses",
    show=show_status,
    ids="InstanceIds",
    keep=_running_unless_all,
    paths={
        "instance-state-code": "InstanceState.Code",
        "instance-state-name": "InstanceState.Name",
        "instance-status.reachability": "InstanceStatus.Details[].Status",
        "instance-status.status": "InstanceStatus.Status",
        "system-status.reachability": "SystemStatus.Details[].Status",
        "system-status.status": "SystemStatus.Status",
        "event.code": "Events[].Code",
        "event.description": "Events[].Description",
        "event.instance-event-id": "Events[].InstanceEventId",
        "event.not-after": "Events[].NotAfter",
        "event.not-before": "Events[].NotBefore",
        "event.not-before-deadline": "Events[].NotBeforeDeadline",
        "attached-ebs-status.status": "AttachedEbsStatus.Status",
        "operator.managed": "Operator.Managed",
        "operator.principal": "Operator.Principal",
    },
)

_CREDITS = Listing(
    action="DescribeInstanceCreditSpecifications",
    result="InstanceCreditSpecifications",
    show=_show_credits,
    ids="InstanceIds",
    keep=_burstable,
    paths={"instance-id": "InstanceId"},
)

LISTINGS = (_DESCRIBE, _STATUS, _CREDITS)
