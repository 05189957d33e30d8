"""Small real conversations from a namespace: a ping, a name, a connection, a page; and forgetting
who has which address, so that the next packet has to ask (arp(7))."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import socket
import struct
import time
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.rdatatype

from gureum.engines.linux import links
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import NetlinkError, attr, parse

_MOST = 1 << 16
"""Bytes of an answer that are read."""
_ECHO, _ECHO_REPLY = 8, 0
_KEPT = links.NUD_NOARP | links.NUD_PERMANENT


@dataclass(frozen=True)
class Talk:
    """A conversation that was had: with whom, and how it ended.  ``local`` and ``remote`` are
    address and port (of a ping the identifier, and 0)."""

    what: str
    said: str
    local: tuple[str, int]
    remote: tuple[str, int]
    answer: str = ""


def forget_neighbours(spaces: Namespaces, ns: str) -> None:
    """Have a host forget whom it has asked for; what was put there to stay stays.

    Raises:
        OSError: there is no such namespace.
    """
    netlink = spaces.netlink(ns)
    request = links.NEIGHBOUR.pack(socket.AF_INET, 0, 0, 0, 0)
    for message in netlink.dump(links.GETNEIGH, request):
        family, index, state, _, _ = links.NEIGHBOUR.unpack_from(message.body)
        ip = parse(message.body[links.NEIGHBOUR.size :]).get(links.NDA_DST)
        if family != socket.AF_INET or state & _KEPT or ip is None:
            continue
        body = links.NEIGHBOUR.pack(family, index, 0, 0, 0) + attr(links.NDA_DST, ip)
        try:
            netlink.request(links.DELNEIGH, body)
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise


def ping(spaces: Namespaces, ns: str, ends: tuple[str, str], patience: float) -> Talk:
    """One echo request from one address to another, whose answer is waited for so many seconds.

    Raises:
        OSError: the namespace or the address is not there.
    """
    source, target = ends
    ident, load = secrets.randbelow(1 << 16), secrets.token_bytes(32)
    with spaces.inside(ns):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with raw:
        raw.bind((source, 0))
        said = "no way leads there"
        with contextlib.suppress(OSError):
            raw.sendto(_echo(ident, load), (target, 0))
            said = "nobody answered"
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
            data, (sender, _) = raw.recvfrom(_MOST)
            icmp = data[(data[0] & 15) * 4 :]
            if icmp[:1] == bytes((_ECHO_REPLY,)) and icmp[8:] == load:
                said = f"{sender} answered"
                break
    return Talk("ping", said, (source, ident), (target, 0))


def _echo(ident: int, load: bytes) -> bytes:
    body = struct.pack("!HH", ident, 1) + load
    total = sum(struct.unpack(f"!{len(body) // 2}H", body)) + (_ECHO << 8)
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBH", _ECHO, 0, ~(total + (total >> 16)) & 0xFFFF) + body


def look_up(spaces: Namespaces, ns: str, ends: tuple[str, str], name: str, patience: float) -> Talk:
    """Ask a resolver for a name's IPv4 address, which is the ``answer`` where there is one.

    Raises:
        OSError: as of :func:`ping`.
    """
    source, server = ends
    query = dns.message.make_query(name, dns.rdatatype.A, use_edns=False)
    with spaces.inside(ns):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with udp:
        udp.settimeout(patience)
        udp.bind((source, 0))
        local = udp.getsockname()
        found, said = "", "the resolver did not answer"
        with contextlib.suppress(OSError, dns.exception.DNSException):
            udp.connect((server, 53))
            udp.send(query.to_wire())
            told = dns.message.from_wire(udp.recv(_MOST))
            if told.id == query.id:
                found = next((str(each) for rrset in told.answer for each in rrset), "")
                said = f"{name} is {found}" if found else f"there is no address of {name}"
    return Talk("look up", said, (local[0], local[1]), (server, 53), found)


def connect(
    spaces: Namespaces, ns: str, ends: tuple[str, str], port: int, request: bytes, patience: float
) -> Talk:
    """Open a TCP connection, say something if there is something to say, read the answer, close.

    Raises:
        OSError: as of :func:`ping`.
    """
    source, target = ends
    with spaces.inside(ns):
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with tcp:
        tcp.settimeout(patience)
        tcp.bind((source, 0))
        local = tcp.getsockname()
        answer = b""
        try:
            tcp.connect((target, port))
            said = "it was accepted"
            if request:
                tcp.sendall(request)
                answer = tcp.recv(_MOST)
                line = answer.split(b"\r\n", 1)[0].decode(errors="replace")
                said = f"the answer is {line!r}"
            tcp.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while tcp.recv(_MOST):
                    pass
        except ConnectionRefusedError:
            said = "it was refused: nobody listens there"
        except TimeoutError:
            said = "it was accepted, and nothing more came" if answer else "nobody answered"
        except OSError as error:
            said = os.strerror(error.errno) if error.errno else str(error)
    return Talk("connect", said, (local[0], local[1]), (target, port))


def send(spaces: Namespaces, ns: str, ends: tuple[str, str], port: int, patience: float) -> Talk:
    """A datagram; nobody need answer it.

    Raises:
        OSError: as of :func:`ping`.
    """
    source, target = ends
    with spaces.inside(ns):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with udp:
        udp.settimeout(patience)
        udp.bind((source, 0))
        local = udp.getsockname()
        try:
            udp.connect((target, port))
            udp.send(b"gureum story " + secrets.token_hex(8).encode())
            udp.recv(_MOST)
            said = "it was answered"
        except ConnectionRefusedError:
            said = "it was refused: nobody listens there"
        except TimeoutError:
            said = "no answer came"
        except OSError as error:
            said = os.strerror(error.errno) if error.errno else str(error)
    return Talk("datagram", said, (local[0], local[1]), (target, port))
