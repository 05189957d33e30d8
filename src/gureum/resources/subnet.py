"""Subnet: a segment of a VPC in one zone, and the addresses in it that are taken.

Sources: VPC User Guide, "Subnets for your VPC", "Subnet CIDR reservations"; EC2 API Reference.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import chain
from typing import Any, ClassVar

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Reader, Resource, Txn, View, ref
from gureum.model.cidr import (
    delegated_block,
    ipv4_network,
    is_ipv6,
    is_reserved,
    router_address,
    usable,
)
from gureum.program import Segment, SegmentMode
from gureum.resources import ipv6
from gureum.resources.region import zone_id, zones
from gureum.resources.resource_share import is_shared, shared_with
from gureum.resources.segment_mode import MODE_TAG, MODES, mode_of
from gureum.resources.shapes import unsupported
from gureum.resources.shared_vpc import OpenToGuests
from gureum.resources.vpc import Vpc

MAX_SUBNETS = 200
"""Subnets per VPC (VPC quotas)."""

IPV6_ONLY: Mapping[str, Any] = {
    "assign_ipv6": True,
    "map_public_ip": False,
    "hostname_type": "resource-name",
    "dns_a_record": False,
}
"""What is so of each IPv6-only subnet and cannot be changed."""


@dataclass(frozen=True, kw_only=True)
class Subnet(
    OpenToGuests,
    Resource,
    kind="subnet",
    prefix="subnet",
    not_found="InvalidSubnetID.NotFound",
    malformed="InvalidSubnetID.Malformed",
    noun="subnet",
):
    """A subnet of a VPC; ``zone`` is a zone name such as ``ap-northeast-2a``.  With
    ``assign_ipv6`` new interfaces get an IPv6 address of ``ipv6`` unasked.  An IPv6-only subnet has
    no ``cidr``, and always an IPv6 block."""

    tag_values: ClassVar[Mapping[str, tuple[str, ...]]] = {MODE_TAG: MODES}

    vpc: str = ref()
    cidr: str | None
    ipv6: ipv6.SubnetBlock | None = None
    assign_ipv6: bool = False
    zone: str
    default: bool = False
    map_public_ip: bool = False
    enable_dns64: bool = False
    hostname_type: str = "ip-name"
    dns_a_record: bool = False
    dns_aaaa_record: bool = False

    def open_to(self, reader: Reader, account: str) -> bool:
        return is_shared(reader, self.id, account)

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> tuple[Subnet, ...]:
        return shared_with(reader, Subnet, account, region)

    @property
    def native(self) -> bool:
        """Whether it is IPv6-only."""
        return self.cidr is None

    @property
    def ipv4_cidr(self) -> str:
        """The IPv4 block; ``InvalidParameterValue`` is raised of an IPv6-only subnet."""
        if self.cidr is None:
            raise ApiError(
                "InvalidParameterValue",
                f"The subnet '{self.id}' is an IPv6-only subnet, which has no IPv4 addresses.",
            )
        return self.cidr

    @property
    def cidrs(self) -> tuple[str, ...]:
        """The IPv4 block and the IPv6 block, as far as it has them."""
        return tuple(cidr for cidr in (self.cidr, self.ipv6 and self.ipv6.cidr) if cidr)


@dataclass(frozen=True, kw_only=True)
class Lease(
    Resource,
    kind="address-lease",
    prefix="lease",
    not_found="InvalidAddress.NotFound",
    noun="address lease",
):
    """A private address that is taken, or a prefix of them (``10.0.1.16/28``).

    The id is made of subnet and address, so that asking whether an address is free costs two
    look-ups however many there are.  ``holder`` is the network interface, which takes the lease
    with it when it goes.
    """

    subnet: str = ref("weak")
    holder: str = ref("cascade")
    ip: str


@dataclass(frozen=True, kw_only=True)
class CidrReservation(
    Resource,
    kind="subnet-cidr-reservation",
    prefix="scr",
    not_found="InvalidSubnetCidrReservationID.NotFound",
    malformed="InvalidSubnetCidrReservationID.NotFound",
    noun="subnet CIDR reservation",
):
    """A block of a subnet out of which no address is given unasked.  ``type`` is ``explicit``, or
    ``prefix`` where AWS gives out whole prefixes."""

    subnet: str = ref("cascade")
    cidr: str
    type: str
    description: str | None = None


def reservations(reader: Reader, subnet_id: str) -> list[CidrReservation]:
    """The reservations of a subnet, oldest first."""
    rows = reader.referrers(subnet_id, CidrReservation)
    return sorted(rows, key=lambda row: (row.created, row.id))


def lease(call: Call, subnet: Subnet, holder: str, ip: str | None = None) -> str:
    """Take ``ip``, or any free IPv4 address, of the subnet for the interface ``holder``.

    Raises:
        ApiError: ``InvalidParameterValue`` (an IPv6-only subnet, outside the subnet),
            ``InvalidIPAddress.InUse``, ``InsufficientFreeAddressesInSubnet``.
    """
    taken = _free_address(call.txn, subnet) if ip is None else _asked_address(call.txn, subnet, ip)
    take(call, subnet, holder, taken)
    return taken


def lease_ipv6(call: Call, subnet: Subnet, holder: str, ip: str | None = None) -> str:
    """Take ``ip``, or any free address, of the subnet's IPv6 block for the interface ``holder``.

    Raises:
        ApiError: ``InvalidParameterValue`` (no IPv6 block, outside of it, reserved),
            ``InvalidIPAddress.InUse``, ``InsufficientFreeAddressesInSubnet``.
    """
    block = ipv6_of(subnet)
    if ip is not None:
        taken = ipv6.checked_address(block, ip)
        if is_taken(call.txn, subnet, taken):
            raise ApiError("InvalidIPAddress.InUse", f"Address {ip} is in use.")
    else:
        taken = _free_ipv6(call.txn, subnet, block)
    take(call, subnet, holder, taken)
    return taken


def ipv6_of(subnet: Subnet) -> str:
    """The subnet's IPv6 block.

    Raises:
        ApiError: ``InvalidParameterValue`` where it has none.
    """
    if subnet.ipv6 is None:
        raise ApiError(
            "InvalidParameterValue",
            f"The subnet '{subnet.id}' does not have an IPv6 CIDR block associated with it.",
        )
    return subnet.ipv6.cidr


def take(call: Call, subnet: Subnet, holder: str, taken: str) -> None:
    """Store the lease of an address or prefix that is known to be free."""
    row = Lease(
        id=lease_id(subnet.id, taken),
        account=call.account,
        region=call.region,
        created=call.now,
        subnet=subnet.id,
        holder=holder,
        ip=taken,
    )
    call.txn.put(row)


def release(call: Call, subnet_id: str, ip: str) -> None:
    """Give an address or a prefix back."""
    row = call.txn.find(Lease, lease_id(subnet_id, ip))
    if row is not None:
        call.txn.delete(row)


def lease_id(subnet_id: str, ip: str) -> str:
    """The id of the lease of an address, taken or not."""
    return f"lease-{subnet_id}/{ip}"


def _asked_address(txn: Txn, subnet: Subnet, ip: str) -> str:
    cidr = subnet.ipv4_cidr
    try:
        address = IPv4Address(ip)
    except ValueError:
        raise invalid_value("address", ip, "Not a valid IPv4 address") from None
    if address not in IPv4Network(cidr):
        raise ApiError(
            "InvalidParameterValue", "Address does not fall within the subnet's address range"
        )
    if is_reserved(cidr, ip):
        raise ApiError("InvalidParameterValue", "Address is in subnet's reserved address range")
    if is_taken(txn, subnet, str(address)):
        raise ApiError("InvalidIPAddress.InUse", f"Address {ip} is in use.")
    return str(address)


def is_taken(txn: Txn, subnet: Subnet, ip: str) -> bool:
    """Whether the address is leased, by itself or in a prefix."""
    return lease_of(txn.view, subnet.id, ip) is not None


def lease_of(reader: Reader, subnet_id: str, ip: str) -> Lease | None:
    """The lease of an address, by itself or in a prefix."""
    names = (ip, delegated_block(ip))
    found = (reader.find(Lease, lease_id(subnet_id, name)) for name in names)
    return next((lease for lease in found if lease is not None), None)


def _free_address(txn: Txn, subnet: Subnet) -> str:
    """A random free address outside of reservations: a few draws nearly always hit; a full search
    follows if not."""
    network = IPv4Network(subnet.ipv4_cidr)
    rows = reservations(txn.view, subnet.id)
    kept = [IPv4Network(row.cidr) for row in rows if not is_ipv6(row.cidr)]
    count, first = usable(subnet.ipv4_cidr), network.network_address + 4
    draws = (secrets.randbelow(count) for _ in range(20))
    for offset in chain(draws, range(count)):
        candidate = first + offset
        if any(candidate in block for block in kept) or is_taken(txn, subnet, str(candidate)):
            continue
        return str(candidate)
    raise _full(subnet)


def _free_ipv6(txn: Txn, subnet: Subnet, cidr: str) -> str:
    """A random free address outside of reservations."""
    kept = [row.cidr for row in reservations(txn.view, subnet.id) if is_ipv6(row.cidr)]

    def holder(ip: str) -> str | None:
        lease = lease_of(txn.view, subnet.id, ip)
        return lease.ip if lease else None

    found = ipv6.drawn_address(cidr, kept, holder)
    if found is None:
        raise _full(subnet)
    return found


def _full(subnet: Subnet) -> ApiError:
    return ApiError(
        "InsufficientFreeAddressesInSubnet",
        f"The subnet '{subnet.id}' does not have enough free addresses to satisfy the request.",
    )


def create_subnet(call: Call) -> Shape:
    """CreateSubnet in a zone of the region; it joins the main route table and default ACL."""
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    unsupported(call, "Ipv6IpamPoolId", "Ipv6IpamPoolId")
    network = _asked_network(call)
    _check_count(call, vpc)
    if network is not None:
        _check_range(call, vpc, network)
    zone = asked_zone(call)
    text = call.get("Ipv6CidrBlock")
    block = ipv6.part(call, vpc.id, text, ipv6_parts(call.txn.view, vpc.id)) if text else None
    common = call.common(Subnet)
    if network is not None:
        row = Subnet(**common, vpc=vpc.id, cidr=str(network), zone=zone, ipv6=block)
    else:
        row = ipv6_only(**common, vpc=vpc.id, zone=zone, ipv6=block)
    subnet = call.created(row)
    shown = [ipv6.show_part(block, "associating")] if block else []
    return {"Subnet": show(subnet, call.txn.view) | {"Ipv6CidrBlockAssociationSet": shown}}


def _asked_network(call: Call) -> IPv4Network | None:
    """The IPv4 block that a call asks for; None where it asks for an IPv6-only subnet."""
    text = call.get("CidrBlock")
    if call.get("Ipv6Native"):
        if text:
            raise invalid_combination(
                "The parameter cidrBlock is not supported for an IPv6-only subnet."
            )
        if not call.get("Ipv6CidrBlock"):
            raise missing_parameter("ipv6CidrBlock")
        return None
    if not text:
        raise ApiError("MissingParameter", "Either 'cidrBlock' or 'ipv6CidrBlock' should be given.")
    return ipv4_network(text)


def ipv6_only(**fields: Any) -> Subnet:
    """An IPv6-only subnet.  Instances in it are found by their resource names from the start."""
    return Subnet(**fields, **IPV6_ONLY, cidr=None, dns_aaaa_record=True)


def ipv6_parts(reader: Reader, vpc_id: str) -> list[str]:
    """The IPv6 blocks that the subnets of a VPC have."""
    return [row.ipv6.cidr for row in reader.referrers(vpc_id, Subnet) if row.ipv6]


def asked_zone(call: Call) -> str:
    """The zone that a call names by name or id, or the region's first.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    names = zones(call.region)
    if key := call.get("AvailabilityZoneId"):
        for name in names:
            if zone_id(name) == key:
                return name
        raise invalid_value("availabilityZoneId", key)
    name = call.get("AvailabilityZone") or names[0]
    if name not in names:
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({name}) for parameter availabilityZone is invalid. Subnets can currently only "
            f"be created in the following availability zones: {', '.join(names)}.",
        )
    return name


