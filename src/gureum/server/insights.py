"""Carries out the analyses of AWS's Network Insights: from a path to a packet, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gureum.explain import Answer, Network, Packet, explain, not_up, told_anew
from gureum.explain.aws import Projection, ids
from gureum.explain.codes import Code
from gureum.explain.steps import Step, Trace
from gureum.kind import Shape
from gureum.model import Resource, View
from gureum.program import InternetHost, Port
from gureum.resources.instance import Instance
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.network_insights import ENDS, NetworkInsightsPath
from gureum.resources.network_interface import NetworkInterface, interfaces_of
from gureum.resources.public_ip import associations
from gureum.resources.transit_gateway import shared
from gureum.resources.vpc_peering import link
from gureum.server import insights_filters as filters
from gureum.server.console_explain import PROTOCOLS
from gureum.server.networks import Networks

SOMEBODY, SOMEBODY6 = "198.19.255.254", "3fff:fff:ffff::254"
"""An address on the internet, where a path says none."""

MAX_PORTS = 256
"""Ports that are tried where a path names none: rules tell no more of them apart, usually."""


class Insights:
    """Answers what paths ask."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def __call__(
        self,
        view: View,
        path: Resource,
        filter_in: Sequence[str],
        filter_out: Sequence[str],
    ) -> Shape:
        """See :class:`gureum.kind.Analyse`."""
        assert isinstance(path, NetworkInsightsPath)
        outside = _outside(path, ipv6=_is_ipv6(view, path))
        network = self._networks.at(view).with_host(outside)
        missing = [key for key in (path.source, path.target) if key and key not in view.rows]
        if missing:
            return _unfound(Code.NO_SOURCE_OR_DESTINATION, missing[0])
        strange = [key for key in (path.source, path.target) if key and not _is_end(view, key)]
        if strange:
            return _about(Code.UNSUPPORTED_COMPONENT, strange[0])
        if without := _without_address(view, path):
            return _about(Code.NO_POSSIBLE_DESTINATION, without)
        wrong = filters.at_source(path, *_addresses(view, path))
        if wrong:
            return {"NetworkPathFound": False, "Explanations": wrong}
        start, answer = _answered(view, network, path, outside)
        found = Projection(view, network).analysis(answer, start)
        wrong = filters.at_target(path, answer) if found["NetworkPathFound"] else []
        if wrong:
            return {"NetworkPathFound": False, "Explanations": wrong}
        return _filtered(found, filter_in, filter_out)


def _addresses(view: View, path: NetworkInsightsPath) -> tuple[frozenset[str], frozenset[str]]:
    """From which addresses the source may send, and by which the destination may be called; none
    where any may be."""
    source = _interface(view, path.source)
    target = _interface(view, path.target) if path.target else None
    public = {row.ip for row in associations(view, target.id)} if target else set()
    called = {*public, *target.ips, *target.ips6} if target else set()
    own = {*source.ips, *source.ips6} if source and source.source_dest_check else set()
    return frozenset(own), frozenset(called)


def _is_ipv6(view: View, path: NetworkInsightsPath) -> bool:
    """Whether the packet is one of IPv6, as one of the ends has no other addresses."""
    ends = (_interface(view, key) for key in (path.source, path.target) if key)
    return any(eni is not None and eni.ip is None for eni in ends)


def _without_address(view: View, path: NetworkInsightsPath) -> str | None:
    """The end that has no address of the other's IP version."""
    ipv6 = _is_ipv6(view, path)
    for key in filter(None, (path.source, path.target)):
        eni = _interface(view, key)
        if eni is not None and ipv6 and not eni.ips6:
            return key
    return None


def _own_address(eni: NetworkInterface, *, ipv6: bool) -> str:
    return eni.ips6[0] if ipv6 else eni.ipv4


def _answered(
    view: View, network: Network, path: NetworkInsightsPath, outside: InternetHost
) -> tuple[Port | None, Answer]:
    """Where the packet begins, and what becomes of it: the first port that works, or else one."""
    source = _interface(view, path.source)
    target = _target(view, path, source, outside)
    given = filters.source_ip(path, begins_outside=source is None)
    ipv6, somebody = bool(outside.ip6), outside.ip or outside.ip6
    own = given or (_own_address(source, ipv6=ipv6) if source else somebody)
    packet = Packet(own, target, PROTOCOLS[path.protocol], filters.client(path))
    if source is None:
        answers = (explain(network, outside, each) for each in _packets(network, path, packet))
        return None, told_anew(view, _best(answers))
    start = network.ports.get(source.id)
    if start is None:
        instance = source.attachment.instance if source.attachment else None
        first = next(_packets(network, path, packet))
        known = not_up(view, instance, first) if instance else None
        return None, known or _nowhere(source, first)
    if start.host == path.source:  # the host chooses, and the address with it
        start = network.egress(start.host, target) or start
        if given is None:
            packet = replace(packet, source=network.own_address(start, target) or own)
    answers = (explain(network, start, each) for each in _packets(network, path, packet))
    return start, told_anew(view, _best(answers))


