"""Whether a filter lets a packet pass, by which rule, and why the others do not apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gureum.explain.network import Network, contains
from gureum.explain.packet import ICMP, ICMPV6, TCP, UDP, Packet, protocol_name
from gureum.explain.steps import Field, Tried
from gureum.program import Filter, Rule


def deciding(network: Network, filter_: Filter, packet: Packet) -> Rule | None:
    """The rule that decides; None where the filter's default drops the packet."""
    for rule in filter_.rules:
        if matches_service(rule, packet) and _matches_peer(network, filter_, rule, packet):
            return rule
    return None


def tried(
    network: Network, filter_: Filter, rules: Iterable[Rule], packet: Packet
) -> Iterator[Tried]:
    """Why each of some rules that do not apply does not."""
    for rule in rules:
        field, said = _misfit(network, filter_, rule, packet)
        yield Tried(rule.why, f"{described(rule, filter_)}: {said}", field=field)


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
    peer = _peer(filter_, packet)
    if is_group(rule):
        return network.is_member(filter_.router, rule.peer, peer)
    return contains(rule.peer, peer)


def _peer(filter_: Filter, packet: Packet) -> str:
    return packet.source if filter_.direction == "in" else packet.target


def _misfit(network: Network, filter_: Filter, rule: Rule, packet: Packet) -> tuple[Field, str]:
    """The first field of a packet that keeps a rule from applying, and how."""
    if rule.protocol is not None and rule.protocol != packet.protocol:
        return "protocol", f"the protocol is {protocol_name(packet.protocol)}"
    if not matches_service(rule, packet):
        if packet.protocol in (ICMP, ICMPV6) and packet.icmp:
            return "icmp-type", f"the type is {packet.icmp[0]}, code {packet.icmp[1]}"
        return "destination-port", f"the port is {packet.target_port}"
    field: Field = "source-address" if filter_.direction == "in" else "destination-address"
    peer = _peer(filter_, packet)
    said = f"{peer} is not a member" if is_group(rule) else f"{peer} is outside"
    return field, said


def is_group(rule: Rule) -> bool:
    """Whether the rule's peer is a group rather than a prefix."""
    return "/" not in rule.peer


def described(rule: Rule, filter_: Filter) -> str:
    """A rule in words, such as ``tcp 80-90 from 0.0.0.0/0``."""
    words = [] if filter_.stateful else ["allow" if rule.allow else "deny"]
    words.append("all" if rule.protocol is None else protocol_name(rule.protocol))
    if rule.protocol in (TCP, UDP) and rule.ports:
        low, high = rule.ports
        words.append(str(low) if low == high else f"{low}-{high}")
    if rule.icmp and rule.icmp[0] >= 0:
        words.append(f"type {rule.icmp[0]}")
    words += ["from" if filter_.direction == "in" else "to", rule.peer]
    return " ".join(words)
