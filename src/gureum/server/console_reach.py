"""Who reaches whom, for the console: all pairs at once, kept from question to question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

from gureum.errors import ApiError
from gureum.explain.packet import ECHO, ECHO_V6, ICMP, ICMPV6, protocol_name
from gureum.kind import Shape
from gureum.model import View
from gureum.reach import VERSIONS, Dual, Node, Reach, Span, Verdict, Version, differences
from gureum.resources.instance import Instance
from gureum.resources.network_interface import NetworkInterface
from gureum.server import places
from gureum.server.console_explain import INTERNET, header
from gureum.server.networks import Networks
from gureum.server.places import Scope

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
        versions or the one that is asked for.

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
                pairs = list(_pairs(scope, reach, sources, targets, meant))
                found += [_shown(scope, reach, *pair, meant) for pair in pairs]
        return {"pairs": [each for each in found if each["spans"]]}

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
        found = (
            (a, b)
            for a in sources
            for b in (reach.targets(a, *what) if what else reach.nodes())
            if a != b
        )
        return (pair for pair in found if _mine(scope, pair[1]) and "port" in _kinds(pair))
    found = (
        (a, b)
        for b in targets or ()
        for a in (reach.sources(b, *what) if what else reach.nodes())
        if a != b
    )
    return (pair for pair in found if _mine(scope, pair[0]) and "port" in _kinds(pair))


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
    means those of its own.

    Raises:
        ApiError: the codes of :mod:`gureum.server.places`.
    """
    if text == INTERNET:
        return [both[version].outside() for version in VERSIONS]
    eni = scope.view.find(NetworkInterface, text)
    if eni is not None:
        return _up(both, [eni.id])
    place = places.resolve(scope, text, (places.INSTANCE, places.INTERNET_HOST))
    if place.kind == places.INTERNET_HOST:
        found = [both[6 if ":" in ip else 4].outside(ip) for ip in place.addresses if ip]
    else:
        rows = scope.view.referrers(places.in_use(place).id, NetworkInterface)
        found = _up(both, sorted({row.id for row in rows if row.host == place.id}))
    if places.is_address(text):
        return _of(found, 6 if ":" in text else 4)
    return found


def _up(both: Dual, keys: list[str]) -> list[Node]:
    """Interfaces as nodes.  Each has an address of IPv4; those that are none's over IPv6 have none
    of that."""
    for key in keys:
        if key not in both[4].state.primary:
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
def _shown(scope: Scope, reach: Reach, source: Node, target: Node, what: Header | None) -> Shape:
    if what is None:
        spans = [_span(each) for each in reach.spans(source, target)]
        return {
            "version": source.version,
            "source": end_shown(scope, source),
            "target": end_shown(scope, target),
            "spans": spans,
        }
    verdict = reach.point(source, target, *what)
    spans = [_one(what, verdict) | {"by": list(reach.why(source, target, *what))}]
    return {
        "version": source.version,
        "source": end_shown(scope, source),
        "target": end_shown(scope, target),
        "spans": spans if verdict.works else [],
    }


def end_shown(scope: Scope, node: Node, views: Iterable[View] = ()) -> Shape:
    """A node in words: an interface is called after the instance that has it, or that had it in
    the first view that knows of one."""
    name = node.id
    for view in views or (scope.view,):
        row = view.find(NetworkInterface, node.id)
        holder = view.find(Instance, row.attachment.instance) if row and row.attachment else None
        if holder:
            name = holder.tag("Name") or holder.id
            break
    return {"kind": node.kind, "id": node.id, "name": name, "ip": node.ip}


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
