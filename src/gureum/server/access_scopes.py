"""Carries out the analyses of AWS's Network Access Analyzer: all ways that a scope looks for.

Which headers get from where to where is :mod:`gureum.reach`'s to say; the components of each way
found are those of a packet walked along it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import islice, product
from typing import Any

from gureum.explain import Network, Packet, explain
from gureum.explain.aws import Projection, ids
from gureum.explain.filters import is_group
from gureum.explain.packet import TCP, UDP
from gureum.kind import Shape
from gureum.model import View
from gureum.program import InternetHost, ViaUplink
from gureum.reach import VERSIONS, Cuts, Dual, Internet, Node, Span, Version
from gureum.reach.prefixes import NOWHERE, number, prefix
from gureum.resources.access_scope import TYPES, AccessScope, port_range
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.network_interface import NetworkInterface
from gureum.server.console_explain import PROTOCOLS

MAX_PAIRS = 50_000
"""Pairs looked at in one analysis: some seconds."""

MAX_FINDINGS = 500
"""Findings that are kept; AWS too keeps "a representative set"."""


@dataclass(frozen=True)
class _End:
    """An end of a way, and the resources that it is, is in or is of."""

    node: Node
    vpc: str | None
    resources: frozenset[str]


@dataclass(frozen=True)
class _Headers:
    """A range of headers between two ends: those of a span, with the addresses of the packet."""

    source: str
    target: str
    span: Span


def analyse(view: View, network: Network, reach: Dual, scope: AccessScope) -> Shape:
    """What :class:`gureum.resources.access_scope.AccessScopeAnalysis` keeps."""
    search = _Search(view, network, reach, scope)
    found = list(islice(search.findings(), MAX_FINDINGS + 1))
    warning = search.warning
    if len(found) > MAX_FINDINGS:
        warning = f"Only the first {MAX_FINDINGS} findings are kept."
    return {
        "AnalyzedEniCount": len({end.node.id for end in search.ends if end.node.kind == "port"}),
        "WarningMessage": warning,
        "findings": found[:MAX_FINDINGS],
    }


class _Search:
    def __init__(self, view: View, network: Network, reach: Dual, scope: AccessScope) -> None:
        self._view, self._network, self._reach = view, network, reach
        content = json.loads(scope.content)
        self._match: list[Shape] = content["MatchPaths"] or [{}]
        self._exclude: list[Shape] = content["ExcludePaths"]
        self._scope = scope
        self.ends = list(self._own())
        self.warning = ""

    def _own(self) -> Iterator[_End]:
        """The account's interfaces in the region that are up, and the internet, in both IP
        versions."""
        view, reach = self._view, self._reach
        for node in reach.nodes():
            if node.kind == "internet" and node.part is None:
                yield _End(node, None, frozenset())
            row = view.find(NetworkInterface, node.id)
            if row and (row.account, row.region) == (self._scope.account, self._scope.region):
                instance = (row.attachment.instance if row.attachment else None) or ""
                around = (row.id, instance, row.subnet, row.vpc, *row.groups)
                yield _End(node, row.vpc, frozenset(around))
        for version in VERSIONS:
            state = reach[version].state
            usual = number(reach[version].outside().ip)
            for node in Internet([state], self._cuts(version), usual).nodes():
                yield _End(node, None, frozenset())

    def _cuts(self, version: Version) -> Cuts:
        """What statements, rules and routes name: all addresses of a piece that these cut out of
        the internet are alike to them."""
        blocks = {*self._blocks(), *self._peers(), *self._destinations()}
        every = {block for ranges in self._network.ranges.values() for block in ranges}
        own = {prefix(block, 6) for block in every} if version == 6 else set()
        return Cuts({prefix(block, version) for block in blocks}, own - {NOWHERE})

    def _blocks(self) -> Iterator[str]:
        for path in (*self._match, *self._exclude):
            for name in ("SourceAddresses", "DestinationAddresses"):
                yield from (str(ip_network(text, strict=False)) for text in _all(path, name))

    def _peers(self) -> Iterator[str]:
        for filter_ in self._network.filters.values():
            yield from (rule.peer for rule in filter_.rules if not is_group(rule))

    def _destinations(self) -> Iterator[str]:
        for routes in self._network.routes.values():
            yield from (route.destination for route in routes)

    def findings(self) -> Iterator[list[Shape]]:
        """The components of each way that matches and is not excluded.  Pieces of the internet
        that come the same way by the same rules are one finding."""
        seen = set()
        for source, target in self._pairs():
            reach = self._reach.of(source.node)
            for span in reach.spans(source.node, target.node):
                if span.protocol not in (TCP, UDP):
                    continue
                for components in self._of(source, target, span):
                    said = _without_headers(components)
                    key = (reach.version, span.protocol, span.first, span.last, said)
                    if key not in seen:
                        seen.add(key)
                        yield components

    def _pairs(self) -> Iterator[tuple[_End, _End]]:
        """Those that may have a way between them and are looked for, as far as the ends tell."""
        ends = self._candidates("Source"), self._candidates("Destination")
        sides = ([[e for e in side if e.node.version == v] for side in ends] for v in VERSIONS)
        pairs = (pair for side in sides for pair in product(*side))
        for seen, (source, target) in enumerate(pairs):
            if seen == MAX_PAIRS:
                self.warning = f"Only {MAX_PAIRS} pairs were analysed; narrow the access scope."
                return
            inside = source.vpc is not None or target.vpc is not None
            if source is not target and inside and self._matching(source, target):
                yield source, target

    def _candidates(self, side: str) -> list[_End]:
        """The ends that some path may mean on a side, whatever is on the other."""
        wanted = [_resources(path.get(side)) for path in self._match]
        return [
            end
            for end in self.ends
            if end.vpc is None or any(_is_one(each, end.resources) for each in wanted)
        ]

    def _matching(self, source: _End, target: _End) -> list[Shape]:
        return [path for path in self._match if self._ends_match(path, source, target)]

    def _ends_match(self, path: Shape, source: _End, target: _End) -> bool:
        return all(
            _is_one(_resources(path.get(side)), self._around(side, end, other))
            for side, end, other in (
                ("Source", source, target),
                ("Destination", target, source),
            )
        )

    def _around(self, side: str, end: _End, other: _End) -> frozenset[str]:
        """An end on the internet is, for AWS, the gateway of the VPC at the other end; over IPv6,
        where that may have two, the one that leads to or from the other end's subnet."""
        if end.vpc is not None:
            return end.resources
        if end.node.version == 6:
            state = self._reach[6].state
            place = state.ports[other.node.id].place
            if side == "Source":
                return frozenset(filter(None, [state.entrances.get(place.id)]))
            hop = state.route(place, number(end.node.ip))
            return frozenset([hop.gateway] if isinstance(hop, ViaUplink) else ())
        gateways = self._view.referrers(other.vpc or "", InternetGateway)
        return frozenset(row.id for row in gateways)

    def _of(self, source: _End, target: _End, span: Span) -> Iterator[list[Shape]]:
        called = self._reach.of(source.node).called(source.node, target.node)
        assert called is not None, "or nothing would work"
        headers = _Headers(source.node.ip, called, span)
        excluding = [out for out in self._exclude if self._ends_match(out, source, target)]
        for path in self._matching(source, target):
            for packet in _packets(path, excluding, headers):
                out = [each for each in excluding if _admits(each, packet, certainly=True)]
                if any(not each.get("ThroughResources") for each in out):
                    continue
                components = self._walked(source, target, packet)
                if components is None or not _leads_through(path, components):
                    continue
                if not any(_leads_through(each, components) for each in out):
                    yield components
                    return

    def _walked(self, source: _End, target: _End, packet: Packet) -> list[Shape] | None:
        """The components of the way of a packet; None if it does not arrive."""
        network, start = self._network, self._network.ports.get(source.node.id)
        outside = packet.source if source.vpc is None else packet.target
        ips = (outside, "") if source.node.version == 4 else ("", outside)
        host = InternetHost("internet", *ips)
        if source.vpc is None or target.vpc is None:
            network = network.with_host(host)
        answer = explain(network, start or host, packet)
        if not answer.works:
            return None
        shown = Projection(self._view, network).analysis(answer, start)
        components: list[Shape] = shown["ForwardPathComponents"]
        return components


