"""What an engine tells of the flows of recorded interfaces."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from gureum.program import Recorded, RecordedLink

Station: TypeAlias = Recorded | RecordedLink
"""What is recorded: an interface in a router, or an attachment of a transit."""


def place_of(station: Station) -> str:
    """The router or transit in which it is counted."""
    return station.port.segment.router if isinstance(station, Recorded) else station.transit


def name_of(station: Station) -> str:
    """The id of the interface or attachment."""
    return station.port.id if isinstance(station, Recorded) else station.attachment


Way = Literal["local", "gateway", "peering"]
"""By what a packet leaves its router: to another interface of the router's own (or a transit
gateway's), by a gateway to the internet, over a peering."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Packets of one header that left an interface, or came to one, within some time, and of which
    the filters on that side let pass all or refused all.

    Addresses are those in the packets; ports are 0 where the protocol has none.  ``octets`` are
    bytes from the IP header on.  ``tcp_flags`` are those of all packets together: FIN 1, SYN 2,
    RST 4, and 16 where ACK came along with SYN.  Times are seconds since 1970.  ``way`` is None for
    what comes in and for what was refused.

    Of an attachment ``interface`` is its id, ``inward`` is into the transit, and not ``accepted``
    is what the transit led nowhere: for want of a way, or of time to live (``expired``).
    """

    interface: str
    inward: bool
    accepted: bool
    source: str
    target: str
    protocol: int
    sport: int
    dport: int
    packets: int
    octets: int
    begin: float
    end: float
    tcp_flags: int = 0
    way: Way | None = None
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What has flowed since the last reading.  ``skipped`` are the packets that could not be
    counted, by interface."""

    flows: tuple[Flow, ...]
    skipped: Mapping[str, int]


class Meter(Protocol):
    """Counts packets of recorded interfaces.  To be used from one thread.  Every method raises
    :class:`~gureum.engines.EngineError` where the kernel refuses."""

    def watch(self, router: str, wanted: Collection[Station]) -> None:
        """Count for exactly these interfaces of a router, or attachments of a transit; counters
        that are there already, also of an earlier process, go on."""

    def change(self, router: str, add: Collection[Station], remove: Collection[Station]) -> None:
        """Count for some more, and no more for others; what has flowed of those since the last
        reading is lost."""

    def read(self, router: str) -> Reading:
        """What has flowed in a router since the last reading."""

    def leftovers(self) -> list[str]:
        """The routers in which something is counted, whoever began it."""

    def close(self) -> None:
        """Let go of handles; the kernel goes on counting."""
