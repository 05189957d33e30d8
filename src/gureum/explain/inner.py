"""The last part of a way into a container, and the first of one out of it: docker0, links, ports.

It is what the instance's namespace is made to do (``engines/linux/lower_inner.py``); what its owner
does there beside that is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gureum.explain.packet import Packet
from gureum.explain.steps import Step
from gureum.program import InnerHost, InnerPort, Published, Statement


@dataclass(frozen=True)
class Inside:
    """The steps inside an instance: ``forth`` those of the packet, ``back`` those of the answer.
    ``owner`` is the container, ``packet`` the header as the container has it."""

    owner: str
    packet: Packet
    forth: tuple[Step, ...]
    back: tuple[Step, ...]


class Inner:
    """The network inside one instance, ``host``."""

    def __init__(self, host: str, statements: Iterable[Statement]) -> None:
        self._host = host
        self._statements = tuple(statements)
        self._names = {s.id: s.name for s in self._statements if isinstance(s, InnerHost)}

    def behind(self, packet: Packet) -> Inside | None:
        """Where a packet to the instance goes in truth, if its port is published, which it is for
        IPv4: networks of containers have no other addresses."""
        found = None if ":" in packet.target else self._published(packet)
        if found is None:
            return None
        link = self._link(found.owner, found.segment.id)
        if link is None:
            return None
        name, lan = self._names.get(found.owner, found.owner[:12]), found.segment
        inner = replace(packet, target=found.ip, target_port=found.to_port)
        answer = inner.reply()
        forth = (
            self._step("translate", packet, inner, f"port {found.port} is published for the "
                       f"container {name}: the destination becomes {found.ip}:{found.to_port}. "
                       "That is decided before the instance's own input rules, which are not asked",
                       found.owner),
            self._step("route", inner, inner, f"{found.ip} is in {lan.cidr}, on {lan.name}"),
            self._step("switch", inner, inner, f"{lan.name} has learned {link.mac} behind the link "
                       f"to {name}, or floods the frame to find it"),
            self._step("deliver", inner, inner, f"the container {name} has {found.ip} on "
                       f"eth{link.index}", found.owner),
        )  # fmt: skip
        back = (
            self._step("send", answer, answer, f"the container {name} answers; its default route "
                       f"leads to {lan.gateway} on {lan.name}", found.owner),
            self._step("translate", answer, packet.reply(), "the source becomes "
                       f"{packet.target}:{packet.target_port} again: the flow was translated"),
        )  # fmt: skip
        return Inside(found.owner, inner, forth, back)

    def out(self, owner: str, packet: Packet) -> Inside | None:
        """How a container's packet leaves its instance; ``packet`` is that which goes on from
        there, under the instance's address.  None where no way leads out of the container, as
        none does for IPv6."""
        link = next((link for link in self._links(owner) if link.gateway), None)
        if link is None or link.segment.closed or ":" in packet.target:
            return None
        name, lan = self._names.get(owner, owner[:12]), link.segment
        inner = replace(packet, source=link.ip)
        forth = (
            self._step("send", inner, inner, f"the container {name} sends from {link.ip}; its "
                       f"default route leads to {lan.gateway} on {lan.name}", owner),
            self._step("translate", inner, packet, f"what leaves {lan.cidr} is masqueraded: the "
                       f"source becomes {packet.source}, the instance's address"),
        )  # fmt: skip
        answer = packet.reply()
        back = (
            self._step("translate", answer, inner.reply(), f"the destination becomes {link.ip} "
                       "again: the flow was translated"),
            self._step("deliver", inner.reply(), inner.reply(), f"over {lan.name} to the container "
                       f"{name}", owner),
        )  # fmt: skip
        return Inside(owner, inner, forth, back)

    def _step(self, kind: str, before: Packet, after: Packet, said: str, by: str = "") -> Step:
        return Step(kind, self._host, True, said, before, after, (by,) if by else ())  # type: ignore[arg-type]

    def _published(self, packet: Packet) -> Published | None:
        fit = [
            each
            for each in self._statements
            if isinstance(each, Published)
            and (each.protocol, each.port) == (packet.protocol, packet.target_port)
            and each.address in ("", packet.target)
        ]
        return max(fit, key=lambda each: each.address, default=None)

    def _links(self, owner: str) -> list[InnerPort]:
        return [s for s in self._statements if isinstance(s, InnerPort) and s.owner == owner]

    def _link(self, owner: str, segment: str) -> InnerPort | None:
        return next((each for each in self._links(owner) if each.segment.id == segment), None)
