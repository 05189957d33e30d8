"""What the resources know about a block beyond the network that they make.

A network has what is up.  Why something is not in it (an instance is stopped, an address is mapped
to nothing, a gateway is attached nowhere) is in the rows, so a block is told anew from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address

from gureum.explain.codes import Code
from gureum.explain.network import contains
from gureum.explain.packet import Packet
from gureum.explain.steps import Step, Trace, Tried
from gureum.explain.verdict import Answer
from gureum.model import View
from gureum.model.cidr import is_ipv6, resolver_address
from gureum.resources import route_table, transit_gateway
from gureum.resources.egress_only_gateway import EgressOnlyGateway
from gureum.resources.elastic_ip import ElasticIp
from gureum.resources.instance import Instance
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.public_access import admits
from gureum.resources.public_ip import Association, PublicIp, associations, public_ip_id
from gureum.resources.route_table import RouteTable
from gureum.resources.subnet import Subnet, lease_of
from gureum.resources.transit_gateway import TransitGatewayRouteTable, attached_with, shared
from gureum.resources.vpc import RESOLVER_ADDRESS, RESOLVER_ADDRESS6, Vpc
from gureum.resources.vpc_endpoint import endpoint_of
from gureum.resources.vpc_peering import link, peers_of


def told_anew(view: View, answer: Answer) -> Answer:
    """The answer, its blocks told as far as the rows know more."""
    back = replace(answer.back, steps=_steps(view, answer.back)) if answer.back else None
    return replace(answer, forth=replace(answer.forth, steps=_steps(view, answer.forth)), back=back)


def not_up(view: View, instance: str, packet: Packet) -> Answer | None:
    """The answer where an instance cannot send because it is not running, else None."""
    row = view.find(Instance, instance)
    if row is None or row.state == "running":
        return None
    step = Step(
        "send", row.id, False, _state(row), packet, packet, by=(row.id,), code=Code.BAD_STATE
    )
    return Answer(Trace([step], None, packet), None, "none", ())


def _steps(view: View, trace: Trace) -> list[Step]:
    steps = [step if step.passed else _better(view, step) for step in trace.steps]
    return [_with_outranked(view, step) if step.kind in _ROUTED else step for step in steps]


_ROUTED = ("route", "transit-route")


def _with_outranked(view: View, step: Step) -> Step:
    """A network has one route to a block: the rows know those that it goes before."""
    lost = [
        Tried(table, f"{cidr} -> {target}: a route that goes before it leads there", code=code)
        for table, cidr, target, code in _outranked(view, step)
        if contains(cidr, step.packet.target)
    ]
    return replace(step, tried=(*lost, *step.tried)) if lost else step


def _outranked(view: View, step: Step) -> Iterator[tuple[str, str, str, Code]]:
    table = step.by[0] if step.by else None
    if (row := view.find(RouteTable, table)) is not None:
        for cidr, route in route_table.outranked(view, row).items():
            yield row.id, cidr, route.target, Code.HIGHER_PRIORITY_ROUTE
    if (hub := view.find(TransitGatewayRouteTable, table)) is not None:
        for way in transit_gateway.outranked(view, hub):
            target = way.attachment or "blackhole"
            yield hub.id, way.destination, target, Code.TGW_RTB_HIGHER_PRIORITY_ROUTE


def _better(view: View, step: Step) -> Step:
    tell = _CAUSES.get(step.code) if step.code else None
    return (tell(view, step) if tell else None) or step


def _state(row: Instance) -> str:
    return f"{row.id} is {row.state}"


# --- nobody has the address ---------------------------------------------------------------------
def _nobody(view: View, step: Step) -> Step | None:
    """A private address in a VPC that nobody who is up has."""
    target = step.packet.target
    vpc = step.place if view.find(Vpc, step.place) else None
    if vpc is None:
        subnet = view.find(Subnet, step.place)
        vpc = subnet.vpc if subnet else None
    eni = interface_at(view, vpc, target) if vpc else None
    return _interface(view, step, eni) if eni else _resolver(view, step, vpc)


def _resolver(view: View, step: Step, vpc: str | None) -> Step | None:
    """The resolver of a VPC that has none."""
    row = view.find(Vpc, vpc)
    known = (RESOLVER_ADDRESS, RESOLVER_ADDRESS6)
    mine = (*known, resolver_address(row.cidr)) if row else ()
    if row is None or row.dns_support or step.packet.target not in mine:
        return None
    said = f"{step.packet.target} is the resolver's, and enableDnsSupport of {row.id} is off"
    return replace(step, said=said, by=(row.id,))


def interface_at(view: View, vpc: str, ip: str) -> NetworkInterface | None:
    """The interface with a private address in a VPC, up or not."""
    for subnet in view.referrers(vpc, Subnet):
        if any(contains(cidr, ip) for cidr in subnet.cidrs):
            lease = lease_of(view, subnet.id, str(ip_address(ip)))
            return view.find(NetworkInterface, lease.holder) if lease else None
    return None


def _interface(view: View, step: Step, eni: NetworkInterface) -> Step | None:
    """Why an interface is not up."""
    instance = eni.attachment.instance if eni.attachment else None
    row = view.find(Instance, instance)
    if row is not None and row.state != "running":
        said = f"{step.packet.target} belongs to {_state(row)}"
        return replace(step, said=said, code=Code.BAD_STATE, by=(row.id, eni.id))
    if eni.attachment is None:
        said = f"{step.packet.target} belongs to {eni.id}, which is attached to no instance"
        return replace(step, said=said, by=(eni.id,))
    endpoint = endpoint_of(view, eni)
    if endpoint is not None:
        said = f"{step.packet.target} is {endpoint.id}'s, and nobody serves {endpoint.service} here"
        return replace(step, said=said, by=(endpoint.id, eni.id))
    return None


def _public(view: View, step: Step) -> Step | None:
    """A public address that leads nowhere now."""
    if is_ipv6(step.packet.target):
        return _global(view, step)
    taken = view.find(PublicIp, public_ip_id(step.packet.target))
    if taken is None:
        return replace(step, said=f"nobody has the public address {step.packet.target}")
    found = next(_mapped(view, taken), None)
    if found is None:
        said = f"{taken.ip} is allocated ({taken.holder}) but associated with nothing"
        return replace(step, said=said, by=(taken.holder,))
    eni = view.find(NetworkInterface, found.interface)
    if eni is None:
        return None
    if next(view.referrers(eni.vpc, InternetGateway), None) is None:
        said = f"{taken.ip} is {eni.id}'s, but no internet gateway is attached to {eni.vpc}"
        return replace(step, said=said, by=(eni.id, eni.vpc), code=Code.BAD_STATE_ATTACHMENT)
    return _closed(view, step, eni) or _interface(view, step, eni)


def _global(view: View, step: Step) -> Step | None:
    """An IPv6 address that leads nowhere now."""
    found = (interface_at(view, vpc.id, step.packet.target) for vpc in view.all(Vpc))
    eni = next((each for each in found if each), None)
    if eni is None:
        return replace(step, said=f"nobody has the address {step.packet.target}")
    if next(view.referrers(eni.vpc, InternetGateway), None) is None:
        whose = f"{step.packet.target} is {eni.id}'s"
        said = f"{whose}, but no internet gateway is attached to {eni.vpc}"
        return replace(step, said=said, by=(eni.id, eni.vpc), code=Code.BAD_STATE_ATTACHMENT)
    return _closed(view, step, eni) or _interface(view, step, eni)


def _leaving(view: View, step: Step) -> Step | None:
    """A source that a gateway does not let out: Block Public Access, perhaps."""
    only_out = view.find(EgressOnlyGateway, step.place)
    gateway = only_out or view.find(InternetGateway, step.place)
    vpc = gateway.vpc if gateway else None
    eni = interface_at(view, vpc, step.packet.source) if vpc else None
    if eni is None or not (is_ipv6(step.packet.source) or any(associations(view, eni.id))):
        return None
    return _closed(view, step, eni, outwards=only_out is not None)


def _closed(
    view: View, step: Step, eni: NetworkInterface, *, outwards: bool = False
) -> Step | None:
    """An interface to which Block Public Access closes the gateway."""
    if admits(view, eni, outwards=outwards or eni.interface_type == "nat_gateway"):
        return None
    said = f"Block Public Access in {eni.region} closes the gateway to {eni.subnet}"
    code = Code.VPC_BLOCK_PUBLIC_ACCESS_ENABLED
    return replace(step, said=said, code=code, by=(eni.subnet, eni.id))


def _mapped(view: View, taken: PublicIp) -> Iterator[Association]:
    holder = view.find(ElasticIp, taken.holder)
    rows = view.referrers(taken.holder, Association)
    return (row for row in rows if row.ip == taken.ip or holder is not None)


# --- no way -------------------------------------------------------------------------------------
def _no_route(view: View, step: Step) -> Step | None:
    """An address of another VPC to which no way leads."""
    vpc = view.find(Vpc, step.place)
    if vpc is None:
        return None
    target = step.packet.target
    other = vpc_with(view, vpc, target)
    if other is None:
        return _resolver(view, step, vpc.id)
    if joint := between(view, vpc, other):
        said = f"{target} is in {other.id}, beyond {joint}, and no route leads there"
        return replace(step, said=said, by=(*step.by, other.id))
    said = f"{target} is in {other.id}, and nothing connects {vpc.id} with it"
    return replace(step, said=said, code=Code.DISCONNECTED_VPCS, by=(*step.by, other.id))


def vpc_with(view: View, vpc: Vpc, ip: str) -> Vpc | None:
    """Another VPC in which somebody has an address: one that is linked with the first, whosever it
    is, else one of the same owner and region.  Networks may have the same addresses."""
    linked = {*peers_of(view, vpc.id), *attached_with(view, vpc.id)}
    found = [
        other
        for other in view.all(Vpc)
        if (other.id in linked or (other.account, other.region) == (vpc.account, vpc.region))
        and other.id != vpc.id
        and interface_at(view, other.id, ip)
    ]
    return min(found, key=lambda row: (row.id not in linked, row.id), default=None)


def between(view: View, one: Vpc, other: Vpc) -> str | None:
    """The id of what joins two VPCs: a peering connection, else a transit gateway."""
    row = link(view, one.id, other.id)
    return row.id if row else shared(view, one.id, other.id)


def _private(view: View, step: Step) -> Step | None:
    """A private target at an internet gateway: somebody of another VPC, perhaps."""
    gateway = view.find(InternetGateway, step.place)
    vpc = view.find(Vpc, gateway.vpc) if gateway else None
    other = vpc_with(view, vpc, step.packet.target) if vpc else None
    if vpc is None or other is None:
        return None
    joint = between(view, vpc, other)
    way = f"the route to {joint} is missing" if joint else f"nothing connects {vpc.id} with it"
    said = f"{step.packet.target} is in {other.id}, and {way}; {step.said}"
    return replace(step, said=said, by=(*step.by, other.id))


_CAUSES: dict[Code, Callable[[View, Step], Step | None]] = {
    Code.NO_POSSIBLE_DESTINATION: _nobody,
    Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS: _public,
    Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS: _leaving,
    Code.GATEWAY_REJECTS_SPOOFED_TRAFFIC: _leaving,
    Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS: _private,
    Code.NO_ROUTE_TO_DESTINATION: _no_route,
}
