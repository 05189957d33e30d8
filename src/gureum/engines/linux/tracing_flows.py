"""Whether a packet would begin a flow: one that is tracked already is judged by what its first
packet met, and a NAT gateway gives another port to whoever comes second (ctnetlink,
linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable

from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import NETFILTER, NetlinkError, attr, nested, u8
from gureum.explain.packet import ICMP, ICMPV6, Packet

_GET = (1 << 8) | 1
_TUPLE, _TUPLE_IP, _TUPLE_PROTO = 1, 1, 2
_ADDRESSES = {socket.AF_INET: (1, 2), socket.AF_INET6: (3, 4)}
"""The attributes of source and target."""
_NUMBER, _SOURCE_PORT, _TARGET_PORT = 1, 2, 3
_ECHOES = {ICMP: (4, 5, 6), ICMPV6: (7, 8, 9)}
"""The attributes of an echo: identifier, type and code."""


def is_tracked(spaces: Namespaces, ns: str, packets: Iterable[Packet], ident: int | None) -> bool:
    """Whether a namespace tracks a flow that one of some packets, or the answer to it, belongs to;
    ``ident`` is the identifier of an echo.

    Raises:
        OSError: it cannot be asked.
    """
    netlink = spaces.netlink(ns, NETFILTER)
    for packet in packets:
        for each in (packet, packet.reply()):
            try:
                netlink.request(_GET, _question(each, ident))
            except NetlinkError as error:
                if error.errno != errno.ENOENT:
                    raise
            else:
                return True
    return False


def _question(packet: Packet, ident: int | None) -> bytes:
    family = socket.AF_INET6 if ":" in packet.source else socket.AF_INET
    ends = zip(_ADDRESSES[family], (packet.source, packet.target), strict=True)
    addresses = (attr(kind, socket.inet_pton(family, ip)) for kind, ip in ends)
    if packet.icmp is not None:
        kinds = _ECHOES[packet.protocol]
        rest = _port(kinds[0], ident) + u8(kinds[1], packet.icmp[0]) + u8(kinds[2], packet.icmp[1])
    else:
        rest = _port(_SOURCE_PORT, packet.source_port) + _port(_TARGET_PORT, packet.target_port)
    protocol = nested(_TUPLE_PROTO, u8(_NUMBER, packet.protocol), rest)
    head = struct.pack("=BBH", family, 0, 0)
    return head + nested(_TUPLE, nested(_TUPLE_IP, *addresses), protocol)


def _port(kind: int, value: int | None) -> bytes:
    return attr(kind, struct.pack("!H", value or 0))