def _without_headers(components: list[Shape]) -> str:
    headers = ("InboundHeader", "OutboundHeader")
    bare = [{key: each[key] for key in each if key not in headers} for each in components]
    return json.dumps(bare, sort_keys=True)


# --- statements ---------------------------------------------------------------------------------
def _header(path: Shape, side: str) -> dict[str, Any]:
    found: dict[str, Any] = (path.get(side) or {}).get("PacketHeaderStatement") or {}
    return found


def _resources(statement: Shape | None) -> dict[str, Any]:
    found: dict[str, Any] = (statement or {}).get("ResourceStatement") or {}
    return found


def _is_one(wanted: dict[str, Any], around: frozenset[str]) -> bool:
    """Whether a resource statement means one of some resources; an empty one means any."""
    names = [text.rpartition("/")[2] for text in wanted.get("Resources", ())]
    begins = tuple(TYPES[text] for text in wanted.get("ResourceTypes", ()))
    if not names and not begins:
        return True
    return any(key in names or key.startswith(begins or ("\0",)) for key in around)


def _leads_through(path: Shape, components: list[Shape]) -> bool:
    on_the_way = frozenset(ids({"ForwardPathComponents": components}))
    return all(_is_one(_resources(each), on_the_way) for each in path.get("ThroughResources", ()))


