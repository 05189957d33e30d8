"""The services that a router has for its own ports (names, instance metadata), as a packet to one
of them meets them: past all filters, and in its sender's own name only (docs/dataplane.md)."""

from __future__ import annotations

from typing import Any

from gureum.explain.codes import Code
from gureum.explain.network import Network
from gureum.explain.packet import Packet, protocol_name
from gureum.explain.steps import Kind, Step, Trace
from gureum.program import Guard, Port, Service

SERVES = {"dns": "the resolver", "metadata": "instance metadata"}
"""What the services are, in words."""


class Teller:
    """A packet on its way, and the steps that are told of it."""

    def __init__(self, network: Network, packet: Packet) -> None:
        self.network = network
        self.packet = packet
        self.trace = Trace()

    def _tell(self, kind: Kind, place: str, said: str, **more: Any) -> None:
        after = more.pop("after", self.packet)
        passed = more.pop("passed", "code" not in more)
        self.trace.steps.append(Step(kind, place, passed, said, self.packet, after, **more))
        self.packet = after

    def _end(self, kind: Kind, place: str, said: str, code: Code | None, **more: Any) -> None:
        """The way ends here, without an arrival."""
        self._tell(kind, place, said, passed=False, code=code, **more)
        self.trace.packet = self.packet

    def _arrive(self, host: str, place: str, said: str, kind: Kind = "deliver") -> None:
        self._tell(kind, place, said)
        self.trace.arrived, self.trace.packet = host, self.packet


class ServiceWalk(Teller):
    """A packet to a service, and the answer to it."""

    def from_service(self, router: str) -> None:
        """A router's service answers somebody in one of the router's segments."""
        target = self.packet.target
        self._tell("service", router, "a service answers: no group and no ACL applies")
        segment = self.network.segment_at(router, target)
        port = self.network.station(segment.id, target) if segment else None
        if segment is None or port is None:
            said = f"nobody that is up has {target}"
            self._end("route", router, said, Code.NO_POSSIBLE_DESTINATION)
            return
        frame = (segment.mac, port.mac)
        self._tell("arp", segment.id, f"{target} is at {port.mac}, which is {port.id}", frame=frame)
        self._arrive(port.host, port.id, f"{port.host} has {target}")

    def _serve(self, port: Port, guard: Guard | None, services: list[Service]) -> None:
        """From a port to an address that its router has for services."""
        router, target = port.segment.router, self.packet.target
        said = f"the router has {target}, and is at {port.segment.mac}"
        self._tell("arp", port.id, said, frame=(port.mac, port.segment.mac))
        wanted = self.packet.protocol, self.packet.target_port
        fit = [each for each in services if (each.protocol, each.port) == wanted]
        if not fit:
            ports = ", ".join(_port(each) for each in services)
            said = f"the router answers {ports} at {target}, and nothing else"
            self._end("service", router, said, Code.NO_POSSIBLE_DESTINATION)
        elif guard is not None and not guard.owns(self.packet.source):
            said = f"who asks a service in another's name than {port.id}'s is not answered"
            self._end("service", router, said, Code.ENI_ADDRESS_RESTRICTION)
        else:
            said = f"{SERVES[fit[0].name]} at {target}: no group and no ACL applies"
            self._arrive(router, router, said, "service")


def _port(service: Service) -> str:
    return f"{protocol_name(service.protocol)} port {service.port}"
