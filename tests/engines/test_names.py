"""Names fit the kernel and nft, and tell ids apart."""

from __future__ import annotations

import pytest

from gureum.engines.linux import names

HEX = "vpc-0123456789abcdef0"


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("vpc-1", "1"),
        ("eni-web", "web"),
        ("eni-0123456789abcdef0", "456789abcdef0"),
        ("nodash", "nodash"),
    ],
)
def test_tail_keeps_what_tells_ids_apart(identifier: str, expected: str) -> None:
    assert names.tail(identifier) == expected


@pytest.mark.parametrize("identifier", ["eni-한글", "eni-a b", "eni-" + "x" * 40, "eni-../x"])
def test_tail_of_anything_else_is_a_digest(identifier: str) -> None:
    assert len(names.tail(identifier)) == 13
    assert names.tail(identifier) != names.tail(identifier + "x")


@pytest.mark.parametrize(
    "name",
    [
        names.port_link(HEX),
        names.segment_link(HEX),
        names.uplink_link(HEX),
        names.router_link(HEX),
        names.gateway_link(HEX),
        names.internet_host_link("a-name-that-is-far-too-long"),
        names.internet_host_link("한글"),
        f"gu{'0f0f'}",
    ],
)
def test_link_names_fit_the_kernel(name: str) -> None:
    assert 0 < len(name.encode()) < 16
    assert "/" not in name


def test_internet_hosts_keep_apart_from_ids() -> None:
    assert names.internet_host_namespace("me") == "host-me"
    assert names.internet_host_namespace("i-1") == "host-i-1"
    assert names.internet_host_namespace("../x").startswith("host-")
    assert "/" not in names.internet_host_namespace("../x")


def test_link_macs_are_local_unicast_and_distinct() -> None:
    macs = {names.link_mac(ns, link) for ns in ("a", "b") for link in ("eth0", "eth1")}
    assert len(macs) == 4
    assert all(mac.startswith("02:") and len(mac) == 17 for mac in macs)


def test_nft_names() -> None:
    assert names.filter_chain("sg-1/in") == "f-sg-1/in"
    assert names.filter_chain("a b") != names.filter_chain("a_b")
    assert len(names.filter_chain("x" * 300)) < 128
    assert names.member_set("sg-1") == "m-sg-1"
    assert names.member_set("sg/1") != names.member_set("sg_1")


def test_comments_fit_nft() -> None:
    assert names.comment('say "no"\nnow') == "say 'no''now"
    assert len(names.comment("한" * 100).encode()) <= names.COMMENT_MAX
