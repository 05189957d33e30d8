"""From bytes to layers: each protocol reads its header and says what is behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import dpkt

from gureum.frames.application import application
from gureum.frames.found import Found, parsed
from gureum.frames.layers import Fields, Frame, Layer
from gureum.frames.network import EXTENSIONS, arp, extension, icmp, icmpv6, ipv4, ipv6
from gureum.frames.transport import tcp, udp

MOST = 12
"""Layers of a frame at most: a packet can quote a packet, and so on."""

Reader: TypeAlias = Callable[[bytes, int], Found | None]
"""Reads a header from bytes; the number is where they begin in the frame."""

_ETHERTYPES: dict[int, Reader] = {0x0800: ipv4, 0x0806: arp, 0x86DD: ipv6}
_NAMES = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x8100: "802.1Q", 0x88CC: "LLDP"}
_PROTOCOLS: dict[int, Reader] = {
    1: icmp, 6: tcp, 17: udp, 58: icmpv6, **{kind: extension(kind) for kind in EXTENSIONS},
}  # fmt: skip
_ETHERNET = 14


@dataclass
class _Stack:
    """The layers that were found, and the bytes behind them."""

    data: bytes
    at: int
    layers: list[Layer]

    def take(self, found: Found) -> None:
        self.layers.append(found.layer)
        self.at = found.layer.end
        if found.stop is not None:
            self.data = self.data[: max(found.stop, self.at)]


def decode(data: bytes) -> Frame:
    """Take an Ethernet frame apart (IEEE 802.3 clause 3, without preamble and checksum).  Never
    raises: what cannot be read is left as the rest."""
    stack = _Stack(data, 0, [])
    found = _ethernet(data)
    reader: Reader | None = None
    if found is not None:
        stack.take(found)
        reader = _ETHERTYPES.get(found.next or -1)
    while reader is not None and len(stack.layers) < MOST:
        found = reader(stack.data[stack.at :], stack.at)
        if found is None:
            break
        stack.take(found)
        reader = _behind(found, stack)
    return Frame(data, tuple(stack.layers), stack.at)


def _behind(found: Found, stack: _Stack) -> Reader | None:
    """Who reads what is behind a header."""
    if found.layer.protocol in ("TCP", "UDP") and found.ports is not None:
        return application(found.layer.protocol, found.ports)
    if found.layer.protocol in ("ICMP", "ICMPv6"):
        return {4: ipv4, 6: ipv6}.get(found.quoted or 0)
    return _PROTOCOLS.get(found.next) if found.next is not None else None


def _ethernet(data: bytes) -> Found | None:
    frame: Any = parsed(dpkt.ethernet.Ethernet, data[:_ETHERNET])
    if frame is None:
        return None
    fields = Fields(0)
    kind = f"{_NAMES.get(frame.type, 'unknown')} (0x{frame.type:04x})"
    fields.add_row(
        0,
        (
            ("destination", frame.dst.hex(":"), 6),
            ("source", frame.src.hex(":"), 6),
            ("type", kind, 2),
        ),
    )
    said = f"{frame.src.hex(':')} > {frame.dst.hex(':')}"
    layer = Layer(2, "Ethernet", "frame", said, tuple(fields), 0, _ETHERNET)
    return Found(layer, next=frame.type)
