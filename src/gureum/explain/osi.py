"""A packet's way as the OSI model sees it: each device, and the data unit of each layer that goes
in and comes out.

A host fills all layers, a switch looks at frames, a router at packets; only a translator changes
the addresses of a packet, and every router takes one from its time to live.  Sources: ISO/IEC
7498-1; RFC 1812 section 5.3.1 (time to live).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gureum.explain.network import Network
from gureum.explain.packet import Packet
from gureum.explain.steps import Step, Trace

DeviceKind = Literal[
    "host",
    "switch",
    "router",
    "appliance",
    "internet gateway",
    "NAT gateway",
    "internet",
    "egress-only internet gateway",
    "transit gateway",
]
"""An appliance is a host that passes packets on."""

TTL = 64
"""The time to live with which Linux begins (ip(7), ip_default_ttl)."""

HIGHEST: dict[DeviceKind, int] = {
    "host": 7, "switch": 2, "router": 3, "appliance": 3, "internet gateway": 4, "NAT gateway": 4,
    "internet": 3, "egress-only internet gateway": 4, "transit gateway": 3,
}  # fmt: skip
"""The highest layer that a device looks at.  Translators look at ports: they are layer 4."""


@dataclass(frozen=True)
class Unit:
    """What is on a link: a packet in a frame.  ``frame`` are the source and destination MAC; None
    on links between two boxes, which have no addresses of the cloud's own."""

    packet: Packet
    ttl: int
    frame: tuple[str, str] | None


@dataclass(frozen=True)
class Device:
    """A device on the way: what it gets (None at the beginning) and what it sends (None at the
    end, or where it drops the packet, which ``stopped`` says)."""

    id: str
    kind: DeviceKind
    arriving: Unit | None
    leaving: Unit | None = None
    stopped: str | None = None


def devices(network: Network, start: str, packet: Packet, trace: Trace) -> list[Device]:
    """The devices on the way of a packet that the host ``start`` sends, to where it is stopped."""
    way = _Way(network, start, packet)
    for step in trace.steps:
        way.follow(step)
        if not step.passed:
            break
    return way.found


class _Way:
    """Devices in the making; ``_unit`` is what is on the link behind the last one."""

    def __init__(self, network: Network, start: str, packet: Packet) -> None:
        self._network = network
        self._unit = Unit(packet, TTL, None)
        self.found: list[Device] = [Device(start, "host", None, self._unit)]

    def follow(self, step: Step) -> None:
        """One step further."""
        if step.frame is not None:
            if step.kind == "arp" and step.place not in self._network.ports:
                self._router(step.place)
            self._send(step.frame)
            self._enter(self._segment(step), "switch")
        elif step.kind in ("acl", "route"):
            self._router(step.place)
        elif step.kind in ("peering", "transit-route"):
            self._link(step)
        elif step.kind in ("translate", "gateway"):
            self._translator(step)
        elif step.kind == "internet":
            self._internet()
        elif step.kind == "forward":
            self._enter(self._network.ports[step.place].host, "appliance")
        elif step.kind in ("deliver", "service"):
            self._deliver(step.place)
        if not step.passed:
            self.found[-1] = replace(self.found[-1], leaving=None, stopped=step.said)

    def _enter(self, key: str, kind: DeviceKind, packet: Packet | None = None) -> None:
        """A device gets what is on the link and passes it on, with ``packet`` as its new header."""
        before = self._unit
        ttl = before.ttl - (1 if HIGHEST[kind] in (3, 4) else 0)
        frame = before.frame if kind == "switch" else None
        self._unit = Unit(packet or before.packet, ttl, frame)
        self.found.append(Device(key, kind, before, self._unit))

    def _send(self, frame: tuple[str, str]) -> None:
        """The last device puts the packet into a frame."""
        self._unit = replace(self._unit, frame=frame)
        self.found[-1] = replace(self.found[-1], leaving=self._unit)

    def _segment(self, step: Step) -> str:
        port = self._network.ports.get(step.place)
        return port.segment.id if port else step.place

    def _router(self, place: str) -> None:
        """The packet is in the router of a segment, if it was not there already."""
        router = self._network.router_of(place)
        if self.found[-1].id != router:
            self._enter(router, "router")

    def _link(self, step: Step) -> None:
        """From the router on this side into the one on the other, or into a transit gateway."""
        near = self.found[-1].id
        if step.kind == "transit-route":
            self._enter(step.place, "transit gateway")
        elif step.passed:
            one, other = self._network.peerings[step.place].routers
            self._enter(other if near == one else one, "router")

    def _internet(self) -> None:
        if self.found[-1].kind != "internet":
            self._enter("internet", "internet")

    def _translator(self, step: Step) -> None:
        if step.place not in self._network.uplinks:
            self._enter(step.place, "NAT gateway", step.after)
            return
        if self.found[-1].id == step.place:  # back in at the gateway where it came out
            self._unit = replace(self._unit, packet=step.after)
            self.found[-1] = replace(self.found[-1], leaving=self._unit)
            return
        if self.found[-1].kind != "router":  # from outside
            self._internet()
        only_out = step.place in self._network.egress_only
        kind: DeviceKind = "egress-only internet gateway" if only_out else "internet gateway"
        self._enter(step.place, kind, step.after)

    def _deliver(self, place: str) -> None:
        if self.found[-1].id == place:
            return  # a router's service, which answers
        port = self._network.ports.get(place)
        if port is None and place not in self._network.segments:  # a router may be who is asked
            self._internet()
        self._enter(port.host if port else place, "host")
        self.found[-1] = replace(self.found[-1], leaving=None)
