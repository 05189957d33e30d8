"""An answer in the shapes of AWS's Reachability Analyzer.

Source: Reachability Analyzer guide; EC2 API Reference, ``PathComponent`` and ``Explanation``.  The
components of a way are those of the documented examples, in their order: ``igw, acl, sg, eni, i``
into an instance and the reverse out of one.  Frames, which AWS does not show, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gureum.explain.codes import Code
from gureum.explain.commands import alone
from gureum.explain.network import Network, contains
from gureum.explain.packet import TCP, UDP, Packet, protocol_name
from gureum.explain.steps import Step, Trace
from gureum.explain.verdict import Answer
from gureum.model import View
from gureum.program import Port
from gureum.resources.network_acl import Entry, NetworkAcl
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.route_table import RouteTable, blocks
from gureum.resources.route_table import show as show_table
from gureum.resources.security_group import SecurityGroupRule
from gureum.resources.subnet import Subnet, arn
from gureum.resources.transit_gateway import (
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    ways,
)
from gureum.resources.vpc_peering import VpcPeeringConnection

Shape = dict[str, Any]
Headers = Callable[[Packet], Shape]

_ROUTE = (
    "GatewayId", "EgressOnlyInternetGatewayId", "NatGatewayId", "NetworkInterfaceId", "InstanceId",
    "VpcPeeringConnectionId", "TransitGatewayId", "Origin", "State",
)  # fmt: skip
"""Members of the API's ``Route`` that a route of an analysis has too."""


