"""Network interface: a station in a subnet with addresses and groups, which a host may have.

What other resources (instances, NAT gateways, Elastic IPs) do with interfaces is here; the API's
own actions are in :mod:`gureum.resources.network_interface_api`.

Sources: EC2 User Guide, "Elastic network interfaces"; EC2 API Reference.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from gureum.errors import ApiError
from gureum.kind import Call, Lowering, Shape
from gureum.model import Reader, Resource, Tags, Txn, View, ref
from gureum.program import Address, Guard, Member, Port, Recorded, ViaPort
from gureum.resources import public_ip, public_ways
from gureum.resources.dhcp_options import private_dns
from gureum.resources.flow_log import flow_logs_of
from gureum.resources.group_filter import Direction, filter_id, group_filters
from gureum.resources.interface_addresses import Asked, Wanted, take_all
from gureum.resources.public_ip import Association, associations
from gureum.resources.region import zone_id
from gureum.resources.security_group import check_groups, default_of, show_identifiers
from gureum.resources.shapes import tag_list
from gureum.resources.shared_vpc import OfGuest
from gureum.resources.subnet import Subnet, segment_of
from gureum.resources.vpc import Vpc

MAX_GROUPS = 5
"""Security groups per interface (VPC quotas)."""

MAC_PREFIXES = ("02", "06", "0a")
"""First octets that AWS's interfaces have: locally administered unicast (IEEE 802)."""

AMAZON = "amazon-aws"
"""The owner of what an interface is attached to where that is AWS's own machine."""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """An interface on an instance, or on a machine of AWS's own (``instance`` is None)."""

    id: str
    instance: str | None = ref("weak", default=None)
    owner: str
    device_index: int
    attach_time: str
    delete_on_termination: bool = False
    status: str = "attached"


@dataclass(frozen=True, kw_only=True)
class NetworkInterface(
    OfGuest,
    Resource,
    kind="network-interface",
    prefix="eni",
    not_found="InvalidNetworkInterfaceID.NotFound",
    malformed="InvalidNetworkInterfaceId.Malformed",
    noun="networkInterface",
):
    """A network interface; the first of ``ips`` is the primary private address, ``ips6`` are its
    IPv6 addresses, ``prefixes`` and ``prefixes6`` are blocks that are delegated to it.  With
    ``primary_ipv6`` the first of ``ips6`` stays, as the primary one, until it is detached.  An
    IPv6-only subnet's has no ``ips``, and always one of ``ips6``.

    ``host`` is what it is plugged into *now*: the instance while that is up, a NAT gateway; None
    while the interface is free or its instance is stopped.
    """

    vpc: str = ref()
    subnet: str = ref()
    zone: str
    mac: str
    ips: tuple[str, ...]
    ips6: tuple[str, ...] = ()
    groups: tuple[str, ...] = ref()
    description: str = ""
    source_dest_check: bool = True
    interface_type: str = "interface"
    requester_managed: bool = False
    attachment: Attachment | None = None
    host: str | None = ref("weak", default=None)
    prefixes: tuple[str, ...] = ()
    prefixes6: tuple[str, ...] = ()
    public_name: str | None = None
    primary_ipv6: bool = False

    @property
    def delegated(self) -> tuple[str, ...]:
        """The addresses of the delegated IPv4 blocks, and the IPv6 blocks themselves."""
        each = (str(ip) for prefix in self.prefixes for ip in IPv4Network(prefix))
        return (*each, *self.prefixes6)

    @property
    def own(self) -> tuple[str, ...]:
        """All that is its own: addresses, and IPv6 blocks that are delegated to it."""
        return (*self.ips, *self.ips6, *self.delegated)

    @property
    def ip(self) -> str | None:
        """The primary private IPv4 address; None in an IPv6-only subnet."""
        return self.ips[0] if self.ips else None

    @property
    def ipv4(self) -> str:
        """The primary private IPv4 address, for what needs one.

        Raises:
            ApiError: ``InvalidParameterValue``: the interface is in an IPv6-only subnet.
        """
        if self.ip is None:
            raise ApiError("InvalidParameterValue", f"'{self.id}' has no private IPv4 address.")
        return self.ip

    @property
    def address(self) -> str:
        """The primary IPv4 address, or the first IPv6 one where there is no IPv4."""
        return self.ip or self.ips6[0]


At = Call | Txn
"""Where a change happens: in an API call, or in a transaction of the system's own."""


