"""RunInstances: from a request to instances, their interfaces and their volumes.

Sources: EC2 API Reference, RunInstances; EC2 User Guide, "Launch your instance".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Shape
from gureum.resources import launch_template, network_interface, volume
from gureum.resources.block_device import BlockDevice, check_root, merged
from gureum.resources.image import Image, launchable, resolved_id
from gureum.resources.image_marks import check_type
from gureum.resources.instance import Instance, MetadataOptions, check_names
from gureum.resources.instance_defaults import check_tokens, credits_of, metadata_defaults
from gureum.resources.instance_options import checked_cpus
from gureum.resources.instance_profile import associate, profile_arn
from gureum.resources.instance_shape import show
from gureum.resources.instance_types import DEFAULT, TYPES, burstable, check_ipv6_only
from gureum.resources.interface_addresses import Asked
from gureum.resources.key_pair import key_named
from gureum.resources.network_interface import NetworkInterface, checked_groups
from gureum.resources.network_interface_api import asked_addresses
from gureum.resources.placement_group import placed
from gureum.resources.security_group import named
from gureum.resources.shapes import unsupported
from gureum.resources.subnet import Subnet
from gureum.resources.volume import VolumeAttachment
from gureum.resources.vpc import Vpc, default_vpc

MAX_COUNT = 1000
MAX_USER_DATA = 16384
"""Bytes of user data before base64 (EC2 User Guide, "Instance user data")."""

_NOT_YET = (
    "ElasticGpuSpecification",
    "ElasticInferenceAccelerators",
    "InstanceMarketOptions",
    "LicenseSpecifications",
    "SecondaryInterfaces",
)
_INTERFACE_NOT_YET = ("AssociateCarrierIpAddress",)


_OF_THE_INSTANCE = {
    "SubnetId": "subnet ID",
    "SecurityGroupIds": "security groups",
    "SecurityGroups": "security groups",
    "Ipv6Addresses": "IPv6 addresses",
    "Ipv6AddressCount": "IPv6 address count",
    "EnablePrimaryIpv6": "primary IPv6 address",
}
"""What a request says either of the instance or of its interfaces, in words."""

_OF_THE_INTERFACE = ("PrivateIpAddress", "Ipv6Addresses", "Ipv6AddressCount")
"""What a request may say of an instance and means its first interface."""


@dataclass(frozen=True)
class Station:
    """One interface of the instances to be made: an existing one, or what a new one is made of."""

    index: int
    subnet: Subnet
    existing: NetworkInterface | None = None
    groups: tuple[str, ...] | None = None
    asked: Asked = field(default_factory=Asked)
    primary_ipv6: bool = False
    description: str = ""
    delete: bool = True


def run_instances(call: Call) -> Shape:
    """RunInstances: all of the instances or none; as many as fit where the range allows."""
    template = launch_template.apply(call)
    unsupported(call, *_NOT_YET)
    image = _image(call)
    kind = call.get("InstanceType", DEFAULT)
    count = _count(call)
    stations = _stations(call, count)
    subnet = stations[0].subnet
    if kind not in TYPES:
        raise ApiError(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested "
            f"Availability Zone ({subnet.zone}).",
        )
    check_architecture(image)
    check_type(image, kind)
    if len(stations) > TYPES[kind].interfaces:
        raise ApiError(
            "AttachmentLimitExceeded",
            f"The maximum number of network interfaces for {kind} is {TYPES[kind].interfaces}.",
        )
    if any(station.subnet.native for station in stations):
        check_ipv6_only(kind)
    row = _common(call, image, kind, subnet, public=_public(call, stations))
    check_names(call.txn.view, row)
    row = replace(row, tags=(*row.tags, *template))
    devices = _devices(call, image)
    made = [_launch(call, row, index, devices, stations) for index in range(count)]
    return {
        "ReservationId": row.reservation,
        "OwnerId": call.account,
        "Groups": [],
        "Instances": [show(item, call.txn.view) for item in made],
    }


def check_architecture(image: Image) -> None:
    """All instance types here are of one architecture, which also runs 32-bit images.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    if image.architecture not in ("x86_64", "i386"):
        raise ApiError(
            "InvalidParameterValue",
            "The architecture 'x86_64' of the specified instance type does not match the "
            f"architecture '{image.architecture}' of the specified AMI. Specify an instance type "
            "and an AMI that have matching architectures, and try again. You can use "
            "'describe-instance-types' or 'describe-images' to discover the architecture of the "
            "instance type or AMI.",
        )


