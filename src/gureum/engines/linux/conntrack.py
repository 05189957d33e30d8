"""Tracked flows: list them, and forget those of an address, which would otherwise keep a
translation alive for as long as packets of the flow arrive (ctnetlink,
linux/netfilter/nfnetlink_conntrack.h)."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from gureum.engines.linux.netlink import NESTED, Netlink, NetlinkError, attr, parse

_CTNETLINK = 1 << 8
_GET, _DELETE = _CTNETLINK | 1, _CTNETLINK | 2
_HEAD = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _PROTOINFO, _TIMEOUT, _ID = 1, 2, 3, 4, 7, 12
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_SRC, _IP_DST, _IP6_SRC, _IP6_DST = 1, 2, 3, 4
_PROTO_NUMBER, _PROTO_SPORT, _PROTO_DPORT, _PROTO_ICMP_ID, _PROTO_ICMP6_ID = 1, 2, 3, 4, 7
_PROTOINFO_TCP, _TCP_STATE = 1, 1
_SEEN_REPLY = 1 << 1
_TCP_STATES = (
    *("none", "syn-sent", "syn-received", "established", "fin-wait", "close-wait"),
    *("last-ack", "time-wait", "close", "syn-sent"),
)
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}


@dataclass(frozen=True, slots=True)
class End:
    """One direction of a flow: who sends to whom.  Ports are 0 where there are none; of ICMP
    echoes ``sport`` is the identifier."""

    source: str
    sport: int
    target: str
    dport: int


@dataclass(frozen=True, slots=True)
class Flow:
    """A tracked flow: as it was begun, as its answers look, and its state; ``expires`` is in
    seconds."""

    protocol: str
    original: End
    reply: End
    state: str
    expires: int


def flows(netlink: Netlink) -> Iterator[Flow]:
    """All tracked flows of the namespace of a netfilter socket."""
    for message in netlink.dump(_GET, _HEAD):
        at = parse(message.body[len(_HEAD) :])
        number, original = _end(at.get(_TUPLE_ORIG, b""))
        _, reply = _end(at.get(_TUPLE_REPLY, b""))
        state = "answered" if _big(at.get(_STATUS)) & _SEEN_REPLY else "unanswered"
        tcp = parse(parse(at.get(_PROTOINFO, b"")).get(_PROTOINFO_TCP, b"")).get(_TCP_STATE)
        if tcp and tcp[0] < len(_TCP_STATES):
            state = _TCP_STATES[tcp[0]]
        name = _PROTOCOLS.get(number, str(number))
        yield Flow(name, original, reply, state, _big(at.get(_TIMEOUT)))


def forget(netlink: Netlink, ips: Collection[str]) -> None:
    """End all tracked flows in which one of some addresses takes part; ``netlink`` is a netfilter
    socket.

    Costs some 10 ms however few flows there are: the kernel walks one table for all namespaces.
    """
    packed = {ipaddress.ip_address(ip).packed for ip in ips}
    for message in netlink.dump(_GET, _HEAD):
        flow = parse(message.body[len(_HEAD) :])
        original, reply = flow.get(_TUPLE_ORIG, b""), flow.get(_TUPLE_REPLY, b"")
        if packed.isdisjoint((*_addresses(original), *_addresses(reply))):
            continue
        family = message.body[: len(_HEAD)]
        body = family + attr(_TUPLE_ORIG | NESTED, original) + attr(_ID, flow.get(_ID, b""))
        try:
            netlink.request(_DELETE, body)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise


def _addresses(flow: bytes) -> tuple[bytes, ...]:
    ends = parse(parse(flow).get(_TUPLE_IP, b""))
    source, target = ends.get(_IP_SRC), ends.get(_IP_DST)
    return source or ends.get(_IP6_SRC, b""), target or ends.get(_IP6_DST, b"")


def _end(flow: bytes) -> tuple[int, End]:
    source, target = _addresses(flow)
    proto = parse(parse(flow).get(_TUPLE_PROTO, b""))
    sport = _big(proto.get(_PROTO_SPORT) or proto.get(_PROTO_ICMP_ID) or proto.get(_PROTO_ICMP6_ID))
    end = End(_ip(source), sport, _ip(target), _big(proto.get(_PROTO_DPORT)))
    return _big(proto.get(_PROTO_NUMBER)), end


def _ip(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed or bytes(4)))


def _big(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big")
