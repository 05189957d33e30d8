"""Explains packets for the console: from places to ports and back to words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, asdict, dataclass, replace
from typing import Any

from gureum.engines import Engine
from gureum.errors import ApiError
from gureum.explain import (
    Answer,
    Fix,
    Listener,
    Network,
    Packet,
    arrival,
    explain,
    fixes,
    heard,
    not_up,
    told_anew,
)
from gureum.explain.aws import Projection
from gureum.explain.codes import Code
from gureum.explain.inner import Inside
from gureum.explain.network import contains
from gureum.explain.osi import HIGHEST, devices
from gureum.explain.packet import ECHO, ECHO_V6, ICMP, ICMPV6, TCP, UDP
from gureum.explain.steps import Step, Trace
from gureum.kind import Shape
from gureum.program import InternetHost as Outside
from gureum.program import Port
from gureum.reach import is_outward
from gureum.resources.internet_host import ME, InternetHost
from gureum.resources.network_interface import NetworkInterface, interfaces_of
from gureum.server import explain_inner, places
from gureum.server.networks import Networks
from gureum.server.places import Place, Scope

INTERNET = "internet"
"""Anybody on the internet."""

PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}


@dataclass(frozen=True)
class Question:
    """A packet between two places, by the names that people use.

    ``protocol`` is a number, ``port`` for TCP and UDP, ``icmp`` type and code; the source address
    is the place's own unless ``spoofed`` is another.  ``ipv6`` means IPv6 where names leave it
    open; a ping is one of ICMPv6 then.  ``supposed`` is an address of the internet that somebody is
    supposed to have.  ``source_port`` is the client's port of TCP or UDP; None stands for each that
    a client may call from.
    """

    source: str
    target: str
    protocol: int
    port: int | None = None
    icmp: tuple[int, int] | None = None
    _: KW_ONLY
    spoofed: str | None = None
    ipv6: bool = False
    supposed: str | None = None
    source_port: int | None = None

    @property
    def version(self) -> int:
        """The IP version that is meant where names are given."""
        return 6 if self.ipv6 or ":" in (self.spoofed or "") else 4


@dataclass(frozen=True)
class Explained:
    """A question answered.  ``source`` is the place and ``start`` where the packet begins (None
    where that is not up), ``address`` where it goes, ``place`` who that is, if it was named;
    ``network`` is what it was answered from, ``source_port`` the client's port that was asked about
    (None: all of them); ``begin`` and ``end`` are the parts of the way inside the instances of a
    container that sends, or to which a published port leads."""

    network: Network
    source: Place
    start: Port | Outside | None
    address: str
    place: Place | None
    answer: Answer
    source_port: int | None = None
    begin: Inside | None = None
    end: Inside | None = None


class Explainer:
    """Answers questions about packets."""

    def __init__(
        self, networks: Networks, engine: Engine, net: explain_inner.Net = explain_inner.no_net
    ) -> None:
        self._networks = networks
        self._engine = engine
        self._net: explain_inner.Net = net

    def network(self, scope: Scope) -> Network:
        """The network at the scope's revision."""
        return self._networks.at(scope.view)

    def __call__(self, scope: Scope, question: Question) -> Explained:
        """What becomes of a packet from one place to another, and of the answer.

        Raises:
            ApiError: the codes of :mod:`gureum.server.places`.
        """
        name, box = explain_inner.named(scope, question.source)
        question = replace(question, source=name)
        network = self.network(scope)
        source = _source(scope, network, question.source)
        version = 6 if source.ipv6_only else question.version
        address, aim = _aim(scope, source, question.target, version)
        if question.spoofed and (":" in question.spoofed) != (":" in address):
            raise ApiError("BadRequest", f"Nobody sends from {question.spoofed} to {address}.")
        for ip in {question.supposed, source.id if source.kind == places.STRANGER else None}:
            network = network.with_host(_somebody_at(ip)) if ip else network
        start, own = _begin(scope, network, source, question.source, address)
        packet = _packet(question, question.spoofed or own, address)
        if start is None:
            answer = not_up(scope.view, source.id, packet)
            if answer is None:
                raise _not_sent(source, address)
            return Explained(network, source, None, address, aim, answer, question.source_port)
        answer = told_anew(scope.view, explain(network, start, packet))
        if aim is not None and aim.kind == places.INSTANCE and aim.public is None:
            answer = _unmapped(scope, aim, answer)
        answer, end = explain_inner.into(scope.view, answer, self._net)
        begin = explain_inner.out_of(scope.view, box, packet) if box else None
        answer, port = answer if end else self._heard(answer), question.source_port
        return Explained(network, source, start, address, aim, answer, port, begin, end)

    def _heard(self, answer: Answer) -> Answer:
        host = answer.forth.arrived
        if arrival(answer) is None or host is None:
            return answer
        try:
            rows = self._engine.tables("socket", host)
        except LookupError:  # not there yet
            return answer
        return heard(
            answer,
            [
                Listener(str(row["protocol"]), str(row["address"]), int(row["port"]))
                for row in rows
                if row["state"] == "listening"
            ],
        )


