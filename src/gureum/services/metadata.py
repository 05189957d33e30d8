"""What an instance is told about itself, as a tree of categories.

A category is a text, or a mapping of what is below it.  What AWS has and this cloud has not
(signatures, spot, maintenance) is absent.

Source: EC2 User Guide, "Instance metadata categories".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from gureum.iam.instance_role import InstanceRoles
from gureum.kind import Shape
from gureum.model import View
from gureum.resources import instance_shape, ipv6, network_interface
from gureum.resources.instance import Instance, own_name
from gureum.resources.instance_profile import association_of
from gureum.resources.network_interface import NetworkInterface, interfaces_of
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc

LATEST = "latest"
VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01",
    "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25",
    "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28",
    "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23",
    "2021-07-15", "2022-09-24", "2024-04-11", LATEST,
)  # fmt: skip
"""The versions that AWS has published; all show the same here."""

Tree: TypeAlias = Mapping[str, "str | Tree"]


def tree(view: View, row: Instance, roles: InstanceRoles | None = None) -> Tree:
    """Everything below a version: ``meta-data``, ``dynamic``, and ``user-data`` is apart.
    ``roles`` gives the credentials of the instance's role, if it has one."""
    shape = instance_shape.show(row, view)
    document = {"document": _document(row, shape)}
    return {
        "dynamic": {"instance-identity": document},
        "meta-data": _present({**_categories(view, row, shape), "iam": _role(view, row, roles)}),
    }


def _role(view: View, row: Instance, roles: InstanceRoles | None) -> Tree:
    held = association_of(view, row.id) if roles is not None else None
    return roles.files(view, row.id, held.arn) if roles is not None and held is not None else {}


def user_data(row: Instance) -> bytes | None:
    """The user data as it was given; None where there is none."""
    return base64.b64decode(row.user_data) if row.user_data else None


def _present(found: Mapping[str, Any]) -> Tree:
    """A tree without what is empty."""
    return {name: value for name, value in found.items() if value}


def _categories(view: View, row: Instance, shape: Shape) -> Mapping[str, Any]:
    name = own_name(view, row)
    placement = shape["Placement"]
    first = shape["NetworkInterfaces"][0] if shape["NetworkInterfaces"] else {}
    groups = (each["GroupName"] for each in shape["SecurityGroups"])
    return {
        "ami-id": row.image,
        "ami-launch-index": str(row.launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": _devices(row, shape),
        "hostname": name,
        "instance-action": "none",
        "instance-id": row.id,
        "instance-life-cycle": "on-demand",
        "instance-type": row.type,
        "ipv6": shape.get("Ipv6Address", ""),
        "local-hostname": name,
        "local-ipv4": shape.get("PrivateIpAddress", ""),
        "mac": first.get("MacAddress", ""),
        "network": {"interfaces": {"macs": _interfaces(view, row)}},
        "placement": _present(
            {
                "availability-zone": placement["AvailabilityZone"],
                "availability-zone-id": placement["AvailabilityZoneId"],
                "group-name": placement.get("GroupName"),
                "partition-number": str(placement.get("PartitionNumber") or ""),
                "region": row.region,
            }
        ),
        "profile": "default-hvm",
        "public-hostname": shape.get("PublicDnsName", ""),
        "public-ipv4": shape.get("PublicIpAddress", ""),
        "public-keys": _keys(row),
        "reservation-id": row.reservation,
        "security-groups": "\n".join(groups),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
        "tags": _tags(row),
    }


def _devices(row: Instance, shape: Shape) -> Tree:
    """The root device by both of its names, and the others in their order."""
    names = [item["DeviceName"] for item in shape["BlockDeviceMappings"]]
    others = sorted(name for name in names if name != row.root_device)
    ebs = {f"ebs{number}": name for number, name in enumerate(others, 1)}
    return {"ami": row.root_device, **ebs, "root": row.root_device}


def _keys(row: Instance) -> Tree:
    """The first key has the name of the key pair."""
    if not row.keys:
        return {}
    return {"0": {"openssh-key": f"{row.keys[0].strip()}\n"}}


def _tags(row: Instance) -> Tree:
    if row.metadata.tags != "enabled" or not row.tags:
        return {}
    return {"instance": dict(row.tags)}


def _interfaces(view: View, row: Instance) -> Tree:
    name, found = own_name(view, row), interfaces_of(view, row.id)
    return {f"{eni.mac}": _present(_interface(view, eni, name)) for eni in found}


def _interface(view: View, eni: NetworkInterface, name: str) -> Mapping[str, Any]:
    """An interface; ``name`` is its host's, which an IPv6-only one goes by."""
    shape = network_interface.show(eni, view)
    subnet, vpc = view.find(Subnet, eni.subnet), view.find(Vpc, eni.vpc)
    addresses = shape["PrivateIpAddresses"]
    public = {
        item["Association"]["PublicIp"]: item["PrivateIpAddress"]
        for item in addresses
        if "Association" in item
    }
    attachment = shape.get("Attachment", {})
    return {
        "device-number": str(attachment.get("DeviceIndex", "")),
        "interface-id": eni.id,
        "ipv4-associations": public,
        "ipv4-prefix": "\n".join(eni.prefixes),
        "ipv6-prefix": "\n".join(eni.prefixes6),
        "ipv6s": "\n".join(eni.ips6),
        "local-hostname": shape.get("PrivateDnsName", name),
        "local-ipv4s": "\n".join(item["PrivateIpAddress"] for item in addresses),
        "mac": eni.mac,
        "network-card": str(attachment.get("NetworkCardIndex", "")),
        "owner-id": eni.account,
        "public-hostname": shape.get("PublicDnsName", ""),
        "public-ipv4s": "\n".join(public),
        "security-group-ids": "\n".join(eni.groups),
        "security-groups": "\n".join(item["GroupName"] for item in shape["Groups"]),
        "subnet-id": eni.subnet,
        "subnet-ipv4-cidr-block": subnet.cidr if subnet else "",
        "subnet-ipv6-cidr-blocks": subnet.ipv6.cidr if subnet and subnet.ipv6 else "",
        "vpc-id": eni.vpc,
        "vpc-ipv4-cidr-block": vpc.cidr if vpc else "",
        "vpc-ipv4-cidr-blocks": "\n".join(item.cidr for item in vpc.cidrs) if vpc else "",
        "vpc-ipv6-cidr-blocks": "\n".join(block.cidr for block in ipv6.blocks(view, eni.vpc)),
    }


def _document(row: Instance, shape: Shape) -> str:
    """The identity document (EC2 User Guide, "Instance identity documents"); nobody signs it."""
    said = {
        "accountId": row.account,
        "architecture": shape["Architecture"],
        "availabilityZone": row.zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": row.image,
        "instanceId": row.id,
        "instanceType": row.type,
        "kernelId": None,
        "pendingTime": row.launched,
        "privateIp": shape.get("PrivateIpAddress"),
        "ramdiskId": None,
        "region": row.region,
        "version": "2017-09-30",
    }
    return json.dumps(said, indent=2)