def _txn(at: At) -> Txn:
    return at.txn if isinstance(at, Call) else at


# --- for other resources ------------------------------------------------------------------------
def create(
    call: Call,
    subnet: Subnet,
    *,
    groups: tuple[str, ...] | None,
    description: str = "",
    asked: Asked = Asked(),  # noqa: B008 - a frozen value
    primary_ipv6: bool = False,
    interface_type: str = "interface",
    requester_managed: bool = False,
    tags: Tags | None = None,
) -> NetworkInterface:
    """A new interface in a subnet, attached to nothing.

    ``groups`` None means the VPC's default group; ``tags`` None means those that the call gives for
    interfaces.

    Raises:
        ApiError: the codes of :func:`begin` and :func:`equip`.
    """
    eni = begin(
        call,
        subnet,
        groups=groups,
        description=description,
        primary_ipv6=primary_ipv6,
        interface_type=interface_type,
        requester_managed=requester_managed,
        tags=tags,
    )
    (made,) = equip(call, [(eni, asked)])
    return made


def begin(
    call: Call,
    subnet: Subnet,
    *,
    groups: tuple[str, ...] | None,
    description: str,
    primary_ipv6: bool,
    interface_type: str = "interface",
    requester_managed: bool = False,
    tags: Tags | None = None,
) -> NetworkInterface:
    """A new interface as :func:`create` makes it, without addresses: :func:`equip` gives them.

    Raises:
        ApiError: the codes of :func:`checked_groups`.
    """
    common = call.common(NetworkInterface)
    if tags is not None:
        common["tags"] = tags
    eni = NetworkInterface(
        **common,
        vpc=subnet.vpc,
        subnet=subnet.id,
        zone=subnet.zone,
        mac=_new_mac(),
        ips=(),
        groups=checked_groups(call, groups, subnet.vpc, f"subnet {subnet.id}"),
        description=description,
        source_dest_check=not requester_managed,
        interface_type=interface_type,
        requester_managed=requester_managed,
        primary_ipv6=primary_ipv6,
    )
    if requester_managed:
        _ = subnet.ipv4_cidr  # what is AWS's own has IPv4: it is refused where there is none
    return call.txn.put(eni)  # addresses are leased to a row that exists


def equip(call: Call, begun: Sequence[tuple[NetworkInterface, Asked]]) -> list[NetworkInterface]:
    """The interfaces that were begun, with the addresses that each is to have.

    Raises:
        ApiError: the codes of :func:`gureum.resources.interface_addresses.take_all`.
    """
    wanted = [
        Wanted(subnet=call.txn.target(Subnet, eni.subnet), holder=eni.id, asked=asked)
        for eni, asked in begun
    ]
    given = zip(begun, take_all(call, wanted), strict=True)
    return [call.created(replace(eni, **vars(each))) for (eni, _), each in given]


def _new_mac() -> str:
    return ":".join((secrets.choice(MAC_PREFIXES), *(f"{b:02x}" for b in secrets.token_bytes(5))))


def checked_groups(
    call: Call, groups: Sequence[str] | None, vpc_id: str, place: str, worn: Sequence[str] = ()
) -> tuple[str, ...]:
    """The groups for an interface in a VPC; None stands for the VPC's default group,
    ``worn`` are those that it has.

    Raises:
        ApiError: ``InvalidGroup.NotFound``, ``SecurityGroupsPerInterfaceLimitExceeded``,
            ``InvalidParameterValue`` (a group of another VPC), ``UnauthorizedOperation`` (another
            account's group in a shared VPC, such as its default group).
    """
    if groups is None:
        default = default_of(call, vpc_id)
        return (default.id,) if default else ()
    if len(set(groups)) > MAX_GROUPS:
        raise ApiError(
            "SecurityGroupsPerInterfaceLimitExceeded",
            "The maximum number of security groups per interface has been reached.",
        )
    return check_groups(call, groups, vpc_id, place, worn)


