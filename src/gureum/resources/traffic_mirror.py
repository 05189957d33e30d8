"""Traffic mirroring: filters with rules, targets and sessions, and what a session does.

The actions are in the files of their own, ``traffic_mirror_filter`` and ``traffic_mirror_session``.
Source: Traffic Mirroring guide, "Traffic mirror concepts" and "considerations".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gureum.kind import Lowering
from gureum.model import Reader, Resource, ref
from gureum.program import Choice, Mirror, Mirrored
from gureum.resources.network_interface import NetworkInterface, port_of

AMAZON_DNS = "amazon-dns"
"""The network service whose packets a filter can have copied."""


@dataclass(frozen=True, kw_only=True)
class TrafficMirrorFilter(
    Resource,
    kind="traffic-mirror-filter",
    prefix="tmf",
    not_found="InvalidTrafficMirrorFilterId.NotFound",
    malformed="InvalidTrafficMirrorFilterId.Malformed",
    noun="traffic mirror filter",
):
    """A filter; ``services`` are those whose packets are copied although AWS's own answer them."""

    description: str | None = None
    services: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrafficMirrorFilterRule(
    Resource,
    kind="traffic-mirror-filter-rule",
    prefix="tmfr",
    not_found="InvalidTrafficMirrorFilterRuleId.NotFound",
    malformed="InvalidTrafficMirrorFilterRuleId.Malformed",
    noun="traffic mirror filter rule",
):
    """A line of a filter, by number within its direction; port ranges are inclusive."""

    filter: str = ref("cascade")
    direction: Literal["ingress", "egress"]
    number: int
    action: Literal["accept", "reject"]
    source: str
    target: str
    protocol: int | None = None
    source_ports: tuple[int, int] | None = None
    target_ports: tuple[int, int] | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrafficMirrorTarget(
    Resource,
    kind="traffic-mirror-target",
    prefix="tmt",
    not_found="InvalidTrafficMirrorTargetId.NotFound",
    malformed="InvalidTrafficMirrorTargetId.Malformed",
    noun="traffic mirror target",
):
    """A target: an interface, which it goes with, or the ARN of a Network Load Balancer."""

    interface: str | None = ref("cascade", default=None)
    balancer: str | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrafficMirrorSession(
    Resource,
    kind="traffic-mirror-session",
    prefix="tms",
    not_found="InvalidTrafficMirrorSessionId.NotFound",
    malformed="InvalidTrafficMirrorSessionId.Malformed",
    noun="traffic mirror session",
):
    """A session of the source ``interface``; ``vni`` is the VXLAN identifier (RFC 7348)."""

    interface: str = ref("cascade")
    target: str = ref("cascade")
    filter: str = ref()
    number: int
    vni: int
    length: int | None = None
    description: str | None = None

    @property
    def slot(self) -> int:
        """What tells it from all other sessions of its region: the end of its id (24 bits)."""
        return int(self.id[-6:], 16)


def rules_of(reader: Reader, key: str) -> list[TrafficMirrorFilterRule]:
    """The rules of a filter, by direction and number."""
    rules = reader.referrers(key, TrafficMirrorFilterRule)
    return sorted(rules, key=lambda each: (each.direction, each.number))


def sessions_of(reader: Reader, interface: str) -> list[TrafficMirrorSession]:
    """The sessions of a source, by number: who is asked first whether a packet is copied."""
    sessions = reader.referrers(interface, TrafficMirrorSession)
    return sorted(sessions, key=lambda each: each.number)


# --- lowering -----------------------------------------------------------------------------------
def lower(row: TrafficMirrorSession, lowering: Lowering) -> None:
    """A packet is copied once, by the first session that chooses it, so the first session of a
    source speaks for all of them.  Nothing is copied while the source is in no host."""
    sessions = sessions_of(lowering.view, row.interface)
    source = lowering.view.find(NetworkInterface, row.interface)
    port = port_of(lowering.view, source) if source else None
    if source is None or source.ip is None or port is None or sessions[0].id != row.id:
        return
    mirrors = tuple(
        mirror for each in sessions if (mirror := _mirror(each, lowering.view)) is not None
    )
    if mirrors:
        lowering.say(
            Mirrored(port=port, addresses=source.own, ip=source.ip, mirrors=mirrors),
            *(mirror.session for mirror in mirrors),
        )


def _mirror(row: TrafficMirrorSession, view: Reader) -> Mirror | None:
    """A session as a mirror, unless its target is a load balancer, of which there are none."""
    target = view.find(TrafficMirrorTarget, row.target)
    receiver = view.find(NetworkInterface, target.interface) if target else None
    chosen = view.find(TrafficMirrorFilter, row.filter)
    if receiver is None or receiver.ip is None or chosen is None:
        return None
    rules = rules_of(view, row.filter)
    return Mirror(
        session=row.id,
        slot=row.slot,
        target=receiver.ip,
        vni=row.vni,
        length=row.length,
        entering=_choices(rule for rule in rules if rule.direction == "ingress"),
        leaving=_choices(rule for rule in rules if rule.direction == "egress"),
        names=AMAZON_DNS in chosen.services,
    )


def _choices(rules: Iterable[TrafficMirrorFilterRule]) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            why=rule.id,
            copy=rule.action == "accept",
            protocol=rule.protocol,
            source=rule.source,
            target=rule.target,
            source_ports=rule.source_ports,
            target_ports=rule.target_ports,
        )
        for rule in rules
    )
