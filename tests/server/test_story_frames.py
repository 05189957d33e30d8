"""Sightings put together: which unit crossed which link, and what each place made of it."""

from __future__ import annotations

import struct
from typing import Literal

import pytest

from gureum.frames import decode
from gureum.server.story_frames import (
    Crossing,
    Flow,
    Sight,
    act,
    crossings,
    flow_of,
    of_the_exchange,
    question_of,
    unit_of,
)
from tests.frames.samples import time_exceeded
from tests.kernel.packets import arp, ethernet, ipv4, ipv6, neighbour

STATIONS = {name: f"02:00:00:00:00:0{at}" for at, name in enumerate("abcdef")}
A, B, PUBLIC = "10.0.1.10", "198.19.0.20", "198.18.0.7"
A6, B6 = "3fff:7::1", "3fff:7::2"


def tcp(
    ends: tuple[str, str],
    hop: str,
    ttl: int = 64,
    *,
    ports: tuple[int, int] = (40000, 80),
    number: int = 7,
) -> bytes:
    """A SYN between two addresses, on the link from one station to another."""
    head = struct.pack("!HHIIBBHHH", *ports, number, 0, 0x50, 0x02, 1000, 0, 0)
    packet = ipv4(*ends, head, 6, ttl)
    return ethernet(STATIONS[hop[1]], STATIONS[hop[0]], 0x0800, packet)


def link(alias: str, sender: str, receiver: str | None, at: int, data: bytes) -> list[Sight]:
    """A frame that crossed a link, seen at both ends."""
    ends: list[tuple[str, Literal["sent", "received"]]] = [(sender, "sent")]
    if receiver is not None:
        ends.append((receiver, "received"))
    return [Sight(place, alias, way, at + n, decode(data)) for n, (place, way) in enumerate(ends)]


def told(found: list[Crossing]) -> list[tuple[str | None, str | None]]:
    return [(each.sender, each.receiver) for each in found]


FORTH: list[Sight] = [
    *link("eni-1", "web", "router", 0, tcp((A, B), "ab")),
    *link("igw", "router", "gate", 10, tcp((A, B), "cd", 63)),
    *link("net", "gate", "internet", 20, tcp((PUBLIC, B), "ef", 62, ports=(1024, 80))),
]


def test_a_packet_is_followed_from_link_to_link() -> None:
    found = crossings(reversed(FORTH))
    assert told(found) == [("web", "router"), ("router", "gate"), ("gate", "internet")]
    assert len({each.unit for each in found}) == 1
    act(found)
    first, second, third = (each.acts for each in found)
    assert first == ["layer 4: makes it: TCP segment in IPv4 packet in Ethernet frame"]
    before, after = f"{STATIONS['a']} > {STATIONS['b']}", f"{STATIONS['c']} > {STATIONS['d']}"
    assert second == [f"layer 3: routes it: time to live 64 -> 63, MAC {before} -> {after}"]
    assert third[1:] == [f"layer 4: translates the source: {A}:40000 -> {PUBLIC}:1024"]


def test_a_switch_changes_nothing() -> None:
    data = tcp((A, "10.0.1.11"), "ab")
    found = crossings([*link("1", "one", "sw", 0, data), *link("2", "sw", "two", 5, data)])
    act(found)
    assert found[1].acts == [f"layer 2: switches it, unchanged, towards {STATIONS['b']}"]


def test_what_is_flooded_and_what_is_lost() -> None:
    """Two links carry the same bytes: each is told apart by what it is called after."""
    data = ethernet("ff:ff:ff:ff:ff:ff", STATIONS["a"], 0x0806, arp(1, STATIONS["a"], A, B))
    found = crossings(
        [
            *link("1", "one", "sw", 0, data),
            *link("2", "sw", "two", 5, data),
            *link("3", "sw", None, 6, data),
        ]
    )
    assert told(found) == [("one", "sw"), ("sw", "two"), ("sw", None)]


def test_a_second_attempt_is_another_frame() -> None:
    again = link("eni-1", "web", "router", 1000, tcp((A, B), "ab"))
    assert told(crossings([*FORTH[:2], *again])) == [("web", "router")] * 2


