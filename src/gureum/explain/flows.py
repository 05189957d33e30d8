"""What stateful boxes on a packet's way remember until its answer comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gureum.explain.packet import Packet, nat_ports
from gureum.program import Filter
from gureum.program.statements import Direction

Role = Literal["owner", "transit"]
Admission: TypeAlias = tuple[str, tuple[object, ...], Direction, Role]
"""That a flow was let out of (or into) an interface in a router: of the interface that has the
address, or of one that passes packets on for others."""


@dataclass
class Flows:
    """What stateful boxes remember of a flow between its first packet and the answer, and which
    stateless filters were asked on the way.  ``drawn`` is the port that a NAT gateway draws where
    it does not keep the client's, ``draws`` says that one did."""

    tracked: set[Admission] = field(default_factory=set)
    translated: dict[tuple[str, tuple[object, ...]], Packet] = field(default_factory=dict)
    begun: set[tuple[str, tuple[object, ...]]] = field(default_factory=set)
    zones: dict[tuple[str, tuple[object, ...]], str] = field(default_factory=dict)
    stateless: set[Filter] = field(default_factory=set)
    drawn: int = nat_ports.start
    draws: bool = False

    def began_in(self, transit: str, packet: Packet, zone: str) -> str:
        """The zone in which the first packet of a flow came into a transit, as it is known there:
        empty for none.  ``zone`` is this packet's."""
        for flow in (packet.flow, packet.reply().flow):
            if known := self.zones.get((transit, flow)):
                return known
        self.zones[transit, packet.flow] = zone
        return zone

    def translated_port(self, port: int | None) -> int | None:
        """The port behind a NAT gateway of what comes from a port."""
        if port is None or port in nat_ports:
            return port
        self.draws = True
        return self.drawn
