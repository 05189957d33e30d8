"""TCP and UDP (RFC 9293, 768)."""

from __future__ import annotations

from typing import Any

import dpkt

from gureum.frames.found import Found, parsed
from gureum.frames.layers import Fields, Layer

_TCP_HEADER, _UDP_HEADER = 20, 8
_FLAGS = (
    (0x02, "SYN"), (0x01, "FIN"), (0x04, "RST"), (0x08, "PSH"), (0x10, "ACK"), (0x20, "URG"),
    (0x40, "ECE"), (0x80, "CWR"),
)  # fmt: skip
_OPTIONS = {
    0: "end", 1: "no-op", 2: "maximum segment size", 3: "window scale", 4: "SACK permitted",
    5: "SACK", 8: "timestamps",
}  # fmt: skip


def tcp(data: bytes, base: int) -> Found | None:
    """A TCP header."""
    it: Any = parsed(dpkt.tcp.TCP, data[:_TCP_HEADER])
    if it is None or not _TCP_HEADER <= (size := (data[12] >> 4) * 4) <= len(data):
        return None
    flags = ",".join(word for bit, word in _FLAGS if it.flags & bit)
    fields = Fields(base)
    fields.add_row(
        0,
        (
            ("source port", it.sport, 2),
            ("destination port", it.dport, 2),
            ("sequence number", it.seq, 4),
            ("acknowledgement number", it.ack, 4),
            ("header length", size, 1),
            ("flags", flags, 1),
            ("window", it.win, 2),
            ("checksum", f"0x{it.sum:04x}", 2),
            ("urgent pointer", it.urp, 2),
        ),
    )
    if size > _TCP_HEADER:
        fields.add("options", _options(data[_TCP_HEADER:size]), _TCP_HEADER, size)
    said = f"TCP {it.sport} > {it.dport} [{flags}] seq {it.seq}"
    said += f" ack {it.ack}" if it.flags & 0x10 else ""
    said += f" len {len(data) - size}"
    layer = Layer(4, "TCP", "segment", said, tuple(fields), base, base + size)
    return Found(layer, ports=(it.sport, it.dport))


def _options(data: bytes) -> str:
    try:
        found = dpkt.tcp.parse_opts(data)
    except (dpkt.Error, ValueError, LookupError):
        return data.hex()
    words = []
    for kind, value in found:
        name = _OPTIONS.get(kind, f"option {kind}") if isinstance(kind, int) else "odd"
        number = int.from_bytes(value or b"", "big")
        words.append(f"{name} {number}" if kind in (2, 3) else name)
    return ", ".join(words)


def udp(data: bytes, base: int) -> Found | None:
    """A UDP header."""
    it: Any = parsed(dpkt.udp.UDP, data[:_UDP_HEADER])
    if it is None:
        return None
    fields = Fields(base)
    fields.add_row(
        0,
        (
            ("source port", it.sport, 2),
            ("destination port", it.dport, 2),
            ("length", it.ulen, 2),
            ("checksum", f"0x{it.sum:04x}", 2),
        ),
    )
    size = max(len(data) - _UDP_HEADER, 0)
    said = f"UDP {it.sport} > {it.dport} len {size}"
    layer = Layer(4, "UDP", "datagram", said, tuple(fields), base, base + _UDP_HEADER)
    stop = base + it.ulen if it.ulen >= _UDP_HEADER else None
    return Found(layer, ports=(it.sport, it.dport), stop=stop)