def _source(scope: Scope, network: Network, text: str) -> Place:
    """Who sends: a place, or somebody who has an address of the internet that is nobody's here."""
    try:
        return _place(scope, text)
    except ApiError as error:
        if error.code != "NoSuchPlace" or not places.is_address(text) or not is_outward(text):
            raise
        if any(contains(block, text) for blocks in network.ranges.values() for block in blocks):
            raise
    v6 = ":" in text
    public, ipv6 = (None, text) if v6 else (text, None)
    return Place(places.STRANGER, text, text, public=public, addresses=(text,), ipv6=ipv6)


def _not_sent(source: Place, address: str) -> ApiError:
    """Why a place sends nothing to an address: it is not up, or its default route would be that of
    an interface without an address of the IP version."""
    if source.state != "running":
        return ApiError("NotRunning", f"The {source} is {source.state or 'not up'}.", 409)
    version = 6 if ":" in address else 4
    said = f"The {source} has no way to {address}: its first interface has no IPv{version} address."
    return ApiError("NoAddress", said, 409)


def _somebody_at(ip: str) -> Outside:
    return Outside(ip, "", ip) if ":" in ip else Outside(ip, ip)


def _place(scope: Scope, text: str) -> Place:
    """The place that a name or the id of a network interface means.

    ``internet``, and an internet gateway, stand for a host of the internet that is nobody special.
    """
    eni = scope.view.find(NetworkInterface, text)
    if eni is not None and eni.attachment and eni.attachment.instance:
        text = eni.attachment.instance
    if text == INTERNET:
        return _somebody(scope)
    place = places.resolve(scope, text, (*places.STATIONS, places.INTERNET_GATEWAY))
    return _somebody(scope) if place.kind == places.INTERNET_GATEWAY else place


def _somebody(scope: Scope) -> Place:
    """The first host of the internet that is not the user's own."""
    hosts = (row.name for row in scope.view.all(InternetHost) if row.name != ME)
    name = min(hosts, default=ME)
    return places.resolve(scope, name, (places.INTERNET_HOST,))


def _packet(question: Question, source: str, target: str) -> Packet:
    """The packet of a question; to an IPv6 address ICMP is ICMPv6."""
    protocol, icmp = question.protocol, question.icmp
    if ":" in target and protocol == ICMP:
        protocol = ICMPV6
        icmp = (ECHO_V6, 0) if icmp == (ECHO, 0) else icmp
    ports = question.source_port, question.port
    return Packet(source, target, protocol, *ports, icmp=icmp)


def _aim(scope: Scope, source: Place, text: str, version: int) -> tuple[str, Place | None]:
    """Where to send.  Somebody without a public address is meant by the private one: that this
    does not work from outside is what the explanation says."""
    eni = scope.view.find(NetworkInterface, text)
    if eni is not None:
        return _address(eni, version), None
    if text == INTERNET:
        somebody = _somebody(scope)
        return (places.ipv6_of(somebody) if version == 6 else somebody.public or ""), somebody
    try:
        found = places.target(scope, source, text, version)
    except ApiError as error:
        if error.code != "NoAddress":
            raise
        place = places.resolve(scope, text, places.STATIONS)
        if place.private is None or version == 6 or source.ipv6_only:
            raise
        return place.private, place
    if not places.is_address(found.address):
        raise ApiError("NoAddress", f"'{text}' is no place in the cloud.", 404)
    return found.address, found.place


