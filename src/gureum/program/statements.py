"""The statement types of the abstract network.

Every statement is a frozen value that an engine can carry out without looking at any other: what
it needs of its surroundings is embedded (an address holds its port, a port its segment).  Two
statements are the same thing exactly if they are equal, so a program is compared by its keys.

Ids are the ids of the resources that asked (``vpc-…``, ``eni-…``).  Addresses and prefixes are
canonical strings (``10.0.0.0/24``, ``10.0.0.4``); IPv6 uses the same fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gureum.model.cidr import delegated_block
from gureum.program.inner import InnerHost, InnerPort, InnerSegment, Published
from gureum.program.machine import Machine
from gureum.program.mirroring import Mirror
from gureum.program.recording import RecordedLink
from gureum.program.transit import (
    Attachment,
    Transit,
    TransitPeering,
    ViaAttachment,
    ViaTransit,
    ViaTransitPeering,
)

SHARES = 8
"""Into how many equal shares a translator divides source ports among its addresses."""

Mode = Literal["fabric", "switch", "hub"]
Direction = Literal["in", "out"]


# --- places: where a packet can be --------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Router:
    """A forwarding domain with its own address space: a VPC.  With ``ipv6`` it carries that too."""

    id: str
    ipv6: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A broadcast domain on a router: a subnet.  ``gateway`` is the router's address in it (the
    subnet's base + 1) and ``mac`` the router's link-layer address there.  ``cidr6`` is its IPv6
    prefix, or empty; the router's IPv6 address in it is its base + 1, too.  Where it is IPv6-only,
    ``cidr`` and ``gateway`` are empty."""

    id: str
    router: str
    cidr: str
    gateway: str
    mac: str
    cidr6: str = ""

    @property
    def cidrs(self) -> tuple[str, ...]:
        """The prefixes that it has, of IPv4 first."""
        return tuple(cidr for cidr in (self.cidr, self.cidr6) if cidr)


@dataclass(frozen=True, slots=True)
class SegmentMode:
    """How a segment carries frames: ``fabric`` (every station known, nothing flooded), ``switch``
    (learn and flood), ``hub`` (repeat everything everywhere)."""

    segment: Segment
    mode: Mode


@dataclass(frozen=True, slots=True)
class Host:
    """A network stack of its own: an instance or a NAT gateway.  ``router`` is where its ports
    are, ``name`` its host name."""

    id: str
    kind: Literal["instance", "nat-gateway"]
    router: str
    name: str