def _check_count(call: Call, vpc: Vpc) -> None:
    if sum(1 for _ in call.txn.referrers(vpc.id, Subnet)) >= MAX_SUBNETS:
        raise ApiError("SubnetLimitExceeded", "The maximum number of subnets has been reached.")


def _check_range(call: Call, vpc: Vpc, network: IPv4Network) -> None:
    if not 16 <= network.prefixlen <= 28 or not any(
        network.subnet_of(IPv4Network(item.cidr)) for item in vpc.cidrs
    ):
        raise ApiError("InvalidSubnet.Range", f"The CIDR '{network}' is invalid.")
    for other in call.txn.referrers(vpc.id, Subnet):
        if other.cidr is not None and network.overlaps(IPv4Network(other.cidr)):
            raise ApiError(
                "InvalidSubnet.Conflict", f"The CIDR '{network}' conflicts with another subnet"
            )


def default_subnets(call: Call, vpc: Vpc) -> None:
    """A /20 in every zone of a default VPC, with public addresses, as AWS provides."""
    if not vpc.default:
        return
    parts = IPv4Network(vpc.cidr).subnets(new_prefix=20)
    for zone, part in zip(zones(call.region), parts, strict=False):
        add_default(call, vpc, str(part), zone)


def add_default(call: Call, vpc: Vpc, cidr: str, zone: str) -> Subnet:
    """Store a default subnet."""
    common = {**call.common(Subnet), "tags": ()}
    return call.created(
        Subnet(**common, vpc=vpc.id, cidr=cidr, zone=zone, default=True, map_public_ip=True)
    )


