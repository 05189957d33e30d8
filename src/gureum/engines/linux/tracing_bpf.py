"""Lets only the frames of one exchange through to a packet socket.

A classic BPF program (Documentation/networking/filter.rst) in the kernel, so that a capture costs
the other packets of a place next to nothing and its hosts cannot flood us.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Iterator

from gureum.engines.linux.tracing_headers import ETHERNET, IPV4, IPV6, Wanted
from gureum.explain.packet import ICMP, ICMPV6, Packet

SNAP = 192
"""Bytes of a frame that are looked at."""

_ATTACH_FILTER = 26
"""asm-generic/socket.h."""

# linux/filter.h, linux/bpf_common.h; what loads "behind" counts from X, the length of a header
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_BEHIND_HALF, _BEHIND_BYTE, _BEHIND_WORD = 0x48, 0x50, 0x40
_HEADER_TO_X = 0xB1
_AND, _EQUALS, _RETURN = 0x54, 0x15, 0x06
_INSTRUCTION = struct.Struct("@HBBI")
_ETHERTYPE, _IP = 12, ETHERNET
_FRAGMENT, _PROTOCOL, _SOURCE, _TARGET = 6, 9, 12, 16
"""Where the fields of an IPv4 header are."""
_PROTOCOL6, _SOURCE6, _TARGET6, _SIZE6 = 6, 8, 24, 40
"""The same of an IPv6 header, and its size."""
_ERROR = 8
"""Where in an ICMP error the packet begins that it quotes."""

_Operation = tuple[int, int]
_Test = tuple[int, int, int]
"""How to load, from where, and what must be there."""


def attach(raw: socket.socket, wanted: Wanted) -> None:
    """Let a packet socket receive the frames of one exchange only."""
    code = program(wanted)
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HP", len(code) // _INSTRUCTION.size, ctypes.addressof(buffer))
    raw.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, fprog)


def program(wanted: Wanted) -> bytes:
    """The filter: for each header one row of tests, and one for the ICMP errors about it."""
    found: list[bytes] = []
    for packet in sorted(wanted.forth | wanted.back, key=str):
        found += _row(packet, wanted.ident, quoted=False)
    for packet in sorted(wanted.forth, key=str):
        found += _row(packet, wanted.ident, quoted=True)
    return b"".join((*found, _INSTRUCTION.pack(_RETURN, 0, 0, 0)))


def _row(packet: Packet, ident: int | None, *, quoted: bool) -> Iterator[bytes]:
    """Go on to what follows where one test fails, else take the frame."""
    code: list[_Operation] = []
    if ":" in packet.source:
        tests = _quoted6(packet, ident) if quoted else _carried6(packet, ident)
    else:
        yield _INSTRUCTION.pack(_HEADER_TO_X, 0, 0, _IP)
        code += [(_LOAD_HALF, _IP + _FRAGMENT), (_AND, 0x1FFF), (_EQUALS, 0)]
        tests = _quoted(packet, ident) if quoted else _carried(packet, ident)
    for load, where, value in tests:
        code += [(load, where), (_EQUALS, value)]
    for at, (operation, value) in enumerate(code):
        past = len(code) - at if operation == _EQUALS else 0
        yield _INSTRUCTION.pack(operation, 0, past, value)
    yield _INSTRUCTION.pack(_RETURN, 0, 0, SNAP)


def _carried(packet: Packet, ident: int | None) -> list[_Test]:
    return [
        (_LOAD_HALF, _ETHERTYPE, IPV4),
        (_LOAD_BYTE, _IP + _PROTOCOL, packet.protocol),
        *_address(_LOAD_WORD, _IP + _SOURCE, packet.source),
        *_address(_LOAD_WORD, _IP + _TARGET, packet.target),
        *_ends(packet, ident, (_BEHIND_BYTE, _BEHIND_HALF), _IP),
    ]


def _quoted(packet: Packet, ident: int | None) -> list[_Test]:
    """An ICMP error about a packet without IPv4 options, as ours are."""
    at = _IP + _ERROR
    return [
        (_LOAD_HALF, _ETHERTYPE, IPV4),
        (_LOAD_BYTE, _IP + _PROTOCOL, ICMP),
        (_BEHIND_BYTE, at + _PROTOCOL, packet.protocol),
        *_address(_BEHIND_WORD, at + _SOURCE, packet.source),
        *_address(_BEHIND_WORD, at + _TARGET, packet.target),
        *_ends(packet, ident, (_BEHIND_BYTE, _BEHIND_HALF), at + 20),
    ]


def _carried6(packet: Packet, ident: int | None) -> list[_Test]:
    return [(_LOAD_HALF, _ETHERTYPE, IPV6), *_header6(packet, ident, _IP)]


def _quoted6(packet: Packet, ident: int | None) -> list[_Test]:
    return [
        (_LOAD_HALF, _ETHERTYPE, IPV6),
        (_LOAD_BYTE, _IP + _PROTOCOL6, ICMPV6),
        *_header6(packet, ident, _IP + _SIZE6 + _ERROR),
    ]


def _header6(packet: Packet, ident: int | None, at: int) -> list[_Test]:
    """An IPv6 header has one length, and no fragments."""
    return [
        (_LOAD_BYTE, at + _PROTOCOL6, packet.protocol),
        *_address(_LOAD_WORD, at + _SOURCE6, packet.source),
        *_address(_LOAD_WORD, at + _TARGET6, packet.target),
        *_ends(packet, ident, (_LOAD_BYTE, _LOAD_HALF), at + _SIZE6),
    ]


def _ends(packet: Packet, ident: int | None, loads: tuple[int, int], at: int) -> list[_Test]:
    byte, half = loads
    if packet.icmp is not None:
        return [(byte, at, packet.icmp[0]), (half, at + 4, ident or 0)]
    ports = packet.source_port or 0, packet.target_port or 0
    return [(half, at, ports[0]), (half, at + 2, ports[1])]


def _address(load: int, at: int, ip: str) -> list[_Test]:
    packed = ipaddress.ip_address(ip).packed
    words = struct.unpack(f"!{len(packed) // 4}I", packed)
    return [(load, at + 4 * number, word) for number, word in enumerate(words)]
