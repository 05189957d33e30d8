"""Real packets: run things in a namespace and say in one word what happened.

A namespace is given as its file (``/run/netns/…``); nothing here knows how it was made.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import ipaddress
import os
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

OPEN, REFUSED, TIMEOUT = "open", "refused", "timeout"
LONG, USUAL, SHORT = 5.0, 1.0, 0.35
"""Seconds to wait for a packet: for one that should come as long as a busy machine may need, for
one that should not a while, and where it is not known something between; on an idle machine it
takes under 1 ms."""
_ICMP = socket.IPPROTO_ICMP
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(ns: Path) -> Iterator[None]:
    """Be in a namespace with this thread: sockets opened here stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(ns, os.O_RDONLY)
    try:
        if _libc.setns(there, 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), f"setns {ns}")
        yield
    finally:
        _libc.setns(home, 0x40000000)
        os.close(there)
        os.close(home)


def run(ns: Path, *argv: str, timeout: float = 10) -> subprocess.CompletedProcess[str]:
    """Run a program in a namespace; it must exist, but may fail."""
    with inside(ns):
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)


def sh(ns: Path, *argv: str) -> str:
    """Run a program in a namespace that must succeed; its output."""
    done = run(ns, *argv)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout


def make(
    ns: Path,
    kind: int = socket.SOCK_STREAM,
    protocol: int = 0,
    patience: float = LONG,
    ip: str = "0.0.0.0",
) -> socket.socket:
    """A socket in a namespace, of the IP version of an address."""
    with inside(ns):
        made = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, kind, protocol)
    made.settimeout(patience)
    return made


def give(ns: Path, link: str, ip: str, *words: str) -> None:
    """Give an IPv6 address to a namespace's link, ready to be used: its route comes a little
    later."""
    sh(ns, "ip", "address", "replace", f"{ip}/128", "dev", link, "nodad", *words)
    asked = ("ip", "-6", "route", "show", "table", "local", ip)
    assert eventually(lambda: sh(ns, *asked)), f"no route to {ip}"


@contextlib.contextmanager
def listening(ns: Path, port: int, ip: str = "0.0.0.0") -> Iterator[socket.socket]:
    """A TCP listener on all addresses of a namespace of one IP version: that of ``ip``."""
    with make(ns, ip=ip) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in ip:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("::" if ":" in ip else "0.0.0.0", port))
        listener.listen(64)
        yield listener


def tcp(ns: Path, ip: str, port: int, source: str = "", patience: float = USUAL) -> str:
    """``open``, ``refused`` or ``timeout``: what a TCP connection attempt meets."""
    with make(ns, patience=patience, ip=ip) as client:
        if source:
            client.bind((source, 0))
        try:
            client.connect((ip, port))
        except ConnectionRefusedError:
            return REFUSED
        except OSError:  # no answer, or no route
            return TIMEOUT
        return OPEN


@contextlib.contextmanager
def connection(
    client_ns: Path, ip: str, server_ns: Path, port: int
) -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """An established connection: both ends, and the client's address as the server sees it."""
    with listening(server_ns, port, ip) as listener, make(client_ns, ip=ip) as client:
        client.connect((ip, port))
        server, address = listener.accept()
        server.settimeout(LONG)
        with server:
            yield client, server, address[0]


def alive(sender: socket.socket, receiver: socket.socket, patience: float = LONG) -> bool:
    """Whether a byte crosses an established connection."""
    receiver.settimeout(patience)
    sender.sendall(b"x")
    try:
        return receiver.recv(1024) != b""
    except TimeoutError:
        return False


def udp(
    from_ns: Path, to_ns: Path, ip: str, port: int, size: int = 8, patience: float = LONG
) -> bool:
    """Whether a datagram arrives."""
    with (
        make(to_ns, socket.SOCK_DGRAM, ip=ip) as receiver,
        make(from_ns, socket.SOCK_DGRAM, ip=ip) as sender,
    ):
        receiver.settimeout(patience)
        receiver.bind(("::" if ":" in ip else "0.0.0.0", port))
        with contextlib.suppress(OSError):
            sender.sendto(b"u" * size, (ip, port))
        try:
            return len(receiver.recv(65535)) == size
        except TimeoutError:
            return False