class Projection:
    """Turns the steps of an answer into components and explanations."""

    def __init__(self, view: View, network: Network) -> None:
        self._view = view
        self._network = network

    def analysis(self, answer: Answer, start: Port | None) -> Shape:
        """The members of ``NetworkInsightsAnalysis`` that tell what was found; ``start`` is the
        port that sends, None where that is on the internet."""
        if answer.works:
            back = answer.back or Trace()
            end = self._port_of(answer.forth)
            return {
                "NetworkPathFound": True,
                "ForwardPathComponents": self._way(answer.forth, start, _headers(answer)),
                "ReturnPathComponents": self._way(back, end, _headers(answer, answers=True)),
            }
        found = [self.explanation(step, egress=step in answer.forth.steps) for step in
                 answer.failing() if step.code]  # fmt: skip
        return {"NetworkPathFound": False, "Explanations": found}

    def _port_of(self, trace: Trace) -> Port | None:
        last = trace.steps[-1] if trace.steps else None
        return self._network.ports.get(last.place) if last else None

    # --- components -----------------------------------------------------------------------------
    def _way(self, trace: Trace, start: Port | None, headers: Headers) -> list[Shape]:
        """The components on a way, numbered from 1."""
        found: list[Shape] = []
        if start is not None:
            found += [{"Component": self._named(start.host)}, self._interface(start.id)]
            found[0]["OutboundHeader"] = headers(trace.steps[0].packet) if trace.steps else {}
        for step in trace.steps:
            found += self._of(step, headers)
        return [{"SequenceNumber": number, **each} for number, each in enumerate(found, 1)]

    def _of(self, step: Step, headers: Headers) -> Iterator[Shape]:
        tell: Callable[[Step], Iterator[Shape]] | None = {
            "group": self._group,
            "acl": self._acl,
            "route": self._route,
            "peering": self._peering,
            "transit": self._attachment,
            "transit-route": self._transit,
            "forward": self._passing,
        }.get(step.kind)
        if tell is not None:
            yield from tell(step)
        elif step.kind in ("translate", "gateway"):
            before, after = headers(step.packet), headers(step.after)
            named = {"Component": self._named(step.place)}
            yield {**named, "InboundHeader": before, "OutboundHeader": after}
        elif step.kind == "deliver":
            yield from self._arrival(step, headers)

    def _group(self, step: Step) -> Iterator[Shape]:
        rule = self._view.find(SecurityGroupRule, step.by[0]) if step.by else None
        eni = self._view.find(NetworkInterface, step.place)
        group = rule.group if rule else eni.groups[0] if eni else step.place
        shape: Shape = {"Component": self._named(group)}
        if rule is not None:
            shape["SecurityGroupRule"] = group_rule(rule)
        yield shape

    def _acl(self, step: Step) -> Iterator[Shape]:
        key, entry = self._entry(step)
        yield {"Component": self._named(key), **({"AclRule": acl_rule(entry)} if entry else {})}

    def _route(self, step: Step) -> Iterator[Shape]:
        table = self._view.find(RouteTable, step.by[0]) if step.by else None
        if table is not None:
            route = {"RouteTableRoute": self._taken(step, table)}
            yield {"Component": self._named(table.id), **route, "Vpc": self._named(table.vpc)}

    def _peering(self, step: Step) -> Iterator[Shape]:
        ends = self._ends(step)
        yield {"Component": self._named(step.place), **ends}

    def _ends(self, step: Step) -> Shape:
        """The VPCs that a peering connection leads from and to, by the packet's addresses."""
        row = self._view.find(VpcPeeringConnection, step.place)
        if row is None:
            return {}
        link = self._network.peerings[step.place]
        cidrs = dict(zip(link.routers, link.cidrs, strict=True))
        vpcs = [side.vpc for side in row.sides]
        if any(contains(cidr, step.packet.source) for cidr in cidrs[vpcs[1]]):
            vpcs.reverse()
        return {"SourceVpc": self._named(vpcs[0]), "DestinationVpc": self._named(vpcs[1])}

    def _attachment(self, step: Step) -> Iterator[Shape]:
        link = self._network.attachments[step.place]
        named = {"Component": self._named(link.id), "Vpc": self._named(link.router)}
        yield named | {"TransitGateway": self._named(link.transit)}

    def _transit(self, step: Step) -> Iterator[Shape]:
        """The gateway, and the attachment by which the packet leaves it."""
        route = transit_route(self._view, step)
        shape = {"Component": self._named(step.place), "TransitGateway": self._named(step.place)}
        yield shape | {"TransitGatewayRouteTableRoute": route}
        link = self._network.attachments.get(route["AttachmentId"])
        vpc = {"Vpc": self._named(link.router)} if link else {}
        yield {"Component": self._named(route["AttachmentId"]), **vpc}

    def _passing(self, step: Step) -> Iterator[Shape]:
        yield self._interface(step.place)
        yield {"Component": self._named(self._network.ports[step.place].host)}

    def _arrival(self, step: Step, headers: Headers) -> Iterator[Shape]:
        port = self._network.ports.get(step.place)
        if port is not None:
            yield self._interface(port.id)
            yield {"Component": self._named(port.host), "InboundHeader": headers(step.packet)}

    def _interface(self, key: str) -> Shape:
        eni = self._view.find(NetworkInterface, key)
        if eni is None:
            return {"Component": self._named(key)}
        port = self._network.ports.get(key)
        return {
            "Component": self._named(key),
            **({"AttachedTo": self._named(port.host)} if port else {}),
            "Subnet": self._named(eni.subnet),
            "Vpc": self._named(eni.vpc),
        }

    # --- explanations ---------------------------------------------------------------------------
    def explanation(self, step: Step, *, egress: bool) -> Shape:
        """Why a step stops the packet."""
        inward = step.direction == "in" if step.direction else not egress
        shape: Shape = {
            "ExplanationCode": str(step.code),
            "Direction": "ingress" if inward else "egress",
            "Component": self._named(step.place),
        }
        tell = {
            "group": self._why_group,
            "acl": self._why_acl,
            "route": self._why_route,
            "gateway": self._why_gateway,
            "peering": self._why_peering,
            "transit": self._why_attachment,
            "transit-route": self._why_transit,
            "translate": self._why_gateway,
        }.get(step.kind)
        return shape | (tell(step) if tell else self._why(step))

    def _why_group(self, step: Step) -> Shape:
        eni = self._view.find(NetworkInterface, step.place)
        if eni is None:
            return {}
        shape: Shape = {
            "NetworkInterface": self._named(eni.id),
            "SecurityGroups": [self._named(group) for group in eni.groups],
            "Subnet": self._named(eni.subnet),
            "Vpc": self._named(eni.vpc),
        }
        fields = {each.field for each in step.tried}
        if len(fields) == 1 and (field := fields.pop()):
            shape["PacketField"] = field
        return shape | _service(step.packet)

    def _why_acl(self, step: Step) -> Shape:
        key, entry = self._entry(step)
        subnet = self._view.find(Subnet, step.place)
        return {
            "Component": self._named(key),
            "Acl": self._named(key),
            **({"AclRule": acl_rule(entry)} if entry else {}),
            "Subnet": self._named(step.place),
            **({"Vpc": self._named(subnet.vpc)} if subnet else {}),
        }

    def _why_route(self, step: Step) -> Shape:
        table = self._view.find(RouteTable, step.by[0]) if step.by else None
        if table is None:
            return {"Vpc": self._named(step.place), "Address": step.packet.target}
        shape: Shape = {
            "Component": self._named(table.id),
            "RouteTable": self._named(table.id),
            "Vpc": self._named(table.vpc),
            "Cidrs": [alone(step.packet.target)],
        }
        route = self._taken(step, table)
        return shape | ({"RouteTableRoute": route} if route else {})

    def _why_gateway(self, step: Step) -> Shape:
        if step.place.startswith("eigw-"):
            return {"Address": step.packet.target}
        kind = "NatGateway" if step.place.startswith("nat-") else "InternetGateway"
        return {kind: self._named(step.place), "Address": step.packet.target}

    def _why_peering(self, step: Step) -> Shape:
        named = {"VpcPeeringConnection": self._named(step.place)}
        return {**named, "Address": step.packet.target, **self._ends(step)}

    def _why_attachment(self, step: Step) -> Shape:
        link = self._network.attachments[step.place]
        return {
            "TransitGatewayAttachment": self._named(link.id),
            "TransitGateway": self._named(link.transit),
            "Vpc": self._named(link.router),
            "Address": step.packet.source,
        }

    def _why_transit(self, step: Step) -> Shape:
        shape: Shape = {
            "TransitGateway": self._named(step.place),
            "Cidrs": [alone(step.packet.target)],
        }
        if step.by[0] in {*self._network.attachments, *self._network.transit_peerings}:
            return shape | {"TransitGatewayAttachment": self._named(step.by[0])}
        shape["TransitGatewayRouteTable"] = self._named(step.by[0])
        route = transit_route(self._view, step)
        return shape | ({"TransitGatewayRouteTableRoute": route} if route else {})

    def _why(self, step: Step) -> Shape:
        """A component that is not what it should be, by the first id that is said to decide."""
        shape: Shape = {"Address": step.packet.target}
        row = self._view.rows.get(step.by[0]) if step.by else None
        if row is not None:
            shape["Component"] = self._named(row.id)
            shape["ComponentAccount"] = row.account
        if step.code is Code.BAD_STATE and row is not None:
            shape["State"] = str(getattr(row, "state", ""))
        return shape

    # --- parts ----------------------------------------------------------------------------------
    def _named(self, key: str) -> Shape:
        row = self._view.rows.get(key)
        shape: Shape = {"Id": key}
        if row is not None:
            shape["Arn"] = arn(row)
            if name := row.tag("Name"):
                shape["Name"] = name
        return shape

    def _entry(self, step: Step) -> tuple[str, Entry | None]:
        key, _, number = step.by[0].partition("/")
        row = self._view.find(NetworkAcl, key)
        egress = step.direction == "out"
        fits = (each for each in row.entries if each.egress == egress) if row else ()
        return key, next((each for each in fits if str(each.number) == number), None)

    def _taken(self, step: Step, table: RouteTable) -> Shape:
        """The route that a step takes, as ``AnalysisRouteTableRoute``."""
        cidr = step.said.partition(" -> ")[0]
        made = blocks(self._view, table).get(cidr)
        listed = made.prefix_list if made else None
        for route in show_table(table, self._view)["Routes"]:
            if (listed or cidr) in (
                route.get("DestinationCidrBlock"),
                route.get("DestinationIpv6CidrBlock"),
                route.get("DestinationPrefixListId"),
            ):
                kept = {name: route[name] for name in _ROUTE if name in route}
                through = {"DestinationPrefixListId": listed} if listed else {}
                return {"DestinationCidr": cidr, **through, **kept}
        return {}