def _image(call: Call) -> Image:
    if not call.get("ImageId"):
        raise missing_parameter("ImageId")
    return launchable(call, resolved_id(call.txn, call.params["ImageId"]))


def _count(call: Call) -> int:
    low, high = call.params["MinCount"], call.params["MaxCount"]
    if low < 1:
        raise invalid_value("minCount", low, "Minimum count must be at least 1")
    if high < low:
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({high}) for parameter maxCount is invalid. "
            "It must be greater than or equal to minCount.",
        )
    if high > MAX_COUNT:
        raise ApiError(
            "InstanceLimitExceeded",
            f"You have requested more instances ({high}) than your current instance limit of "
            f"{MAX_COUNT} allows for the specified instance type.",
        )
    return int(high)


# --- interfaces ---------------------------------------------------------------------------------
def _stations(call: Call, count: int) -> list[Station]:
    listed = call.get("NetworkInterfaces") or []
    top = [words for name, words in _OF_THE_INSTANCE.items() if call.get(name)]
    if listed and top:
        raise invalid_combination(
            f"Network interfaces and an instance-level {top[0]} may not be specified on the same "
            "request"
        )
    if not listed:
        own = {name: call.get(name) for name in _OF_THE_INTERFACE}
        listed = [{"DeviceIndex": 0, "PrimaryIpv6": call.get("EnablePrimaryIpv6"), **own}]
    found = sorted((_station(call, item) for item in listed), key=lambda each: each.index)
    indexes = [each.index for each in found]
    if indexes[0] != 0:
        raise ApiError(
            "InvalidParameterValue",
            "When specifying network interfaces, you must include a device at index 0.",
        )
    if len(set(indexes)) != len(indexes):
        raise ApiError(
            "InvalidParameterCombination", "A device index may be given to one interface only."
        )
    _check_shared(found, count)
    return found


def _check_shared(stations: list[Station], count: int) -> None:
    """What can be had once goes with one instance, and all stations must be neighbours."""
    if count > 1 and any(each.existing or each.asked.named for each in stations):
        raise invalid_combination(
            "Network interfaces and IP addresses may not be specified when launching "
            "more than one instance."
        )
    first = stations[0].subnet
    for each in stations:
        if each.subnet.zone != first.zone or each.subnet.vpc != first.vpc:
            raise invalid_combination(
                "Network interfaces of one instance must be in one Availability Zone and VPC."
            )


def _station(call: Call, item: Mapping[str, Any]) -> Station:
    for name in _INTERFACE_NOT_YET:
        if item.get(name):
            raise ApiError(
                "UnsupportedOperation",
                f"The parameter NetworkInterfaces.{name} is not available in this cloud yet.",
            )
    index = item.get("DeviceIndex")
    if index is None:
        raise missing_parameter("networkInterfaces.deviceIndex")
    if key := item.get("NetworkInterfaceId"):
        return _existing(call, key, index, item)
    subnet = _subnet(call, item.get("SubnetId") or call.get("SubnetId"))
    return Station(
        index=index,
        subnet=subnet,
        groups=_groups(call, item, subnet),
        asked=asked_addresses(item),
        primary_ipv6=bool(item.get("PrimaryIpv6")),
        description=item.get("Description") or "",
        delete=item.get("DeleteOnTermination", True),
    )


