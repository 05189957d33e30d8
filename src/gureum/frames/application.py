"""What programs say to each other: DNS, DHCP, TLS hellos, HTTP (RFC 1035, 2131, 8446, 9112).

TLS and HTTP are known by how they begin, on whatever port; DNS and DHCP by their ports.  A message
that goes on in further segments is read as far as it is there (:mod:`.streams` puts them together).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dpkt

from gureum.frames.found import Found, parsed
from gureum.frames.layers import Fields, Layer, text

_DNS, _DHCP = 53, (67, 68)
_HTTP = re.compile(
    rb"(?:(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH) [^\r\n]{1,8000} HTTP/1\.[01]"
    rb"|HTTP/1\.[01] [1-5][0-9][0-9][^\r\n]{0,200})\r?\n"
)
_METHODS = (
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
)  # fmt: skip
_FIRST_LINE = 8200
"""Bytes that the first line of an HTTP message may have, as :data:`_HTTP` reads it."""
_HEADERS = 40
"""Header lines of a message that are shown at most."""
_RECORDS = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data"}
_HANDSHAKE, _HELLOS = 22, (1, 2)
_HANDSHAKES = {
    1: "client hello", 2: "server hello", 4: "new session ticket", 11: "certificate",
    14: "server hello done", 16: "client key exchange", 20: "finished",
}  # fmt: skip
_VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
_SNI, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43
_DHCP_TYPES = {
    1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release",
    8: "inform",
}  # fmt: skip
_DHCP_TYPE, _DHCP_HEADER = 53, 240

Reader = Callable[[bytes, int], Found | None]


def application(protocol: str, ports: tuple[int, int]) -> Reader | None:
    """Who reads what a TCP segment or a UDP datagram between two ports carries."""
    if _DNS in ports:
        return _dns_in_tcp if protocol == "TCP" else _dns
    if protocol == "TCP":
        return _by_content
    return _dhcp if any(port in _DHCP for port in ports) else None


def is_unfinished(data: bytes, ports: tuple[int, int]) -> bool:
    """Whether a message over TCP begins like this and goes on: one of DNS, the head of one of HTTP,
    or a hello of TLS.  Of other records of TLS nothing can be read."""
    if _DNS in ports:
        return len(data) < 2 + int.from_bytes(data[:2], "big")
    if _HTTP.match(data):
        return b"\r\n\r\n" not in data
    return _is_tls(data) and _is_hello(data) and len(data) < _record(data)


def may_become(data: bytes, ports: tuple[int, int]) -> bool:
    """Whether what there is of a stream is too little to tell whether it is one of those."""
    if _DNS in ports:
        return len(data) < 2
    if len(data) < 6 and (data[:1] == b"\x16" or not data):
        return True
    begins = (*(f"{method} ".encode() for method in _METHODS), b"HTTP/1.")
    alike = any(data.startswith(each) or each.startswith(data) for each in begins)
    return alike and b"\n" not in data and len(data) < _FIRST_LINE


def _by_content(data: bytes, base: int) -> Found | None:
    if begins := _HTTP.match(data):
        return _http(data, base, begins)
    return _tls(data, base) if _is_tls(data) else None


# --- DNS ----------------------------------------------------------------------------------------
def _dns_in_tcp(data: bytes, base: int) -> Found | None:
    return _dns(data[2:], base + 2) if len(data) > 2 else None


def _dns(data: bytes, base: int) -> Found | None:
    try:
        it = dns.message.from_wire(data, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, LookupError):
        return None
    answers = [line for rrset in it.answer for line in rrset.to_text().splitlines()]
    asked = [f"{each.name} {dns.rdatatype.to_text(each.rdtype)}" for each in it.question]
    is_answer = bool(it.flags & dns.flags.QR)
    rcode = dns.rcode.to_text(it.rcode())
    fields = Fields(base)
    fields.add_row(
        0, (("identifier", it.id, 2), ("flags", dns.flags.to_text(it.flags) or "none", 2))
    )
    fields.add("operation", dns.opcode.to_text(it.opcode()), 2, 4)
    fields.add("response code", rcode, 2, 4)
    for line in asked:
        fields.add("question", text(line.encode()), 12, len(data))
    for line in answers[:_HEADERS]:
        fields.add("answer", text(line.encode()), 12, len(data))
    said = f"DNS {'answer' if is_answer else 'query'} {it.id} {text(', '.join(asked).encode())}"
    if is_answer:
        values = [str(each) for rrset in it.answer for each in rrset]
        said += f": {text(', '.join(values).encode()) if values else rcode}"
    layer = Layer(7, "DNS", "message", said, tuple(fields), base, base + len(data))
    return Found(layer)


# --- DHCP ---------------------------------------------------------------------------------------
def _dhcp(data: bytes, base: int) -> Found | None:
    it: Any = parsed(dpkt.dhcp.DHCP, data)
    if it is None or it.magic != dpkt.dhcp.DHCP_MAGIC:
        return None
    options = dict(it.opts)
    kind = options.get(_DHCP_TYPE, b"")
    name = _DHCP_TYPES.get(kind[0], "message") if kind else "message"
    client = it.chaddr[:6].hex(":")
    fields = Fields(base)
    fields.add("operation", {1: "request", 2: "reply"}.get(it.op, it.op), 0, 1)
    fields.add("transaction", f"0x{it.xid:08x}", 4, 8)
    for label, value, at in (
        ("client address", it.ciaddr, 12),
        ("your address", it.yiaddr, 16),
        ("server address", it.siaddr, 20),
        ("relay address", it.giaddr, 24),
    ):
        fields.add(label, ipaddress.ip_address(value), at, at + 4)
    fields.add("client MAC", client, 28, 34)
    fields.add("message type", name, _DHCP_HEADER, len(data))
    fields.add("options", " ".join(str(number) for number in options), _DHCP_HEADER, len(data))
    said = f"DHCP {name} {client}"
    layer = Layer(7, "DHCP", "message", said, tuple(fields), base, base + len(data))
    return Found(layer)


# --- TLS ----------------------------------------------------------------------------------------
def _is_tls(data: bytes) -> bool:
    return len(data) >= 5 and data[0] in _RECORDS and data[1] == 3 and data[2] <= 4


def _is_hello(data: bytes) -> bool:
    return data[0] == _HANDSHAKE and (len(data) < 6 or data[5] in _HELLOS)


def _record(data: bytes) -> int:
    """The bytes of a record with its header."""
    return 5 + int.from_bytes(data[3:5], "big")


def _tls(data: bytes, base: int) -> Found | None:
    size = int.from_bytes(data[3:5], "big")
    record, end = _RECORDS[data[0]], min(5 + size, len(data))
    fields = Fields(base)
    fields.add_row(
        0,
        (
            ("content type", record, 1),
            ("record version", _version(data[1:3]), 2),
            ("record length", size, 2),
        ),
    )
    said = f"TLS {record}"
    if data[0] == _HANDSHAKE and len(data) > 5:
        said = f"TLS {_HANDSHAKES.get(data[5], 'encrypted handshake')}"
        fields.add("handshake type", _HANDSHAKES.get(data[5], "unknown or encrypted"), 5, 6)
        whole = len(data) >= _record(data)
        said += _hello(data[5:end], fields) if whole else ""
    if _is_hello(data) and len(data) < _record(data):
        said += f", {len(data)} of {_record(data)} bytes"
    layer = Layer(6, "TLS", "record", said, tuple(fields), base, base + end)
    return Found(layer)


def _hello(data: bytes, fields: Fields) -> str:
    """The fields of a hello that is whole: what is offered, or chosen."""
    kind = {1: dpkt.ssl.TLSClientHello, 2: dpkt.ssl.TLSServerHello}.get(data[0])
    hello: Any = parsed(kind, data[4:]) if kind else None
    if hello is None:
        return ""
    start, end = 9, 5 + len(data)
    extensions = dict(getattr(hello, "extensions", ()))
    said = ""
    if name := _server_name(extensions.get(_SNI, b"")):
        fields.add("server name", name, start, end)
        said += f" {name}"
    versions = _versions(extensions.get(_SUPPORTED_VERSIONS, b""), is_client=data[0] == 1)
    listed = versions or [_version(hello.version.to_bytes(2, "big"))]
    fields.add("versions", ", ".join(listed), start, end)
    said += f" {listed[0]}"
    if protocols := list(_protocols(extensions.get(_ALPN, b""))):
        fields.add("application protocols", ", ".join(protocols), start, end)
    suites = hello.ciphersuites if data[0] == 1 else [hello.ciphersuite]
    fields.add("cipher suites", ", ".join(each.name for each in suites[:20]), start, end)
    return said


def _version(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    return _VERSIONS.get(number, f"0x{number:04x}")


def _versions(data: bytes, *, is_client: bool) -> list[str]:
    listed = data[1:] if is_client else data
    pairs = [listed[at : at + 2] for at in range(0, len(listed) - 1, 2)]
    return [_version(each) for each in pairs if int.from_bytes(each, "big") in _VERSIONS]


def _server_name(data: bytes) -> str:
    """The name in RFC 6066's extension: a list's length, a kind, a name's length, the name."""
    size = int.from_bytes(data[3:5], "big")
    return text(data[5 : 5 + size])


def _protocols(data: bytes) -> Iterator[str]:
    at = 2
    while at < len(data):
        size = data[at]
        yield text(data[at + 1 : at + 1 + size])
        at += 1 + size


# --- HTTP ---------------------------------------------------------------------------------------
def _http(data: bytes, base: int, begins: re.Match[bytes]) -> Found:
    first = text(begins[0].rstrip(b"\r\n"))
    head, mark, _ = data.partition(b"\r\n\r\n")
    end = len(head) + len(mark)
    fields = Fields(base)
    fields.add("first line", first, 0, begins.end())
    at = begins.end()
    for line in data[at:end].splitlines(keepends=True)[:_HEADERS]:
        name, colon, value = line.partition(b":")
        if colon:
            fields.add(text(name, 40), text(value.strip()), at, at + len(line))
        at += len(line)
    said = f"HTTP {first}" + ("" if mark else ", which goes on")
    layer = Layer(7, "HTTP", "message", said, tuple(fields), base, base + end)
    return Found(layer)
