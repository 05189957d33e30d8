"""Collision and broadcast domains of a topology.

A collision domain is what hears every bit: half-duplex links that hubs join.  A full-duplex link is
a domain in which nothing can collide.  A broadcast domain is what a frame to all reaches: hubs and
switches pass it on, routers do not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gureum.medium.standard import REPEATER
from gureum.medium.topology import Link, Topology


@dataclass(frozen=True)
class Port:
    """Where a node that is no hub meets a link."""

    node: str
    link: Link


@dataclass(frozen=True)
class CollisionDomain:
    """Ports that hear each other, and through which hubs.  ``round_trip`` is the time in bits to
    the farthest and back; only if it is within a slot is every collision heard while sending.
    ``delays`` are the bits from each port to each."""

    ports: tuple[Port, ...]
    hubs: tuple[str, ...]
    links: tuple[Link, ...]
    full_duplex: bool
    delays: tuple[tuple[float, ...], ...]
    fits: bool

    @property
    def round_trip(self) -> float:
        """Bits there and back between the two that are farthest apart."""
        return 2 * max((max(row) for row in self.delays), default=0.0)


@dataclass(frozen=True)
class BroadcastDomain:
    """Nodes that a frame to all reaches; routers are in several.  ``collision`` are the indexes
    of the collision domains in it."""

    nodes: tuple[str, ...]
    collision: tuple[int, ...]


def collision_domains(topology: Topology) -> tuple[CollisionDomain, ...]:
    """All collision domains, in the order of their first links."""
    found = []
    seen: set[Link] = set()
    for link in topology.links:
        if link not in seen:
            group = _joined(topology, link)
            seen.update(group)
            found.append(_domain(topology, group))
    return tuple(found)


def broadcast_domains(
    topology: Topology, collision: tuple[CollisionDomain, ...]
) -> tuple[BroadcastDomain, ...]:
    """All broadcast domains; a node without links is one for itself."""
    by_link = {link: number for number, each in enumerate(collision) for link in each.links}
    links = _links(topology)
    found: list[BroadcastDomain] = []
    seen: set[Link] = set()
    for name, kind in topology.kinds.items():
        if not links[name] and kind != "router":
            found.append(BroadcastDomain((name,), ()))
        for link in links[name]:
            if link not in seen:
                group = _flooded(topology, link)
                seen.update(group)
                reached = {end for each in group for end in each.ends}
                nodes = tuple(each for each in topology.kinds if each in reached)
                numbers = tuple(sorted({by_link[each] for each in group}))
                found.append(BroadcastDomain(nodes, numbers))
    return tuple(found)


def _links(topology: Topology) -> dict[str, list[Link]]:
    links: dict[str, list[Link]] = {name: [] for name in topology.kinds}
    for link in topology.links:
        for end in link.ends:
            links[end].append(link)
    return links


def _spread(topology: Topology, start: Link, through: tuple[str, ...]) -> list[Link]:
    """The links that are joined to one by nodes of some kinds."""
    links = _links(topology)
    found, ahead = {start: None}, [start]
    while ahead:
        link = ahead.pop()
        for end in link.ends:
            if topology.kinds[end] in through:
                for each in links[end]:
                    if each not in found:
                        found[each] = None
                        ahead.append(each)
    return [link for link in topology.links if link in found]


def _joined(topology: Topology, start: Link) -> list[Link]:
    return _spread(topology, start, ("hub",))


def _flooded(topology: Topology, start: Link) -> list[Link]:
    return _spread(topology, start, ("hub", "switch"))


def _domain(topology: Topology, links: list[Link]) -> CollisionDomain:
    kinds = topology.kinds
    ends = [(end, link) for link in links for end in link.ends]
    ports = tuple(Port(end, link) for end, link in ends if kinds[end] != "hub")
    hubs = tuple(dict.fromkeys(end for end, _ in ends if kinds[end] == "hub"))
    full = len(links) == 1 and not topology.shared(links[0])
    delays = tuple(_delays(topology, port, ports) for port in ports)
    longest = 2 * max((max(row) for row in delays), default=0.0)
    return CollisionDomain(
        ports, hubs, tuple(links), full, delays, full or longest <= topology.rules.slot
    )


def _delays(topology: Topology, start: Port, ports: tuple[Port, ...]) -> tuple[float, ...]:
    """The bits from a port to each of some, over cables and hubs."""
    links, rules = _links(topology), topology.rules
    reached: dict[tuple[str, Link], float] = {(start.node, start.link): 0.0}
    ahead = deque([(start.node, start.link, 0.0)])
    while ahead:
        node, link, bits = ahead.popleft()
        other = link.other(node)
        bits += rules.metres(link.metres)
        reached[other, link] = bits
        if topology.kinds[other] == "hub":
            ahead.extend((other, each, bits + REPEATER) for each in links[other] if each != link)
    return tuple(reached[port.node, port.link] for port in ports)
