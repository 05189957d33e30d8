"""The statements of a program, arranged for questions about one packet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import copy
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from gureum.model.cidr import delegated_block, router_address
from gureum.program import (
    Address,
    Attachment,
    AttachmentTable,
    Filter,
    Foot,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    Guard,
    Host,
    InternetHost,
    Member,
    Nat64,
    Peering,
    Port,
    PublicAddress,
    Range,
    Route,
    Segment,
    SegmentFilter,
    SegmentTable,
    Served,
    Service,
    Statement,
    Table,
    TransitPeering,
    Translator,
    Uplink,
)

SEGMENT_LENGTHS = 44, 64
"""The shortest and the longest IPv6 prefix of a segment; all are multiples of four bits."""


@lru_cache(maxsize=65536)
def contains(cidr: str, ip: str) -> bool:
    """Whether an address is in a prefix."""
    if ":" in cidr:
        return ":" in ip and IPv6Address(ip) in IPv6Network(cidr)
    return ":" not in ip and IPv4Address(ip) in IPv4Network(cidr)


def on_link(segment: Segment, ip: str) -> bool:
    """Whether an address is in one of a segment's prefixes."""
    return any(contains(cidr, ip) for cidr in segment.cidrs)


def length(cidr: str) -> int:
    """A prefix's length."""
    return int(cidr.partition("/")[2])


Forwards = Callable[[str, int], bool]
"""Whether a host passes packets of an IP version on (``Engine.forwards``)."""


