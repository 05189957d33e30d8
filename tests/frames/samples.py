"""Frames as hosts send them: heads by hand after the RFCs, messages by those whose trade it is."""

from __future__ import annotations

import contextlib
import functools
import ssl
import struct

import dns.flags
import dns.message
import dns.rrset

from tests.kernel.packets import arp, ethernet, ipv4, ipv6, neighbour

ONE, TWO = "02:00:00:00:00:01", "02:00:00:00:00:02"
A, B = "10.0.1.10", "10.0.2.20"


def in_ipv4(payload: bytes, protocol: int, ttl: int = 64) -> bytes:
    """A frame with an IPv4 packet."""
    return ethernet(TWO, ONE, 0x0800, ipv4(A, B, payload, protocol, ttl))


def segment(
    payload: bytes, sport: int = 40000, dport: int = 80, flags: int = 0x18, number: int = 1000
) -> bytes:
    """A frame with a TCP segment: acknowledgement 2000."""
    head = struct.pack("!HHIIBBHHH", sport, dport, number, 2000, 0x50, flags, 502, 0, 0)
    return in_ipv4(head + payload, 6)


def datagram(payload: bytes, sport: int, dport: int) -> bytes:
    """A frame with a UDP datagram; the whole protocol number is TCP's only."""
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    whole = ipv4(A, B, head + payload, 6)
    return ethernet(TWO, ONE, 0x0800, whole[:9] + bytes((17,)) + whole[10:])


def syn() -> bytes:
    """A SYN with the options that Linux sends."""
    options = struct.pack("!BBHBBBBIIBBB", 2, 4, 1460, 4, 2, 8, 10, 1, 0, 1, 3, 3) + b"\x07"
    head = struct.pack("!HHIIBBHHH", 40000, 80, 7, 0, 0xA0, 0x02, 64240, 0, 0)
    return in_ipv4(head + options, 6)


def echo(kind: int = 8) -> bytes:
    """An echo request or reply: identifier 7, sequence number 1."""
    return in_ipv4(struct.pack("!BBHHH", kind, 0, 0, 7, 1) + b"ping", 1)


def time_exceeded() -> bytes:
    """An ICMP error about an echo request."""
    return in_ipv4(struct.pack("!BBHI", 11, 0, 0, 0) + echo()[14:42], 1)


def question() -> dns.message.Message:
    """A query for an address."""
    asked = dns.message.make_query("ip-10-0-2-20.ec2.internal", "A", use_edns=False)
    asked.id = 4711
    return asked


def answer() -> dns.message.Message:
    """The answer to it."""
    made = dns.message.make_response(question())
    name = made.question[0].name
    made.answer.append(dns.rrset.from_text(name, 60, "IN", "A", B))
    return made


def client_hello(name: str = "db.example") -> bytes:
    """What OpenSSL begins a connection with."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def dhcp_discover() -> bytes:
    """The first message of RFC 2131's figure 3."""
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234, 0, 0x8000) + bytes(16)
    options = bytes((53, 1, 1, 55, 2, 1, 3, 255))
    station = bytes.fromhex(ONE.replace(":", "")) + bytes(10)
    return head + station + bytes(192) + bytes.fromhex("63825363") + options


REQUEST = b"GET /index.html HTTP/1.1\r\nHost: web\r\nAccept: */*\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@functools.cache
def everything() -> list[bytes]:
    """One frame of each kind."""
    return [
        ethernet("ff:ff:ff:ff:ff:ff", ONE, 0x0806, arp(1, ONE, A, B)),
        ethernet(ONE, TWO, 0x0806, arp(2, TWO, B, A)),
        echo(),
        time_exceeded(),
        syn(),
        segment(REQUEST),
        segment(RESPONSE, 80, 40000),
        segment(client_hello(), dport=443),
        datagram(question().to_wire(), 5353, 53),
        datagram(answer().to_wire(), 53, 5353),
        datagram(dhcp_discover(), 68, 67),
        ethernet(TWO, ONE, 0x86DD, ipv6("fe80::1", "fe80::2", neighbour(135, "fe80::2", ONE), 58)),
        ethernet(TWO, ONE, 0x86DD, ipv6("3fff::1", "3fff::2", b"hello")),
        ethernet(TWO, ONE, 0x86DD, ipv6("3fff::1", "3fff::2", bytes((17, 0)) + bytes(14), 60)),
    ]