def _best(answers: Iterable[Answer]) -> Answer:
    """The first answer that works; the first of all where none does."""
    first = None
    for answer in answers:
        if answer.works:
            return answer
        first = first or answer
    assert first is not None
    return first


def _nowhere(eni: NetworkInterface, packet: Packet) -> Answer:
    """An interface that is attached to nothing sends nothing."""
    said = f"{eni.id} is attached to no instance"
    code = Code.UNASSOCIATED_COMPONENT
    step = Step("send", eni.id, False, said, packet, packet, by=(eni.id,), code=code)
    return Answer(Trace([step], None, packet), None, "none", ())


def _is_end(view: View, key: str) -> bool:
    return isinstance(view.rows[key], ENDS)


def _about(code: Code, key: str) -> Shape:
    explained = {"ExplanationCode": str(code), "Component": {"Id": key}}
    return {"NetworkPathFound": False, "Explanations": [explained]}


def _unfound(code: Code, key: str) -> Shape:
    explained = {"ExplanationCode": str(code), "MissingComponent": key}
    return {"NetworkPathFound": False, "Explanations": [explained]}


# --- from a path to a packet --------------------------------------------------------------------
def _interface(view: View, key: str) -> NetworkInterface | None:
    """The interface that an end of a path means; None for an internet gateway."""
    if view.find(InternetGateway, key) is not None:
        return None
    if view.find(Instance, key) is not None:
        return next(iter(interfaces_of(view, key)), None)
    return view.find(NetworkInterface, key)


def _target(
    view: View, path: NetworkInsightsPath, source: NetworkInterface | None, outside: InternetHost
) -> str:
    """Where the packet goes: an address that the path gives, else that of its destination, which
    is the public one from outside of its VPC, if it has one."""
    given = filters.target_ip(path)
    if given:
        return given
    eni = _interface(view, path.target) if path.target else None
    if eni is None:
        return outside.ip or outside.ip6
    if outside.ip6:
        return _own_address(eni, ipv6=True)
    joined = source and (link(view, source.vpc, eni.vpc) or shared(view, source.vpc, eni.vpc))
    if source is not None and (source.vpc == eni.vpc or joined):
        return eni.ipv4
    return next((row.ip for row in associations(view, eni.id)), eni.ipv4)


def _outside(path: NetworkInsightsPath, *, ipv6: bool) -> InternetHost:
    """Whoever is meant on the internet."""
    begins = path.source.startswith(f"{InternetGateway.prefix}-")
    given = filters.source_ip(path, begins_outside=begins)
    if not begins:
        ends = path.target is None or path.target.startswith(f"{InternetGateway.prefix}-")
        given = filters.target_ip(path) if ends else None
    ips = ("", given or SOMEBODY6) if ipv6 else (given or SOMEBODY, "")
    return InternetHost("internet", *ips)


def _packets(network: Network, path: NetworkInsightsPath, packet: Packet) -> Iterator[Packet]:
    """The packet with each target port that may matter: the path's, or one of each kind that
    rules tell apart."""
    low, high = filters.target_ports(path)
    cuts = {low}
    for filter_ in network.filters.values():
        for rule in filter_.rules:
            if rule.ports and rule.protocol in (None, packet.protocol):
                cuts |= {cut for cut in (rule.ports[0], rule.ports[1] + 1) if low <= cut <= high}
    for port in sorted(cuts)[:MAX_PORTS]:
        yield replace(packet, target_port=port)


# --- filters ------------------------------------------------------------------------------------
def _filtered(found: Shape, filter_in: Sequence[str], filter_out: Sequence[str]) -> Shape:
    """The way only if it has the components of ``filter_in`` and none of ``filter_out``."""
    if not found["NetworkPathFound"]:
        return found
    on_the_way = ids(found)
    wanted = [arn for arn in filter_in if _id(arn) not in on_the_way]
    unwanted = [arn for arn in filter_out if _id(arn) in on_the_way]
    if not wanted and not unwanted:
        return found
    kept = Code.COMPONENT_FILTER_RESTRICTION
    removed = Code.COMPONENT_FILTER_RESTRICTION_REMOVED_COMPONENT
    explained = [
        {"ExplanationCode": str(code), "Component": {"Id": _id(arn), "Arn": arn}}
        for code, arns in ((kept, wanted), (removed, unwanted))
        for arn in arns
    ]
    return {"NetworkPathFound": False, "Explanations": explained}


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]
