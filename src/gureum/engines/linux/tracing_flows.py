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
from gureum.explain.packet import Packet

_GET = (1 << 8) | 1
_HEAD = struct.pack("=BBH", socket.AF_INET, 0, 0)
_TUPLE, _TUPLE_IP, _TUPLE_PROTO = 1, 1, 2
_IP_SOURCE, _IP_TARGET = 1, 2
_NUMBER, _SOURCE_PORT, _TARGET_PORT, _ICMP_ID, _ICMP_TYPE, _ICMP_CODE = 1, 2, 3, 4, 5, 6


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
                netlink.request(_GET, _HEAD + _tuple(each, ident))
            except NetlinkError as error:
                if error.errno != errno.ENOENT:
                    raise
            else:
                return True
    return False


def _tuple(packet: Packet, ident: int | None) -> bytes:
    addresses = nested(
        _TUPLE_IP,
        attr(_IP_SOURCE, socket.inet_aton(packet.source)),
        attr(_IP_TARGET, socket.inet_aton(packet.target)),
    )
    if packet.icmp is not None:
        kind, code = packet.icmp
        ends = _port(_ICMP_ID, ident) + u8(_ICMP_TYPE, kind) + u8(_ICMP_CODE, code)
    else:
        ends = _port(_SOURCE_PORT, packet.source_port) + _port(_TARGET_PORT, packet.target_port)
    return nested(_TUPLE, addresses, nested(_TUPLE_PROTO, u8(_NUMBER, packet.protocol), ends))


def _port(kind: int, value: int | None) -> bytes:
    return attr(kind, struct.pack("!H", value or 0))
