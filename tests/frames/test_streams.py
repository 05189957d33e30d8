"""Messages over several segments: read once they are there, in any order; memory is bounded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gureum.frames import Frame, Streams, decode
from gureum.frames.streams import EARLY, MOST, STREAMS
from tests.frames import samples
from tests.frames.samples import segment
from tests.frames.test_decode import sound, values

FIRST = (1 << 32) - 100
"""A sequence number that soon begins anew."""


def cut(message: bytes, *places: int, port: int = 443, begin: int = FIRST) -> list[bytes]:
    """A message in segments, cut at some places."""
    ends = itertools.pairwise((0, *places, len(message)))
    return [
        segment(message[low:high], dport=port, number=(begin + low) % (1 << 32))
        for low, high in ends
    ]


def syn(begin: int = FIRST, port: int = 443) -> bytes:
    return segment(b"", dport=port, flags=0x02, number=begin - 1)


def last(frames: Iterator[Frame]) -> list[str]:
    return [frame.layers[-1].said for frame in frames]


def test_a_hello_over_three_segments() -> None:
    hello = samples.client_hello()
    streams = Streams()
    frames = [streams.decode(each) for each in cut(hello, 100, 300)]
    size = len(hello)
    assert last(iter(frames)) == [
        f"TLS client hello, 100 of {size} bytes",
        f"TLS client hello, 300 of {size} bytes [2 segments]",
        "TLS client hello db.example TLS 1.3 [3 segments]",
    ]
    assert values(frames[-1], "TLS")["server name"] == "db.example"
    for frame in frames:
        sound(frame)
    tls = frames[-1].layers[-1]
    assert (tls.start, tls.end) == (54, 54 + size - 300), "of the message what is in this frame"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_segments_that_overtake_each_other(order: tuple[int, ...]) -> None:
    streams, parts = Streams(), cut(samples.client_hello(), 3, 250)
    streams.decode(syn())
    frames = [streams.decode(parts[at]) for at in order]
    said = [each for each in last(iter(frames)) if "db.example" in each]
    assert said == ["TLS client hello db.example TLS 1.3 [3 segments]"]
    assert said[0] == frames[-1].layers[-1].said, "when the last one is there"


def test_a_segment_that_comes_twice_or_overlaps() -> None:
    hello = samples.client_hello()
    streams, parts = Streams(), cut(hello, 100, 300)
    longer = segment(hello[50:350], dport=443, number=(FIRST + 50) % (1 << 32))
    for each in (parts[0], parts[0], longer):
        streams.decode(each)
    rest = segment(hello[350:], dport=443, number=(FIRST + 350) % (1 << 32))
    assert "db.example" in streams.decode(rest).said


def test_a_head_of_http_line_by_line() -> None:
    head = b"GET /index.html HTTP/1.1\r\nHost: web\r\nAccept: */*\r\n\r\n"
    streams = Streams()
    streams.decode(syn(port=8080))
    frames = [streams.decode(each) for each in cut(head, 5, 26, 37, port=8080)]
    assert last(iter(frames))[0].startswith("TCP "), "GET / alone says little"
    assert last(iter(frames))[1:] == [
        "HTTP GET /index.html HTTP/1.1, which goes on [2 segments]",
        "HTTP GET /index.html HTTP/1.1, which goes on [3 segments]",
        "HTTP GET /index.html HTTP/1.1 [4 segments]",
    ]
    assert values(frames[-1], "HTTP")["Host"] == "web"
    again = streams.decode(segment(samples.REQUEST, dport=8080, number=2000))
    assert again.layers[-1].said == "HTTP GET /index.html HTTP/1.1", "the next one is its own"


def test_a_name_over_tcp() -> None:
    wire = samples.question().to_wire()
    streams = Streams()
    framed = len(wire).to_bytes(2, "big") + wire
    frames = [streams.decode(each) for each in cut(framed, 2, port=53)]
    assert frames[-1].layers[-1].said.endswith("ip-10-0-2-20.ec2.internal. A [2 segments]")


def test_streams_and_places_are_kept_apart() -> None:
    streams, parts = Streams(), cut(samples.client_hello(), 100)
    other = segment(samples.client_hello()[100:], 40001, 443, number=(FIRST + 100) % (1 << 32))
    streams.decode(parts[0], "one")
    assert streams.decode(parts[1], "two").layers[-1].protocol == "TCP"
    assert streams.decode(other, "one").layers[-1].protocol == "TCP"
    assert "db.example" in streams.decode(parts[1], "one").said


def test_what_is_no_message_is_left_alone() -> None:
    streams = Streams()
    streams.decode(syn())
    body = bytes(range(256)) * 20
    frames = [streams.decode(each) for each in cut(body, 1000, 2000)]
    assert {each.layers[-1].protocol for each in frames} == {"TCP"}
    assert not streams._streams, "nothing of it is remembered"
    data = b"\x17\x03\x03\x40\x00" + bytes(1000)
    assert streams.decode(segment(data, dport=443)).layers[-1].said == "TLS application data"
    assert not streams._streams


def test_memory_is_bounded() -> None:
    streams = Streams()
    begins = b"GET / HTTP/1.1\r\n"
    for port in range(STREAMS + 50):
        streams.decode(segment(begins, 10_000 + port))
    assert len(streams._streams) == STREAMS
    endless = itertools.chain([begins], itertools.repeat(b"X: 1234567890\r\n", 2000))
    number = 1000
    for each in endless:
        streams.decode(segment(each, 9, number=number))
        number += len(each)
        assert all(len(stream.head) <= MOST for stream in streams._streams.values())
    assert (None, ("10.0.1.10", "10.0.2.20", 9, 80)) not in streams._streams, "given up"
    streams.decode(syn(1000))
    for at in range(3 * EARLY):
        streams.decode(segment(bytes(2000), dport=443, number=1001 + 7 * at))
    (stream,) = (each for key, each in streams._streams.items() if "443" in str(key))
    assert len(stream.early) <= EARLY
    assert sum(map(len, stream.early.values())) <= MOST


@settings(deadline=None)
@given(st.data())
def test_any_order_of_any_pieces(data: st.DataObject) -> None:
    """What hosts send never raises, and layers stay inside their frames; a whole message that came
    in order is read."""
    hello = samples.client_hello()
    places = data.draw(st.lists(st.integers(1, len(hello) - 1), max_size=6, unique=True))
    parts = cut(hello, *sorted(places))
    order = data.draw(st.permutations(parts))
    order += data.draw(st.lists(st.sampled_from(samples.everything()), max_size=4))
    streams = Streams()
    if data.draw(st.booleans()):
        streams.decode(syn())
        assert any("db.example" in streams.decode(each).said for each in order)
    for each in order:
        sound(streams.decode(each[: data.draw(st.integers(0, len(each)))]))


def test_one_whole_message_is_as_it_was() -> None:
    for each in samples.everything():
        assert Streams().decode(each) == decode(each)
