"""Messages that come in several TCP segments, put together (RFC 9293, section 3.4).

Only the beginnings of messages are: hellos of TLS, heads of HTTP, messages of DNS.  Segments may
come twice, overlap, or overtake each other.  Who sends them is not trusted, so what is remembered
is bounded: so many streams, of each so many bytes, and of those that came too early so many
segments.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace

from gureum.frames.application import application, is_unfinished, may_become
from gureum.frames.decode import decode
from gureum.frames.found import Found
from gureum.frames.layers import Field, Frame, Layer

STREAMS = 256
"""Streams that are remembered; the one that was silent for longest gives way."""
MOST = 5 + 16_384
"""Bytes of a message that are remembered, and as many that came too early; a record of TLS that can
be read has no more (RFC 8446, section 5.1)."""
EARLY = 16
"""Segments of a stream that wait for one before them."""
_NUMBERS = 1 << 32
"""How many sequence numbers there are."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A TCP segment of a frame.  ``load`` is what it carries, from ``at`` on in the frame."""

    ends: tuple[str, str, int, int]
    number: int
    flags: frozenset[str]
    at: int
    load: bytes

    @property
    def ports(self) -> tuple[int, int]:
        return self.ends[2:]


@dataclass(slots=True)
class _Stream:
    """The beginning of a message: ``begin`` is its first sequence number, ``head`` what is there
    without a gap, ``early`` what is behind one, by its place in the message."""

    begin: int
    head: bytearray = field(default_factory=bytearray)
    segments: int = 0
    early: dict[int, bytes] = field(default_factory=dict)

    def place(self, segment: _Segment) -> int:
        """Where a segment begins in the message; far beyond it where it is older."""
        return (segment.number - self.begin) % _NUMBERS

    def add(self, segment: _Segment) -> bool:
        """Take a segment in; whether the head grew by it."""
        place, before = self.place(segment), len(self.head)
        if place + len(segment.load) > MOST:
            return False
        self.segments += 1
        if place > before:
            waiting = sum(len(each) for each in self.early.values())
            if len(self.early) < EARLY and waiting + len(segment.load) <= MOST:
                self.early[place] = segment.load
            return False
        self._append(place, segment.load)
        for at in sorted(self.early):
            if at > len(self.head):
                break
            self._append(at, self.early.pop(at))
        return len(self.head) > before

    def _append(self, place: int, load: bytes) -> None:
        self.head += load[len(self.head) - place :]


class Streams:
    """Takes frames apart as :func:`gureum.frames.decode` does, and has in mind which ones came
    before: a segment that goes on with a message has it as a layer, as far as it is there by then.
    """

    def __init__(self) -> None:
        self._streams: OrderedDict[Hashable, _Stream] = OrderedDict()

    def decode(self, data: bytes, where: Hashable = None) -> Frame:
        """Take a frame apart.  Frames of another ``where``, such as a link and a direction, have
        nothing to do with each other.  Never raises."""
        frame = decode(data)
        segment = _segment(frame)
        if segment is None:
            return frame
        key = (where, segment.ends)
        if "SYN" in segment.flags:
            self._remember(key, _Stream((segment.number + 1) % _NUMBERS))
        elif "RST" in segment.flags:
            self._streams.pop(key, None)
        elif segment.load:
            return self._with_message(frame, key, segment)
        return frame

    def _remember(self, key: Hashable, stream: _Stream) -> None:
        self._streams[key] = stream
        self._streams.move_to_end(key)
        if len(self._streams) > STREAMS:
            self._streams.popitem(last=False)

    def _with_message(self, frame: Frame, key: Hashable, segment: _Segment) -> Frame:
        stream = self._streams.get(key)
        if stream is None:
            if not is_unfinished(segment.load, segment.ports):
                return frame
            stream = _Stream(segment.number)
        self._remember(key, stream)
        grew = stream.add(segment)
        if not grew:
            # what is too long is given up; what came twice or too early changes nothing
            if stream.place(segment) < MOST < stream.place(segment) + len(segment.load):
                del self._streams[key]
            return frame
        head = bytes(stream.head)
        ports = segment.ports
        if not (is_unfinished(head, ports) or may_become(head, ports)):
            del self._streams[key]
        place = stream.place(segment)
        if place == 0 and len(head) <= len(segment.load):
            return frame
        return _joined(frame, segment, _read(head, ports, segment.at - place), stream.segments)


def _read(head: bytes, ports: tuple[int, int], base: int) -> Found | None:
    reader = application("TCP", ports)
    return reader(head, base) if reader is not None else None


def _joined(frame: Frame, segment: _Segment, found: Found | None, segments: int) -> Frame:
    """The frame with a message that began before it; of each field the bytes that are in it."""
    if found is None:
        return frame
    low, high = segment.at, segment.at + len(segment.load)

    def inside(place: int) -> int:
        return min(max(place, low), high)

    message = found.layer
    fields = tuple(
        Field(each.name, each.value, inside(each.start), inside(each.end))
        for each in message.fields
    )
    said, end = f"{message.said} [{segments} segments]", inside(message.end)
    layer = replace(message, said=said, fields=fields, start=low, end=end)
    below = tuple(each for each in frame.layers if each.end <= low)
    return Frame(frame.data, (*below, layer), end)


def _segment(frame: Frame) -> _Segment | None:
    """The segment that a frame carries; not one that an ICMP error quotes."""
    packet = next(_layers(frame, "IPv4", "IPv6"), None)
    tcp = next(_layers(frame, "TCP"), None)
    if packet is None or tcp is None or next(_layers(frame, "ICMP", "ICMPv6"), None) is not None:
        return None
    size = int(packet["total length"] or packet["payload length"])
    begin = packet.start if packet.protocol == "IPv4" else packet.end
    stop = begin + size if size else len(frame.data)
    ports = int(tcp["source port"]), int(tcp["destination port"])
    return _Segment(
        (packet["source"], packet["destination"], *ports),
        int(tcp["sequence number"]),
        frozenset(tcp["flags"].split(",")),
        tcp.end,
        frame.data[tcp.end : max(stop, tcp.end)],
    )


def _layers(frame: Frame, *protocols: str) -> Iterator[Layer]:
    return (each for each in frame.layers if each.protocol in protocols)