@contextlib.contextmanager
def stream(from_ns: Path, to_ns: Path, ip: str, port: int) -> Iterator[Callable[[], int]]:
    """Send a datagram a millisecond; the value stops and answers how many were lost."""
    done = threading.Event()
    sent = 0
    with make(to_ns, socket.SOCK_DGRAM) as receiver, make(from_ns, socket.SOCK_DGRAM) as sender:
        receiver.bind(("0.0.0.0", port))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

        def send() -> None:
            nonlocal sent
            while not done.wait(0.001):
                sender.sendto(struct.pack("!I", sent), (ip, port))
                sent += 1

        thread = threading.Thread(target=send)
        thread.start()

        def lost() -> int:
            done.set()
            thread.join()
            assert sent > 10
            got: set[bytes] = set()
            with contextlib.suppress(TimeoutError):
                while len(got) < sent:
                    got.add(receiver.recv(16))
            return sent - len(got)

        try:
            yield lost
        finally:
            done.set()
            thread.join()


def udp_is_refused(ns: Path, ip: str, port: int, patience: float = LONG) -> bool:
    """Whether a datagram to a port where nobody listens is answered by an ICMP error."""
    with make(ns, socket.SOCK_DGRAM, patience=patience, ip=ip) as sender:
        try:
            sender.connect((ip, port))
            sender.send(b"u")
            sender.recv(16)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def ping(ns: Path, ip: str, ttl: int = 64, size: int = 8, patience: float = USUAL) -> str:
    """``reply``, the address of a hop whose time was exceeded, or ``timeout``."""
    if ":" in ip:
        return _ping6(ns, ip, ttl, size, patience)
    ident = next(_idents)
    with make(ns, socket.SOCK_RAW, _ICMP) as raw:
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        head = struct.pack("!BBHHH", 8, 0, 0, ident, 1) + b"p" * size
        packet = head[:2] + struct.pack("!H", _checksum(head)) + head[4:]
        with contextlib.suppress(OSError):
            raw.sendto(packet, (ip, 0))
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
            data, (sender, _) = raw.recvfrom(65535)
            icmp = data[(data[0] & 15) * 4 :]
            if icmp[0] == 0 and struct.unpack_from("!H", icmp, 4)[0] == ident:
                return "reply"
            inner = icmp[8:]
            if icmp[0] == 11 and _inner_ident(inner) == ident:
                return str(sender)
        return TIMEOUT


def _ping6(ns: Path, ip: str, ttl: int, size: int, patience: float) -> str:
    ident = next(_idents)
    with make(ns, socket.SOCK_RAW, socket.IPPROTO_ICMPV6, ip=ip) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        with contextlib.suppress(OSError):  # the kernel makes the checksum
            raw.sendto(struct.pack("!BBHHH", 128, 0, 0, ident, 1) + b"p" * size, (ip, 0))
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
            icmp, sender = raw.recvfrom(65535)
            if icmp[0] == 129 and struct.unpack_from("!H", icmp, 4)[0] == ident:
                return "reply"
            if icmp[0] == 3 and struct.unpack_from("!H", icmp[8 + 40 :], 4)[0] == ident:
                return str(sender[0])
        return TIMEOUT


def hops(ns: Path, ip: str, limit: int = 8, patience: float = LONG) -> list[str]:
    """The hops to an address, as traceroute would show them; silent ones are ``*``."""
    path: list[str] = []
    for ttl in range(1, limit + 1):
        answer = ping(ns, ip, ttl, patience=patience)
        if answer == "reply":
            return [*path, ip]
        path.append("*" if answer == TIMEOUT else answer)
    return path


