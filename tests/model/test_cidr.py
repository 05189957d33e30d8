"""CIDR arithmetic: canonical blocks, the five reserved addresses, cutting into subnets."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gureum.errors import ApiError
from gureum.model.cidr import (
    fit,
    free,
    ipv4_network,
    is_reserved,
    merge,
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


@pytest.mark.parametrize(
    ("lengths", "found"),
    [
        ([26, 26, 27, 27], [".0/26", ".64/26", ".128/27", ".160/27"]),
        ([27, 26, 27, 26], [".128/27", ".0/26", ".160/27", ".64/26"]),
        ([28, 25, 26], [".192/28", ".0/25", ".128/26"]),
        ([24], [".0/24"]),
        ([], []),
    ],
)
def test_larger_subnets_are_placed_first_and_named_in_the_order_asked_for(
    lengths: list[int], found: list[str]
) -> None:
    assert fit("192.168.55.0/24", lengths) == [f"192.168.55{each}" for each in found]


@given(st.lists(st.integers(20, 28), max_size=40), st.lists(st.integers(0, 255), max_size=5))
def test_what_has_room_fits_without_overlap(lengths: list[int], used: list[int]) -> None:
    """Sizes are powers of two, so whatever is not more than the largest gaps in all has a place."""
    taken = [f"10.0.{each}.0/24" for each in used if each < 16]
    room = sum(gap.num_addresses for gap in free("10.0.0.0/20", taken))
    try:
        found = [IPv4Network(each) for each in fit("10.0.0.0/20", lengths, taken)]
    except ApiError:
        wanted = sum(1 << (32 - length) for length in lengths)
        assert wanted > room or taken
        return
    assert [each.prefixlen for each in found] == lengths
    everything = sorted([*found, *map(IPv4Network, set(taken))])
    assert not any(one.overlaps(other) for one, other in pairwise(everything))
    assert all(each.subnet_of(IPv4Network("10.0.0.0/20")) for each in found)


def test_without_anything_taken_only_too_many_addresses_do_not_fit() -> None:
    assert len(fit("10.0.0.0/24", [26, 28, 28, 27, 25])) == 5
    with pytest.raises(ApiError, match="no room for a /28 beside the others: 0 addresses"):
        fit("10.0.0.0/24", [26, 28, 28, 27, 25, 28])


def test_the_smallest_gap_that_is_large_enough_is_used() -> None:
    taken = ["10.0.0.64/26", "10.0.0.192/27"]
    assert fit("10.0.0.0/24", [27, 26], taken) == ["10.0.0.224/27", "10.0.0.0/26"]


def test_what_is_free_is_what_is_not_taken() -> None:
    assert [str(each) for each in free("10.0.0.0/24", ["10.0.0.64/26"])] == [
        "10.0.0.0/26",
        "10.0.0.128/25",
    ]
    assert free("10.0.0.0/24", ["10.0.0.0/16"]) == []
    assert [str(each) for each in free("10.0.0.0/24", ["10.9.0.0/16"])] == ["10.0.0.0/24"]


@pytest.mark.parametrize(
    ("blocks", "found"),
    [
        (["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/23"], ["10.0.0.0/22"]),
        (["10.0.1.0/24", "10.0.2.0/24"], ["10.0.1.0/24", "10.0.2.0/24"]),
        (["10.0.0.9/8", "10.1.0.0/16"], ["10.0.0.0/8"]),
    ],
)
def test_neighbours_are_merged_where_they_are_halves(blocks: list[str], found: list[str]) -> None:
    assert merge(blocks) == found
