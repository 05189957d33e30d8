"""Filter rules in the spelling of nft."""

from __future__ import annotations

import pytest

from gureum.engines.linux.lower_rules import rules
from gureum.program import Filter, Rule
from gureum.program.statements import Direction


def _rule(
    peer: str = "0.0.0.0/0",
    protocol: int | None = None,
    ports: tuple[int, int] | None = None,
    icmp: tuple[int, int] | None = None,
    allow: bool = True,
    untracked: bool = False,
) -> Rule:
    return Rule("sgr-1", allow, protocol, ports, icmp, peer, untracked)


def _first(rule: Rule, direction: Direction = "in", stateful: bool = True) -> str:
    made = rules(Filter("f", "vpc-1", direction, stateful, (rule,), "sg-1"))
    assert made[1:] == ('drop comment "sg-1"',)
    text, _, comment = made[0].partition(" comment ")
    assert comment == '"sgr-1"'
    return text


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (_rule(), "meta nfproto ipv4 goto admit_in"),
        (_rule("::/0"), "meta nfproto ipv6 goto admit_in"),
        (_rule("10.0.0.0/8"), "ip saddr 10.0.0.0/8 goto admit_in"),
        (_rule("10.0.0.1/32"), "ip saddr 10.0.0.1 goto admit_in"),
        (_rule("2001:db8::/32"), "ip6 saddr 2001:db8::/32 goto admit_in"),
        (_rule("sg-2"), "ip saddr @m-sg-2 goto admit_in"),
        (_rule(protocol=6), "meta nfproto ipv4 meta l4proto 6 goto admit_in"),
        (_rule(protocol=6, ports=(80, 80)), "meta nfproto ipv4 tcp dport 80 goto admit_in"),
        (_rule("sg-2", 17, (1, 9)), "ip saddr @m-sg-2 udp dport 1-9 goto admit_in"),
        (_rule(protocol=6, ports=(0, 65535)), "meta nfproto ipv4 meta l4proto 6 goto admit_in"),
        (_rule(protocol=50), "meta nfproto ipv4 meta l4proto 50 goto admit_in"),
        (_rule(protocol=1), "meta l4proto 1 goto admit_in"),
        (_rule(protocol=1, icmp=(-1, -1)), "meta l4proto 1 goto admit_in"),
        (_rule(protocol=1, icmp=(8, -1)), "icmp type 8 goto admit_in"),
        (
            _rule("10.0.0.0/8", 1, icmp=(3, 4)),
            "ip saddr 10.0.0.0/8 icmp type 3 icmp code 4 goto admit_in",
        ),
        (_rule("::/0", 58, icmp=(128, 0)), "icmpv6 type 128 icmpv6 code 0 goto admit_in"),
        (_rule(allow=False), "meta nfproto ipv4 drop"),
        (_rule(untracked=True), "meta nfproto ipv4 accept"),
    ],
)
def test_a_rule_in_nft(rule: Rule, expected: str) -> None:
    assert _first(rule) == expected


BLOCKS = "ip6 saddr & ffff:ffff:ffff:ffff:ffff:: == @m6b-sg-2"
"""Who is in a block that is delegated to a member."""


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (
            6,
            [
                "ip saddr @m-sg-2 meta l4proto 6",
                "ip6 saddr @m6-sg-2 meta l4proto 6",
                f"{BLOCKS} meta l4proto 6",
            ],
        ),
        (None, ["ip saddr @m-sg-2", "ip6 saddr @m6-sg-2", BLOCKS]),
        (1, ["ip saddr @m-sg-2 meta l4proto 1"]),
        (58, ["ip6 saddr @m6-sg-2 meta l4proto 58", f"{BLOCKS} meta l4proto 58"]),
    ],
)
def test_a_group_has_members_of_both_versions(protocol: int | None, expected: list[str]) -> None:
    line = _rule("sg-2", protocol)
    made = rules(Filter("f", "vpc-1", "in", True, (line,), "sg-1", ipv6=True))
    assert [text.partition(" goto ")[0] for text in made[:-1]] == expected


def test_the_other_direction_looks_at_the_destination() -> None:
    assert _first(_rule("10.0.0.0/8"), "out") == "ip daddr 10.0.0.0/8 goto admit_out"
    assert _first(_rule(untracked=True), "out") == "meta nfproto ipv4 accept"


def test_a_stateless_filter_tracks_nothing_anyway() -> None:
    assert _first(_rule(untracked=True), stateful=False) == "meta nfproto ipv4 accept"


def test_a_comment_cannot_break_out() -> None:
    evil = Filter("f", "vpc-1", "in", True, (), 'x" ; accept comment "y')
    assert rules(evil) == ("drop comment \"x' ; accept comment 'y\"",)