class Network:
    """Look-ups over one program.  Each costs the same however large the network is, except that a
    router's segments and a table's routes are gone through.

    ``forwarders`` are the instances that pass packets on, with the IP version in which they do, of
    those that may: a program does not say that.
    """

    def __init__(self, statements: Iterable[Statement], forwards: Forwards | None = None) -> None:
        self.segments: dict[str, list[Segment]] = defaultdict(list)
        self._routers: dict[str, str] = {}
        self.ranges: dict[str, list[str]] = defaultdict(list)
        self.tables: dict[str, Table] = {}
        self.routes: dict[str, list[Route]] = defaultdict(list)
        self.stations: dict[tuple[str, str], Port] = {}
        self.ports: dict[str, Port] = {}
        self._dual: set[str] = set()
        self.ports_of: dict[str, list[Port]] = defaultdict(list)
        self.guards: dict[str, Guard] = {}
        self.filters: dict[tuple[str, str], Filter] = {}
        self.acls: dict[str, SegmentFilter] = {}
        self.members: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.uplinks: dict[str, str] = {}
        self.peerings: dict[str, Peering] = {}
        self.transits: set[str] = set()
        self.attachments: dict[str, Attachment] = {}
        self.served: dict[tuple[str, str], str] = {}
        self.feet: dict[str, dict[str, Foot]] = defaultdict(dict)
        self.attached: dict[tuple[str, str], Table] = {}
        self.transit_peerings: dict[str, TransitPeering] = {}
        self.public: dict[str, PublicAddress] = {}
        self.private: dict[tuple[str, str], PublicAddress] = {}
        self.assigned: set[tuple[str, str]] = set()
        self.ways_in: dict[str, GlobalPrefix] = {}
        self.egress_only: set[str] = set()
        self.translators: dict[str, Translator] = {}
        self.nat64: set[str] = set()
        self.services: dict[tuple[str, str], list[Service]] = defaultdict(list)
        self.hosts: dict[str, Host] = {}
        self.internet: dict[str, InternetHost] = {}
        for statement in statements:
            self._add(statement)
        self.look_at_forwarders(forwards or (lambda host, version: False))

    def look_at_forwarders(self, forwards: Forwards) -> None:
        """Ask anew which instances pass packets on."""
        may = {guard.port.host for guard in self.guards.values() if guard.forwarding}
        may -= self.translators.keys()
        self.forwarders = frozenset(
            (host, version) for host in may for version in (4, 6) if forwards(host, version)
        )

    def _add(self, it: Statement) -> None:  # noqa: C901 - one line a type
        match it:
            case Segment():
                self.segments[it.router].append(it)
                self._routers[it.id] = it.router
            case Range():
                self.ranges[it.router].append(it.cidr)
            case SegmentTable():
                self.tables[it.segment.id] = it.table
            case Route():
                self.routes[it.table.id].append(it)
            case Port():
                self.ports[it.id] = it
                self.ports_of[it.host].append(it)
            case Address():
                self.stations[it.port.segment.id, it.ip] = it.port
                if ":" in it.ip and not it.delegated:
                    self._dual.add(it.port.id)
            case Guard():
                self.guards[it.port.id] = it
            case Filter():
                self.filters[it.router, it.id] = it
            case SegmentFilter():
                self.acls[it.segment.id] = it
            case Member():
                self.members[it.router, it.group].add(it.ip)
            case Uplink():
                self.uplinks[it.gateway] = it.router
            case Peering():
                self.peerings[it.id] = it
            case Attachment():
                self.attachments[it.id] = it
                self.transits.add(it.transit)
            case Served():
                self.served[it.attachment, it.segment.id] = it.zone
            case Foot():
                self.feet[it.attachment][it.zone] = it
            case AttachmentTable():
                self.attached[it.attachment, it.table.router] = it.table
            case TransitPeering():
                self.transit_peerings[it.id] = it
                self.transits |= set(it.transits)
            case PublicAddress():
                self.public[it.public] = it
                self.private[it.gateway, it.private] = it
            case GlobalAddress():
                self.assigned.add((it.gateway, it.ip))
            case GlobalPrefix():
                self.ways_in[it.segment.cidr6] = it
            case Gateway(egress_only=True):
                self.egress_only.add(it.id)
            case Translator():
                self.translators[it.port.host] = it
            case Nat64():
                self.nat64.add(it.port.host)
            case Service():
                self.services[it.router, it.ip].append(it)
            case Host():
                self.hosts[it.id] = it
            case InternetHost():
                self.internet |= {ip: it for ip in (it.ip, it.ip6) if ip}
            case _:
                pass

    def station(self, segment: str, ip: str) -> Port | None:
        """The port of a segment that has an address, by itself or in a block."""
        found = self.stations.get((segment, ip))
        return found or self.stations.get((segment, delegated_block(ip)))

    def is_member(self, router: str, group: str, ip: str) -> bool:
        """Whether a group reference in the router's rules stands for an address."""
        members = self.members.get((router, group), set())
        return ip in members or delegated_block(ip) in members

    def is_assigned(self, gateway: str, ip: str) -> bool:
        """Whether a gateway lets an IPv6 address pass."""
        return not self.assigned.isdisjoint(((gateway, ip), (gateway, delegated_block(ip))))

    def with_host(self, host: InternetHost) -> Network:
        """The same network with one more host on the internet."""
        made = copy(self)
        made.internet = self.internet | {ip: host for ip in (host.ip, host.ip6) if ip}
        return made

    def router_of(self, place: str) -> str:
        """The router that is meant by its own id or by that of one of its segments."""
        return self._routers.get(place, place)

    def segment_at(self, router: str, ip: str) -> Segment | None:
        """The router's segment that an address belongs to."""
        found = (each for each in self.segments[router] if on_link(each, ip))
        return next(found, None)  # the segments of a router do not overlap

    def is_routers(self, router: str, ip: str) -> bool:
        """Whether an address is the router's own in one of its segments."""
        segment = self.segment_at(router, ip)
        if segment is None:
            return False
        return ip == segment.gateway or (":" in ip and ip == router_address(segment.cidr6))

    def matching(self, table: Table, ip: str) -> list[Route]:
        """The table's routes for an address, the winner first."""
        found = [each for each in self.routes[table.id] if contains(each.destination, ip)]
        return sorted(found, key=lambda each: length(each.destination), reverse=True)

    def named(self, name: str) -> InternetHost | None:
        """The internet host of that name."""
        return next((host for host in self.internet.values() if host.name == name), None)

    def primary(self, host: str) -> Port | None:
        """The port that carries a host's default route."""
        return next((port for port in self.ports_of[host] if port.index == 0), None)

    def egress(self, host: str, target: str) -> Port | None:
        """The port out of which a host sends to an address: one in whose subnet that is, else the
        one with the default route.  Source: ip-route(8); the lowest index wins as it came first.
        A port without an address of the target's version has no routes."""
        ports = sorted(self.ports_of[host], key=lambda port: port.index)
        if ":" in target:
            ports = [port for port in ports if port.id in self._dual]
        else:
            ports = [port for port in ports if port.segment.cidr]
        first = [port for port in ports if port.index == 0]
        near = (port for port in ports if on_link(port.segment, target))
        return next(near, first[0] if first else None)

    def own_address(self, port: Port, target: str = "") -> str | None:
        """The address from which a port sends to a target: the primary one, or of IPv6 the first.
        None where it has none of the target's version."""
        guard = self.guards.get(port.id)
        v6 = ":" in target
        own = guard.addresses if guard else ()
        return next((ip for ip in own if (":" in ip) == v6 and "/" not in ip), None)

    def way_in(self, ip: str) -> GlobalPrefix | None:
        """The gateway by which the internet reaches an IPv6 address, with the segment that it is
        in."""
        for length in range(SEGMENT_LENGTHS[1], SEGMENT_LENGTHS[0] - 1, -4):
            prefix = str(IPv6Network((ip, length), strict=False))
            if prefix in self.ways_in:
                return self.ways_in[prefix]
        return None

    def port_with(self, host: str, ip: str) -> Port | None:
        """The host's port that has an address."""
        mine = self.ports_of[host]
        return next((p for p in mine if self.station(p.segment.id, ip) == p), None)
