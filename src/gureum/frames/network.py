"""ARP, IPv4, IPv6 and their ICMP (RFC 826, 791, 8200, 792, 4443, 4861, 3810)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import dpkt

from gureum.frames.found import Found, parsed
from gureum.frames.layers import Fields, Layer

_IPV4_HEADER, _IPV6_HEADER, _EXTENSION = 20, 40, 8
FRAGMENT = 44
EXTENSIONS = {
    0: "hop-by-hop options",
    43: "routing",
    FRAGMENT: "fragment",
    60: "destination options",
}
"""Headers that may stand between IPv6's and what it carries (RFC 8200, section 4.1)."""
_PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 47: "GRE", 50: "ESP", 58: "ICMPv6"}
_ICMP = {
    0: "echo reply", 3: "destination unreachable", 4: "source quench", 5: "redirect",
    8: "echo request", 9: "router advertisement", 10: "router solicitation", 11: "time exceeded",
    12: "parameter problem",
}  # fmt: skip
_ICMP_CODES = {
    (3, 0): "network unreachable", (3, 1): "host unreachable", (3, 2): "protocol unreachable",
    (3, 3): "port unreachable", (3, 4): "fragmentation needed", (3, 9): "network prohibited",
    (3, 10): "host prohibited", (3, 13): "administratively prohibited",
    (11, 0): "time to live is over", (11, 1): "reassembly took too long",
}  # fmt: skip
_ICMPV6 = {
    1: "destination unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem",
    128: "echo request", 129: "echo reply", 133: "router solicitation",
    134: "router advertisement", 135: "neighbour solicitation", 136: "neighbour advertisement",
    137: "redirect", 143: "multicast listener report",
}  # fmt: skip
_ICMPV6_CODES = {
    (1, 0): "no route", (1, 1): "administratively prohibited", (1, 3): "address unreachable",
    (1, 4): "port unreachable", (3, 0): "hop limit is over",
}  # fmt: skip
_ICMP_QUOTES, _ICMPV6_QUOTES = (3, 4, 5, 11, 12), (1, 2, 3, 4)
_REQUEST, _REPLY = 1, 2


def arp(data: bytes, base: int) -> Found | None:
    """An ARP message about IPv4 addresses on Ethernet."""
    it: Any = parsed(dpkt.arp.ARP, data)
    if it is None or (it.hln, it.pln) != (6, 4):
        return None
    sender, asked = _ip(it.spa), _ip(it.tpa)
    operation = {_REQUEST: "request", _REPLY: "reply"}.get(it.op, str(it.op))
    fields = Fields(base)
    fields.add_row(
        0,
        (
            ("hardware type", it.hrd, 2),
            ("protocol type", f"0x{it.pro:04x}", 2),
            ("hardware size", it.hln, 1),
            ("protocol size", it.pln, 1),
            ("operation", operation, 2),
            ("sender MAC", it.sha.hex(":"), 6),
            ("sender IP", sender, 4),
            ("target MAC", it.tha.hex(":"), 6),
            ("target IP", asked, 4),
        ),
    )
    if it.op == _REQUEST:
        said = f"ARP who has {asked}? tell {sender}"
    else:
        said = f"ARP {sender} is at {it.sha.hex(':')}"
    return Found(Layer(2, "ARP", "message", said, tuple(fields), base, base + 28))


def ipv4(data: bytes, base: int) -> Found | None:
    """An IPv4 header; behind a fragment that is not the first one nothing is read."""
    it: Any = parsed(dpkt.ip.IP, data[:_IPV4_HEADER])
    if it is None or it.v != 4 or not _IPV4_HEADER <= it.hl * 4 <= len(data):
        return None
    size, source, target = it.hl * 4, _ip(it.src), _ip(it.dst)
    offset = int(it.offset) * 8  # RFC 791 counts in units of eight bytes
    flags = " ".join(word for word, bit in (("DF", it.df), ("MF", it.mf)) if bit) or "none"
    fields = Fields(base)
    fields.add("version", it.v, 0, 1)
    fields.add("header length", size, 0, 1)
    fields.add_row(
        1,
        (
            ("DSCP and ECN", f"0x{it.tos:02x}", 1),
            ("total length", it.len, 2),
            ("identification", it.id, 2),
        ),
    )
    fields.add("flags", flags, 6, 8)
    fields.add("fragment offset", offset, 6, 8)
    fields.add_row(
        8,
        (
            ("time to live", it.ttl, 1),
            ("protocol", _named(it.p), 1),
            ("header checksum", f"0x{it.sum:04x}", 2),
            ("source", source, 4),
            ("destination", target, 4),
        ),
    )
    if size > _IPV4_HEADER:
        fields.add("options", data[_IPV4_HEADER:size].hex(), _IPV4_HEADER, size)
    said = f"IPv4 {source} > {target} ttl {it.ttl}"
    if offset:
        said += f" {_named(it.p)} fragment at {offset}"
    layer = Layer(3, "IPv4", "packet", said, tuple(fields), base, base + size)
    # offloads leave the length 0: then it ends with the frame
    stop = base + it.len if it.len >= size else None
    return Found(layer, next=None if offset else it.p, stop=stop)


