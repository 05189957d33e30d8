"""The sockets of a network namespace, as proc(5) tells them (``/proc/net/tcp`` and the like), and
how long the queues of those that listen may become, which only sock_diag(7) tells."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gureum.engines.linux.netlink import Netlink, NetlinkError

HERE = Path("/proc/thread-self/net")
"""The network of the calling thread, which may be in another namespace than its process."""

_BY_FAMILY = 20
"""SOCK_DIAG_BY_FAMILY (linux/sock_diag.h)."""
_REQUEST = struct.Struct("=BBBxI")
_ID = 48
"""Bytes of ``struct inet_diag_sockid`` (linux/inet_diag.h): ports, addresses, link, cookie."""
_MOST = 4 + _ID + 8
"""Where ``idiag_wqueue`` is: of a socket that listens the length that its queue may have."""
_LISTEN = 0x0A
_STATES = {
    0x01: "established", 0x02: "syn-sent", 0x03: "syn-received", 0x04: "fin-wait-1",
    0x05: "fin-wait-2", 0x06: "time-wait", 0x07: "closed", 0x08: "close-wait", 0x09: "last-ack",
    _LISTEN: "listening", 0x0B: "closing", 0x0C: "syn-received",
}  # fmt: skip
"""``enum`` of ``include/net/tcp_states.h``, by the names of RFC 9293."""


@dataclass(frozen=True)
class Socket:
    """A socket: its own end and the other one, which is ``0.0.0.0`` or ``::`` and port 0 where
    there is none yet.  UDP sockets that wait for anybody are ``listening`` too.

    ``unread`` and ``unsent`` are bytes that came and were not read, and that the other end has not
    acknowledged; of a TCP socket that listens ``unread`` are the connections that nobody has
    accepted yet."""

    protocol: str
    address: str
    port: int
    peer: str
    peer_port: int
    state: str
    unread: int = 0
    unsent: int = 0


def sockets(folder: Path = HERE) -> Iterator[Socket]:
    """The TCP and UDP sockets, IPv4 first."""
    for protocol in ("tcp", "udp"):
        for family in ("", "6"):
            try:
                text = (folder / f"{protocol}{family}").read_text(encoding="ascii")
            except FileNotFoundError:  # no IPv6 in this kernel
                continue
            for line in text.splitlines()[1:]:
                yield _socket(protocol, line.split())


def _socket(protocol: str, words: list[str]) -> Socket:
    (address, port), (peer, peer_port) = _end(words[1]), _end(words[2])
    state = int(words[3], 16)
    waits = protocol == "udp" and peer_port == 0
    said = "listening" if waits else _STATES.get(state, str(state))
    unsent, unread = (int(word, 16) for word in words[4].split(":"))
    return Socket(protocol, address, port, peer, peer_port, said, unread, unsent)


def backlogs(netlink: Netlink) -> dict[tuple[str, int], int]:
    """How many connections may wait at each TCP socket that listens, by its address and port
    (listen(2)); nothing where the kernel has no tcp_diag.  ``netlink`` is a sock_diag socket."""
    found: dict[tuple[str, int], int] = {}
    for family in (socket.AF_INET, socket.AF_INET6):
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << _LISTEN) + bytes(_ID)
        try:
            messages = netlink.dump(_BY_FAMILY, request)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            continue
        size = 4 if family == socket.AF_INET else 16
        for message in messages:
            body = message.body
            port = int.from_bytes(body[4:6], "big")
            address = str(ipaddress.ip_address(body[8 : 8 + size]))
            found[address, port] = int.from_bytes(body[_MOST : _MOST + 4], sys.byteorder)
    return found


def _end(text: str) -> tuple[str, int]:
    """An address as words of 32 bits in the machine's own byte order, and a port."""
    words, _, port = text.partition(":")
    raw = b"".join(
        socket.ntohl(int(words[at : at + 8], 16)).to_bytes(4) for at in range(0, len(words), 8)
    )
    address = ipaddress.ip_address(raw)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address), int(port, 16)
