"""Who reaches whom, for the console: all pairs at once, kept from question to question."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, overload

from gureum.errors import ApiError
from gureum.explain.packet import ECHO, ECHO_V6, ICMP, ICMPV6, protocol_name
from gureum.kind import Shape
from gureum.model import View
from gureum.reach import (
    VERSIONS,
    Dual,
    Node,
    Part,
    Piece,
    Reach,
    Span,
    Verdict,
    Version,
    differences,
    is_outward,
)
from gureum.resources.instance import Instance
from gureum.resources.network_interface import NetworkInterface
from gureum.server import places
from gureum.server.console_explain import INTERNET, header
from gureum.server.networks import Networks
from gureum.server.places import Scope
from gureum.server.unseen import notes

KEPT = 20
"""Revisions that are kept to be compared with, while the daemon runs."""

Header = tuple[int, int | tuple[int, int] | None]


class Reaches:
    """Answers who reaches whom, now and at revisions that were kept."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._kept: dict[int, tuple[View, Dual]] = {}

    def __call__(self, scope: Scope, asked: Mapping[str, Any]) -> Shape:
        """Who reaches whom: from a place, to a place, or both, with a header or any, over both IP
        versions or the one that is asked for; ``notes`` say what was not looked at.

        Raises:
            ApiError: the codes of :mod:`gureum.server.places`; ``BadRequest``, ``NoAddress``.
        """
        ends = asked.get("source"), asked.get("target")
        what, versions = _header(asked), _versions(asked)
        if not any(ends):
            raise ApiError("BadRequest", "Say from where, to where, or both.")
        found = []
        with self._networks.reach(scope.view) as both:
            nodes = [nodes_named(scope, both, each) if each else None for each in ends]
            _some(ends, nodes, versions)
            for version in versions:
                reach, meant = both[version], what and of_version(what, version)
                sources, targets = (_of(each, version) for each in nodes)
                for pair in _pairs(scope, reach, sources, targets, meant):
                    found += _shown(scope, reach, *pair, meant)
        return {"pairs": found, "notes": notes(scope) if 6 in versions else []}

    def keep(self, scope: Scope) -> Shape:
        """Keep the reachability of this revision to compare later ones with; the oldest of
        ``KEPT`` goes."""
        with self._networks.reach(scope.view) as reach:
            self._kept.setdefault(scope.view.revision, (scope.view, reach.snapshot()))
            while len(self._kept) > KEPT:
                del self._kept[min(self._kept)]
            return {"revision": scope.view.revision}

    def changes(self, scope: Scope, asked: Mapping[str, Any]) -> Shape:
        """Which pairs differ between a kept revision and another, or now.

        Raises:
            ApiError: ``RevisionNotKept``.
        """
        with self._networks.reach(scope.view) as reach:
            before, older = self._of(asked.get("since"))
            after, newer = scope.view, reach
            if asked.get("until") is not None:
                after, newer = self._of(asked["until"])
            views = (after, before)
            found: list[Shape] = [
                {
                    "version": each.source.version,
                    "source": end_shown(scope, each.source, views),
                    "target": end_shown(scope, each.target, views),
                    "before": [_span(span) for span in each.before],
                    "after": [_span(span) for span in each.after],
                }
                for each in differences(older, newer)
                if all(_mine(scope, end, views) for end in (each.source, each.target))
            ]
        found.sort(
            key=lambda each: (each["source"]["name"], each["target"]["name"], each["version"])
        )
        return {"since": before.revision, "until": after.revision, "pairs": found}

    def _of(self, revision: object) -> tuple[View, Dual]:
        if not isinstance(revision, int) or revision not in self._kept:
            kept = ", ".join(map(str, sorted(self._kept))) or "none"
            said = f"Revision {revision} is not kept; kept are: {kept}."
            raise ApiError("RevisionNotKept", said, 404)
        return self._kept[revision]


