"""Holds policies against the cloud for the console: from selectors to nodes, and back to words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from gureum.errors import ApiError
from gureum.explain import Network
from gureum.explain.packet import ICMP, ICMPV6, protocol_name
from gureum.kind import Shape
from gureum.model.cidr import inside
from gureum.model.internet import HOSTS
from gureum.model.nat64 import synthesized
from gureum.policy import CHECKS, Account, Finding, PolicyError, Result, Selector, check, read
from gureum.policy.language import Exit, Version
from gureum.program import ViaPort, ViaUplink
from gureum.reach import VERSIONS, Dual, Node, Part
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.public_ip import associations
from gureum.resources.security_group import SecurityGroup
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc
from gureum.server.console_explain import Explainer, Question, shown
from gureum.server.console_reach import end_shown, nodes_named, part_of_internet
from gureum.server.networks import Networks
from gureum.server.places import Scope
from gureum.server.unseen import notes

_OUTSIDE = synthesized(HOSTS.partition("/")[0])
"""Where IPv6 leads that a NAT gateway makes IPv4 to the internet."""

SHOWN = 20
"""Findings of a statement that are told; how many there are is told too."""


class Policies:
    """Checks policies."""

    def __init__(self, networks: Networks, explain: Explainer) -> None:
        self._networks = networks
        self._explain = explain

    def __call__(self, scope: Scope, body: Mapping[str, Any]) -> Shape:
        """Every statement of the policy in ``text`` with what does not hold of it; ``notes`` say
        what was not looked at.

        Raises:
            ApiError: ``BadPolicy``; the codes of :mod:`gureum.server.places`.
        """
        text = body.get("text")
        if not isinstance(text, str):
            raise ApiError("BadRequest", "The text of a policy is missing.")
        try:
            policy = read(text)
        except PolicyError as error:
            raise ApiError("BadPolicy", str(error)) from None
        network = self._explain.network(scope)
        with self._networks.reach(scope.view) as reach:
            who = _Selectors(scope, reach, network)
            results = list(check(policy, reach, who.nodes, who.addresses, who.exits))
        found = [self._shown(scope, each) for each in results]
        holds = all(each["holds"] for each in found)
        return {"statements": found, "holds": holds, "notes": notes(scope)}

    def audit(self, scope: Scope, body: Mapping[str, Any]) -> Shape:
        """What the built-in checks find, all or those of ``only``, without those of ``skip``.

        Raises:
            ApiError: ``BadRequest`` for a check that is not there.
        """
        only, skip = (_checks(body.get(key)) for key in ("only", "skip"))
        network = self._explain.network(scope)
        with self._networks.reach(scope.view) as reach:
            account = Account(scope.view, scope.account, scope.region, network, reach)
            wanted = [c for c in CHECKS if (not only or c.id in only) and c.id not in skip]
            found = [(each, remark) for each in wanted for remark in each.find(account)]
        return {
            "checks": [each.id for each in wanted],
            "findings": [
                {
                    "check": each.id,
                    "severity": each.severity,
                    "why": each.why,
                    "place": remark.place,
                    "name": _tag_name(scope, remark.place),
                    "said": remark.said,
                    "commands": list(remark.commands),
                }
                for each, remark in found
            ],
        }

    def _shown(self, scope: Scope, result: Result) -> Shape:
        statement, findings = result.statement, result.findings[:SHOWN]
        return {
            "name": statement.name,
            "line": statement.line,
            "holds": result.holds,
            "pairs": result.pairs,
            "empty": [str(each) for each in result.empty],
            "count": len(result.findings),
            "findings": [self._finding(scope, each) for each in findings],
        }

    def _finding(self, scope: Scope, it: Finding) -> Shape:
        if isinstance(it.source, str) or isinstance(it.target, str):
            row = scope.view.rows.get(str(it.source))
            name = (row.tag("Name") if row else None) or str(it.source)
            found = {"what": it.what, "version": it.version, "subnet": str(it.source)}
            return {**found, "name": name, "by": str(it.target)}
        protocol = "other" if it.protocol is None else protocol_name(it.protocol)
        return {
            "what": it.what,
            "version": it.version,
            "source": end_shown(scope, it.source),
            "target": end_shown(scope, it.target),
            "protocol": protocol,
            "first": it.first,
            "last": it.last,
            "by": list(it.by),
            "explanation": self._explained(scope, it),
        }

    def _explained(self, scope: Scope, it: Finding) -> Shape | None:
        """The way of one packet that shows the finding; None for those without ports of theirs."""
        if it.protocol is None or isinstance(it.source, str) or isinstance(it.target, str):
            return None
        icmp = divmod(it.first, 256) if it.protocol in (ICMP, ICMPV6) else None
        port = None if icmp else it.first
        # A part of the internet goes by one of its addresses, an interface by its id.
        near = _near(scope, it.source, it.target)
        target = it.target.ip if near else _public(scope, it.target) or it.target.ip
        own = it.source.ip if it.source.kind == "port" else None
        source = it.source.id if it.source.part is None else it.source.ip
        supposed = it.target.ip if it.target.part is not None else None
        v6 = it.version == 6
        try:
            question = Question(
                source, target, it.protocol, port, icmp, spoofed=own, ipv6=v6, supposed=supposed
            )
            return shown(scope, self._explain(scope, question))
        except ApiError:  # a host of the internet that has been removed meanwhile
            return None


def _checks(given: Any) -> set[str]:
    names = set(given) if isinstance(given, list) else set()
    known = [each.id for each in CHECKS]
    for name in sorted(map(str, names - set(known))):
        raise ApiError("BadRequest", f"There is no check '{name}'; there are {', '.join(known)}.")
    return names


def _tag_name(scope: Scope, key: str) -> str | None:
    row = scope.view.rows.get(key)
    return row.tag("Name") if row else None


def _near(scope: Scope, source: Node, target: Node) -> bool:
    """Whether the target is called by the address that its node has: outside, within a VPC, and
    over IPv6."""
    begins = scope.view.find(NetworkInterface, source.id)
    called = scope.view.find(NetworkInterface, target.id)
    same = called is None or (begins is not None and begins.vpc == called.vpc)
    return same or target.version == 6


def _public(scope: Scope, node: Node) -> str | None:
    """The public address that is mapped to a node's private one."""
    rows = associations(scope.view, node.id)
    return next((row.ip for row in rows if row.private_ip == node.ip), None)


