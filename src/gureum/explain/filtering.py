"""What security groups and network ACLs say of a packet on its way."""

from __future__ import annotations

from gureum.explain.codes import Code
from gureum.explain.filters import deciding, described, is_group, matches_service, tried
from gureum.explain.flows import Admission, Flows, Role
from gureum.explain.network import Network, contains
from gureum.explain.packet import Packet
from gureum.explain.services import ServiceWalk
from gureum.model.internet import PUBLIC
from gureum.program import Guard, Port, Rule, Segment
from gureum.program.statements import Direction

_OTHER: dict[Direction, Direction] = {"in": "out", "out": "in"}


class FilterWalk(ServiceWalk):
    """A packet before the filters of ports and segments; ``flows`` are those that went before."""

    def __init__(
        self, network: Network, packet: Packet, flows: Flows, *, answers: bool = False
    ) -> None:
        super().__init__(network, packet)
        self.answers = answers
        self.flows = flows
        self._from_station = False

    def _group(self, port: Port, guard: Guard | None, direction: Direction) -> None:
        if guard is None:
            return
        key = guard.filter_in if direction == "in" else guard.filter_out
        if key is None:
            return
        router = port.segment.router
        own = self.packet.target if direction == "in" else self.packet.source
        role: Role = "owner" if guard.owns(own) else "transit"
        before: Admission = (router, self.packet.reply().flow, _OTHER[direction], role)
        if before in self.flows.tracked:
            said = "an answer to a flow that was let through"
            self._tell("group", port.id, said, direction=direction)
            return
        filter_ = self.network.filters[router, key]
        if self.answers:  # judged by its own header, and so by the client's port
            self.flows.stateless.add(filter_)
        rule = deciding(self.network, filter_, self.packet)
        if rule is None or not rule.untracked:  # what is blocked counts as let through: walk on
            self.flows.tracked.add((router, self.packet.flow, direction, role))
        way = "in" if direction == "in" else "out"
        if rule is not None:
            said = f"let {way} by {rule.why}: {described(rule, filter_)}"
            self._tell("group", port.id, said, by=(rule.why,), direction=direction)
            return
        code, said = self._no_group(filter_.rules, direction)
        lost = tuple(tried(self.network, filter_, filter_.rules, self.packet))
        self._tell("group", port.id, f"not let {way}: {said}",
                   by=(filter_.default,), tried=lost, code=code, direction=direction)  # fmt: skip

    def _no_group(self, rules: tuple[Rule, ...], direction: Direction) -> tuple[Code, str]:
        if not rules:
            return Code.SG_HAS_NO_RULES, "the groups have no rule in this direction"
        peer = self.packet.source if direction == "in" else self.packet.target
        referring = [r.why for r in rules if is_group(r) and matches_service(r, self.packet)]
        if referring and self._from_station and contains(PUBLIC, peer):
            said = f"{referring[0]} names a group, and {peer} is a public address of nobody's group"
            return Code.SG_REFERENCES_NOT_PRESERVED, said
        return Code.ENI_SG_RULES_MISMATCH, f"no rule admits {self.packet}"

    def _acl(self, segment: Segment, direction: Direction) -> None:
        pair = self.network.acls.get(segment.id)
        if pair is None:
            return
        key = pair.filter_in if direction == "in" else pair.filter_out
        filter_ = self.network.filters[segment.router, key]
        self.flows.stateless.add(filter_)
        rule = deciding(self.network, filter_, self.packet)
        way = "into" if direction == "in" else "out of"
        by = rule.why if rule else filter_.default
        before = filter_.rules[: filter_.rules.index(rule)] if rule else filter_.rules
        lost = tuple(tried(self.network, filter_, before, self.packet))
        told = {"by": (by,), "tried": lost, "direction": direction}
        if rule is not None and rule.allow:
            line = described(rule, filter_)
            self._tell("acl", segment.id, f"let {way} the subnet by {by}: {line}", **told)
            return
        line = described(rule, filter_) if rule else "no rule applies"
        said = f"not let {way} the subnet by {by}: {line}"
        self._tell("acl", segment.id, said, code=Code.SUBNET_ACL_RESTRICTION, **told)
