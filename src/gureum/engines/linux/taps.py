"""Frames on the links of a namespace, as they come: a packet socket (packet(7)) that only listens.

Nothing is set up in the namespace: the socket is all there is, and the kernel closes it with
whoever holds it, also when that is killed.  Frames are seen before any filter judges them, so one
that goes in and does not come out was dropped in between.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from gureum.engines.linux import links
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import Netlink, number, parse, string
from gureum.engines.linux.pcap_filter import attach, compiled, on_links

_ALL = 0x0003
"""ETH_P_ALL: also what is sent."""
_BUFFER = 1 << 21
"""Bytes that wait in the kernel for us; what does not fit is lost and counted."""
_TIMESTAMPNS, _RCVBUFFORCE = 35, 33
"""asm-generic/socket.h."""
_PACKET, _STATISTICS = 263, 6
_ASIDE = 256
"""Bytes of what the kernel says beside a frame."""
_TIMESPEC = struct.Struct("@ll")
_COUNTS = struct.Struct("=II")
_LOOPBACK = 772
"""ARPHRD_LOOPBACK (linux/if_arp.h)."""
_IFLA_INFO_KIND = 1

_AUXDATA, _AUX = 8, struct.Struct("=III")
"""PACKET_AUXDATA (linux/if_packet.h): status, length on the link, length kept."""
_SENT = 4
"""PACKET_OUTGOING; everything else came in, also what is for another station: a bridge passes it
on, a host overhears it."""

Way = Literal["received", "sent"]


@dataclass(frozen=True, slots=True)
class TapLink:
    """A link by its name; ``alias`` is what it is called after, ids apart from each other by
    spaces, ``mac`` its own address."""

    name: str
    alias: str
    mac: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame on the link of that index: ``at`` in nanoseconds since 1970 by the kernel's clock,
    its ``size`` on the link, and the part of it that is kept."""

    link: int
    way: Way
    at: int
    size: int
    data: bytes


@dataclass(frozen=True)
class Spot:
    """Where to listen: a namespace; in it the ports of ``bridge``, the one link ``only``, or where
    neither is given all links but bridges and the loopback."""

    ns: str
    bridge: str = ""
    only: str = ""


class Tap:
    """Listens at a spot, for frames that ``expression`` (pcap-filter(7), numbers only) lets through
    and of which ``snap`` bytes are kept; to be closed.  Opened on a thread that may enter
    namespaces, and then used from any one.

    Raises:
        OSError: there is no such namespace, or libpcap is not installed.
        ValueError: the expression is none.
    """

    def __init__(self, spaces: Namespaces, spot: Spot, expression: str, snap: int) -> None:
        self._spot = spot
        self._snap = snap
        self._program = compiled(expression, snap)
        self._file = spaces.path(spot.ns)
        self._inode = self._file.stat().st_ino
        self._looking = threading.Lock()
        self.links: dict[int, TapLink] = {}
        with spaces.inside(spot.ns):
            self._netlink = Netlink()
            try:
                self.socket = socket.socket(
                    socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(_ALL)
                )
            except OSError:
                self._netlink.close()
                raise
        try:
            self._listen()
        except BaseException:
            self.close()
            raise

    def _listen(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        self.socket.setsockopt(_PACKET, _AUXDATA, 1)
        # what came before there was a filter is not meant: shut the door, clear away, open it
        attach(self.socket, on_links(self._program, ()))
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(1)
        self.came()
        self.look()

    def look(self) -> bool:
        """Look which links there are now; whether others than before."""
        with self._looking:
            found = dict(self._found())
        if found == self.links and found:
            return False
        attach(self.socket, on_links(self._program, found))
        self.links = found
        self._indexes = {link.name: index for index, link in found.items()}
        return True

    def _found(self) -> Iterator[tuple[int, TapLink]]:
        messages = [
            (links.LINK.unpack_from(message.body), parse(message.body[links.LINK.size :]))
            for message in self._netlink.dump(links.GETLINK, links.link_body())
        ]
        indexes = {string(at.get(links.IFLA_IFNAME)): head[2] for head, at in messages}
        bridge = indexes.get(self._spot.bridge, -1)
        for (_, kind, index, *_), at in messages:
            link = TapLink(
                string(at.get(links.IFLA_IFNAME)),
                string(at.get(links.IFLA_IFALIAS)),
                at.get(links.IFLA_ADDRESS, b"").hex(":"),
            )
            master = number(at.get(links.IFLA_MASTER))
            if self._is_meant(link.name, kind, master == bridge, at):
                yield index, link

    def _is_meant(self, name: str, kind: int, on_bridge: bool, at: dict[int, bytes]) -> bool:
        if self._spot.only:
            return name == self._spot.only
        if self._spot.bridge:
            return on_bridge
        made = string(parse(at.get(links.IFLA_LINKINFO, b"")).get(_IFLA_INFO_KIND))
        return kind != _LOOPBACK and made != "bridge"

    def read(self, most: int) -> Iterator[Seen]:
        """What came since the last call, after at most so many frames."""
        for _ in range(most):
            try:
                data, ancillary, _, (name, _, kind, *_) = self.socket.recvmsg(self._snap, _ASIDE)
            except BlockingIOError:
                return
            at, size = _aside(ancillary)
            way: Way = "sent" if kind == _SENT else "received"
            yield Seen(self._indexes.get(name, 0), way, at, max(size, len(data)), data)

    def is_there(self) -> bool:
        """Whether the namespace is still what the cloud means by its name: listening alone keeps
        one alive that was removed."""
        try:
            return self._file.stat().st_ino == self._inode
        except OSError:
            return False

    def came(self) -> int:
        """How many frames the filter let through since the last call, also those that did not fit
        into the kernel's buffer."""
        raw = self.socket.getsockopt(_PACKET, _STATISTICS, _COUNTS.size)
        return int(_COUNTS.unpack(raw)[0])

    def close(self) -> None:
        """Stop listening."""
        with self._looking:  # a look that another thread has begun
            self._netlink.close()
        self.socket.close()


def _aside(ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[int, int]:
    """When a frame was seen, and how long it was on the link."""
    at = size = 0
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            at = int(seconds) * 1_000_000_000 + int(nanoseconds)
        elif (level, kind) == (_PACKET, _AUXDATA):
            size = int(_AUX.unpack(data[: _AUX.size])[1])
    return at, size
