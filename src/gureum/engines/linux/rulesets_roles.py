"""Whose a packet is at the stages of a router: of the interface that owns its address, or passing
through one.  Of each there is a condition for IPv4, one for IPv6 addresses and one for blocks."""

from __future__ import annotations

from gureum.engines.linux.guards import BLOCK6

SENT_BY_OWNER = (
    "ether saddr . ip saddr @owners",
    "ether saddr . ip6 saddr @owners6",
    f"ether saddr . ip6 saddr & {BLOCK6} @owner_blocks6",
)
BRIDGED_TO_OWNER = (
    "ether daddr . ip daddr @owners",
    "ether daddr . ip6 daddr @owners6",
    f"ether daddr . ip6 daddr & {BLOCK6} @owner_blocks6",
)
BRIDGED_TO_OTHER = "ether daddr @forwarders"
ROUTED_TO_OWNER = (
    "rt ip nexthop . ip daddr @last_hops",
    "rt ip6 nexthop . ip6 daddr @last_hops6",
    f"rt ip6 nexthop . ip6 daddr & {BLOCK6} @last_hop_blocks6",
)
