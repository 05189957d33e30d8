"""Reads what has addresses: Elastic IPs, network interfaces, instances, their keys and volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from gureum.errors import ApiError
from gureum.imports.answers import Item
from gureum.imports.names import interfaces
from gureum.imports.reading import Left, Reading, moment
from gureum.resources import public_ip
from gureum.resources.connect_endpoint import ConnectEndpoint
from gureum.resources.elastic_ip import ElasticIp
from gureum.resources.image import find_image
from gureum.resources.instance import ENDED, Instance, MetadataOptions, Reason
from gureum.resources.instance_profile import ProfileAssociation
from gureum.resources.instance_types import TYPES
from gureum.resources.key_pair import KeyPair
from gureum.resources.network_interface import AMAZON, Attachment, NetworkInterface
from gureum.resources.placement import PlacementGroup, named
from gureum.resources.public_ip import Association, PublicIp
from gureum.resources.region import zones
from gureum.resources.subnet import IPV6_ONLY, Subnet, lease, lease_ipv6
from gureum.resources.subnet_prefix import lease_prefix, lease_prefix6
from gureum.resources.transit_gateway import TransitGatewayAttachment
from gureum.resources.volume import Volume, VolumeAttachment
from gureum.resources.volume_types import Performance
from gureum.resources.vpc_endpoint import VpcEndpoint

STAND_IN_TYPE = "t3.micro"
"""What an instance is here whose type is not known."""

USUAL_SIZE = 8
"""GiB of a volume of which nobody told the size: what most images' root volumes have."""

_MAC = re.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_UP = frozenset({"pending", "running"})


# --- public addresses ---------------------------------------------------------------------------
def address(reading: Reading, item: Item) -> None:
    """An Elastic IP; what it is mapped to is told by the interface."""
    if "AllocationId" not in item:
        raise Left("addresses without an allocation (EC2-Classic) are no more")
    _elastic(reading, item["AllocationId"], item["PublicIp"], item)


def _elastic(reading: Reading, key: str, ip: str, item: Item) -> None:
    row = ElasticIp(**reading.common(ElasticIp, item, key), ip=ip, ptr=item.get("PtrRecord"))
    take(reading, reading.put(row).ip, key)


def take(reading: Reading, ip: str, holder: str) -> None:
    """Give a public address to a row.

    Raises:
        Left: somebody has it.
    """
    if not public_ip.is_free(reading.call.txn.view, ip):
        raise Left(f"the public address {ip} is taken")
    common = {**reading.call.common(PublicIp, public_ip.public_ip_id(ip)), "tags": ()}
    reading.put(PublicIp(**common, ip=ip, holder=holder))


def _map(reading: Reading, eni: NetworkInterface, private: str, item: Item) -> None:
    """Map a public address to a private one, as an interface tells it."""
    ip, key = item["PublicIp"], item.get("AllocationId") or _allocation(reading, item["PublicIp"])
    if key is not None and reading.find(ElasticIp, key) is None:
        _elastic(reading, key, ip, {})
        reading.report.assumed.append((key, f"an Elastic IP, {ip}, that describe-addresses lacks"))
    if key is None:
        take(reading, ip, eni.id)
    name = item.get("AssociationId") or reading.call.new_id(Association)
    common = reading.common(Association, {}, name)
    reading.put(Association(**common, ip=ip, private_ip=private, interface=eni.id, allocation=key))


def _allocation(reading: Reading, ip: str) -> str | None:
    for item in reading.answers.of("Addresses"):
        if item.get("PublicIp") == ip:
            return cast(str | None, item.get("AllocationId"))
    for item in reading.answers.of("NatGateways"):
        for part in item.get("NatGatewayAddresses", ()):
            if part.get("PublicIp") == ip:
                return cast(str | None, part.get("AllocationId"))
    return None


# --- interfaces ---------------------------------------------------------------------------------
def all_interfaces(reading: Reading) -> Iterator[tuple[str, Item]]:
    """The interfaces of the answers with their ids.  One that only an instance tells of is its."""
    listed = {id(item) for item in reading.answers.of("NetworkInterfaces")}
    on = {
        part.get("NetworkInterfaceId"): instance.get("InstanceId")
        for reservation in reading.answers.of("Reservations")
        for instance in reservation.get("Instances", ())
        for part in instance.get("NetworkInterfaces", ())
    }
    for item in interfaces(reading.answers):
        key = item.get("NetworkInterfaceId", "?")
        if id(item) not in listed:
            told = {"InstanceId": on.get(key), "InstanceOwnerId": reading.call.account}
            item = item | {"Attachment": item.get("Attachment", {}) | told}
            reading.report.assumed.append((key, "as its instance tells it, of its interfaces"))
        yield key, item


