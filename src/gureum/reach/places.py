"""Where packets are in a state, and what it knows of those places: addresses are numbers."""

from __future__ import annotations

from typing import NamedTuple

from gureum.reach.prefixes import Prefix


class Place(NamedTuple):
    """A segment."""

    id: str
    router: str
    mask: int
    base: int


class Station(NamedTuple):
    """A port: ``host`` is whose it is, ``device`` its index in the host."""

    id: str
    host: str
    place: Place
    device: int


class Limits(NamedTuple):
    """A port's guard; the filters are None where groups do not apply."""

    addresses: frozenset[int]
    forwarding: bool
    filter_in: str | None
    filter_out: str | None


class Outside(NamedTuple):
    """What a public address stands for; in IPv6 itself, and ``gateway`` is one of those that let it
    pass."""

    gateway: str
    router: str
    private: int


class WayIn(NamedTuple):
    """By what the internet reaches the IPv6 addresses of a segment."""

    gateway: str
    router: str


Prefixes = tuple[Prefix, ...]


class Link(NamedTuple):
    """A peering: its routers, and the prefixes of each."""

    routers: tuple[str, str]
    prefixes: tuple[Prefixes, Prefixes]

    def carries(self, near: str, source: int, target: int) -> bool:
        """Whether a packet may pass from the router ``near`` to the other."""
        own, other = self.prefixes if near == self.routers[0] else self.prefixes[::-1]
        return _in_one(own, source) and _in_one(other, target)


class Branch(NamedTuple):
    """An attachment: its transit, its router, whether it carries the IP version, and whether flows
    come out where they began."""

    transit: str
    router: str
    carries: bool
    appliance: bool


class Footing(NamedTuple):
    """An attachment's foot: ``id`` is the segment's in which it is, as of a :class:`Place`."""

    id: str
    router: str
    zone: str
    table: str | None
    filter_in: str | None
    filter_out: str | None


Spot = Place | Footing
"""Where a packet meets a route table."""


def _in_one(prefixes: Prefixes, ip: int) -> bool:
    return any(ip & mask == base for mask, base in prefixes)
