"""What a reader of one header answers, and how dpkt is called on bytes that nobody vouches for."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import dpkt

from gureum.frames.layers import Layer

_ODD = (
    dpkt.Error,
    struct.error,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    AssertionError,
    RecursionError,
)
"""What dpkt raises for bytes that are no such header, by intention or not."""


@dataclass(frozen=True, slots=True)
class Found:
    """A header.  ``next`` is the number of the protocol behind it, ``stop`` where its payload ends
    in the frame, ``ports`` are those of a transport protocol, source and destination; ``quoted`` is
    the IP version of the packet that an ICMP error quotes."""

    layer: Layer
    next: int | None = None
    stop: int | None = None
    ports: tuple[int, int] | None = None
    quoted: int | None = None


def parsed(kind: Any, data: bytes) -> Any:
    """A header as a class of dpkt reads it; None where the bytes are none.  dpkt has no types."""
    try:
        return kind(data)
    except _ODD:
        return None