def interface(reading: Reading, item: Item) -> None:
    """An interface with its addresses, plugged into whom it is attached to if that is up."""
    subnet = reading.call.txn.get(Subnet, item["SubnetId"])
    ips, ips6 = () if subnet.native else _ips(item), _ips6(item)
    if subnet.native and not ips6:
        raise Left("it is in an IPv6-only subnet and has no IPv6 address")
    attachment = _attachment(reading, item)
    eni = NetworkInterface(
        **reading.common(NetworkInterface, item, item["NetworkInterfaceId"]),
        vpc=subnet.vpc,
        subnet=subnet.id,
        zone=subnet.zone,
        mac=_mac(item),
        ips=ips,
        ips6=ips6,
        primary_ipv6=any(part.get("IsPrimaryIpv6") for part in item.get("Ipv6Addresses", ())),
        groups=tuple(part["GroupId"] for part in item.get("Groups", ())),
        description=item.get("Description", ""),
        source_dest_check=item.get("SourceDestCheck", True),
        interface_type=item.get("InterfaceType", "interface"),
        requester_managed=item.get("RequesterManaged", False),
        attachment=attachment,
        host=_host(reading, item, attachment),
        prefixes=tuple(part["Ipv4Prefix"] for part in item.get("Ipv4Prefixes", ())),
        prefixes6=tuple(part["Ipv6Prefix"] for part in item.get("Ipv6Prefixes", ())),
        public_name=item.get("PublicIpDnsNameOptions", {}).get("DnsHostnameType"),
    )
    reading.put(eni)
    for ip in eni.ips:
        lease(reading.call, subnet, eni.id, ip)
    for ip in eni.ips6:
        lease_ipv6(reading.call, subnet, eni.id, ip)
    for prefix in eni.prefixes:
        lease_prefix(reading.call, subnet, eni.id, prefix)
    for prefix in eni.prefixes6:
        lease_prefix6(reading.call, subnet, eni.id, prefix)
    for private, part in _public_parts(item):
        _map(reading, eni, private, part)


def _mac(item: Item) -> str:
    text = str(item["MacAddress"]).lower()
    if not _MAC.fullmatch(text):
        raise Left(f"{text} is no link-layer address")
    return text


def _ips(item: Item) -> tuple[str, ...]:
    parts = item.get("PrivateIpAddresses") or [
        {"PrivateIpAddress": item["PrivateIpAddress"], "Primary": True}
    ]
    ordered = sorted(parts, key=lambda part: not part.get("Primary"))
    return tuple(part["PrivateIpAddress"] for part in ordered)


def _ips6(item: Item) -> tuple[str, ...]:
    parts = sorted(item.get("Ipv6Addresses", ()), key=lambda part: not part.get("IsPrimaryIpv6"))
    return tuple(part["Ipv6Address"] for part in parts)


def _public_parts(item: Item) -> Iterator[tuple[str, Item]]:
    listed = item.get("PrivateIpAddresses") or ()
    for part in listed:
        if part.get("Association"):
            yield part["PrivateIpAddress"], part["Association"]
    if not listed and item.get("Association"):
        yield item["PrivateIpAddress"], item["Association"]


def _attachment(reading: Reading, item: Item) -> Attachment | None:
    part = item.get("Attachment")
    if not part or part.get("Status") in ("detached", "detaching"):
        return None
    attached = part.get("AttachTime")
    return Attachment(
        id=part["AttachmentId"],
        instance=part.get("InstanceId"),
        owner=part.get("InstanceOwnerId") or AMAZON,
        device_index=part["DeviceIndex"],
        attach_time=moment(attached) if attached else reading.call.now,
        delete_on_termination=part.get("DeleteOnTermination", False),
    )


def _host(reading: Reading, item: Item, attachment: Attachment | None) -> str | None:
    """Who is behind the interface: an instance that is up, a NAT gateway, nobody."""
    if attachment is None:
        return None
    if attachment.instance is not None:
        row = reading.find(Instance, attachment.instance)
        return row.id if row and row.state in _UP else None
    for gateway in reading.answers.of("NatGateways"):
        keys = [part.get("NetworkInterfaceId") for part in gateway.get("NatGatewayAddresses", ())]
        if item["NetworkInterfaceId"] in keys:
            alive = gateway["State"] in ("pending", "available", "deleting")
            return str(gateway["NatGatewayId"]) if alive else None
    reading.idle.append(item["NetworkInterfaceId"])
    return None


def tell_idle(reading: Reading) -> None:
    """Tell of interfaces of AWS's own machines of which nothing is here."""
    for key in reading.idle:
        eni, view = reading.find(NetworkInterface, key), reading.call.txn.view
        users = (ConnectEndpoint, TransitGatewayAttachment, VpcEndpoint)
        if eni is None or any(True for cls in users for _ in view.referrers(key, cls)):
            continue
        reading.report.leave(
            "machines behind NetworkInterfaces",
            key,
            f"AWS's own machine ({eni.interface_type}: {eni.description}) is not built here: "
            "nobody answers at its addresses",
        )