def send_frame(ns: Path, link: str, frame: bytes) -> None:
    """Put a frame on a link as it is."""
    with inside(ns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((link, 0))
        raw.send(frame)


class Heard(Protocol):
    """Whether a frame that contains some bytes came, or comes within a time."""

    def __call__(self, marker: bytes, patience: float = LONG) -> bool: ...


@contextlib.contextmanager
def sniffing(ns: Path, link: str, ethertype: int = 3) -> Iterator[Heard]:
    """Listen on a link; the value answers whether a frame that contains some bytes came."""
    with inside(ns):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    with raw:
        raw.bind((link, ethertype))

        def saw(marker: bytes, patience: float = LONG) -> bool:
            until = time.monotonic() + patience
            while (left := until - time.monotonic()) > 0:
                if not select.select([raw], [], [], left)[0]:
                    return False
                data, (_, _, kind, _, _) = raw.recvfrom(65535)
                if marker in data and kind != socket.PACKET_OUTGOING:
                    return True
            return False

        yield saw


def ipv4(
    source: str, target: str, payload: bytes, protocol: int = 17, ttl: int = 64, port: int = 9
) -> bytes:
    """An IPv4 packet; UDP from port 9 to ``port`` where no other protocol is given."""
    if protocol == 17:
        payload = struct.pack("!HHHH", 9, port, 8 + len(payload), 0) + payload
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        0,
        0,
        ttl,
        protocol,
        0,
        socket.inet_aton(source),
        socket.inet_aton(target),
    )
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + payload


def ethernet(target: str, source: str, kind: int, payload: bytes) -> bytes:
    """A frame."""
    return mac(target) + mac(source) + struct.pack("!H", kind) + payload


def arp(operation: int, mac_from: str, ip_from: str, ip_to: str) -> bytes:
    """An ARP body: who-has (1) or is-at (2)."""
    return (
        struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
        + mac(mac_from)
        + socket.inet_aton(ip_from)
        + bytes(6)
        + socket.inet_aton(ip_to)
    )


def ipv6(source: str, target: str, payload: bytes, protocol: int = 17, hops: int = 64) -> bytes:
    """An IPv6 packet; UDP from port 9 to port 9 where no other protocol is given.  Checksums of UDP
    and ICMPv6 are made."""
    ends = address(source) + address(target)
    at = {17: 6, 58: 2}.get(protocol)
    if protocol == 17:
        payload = struct.pack("!HHHH", 9, 9, 8 + len(payload), 0) + payload
    if at is not None:
        pseudo = ends + struct.pack("!II", len(payload), protocol) + payload
        payload = payload[:at] + struct.pack("!H", _checksum(pseudo)) + payload[at + 2 :]
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + ends + payload


def neighbour(kind: int, target: str, station: str) -> bytes:
    """The ICMPv6 body of a neighbour solicitation (135) or advertisement (136, which overrides),
    with the sender's link-layer address (RFC 4861, sections 4.3 and 4.4)."""
    flags = 0x60000000 if kind == 136 else 0
    head = struct.pack("!BBHI", kind, 0, 0, flags) + address(target)
    return head + bytes((kind - 134, 1)) + mac(station)


def address(text: str) -> bytes:
    """An address as bytes."""
    return ipaddress.ip_address(text).packed


@contextlib.contextmanager
def owner(ns: Path) -> Iterator[str]:
    """A file name, for this process's children, of the user namespace that owns a namespace."""
    with ns.open("rb") as file:
        fd: int = fcntl.ioctl(file.fileno(), 0xB701)  # NS_GET_USERNS
    try:
        yield f"/proc/{os.getpid()}/fd/{fd}"
    finally:
        os.close(fd)


def mac(text: str) -> bytes:
    """A link-layer address as bytes."""
    return bytes.fromhex(text.replace(":", ""))


def eventually(condition: Callable[[], object], seconds: float = 10) -> bool:
    """Whether a condition comes true within a time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        select.select([], [], [], 0.01)
    return True


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _inner_ident(inner: bytes) -> int:
    at = (inner[0] & 15) * 4 if inner else 0
    return int(struct.unpack_from("!H", inner, at + 4)[0]) if len(inner) >= at + 6 else -1


def _count() -> Iterator[int]:
    value = os.getpid() & 0xFFFF
    while True:
        value = (value + 1) & 0xFFFF
        yield value


_idents = _count()
