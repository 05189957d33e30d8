"""What is behind the network: whether somebody listens where a packet arrives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gureum.explain.packet import TCP, UDP, Packet, protocol_name
from gureum.explain.steps import Step
from gureum.explain.verdict import Answer

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - where others may be bound to, not we
_REFUSAL = {
    TCP: "a reset (RFC 9293)",
    UDP: "an ICMP port unreachable (RFC 1122)",
}


@dataclass(frozen=True)
class Listener:
    """A socket that waits: ``protocol`` is ``tcp`` or ``udp``."""

    protocol: str
    address: str
    port: int


def arrival(answer: Answer) -> Packet | None:
    """The packet that arrives at a port, if one does."""
    packet = answer.forth.packet
    arrives = answer.forth.passed and answer.back is not None
    if packet is None or not arrives or packet.protocol not in _REFUSAL:
        return None
    return packet


def heard(answer: Answer, listeners: Iterable[Listener]) -> Answer:
    """The answer with a last step about who listens; as it is where nothing arrives at a port."""
    packet = arrival(answer)
    if packet is None:
        return answer
    name = protocol_name(packet.protocol)
    mine = [x for x in listeners if (x.protocol, x.port) == (name, packet.target_port)]
    everywhere = _EVERYWHERE[1:] if ":" in packet.target else _EVERYWHERE
    fit = [x for x in mine if x.address in (*everywhere, packet.target)]
    service = f"{name} port {packet.target_port}"
    if fit:
        said = f"somebody listens on {service}"
    else:
        said = f"nobody listens on {service}: the kernel answers with {_REFUSAL[packet.protocol]}"
    if mine and not fit:
        said = f"{service} is listened on at {mine[0].address} only, and not at {packet.target}"
    host = answer.forth.arrived or ""
    step = Step("listen", host, bool(fit), said, packet, packet)
    forth = replace(answer.forth, steps=[*answer.forth.steps, step])
    return replace(answer, forth=forth, heard=bool(fit))