def _headers(answer: Answer, *, answers: bool = False) -> Headers:
    """How the headers on a way are shown: as the sets of all for which the exchange works.  They
    differ in the client's port alone, of ``answers`` the target port: that which the client chose,
    or which a NAT gateway drew."""

    def header(packet: Packet) -> Shape:
        shape: Shape = {
            "Protocol": str(packet.protocol),
            "SourceAddresses": [alone(packet.source)],
            "DestinationAddresses": [alone(packet.target)],
        }
        for member, port, is_client in (
            ("SourcePortRanges", packet.source_port, not answers),
            ("DestinationPortRanges", packet.target_port, answers),
        ):
            if port is not None:
                sets = (answer.ports, answer.drawn) if is_client else ()
                fit = (each for each in sets if any(low <= port <= high for low, high in each))
                shape[member] = [
                    {"From": low, "To": high} for low, high in next(fit, ((port, port),))
                ]
        return shape

    return header


def transit_route(view: View, step: Step) -> Shape:
    """The route that a step through a transit gateway takes, as ``TransitGatewayRouteTableRoute``;
    empty where none leads on."""
    table = view.find(TransitGatewayRouteTable, step.by[0]) if step.by else None
    found = ways(view, table) if table else {}
    way = found.get(step.said.partition(" -> ")[0])
    if way is None:
        return {}
    shape: Shape = {
        "DestinationCidr": way.destination,
        "RouteOrigin": way.source,
        "State": "active" if way.active else "blackhole",
    }
    row = view.find(TransitGatewayAttachment, way.attachment) if way.attachment else None
    if row is not None:
        shape |= {"AttachmentId": row.id, **row.seen_from(table.gateway if table else "")}
    return shape | ({"PrefixListId": way.prefix_list} if way.prefix_list else {})


