"""Netlink messages and attributes, byte by byte."""

from __future__ import annotations

import errno
import struct

import pytest

from gureum.engines.linux import links, netlink
from gureum.engines.linux.conntrack import End, _end
from gureum.engines.linux.items import KernelRoute
from gureum.engines.linux.netlink import attr, nested, number, parse, string, text, u8, u32


def test_attributes_are_padded_and_read_back() -> None:
    data = u8(1, 7) + text(2, "eth0") + u32(3, 1 << 31) + attr(4, b"abcdef")
    assert len(data) % 4 == 0
    assert data[:8] == struct.pack("=HHB3x", 5, 1, 7)
    at = parse(data)
    assert (number(at[1]), string(at[2]), number(at[3]), at[4]) == (7, "eth0", 1 << 31, b"abcdef")


def test_nested_attributes() -> None:
    outer = parse(nested(18, text(1, "veth"), nested(2, u32(5, 9))))
    inner = parse(outer[18])
    assert string(inner[1]) == "veth"
    assert number(parse(inner[2])[5]) == 9


def test_what_is_cut_short_ends_the_reading() -> None:
    assert parse(b"") == {}
    assert parse(b"\x01") == {}
    assert parse(struct.pack("=HH", 0, 1) + u8(2, 1)) == {}


def test_absent_values() -> None:
    assert number(None, 5) == 5
    assert string(None) == ""


def test_a_refusal_has_the_kernels_number() -> None:
    with pytest.raises(netlink.NetlinkError) as caught:
        netlink._raise(struct.pack("=i", -errno.EEXIST))
    assert caught.value.errno == errno.EEXIST
    netlink._raise(struct.pack("=i", 0))


def test_a_route_message() -> None:
    made = links._route(KernelRoute("v", 1001, "10.9.0.0/16", "blackhole", metric=4000))
    head = links.ROUTE.unpack_from(made)
    assert head[1] == 16
    assert (head[5], head[7]) == (103, links.KINDS["blackhole"])
    at = parse(made[links.ROUTE.size :])
    assert at[links.RTA_DST] == bytes((10, 9, 0, 0))
    assert number(at[links.RTA_TABLE]) == 1001
    assert number(at[links.RTA_PRIORITY]) == 4000


def test_the_ends_of_a_tracked_flow() -> None:
    ips = nested(1, attr(1, bytes((10, 0, 0, 1))), attr(2, bytes((10, 0, 0, 2))))
    ports = nested(2, u8(1, 6), attr(2, b"\x12\x34"), attr(3, b"\0P"))
    assert _end(ips + ports) == (6, End("10.0.0.1", 0x1234, "10.0.0.2", 80))
    echo = nested(2, u8(1, 1), attr(4, b"\0\x07"), u8(5, 8), u8(6, 0))
    assert _end(ips + echo) == (1, End("10.0.0.1", 7, "10.0.0.2", 0))