# --- instances ----------------------------------------------------------------------------------
def reservation(reading: Reading, item: Item) -> None:
    """The instances of a reservation, each by itself."""
    for part in item["Instances"]:
        with reading.one("Instances", part.get("InstanceId", "?")):
            _instance(reading, item, part)


def _instance(reading: Reading, item: Item, part: Item) -> None:
    state = part["State"]["Name"]
    if state in ENDED:
        raise Left(f"it is {state}")
    if "SubnetId" not in part:
        raise Left("instances without a VPC (EC2-Classic) are no more")
    subnet = reading.call.txn.get(Subnet, part["SubnetId"])
    kind, cpu = _type(reading, part), part.get("CpuOptions", {})
    known = kind == part["InstanceType"]
    key_name, names = part.get("KeyName"), part.get("PrivateDnsNameOptions", {})
    keys = [row.public_key for row in reading.call.txn.all(KeyPair) if row.name == key_name]
    reading.put(
        Instance(
            **reading.common(Instance, part, part["InstanceId"], "LaunchTime"),
            image=part["ImageId"],
            base=_base(reading, part),
            root_device=part.get("RootDeviceName", "/dev/xvda"),
            type=kind,
            vpc=subnet.vpc,
            subnet=subnet.id,
            zone=subnet.zone,
            reservation=item["ReservationId"],
            launch_index=part.get("AmiLaunchIndex", 0),
            launched=moment(part["LaunchTime"]),
            token=part.get("ClientToken", ""),
            state="pending" if state in _UP else "stopped",
            key_name=key_name,
            keys=tuple(key for key in keys if key),
            user_data=reading.answers.attribute(part["InstanceId"], "UserData") or "",
            auto_public=_auto_public(part),
            monitored=part.get("Monitoring", {}).get("State") == "enabled",
            ebs_optimized=part.get("EbsOptimized", False),
            tenancy=part.get("Placement", {}).get("Tenancy", "default"),
            **_placed(reading, part),
            cores=_chosen(kind, 0, cpu.get("CoreCount")) if known else None,
            threads=_chosen(kind, 1, cpu.get("ThreadsPerCore")) if known else None,
            bandwidth=part.get("NetworkPerformanceOptions", {}).get(
                "BandwidthWeighting", "default"
            ),
            recovery=part.get("MaintenanceOptions", {}).get("AutoRecovery", "default"),
            **_names(subnet, names),
            dns_aaaa_record=names.get("EnableResourceNameDnsAAAARecord", False),
            metadata=_metadata(part.get("MetadataOptions", {})),
            reason=_reason(part),
        )
    )
    _volumes(reading, part)


def _names(subnet: Subnet, told: Item) -> dict[str, Any]:
    """The kind of host name; in an IPv6-only subnet there is but one."""
    if subnet.native:
        return {name: IPV6_ONLY[name] for name in ("hostname_type", "dns_a_record")}
    record = told.get("EnableResourceNameDnsARecord", False)
    return {"hostname_type": told.get("HostnameType", "ip-name"), "dns_a_record": record}


def _volumes(reading: Reading, part: Item) -> None:
    """The volumes that nothing but their instance tells of, in a usual size."""
    for device in part.get("BlockDeviceMappings", ()):
        how = device.get("Ebs", {})
        key = how.get("VolumeId")
        if key is None or reading.find(Volume, key) is not None:
            continue
        reading.put(
            Volume(
                **reading.common(Volume, {}, key),
                zone=reading.call.txn.get(Instance, part["InstanceId"]).zone,
                what=Performance(size=USUAL_SIZE, type="gp2", iops=100),
                attachments=(
                    VolumeAttachment(
                        instance=part["InstanceId"],
                        device=device["DeviceName"],
                        attached=moment(how["AttachTime"]),
                        delete_on_termination=how.get("DeleteOnTermination", False),
                    ),
                ),
            )
        )
        reading.report.assumed.append(
            (key, f"a volume of {USUAL_SIZE} GiB: nothing tells its size")
        )


def _base(reading: Reading, part: Item) -> str:
    """The name of the local image: as the options say, else that of the same id if there is one
    (Gureum's own, those of the daemon's ``--ami-alias``)."""
    key = part["ImageId"]
    base = reading.aliases.get(key)
    if base is None:
        try:
            return find_image(reading.call.txn, key).machine_image
        except ApiError:
            base = reading.image
    told = ("image", key, base)
    if told not in reading.report.mapped:
        reading.report.mapped.append(told)
    return base