def _existing(call: Call, key: str, index: int, item: Mapping[str, Any]) -> Station:
    eni = call.txn.get(NetworkInterface, key)
    if any(item.get(name) for name in ("SubnetId", "Groups", "PrivateIpAddress", "Description")):
        raise invalid_combination(
            "A network interface ID may not be specified together with properties of a new one."
        )
    if eni.attachment is not None or eni.requester_managed:
        raise ApiError("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
    checked_groups(call, eni.groups, eni.vpc, f"interface {eni.id}")  # shared still
    return Station(
        index=index,
        subnet=call.txn.see(Subnet, eni.subnet),
        existing=eni,
        delete=item.get("DeleteOnTermination", False),
    )


def _subnet(call: Call, key: str | None) -> Subnet:
    """The subnet asked for, or the default VPC's in the zone asked for."""
    zone = call.get("Placement", {}).get("AvailabilityZone") or None
    if key:
        subnet = call.txn.see(Subnet, key)
        if zone and subnet.zone != zone:
            raise ApiError(
                "InvalidParameterValue",
                f"The availability zone '{zone}' does not match the subnet's '{subnet.zone}'.",
            )
        return subnet
    vpc = default_vpc(call.txn)
    if vpc is None:
        raise ApiError(
            "VPCIdNotSpecified",
            "No default VPC for this user. GroupName is only supported for EC2-Classic and "
            "default VPC.",
        )
    found = [row for row in call.txn.referrers(vpc.id, Subnet) if row.default]
    for subnet in sorted(found, key=lambda row: row.zone):
        if zone in (None, subnet.zone):
            return subnet
    raise ApiError("MissingInput", f"No default subnet for availability zone: '{zone or 'null'}'.")


def _groups(call: Call, item: Mapping[str, Any], subnet: Subnet) -> tuple[str, ...] | None:
    keys = list(item.get("Groups") or call.get("SecurityGroupIds") or ())
    for name in call.get("SecurityGroups") or ():
        group = named(call, name, subnet.vpc)
        if group is None:
            raise ApiError(
                "InvalidGroup.NotFound",
                f"The security group '{name}' does not exist in VPC '{subnet.vpc}'",
            )
        keys.append(group.id)
    return checked_groups(call, keys or None, subnet.vpc, f"subnet {subnet.id}")


def _public(call: Call, stations: list[Station]) -> bool:
    """Whether the first interface gets a public address of AWS's own."""
    for item in call.get("NetworkInterfaces") or ():
        asked = item.get("AssociatePublicIpAddress")
        if asked is None:
            continue
        if asked and (len(stations) > 1 or stations[0].existing):
            raise invalid_combination(
                "The associatePublicIPAddress parameter can only be specified for a single new "
                "network interface with the device index 0."
            )
        if asked and stations[0].subnet.native:
            raise invalid_combination(
                "The associatePublicIPAddress parameter is not supported in the IPv6-only subnet "
                f"'{stations[0].subnet.id}'."
            )
        return bool(asked)
    if stations[0].existing or len(stations) > 1:
        return False
    return stations[0].subnet.map_public_ip


# --- rows ---------------------------------------------------------------------------------------
def _common(call: Call, image: Image, kind: str, subnet: Subnet, *, public: bool) -> Instance:
    """The instance as all of the call have it, not stored."""
    key_name = call.get("KeyName") or None
    names = call.get("PrivateDnsNameOptions", {})
    placement = call.get("Placement", {})
    vpc = call.txn.target(Vpc, subnet.vpc)
    group, partition = placed(call, placement, kind)
    cores, threads = checked_cpus(kind, call.get("CpuOptions", {}))
    return Instance(
        **call.common(Instance),
        image=image.id,
        base=image.machine_image,
        root_device=image.root_device,
        type=kind,
        vpc=subnet.vpc,
        subnet=subnet.id,
        zone=subnet.zone,
        reservation=call.new_id("r"),
        launched=call.now,
        token=call.get("ClientToken", ""),
        key_name=key_name,
        keys=(key_named(call, key_name).public_key,) if key_name else (),
        user_data=check_user_data(call.get("UserData", "")),
        auto_public=public,
        protected=call.get("DisableApiTermination", False),
        stop_protected=call.get("DisableApiStop", False),
        shutdown_behavior=call.get("InstanceInitiatedShutdownBehavior", "stop"),
        monitored=call.get("Monitoring", {}).get("Enabled", False),
        ebs_optimized=call.get("EbsOptimized", False),
        tenancy=placement.get("Tenancy") or vpc.tenancy,
        placement_group=group,
        partition=partition,
        cores=cores,
        threads=threads,
        bandwidth=call.get("NetworkPerformanceOptions", {}).get("BandwidthWeighting", "default"),
        credits=_credits(call, kind),
        recovery=call.get("MaintenanceOptions", {}).get("AutoRecovery") or "default",
        hostname_type=names.get("HostnameType") or subnet.hostname_type,
        dns_a_record=names.get("EnableResourceNameDnsARecord", subnet.dns_a_record),
        dns_aaaa_record=names.get("EnableResourceNameDnsAAAARecord", subnet.dns_aaaa_record),
        metadata=_metadata(call),
    )


def _credits(call: Call, kind: str) -> str | None:
    asked: str | None = call.get("CreditSpecification", {}).get("CpuCredits") or None
    return asked or (credits_of(call.txn, kind) if burstable(kind) else None)


def _metadata(call: Call) -> MetadataOptions:
    """The options of the launch, over those of the account's region."""
    given = {**metadata_defaults(call.txn), **call.get("MetadataOptions", {})}
    check_tokens(call.txn, given)
    return metadata_options(MetadataOptions(), given)


def metadata_options(old: MetadataOptions, given: Mapping[str, Any]) -> MetadataOptions:
    """The options with those that a request gives.

    Raises:
        ApiError: ``InvalidParameterValue`` on a hop limit that is none.
    """
    limit = given.get("HttpPutResponseHopLimit", old.hop_limit)
    if not 1 <= limit <= 64:
        raise invalid_value("httpPutResponseHopLimit", limit, "It must be between 1 and 64.")
    return MetadataOptions(
        tokens=given.get("HttpTokens", old.tokens),
        hop_limit=limit,
        endpoint=given.get("HttpEndpoint", old.endpoint),
        ipv6=given.get("HttpProtocolIpv6", old.ipv6),
        tags=given.get("InstanceMetadataTags", old.tags),
    )


def check_user_data(text: str) -> str:
    """User data as it is kept: base64, of at most 16 KiB.

    Raises:
        ApiError: ``InvalidUserData.Malformed``, ``InvalidParameterValue``.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(
            "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data"
        ) from None
    if len(raw) > MAX_USER_DATA:
        raise ApiError("InvalidParameterValue", f"User data is limited to {MAX_USER_DATA} bytes")
    return text


def _launch(
    call: Call,
    common: Instance,
    index: int,
    devices: Iterable[BlockDevice],
    stations: list[Station],
) -> Instance:
    key = common.id if index == 0 else call.new_id(Instance)
    row = call.created(replace(common, id=key, launch_index=index))
    if profile := call.get("IamInstanceProfile"):
        associate(call, key, profile_arn(call.txn, profile), state="associated")
    for device in devices:
        how = VolumeAttachment(
            instance=key,
            device=device.name,
            attached=call.now,
            delete_on_termination=device.delete,
        )
        volume.create(call, device, common.zone, attachment=how)
    for station, eni in zip(stations, _interfaces(call, stations), strict=True):
        eni = network_interface.attach(call, eni, key, station.index, station.delete)
        eni = network_interface.plug(call, eni, key)
        if station.index == 0 and common.auto_public:
            network_interface.assign_public(call, eni)
    return row


def _devices(call: Call, image: Image) -> tuple[BlockDevice, ...]:
    own = (replace(device, granted=True) for device in image.devices)
    devices = merged(own, call.get("BlockDeviceMappings") or ())
    check_root(devices, image.root_device)
    return devices


def _interfaces(call: Call, stations: Sequence[Station]) -> list[NetworkInterface]:
    """The interface of each: what one of them names is taken before another draws."""
    begun = [
        (
            network_interface.begin(
                call,
                each.subnet,
                groups=each.groups,
                description=each.description,
                primary_ipv6=each.primary_ipv6,
            ),
            each.asked,
        )
        for each in stations
        if each.existing is None
    ]
    made = iter(network_interface.equip(call, begun))
    return [each.existing or next(made) for each in stations]
