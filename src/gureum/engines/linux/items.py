"""Kernel items: the small parts a kernel is made of, as frozen values.

An item's *key* says which part it is, the rest how the part should be; two items of one key are
one part in two conditions.  Items of lower ``RANK`` are needed by those of higher rank.  ``ns`` is
a namespace's name without the tag that all namespaces of one engine share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

Key: TypeAlias = tuple[str, ...]
Kind = Literal[
    "router", "gateway", "translator", "internet", "internet-host", "instance", "container"
]
"""What a namespace is.  Of an ``internet-host``, an ``instance`` and a ``container`` only what we
put there is ours; the latter two have their owner's processes in them, an ``instance`` belongs to a
user namespace of its own and a ``container`` to its instance's."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace with its loopback up."""

    ns: str
    kind: Kind
    RANK: ClassVar[int] = 0

    @property
    def key(self) -> Key:
        return ("namespace", self.ns)


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A value under /proc/sys/net; ``link`` is the link that must be there first, if any."""

    ns: str
    name: str
    value: str
    link: str = ""
    RANK: ClassVar[int] = 1

    @property
    def key(self) -> Key:
        return ("sysctl", self.ns, self.name)


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge without spanning tree and multicast snooping."""

    ns: str
    link: str
    RANK: ClassVar[int] = 3

    @property
    def key(self) -> Key:
        return ("link", self.ns, self.link)


@dataclass(frozen=True, slots=True)
class Veth:
    """A pair of links; ``ns`` and ``link`` name the end nearer to the middle."""

    ns: str
    link: str
    peer_ns: str
    peer: str
    RANK: ClassVar[int] = 4

    @property
    def key(self) -> Key:
        return ("link", self.ns, self.link)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a link, which is up, is set to; ``alias`` holds the whole id behind its short name."""

    ns: str
    link: str
    mac: str
    mtu: int
    alias: str
    master: str = ""
    RANK: ClassVar[int] = 5

    @property
    def key(self) -> Key:
        return ("settings", self.ns, self.link)


@dataclass(frozen=True, slots=True)
class PortFlags:
    """How a bridge port carries frames (bridge(8), ``bridge link``)."""

    ns: str
    link: str
    learning: bool
    flood: bool
    proxy_arp: bool
    isolated: bool
    RANK: ClassVar[int] = 6

    @property
    def key(self) -> Key:
        return ("flags", self.ns, self.link)


@dataclass(frozen=True, slots=True)
class Copier:
    """What comes to ``link`` from ``source``, its other end, is copies of packets of ``station``.
    Each becomes a packet in VXLAN with the identifier ``vni``, from ``ip`` to ``target``, that
    ``mac`` sends to ``router``; of its frame it has ``length`` octets, or all that fit (None)."""

    ns: str
    link: str
    source: str
    station: str
    router: str
    mac: str
    ip: str
    target: str
    vni: int
    length: int | None
    RANK: ClassVar[int] = 6

    @property
    def key(self) -> Key:
        return ("copier", self.ns, self.link)


@dataclass(frozen=True, slots=True)
class Siit:
    """What comes to ``link`` from ``source``, its other end, becomes a packet of IP version ``to``:
    of IPv4 addresses those in ``prefix`` are made, and of ``inside4`` one, ``inside6``."""

    ns: str
    link: str
    source: str
    to: int
    prefix: str
    inside4: str
    inside6: str
    RANK: ClassVar[int] = 6

    @property
    def key(self) -> Key:
        return ("siit", self.ns, self.link)


@dataclass(frozen=True, slots=True)
class IpAddress:
    """An address of a link, with its prefix length.  ``metric`` is that of the route to the prefix:
    of two links in one subnet the lower one sends.  An IPv6 address serves at once: nobody is asked
    whether it is free (RFC 4862, section 5.4), as the cloud gives each to one."""

    ns: str
    link: str
    ip: str
    length: int
    metric: int = 0
    RANK: ClassVar[int] = 7

    @property
    def key(self) -> Key:
        return ("address", self.ns, self.link, self.ip)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A permanent neighbour entry: nothing is asked on the wire."""

    ns: str
    link: str
    ip: str
    mac: str
    RANK: ClassVar[int] = 8

    @property
    def key(self) -> Key:
        return ("neighbour", self.ns, self.link, self.ip)


