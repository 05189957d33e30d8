"""What makes a copied packet into what a mirror's target gets, frame by frame, in the kernel.

The program stands where copies come in, and lets through what is none.  A copy is told by the link
address that it was sent to.  It gets the addresses that it had on the mirrored port, and back the
hop that the router took; it is cut, put into VXLAN (RFC 7348), and comes in again by the same link
as a packet from the port's segment to the router.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from gureum.engines.linux.ebpf import (
    STACK,
    Line,
    add,
    assembled,
    call,
    change,
    from_frame,
    go,
    go_if,
    leave,
    move,
    network_order,
    number,
    on_stack,
    read,
    store,
)
from gureum.engines.linux.items import Copier
from gureum.engines.linux.names import MTU_INSIDE

ROUTED, SWITCHED, RECEIVED = 1, 2, 3
"""How a packet came to be copied: sent and routed, which took a hop; sent within its segment;
received."""
_MARK = 0x0E000000
"""How the link address begins that a copy is sent to; no station's does."""

VXLAN_PORT = 4789
_ETHERNET, _IPV4, _UDP = 14, 20, 8
_HEAD = 50
"""Ethernet, IPv4, UDP and VXLAN before the frame (RFC 7348, section 5)."""
LONGEST = MTU_INSIDE - (_HEAD - _ETHERNET)
"""Octets of a frame that leave room for the rest in the largest packet."""
_TTL, _DONT_FRAGMENT, _VALID = 64, 0x4000, 0x08
_DYNAMIC, _FLOWS = 0xC000, 0x3FFF
"""A flow has one source port, of the dynamic range (RFC 7348, section 5)."""

# linux/bpf.h
_STORE_BYTES, _FIX_CHECKSUM, _REDIRECT, _FLOW_HASH, _CUT, _PUT_BEFORE = 9, 10, 23, 34, 38, 43
_INWARD = 1
_LEN, _IFINDEX = 0, 40
"""Where struct __sk_buff has a frame's length and its link."""
_LET_IN, _DROP = 0, 2
"""linux/pkt_cls.h."""

_CONTEXT, _HOW, _FLOW, _SIZE = 6, 7, 8, 9
"""Registers that hold the frame's context, how it was copied, its hash, its size."""


def marked(how: int) -> str:
    """The link address to which copies are sent that were made in one of the three ways."""
    return struct.pack("!IH", _MARK, how).hex(":")


def program(it: Copier) -> bytes:
    """The instructions."""
    return assembled(
        (
            move(_CONTEXT, 1),
            from_frame("word", 0),
            go_if(0, "!=", _MARK, "none"),
            from_frame("half", 4),
            move(_HOW, 0),
            *_hop_back(),
            *_addresses(it),
            *_called(_FLOW_HASH),
            move(_FLOW, 0),
            *_cut(min(it.length or LONGEST, LONGEST)),
            *_wrapped(_head(it)),
            read(1, _CONTEXT, _IFINDEX),
            number(2, _INWARD),
            call(_REDIRECT),
            leave(),
            "lost",
            number(0, _DROP),
            leave(),
            "none",
            number(0, _LET_IN),
            leave(),
        )
    )


def _called(helper: int, *arguments: int) -> Iterator[Line]:
    """A call about the frame, with numbers; what is not given is 0."""
    yield move(1, _CONTEXT)
    for register, value in zip(range(2, 6), (*arguments, 0, 0, 0, 0), strict=False):
        yield number(register, value)
    yield call(helper)


def _stored(at: int, size: int, place: int) -> Iterator[Line]:
    """Octets of the stack into the frame."""
    yield move(1, _CONTEXT)
    yield number(2, at)
    yield move(3, STACK)
    yield change(3, "+", -place)
    yield number(4, size)
    yield number(5, 0)
    yield call(_STORE_BYTES)