def group_rule(rule: SecurityGroupRule) -> Shape:
    """A rule as ``AnalysisSecurityGroupRule``."""
    item = rule.permission
    name = "all" if item.protocol is None else protocol_name(item.protocol)
    shape: Shape = {"Direction": "egress" if rule.egress else "ingress", "Protocol": name}
    if item.cidr or item.cidr6:
        shape["Cidr"] = item.peer
    if item.named_group:
        shape["SecurityGroupId"] = item.named_group
    if item.prefix_list:
        shape["PrefixListId"] = item.prefix_list
    if item.protocol in (TCP, UDP) and item.first is not None and item.last is not None:
        shape["PortRange"] = {"From": item.first, "To": item.last}
    return shape


def acl_rule(entry: Entry) -> Shape:
    """An entry as ``AnalysisAclRule``."""
    name = "all" if entry.protocol is None else protocol_name(entry.protocol)
    shape: Shape = {
        "Egress": entry.egress,
        "Protocol": name,
        "RuleAction": "allow" if entry.allow else "deny",
        "RuleNumber": entry.number,
    }
    if cidr := entry.cidr or entry.cidr6:
        shape["Cidr"] = cidr
    if entry.ports:
        shape["PortRange"] = {"From": entry.ports[0], "To": entry.ports[1]}
    return shape


def _service(packet: Packet) -> Shape:
    shape: Shape = {"Protocols": [protocol_name(packet.protocol)]}
    if packet.target_port is not None:
        shape["Port"] = packet.target_port
    return shape


def ids(analysis: Shape) -> set[str]:
    """The ids of all components on a way, forth and back."""
    ways = ("ForwardPathComponents", "ReturnPathComponents")
    return {each["Component"]["Id"] for way in ways for each in analysis.get(way, ())}