def _address(eni: NetworkInterface, version: int) -> str:
    """The interface's address of an IP version; an IPv6-only one's is of IPv6."""
    if version == 4 and eni.ip is not None:
        return eni.ip
    if not eni.ips6:
        raise ApiError("NoAddress", f"{eni.id} has no IPv6 address.", 409)
    return eni.ips6[0]


def _begin(
    scope: Scope, network: Network, place: Place, text: str, target: str
) -> tuple[Port | Outside | None, str]:
    version = 6 if ":" in target else 4
    if place.kind in (places.INTERNET_HOST, places.STRANGER):
        host = network.named(place.host)
        ip = (host.ip6 if version == 6 else host.ip) if host else ""
        return host, ip
    eni = scope.view.find(NetworkInterface, text)
    if eni is not None and (version == 6 or eni.ip is not None):
        return network.ports.get(eni.id), _address(eni, version)
    port = network.egress(place.host, target)
    own = network.own_address(port, target) if port else None
    if network.port_with(place.host, target):
        own = target  # to itself, from the same address (ip(7))
    return port, own or places.own_address(place, version)


def _unmapped(scope: Scope, aim: Place, answer: Answer) -> Answer:
    """Say of whom a private address is that the internet does not know."""
    eni = next(iter(interfaces_of(scope.view, aim.id)), None)
    for index, step in enumerate(answer.forth.steps):
        if step.code is Code.IGW_EXPECTS_PUBLIC_ADDRESS and eni is not None:
            said = f"{step.said}; {aim} has no public address"
            code = Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS
            answer.forth.steps[index] = Step(
                step.kind, step.place, False, said, step.packet, step.after, (eni.id,), code=code
            )
    return answer


# --- words --------------------------------------------------------------------------------------
def shown(scope: Scope, found: Explained) -> Shape:
    """An explanation as JSON."""
    answer = found.answer
    return {
        "source": found.source.shown(),
        "address": found.address,
        "place": found.place.shown() if found.place else None,
        "works": answer.works,
        "reach": answer.reach,
        "listening": answer.heard,
        "source_port": found.source_port,
        "client_ports": [list(each) for each in answer.ports],
        "drawn_ports": [list(each) for each in answer.drawn],
        "forth": _whole(found, answer.forth),
        "back": _whole(found, answer.back) if answer.back else None,
        "others": [_trace(each) for each in answer.others or () if each],
        "fixes": [_fix(each) for each in fixes(scope.view, answer)],
    }


def start_of(found: Explained) -> Port | Outside:
    """Where a packet of an explanation can be sent from.

    Raises:
        ApiError: ``BadRequest`` where the sender is nobody here, ``NotRunning`` where it is not up.
    """
    if found.source.kind == places.STRANGER:
        said = f"Nobody here has {found.source.id}: nothing can be sent from it."
        raise ApiError("BadRequest", said)
    if found.start is None:
        raise ApiError("NotRunning", f"The {found.source} sends nothing: it is not up.", 409)
    return found.start


def as_aws(scope: Scope, found: Explained) -> Shape:
    """An explanation as AWS's Reachability Analyzer would give it (``NetworkInsightsAnalysis``)."""
    start = found.start if isinstance(found.start, Port) else None
    return Projection(scope.view, found.network).analysis(found.answer, start)


def steps(found: Shape) -> Iterator[Shape]:
    """All steps of an explanation as JSON."""
    for trace in (found["forth"], found["back"], *found["others"]):
        yield from trace["steps"] if trace else ()


def _fix(fix: Fix) -> Shape:
    return {"said": fix.said, "commands": list(fix.commands)}


def _whole(found: Explained, trace: Trace) -> dict[str, Any]:
    """A way with its parts inside instances."""
    parts = {part: [_step(each) for each in steps] for part, steps in _inner(found, trace)}
    way = _trace(trace)
    steps = [*parts.get("first", ()), *way["steps"], *parts.get("last", ())]
    return way | {"steps": steps, "devices": _devices(found, trace)}


