"""Fixes of ways: routes, gateways, addresses, instances that are stopped."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.explain import fixes_peering, fixes_transit
from gureum.explain.causes import between, interface_at, vpc_with
from gureum.explain.commands import Fix, aws, kept
from gureum.explain.network import contains
from gureum.explain.steps import Step
from gureum.explain.walk import RFC1918, RFC6598
from gureum.model import Resource, View
from gureum.model.cidr import is_ipv6
from gureum.model.nat64 import PREFIX as NAT64
from gureum.model.nat64 import embedded
from gureum.resources.instance import Instance
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.permissions import ANY_V4, ANY_V6
from gureum.resources.public_access import ALLOW_BOTH, GONE, PublicAccessExclusion
from gureum.resources.public_ip import associations
from gureum.resources.route_table import RouteTable, table_of
from gureum.resources.subnet import Subnet, lease_of
from gureum.resources.transit_gateway import TransitGateway
from gureum.resources.vpc import Vpc
from gureum.resources.vpc_peering import VpcPeeringConnection


# --- routes -------------------------------------------------------------------------------------
def missing_route(view: View, step: Step) -> Iterator[Fix]:
    """A default route for a packet to the internet, or one to another VPC."""
    table = view.find(RouteTable, step.by[0]) if step.by else None
    target = step.packet.target
    if table is not None and _is_outside(target) and not _is_joined(view, table, target):
        way = ANY_V6 if is_ipv6(target) else ANY_V4
        way = NAT64 if embedded(target) else way
        yield from _outward(view, step, table, "create-route", way)
    else:
        yield from fixes_peering.joined(view, step)


def not_carried(view: View, step: Step) -> Iterator[Fix]:
    """A way of the sender's own for what a peering connection does not carry: out of its VPC to the
    internet, or over a connection to the VPC that has the target."""
    table = fixes_peering.table_of_step(view, step)
    way = fixes_peering.taken(view, table, step.packet.target) if table else None
    if table is not None and way is not None and _is_outside(step.packet.target):
        yield from _outward(view, step, table, "replace-route", way[1])
    else:
        yield from fixes_peering.joined(view, step)


def _is_joined(view: View, table: RouteTable, target: str) -> bool:
    """Whether an address is in a VPC that something joins with the table's."""
    near = view.find(Vpc, table.vpc)
    far = vpc_with(view, near, target) if near else None
    return near is not None and far is not None and between(view, near, far) is not None


def _is_outside(target: str) -> bool:
    """Whether an address is one of the internet's."""
    return not any(contains(each, target) for each in (*RFC1918, RFC6598))


def blackhole(view: View, step: Step) -> Iterator[Fix]:
    """The target put in order, or another one in its place."""
    table, gone = view.find(RouteTable, step.by[0]), step.by[1]
    if table is None:
        return
    gateway, eni = view.find(InternetGateway, gone), view.find(NetworkInterface, gone)
    peering = view.find(VpcPeeringConnection, gone)
    if peering is not None:
        yield from fixes_peering.peering(view, step, peering)
    elif (transit := view.find(TransitGateway, gone)) is not None:
        yield from fixes_transit.attached(view, step, transit, table.vpc)
    elif gateway is not None:
        yield _attach(gateway, table.vpc)
    elif eni is not None:
        instance = eni.attachment.instance if eni.attachment else None
        yield from _started(view, instance)
    elif way := fixes_peering.taken(view, table, step.packet.target):
        yield from _outward(view, step, table, "replace-route", way[1])