def test_the_exchange_is_known_behind_its_translation() -> None:
    answer = link("net", "internet", "gate", 30, tcp((B, PUBLIC), "fe", ports=(80, 1024), number=9))
    stranger = link(
        "net", "internet", "gate", 40, tcp((B, PUBLIC), "fe", ports=(80, 1025), number=8)
    )
    asks = ethernet(
        "ff:ff:ff:ff:ff:ff", STATIONS["a"], 0x0806, arp(1, STATIONS["a"], A, "10.0.1.1")
    )
    other = ethernet(
        "ff:ff:ff:ff:ff:ff", STATIONS["a"], 0x0806, arp(1, STATIONS["a"], A, "10.0.1.9")
    )
    sights = [*FORTH, *answer, *stranger]
    sights += [*link("eni-1", "web", None, 50, asks), *link("eni-1", "web", None, 60, other)]
    flow: Flow = ("TCP", A, 40000, B, 80)
    found = of_the_exchange(crossings(sights), [flow], {A, B, "10.0.1.1"})
    assert [each.at for each in found] == [0, 10, 20, 30, 50]


def test_an_error_belongs_to_the_flow_that_it_is_about() -> None:
    error = decode(time_exceeded())
    assert flow_of(error) == ("ICMP", "10.0.2.20", 7, "10.0.1.10", 7)
    assert unit_of(error) != unit_of(decode(tcp((A, B), "ab")))


def tcp6(hop: str, limit: int = 64, *, stamp: int = 1) -> bytes:
    """A SYN with a timestamp (RFC 7323) between two IPv6 addresses, on one link."""
    options = struct.pack("!BBBBII", 1, 1, 8, 10, stamp, 0)
    segment = struct.pack("!HHIIBBHHH", 40000, 80, 7, 0, 0x80, 0x02, 1000, 0, 0) + options
    packet = ipv6(A6, B6, segment, 6, limit)
    return ethernet(STATIONS[hop[1]], STATIONS[hop[0]], 0x86DD, packet)


def about(kind: int, to: str) -> bytes:
    """A solicitation or an advertisement of A6's about B6."""
    message = ipv6(A6, B6, neighbour(kind, B6, STATIONS["a"]), 58, 255)
    return ethernet(to, STATIONS["a"], 0x86DD, message)


def test_a_packet_of_ipv6_is_followed_and_its_second_attempt_is_another() -> None:
    sights = [
        *link("eni-1", "web", "router", 0, tcp6("ab")),
        *link("eni-2", "router", "db", 9, tcp6("cd", 63)),
        *link("eni-1", "web", "router", 1000, tcp6("ab", stamp=1001)),
    ]
    found = crossings(sights)
    assert [each.unit == found[0].unit for each in found] == [True, True, False]
    act(found)
    assert found[1].acts[0].startswith("layer 3: routes it: hop limit 64 -> 63, MAC ")
    assert flow_of(found[0].frame) == ("TCP", A6, 40000, B6, 80)


@pytest.mark.parametrize("kind", [135, 136])
def test_who_asks_for_a_neighbour_belongs_to_the_exchange(kind: int) -> None:
    data = about(kind, STATIONS["b"])
    asked = question_of(decode(data))
    assert asked is not None
    assert (asked.sender, asked.about, set(asked.tells)) == (A6, B6, {A6 if kind == 135 else B6})
    found = crossings(link("eni-1", "web", "router", 0, data))
    assert of_the_exchange(found, [], {A6, B6}) == found
    assert of_the_exchange(found, [], {A6}) == []


def test_a_solicitation_for_one_says_so() -> None:
    group, one = "33:33:ff:00:00:02", STATIONS["b"]
    asks = [about(135, to) for to in (group, one)]
    found = crossings([*link("1", "one", "sw", 0, asks[0]), *link("2", "sw", "two", 5, asks[1])])
    act(found)
    assert found[1].acts == [
        f"layer 2: switches it, to the one that is meant: MAC {group} -> {one}"
    ]


def test_an_error_of_ipv6_is_known_by_what_it_quotes() -> None:
    def error(port: int) -> bytes:
        segment = struct.pack("!HHIIBBHHH", port, 80, 7, 0, 0x50, 0x02, 1000, 0, 0)
        quoted = ipv6(A6, B6, segment, 6)
        message = struct.pack("!BBHI", 1, 4, 0, 0) + quoted
        return ethernet(STATIONS["b"], STATIONS["a"], 0x86DD, ipv6(B6, A6, message, 58))

    one, other = decode(error(40000)), decode(error(40001))
    assert flow_of(one) == ("TCP", B6, 80, A6, 40000)
    assert unit_of(one) != unit_of(other)
