"""The launch parameters of an instance that is there, as a launch template would have them.

Source: EC2 API Reference, GetLaunchTemplateData, ResponseLaunchTemplateData.
"""

from __future__ import annotations

from typing import Any

from gureum.kind import Shape
from gureum.model import View
from gureum.resources.instance import Instance
from gureum.resources.instance_profile import association_of
from gureum.resources.instance_shape import show_devices
from gureum.resources.instance_types import burstable, default_credits
from gureum.resources.network_interface import NetworkInterface, interfaces_of
from gureum.resources.placement import PlacementGroup
from gureum.resources.volume import Volume


def of_instance(row: Instance, view: View) -> Shape:
    """The API's ``ResponseLaunchTemplateData`` of an instance."""
    group = view.find(PlacementGroup, row.placement_group)
    profile = association_of(view, row.id)
    data: Shape = {
        "EbsOptimized": row.ebs_optimized,
        "BlockDeviceMappings": [_device(item, view) for item in show_devices(row, view)],
        "NetworkInterfaces": [_interface(eni) for eni in interfaces_of(view, row.id)],
        "ImageId": row.image,
        "InstanceType": row.type,
        "Monitoring": {"Enabled": row.monitored},
        "Placement": {
            "AvailabilityZone": row.zone,
            "GroupName": group.name if group else "",
            "Tenancy": row.tenancy,
        },
        "DisableApiTermination": row.protected,
        "DisableApiStop": row.stop_protected,
        "InstanceInitiatedShutdownBehavior": row.shutdown_behavior,
        "MaintenanceOptions": {"AutoRecovery": row.recovery},
        "MetadataOptions": {
            "State": "applied",
            "HttpTokens": row.metadata.tokens,
            "HttpPutResponseHopLimit": row.metadata.hop_limit,
            "HttpEndpoint": row.metadata.endpoint,
            "HttpProtocolIpv6": row.metadata.ipv6,
            "InstanceMetadataTags": row.metadata.tags,
        },
        "PrivateDnsNameOptions": {
            "HostnameType": row.hostname_type,
            "EnableResourceNameDnsARecord": row.dns_a_record,
            "EnableResourceNameDnsAAAARecord": row.dns_aaaa_record,
        },
    }
    own = [(key, value) for key, value in row.tags if not key.startswith("aws:")]
    if own:
        tags = [{"Key": key, "Value": value} for key, value in own]
        data["TagSpecifications"] = [{"ResourceType": "instance", "Tags": tags}]
    if profile is not None:
        data["IamInstanceProfile"] = {"Arn": profile.arn}
    if row.key_name:
        data["KeyName"] = row.key_name
    if row.user_data:
        data["UserData"] = row.user_data
    if burstable(row.type):
        data["CreditSpecification"] = {"CpuCredits": row.credits or default_credits(row.type)}
    return data


def _device(item: Shape, view: View) -> Shape:
    volume = view.find(Volume, item["Ebs"]["VolumeId"])
    assert volume is not None
    ebs: dict[str, Any] = {
        "DeleteOnTermination": item["Ebs"]["DeleteOnTermination"],
        "Encrypted": volume.kms_key is not None,
        "KmsKeyId": volume.kms_key,
        "Iops": volume.what.iops,
        "SnapshotId": volume.snapshot or None,
        "Throughput": volume.what.throughput,
        "VolumeSize": volume.what.size,
        "VolumeType": volume.what.type,
    }
    return {
        "DeviceName": item["DeviceName"],
        "Ebs": {name: value for name, value in ebs.items() if value is not None},
    }


def _interface(eni: NetworkInterface) -> Shape:
    assert eni.attachment is not None
    private = [{"Primary": True, "PrivateIpAddress": eni.ip}] if eni.ip else []
    return {
        "DeviceIndex": eni.attachment.device_index,
        "DeleteOnTermination": eni.attachment.delete_on_termination,
        "Description": eni.description,
        "Groups": list(eni.groups),
        "InterfaceType": "interface",
        "PrivateIpAddresses": private,
        "SubnetId": eni.subnet,
    }
