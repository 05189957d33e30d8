"""What security groups ask of the network: one stateful filter per distinct set of groups.

Source: EC2 User Guide, "Security group connection tracking" (untracked connections).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Literal, TypeAlias

from gureum.kind import Lowering
from gureum.model import Reader
from gureum.program import Filter, Rule
from gureum.resources.ipv6 import blocks
from gureum.resources.permissions import ANY_V4, ANY_V6, Permission
from gureum.resources.prefix_list import IPV4, IPV6, cidrs_of
from gureum.resources.security_group import rules_of
from gureum.resources.shapes import ICMP, ICMPV6, TCP, UDP

Direction: TypeAlias = Literal["in", "out"]
FilterKey: TypeAlias = tuple[str, tuple[str, ...], Direction]
"""VPC id, sorted group ids, direction."""


def filter_id(groups: tuple[str, ...], direction: Direction) -> str:
    """The id of the filter that a set of groups makes: the group's own where there is one."""
    if len(groups) == 1:
        return f"{groups[0]}/{direction}"
    digest = hashlib.sha256(",".join(groups).encode()).hexdigest()
    return f"sgset-{digest[:17]}/{direction}"


def group_filters(lowering: Lowering, key: FilterKey) -> None:
    """Say the filter of a set of groups in one direction: the union of their rules.

    For ``lowering.need``: interfaces with the same groups share it.
    """
    vpc, groups, direction = key
    rules = [rule for group in groups for rule in rules_of(lowering.view, group)]
    pairs = [
        (rule, item) for rule in rules for item in _spelled_out(lowering.view, rule.permission)
    ]
    back = [item for rule, item in pairs if rule.egress != (direction == "out")]
    lines = [
        line
        for rule, item in pairs
        if rule.egress == (direction == "out")
        for line in _lines(rule.id, item, back)
    ]
    # A flow that an untracked rule admits is untracked whatever else admits it, so these are first.
    lines.sort(key=lambda line: (not line.untracked, line.why, line.peer, line.protocol or 0))
    lowering.say(
        Filter(
            id=filter_id(groups, direction),
            router=vpc,
            direction=direction,
            stateful=True,
            rules=tuple(lines),
            default=f"sg:{','.join(groups)}",
            ipv6=bool(blocks(lowering.view, vpc)),
        ),
        *groups,
    )


def _spelled_out(reader: Reader, item: Permission) -> list[Permission]:
    """A permission with a prefix list as one with each of its blocks: the quota of rules, which
    counts a list by its size, keeps them few."""
    if item.prefix_list is None:
        return [item]
    plain = replace(item, prefix_list=None)
    return [
        *(replace(plain, cidr=cidr) for cidr in cidrs_of(reader, item.prefix_list, IPV4)),
        *(replace(plain, cidr6=cidr) for cidr in cidrs_of(reader, item.prefix_list, IPV6)),
    ]


def _lines(why: str, item: Permission, back: list[Permission]) -> list[Rule]:
    """A permission as lines of a filter."""
    line = Rule(
        why=why,
        allow=True,
        protocol=item.protocol,
        ports=_ports(item),
        icmp=_icmp(item),
        peer=item.peer,
    )
    if item.protocol is not None:
        return [replace(line, untracked=_untracked(item, item.protocol, back))]
    # All protocols: TCP and UDP may be untracked, the others never are.
    split = [
        replace(line, protocol=protocol, untracked=True)
        for protocol in (TCP, UDP)
        if _untracked(item, protocol, back)
    ]
    return [*split, line]


def _untracked(item: Permission, protocol: int, back: list[Permission]) -> bool:
    """Whether AWS does not track the flows: any peer here, any peer of the same family and any
    port on the way back."""
    return (
        protocol in (TCP, UDP)
        and item.peer in (ANY_V4, ANY_V6)
        and any(
            other.peer == item.peer and other.protocol in (None, protocol) and other.all_ports
            for other in back
        )
    )


def _ports(item: Permission) -> tuple[int, int] | None:
    if item.protocol not in (TCP, UDP) or item.all_ports:
        return None
    assert item.first is not None
    assert item.last is not None
    return item.first, item.last


def _icmp(item: Permission) -> tuple[int, int] | None:
    if item.protocol not in (ICMP, ICMPV6) or item.first in (None, -1):
        return None
    assert item.first is not None
    return item.first, -1 if item.last is None else item.last
