"""Reads traffic mirroring: filters with their rules, targets and sessions."""

from __future__ import annotations

from gureum.imports.answers import Item
from gureum.imports.reading import Left, Reading
from gureum.resources.traffic_mirror import (
    TrafficMirrorFilter,
    TrafficMirrorFilterRule,
    TrafficMirrorSession,
    TrafficMirrorTarget,
)
from gureum.resources.traffic_mirror_filter import check_rule, rule_fields
from gureum.resources.traffic_mirror_session import check_session


def filter_(reading: Reading, item: Item) -> None:
    """A filter and its rules, which its description has."""
    key = item["TrafficMirrorFilterId"]
    row = reading.put(
        TrafficMirrorFilter(
            **reading.common(TrafficMirrorFilter, item, key),
            description=item.get("Description"),
            services=tuple(item.get("NetworkServices", ())),
        )
    )
    for name in ("IngressFilterRules", "EgressFilterRules"):
        for part in item.get(name, ()):
            with reading.one("rules of TrafficMirrorFilters", part["TrafficMirrorFilterRuleId"]):
                _rule(reading, row, part)


def _rule(reading: Reading, of: TrafficMirrorFilter, item: Item) -> None:
    key = item["TrafficMirrorFilterRuleId"]
    common = reading.common(TrafficMirrorFilterRule, item, key)
    row = TrafficMirrorFilterRule(**common, filter=of.id, **rule_fields(item))
    check_rule(reading.call, row)
    reading.put(row)


def target(reading: Reading, item: Item) -> None:
    """A target: an interface that is here, or a load balancer, to which nothing is sent."""
    interface, balancer = item.get("NetworkInterfaceId"), item.get("NetworkLoadBalancerArn")
    if (interface is None) == (balancer is None):
        raise Left(f"targets of type {item.get('Type', '?')} are not built")
    reading.put(
        TrafficMirrorTarget(
            **reading.common(TrafficMirrorTarget, item, item["TrafficMirrorTargetId"]),
            interface=interface,
            balancer=balancer,
            description=item.get("Description"),
        )
    )


def session(reading: Reading, item: Item) -> None:
    """A session of an interface that is here."""
    row = TrafficMirrorSession(
        **reading.common(TrafficMirrorSession, item, item["TrafficMirrorSessionId"]),
        interface=item["NetworkInterfaceId"],
        target=item["TrafficMirrorTargetId"],
        filter=item["TrafficMirrorFilterId"],
        number=item["SessionNumber"],
        vni=item["VirtualNetworkId"],
        length=item.get("PacketLength"),
        description=item.get("Description"),
    )
    others = reading.call.txn.view.all(TrafficMirrorSession)
    if any(other.slot == row.slot for other in others):
        raise Left("the last six digits of its id are another session's")
    check_session(reading.call, row)
    reading.put(row)