def attach(
    call: Call,
    eni: NetworkInterface,
    instance_id: str,
    device_index: int,
    delete_on_termination: bool,
) -> NetworkInterface:
    """Give the interface to an instance.  It carries nothing until it is plugged (:func:`plug`).

    Raises:
        ApiError: ``InvalidNetworkInterface.InUse``, ``InvalidParameterValue`` (index taken).
    """
    if eni.attachment is not None:
        raise ApiError("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
    for other in interfaces_of(call.txn.view, instance_id):
        if other.attachment and other.attachment.device_index == device_index:
            raise ApiError(
                "InvalidParameterValue",
                f"Instance '{instance_id}' already has an interface attached at device index "
                f"'{device_index}'.",
            )
    attachment = Attachment(
        id=call.new_id("eni-attach"),
        instance=instance_id,
        owner=call.account,
        device_index=device_index,
        attach_time=call.now,
        delete_on_termination=delete_on_termination,
    )
    return call.txn.put(replace(eni, attachment=attachment))


def interfaces_of(reader: Reader, instance_id: str) -> list[NetworkInterface]:
    """The interfaces attached to an instance, by device index."""
    found = [
        (eni.attachment.device_index, eni.id, eni)
        for eni in reader.referrers(instance_id, NetworkInterface)
        if eni.attachment and eni.attachment.instance == instance_id
    ]
    return [eni for _, _, eni in sorted(found, key=lambda item: item[:2])]


def detach(at: At, eni: NetworkInterface) -> NetworkInterface:
    """Take the interface from what it is attached to; a public address that AWS gave it goes."""
    release_public(at, eni)
    return _txn(at).put(replace(eni, attachment=None, host=None, primary_ipv6=False))


def delete(at: At, eni: NetworkInterface) -> None:
    """Remove a free interface with its addresses; an Elastic IP of it is associated no more.

    Raises:
        ApiError: ``InvalidParameterValue`` while it is attached.
    """
    if eni.attachment is not None:
        raise ApiError(
            "InvalidParameterValue", f"Network interface '{eni.id}' is currently in use."
        )
    _txn(at).delete(eni)


def plug(at: At, eni: NetworkInterface, host: str | None) -> NetworkInterface:
    """Put the interface into a host that is up, or (None) pull it out."""
    return _txn(at).put(replace(eni, host=host))


def assign_public(call: Call, eni: NetworkInterface) -> str | None:
    """Give the primary address a public one of AWS's own, unless it has one already."""
    private = eni.ipv4
    if any(item.private_ip == private for item in associations(call.txn.view, eni.id)):
        return None
    ip = public_ip.allocate(call, eni.id)
    public_ip.associate(call, eni.id, private, ip)
    return ip


def release_public(at: At, eni: NetworkInterface) -> None:
    """Take back the public address that AWS gave by itself; Elastic IPs stay."""
    txn = _txn(at)
    for item in list(associations(txn.view, eni.id)):
        if item.allocation is None:
            txn.delete(item)
            public_ip.release(txn, item.ip)


# --- answers ------------------------------------------------------------------------------------
def show_association(item: Association, view: View) -> Shape:
    """The API's ``NetworkInterfaceAssociation`` structure."""
    eni = view.find(NetworkInterface, item.interface)
    vpc = view.find(Vpc, eni.vpc if eni else None)
    named_public = vpc is not None and vpc.dns_hostnames
    shape: Shape = {
        "PublicIp": item.ip,
        "PublicDnsName": public_ip.public_dns(item.region, item.ip) if named_public else "",
        "IpOwnerId": item.account if item.allocation else "amazon",
    }
    if item.allocation:
        shape |= {"AllocationId": item.allocation, "AssociationId": item.id}
    return shape


def show_addresses(eni: NetworkInterface, view: View) -> list[Shape]:
    """``PrivateIpAddresses``, the primary one first, with the public addresses of each."""
    public = {item.private_ip: item for item in associations(view, eni.id)}
    items: list[Shape] = []
    for ip in eni.ips:
        item: Shape = {
            "PrivateIpAddress": ip,
            "Primary": ip == eni.ip,
            "PrivateDnsName": private_dns(eni.region, ip),
        }
        if ip in public:
            item["Association"] = show_association(public[ip], view)
        items.append(item)
    return items


def show_attachment(attachment: Attachment) -> Shape:
    """The API's ``NetworkInterfaceAttachment`` structure."""
    shape: Shape = {
        "AttachmentId": attachment.id,
        "AttachTime": attachment.attach_time,
        "DeleteOnTermination": attachment.delete_on_termination,
        "DeviceIndex": attachment.device_index,
        "NetworkCardIndex": 0,
        "InstanceOwnerId": attachment.owner,
        "Status": attachment.status,
    }
    if attachment.instance:
        shape["InstanceId"] = attachment.instance
    return shape


def show(eni: NetworkInterface, view: View) -> Shape:
    """The API's ``NetworkInterface`` structure."""
    addresses = show_addresses(eni, view)
    shape: Shape = {
        "NetworkInterfaceId": eni.id,
        "SubnetId": eni.subnet,
        "VpcId": eni.vpc,
        "AvailabilityZone": eni.zone,
        "AvailabilityZoneId": zone_id(eni.zone),
        "OwnerId": eni.account,
        "Description": eni.description,
        "InterfaceType": eni.interface_type,
        "RequesterManaged": eni.requester_managed,
        "SourceDestCheck": eni.source_dest_check,
        "Status": "in-use" if eni.attachment else "available",
        "MacAddress": eni.mac,
        "PrivateIpAddresses": addresses,
        "Ipv6Addresses": [
            {"Ipv6Address": ip, "IsPrimaryIpv6": eni.primary_ipv6 and ip == eni.ips6[0]}
            for ip in eni.ips6
        ],
        "Groups": show_identifiers(view, eni.groups),
        "Operator": {"Managed": False},
        "TagSet": tag_list(eni),
    }
    if eni.ip is None:
        shape["Ipv6Native"] = True
    else:
        shape["PrivateIpAddress"] = eni.ip
        shape["PrivateDnsName"] = private_dns(eni.region, eni.ip)
    if eni.ips6:
        shape["Ipv6Address"] = eni.ips6[0]
    if addresses and "Association" in addresses[0]:
        shape["Association"] = addresses[0]["Association"]
        shape["PublicDnsName"] = addresses[0]["Association"]["PublicDnsName"]
    if eni.attachment:
        shape["Attachment"] = show_attachment(eni.attachment)
    if eni.requester_managed:
        shape["RequesterId"] = eni.account
    if eni.prefixes:
        shape["Ipv4Prefixes"] = [{"Ipv4Prefix": prefix} for prefix in eni.prefixes]
    if eni.prefixes6:
        shape["Ipv6Prefixes"] = [{"Ipv6Prefix": prefix} for prefix in eni.prefixes6]
    if eni.public_name:
        shape["PublicIpDnsNameOptions"] = {"DnsHostnameType": eni.public_name}
        if name := shape.get("PublicDnsName"):
            shape["PublicIpDnsNameOptions"]["PublicIpv4DnsName"] = name
    return shape


# --- lowering -----------------------------------------------------------------------------------
def port_of(reader: Reader, eni: NetworkInterface) -> Port | None:
    """The interface's port, or None while it is in no host.  AWS's own machines use the first
    device whatever the attachment says, for that is the one with the default route."""
    segment = segment_of(reader, eni.subnet)
    if eni.host is None or eni.attachment is None or segment is None:
        return None
    index = eni.attachment.device_index if eni.attachment.instance else 0
    return Port(id=eni.id, segment=segment, host=eni.host, index=index, mac=eni.mac)


def hop(reader: Reader, eni_id: str) -> ViaPort | None:
    """The interface as the next hop of a route; None (a blackhole) while it is in no host."""
    eni = reader.find(NetworkInterface, eni_id)
    port = port_of(reader, eni) if eni else None
    if eni is None or port is None:
        return None
    return ViaPort(port=eni.id, segment=port.segment, ip=eni.address, mac=eni.mac)


def lower(eni: NetworkInterface, lowering: Lowering) -> None:
    """An interface in a host that is up is a port with addresses, a guard and memberships."""
    port = port_of(lowering.view, eni)
    if port is None:
        return
    lowering.say(port)
    own = eni.own
    for ip in own:
        primary, delegated = ip in (eni.ip, *eni.ips6[:1]), ip in eni.delegated
        lowering.say(Address(port=port, ip=ip, primary=primary, delegated=delegated))
        for group in eni.groups:
            lowering.say(Member(router=eni.vpc, group=group, ip=ip), group)
    lowering.say(
        Guard(
            port=port,
            addresses=own,
            forwarding=not eni.source_dest_check,
            filter_in=_filter(eni, "in", lowering),
            filter_out=_filter(eni, "out", lowering),
        )
    )
    if logs := flow_logs_of(lowering.view, eni):
        lowering.say(Recorded(port=port, addresses=own), *(log.id for log in logs))
    public_ways.lower(eni, lowering)


def _filter(eni: NetworkInterface, direction: Direction, lowering: Lowering) -> str | None:
    groups = tuple(sorted(eni.groups))
    if not groups:
        return None
    lowering.need(group_filters, (eni.vpc, groups, direction))
    return filter_id(groups, direction)
