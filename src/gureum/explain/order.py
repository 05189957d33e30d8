"""The order in which the steps of a walk are decided: not always that in which they are told.

A router looks up the route of a packet before it filters it, and the link address of the next hop
last (RFC 1812 section 5.2.1.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from gureum.explain.network import Network
from gureum.explain.steps import Step


def decided(network: Network, steps: Sequence[Step]) -> list[int]:
    """The steps in the order in which they are decided."""
    found: list[int] = []
    for index, step in enumerate(steps):
        at = len(found)
        while at and _follows(network, steps[found[at - 1]], step):
            at -= 1
        found.insert(at, index)
    return found


def _follows(network: Network, earlier: Step, step: Step) -> bool:
    """Whether what is told earlier is decided after a step."""
    next_hop = earlier.kind == "arp" and earlier.place not in network.ports
    match step.kind, step.direction:
        case "route", _:
            # a connected prefix is a route, whoever is missing behind it; a table's own routes
            # (``by``) may lead nowhere all the same
            at = step.place, step.packet.target
            absent = network.segment_at(*at) is not None and not network.is_routers(*at)
            looked_up = step.passed or bool(step.by) or not absent
            return looked_up and earlier.kind in ("group", "acl") and earlier.direction == "out"
        case "group", "in":
            return next_hop
        case "dest-check", _:
            return next_hop or (earlier.kind, earlier.direction) == ("group", "in")
    return False
