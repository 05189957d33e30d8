"""Frames on the links of a namespace, where no rule looks: who put them there and whether they
arrive (packet(7)).

A filter (:mod:`.tracing_bpf`) lets only one exchange through.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable, Iterator

from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.tracing_bpf import SNAP, attach
from gureum.engines.linux.tracing_headers import RST, Header, Wanted, in_frame, link_addresses
from gureum.engines.linux.tracing_nft import links_of, onto_of
from gureum.explain.overlay import RESET, Sighting, Stage
from gureum.explain.packet import Packet, protocol_name

_ALL = 0x0003
"""ETH_P_ALL: also what is sent."""
_BUFFER = 1 << 18
_TIMESTAMPNS = 35
"""asm-generic/socket.h."""
_STAMPS = 0.1
"""Seconds to wait for kernel time; without it a packet is followed all the same."""
_TIMESPEC = struct.Struct("@ll")
_RECEIVED, _SENT = 0, 4
"""PACKET_HOST and PACKET_OUTGOING; frames for other stations are nobody's."""


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
                data, ancillary, _, (link, _, kind, *_) = self.socket.recvmsg(SNAP, 64)
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
            name = protocol_name(header.packet.protocol)
            yield refused.reply(), f"{name} {kind}/{code}"
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