def _packets(path: Shape, excluding: list[Shape], headers: _Headers) -> Iterator[Packet]:
    """One packet of each kind within some headers that a path means and exclusions tell apart."""
    span = headers.span
    assert span.protocol is not None
    cuts = {span.first} | _cuts(path, excluding, "DestinationPorts")
    callers: list[int | None] = [None]
    if any(_all(path, "SourcePorts")):
        callers = [*sorted(_cuts(path, excluding, "SourcePorts"))]
    for port in sorted(cut for cut in cuts if span.first <= cut <= span.last):
        for caller in callers:
            packet = Packet(headers.source, headers.target, span.protocol, caller, port)
            if _admits(path, packet):
                yield packet


def _cuts(path: Shape, excluding: list[Shape], name: str) -> set[int]:
    """Where ports begin that a path means, or that an exclusion does not mean any more."""
    begun = {port_range(text, name)[0] for text in _all(path, name)}
    return begun | {port_range(text, name)[1] + 1 for out in excluding for text in _all(out, name)}


def _all(path: Shape, name: str) -> Iterator[str]:
    for side in ("Source", "Destination"):
        yield from _header(path, side).get(name, ())


def _admits(path: Shape, packet: Packet, *, certainly: bool = False) -> bool:
    """Whether both header statements of a path mean a packet.  One without a source port stands
    for many clients: some of them are meant, but ``certainly`` not all."""
    values = (
        ("SourceAddresses", packet.source),
        ("DestinationAddresses", packet.target),
        ("SourcePorts", packet.source_port),
        ("DestinationPorts", packet.target_port),
        ("Protocols", packet.protocol),
    )
    return all(
        _in(name, value, wanted) if value is not None else not certainly
        for side in ("Source", "Destination")
        for name, value in values
        if (wanted := _header(path, side).get(name))
    )


def _in(name: str, value: str | int, wanted: list[str]) -> bool:
    if isinstance(value, str):
        address = ip_address(value)
        return any(address in ip_network(text, strict=False) for text in wanted)
    if name == "Protocols":
        return value in (PROTOCOLS[text] for text in wanted)
    return any(first <= value <= last for first, last in (port_range(t, name) for t in wanted))