def _inner(found: Explained, trace: Trace) -> Iterator[tuple[str, tuple[Step, ...]]]:
    if not trace.passed:  # it ends on its way, or never begins
        if trace is found.answer.forth and found.begin:
            yield "first", found.begin.forth
        return
    forth = trace is found.answer.forth
    first, last = (found.begin, found.end) if forth else (found.end, found.begin)
    if first:
        yield "first", first.forth if forth else first.back
    if last:
        yield "last", last.forth if forth else last.back


def _trace(trace: Trace) -> dict[str, Any]:
    return {
        "passed": trace.passed,
        "arrived": trace.arrived,
        "steps": [_step(step) for step in trace.steps],
    }


def _devices(found: Explained, trace: Trace) -> list[dict[str, Any]]:
    """The way as the OSI model sees it."""
    forth = trace is found.answer.forth
    start = found.start.host if isinstance(found.start, Port) else found.source.host
    begin = start if forth else found.answer.forth.arrived
    if not trace.steps or begin is None:
        return []
    way = devices(found.network, begin, trace.steps[0].packet, trace)
    return [asdict(each) | {"layer": HIGHEST[each.kind]} for each in way]


def _step(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "layer": step.layer,
        "place": step.place,
        "passed": step.passed,
        "said": step.said,
        "code": step.code.value if step.code else None,
        "by": list(step.by),
        "direction": step.direction,
        "tried": [asdict(each) for each in step.tried],
        "packet": asdict(step.packet),
        "after": asdict(step.after),
        "frame": list(step.frame) if step.frame else None,
    }


# --- questions ----------------------------------------------------------------------------------
def question(body: Mapping[str, Any]) -> Question:
    """The question in a request's body.

    Raises:
        ApiError: ``BadRequest``.
    """
    source, target = body.get("source"), body.get("target")
    if not isinstance(source, str) or not isinstance(target, str):
        raise ApiError("BadRequest", "A question needs a source and a target.")
    spoofed = body.get("source_ip")
    if spoofed is not None and not (isinstance(spoofed, str) and places.is_address(spoofed)):
        raise ApiError("BadRequest", "source_ip must be an IP address.")
    protocol, port, icmp = header(body)
    return Question(
        source, target, protocol, port, icmp, spoofed=spoofed, ipv6=bool(body.get("ipv6")),
        source_port=_source_port(body.get("source_port"), protocol),
    )  # fmt: skip


def _source_port(value: Any, protocol: int) -> int | None:
    if value is None:
        return None
    if protocol not in (TCP, UDP):
        raise ApiError("BadRequest", "Only TCP and UDP have a source port.")
    if type(value) is not int or not 1 <= value <= 65535:
        raise ApiError("BadRequest", "source_port must be a port, 1 to 65535.")
    return value


def header(body: Mapping[str, Any]) -> tuple[int, int | None, tuple[int, int] | None]:
    """The protocol, port, and ICMP type and code in a request's body.

    Raises:
        ApiError: ``BadRequest``.
    """
    protocol, port = body.get("protocol"), body.get("port")
    number = PROTOCOLS.get(protocol, protocol) if isinstance(protocol, str) else protocol
    if not isinstance(number, int) or not 0 <= number <= 255:
        raise ApiError("BadRequest", "The protocol must be tcp, udp, icmp or a number to 255.")
    if (number in (TCP, UDP)) != isinstance(port, int):
        raise ApiError("BadRequest", "TCP and UDP need a port, other protocols take none.")
    if port is not None and not 0 <= port <= 65535:
        raise ApiError("BadRequest", "Ports go to 65535.")
    icmp = _icmp(body.get("icmp")) if number == ICMP else None
    return number, port, icmp


def _icmp(value: Any) -> tuple[int, int]:
    if value is None:
        return ECHO, 0
    whole = isinstance(value, list) and [type(each) for each in value] == [int, int]
    if not whole or not all(0 <= each <= 255 for each in value):
        raise ApiError("BadRequest", "icmp must be a type and a code, each to 255.")
    return value[0], value[1]
