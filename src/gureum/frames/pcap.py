"""Frames written down so that Wireshark, tcpdump and others read them: pcapng
(draft-ietf-opsawg-pcapng), which knows on which link and in which direction a frame was seen."""

from __future__ import annotations

import struct
from typing import BinaryIO

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_MAGIC = 0x1A2B3C4D
_ETHERNET = 1
_NAME, _RESOLUTION, _FLAGS, _APPLICATION = 2, 9, 2, 4
_NANOSECONDS = b"\x09"
"""Times count in units of ten to the power of minus nine."""
_DIRECTIONS = {"received": 1, "sent": 2}


class PcapWriter:
    """Writes frames to a binary stream.  Every method may raise what the stream raises."""

    def __init__(self, file: BinaryIO, snap: int) -> None:
        self._file = file
        self._snap = snap
        self._links: dict[str, int] = {}
        head = struct.pack("<IHHq", _MAGIC, 1, 0, -1)
        self._block(_SECTION, head + _option(_APPLICATION, b"gureum watch") + _END)

    def write(self, link: str, way: str, at: int, size: int, data: bytes) -> None:
        """One frame: the link's name, ``sent`` or ``received``, nanoseconds since 1970, how long it
        was on the link, and what of it was kept."""
        if link not in self._links:
            self._links[link] = len(self._links)
            options = _option(_NAME, link.encode()) + _option(_RESOLUTION, _NANOSECONDS)
            self._block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, self._snap) + options + _END)
        head = struct.pack("<IIIII", self._links[link], at >> 32, at & 0xFFFFFFFF, len(data), size)
        flags = struct.pack("<I", _DIRECTIONS.get(way, 0))
        self._block(_PACKET, head + _padded(data) + _option(_FLAGS, flags) + _END)

    def flush(self) -> None:
        """Have everything written so far reach the reader."""
        self._file.flush()

    def _block(self, kind: int, body: bytes) -> None:
        size = struct.pack("<I", 12 + len(body))
        self._file.write(struct.pack("<I", kind) + size + body + size)


_END = bytes(4)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + _padded(value)
