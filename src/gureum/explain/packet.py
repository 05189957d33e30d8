"""One packet's header, as far as the network looks at it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gureum.model.nat64 import embedded, is_translated

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
ECHO, ECHO_REPLY = 8, 0
ECHO_V6 = 128

ephemeral = range(32768, 61000)
"""Ports from which a Linux client calls (ip(7), ip_local_port_range)."""

nat_ports = range(1024, 65536)
"""Ports of connections behind a NAT gateway: it keeps the client's if that is one of them, else it
draws one (nft(8), snat with a range of ports)."""

_QUERIES = {ICMP: {ECHO: ECHO_REPLY, 13: 14, 15: 16, 17: 18}, ICMPV6: {ECHO_V6: 129, 139: 140}}
_ANSWERS = {
    protocol: queries | {answer: query for query, answer in queries.items()}
    for protocol, queries in _QUERIES.items()
}
"""ICMP's types of queries and answers, both ways (RFC 792, RFC 950; RFC 4443, RFC 4620)."""

_NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}


def protocol_name(number: int) -> str:
    """An IP protocol's name, or its number in words."""
    return _NAMES.get(number, f"protocol {number}")


@dataclass(frozen=True, slots=True)
class Packet:
    """A header.  Ports are those of TCP and UDP, ``icmp`` is type and code; None where there is
    none.  Source: RFC 791, 8200, 768, 9293, 792, 4443."""

    source: str
    target: str
    protocol: int
    source_port: int | None = None
    target_port: int | None = None
    icmp: tuple[int, int] | None = None

    def reply(self) -> Packet:
        """The header of the answer."""
        icmp = self.icmp and (self._answer_to(self.icmp[0]), self.icmp[1])
        return replace(
            self,
            source=self.target,
            target=self.source,
            source_port=self.target_port,
            target_port=self.source_port,
            icmp=icmp,
        )

    @property
    def begins(self) -> bool:
        """Whether an ICMP message may be the first of a flow: an answer may not."""
        answers = _QUERIES.get(self.protocol, {}).values()
        return self.icmp is None or self.icmp[0] not in answers

    @property
    def flow(self) -> tuple[object, ...]:
        """What connection tracking knows a flow by, seen from its first packet: for ICMP its type
        and that of the answer stand in for ports (Linux, nf_conntrack_proto_icmp.c)."""
        ends = self._ports()
        if self.icmp:
            ends = self.icmp[0], self._answer_to(self.icmp[0])
        return (self.protocol, self.source, ends[0], self.target, ends[1])

    def __str__(self) -> str:
        name = protocol_name(self.protocol)
        if self.icmp:
            name += f" type {self.icmp[0]}"
        ends = zip((self.source, self.target), self._ports(), strict=True)
        return f"{name} {' -> '.join(end(ip, port) for ip, port in ends)}"

    def _answer_to(self, kind: int) -> int:
        return _ANSWERS.get(self.protocol, {}).get(kind, kind)

    def _ports(self) -> tuple[int | None, int | None]:
        return self.source_port, self.target_port


def as_ipv4(packet: Packet) -> Packet | None:
    """A packet of IPv6 to an embedded IPv4 address as one of IPv4, its source as it was; None where
    it cannot be one (RFC 7915, section 5)."""
    target = embedded(packet.target)
    if target is None or not is_translated(target):
        return None
    made = replace(packet, target=target)
    if packet.protocol != ICMPV6:
        return made
    echoes = {ECHO_V6: ECHO, ECHO_V6 + 1: ECHO_REPLY}
    kind, code = packet.icmp or (0, 0)
    return replace(made, protocol=ICMP, icmp=(echoes[kind], code)) if kind in echoes else None


def end(ip: str, port: int | str | None) -> str:
    """An address with its port, if any; one of IPv6 is bracketed (RFC 3986, section 3.2.2)."""
    if port is None:
        return ip
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