def _outward(
    view: View, step: Step, table: RouteTable, action: str, destination: str
) -> Iterator[Fix]:
    """A route to the internet gateway for a sender with a public address, as every one of IPv6 is,
    else to a NAT gateway; to one in any case for IPv6 that stands for IPv4 (NAT64)."""
    v6 = is_ipv6(step.packet.target)
    named = "ipv6-cidr-block" if v6 else "cidr-block"
    named = "prefix-list-id" if destination.startswith("pl-") else named
    words = ("--route-table-id", table.id, f"--destination-{named}", destination)
    eni = interface_at(view, table.vpc, step.packet.source)
    if eni is None:
        return
    translates = eni.host is not None and eni.host.startswith(f"{NatGateway.prefix}-")
    embeds = embedded(step.packet.target) is not None
    if not embeds and (v6 or translates or _is_public(view, eni, step)):
        made, gateway = _gateway(view, table)
        said = f"send {destination} to the internet gateway"
        yield Fix(said, (*made, aws(table, action, *words, "--gateway-id", gateway)))
        return
    found = _nat_gateway(view, table.vpc)
    if found is not None:
        said = f"send {destination} to the NAT gateway"
        yield Fix(said, (aws(table, action, *words, "--nat-gateway-id", found.id),))
        return
    made = _new_nat_gateway(view, table, eni)
    if made:
        said = f"send {destination} to a new NAT gateway"
        yield Fix(said, (*made, aws(table, action, *words, "--nat-gateway-id", "$nat")))
    if made or embeds:
        return
    made, gateway = _gateway(view, table)
    said = f"send {destination} to the internet gateway, from a public address"
    route = aws(table, action, *words, "--gateway-id", gateway)
    yield Fix(said, (*made, route, *_address(eni, step.packet.source)))


def _is_public(view: View, eni: NetworkInterface, step: Step) -> bool:
    return any(row.private_ip == step.packet.source for row in associations(view, eni.id))


def _nat_gateway(view: View, vpc: str) -> NatGateway | None:
    rows = view.referrers(vpc, NatGateway)
    fit = (row for row in rows if row.state == "available" and row.connectivity == "public")
    return min(fit, key=lambda row: row.id, default=None)


def _new_nat_gateway(view: View, table: RouteTable, eni: NetworkInterface) -> tuple[str, ...]:
    """Commands that make a NAT gateway in a public subnet, if there is one."""
    for subnet in sorted(view.referrers(table.vpc, Subnet), key=lambda row: row.id):
        if subnet.id == eni.subnet:
            continue
        routes = table_of(view, subnet).routes
        outward = next((each for each in routes if each.destination == ANY_V4), None)
        gateway = view.find(InternetGateway, outward.target) if outward else None
        if gateway is not None and gateway.vpc == table.vpc:
            place = ("--subnet-id", subnet.id, "--allocation-id", "$address")
            return (
                kept("address", table, "allocate-address", "AllocationId"),
                kept("nat", table, "create-nat-gateway", "NatGateway.NatGatewayId", *place),
                aws(table, "wait nat-gateway-available", "--nat-gateway-ids", "$nat"),
            )
    return ()


# --- gateways -----------------------------------------------------------------------------------
def attachment(view: View, step: Step) -> Iterator[Fix]:
    """An internet gateway for the VPC of a public address."""
    vpc = view.find(Vpc, step.by[1])
    if vpc is not None:
        made, _ = _gateway(view, vpc)
        yield Fix(f"attach an internet gateway to {vpc.id}", made)


def _gateway(view: View, within: RouteTable | Vpc) -> tuple[tuple[str, ...], str]:
    """The VPC's internet gateway, and the commands that make it be there first."""
    vpc = within.id if isinstance(within, Vpc) else within.vpc
    here = next(view.referrers(vpc, InternetGateway), None)
    if here is not None:
        return (), here.id
    rows = view.all(InternetGateway)
    free = (row for row in rows if row.vpc is None and _same_owner(row, within))
    spare = min(free, key=lambda row: row.id, default=None)
    if spare is not None:
        return _attach(spare, vpc).commands, spare.id
    query = "InternetGateway.InternetGatewayId"
    words = ("--internet-gateway-id", "$gateway", "--vpc-id", vpc)
    return (
        kept("gateway", within, "create-internet-gateway", query),
        aws(within, "attach-internet-gateway", *words),
    ), "$gateway"