def delete_subnet(call: Call) -> Shape:
    """DeleteSubnet: refused while interfaces are in it."""
    call.txn.delete(call.txn.get(Subnet, call.params["SubnetId"]))
    return {}


def free_addresses(subnet: Subnet, view: View) -> int:
    """AvailableIpAddressCount: usable IPv4 addresses less those that are taken."""
    if subnet.cidr is None:
        return 0
    leases = (row.ip for row in view.referrers(subnet.id, Lease) if not is_ipv6(row.ip))
    return usable(subnet.cidr) - sum(IPv4Network(ip).num_addresses for ip in leases)


def arn(row: Resource) -> str:
    """The resource's Amazon Resource Name."""
    return f"arn:aws:ec2:{row.region}:{row.account}:{row.kind}/{row.id}"


def show(subnet: Subnet, view: View) -> Shape:
    """The API's ``Subnet`` structure."""
    return {
        "SubnetId": subnet.id,
        "SubnetArn": arn(subnet),
        "VpcId": subnet.vpc,
        "OwnerId": subnet.account,
        **({"CidrBlock": subnet.cidr} if subnet.cidr else {}),
        "Ipv6CidrBlockAssociationSet": [ipv6.show_part(subnet.ipv6)] if subnet.ipv6 else [],
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": zone_id(subnet.zone),
        "AvailableIpAddressCount": free_addresses(subnet, view),
        "DefaultForAz": subnet.default,
        "MapPublicIpOnLaunch": subnet.map_public_ip,
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": subnet.assign_ipv6,
        "EnableDns64": subnet.enable_dns64,
        "Ipv6Native": subnet.native,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": subnet.hostname_type,
            "EnableResourceNameDnsARecord": subnet.dns_a_record,
            "EnableResourceNameDnsAAAARecord": subnet.dns_aaaa_record,
        },
        "State": "available",
        "Tags": [{"Key": key, "Value": value} for key, value in subnet.tags],
    }