def _pairs(
    scope: Scope,
    reach: Reach,
    sources: list[Node] | None,
    targets: list[Node] | None,
    what: Header | None,
) -> Iterable[tuple[Node, Node]]:
    """The pairs to look at: an end that was not asked for is anybody of the scope."""
    if sources is not None and targets is not None:
        return ((a, b) for a in sources for b in targets if a != b)
    if sources is not None:
        found = ((a, b) for a in sources for b in _targets(reach, a, what) if a != b)
        return (pair for pair in found if _mine(scope, pair[1]) and "port" in _kinds(pair))
    found = ((a, b) for b in targets or () for a in _sources(reach, b, what) if a != b)
    return (pair for pair in found if _mine(scope, pair[0]) and "port" in _kinds(pair))


def _targets(reach: Reach, source: Node, what: Header | None) -> Iterable[Node]:
    """Whom a node may reach; the internet as one node."""
    if what is None:
        return reach.nodes()
    if source.part is not None:
        return [each.target for each in reach.exposed(*what, within=source.part)]
    return _as_one(reach, reach.targets(source, *what))


def _sources(reach: Reach, target: Node, what: Header | None) -> Iterable[Node]:
    """Who may reach a node; the internet as one node."""
    return _as_one(reach, reach.sources(target, *what)) if what else reach.nodes()


def _as_one(reach: Reach, nodes: Iterable[Node]) -> Iterable[Node]:
    return dict.fromkeys(reach.outside() if node.part is not None else node for node in nodes)


def _kinds(pair: tuple[Node, Node]) -> set[str]:
    return {node.kind for node in pair}


def _mine(scope: Scope, node: Node, views: Iterable[View] = ()) -> bool:
    """Whether a node is the internet's, or the account's in the region; a view that has it
    knows."""
    found = (view.find(NetworkInterface, node.id) for view in views or (scope.view,))
    row = next((each for each in found if each), None)
    return row is None or (row.account, row.region) == (scope.account, scope.region)


def nodes_named(scope: Scope, both: Dual, text: str) -> list[Node]:
    """The nodes that a name means: all interfaces of an instance, in both IP versions; an address
    means those of its own.  An address or a block of the internet that nobody here has is a part of
    that.

    Raises:
        ApiError: the codes of :mod:`gureum.server.places`.
    """
    if text == INTERNET:
        return [both[version].outside() for version in VERSIONS]
    eni = scope.view.find(NetworkInterface, text)
    if eni is not None:
        return _up(both, [eni.id])
    try:
        place = places.resolve(scope, text, (places.INSTANCE, places.INTERNET_HOST))
    except ApiError as error:
        found = part_of_internet(text) if error.code == "NoSuchPlace" else None
        if found is None:
            raise
        return [found]
    if place.kind == places.INTERNET_HOST:
        nodes = [both[6 if ":" in ip else 4].outside(ip) for ip in place.addresses if ip]
    else:
        rows = scope.view.referrers(places.in_use(place).id, NetworkInterface)
        nodes = _up(both, sorted({row.id for row in rows if row.host == place.id}))
    if places.is_address(text):
        return _of(nodes, 6 if ":" in text else 4)
    return nodes


def part_of_internet(text: str) -> Node | None:
    """The part of the internet that an address or a block is; None where it is none."""
    try:
        block = ip_network(text)
    except ValueError:
        return None
    if not is_outward(str(block)):
        return None
    part = Part((str(block),))
    return Node("internet", str(part), str(block[0]), part)


def _up(both: Dual, keys: list[str]) -> list[Node]:
    """Interfaces as nodes, in the IP versions of which they have addresses."""
    for key in keys:
        if not any(key in both[version].state.primary for version in VERSIONS):
            raise ApiError("NotRunning", f"{key} is not up.", 409)
    return [
        both[version].node(key)
        for version in VERSIONS
        for key in keys
        if key in both[version].state.primary
    ]


@overload
def _of(nodes: list[Node], version: Version) -> list[Node]: ...
@overload
def _of(nodes: None, version: Version) -> None: ...
def _of(nodes: list[Node] | None, version: Version) -> list[Node] | None:
    """The nodes that are of an IP version."""
    return None if nodes is None else [node for node in nodes if node.version == version]


def _some(
    ends: Iterable[str | None], nodes: Iterable[list[Node] | None], versions: Sequence[Version]
) -> None:
    """Refuse ends that have no address of any version that is asked for.

    Raises:
        ApiError: ``NoAddress``.
    """
    for text, found in zip(ends, nodes, strict=True):
        if found is not None and not any(node.version in versions for node in found):
            raise ApiError("NoAddress", f"{text} has no IPv{versions[0]} address.", 409)


