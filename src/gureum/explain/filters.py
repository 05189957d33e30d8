"""Whether a filter lets a packet pass, and by which rule."""

from __future__ import annotations

from gureum.explain.network import Network, contains
from gureum.explain.packet import Packet
from gureum.program import Filter, Rule


def deciding(network: Network, filter_: Filter, packet: Packet) -> Rule | None:
    """The rule that decides; None where the filter's default drops the packet."""
    for rule in filter_.rules:
        if matches_service(rule, packet) and _matches_peer(network, filter_, rule, packet):
            return rule
    return None


def matches_service(rule: Rule, packet: Packet) -> bool:
    """Whether protocol and port (or ICMP type) are the rule's."""
    if rule.protocol is not None and rule.protocol != packet.protocol:
        return False
    if rule.ports is not None and packet.target_port is not None:
        return rule.ports[0] <= packet.target_port <= rule.ports[1]
    if rule.icmp is not None and packet.icmp is not None and rule.icmp[0] >= 0:
        return rule.icmp[0] == packet.icmp[0] and rule.icmp[1] in (-1, packet.icmp[1])
    return True


def _matches_peer(network: Network, filter_: Filter, rule: Rule, packet: Packet) -> bool:
    peer = packet.source if filter_.direction == "in" else packet.target
    if is_group(rule):
        return peer in network.members.get((filter_.router, rule.peer), ())
    return ":" not in rule.peer and contains(rule.peer, peer)


def is_group(rule: Rule) -> bool:
    """Whether the rule's peer is a group rather than a prefix."""
    return "/" not in rule.peer
