"""Hosts that answer: every datagram and connection is told from where it came."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

from tests.kernel import packets

_IP_PKTINFO = 8
"""ip(7); Python's socket module does not name it."""
_EVERYWHERE = ("0.0.0.0", "::")

CLIENT_PATIENCE = 5.0
"""Seconds for an answer that should come; one that should not is given :data:`packets.SHORT`."""


class Answerers:
    """A thread that answers on ports in namespaces, over TCP and UDP, with the address and port of
    the asker as it sees them; use as a context manager."""

    def __init__(self, namespaces: Iterable[Path], ports: Iterable[int]) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._sockets: list[socket.socket] = []
        ports = tuple(ports)
        for ns in namespaces:
            for port in ports:
                for ip in _EVERYWHERE:
                    self._open(ns, ip, port)
        self._thread = threading.Thread(target=self._serve)

    def _open(self, ns: Path, ip: str, port: int) -> None:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            made = packets.make(ns, kind, ip=ip)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if made.family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # The answer must leave from the address that was asked, not the primary one.
            if kind == socket.SOCK_DGRAM and made.family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            elif kind == socket.SOCK_DGRAM:
                made.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            made.bind((ip, port))
            made.setblocking(False)
            if kind == socket.SOCK_STREAM:
                made.listen(64)
            self._selector.register(made, selectors.EVENT_READ)
            self._sockets.append(made)

    def __enter__(self) -> Answerers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        self._selector.close()
        for each in (*self._sockets, self._wake, self._woken):
            each.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                assert isinstance(key.fileobj, socket.socket)
                with contextlib.suppress(OSError):
                    self._answer(key.fileobj)

    def _answer(self, waits: socket.socket) -> None:
        if waits.type == socket.SOCK_STREAM:
            asker, (ip, port, *_) = waits.accept()
            with asker:
                asker.sendall(f"{ip} {port}".encode())
            return
        _, [(level, kind, info)], _, (ip, port, *_) = waits.recvmsg(64, 256)
        # Of struct in_pktinfo only the address: the way out is for the routes to choose.
        source = bytes(4) + info[4:8] + bytes(4)
        if waits.family == socket.AF_INET6:  # struct in6_pktinfo
            source = info[:16] + bytes(4)
        waits.sendmsg([f"{ip} {port}".encode()], [(level, kind, source)], 0, (ip, port))


def ask(
    ns: Path, protocol: str, ip: str, port: int, source_port: int, patience: float
) -> tuple[str, int] | None:
    """What an answerer says from where a packet came; None without an answer."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with packets.make(ns, kind, patience=patience, ip=ip) as asker:
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        asker.bind(("::" if ":" in ip else "0.0.0.0", source_port))
        try:
            asker.connect((ip, port))
            asker.send(b"?")
            seen, _, seen_port = asker.recv(64).decode().partition(" ")
        except OSError:
            return None
        return (seen, int(seen_port)) if seen_port else None