def _type(reading: Reading, part: Item) -> str:
    kind = str(part["InstanceType"])
    if kind in TYPES:
        return kind
    told = ("instance type", kind, STAND_IN_TYPE)
    if told not in reading.report.mapped:
        reading.report.mapped.append(told)
    return STAND_IN_TYPE


def _chosen(kind: str, index: int, number: int | None) -> int | None:
    """How many cores or threads were asked for, or None for as many as the type has."""
    return None if number == TYPES[kind].cores[index] else number


def _placed(reading: Reading, part: Item) -> dict[str, Any]:
    place = part.get("Placement", {})
    row = named(reading.call.txn, place["GroupName"]) if place.get("GroupName") else None
    return {
        "placement_group": row.id if row else None,
        "partition": place.get("PartitionNumber") if row else None,
    }


def _auto_public(part: Item) -> bool:
    """Whether AWS gave the first interface a public address by itself."""
    for item in part.get("NetworkInterfaces", ()):
        if item.get("Attachment", {}).get("DeviceIndex") == 0:
            return bool(item.get("Association", {}).get("IpOwnerId") == "amazon")
    return False


def _metadata(options: Item) -> MetadataOptions:
    return MetadataOptions(
        tokens=options.get("HttpTokens", "optional"),
        hop_limit=options.get("HttpPutResponseHopLimit", 1),
        endpoint=options.get("HttpEndpoint", "enabled"),
        ipv6=options.get("HttpProtocolIpv6", "disabled"),
        tags=options.get("InstanceMetadataTags", "disabled"),
    )


def _reason(part: Item) -> Reason | None:
    why, transition = part.get("StateReason"), part.get("StateTransitionReason", "")
    if not why and not transition:
        return None
    why = why or {"Code": "", "Message": ""}
    return Reason(code=why["Code"], message=why["Message"], transition=transition)


def profile(reading: Reading, item: Item) -> None:
    """An instance with an IAM instance profile."""
    if item["State"] not in ("associating", "associated"):
        raise Left(f"it is {item['State']}")
    reading.put(
        ProfileAssociation(
            **reading.common(ProfileAssociation, item, item["AssociationId"], "Timestamp"),
            instance=reading.call.txn.get(Instance, item["InstanceId"]).id,
            arn=item["IamInstanceProfile"]["Arn"],
            state=item["State"],
        )
    )


# --- beside instances ---------------------------------------------------------------------------
def key_pair(reading: Reading, item: Item) -> None:
    """A key pair; its public key only where it was asked for."""
    name, key = item["KeyName"], item.get("PublicKey", "")
    if any(row.name == name for row in reading.call.txn.all(KeyPair)):
        raise Left(f"there is a key pair named {name} already")
    if not key:
        reading.report.leave(
            "public keys of KeyPairs", name, "ask with --include-public-key to get at instances"
        )
    reading.put(
        KeyPair(
            **reading.common(KeyPair, item, item["KeyPairId"], "CreateTime"),
            name=name,
            type=item.get("KeyType", "rsa"),
            fingerprint=item.get("KeyFingerprint", ""),
            public_key=key,
        )
    )


def placement_group(reading: Reading, item: Item) -> None:
    """A placement group."""
    if named(reading.call.txn, item["GroupName"]):
        raise Left(f"there is a placement group named {item['GroupName']} already")
    reading.put(
        PlacementGroup(
            **reading.common(PlacementGroup, item, item["GroupId"]),
            name=item["GroupName"],
            strategy=item["Strategy"],
            partitions=item.get("PartitionCount"),
            spread=item.get("SpreadLevel"),
            state=item["State"],
        )
    )


def volume(reading: Reading, item: Item) -> None:
    """A volume, empty, and whose it is."""
    if item["State"] not in ("available", "in-use", "creating"):
        raise Left(f"it is {item['State']}")
    if item["AvailabilityZone"] not in zones(reading.call.region):
        raise Left(f"its zone {item['AvailabilityZone']} is none of {reading.call.region}'s")
    attachments = tuple(
        VolumeAttachment(
            instance=part["InstanceId"],
            device=part["Device"],
            attached=moment(part["AttachTime"]),
            delete_on_termination=part.get("DeleteOnTermination", False),
        )
        for part in item.get("Attachments", ())
    )
    reading.put(
        Volume(
            **reading.common(Volume, item, item["VolumeId"], "CreateTime"),
            zone=item["AvailabilityZone"],
            what=Performance(
                size=item["Size"],
                type=item["VolumeType"],
                iops=item.get("Iops"),
                throughput=item.get("Throughput"),
                multi_attach=item.get("MultiAttachEnabled", False),
            ),
            snapshot=item.get("SnapshotId", ""),
            kms_key=item.get("KmsKeyId") if item.get("Encrypted") else None,
            state="creating" if item["State"] == "creating" else "ready",
            attachments=attachments,
        )
    )