# --- words --------------------------------------------------------------------------------------
def _shown(
    scope: Scope, reach: Reach, source: Node, target: Node, what: Header | None
) -> list[Shape]:
    """What works between two ends, if anything does: of the internet once for all pieces for which
    the same works."""
    outward = target.part is not None
    part = target.part if outward else source.part
    port = source if outward else target
    if part is None:
        found = [(source, target, _spans(reach, source, target, what))]
    elif port.kind != "port" or (not outward and reach.called(source, port) is None):
        return []
    else:
        outside = reach.internet(port.id, part)
        alike: dict[str, tuple[list[Piece], list[Shape]]] = {}
        for piece in outside.pieces:
            stranger = outside.node([piece])
            spans = _spans(reach, *((port, stranger) if outward else (stranger, port)), what)
            alike.setdefault(json.dumps(spans), ([], spans))[0].append(piece)
        some = [(outside.node(pieces), spans) for pieces, spans in alike.values()]
        found = [(port, it, spans) if outward else (it, port, spans) for it, spans in some]
    return [
        {
            "version": one.version,
            "source": end_shown(scope, one),
            "target": end_shown(scope, other),
            "spans": spans,
        }
        for one, other, spans in found
        if spans
    ]


def _spans(reach: Reach, source: Node, target: Node, what: Header | None) -> list[Shape]:
    if what is None:
        return [_span(each) for each in reach.spans(source, target)]
    verdict = reach.point(source, target, *what)
    by = list(reach.why(source, target, *what))
    return [_one(what, verdict) | {"by": by}] if verdict.works else []


def end_shown(scope: Scope, node: Node, views: Iterable[View] = ()) -> Shape:
    """A node in words: an interface is called after the instance that has it, or that had it in
    the first view that knows of one.  Of a part of the internet ``ip`` is one of its addresses."""
    name = node.id
    for view in views or (scope.view,):
        row = view.find(NetworkInterface, node.id)
        holder = view.find(Instance, row.attachment.instance) if row and row.attachment else None
        if holder:
            name = holder.tag("Name") or holder.id
            break
    shown = {"kind": node.kind, "id": node.id, "name": name, "ip": node.ip}
    if node.part is None:
        return shown
    return shown | {"blocks": list(node.part.blocks), "except": list(node.part.but)}


def _span(span: Span) -> Shape:
    name = protocol_name(span.protocol) if span.protocol is not None else "other"
    return {
        "protocol": name,
        "first": span.first,
        "last": span.last,
        "extent": span.verdict.extent,
        "client_ports": [list(each) for each in span.verdict.clients],
    }


def _one(what: Header, verdict: Verdict) -> Shape:
    protocol, detail = what
    at = detail[0] * 256 + detail[1] if isinstance(detail, tuple) else detail
    at = protocol if at is None else at
    name = protocol_name(protocol) if detail is not None else "other"
    return {
        "protocol": name,
        "first": at,
        "last": at,
        "extent": verdict.extent,
        "client_ports": [list(each) for each in verdict.clients],
    }


def of_version(what: Header, version: Version) -> Header:
    """A header as it is in an IP version: ICMP is ICMPv6, and a ping one of that."""
    protocol, detail = what
    if version == 6 and protocol in (ICMP, ICMPV6):
        return ICMPV6, (ECHO_V6, 0) if detail in (None, (ECHO, 0)) else detail
    return what


def _versions(asked: Mapping[str, Any]) -> Sequence[Version]:
    """The IP versions that were asked about: both unless one is given.

    Raises:
        ApiError: ``BadRequest``.
    """
    given = asked.get("version")
    if given is None:
        return VERSIONS
    if given not in VERSIONS:
        raise ApiError("BadRequest", "The version is 4 or 6.")
    return (given,)


def _header(asked: Mapping[str, Any]) -> Header | None:
    """The header that was asked about, None for any."""
    if asked.get("protocol") is None:
        return None
    protocol, port, icmp = header(asked)
    return protocol, port if icmp is None else icmp