class _Selectors:
    """Who is meant, in one scope."""

    def __init__(self, scope: Scope, reach: Dual, network: Network) -> None:
        self._scope, self._reach, self._network = scope, reach, network

    def nodes(self, selector: Selector) -> Sequence[Node]:
        """The interfaces that are up, and addresses of the internet, that a selector means."""
        if selector.kind == "name":
            return nodes_named(self._scope, self._reach, selector.value)
        if selector.kind == "internet":
            part = Part(but=tuple(selector.value.split()))
            outside = (self._reach[version].outside() for version in VERSIONS)
            return [node._replace(id=str(part), part=part) for node in outside]
        if selector.kind == "cidr":
            return self._inside(selector.value)
        fits = self._fits(selector)
        return [
            node
            for node in self._reach.nodes()
            if node.kind == "port" and (row := self._mine(node)) is not None and fits(row)
        ]

    def _inside(self, cidr: str) -> Sequence[Node]:
        """The interfaces with an address in a block, in the IP version of that, and the part of the
        internet that it is, unless it is of a VPC."""
        block = ip_network(cidr)
        found = [
            node
            for node in self._reach.nodes()
            if node.version == block.version
            and (row := self._mine(node)) is not None
            and any(ip_address(ip) in block for ip in (*row.ips, *row.ips6))
        ]
        ranges = (each for blocks in self._network.ranges.values() for each in blocks)
        part = part_of_internet(cidr)
        if part is not None and not any(inside(cidr, each) for each in ranges):
            found.append(part)
        return found

    def addresses(self, node: Node) -> Sequence[Node]:
        """An interface by its secondary addresses of the node's IP version."""
        row = self._scope.view.find(NetworkInterface, node.id)
        ips = (row.ips if node.version == 4 else row.ips6) if row else ()
        return [node._replace(ip=ip) for ip in ips[1:]]

    def exits(self, selector: Selector, version: Version) -> Sequence[tuple[str, Exit]]:
        """The subnets of an IP version that a selector means, with their ways to the internet."""
        if selector.kind == "cidr" and ip_network(selector.value).version != version:
            return []
        rows = (row for row in self._subnets(selector) if (row.cidr if version == 4 else row.ipv6))
        return [(row.id, by) for row in rows for by in self._exits(row, version)]

    def _mine(self, node: Node) -> NetworkInterface | None:
        row = self._scope.view.find(NetworkInterface, node.id)
        owner = (row.account, row.region) if row else None
        return row if owner == (self._scope.account, self._scope.region) else None

    def _fits(self, selector: Selector) -> Callable[[NetworkInterface], bool]:
        view, value = self._scope.view, selector.value
        if selector.kind == "any":
            return lambda row: True
        if selector.kind == "tag":
            key, _, wanted = value.partition("=")

            def tagged(row: NetworkInterface) -> bool:
                holder = row.attachment.instance if row.attachment else None
                rows = (row, view.rows.get(holder or ""), view.rows.get(row.subnet))
                return any(each is not None and each.tag(key) == wanted for each in rows)

            return tagged
        if selector.kind == "group":
            groups = self._named(SecurityGroup, value)
            return lambda row: bool(groups & set(row.groups))
        if selector.kind == "subnet":
            subnets = self._named(Subnet, value)
            return lambda row: row.subnet in subnets
        vpcs = self._named(Vpc, value)
        return lambda row: row.vpc in vpcs

    def _named(self, cls: type[Any], value: str) -> set[str]:
        """The ids of the scope's rows of a type that have an id, a Name tag or a name."""
        return {row.id for row in self._all(cls) if value in (row.id, row.tag("Name"), _name(row))}

    def _all(self, cls: type[Any]) -> Iterable[Any]:
        here = (self._scope.account, self._scope.region)
        rows = self._scope.view.all(cls)
        return (row for row in rows if (row.account, row.region) == here)

    def _subnets(self, selector: Selector) -> list[Subnet]:
        value = selector.value
        rows: Iterable[Subnet] = self._all(Subnet)
        if selector.kind in ("name", "subnet"):
            rows = (row for row in rows if value in (row.id, row.tag("Name")))
        elif selector.kind == "tag":
            key, _, wanted = value.partition("=")
            rows = (row for row in rows if row.tag(key) == wanted)
        elif selector.kind == "vpc":
            vpcs = self._named(Vpc, value)
            rows = (row for row in rows if row.vpc in vpcs)
        elif selector.kind == "cidr":
            rows = (row for row in rows if any(inside(cidr, value) for cidr in row.cidrs))
        return sorted(rows, key=lambda row: row.id)

    def _exits(self, subnet: Subnet, version: Version) -> list[Exit]:
        """By what packets to the internet leave a subnet, to any part of it."""
        found = {
            self._exit(subnet, node.ip) for node in self._reach[version].routed(subnet.id).nodes()
        }
        if version == 6 and self._exit(subnet, _OUTSIDE) == "nat":
            found.add("nat")
        return sorted(found - {"nothing"}) or ["nothing"]

    def _exit(self, subnet: Subnet, ip: str) -> Exit:
        table = self._network.tables.get(subnet.id)
        routes = self._network.matching(table, ip) if table else []
        match routes[0].target if routes else None:
            case ViaUplink(gateway=gateway):
                only_out = gateway in self._network.egress_only
                return "egress-only-internet-gateway" if only_out else "internet-gateway"
            case ViaPort(port=key):
                port = self._network.ports.get(key)
                return "nat" if port and port.host in self._network.translators else "interface"
            case _:
                return "nothing"


def _name(row: Any) -> str | None:
    name = getattr(row, "name", None)
    return name if isinstance(name, str) else None
