"""The way of one pair's packets and of the answers, and the filters on it.

Where a packet goes depends on its addresses only, so the way is found once for all headers: it is
what the filters on it let pass.  The forwarding decisions are those of the data plane
(docs/dataplane.md), in the order in which a packet meets them.

What an untracked rule admits is taken for tracked.  AWS leaves flows untracked only where the same
groups let every answer pass, so it is the same to a client (EC2 User Guide, "Security group
connection tracking").  An instance that receives for others is where a way ends: whether it passes
packets on is in its kernel, not in the program.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from gureum.explain.walk import MAX_HOPS, RFC1918, RFC6598
from gureum.model.internet import PUBLIC, PUBLIC6
from gureum.program import Local, Target, ViaPeering, ViaPort, ViaTransit, ViaUplink
from gureum.reach.headers import HEADERS
from gureum.reach.line import OTHERS, PORTS, WHOLE, Ranges, intersection, without
from gureum.reach.places import Footing, Spot, Station
from gureum.reach.prefixes import Version, prefix, version_of
from gureum.reach.screens import Screen
from gureum.reach.state import State

_PRIVATE = tuple(prefix(cidr, 4) for cidr in (*RFC1918, RFC6598))
_PUBLIC = {4: prefix(PUBLIC, 4), 6: prefix(PUBLIC6, 6)}
_TRANSLATED = without(((0, OTHERS - 1),), HEADERS[4].never_first)
"""What a NAT gateway carries: TCP, UDP and ICMP, but no answer without its query."""
_BEGUN = without(WHOLE, HEADERS[6].never_first)
"""What an egress-only internet gateway lets out if it is the first of a flow."""
_LATE = without(_BEGUN, ((0, PORTS - 1),))
"""What it lets out of the answers to a flow that began elsewhere: of TCP none, for an answer begins
no connection (docs/dataplane.md)."""


class Part(NamedTuple):
    """A part of the internet: all of it where there are no ``blocks``, without those of ``but``; of
    several that contain an address the longest says whether it is meant."""

    blocks: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def __str__(self) -> str:
        whole = ", ".join(self.blocks) or "internet"
        return f"{whole} except {', '.join(self.but)}" if self.but else whole


class Node(NamedTuple):
    """An end of a pair.

    A ``port`` is an instance's interface: ``id`` is the interface's (``eni-…``), ``ip`` its
    primary private address of the IP version that is asked about.  An ``internet`` node is an
    address outside: ``id`` is the internet host's name, or ``internet`` for one that no host of the
    program has.  Where it stands for a part of the internet, ``part`` says for which.
    """

    kind: Literal["port", "internet"]
    id: str
    ip: str
    part: Part | None = None

    @property
    def version(self) -> Version:
        """The IP version of its address."""
        return version_of(self.ip)


class Check(NamedTuple):
    """A filter on the way, the peer that it sees, and the headers that it is asked about.

    These are all, except where an interface calls itself by its public address: connection
    tracking takes the packet that comes back for an answer if answers look the same.
    """

    screen: Screen
    peer: int
    scope: Ranges = WHOLE


@dataclass(slots=True)
class Way:
    """A way that packets take and answers come back on, filters aside.

    ``forth`` are the filters that see the packet, ``back`` those that see the answer; ``carried``
    and ``returned`` are the headers of packets and answers that the gateways on the way carry.
    ``end`` is the host that answers, empty for the internet.
    """

    forth: list[Check]
    back: list[Check]
    carried: Ranges
    returned: Ranges
    end: str


_Admission: TypeAlias = tuple[str, int, int, bool, bool]
"""A router, source and target, whether it was let in or out, and whether of the port that has the
address or of one that passes packets on for others (docs/dataplane.md, the bits of the mark)."""


@dataclass(slots=True)
class _Flow:
    """What the boxes on the way remember of the packet when the answer comes."""

    tracked: dict[_Admission, Ranges] = field(default_factory=dict)
    translated: dict[tuple[str, int, int], int] = field(default_factory=dict)
    begun: set[tuple[str, int, int]] = field(default_factory=set)
    zones: dict[tuple[str, int, int], str] = field(default_factory=dict)


def way(
    state: State, source: int, start: Station | None, target: int, outside: Collection[int]
) -> Way | None:
    """The way from a port (None: from the internet) to an address and back; None if there is none.

    ``outside`` are internet addresses that somebody has although no host of the program does.  The
    answer must come to the sender, from the address that was called: a client takes no other for
    an answer (RFC 9293, 3.10.7; a connected UDP socket, udp(7)).
    """
    flow = _Flow()
    forth = _Leg(state, flow, source, target, outside)
    there = forth.run(start)
    if there is None:
        return None
    if there and (there, forth.target) not in state.at_host:
        return None  # a middlebox, or a host that only passes packets on
    end = state.egress(there, forth.source) if there else None
    if there and end is None:
        return None  # it knows no way to who asked
    back = _Leg(state, flow, forth.target, forth.source, outside, answer=True)
    home = back.run(end)
    origin = start.host if start else ""
    if home != origin or back.source != target or back.target != source:
        return None
    return Way(forth.checks, back.checks, forth.carried, back.carried, there)


class _Leg:
    """One direction.  It ends at a host's id, at ``""`` for the internet, or nowhere (None)."""

    __slots__ = (
        "_answer", "_flow", "_hops", "_outside", "_state", "carried", "checks", "source", "target",
    )  # fmt: skip

    def __init__(
        self, state: State, flow: _Flow, source: int, target: int,
        outside: Collection[int], *, answer: bool = False,
    ) -> None:  # fmt: skip
        self.source, self.target = source, target
        self.checks: list[Check] = []
        self.carried = WHOLE
        self._state, self._flow, self._outside, self._answer = state, flow, outside, answer
        self._hops = 0

    def run(self, start: Station | None) -> str | None:
        """Go, from a port or from the internet."""
        return self._from_port(start) if start else self._on_internet()

    # --- from a port ---------------------------------------------------------------------------
    def _from_port(self, port: Station) -> str | None:
        state, place = self._state, port.place
        self._hops += 1
        if self._hops > MAX_HOPS:
            return None
        own = (port.host, self.target) in state.at_host
        if own and port.host not in state.translators:
            return port.host
        limits = state.limits.get(port.id)
        if limits and not limits.forwarding and self.source not in limits.addresses:
            return None
        if self.target & place.mask == place.base:
            other = state.stations.get((place.id, self.target))
            if other is None:
                return None
            self._group(port, inward=False)
            return self._to_port(other)
        self._group(port, inward=False)
        return self._routed(place)

    def _routed(self, spot: Spot) -> str | None:
        hop = self._state.route(spot, self.target)
        if not self._turns(spot, hop):
            self._acl(spot, 1, self.target)
        match hop:
            case Local():
                landed = spot if isinstance(spot, Footing) else None
                return self._connected(spot.router, landed)
            case ViaPort(port=key):
                port = self._state.ports.get(key)
                return self._into(port, spot) if port else None
            case ViaUplink(gateway=gateway):
                return self._out_of(gateway)
            case ViaPeering(peering=peering, router=far):
                link = self._state.links[peering]
                carried = link.carries(spot.router, self.source, self.target)
                return self._connected(far) if carried else None
            case ViaTransit(attachment=key):
                return self._through(spot, key)
        return None

    def _turns(self, spot: Spot, hop: Target | None) -> bool:
        """Whether a route leads back into the segment that the packet comes from, which it does not
        leave then."""
        if isinstance(hop, Local) and isinstance(spot, Footing):
            segments = self._state.segments.get(spot.router)
            there = segments.find(self.target) if segments else None
            return there is not None and there.id == spot.id
        port = self._state.ports.get(hop.port) if isinstance(hop, ViaPort) else None
        return port is not None and port.place.id == spot.id

    def _through(self, spot: Spot, attachment: str) -> str | None:
        """By an attachment into its transit gateway, and on from where it comes out of that."""
        self._hops += 1
        zone = self._state.leaves(spot, attachment)
        if zone is None or self._hops > MAX_HOPS:
            return None
        entered = self._state.feet.get(attachment, {}).get(zone)
        if entered:
            self._filtered(entered.router, entered.filter_in, self.source)
        landed = self._state.crosses(attachment, zone, self.target, self._began_in)
        return self._routed(landed) if landed else None

    def _began_in(self, transit: str, zone: str) -> str:
        """In which zone the flow came into a transit first; of a peering in none."""
        zones, ends = self._flow.zones, (self.source, self.target)
        known = zones.get((transit, *ends)) or zones.get((transit, *ends[::-1]))
        if not known:
            zones[transit, *ends] = zone
        return known or zone

    def _connected(self, router: str, begun: Spot | None = None) -> str | None:
        port = self._state.station_at(router, self.target)
        return self._into(port, begun) if port else None

    def _into(self, port: Station, begun: Spot | None) -> str | None:
        """Out of the router into a port's segment."""
        if begun is None or begun.id != port.place.id:
            self._acl(port.place, 0, self.source)
        return self._to_port(port)

    def _to_port(self, port: Station) -> str | None:
        limits = self._state.limits.get(port.id)
        self._group(port, inward=True)
        if limits is None or self.target in limits.addresses:
            return self._deliver(port)
        if not limits.forwarding:
            return None
        translator = self._state.translators.get(port.host)
        if translator is None:
            return port.host
        self._flow.translated[port.host, translator, self.target] = self.source
        self.carried = _TRANSLATED
        self.source = translator
        return self._from_port(port)

    def _deliver(self, port: Station) -> str | None:
        if port.host not in self._state.translators:
            return port.host
        # A NAT gateway takes answers only.
        before = self._flow.translated.get((port.host, self.target, self.source))
        if before is None or not self._answer:
            return None
        self.target = before
        return self._from_port(port)

    # --- filters -------------------------------------------------------------------------------
    def _group(self, port: Station, *, inward: bool) -> None:
        limits, router = self._state.limits.get(port.id), port.place.router
        key = (limits.filter_in if inward else limits.filter_out) if limits else None
        if limits is None or key is None:
            return
        own, peer = (self.target, self.source) if inward else (self.source, self.target)
        owner = own in limits.addresses
        known = self._flow.tracked.get((router, self.target, self.source, not inward, owner))
        scope = WHOLE
        if not self._answer:
            scope = HEADERS[self._state.version].paired if known else WHOLE
            self._flow.tracked[router, self.source, self.target, inward, owner] = scope
        elif known is WHOLE:
            return
        elif known:
            scope = HEADERS[self._state.version].alike
        self.checks.append(Check(self._state.screens[router, key], peer, scope))

    def _acl(self, spot: Spot, direction: int, peer: int) -> None:
        if isinstance(spot, Footing):
            keys = (spot.filter_in, spot.filter_out)
        else:
            keys = self._state.acls.get(spot.id, (None, None))
        self._filtered(spot.router, keys[direction], peer)

    def _filtered(self, router: str, key: str | None, peer: int) -> None:
        if key is not None:
            self.checks.append(Check(self._state.screens[router, key], peer))

    # --- gateways ------------------------------------------------------------------------------
    def _out_of(self, gateway: str) -> str | None:
        public = self._state.private.get((gateway, self.source))
        if public is None or self._private():
            return None
        if gateway in self._state.egress_only:
            self._flow.begun.add((gateway, self.source, self.target))
            let_out = _LATE if self._answer else _BEGUN
            self.carried = intersection(self.carried, let_out)
        self.source = public
        return self._on_internet()

    def _private(self) -> bool:
        """Whether the internet has no way to the target."""
        return self._state.version == 4 and any(
            self.target & mask == base for mask, base in _PRIVATE
        )

    def _on_internet(self) -> str | None:
        target, (mask, base) = self.target, _PUBLIC[self._state.version]
        if target in self._state.internet or target in self._outside:
            return ""
        if target & mask != base:
            return None
        if self._state.version == 6:
            return self._from_outside6()
        behind = self._state.public.get(target)
        if behind is None:
            return None
        self.target = behind.private
        return self._connected(behind.router)

    def _from_outside6(self) -> str | None:
        """Through the gateway that leads to the target's segment; addresses stay as they are."""
        way_in = self._state.ways_in.find(self.target)
        if way_in is None or (way_in.gateway, self.target) not in self._state.private:
            return None
        begun = (way_in.gateway, self.target, self.source) in self._flow.begun
        if way_in.gateway in self._state.egress_only and not begun:
            return None
        return self._connected(way_in.router)
