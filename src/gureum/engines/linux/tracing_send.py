"""Sends one packet from a namespace: an echo request, the opening of a TCP connection, a datagram.

The ports are bound before anything is sent, so that it is known what to look for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
import struct
from collections.abc import Sequence

from gureum.engines.linux.namespaces import Namespaces
from gureum.explain.packet import ECHO, ECHO_V6, ICMP, ICMPV6, TCP, UDP, Packet, ephemeral

_TRIES = 16
"""Client ports that are tried until one is free."""
_NOW = struct.pack("@ii", 1, 0)
"""SO_LINGER: a connection ends with a reset at once and leaves nothing behind."""
_TEXT = b"gureum explain --live\n"
"""What a packet says; of even length, as the checksum of an echo is counted."""
_PENDING = (errno.EINPROGRESS, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED)
"""What connect(2) says of a packet on its way, or of one that has none."""


class Probe:
    """A packet ready to be sent from a namespace of ``spaces``; to be closed.

    ``packet`` is it, with a client port of one of the ranges ``ports`` (inclusive) where it has
    one; ``ident`` is the identifier of an echo request.

    Raises:
        ValueError: this kind of packet is not sent.
        OSError: the address is not the namespace's own, or no port is free.
    """

    def __init__(
        self, spaces: Namespaces, ns: str, packet: Packet, ports: Sequence[tuple[int, int]]
    ) -> None:
        kind, echo = _KINDS.get(packet.protocol), _ECHOES.get(packet.protocol)
        if kind is None or (packet.icmp is not None and packet.icmp != echo):
            raise ValueError("only TCP, UDP and echo requests can be sent")
        family = socket.AF_INET6 if ":" in packet.source else socket.AF_INET
        self._random = random.SystemRandom()
        self.ident: int | None = None
        with spaces.inside(ns):
            self._socket = socket.socket(family, *kind)
        try:
            self._socket.setblocking(False)
            self.packet = self._bound(packet, ports)
        except BaseException:
            self._socket.close()
            raise

    def _bound(self, packet: Packet, ports: Sequence[tuple[int, int]]) -> Packet:
        if packet.icmp is not None:
            self._socket.bind((packet.source, 0))
            self.ident = self._random.randrange(1, 1 << 16)
            return packet
        spans = [range(low, high + 1) for low, high in ports] or [ephemeral]
        for left in reversed(range(_TRIES)):
            port = self._random.choice(self._random.choice(spans))
            try:
                self._socket.bind((packet.source, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not left:
                    raise
            else:
                break
        return Packet(packet.source, packet.target, packet.protocol, port, packet.target_port)

    def send(self) -> None:
        """Send it.  That there is no way, as far as the sender itself can tell, is no error."""
        target = self.packet.target, self.packet.target_port or 0
        if self.packet.protocol == TCP:
            code = self._socket.connect_ex(target)
            if code not in (0, *_PENDING):
                raise OSError(code, f"connect: {os.strerror(code)}")
            return
        data = _TEXT
        if self.ident is not None and self.packet.icmp is not None:
            data = echo(self.packet.icmp[0], self.ident, _TEXT)
        with contextlib.suppress(OSError):
            self._socket.sendto(data, target)

    def close(self) -> None:
        """End the exchange."""
        if self.packet.protocol == TCP:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)
        self._socket.close()


_KINDS = {
    TCP: (socket.SOCK_STREAM, 0),
    UDP: (socket.SOCK_DGRAM, 0),
    ICMP: (socket.SOCK_RAW, socket.IPPROTO_ICMP),
    ICMPV6: (socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
}
_ECHOES = {ICMP: (ECHO, 0), ICMPV6: (ECHO_V6, 0)}


def echo(kind: int, ident: int, load: bytes) -> bytes:
    """An echo request (RFC 792) with a load of even length.  The checksum of ICMPv6 covers the
    addresses too: the kernel puts its own into what a raw socket sends (RFC 3542, section 3.1)."""
    body = struct.pack("!HH", ident, 1) + load
    total = sum(struct.unpack(f"!{len(body) // 2}H", body)) + (kind << 8)
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBH", kind, 0, ~(total + (total >> 16)) & 0xFFFF) + body
