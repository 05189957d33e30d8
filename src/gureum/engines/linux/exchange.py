"""Small real conversations from a namespace, over IPv4 or IPv6 as their addresses are: a ping, a
name, a connection, a page; and forgetting who has which address, so that the next packet has to ask
(arp(7), RFC 4861)."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.rdatatype

from gureum.engines.linux import links
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import NetlinkError, attr, parse
from gureum.engines.linux.tracing_send import echo
from gureum.explain.packet import ECHO, ECHO_V6

_MOST = 1 << 16
"""Bytes of an answer that are read."""
_ECHO_REPLIES = {4: 0, 6: 129}
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
    """Have a host forget whom it has asked for, by ARP and as IPv6 neighbours; what was put there
    to stay stays.

    Raises:
        OSError: there is no such namespace.
    """
    netlink = spaces.netlink(ns)
    request = links.NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    for message in netlink.dump(links.GETNEIGH, request):
        family, index, state, _, _ = links.NEIGHBOUR.unpack_from(message.body)
        ip = parse(message.body[links.NEIGHBOUR.size :]).get(links.NDA_DST)
        if family not in (socket.AF_INET, socket.AF_INET6) or state & _KEPT or ip is None:
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
    version = 6 if ":" in source else 4
    protocol, kind = (
        (socket.IPPROTO_ICMP, ECHO) if version == 4 else (socket.IPPROTO_ICMPV6, ECHO_V6)
    )
    ident, load = secrets.randbelow(1 << 16), secrets.token_bytes(32)
    with _socket(spaces, ns, socket.SOCK_RAW, source, protocol) as raw:
        said = "no way leads there"
        with contextlib.suppress(OSError):
            raw.sendto(echo(kind, ident, load), (target, 0))
            said = "nobody answered"
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
            data, (sender, *_) = raw.recvfrom(_MOST)
            if _is_answer(data, version, load):
                said = f"{sender} answered"
                break
    return Talk("ping", said, (source, ident), (target, 0))


def _is_answer(data: bytes, version: int, load: bytes) -> bool:
    """Whether a raw socket got the reply to an echo; of IPv4 it gets the header, too (raw(7))."""
    icmp = data[(data[0] & 15) * 4 :] if version == 4 else data
    return icmp[:1] == bytes((_ECHO_REPLIES[version],)) and icmp[8:] == load


def look_up(
    spaces: Namespaces, ns: str, ends: tuple[str, str], name: str, version: int, patience: float
) -> Talk:
    """Ask a resolver for a name's address of an IP version, which is the ``answer`` where there is
    one.

    Raises:
        OSError: as of :func:`ping`.
    """
    source, server = ends
    kind = dns.rdatatype.A if version == 4 else dns.rdatatype.AAAA
    query = dns.message.make_query(name, kind, use_edns=False)
    with _socket(spaces, ns, socket.SOCK_DGRAM, source) as udp:
        udp.settimeout(patience)
        local = udp.getsockname()[:2]
        found, said = "", "the resolver did not answer"
        with contextlib.suppress(OSError, dns.exception.DNSException):
            udp.connect((server, 53))
            udp.send(query.to_wire())
            told = dns.message.from_wire(udp.recv(_MOST))
            if told.id == query.id:
                found = next((str(each) for rrset in told.answer for each in rrset), "")
                said = f"{name} is {found}" if found else f"there is no address of {name}"
    return Talk("look up", said, local, (server, 53), found)


def connect(
    spaces: Namespaces, ns: str, ends: tuple[str, str], port: int, request: bytes, patience: float
) -> Talk:
    """Open a TCP connection, say something if there is something to say, read the answer, close.
    Whoever goes on answering is heard for ``patience`` seconds.

    Raises:
        OSError: as of :func:`ping`.
    """
    source, target = ends
    with _socket(spaces, ns, socket.SOCK_STREAM, source) as tcp:
        tcp.settimeout(patience)
        local = tcp.getsockname()[:2]
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
            _read_out(tcp, patience)
        except TimeoutError:
            said = "it was accepted, and nothing more came" if answer else "nobody answered"
        except OSError as error:
            said = _refused(error)
    return Talk("connect", said, local, (target, port))


def _read_out(tcp: socket.socket, patience: float) -> None:
    """Read until the other end has nothing more to say, but not for longer: it may be hostile."""
    until = time.monotonic() + patience
    with contextlib.suppress(OSError):
        while (left := until - time.monotonic()) > 0:
            tcp.settimeout(left)
            if not tcp.recv(_MOST):
                break


def send(spaces: Namespaces, ns: str, ends: tuple[str, str], port: int, patience: float) -> Talk:
    """A datagram; nobody need answer it.

    Raises:
        OSError: as of :func:`ping`.
    """
    source, target = ends
    with _socket(spaces, ns, socket.SOCK_DGRAM, source) as udp:
        udp.settimeout(patience)
        local = udp.getsockname()[:2]
        try:
            udp.connect((target, port))
            udp.send(b"gureum story " + secrets.token_hex(8).encode())
            udp.recv(_MOST)
            said = "it was answered"
        except TimeoutError:
            said = "no answer came"
        except OSError as error:
            said = _refused(error)
    return Talk("datagram", said, local, (target, port))


@contextlib.contextmanager
def _socket(
    spaces: Namespaces, ns: str, kind: int, source: str, protocol: int = 0
) -> Iterator[socket.socket]:
    """A socket in a namespace that sends from an address; closed in the end."""
    with spaces.inside(ns):
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        made = socket.socket(family, kind, protocol)
    with made:
        made.bind((source, 0))
        yield made


def _refused(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "it was refused: nobody listens there"
    return os.strerror(error.errno) if error.errno else str(error)