def segment(subnet: Subnet) -> Segment:
    """The subnet's segment.  The router's link-layer address in it is drawn from its id, locally
    administered (IEEE 802: second bit of the first octet), so that it never changes."""
    digest = hashlib.sha256(subnet.id.encode()).hexdigest()
    mac = "02:" + ":".join(digest[i : i + 2] for i in range(0, 10, 2))
    return Segment(
        id=subnet.id,
        router=subnet.vpc,
        cidr=subnet.cidr or "",
        gateway=router_address(subnet.cidr) if subnet.cidr else "",
        mac=mac,
        cidr6=subnet.ipv6.cidr if subnet.ipv6 else "",
    )


def segment_of(reader: Reader, subnet_id: str) -> Segment | None:
    """The segment of a subnet that may be gone."""
    subnet = reader.find(Subnet, subnet_id)
    return segment(subnet) if subnet else None


def lower(subnet: Subnet, lowering: Lowering) -> None:
    """A subnet is a segment of its VPC's router."""
    place = segment(subnet)
    lowering.say(place, subnet.vpc)
    lowering.say(SegmentMode(place, mode_of(subnet)))


KIND = Kind(
    row=Subnet,
    actions={
        "CreateSubnet": create_subnet,
        "DeleteSubnet": delete_subnet,
    },
    listings=(
        Listing(
            action="DescribeSubnets",
            result="Subnets",
            show=show,
            ids="SubnetIds",
            paths={
                "cidr": "CidrBlock",
                "cidrBlock": "CidrBlock",
                "availabilityZone": "AvailabilityZone",
                "defaultForAz": "DefaultForAz",
                "ipv6-cidr-block-association.association-id": (
                    "Ipv6CidrBlockAssociationSet[].AssociationId"
                ),
                "ipv6-cidr-block-association.ipv6-cidr-block": (
                    "Ipv6CidrBlockAssociationSet[].Ipv6CidrBlock"
                ),
                "ipv6-cidr-block-association.state": (
                    "Ipv6CidrBlockAssociationSet[].Ipv6CidrBlockState.State"
                ),
                "private-dns-name-options-on-launch.hostname-type": (
                    "PrivateDnsNameOptionsOnLaunch.HostnameType"
                ),
            },
        ),
    ),
    lower=lower,
    beside={Vpc: default_subnets},
)

LEASE = Kind(row=Lease)