def _hop_back() -> Iterator[Line]:
    """What was routed was sent with one more of its time to live, or hop limit."""
    ttl, checksum, limit = _ETHERNET + 8, _ETHERNET + 10, _ETHERNET + 7
    yield go_if(_HOW, "!=", ROUTED, "whole")
    yield from_frame("half", _ETHERNET - 2)
    yield go_if(0, "==", 0x86DD, "ipv6")
    yield from_frame("byte", ttl)
    yield move(_FLOW, 0)
    yield move(_SIZE, 0)
    yield change(_SIZE, "+", 1)
    yield store("byte", -8, _SIZE)
    yield from _stored(ttl, 1, 8)
    for register, value in ((3, _FLOW), (4, _SIZE)):  # the upper octet of a sixteen-bit word
        yield move(register, value)
        yield change(register, "<<", 8)
        yield network_order(register)
    yield move(1, _CONTEXT)
    yield number(2, checksum)
    yield number(5, 2)
    yield call(_FIX_CHECKSUM)
    yield go("whole")
    yield "ipv6"
    yield from_frame("byte", limit)
    yield change(0, "+", 1)
    yield store("byte", -8, 0)
    yield from _stored(limit, 1, 8)
    yield "whole"


def _addresses(it: Copier) -> Iterator[Line]:
    station, router = _octets(it.station), _octets(it.router)
    yield go_if(_HOW, "==", RECEIVED, "received")
    yield from on_stack(router + station, -12)
    yield go("addressed")
    yield "received"
    yield from on_stack(station + router, -12)
    yield "addressed"
    yield from _stored(0, 12, 12)


def _cut(length: int) -> Iterator[Line]:
    yield read(2, _CONTEXT, _LEN)
    yield go_if(2, "<=", length, "short")
    yield from _called(_CUT, length)
    yield go_if(0, "!=", 0, "lost")
    yield "short"


def _wrapped(head: bytes) -> Iterator[Line]:
    """The head goes before the frame: lengths, the source port and IPv4's checksum are the frame's.
    UDP has none, as RFC 7348 would have it."""
    at = -((_HEAD + 7) & ~7)
    ip, udp = at + _ETHERNET, at + _ETHERNET + _IPV4
    yield from _called(_PUT_BEFORE, _HEAD)
    yield go_if(0, "!=", 0, "lost")
    yield from on_stack(head, at)
    yield read(_SIZE, _CONTEXT, _LEN)
    yield change(_SIZE, "-", _ETHERNET)
    yield from _stored_half(_SIZE, ip + 2)
    yield move(0, _SIZE)
    yield change(0, "-", _IPV4)
    yield from _stored_half(0, udp + 4)
    yield change(_FLOW, "&", _FLOWS)
    yield change(_FLOW, "|", _DYNAMIC)
    yield from _stored_half(_FLOW, udp)
    yield change(_SIZE, "+", _sum(head[_ETHERNET : _ETHERNET + _IPV4]))
    for _ in range(2):  # RFC 1071: what is carried over is added
        yield move(0, _SIZE)
        yield change(0, ">>", 16)
        yield change(_SIZE, "&", 0xFFFF)
        yield add(_SIZE, 0)
    yield change(_SIZE, "^", 0xFFFF)
    yield from _stored_half(_SIZE, ip + 10)
    yield from _stored(0, _HEAD, -at)


def _stored_half(register: int, at: int) -> Iterator[Line]:
    yield move(1, register)
    yield network_order(1)
    yield store("half", at, 1)


def _sum(octets: bytes) -> int:
    return sum(struct.unpack(f"!{len(octets) // 2}H", octets))


def _head(it: Copier) -> bytes:
    """What is put before a frame, but for what differs from frame to frame."""
    ends = ipaddress.IPv4Address(it.ip).packed + ipaddress.IPv4Address(it.target).packed
    ethernet = _octets(it.router) + _octets(it.mac) + b"\x08\0"
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, _DONT_FRAGMENT, _TTL, 17, 0) + ends
    vxlan = struct.pack("!BxxxI", _VALID, it.vni << 8)
    return ethernet + ip + struct.pack("!HHHH", 0, VXLAN_PORT, 0, 0) + vxlan


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