@dataclass(frozen=True, slots=True)
class Proxy:
    """An IPv6 address for which the link answers neighbour solicitations (ip-neighbour(8))."""

    ns: str
    link: str
    ip: str
    RANK: ClassVar[int] = 8

    @property
    def key(self) -> Key:
        return ("proxy", self.ns, self.link, self.ip)


@dataclass(frozen=True, slots=True)
class Fdb:
    """A static entry of a bridge's forwarding table."""

    ns: str
    link: str
    mac: str
    RANK: ClassVar[int] = 8

    @property
    def key(self) -> Key:
        return ("fdb", self.ns, self.mac)


@dataclass(frozen=True, slots=True)
class KernelRoute:
    """A route with our protocol number.  ``via`` without a connected prefix is on-link; without
    ``via`` the whole destination is."""

    ns: str
    table: int
    destination: str
    kind: Literal["unicast", "blackhole", "throw"]
    via: str = ""
    link: str = ""
    metric: int = 0
    source: str = ""
    RANK: ClassVar[int] = 9

    @property
    def key(self) -> Key:
        return ("route", self.ns, str(self.table), self.destination, str(self.metric))


@dataclass(frozen=True, slots=True)
class IpRule:
    """Packets of an IP ``version`` with the mark are routed by the table."""

    ns: str
    mark: int
    table: int
    version: int = 4
    RANK: ClassVar[int] = 9

    @property
    def key(self) -> Key:
        return ("rule", self.ns, str(self.version), str(self.mark))


Family = Literal["inet", "bridge", "netdev", "ip", "ip6"]
"""Of ``netdev`` there are chains at the egress of links alone, each called as its link: they come
after the links and go before them."""


@dataclass(frozen=True, slots=True)
class NftTable:
    """The one nft table of ours in a family; ``ip`` and ``ip6`` have one where packets are copied,
    for which ``inet`` has no word."""

    ns: str
    family: Family
    RANK: ClassVar[int] = 2

    @property
    def key(self) -> Key:
        return ("nft-table", self.ns, self.family)


@dataclass(frozen=True, slots=True)
class NftSet:
    """An nft set or map; ``type`` is its type, or begins with ``typeof`` where expressions that
    have no type of their own are looked up."""

    ns: str
    family: Family
    name: str
    form: Literal["set", "map"]
    type: str
    RANK: ClassVar[int] = 2

    @property
    def key(self) -> Key:
        return ("nft-set", self.ns, self.family, self.name)


@dataclass(frozen=True, slots=True)
class Chain:
    """An nft chain with its rules in order; ``hook`` is the clause of a base chain or empty."""

    ns: str
    family: Family
    name: str
    hook: str
    rules: tuple[str, ...]
    RANK: ClassVar[int] = 2

    @property
    def key(self) -> Key:
        return ("nft-chain", self.ns, self.family, self.name)


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an nft set, or of a map with its ``value``."""

    ns: str
    family: Family
    name: str
    element: str
    value: str = ""
    RANK: ClassVar[int] = 2

    @property
    def key(self) -> Key:
        return ("nft-element", self.ns, self.family, self.name, self.element)


NftItem: TypeAlias = NftTable | NftSet | Chain | Element
LinkItem: TypeAlias = (
    Bridge
    | Veth
    | Settings
    | PortFlags
    | Copier
    | Siit
    | IpAddress
    | Neighbour
    | Proxy
    | Fdb
    | KernelRoute
    | IpRule
)
Item: TypeAlias = Namespace | Sysctl | LinkItem | NftItem


def rank(item: Item) -> int:
    """Where an item stands in the order of making."""
    if isinstance(item, Sysctl) and item.link and item.name.startswith("ipv6/conf/"):
        return 6  # a link takes IPv6 addresses once it may speak IPv6
    if isinstance(item, Sysctl) and item.link:
        return 8  # a link has IPv4 settings once it has an address
    if isinstance(item, Sysctl) and item.name.startswith("netfilter/"):
        return 6  # connection tracking may not be there before the first rule that needs it
    return item.RANK
