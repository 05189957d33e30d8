"""What nft lists, read back into items."""

from __future__ import annotations

import pytest

from gureum.engines.linux import listing
from gureum.engines.linux.guards import hook
from gureum.engines.linux.items import Chain, Element, NftSet, NftTable

LISTED = """table inet gureum {
\tset pairs {
\t\ttype ipv4_addr . ipv4_addr
\t\telements = { 10.0.1.5 . 198.18.0.5,
\t\t\t     10.0.1.10 . 198.18.0.1 }
\t}

\tset empty {
\t\ttype ifname
\t}

\tmap sg_in_by_ip {
\t\ttype ipv4_addr : verdict
\t\telements = { 10.0.1.10 : goto f-sg-1/in, 10.0.1.5 : accept }
\t}

\tchain f-sg-1/in {
\t\tip saddr @m-sg-2 tcp dport 80 accept comment "sgr-1"
\t\tdrop comment "sg-1"
\t}

\tchain sg_in {
\t\ttype filter hook forward priority 30; policy drop;
\t\tct state 0x4 accept comment "related"
\t}
}
"""


def test_a_listing_is_read_back_into_items() -> None:
    assert set(listing.parse("v", "inet", LISTED)) == {
        NftTable("v", "inet"),
        NftSet("v", "inet", "pairs", "set", "ipv4_addr . ipv4_addr"),
        Element("v", "inet", "pairs", "10.0.1.5 . 198.18.0.5"),
        Element("v", "inet", "pairs", "10.0.1.10 . 198.18.0.1"),
        NftSet("v", "inet", "empty", "set", "ifname"),
        NftSet("v", "inet", "sg_in_by_ip", "map", "ipv4_addr : verdict"),
        Element("v", "inet", "sg_in_by_ip", "10.0.1.10", "goto f-sg-1/in"),
        Element("v", "inet", "sg_in_by_ip", "10.0.1.5", "accept"),
        Chain(
            "v",
            "inet",
            "f-sg-1/in",
            "",
            (
                'ip saddr @m-sg-2 tcp dport 80 accept comment "sgr-1"',
                'drop comment "sg-1"',
            ),
        ),
        Chain(
            "v",
            "inet",
            "sg_in",
            hook("filter", "forward", 30, "drop"),
            ('ct state 0x4 accept comment "related"',),
        ),
    }


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('ct state related accept comment "related"', 'ct state 0x4 accept comment "related"'),
        ("ct state established,related accept", "ct state 0x2,0x4 accept"),
        ('ether type ip goto from_ip comment "x"', 'ether type 0x0800 goto from_ip comment "x"'),
        ('meta nfproto ipv4 accept comment "a"', 'meta nfproto 2 accept comment "a"'),
        ('accept comment "ct state new"', 'accept comment "ct state new"'),
    ],
)
def test_rules_as_a_numeric_listing_spells_them(rule: str, expected: str) -> None:
    assert listing.spelled(rule) == expected
