"""CIDR arithmetic: canonical blocks, the five reserved addresses, cutting into subnets."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gureum.errors import ApiError
from gureum.model.cidr import (
    ipv4_network,
    is_reserved,
    resolver_address,
    router_address,
    split,
    usable,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.0/16", "10.0.0.0/16"),
        ("100.68.0.18/18", "100.68.0.0/18"),
        (" 10.0.0.1/32 ", "10.0.0.1/32"),
        ("255.255.255.255/0", "0.0.0.0/0"),
    ],
)
def test_host_bits_are_cleared(text: str, canonical: str) -> None:
    assert str(ipv4_network(text)) == canonical


@pytest.mark.parametrize(
    "text", ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "2001:db8::/32", "a/b", "10.0.0.0/-1"]
)
def test_what_is_no_block(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        ipv4_network(text)
    assert caught.value.code == "InvalidParameterValue"
    assert caught.value.message == (
        f"Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
    )


def test_the_parameter_is_named() -> None:
    with pytest.raises(ApiError, match="for parameter destinationCidrBlock is invalid"):
        ipv4_network("x", "destinationCidrBlock")


def test_addresses_of_a_subnet() -> None:
    assert router_address("10.0.1.0/24") == "10.0.1.1"
    assert resolver_address("10.0.0.0/16") == "10.0.0.2"
    assert usable("10.0.1.0/24") == 251
    assert usable("10.0.1.0/28") == 11


def test_reserved_addresses() -> None:
    reserved = [n for n in range(16) if is_reserved("10.0.1.16/28", f"10.0.1.{16 + n}")]
    assert reserved == [0, 1, 2, 3, 15]
    assert is_reserved("0.0.0.0/28", "0.0.0.3")
    assert not is_reserved("0.0.0.0/28", "0.0.0.4")


@pytest.mark.parametrize(
    ("cidr", "count", "parts"),
    [
        ("10.0.0.0/16", 1, ["10.0.0.0/16"]),
        ("10.0.0.0/16", 2, ["10.0.0.0/17", "10.0.128.0/17"]),
        ("10.0.0.0/24", 3, ["10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/26"]),
        ("10.0.0.0/27", 2, ["10.0.0.0/28", "10.0.0.16/28"]),
    ],
)
def test_split(cidr: str, count: int, parts: list[str]) -> None:
    assert split(cidr, count) == parts


@pytest.mark.parametrize(("cidr", "count"), [("10.0.0.0/27", 3), ("10.0.0.0/24", 0)])
def test_what_cannot_be_split(cidr: str, count: int) -> None:
    with pytest.raises(ApiError) as caught:
        split(cidr, count)
    assert caught.value.code == "InvalidParameterValue"


@given(st.integers(16, 28), st.integers(1, 64))
def test_parts_are_equal_apart_and_as_large_as_can_be(prefix: int, count: int) -> None:
    cidr = f"10.0.0.0/{prefix}"
    bits = (count - 1).bit_length()
    if prefix + bits > 28:
        return
    parts = [IPv4Network(part) for part in split(cidr, count)]
    assert len(parts) == count
    assert {part.prefixlen for part in parts} == {prefix + bits}
    assert all(part.subnet_of(IPv4Network(cidr)) for part in parts)
    assert not any(a.overlaps(b) for a, b in pairwise(parts))
    assert count > 1 << bits >> 1 or count == 1