def _same_owner(row: Resource, other: Resource) -> bool:
    return (row.account, row.region) == (other.account, other.region)


def _attach(gateway: InternetGateway, vpc: str) -> Fix:
    words = ("--internet-gateway-id", gateway.id, "--vpc-id", vpc)
    return Fix(f"attach {gateway.id}", (aws(gateway, "attach-internet-gateway", *words),))


# --- addresses and instances --------------------------------------------------------------------
def egress_address(view: View, step: Step) -> Iterator[Fix]:
    """A public address for the sender."""
    gateway = view.find(InternetGateway, step.place)
    vpc = gateway.vpc if gateway else None
    eni = interface_at(view, vpc, step.packet.source) if vpc else None
    if eni is not None:
        said = f"give {step.packet.source} a public address"
        yield Fix(said, _address(eni, step.packet.source))


def excluded(view: View, step: Step) -> Iterator[Fix]:
    """An exclusion from Block Public Access for the subnet."""
    subnet = view.find(Subnet, step.by[0])
    if subnet is None:
        return
    rows = view.referrers(subnet.id, PublicAccessExclusion)
    own = next((row for row in rows if row.state not in GONE), None)
    words = ("modify", "--exclusion-id", own.id) if own else ("create", "--subnet-id", subnet.id)
    action = f"{words[0]}-vpc-block-public-access-exclusion"
    mode = ("--internet-gateway-exclusion-mode", ALLOW_BOTH)
    said = f"except {subnet.id} from Block Public Access"
    yield Fix(said, (aws(subnet, action, *words[1:], *mode),))


def ingress_address(view: View, step: Step) -> Iterator[Fix]:
    """A public address for who should be reached, where it is known who that is."""
    eni = view.find(NetworkInterface, step.by[0]) if step.by else None
    if eni is not None and eni.ip is not None:
        yield Fix(f"give {eni.ip} a public address", _address(eni, eni.ip))


def _address(eni: NetworkInterface, ip: str) -> tuple[str, ...]:
    words = ("--network-interface-id", eni.id, "--private-ip-address", ip)
    return (
        kept("address", eni, "allocate-address", "AllocationId"),
        aws(eni, "associate-address", "--allocation-id", "$address", *words),
    )


def sender_address(view: View, step: Step) -> Iterator[Fix]:
    """The source made an address of the interface's own where that can be, else the check off."""
    eni = view.find(NetworkInterface, step.place)
    subnet = view.find(Subnet, eni.subnet) if eni else None
    if eni is None or subnet is None:
        return
    source = step.packet.source
    inside = any(contains(cidr, source) for cidr in subnet.cidrs)
    if inside and lease_of(view, subnet.id, source) is None:
        v6 = is_ipv6(source)
        option = "--ipv6-addresses" if v6 else "--private-ip-addresses"
        action = "assign-ipv6-addresses" if v6 else "assign-private-ip-addresses"
        words = ("--network-interface-id", eni.id, option, source)
        yield Fix(f"give {source} to {eni.id}", (aws(eni, action, *words),))
    else:
        yield from no_check(view, step)


def no_check(view: View, step: Step) -> Iterator[Fix]:
    """The source/destination check turned off."""
    eni = view.find(NetworkInterface, step.place)
    if eni is not None:
        words = ("--network-interface-id", eni.id, "--no-source-dest-check")
        said = f"let {eni.id} forward for others"
        yield Fix(said, (aws(eni, "modify-network-interface-attribute", *words),))


def stopped(view: View, step: Step) -> Iterator[Fix]:
    """The instance started."""
    yield from _started(view, step.by[0] if step.by else None)


def _started(view: View, instance: str | None) -> Iterator[Fix]:
    row = view.find(Instance, instance)
    if row is not None and row.state == "stopped":
        words = ("--instance-ids", row.id)
        wait = aws(row, "wait instance-running", *words)
        yield Fix(f"start {row.id}", (aws(row, "start-instances", *words), wait))
