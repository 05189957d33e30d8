"""Filters of packet sockets, run by hand over frames."""

from __future__ import annotations

import struct

import pytest

from gureum.engines.linux.pcap_filter import compiled, on_links
from tests.frames.samples import echo, segment, syn

_INSTRUCTION = struct.Struct("@HBBI")
_LINK = 0xFFFFF000 + 8


def passes(program: bytes, frame: bytes, link: int = 1) -> int:
    """Run a program as the kernel does (Documentation/networking/filter.rst); only the
    instructions that the filters here need."""
    code = list(_INSTRUCTION.iter_unpack(program))
    a = x = at = 0
    while True:
        operation, yes, no, k = code[at]
        at += 1
        size = {0x00: 4, 0x08: 2, 0x10: 1}[operation & 0x18]
        if operation & 0x07 == 0x06:
            return int(k)
        if operation == 0x20 and k == _LINK:
            a = link
        elif operation & 0xE7 == 0x20 or operation & 0xE7 == 0x40:
            begin = k + (x if operation & 0xE0 == 0x40 else 0)
            a = int.from_bytes(frame[begin : begin + size], "big")
        elif operation == 0xB1:
            x = (frame[k] & 15) * 4
        elif operation == 0x05:
            at += k
        elif operation in (0x15, 0x45, 0x25):
            holds = {0x15: a == k, 0x45: a & k != 0, 0x25: a > k}[operation]
            at += yes if holds else no
        else:
            raise AssertionError(f"instruction {operation:#x}")


def test_what_is_meant_passes_and_nothing_else() -> None:
    tcp = compiled("tcp and port 80", 96)
    assert passes(tcp, syn()) == 96
    assert not passes(tcp, echo())
    assert not passes(compiled("tcp and port 81", 96), syn())
    assert passes(compiled("(host 10.0.1.10 or host 10.0.9.9)", 96), echo())
    assert passes(compiled("", 96), echo())


def test_only_on_the_links_that_are_meant() -> None:
    many = range(10, 400)
    program = on_links(compiled("tcp", 96), many)
    assert [link for link in range(1, 500) if passes(program, syn(), link)] == list(many)
    assert not passes(program, echo(), 10)
    assert not passes(on_links(compiled("tcp", 96), ()), segment(b""), 10)


def test_what_is_no_filter_is_told_in_libpcap_s_words() -> None:
    with pytest.raises(ValueError, match="syntax error"):
        compiled("tcp port port", 96)
    with pytest.raises(ValueError, match="more than one filter"):
        on_links(compiled("tcp", 96), range(1, 3000))