@dataclass(frozen=True, slots=True)
class Port:
    """A network interface: it joins a host to a segment.  ``index`` is the device index in the
    host (0 is ``eth0``, which carries the host's default route)."""

    id: str
    segment: Segment
    host: str
    index: int
    mac: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a port.  Of each IP version exactly one is ``primary``: its host sends from
    that one unless it chooses another.

    A ``delegated`` one reaches the port without being the host's own (AWS: prefix delegation): the
    host gives it to itself or to whom it likes.  Of IPv6 it is a whole block, ``ip`` its prefix;
    members, guards, recorded and mirrored ports and gateways name such a block as they name
    addresses.
    """

    port: Port
    ip: str
    primary: bool
    delegated: bool = False


@dataclass(frozen=True, slots=True)
class Gateway:
    """An internet gateway: a box between routers and the internet.  An ``egress_only`` one carries
    IPv6 alone, and nothing that was not begun from inside."""

    id: str
    egress_only: bool = False


@dataclass(frozen=True, slots=True)
class Uplink:
    """A gateway attached to a router."""

    router: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Peering:
    """A link between two routers, ``routers`` in the order of their ids.  It carries packets from
    an address of one to an address of the other and nothing else: ``cidrs`` are the prefixes of
    each.  What comes in by it goes to the router's own segments, whatever its route tables say."""

    id: str
    routers: tuple[str, str]
    cidrs: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the cloud's own that a router has at an address, for its own ports alone: names
    (``dns``) or instance metadata (``metadata``).  ``protocol`` is an IP protocol number, ``port``
    one of TCP or UDP.  Filters have no say about it."""

    router: str
    name: Literal["dns", "metadata"]
    ip: str
    protocol: int
    port: int


@dataclass(frozen=True, slots=True)
class Served:
    """Packets from the segment may leave by the attachment, by its foot in ``zone``."""

    attachment: str
    segment: Segment
    zone: str


@dataclass(frozen=True, slots=True)
class InternetHost:
    """A host on the internet, for example the user's own (``me``); ``ip6`` is its IPv6 address, or
    empty."""

    name: str
    ip: str
    ip6: str = ""


# --- forwarding: which way a packet goes --------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Range:
    """A prefix that belongs to the router (a VPC's CIDR): addresses in it that no segment has are
    dropped rather than routed away."""

    router: str
    cidr: str


@dataclass(frozen=True, slots=True)
class Table:
    """A route table.  ``number`` (1 …) is unique in its router and never changes."""

    id: str
    router: str
    number: int


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """Packets that come from the segment are routed by the table."""

    segment: Segment
    table: Table


@dataclass(frozen=True, slots=True)
class AttachmentTable:
    """Packets that come into a transit by the attachment, or by a peering, are routed by the table,
    which is the transit's; those of one without a table go nowhere."""

    attachment: str
    table: Table


@dataclass(frozen=True, slots=True)
class Foot:
    """An attachment's foot in a zone: in a segment, as if a port of it.

    What comes out of the transit there is routed by ``table`` (None: nowhere) and leaves the
    segment through ``filter_out``; what goes into it enters the segment through ``filter_in``.  A
    filter is None where everything passes.  ``mac`` is the transit's link-layer address there.
    """

    attachment: str
    zone: str
    segment: Segment
    mac: str
    table: Table | None
    filter_in: str | None
    filter_out: str | None


@dataclass(frozen=True, slots=True)
class Local:
    """To the router's own segments."""


@dataclass(frozen=True, slots=True)
class ViaPort:
    """To a port (an instance's interface, a NAT gateway), whatever the packet's destination.
    ``ip`` is the port's primary address in ``segment``, of IPv4 if it has one, ``mac`` its
    link-layer address."""

    port: str
    segment: Segment
    ip: str
    mac: str


@dataclass(frozen=True, slots=True)
class ViaUplink:
    """To a gateway that is attached to the router."""

    gateway: str


@dataclass(frozen=True, slots=True)
class ViaPeering:
    """To the router at the other end of a peering, ``router``."""

    peering: str
    router: str


@dataclass(frozen=True, slots=True)
class Blackhole:
    """Nowhere: the target is gone, stopped or detached."""

    target: str


@dataclass(frozen=True, slots=True)
class Beyond:
    """Out of this cloud, by a gateway that is a record here: to an AWS service (``vpce-…``) or to a
    customer's site (``vgw-…``).  Nobody answers there."""

    gateway: str


Target: TypeAlias = (
    Local
    | ViaPort
    | ViaUplink
    | ViaPeering
    | ViaTransit
    | ViaAttachment
    | ViaTransitPeering
    | Beyond
    | Blackhole
)


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a table; the longest prefix wins."""

    table: Table
    destination: str
    target: Target


# --- filters: whether a packet may pass ---------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a filter.

    ``why`` is the id that explains it (``sgr-…``, ``acl-…/100``).  ``protocol`` is an IP protocol
    number or None for all; ``ports`` an inclusive destination port range (TCP, UDP) or None for
    all; ``icmp`` a ``(type, code)`` with -1 for any, or None.  ``peer`` is the other end: a prefix,
    or the id of a group whose members are meant (see :class:`Member`).  ``untracked`` rules admit
    flows that stop at once when the rule goes (AWS: untracked connections).
    """

    why: str
    allow: bool
    protocol: int | None
    ports: tuple[int, int] | None
    icmp: tuple[int, int] | None
    peer: str
    untracked: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """A list of rules; what no rule decides is dropped, explained by ``default``.

    A ``stateful`` filter (security groups: order is irrelevant, answers to admitted flows pass)
    guards ports; a stateless one (network ACL: first match decides) guards segments.  ``id`` is
    unique in the router and stays the same while the rules change.  With ``ipv6`` the router
    carries IPv6 too, and a peer that is a group stands for members of both families.
    """

    id: str
    router: str
    direction: Direction
    stateful: bool
    rules: tuple[Rule, ...]
    default: str
    ipv6: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """An address that a group reference in the router's rules stands for."""

    router: str
    group: str
    ip: str


@dataclass(frozen=True, slots=True)
class Guard:
    """What a port may send and receive.

    ``addresses`` are the port's own, and the blocks that are delegated to it.  With ``forwarding``
    (AWS: source/destination check off) it may also send from and receive for other addresses.
    ``filter_in`` and ``filter_out`` are ids of stateful filters, None where groups do not apply (a
    NAT gateway).
    """

    port: Port
    addresses: tuple[str, ...]
    forwarding: bool
    filter_in: str | None
    filter_out: str | None

    def owns(self, ip: str) -> bool:
        """Whether an address is the port's own."""
        return ip in self.addresses or delegated_block(ip) in self.addresses


@dataclass(frozen=True, slots=True)
class Recorded:
    """The packets that a port sends and receives are counted, flow by flow (AWS: a flow log).
    ``addresses`` are those of its guard."""

    port: Port
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a port receives, and what it sends and is let send, is copied: each packet once, by the
    first mirror that chooses it.  ``addresses`` are those of its guard; copies come from ``ip``."""

    port: Port
    addresses: tuple[str, ...]
    ip: str
    mirrors: tuple[Mirror, ...]


@dataclass(frozen=True, slots=True)
class SegmentFilter:
    """The stateless filters through which packets enter (``filter_in``) and leave
    (``filter_out``) the segment; traffic inside it is not filtered."""

    segment: Segment
    filter_in: str
    filter_out: str


# --- translation --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class PublicAddress:
    """One-to-one translation in a gateway: ``public`` outside is ``private`` in ``router``."""

    gateway: str
    router: str
    private: str
    public: str


@dataclass(frozen=True, slots=True)
class GlobalAddress:
    """An IPv6 address of ``router`` that a gateway lets pass, as it is."""

    gateway: str
    router: str
    ip: str


@dataclass(frozen=True, slots=True)
class GlobalPrefix:
    """The internet reaches the IPv6 addresses of a segment through the gateway."""

    gateway: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class Translator:
    """A NAT gateway: what the port forwards leaves with the source address ``ip``, the port's
    own; answers come back; nothing new comes in.  TCP and UDP are shared out among ``ip`` and
    ``others`` by their source ports."""

    port: Port
    ip: str
    others: tuple[str, ...] = ()

    def address_for(self, protocol: int, source_port: int | None) -> str:
        """The source address that what is sent from a port gets; ``ip`` where it has no port."""
        addresses = (self.ip, *self.others)
        if source_port is None or protocol not in (6, 17):
            return self.ip
        return addresses[source_port % SHARES % len(addresses)]


@dataclass(frozen=True, slots=True)
class Nat64:
    """IPv6 packets to 64:ff9b::/96 that come to the port, which is a :class:`Translator`'s, become
    IPv4, and the answers IPv6 again (RFC 6146).  ``ip`` is the port's first address."""

    port: Port
    ip: str


Statement: TypeAlias = (
    Router
    | Segment
    | SegmentMode
    | Host
    | Port
    | Address
    | Gateway
    | Uplink
    | Peering
    | Service
    | Transit
    | Attachment
    | TransitPeering
    | Served
    | AttachmentTable
    | Foot
    | InternetHost
    | Range
    | Table
    | SegmentTable
    | Route
    | Filter
    | Member
    | Guard
    | Recorded
    | RecordedLink
    | Mirrored
    | SegmentFilter
    | PublicAddress
    | GlobalAddress
    | GlobalPrefix
    | Translator
    | Nat64
    | Machine
    | InnerSegment
    | InnerHost
    | InnerPort
    | Published
)