def ipv6(data: bytes, base: int) -> Found | None:
    """An IPv6 header; extension headers are layers of their own (:func:`extension`)."""
    if len(data) < _IPV6_HEADER or data[0] >> 4 != 6:
        return None
    # dpkt reads extension headers, too: of a header alone there are none
    it: Any = parsed(dpkt.ip6.IP6, data[:4] + bytes((0, 0, 59)) + data[7:_IPV6_HEADER])
    if it is None:
        return None
    length, follows = int.from_bytes(data[4:6], "big"), data[6]
    source, target = _ip(it.src), _ip(it.dst)
    fields = Fields(base)
    fields.add("version", it.v, 0, 1)
    fields.add("traffic class", f"0x{it.fc:02x}", 0, 2)
    fields.add("flow label", f"0x{it.flow:05x}", 1, 4)
    fields.add_row(
        4,
        (
            ("payload length", length, 2),
            ("next header", _named(follows), 1),
            ("hop limit", it.hlim, 1),
            ("source", source, 16),
            ("destination", target, 16),
        ),
    )
    said = f"IPv6 {source} > {target} hop limit {it.hlim}"
    layer = Layer(3, "IPv6", "packet", said, tuple(fields), base, base + _IPV6_HEADER)
    stop = base + _IPV6_HEADER + length if length else None
    return Found(layer, next=follows, stop=stop)


def extension(kind: int) -> Callable[[bytes, int], Found | None]:
    """Who reads an IPv6 extension header of a number; behind a fragment that is not the first one
    nothing is read (RFC 8200, section 4)."""

    def read(data: bytes, base: int) -> Found | None:
        if len(data) < _EXTENSION:
            return None
        follows, is_fragment = data[0], kind == FRAGMENT
        size = _EXTENSION if is_fragment else (data[1] + 1) * _EXTENSION
        if size > len(data):
            return None
        fields = Fields(base)
        fields.add("next header", _named(follows), 0, 1)
        said, offset = f"IPv6 {EXTENSIONS[kind]}", 0
        if is_fragment:
            place = int.from_bytes(data[2:4], "big")
            offset, more = place & ~7, place & 1  # units of eight bytes, in the upper 13 bits
            fields.add("fragment offset", offset, 2, 4)
            fields.add("more fragments", "yes" if more else "no", 3, 4)
            fields.add("identification", int.from_bytes(data[4:8], "big"), 4, 8)
            said += f" at {offset}" + (", more follow" if more else "")
        else:
            fields.add("header length", size, 1, 2)
            fields.add("options", data[2:size].hex(), 2, size)
        name = f"IPv6 {EXTENSIONS[kind]}"
        layer = Layer(3, name, "extension header", said, tuple(fields), base, base + size)
        return Found(layer, next=None if offset else follows)

    return read


def icmp(data: bytes, base: int) -> Found | None:
    """An ICMP message; errors quote the packet that they are about."""
    it: Any = parsed(dpkt.icmp.ICMP, data[:4])
    if it is None or len(data) < 8:
        return None
    fields = _icmp_head(it, base)
    said = f"ICMP {_kind(it, _ICMP, _ICMP_CODES)}" + _echo(it.type in (0, 8), data, fields)
    layer = Layer(3, "ICMP", "message", said, tuple(fields), base, base + 8)
    return Found(layer, quoted=4 if it.type in _ICMP_QUOTES else None)


def icmpv6(data: bytes, base: int) -> Found | None:
    """An ICMPv6 message, neighbour discovery among them."""
    it: Any = parsed(dpkt.icmp.ICMP, data[:4])  # the same three fields; dpkt.icmp6 reads on
    if it is None or len(data) < 8:
        return None
    fields = _icmp_head(it, base)
    said = f"ICMPv6 {_kind(it, _ICMPV6, _ICMPV6_CODES)}"
    end = 8
    said += _echo(it.type in (128, 129), data, fields)
    if it.type in (135, 136) and len(data) >= 24:
        end = 24
        fields.add("target", _ip(data[8:24]), 8, 24)
        said += f" {_ip(data[8:24])}"
    layer = Layer(3, "ICMPv6", "message", said, tuple(fields), base, base + end)
    return Found(layer, quoted=6 if it.type in _ICMPV6_QUOTES else None)


def _icmp_head(it: Any, base: int) -> Fields:
    fields = Fields(base)
    fields.add_row(
        0, (("type", it.type, 1), ("code", it.code, 1), ("checksum", f"0x{it.sum:04x}", 2))
    )
    return fields


def _kind(it: Any, names: dict[int, str], codes: dict[tuple[int, int], str]) -> str:
    code = codes.get((it.type, it.code))
    return names.get(it.type, f"type {it.type}") + (f": {code}" if code else "")


def _echo(is_echo: bool, data: bytes, fields: Fields) -> str:
    if not is_echo:
        return ""
    ident, number = int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
    fields.add_row(4, (("identifier", ident, 2), ("sequence number", number, 2)))
    return f" id {ident} seq {number}"


def _named(protocol: int) -> str:
    return f"{_PROTOCOLS.get(protocol, 'protocol')} ({protocol})"


def _ip(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))
