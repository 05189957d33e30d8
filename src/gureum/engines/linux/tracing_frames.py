"""Frames on the links of a namespace, where no rule looks: who put them there and whether they
arrive (packet(7)).

A classic BPF program lets only one exchange through (Documentation/networking/filter.rst), so that
a capture costs the other packets of a place next to nothing and its hosts cannot flood us.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Iterable, Iterator

from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.tracing_headers import RST, Header, Wanted, in_frame, link_addresses
from gureum.engines.linux.tracing_nft import links_of, onto_of
from gureum.explain.overlay import RESET, Sighting, Stage
from gureum.explain.packet import ICMP, Packet

_ALL = 0x0003
"""ETH_P_ALL: also what is sent."""
_SNAP = 192
"""Bytes of a frame that are looked at."""
_BUFFER = 1 << 18
_ATTACH_FILTER, _TIMESTAMPNS = 26, 35
"""asm-generic/socket.h."""
_STAMPS = 0.1
"""Seconds to wait for kernel time; without it a packet is followed all the same."""
_TIMESPEC = struct.Struct("@ll")
_RECEIVED, _SENT = 0, 4
"""PACKET_HOST and PACKET_OUTGOING; frames for other stations are nobody's."""

# linux/filter.h, linux/bpf_common.h
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_BEHIND_HALF, _BEHIND_BYTE, _BEHIND_WORD = 0x48, 0x50, 0x40
_HEADER_TO_X = 0xB1
_AND, _EQUALS, _RETURN = 0x54, 0x15, 0x06
_INSTRUCTION = struct.Struct("@HBBI")
_ETHERTYPE, _FRAGMENT, _PROTOCOL, _SOURCE, _TARGET, _IP = 12, 20, 23, 26, 30, 14
_IPV4 = 0x0800
_QUOTE = _IP + 8
"""Where the packet begins that an ICMP error quotes, behind the length of the IPv4 header."""

_Test = tuple[int, int, int]
"""How to load, from where, and what must be there."""


class Capture:
    """The frames of one exchange on all links of a namespace; ``place`` is what sightings call
    it."""

    def __init__(self, spaces: Namespaces, ns: str, place: str, wanted: Wanted) -> None:
        self._place = place
        self._wanted = wanted
        self._aliases = dict(dict(links_of(spaces, ns)).values())
        with spaces.inside(ns):
            self.socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(_ALL)
            )
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        attach(self.socket, wanted)

    def read(self, most: int) -> Iterator[Sighting]:
        """What was seen since the last call, after at most so many frames; ``at`` is the time in
        microseconds since 1970."""
        for _ in range(most):
            try:
                data, ancillary, _, (link, _, kind, *_) = self.socket.recvmsg(_SNAP, 64)
            except BlockingIOError:
                return
            header = in_frame(data)
            if header is None or kind not in (_RECEIVED, _SENT):
                continue
            stage: Stage = "sent" if kind == _SENT else "received"
            for packet, refusal in self._meant(header):
                yield Sighting(
                    self._place,
                    stage,
                    packet,
                    header.ttl,
                    frame=link_addresses(data),
                    link=link,
                    onto=onto_of(self._aliases.get(link, ""), self._place),
                    at=_microseconds(ancillary),
                    refusal=refusal,
                )

    def _meant(self, header: Header) -> Iterator[tuple[Packet, str]]:
        """The packet of the exchange that a frame carries or, being an ICMP error, answers."""
        refused = self._wanted.refused(header)
        if refused is not None:
            kind, code = header.packet.icmp or (0, 0)
            yield refused.reply(), f"icmp {kind}/{code}"
        elif header in self._wanted:
            yield header.packet, RESET if header.flags & RST else ""


def wait_for_stamps() -> None:
    """Wait until the kernel notes when frames come, which it begins some time after it was asked
    to (net/core/dev.c, ``net_enable_timestamp``); until then their time is that of reading."""
    until = time.monotonic() + _STAMPS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        own.settimeout(_STAMPS)
        own.bind(("127.0.0.1", 0))
        while time.monotonic() < until:
            own.sendto(b"?", own.getsockname())
            sent = time.time_ns() / 1000
            stamp = _microseconds(own.recvmsg(1, 64)[1])
            if stamp is not None and stamp < sent:
                return


def _microseconds(ancillary: Iterable[tuple[int, int, bytes]]) -> float | None:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            return float(seconds * 1_000_000 + nanoseconds / 1000)
    return None


# --- the filter ---------------------------------------------------------------------------------
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
        found += _row(_carried(packet, wanted.ident))
    for packet in sorted(wanted.forth, key=str):
        found += _row(_quoted(packet, wanted.ident))
    return b"".join((*found, _INSTRUCTION.pack(_RETURN, 0, 0, 0)))


def _row(tests: list[_Test]) -> Iterator[bytes]:
    """Go on to what follows where one test fails, else take the frame."""
    yield _INSTRUCTION.pack(_HEADER_TO_X, 0, 0, _IP)
    code: list[tuple[int, int]] = [(_LOAD_HALF, _FRAGMENT), (_AND, 0x1FFF), (_EQUALS, 0)]
    for load, where, value in tests:
        code += [(load, where), (_EQUALS, value)]
    for at, (operation, value) in enumerate(code):
        past = len(code) - at if operation == _EQUALS else 0
        yield _INSTRUCTION.pack(operation, 0, past, value)
    yield _INSTRUCTION.pack(_RETURN, 0, 0, _SNAP)


def _carried(packet: Packet, ident: int | None) -> list[_Test]:
    return [
        (_LOAD_HALF, _ETHERTYPE, _IPV4),
        (_LOAD_BYTE, _PROTOCOL, packet.protocol),
        (_LOAD_WORD, _SOURCE, _number(packet.source)),
        (_LOAD_WORD, _TARGET, _number(packet.target)),
        *_ports(packet, ident, _IP),
    ]


def _quoted(packet: Packet, ident: int | None) -> list[_Test]:
    """An ICMP error about a packet without IPv4 options, as ours are."""
    return [
        (_LOAD_HALF, _ETHERTYPE, _IPV4),
        (_LOAD_BYTE, _PROTOCOL, ICMP),
        (_BEHIND_BYTE, _QUOTE + 9, packet.protocol),
        (_BEHIND_WORD, _QUOTE + 12, _number(packet.source)),
        (_BEHIND_WORD, _QUOTE + 16, _number(packet.target)),
        *_ports(packet, ident, _QUOTE + 20),
    ]


def _ports(packet: Packet, ident: int | None, at: int) -> list[_Test]:
    if packet.icmp is not None:
        return [(_BEHIND_BYTE, at, packet.icmp[0]), (_BEHIND_HALF, at + 4, ident or 0)]
    ports = packet.source_port or 0, packet.target_port or 0
    return [(_BEHIND_HALF, at, ports[0]), (_BEHIND_HALF, at + 2, ports[1])]


def _number(ip: str) -> int:
    return int.from_bytes(socket.inet_aton(ip), "big")
