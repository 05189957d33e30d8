"""From a topology to what the engine runs: senders on wires, and the ways through switches."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from gureum.medium.channel import Wire
from gureum.medium.domains import (
    BroadcastDomain,
    CollisionDomain,
    Port,
    broadcast_domains,
    collision_domains,
)
from gureum.medium.engine import Hop
from gureum.medium.standard import SWITCH, Rules
from gureum.medium.topology import Link, Topology


@dataclass(frozen=True)
class Plan:
    """A topology made ready.

    A sender is a station, or a port of a switch; ``names`` are theirs.  ``wires`` are what they
    hear each other on, and ``domain_of`` says of each in which collision domain it is.  ``groups``
    are the stations' senders that can reach each other, by broadcast domain.  ``hops`` as the
    engine has them.
    """

    rules: Rules
    names: tuple[str, ...]
    wires: tuple[Wire, ...]
    domain_of: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]
    hops: Mapping[int, Mapping[int, Hop]]
    collision: tuple[CollisionDomain, ...] = ()
    broadcast: tuple[BroadcastDomain, ...] = ()

    @property
    def stations(self) -> tuple[int, ...]:
        """The senders that are stations with somebody to talk to."""
        return tuple(sender for group in self.groups for sender in group)


def plan(topology: Topology) -> Plan:
    """Make a topology ready."""
    collision = collision_domains(topology)
    broadcast = broadcast_domains(topology, collision)
    senders: dict[Port, int] = {}
    names: list[str] = []
    wires: list[Wire] = []
    domain_of: list[int] = []
    for number, domain in enumerate(collision):
        talking = [
            place
            for place, port in enumerate(domain.ports)
            if topology.kinds[port.node] in ("station", "switch")
        ]
        first = len(names)
        for place in talking:
            port = domain.ports[place]
            senders[port] = len(names)
            names.append(_name(topology, port))
        parts = [[place] for place in talking] if domain.full_duplex else [talking]
        for part in parts:
            if part:
                numbers = tuple(first + talking.index(place) for place in part)
                delays = tuple(tuple(domain.delays[i][j] for j in part) for i in part)
                wires.append(Wire(numbers, delays))
                domain_of.append(number)
    home = {port.node: sender for port, sender in senders.items()}
    groups = (
        tuple(home[n] for n in each.nodes if topology.kinds[n] == "station" and n in home)
        for each in broadcast
    )
    return Plan(
        topology.rules,
        tuple(names),
        tuple(wires),
        tuple(domain_of),
        tuple(group for group in groups if len(group) > 1),
        _Ways(topology, collision, senders).all(),
        collision,
        broadcast,
    )


def coax(rules: Rules, stations: int, metres: float) -> Plan:
    """Stations at even distances along one cable, as Ethernet began."""
    apart = rules.metres(metres / max(1, stations - 1))
    every = tuple(range(stations))
    delays = tuple(tuple(abs(i - j) * apart for j in every) for i in every)
    names = tuple(f"s{number + 1}" for number in every)
    return Plan(rules, names, (Wire(every, delays),), (0,), (every,), {})


def _name(topology: Topology, port: Port) -> str:
    if topology.kinds[port.node] == "station":
        return port.node
    return f"{port.node}:{port.link.other(port.node)}"


class _Ways:
    """Which port of which switch a frame goes out of next, as switches that have learned all
    addresses know it."""

    def __init__(
        self,
        topology: Topology,
        collision: tuple[CollisionDomain, ...],
        senders: Mapping[Port, int],
    ) -> None:
        self._topology, self._collision, self._senders = topology, collision, senders
        self._links: dict[str, list[Link]] = {name: [] for name in topology.kinds}
        for link in topology.links:
            for end in link.ends:
                self._links[end].append(link)

    def all(self) -> dict[int, dict[int, Hop]]:
        """For each sender and each station that is not in its collision domain."""
        hops: dict[int, dict[int, Hop]] = {sender: {} for sender in self._senders.values()}
        if not self._topology.of("switch"):
            return hops
        for port, target in self._senders.items():
            if self._topology.kinds[port.node] == "station":
                towards = self._towards(port)
                for domain in self._collision:
                    self._through(domain, towards, target, hops)
        return hops

    def _towards(self, target: Port) -> dict[str, Link]:
        """The link by which each node gets nearer to a station."""
        found: dict[str, Link] = {}
        ahead = deque([(target.node, target.link)])
        while ahead:
            node, link = ahead.popleft()
            other = link.other(node)
            found[other] = link
            if self._topology.kinds[other] in ("hub", "switch"):
                ahead.extend((other, each) for each in self._links[other] if each != link)
        return found

    def _through(
        self,
        domain: CollisionDomain,
        towards: Mapping[str, Link],
        target: int,
        hops: dict[int, dict[int, Hop]],
    ) -> None:
        """The way from all senders of a domain, over its switch that is nearer to the station."""
        for place, port in enumerate(domain.ports):
            way = towards.get(port.node)
            if self._topology.kinds[port.node] != "switch" or way is None or way in domain.links:
                continue
            out = self._senders[Port(port.node, way)]
            for other, sender in enumerate(domain.ports):
                if other != place and sender in self._senders:
                    bits = domain.delays[other][place] + SWITCH
                    hops[self._senders[sender]][target] = (bits, out)
