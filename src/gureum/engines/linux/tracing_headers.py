"""The headers of a packet as it is on a link: IPv4 or IPv6 with TCP, UDP or ICMP (RFC 791, 8200,
9293, 768, 792, 4443).

What comes here was written by hosts that nobody vouches for: whatever is too short or odd is None.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from gureum.explain.packet import ECHO, ECHO_REPLY, ECHO_V6, ICMP, ICMPV6, TCP, UDP, Packet

ETHERNET = 14
"""Bytes of an Ethernet header; tags are no part of it here."""
SYN, RST, ACK = 0x02, 0x04, 0x10

IPV4, IPV6 = 0x0800, 0x86DD
"""Types of an Ethernet frame."""

_IPV6_SIZE = 40
_ECHOES = {ICMP: (ECHO, ECHO_REPLY), ICMPV6: (ECHO_V6, ECHO_V6 + 1)}
_ERRORS = {ICMP: (3, 11, 12), ICMPV6: (1, 2, 3, 4)}
"""ICMP messages that quote the packet which caused them (RFC 792; RFC 4443 section 2.1)."""


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed packet.  ``ident`` is an echo's identifier, ``flags`` are TCP's; ``quoted`` is the
    packet that an ICMP error is about."""

    packet: Packet
    ttl: int
    flags: int = 0
    ident: int | None = None
    quoted: Header | None = None


def link_addresses(frame: bytes) -> tuple[str, str]:
    """Source and destination of an Ethernet frame."""
    return frame[6:12].hex(":"), frame[0:6].hex(":")


def in_frame(frame: bytes) -> Header | None:
    """The IP packet in an Ethernet frame."""
    kind = int.from_bytes(frame[12:ETHERNET], "big")
    return ip_header(frame[ETHERNET:]) if kind in (IPV4, IPV6) else None


def ip_header(data: bytes, *, quoted: bool = False) -> Header | None:
    """A packet from its IP header on, of either version; ``quoted`` in an ICMP error."""
    version = data[0] >> 4 if data else 0
    if version == 6:
        return _ipv6(data, quoted=quoted)
    return _ipv4(data, quoted=quoted) if version == 4 else None


def _ipv4(data: bytes, *, quoted: bool) -> Header | None:
    """The first fragment of a packet, at most: later ones have no ports."""
    if len(data) < 20 or int.from_bytes(data[6:8], "big") & 0x1FFF:
        return None
    size = (data[0] & 15) * 4
    source, target = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
    return _transport(source, target, data[9], data[8], data[size:], quoted=quoted)


def _ipv6(data: bytes, *, quoted: bool) -> Header | None:
    """A packet without extension headers, as ours are."""
    if len(data) < _IPV6_SIZE:
        return None
    source, target = (socket.inet_ntop(socket.AF_INET6, data[at : at + 16]) for at in (8, 24))
    return _transport(source, target, data[6], data[7], data[_IPV6_SIZE:], quoted=quoted)


def _transport(
    source: str, target: str, protocol: int, ttl: int, data: bytes, *, quoted: bool
) -> Header | None:
    if len(data) < 8:
        return None
    if protocol in (TCP, UDP):
        ports = int.from_bytes(data[0:2], "big"), int.from_bytes(data[2:4], "big")
        flags = data[13] if protocol == TCP and len(data) > 13 else 0
        return Header(Packet(source, target, protocol, *ports), ttl, flags)
    if protocol not in _ERRORS:
        return None
    packet = Packet(source, target, protocol, icmp=(data[0], data[1]))
    if data[0] in _ERRORS[protocol] and not quoted:
        return Header(packet, ttl, quoted=ip_header(data[8:], quoted=True))
    ident = int.from_bytes(data[4:6], "big") if data[0] in _ECHOES[protocol] else None
    return Header(packet, ttl, ident=ident)


@dataclass(frozen=True)
class Wanted:
    """The headers of one exchange, as they may be anywhere on its way: those of the first packet
    and those of the answer.  ``ident`` is the identifier of an echo.

    Of TCP only the opening is meant: a SYN, and a SYN+ACK or a reset in answer.
    """

    forth: frozenset[Packet]
    back: frozenset[Packet]
    ident: int | None = None

    def __contains__(self, header: Header) -> bool:
        if header.ident != self.ident:
            return False
        if header.packet.protocol != TCP:
            return header.packet in self.forth or header.packet in self.back
        begins = header.flags & (SYN | ACK) == SYN
        answers = header.flags & (SYN | RST) != 0
        return (header.packet in self.forth and begins) or (header.packet in self.back and answers)

    def refused(self, header: Header) -> Packet | None:
        """The packet, of those sent, that an ICMP error is about."""
        about = header.quoted
        known = about is not None and about.ident == self.ident and about.packet in self.forth
        return about.packet if about is not None and known else None
