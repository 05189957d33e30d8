"""What reaches the target of a mirror, and packets to be copied."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dpkt

from tests.kernel import packets

END = 9999
"""The port of a packet that is sure to be copied: behind its copy nothing is expected."""


@dataclass(frozen=True)
class Copy:
    """A packet in VXLAN: identifier, frame, and the address that sent it."""

    vni: int
    frame: bytes
    sender: str

    @property
    def packet(self) -> dpkt.ip.IP | dpkt.ip6.IP6:
        return dpkt.ethernet.Ethernet(self.frame).data

    @property
    def ends(self) -> tuple[str, str]:
        return self.frame[6:12].hex(":"), self.frame[:6].hex(":")

    @property
    def said(self) -> str:
        """Source, target and ports."""
        ip = self.packet
        names = [socket.inet_ntop(socket.AF_INET if len(each) == 4 else socket.AF_INET6, each)
                 for each in (ip.src, ip.dst)]  # fmt: skip
        return f"{names[0]} {names[1]} {ip.data.sport} {ip.data.dport}"


class Tap:
    """What arrives at a target."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def next(self, patience: float = packets.LONG) -> Copy | None:
        self._sock.settimeout(patience)
        try:
            data, (sender, _) = self._sock.recvfrom(65535)
        except TimeoutError:
            return None
        flags, vni = struct.unpack_from("!B3xI", data)
        assert flags == 8
        return Copy(vni >> 8, data[8:], sender)

    def until_end(self) -> list[Copy]:
        """All copies before the one of the packet to the port that ends a test."""
        found: list[Copy] = []
        while (copy := self.next()) is not None:
            if copy.packet.data.dport == END:
                return found
            found.append(copy)
        raise AssertionError(f"no end after {[each.said for each in found]}")


@contextlib.contextmanager
def tap(ns: Path) -> Iterator[Tap]:
    with packets.make(ns, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.bind(("0.0.0.0", 4789))
        yield Tap(sock)


def send(ns: Path, ip: str, *ports: int, sport: int = 4000, size: int = 10) -> None:
    """Datagrams to somebody who listens at these ports, so that nothing is refused."""
    with packets.make(ns, socket.SOCK_DGRAM, ip=ip) as sock:
        sock.bind(("::" if ":" in ip else "0.0.0.0", sport))
        for port in ports:
            sock.sendto(b"x" * size, (ip, port))


@contextlib.contextmanager
def deaf(ns: Path, *ports: int, ip: str = "0.0.0.0") -> Iterator[None]:
    """Listeners that hear nothing, lest an ICMP error is sent (and copied)."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            sock = stack.enter_context(packets.make(ns, socket.SOCK_DGRAM, ip=ip))
            sock.bind(("::" if ":" in ip else "0.0.0.0", port))
        yield
