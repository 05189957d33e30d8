"""Netlink by hand: sockets, messages, attributes (netlink(7), rtnetlink(7), linux/netlink.h).

Small on purpose: opening a namespace object of a general library costs as much as building it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

ROUTE, SOCK_DIAG, NETFILTER = 0, 4, 12

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_ERROR, _DONE, _OVERRUN = 2, 3, 4
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_DUMP_INTERRUPTED = 0x10
_BUFFER = 1 << 20
_ATTEMPTS = 5


class NetlinkError(OSError):
    """The kernel refused a message; ``errno`` says why."""


class Message(NamedTuple):
    """A received message: its type and what follows the netlink header."""

    type: int
    body: bytes


def attr(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    size = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(size, kind) + value + b"\0" * (-size % 4)


def text(kind: int, value: str) -> bytes:
    """A zero-ended string attribute."""
    return attr(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    """A 32-bit attribute in the machine's byte order."""
    return attr(kind, struct.pack("=I", value))


def u8(kind: int, value: int) -> bytes:
    """An 8-bit attribute."""
    return attr(kind, bytes([value]))


def nested(kind: int, *inner: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attr(kind | NESTED, b"".join(inner))


def parse(data: bytes) -> dict[int, bytes]:
    """Attributes by number; of a number that comes twice the last one."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if size < _ATTRIBUTE.size:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
    return found


def number(value: bytes | None, default: int = 0) -> int:
    """An unsigned number of 1, 2 or 4 bytes in the machine's byte order."""
    return int.from_bytes(value, sys.byteorder) if value else default


def string(value: bytes | None) -> str:
    """A zero-ended string."""
    return value.rstrip(b"\0").decode(errors="replace") if value else ""


class Netlink:
    """A socket in the namespace in which it was opened, wherever it is used from."""

    def __init__(self, protocol: int = ROUTE) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Close the socket, which would keep its namespace alive."""
        self._socket.close()

    def request(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Send one message and wait for the kernel's answer.

        Raises:
            NetlinkError: with the kernel's errno.
        """
        self._send(kind, body, REQUEST | ACK | flags)
        for message in self._receive():
            if message.type == _ERROR:
                _raise(message.body)
                return

    def get(self, kind: int, body: bytes) -> Message:
        """One object.

        Raises:
            NetlinkError: with the kernel's errno.
        """
        self._send(kind, body, REQUEST)
        for message in self._receive():
            if message.type == _ERROR:
                _raise(message.body)
            return message
        raise NetlinkError(errno.EIO, "netlink gave no answer")  # it always does

    def dump(self, kind: int, body: bytes) -> list[Message]:
        """All objects of a kind; begun anew where they changed meanwhile."""
        for _ in range(_ATTEMPTS):
            self._send(kind, body, REQUEST | DUMP)
            found: list[Message] = []
            self._interrupted = False
            for message in self._receive():
                if message.type == _DONE:
                    break
                if message.type == _ERROR:
                    _raise(message.body)
                    break
                found.append(message)
            if not self._interrupted:
                return found
        raise NetlinkError(errno.EINTR, "netlink dump kept being interrupted")

    def _send(self, kind: int, body: bytes, flags: int) -> None:
        self._sequence += 1
        size = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(size, kind, flags, self._sequence, 0) + body)

    def _receive(self) -> Iterator[Message]:
        while True:
            data = self._socket.recv(_BUFFER)
            at = 0
            while at + _HEADER.size <= len(data):
                size, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
                if sequence == self._sequence:
                    self._interrupted = bool(flags & _DUMP_INTERRUPTED) or self._interrupted
                    yield Message(kind, data[at + _HEADER.size : at + size])
                at += (size + 3) & ~3

    _interrupted = False


def _raise(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code:
        raise NetlinkError(-code, os.strerror(-code))
