"""Walks one packet over a network, as the data plane carries it (docs/dataplane.md).

What blocks it is noted and the walk goes on as if it had passed, so that every block is found; it
ends where there is no way on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gureum.explain.codes import Code
from gureum.explain.filtering import FilterWalk
from gureum.explain.flows import Flows
from gureum.explain.network import Network, contains, length, on_link
from gureum.explain.packet import ICMP, TCP, UDP, Packet, as_ipv4, nat_ports
from gureum.explain.steps import Tried
from gureum.explain.transit import Spot, crossing
from gureum.explain.ways import beyond, route_line
from gureum.model.internet import PUBLIC, PUBLIC6
from gureum.model.nat64 import PREFIX as NAT64
from gureum.model.nat64 import embedded
from gureum.program import (
    Beyond,
    Blackhole,
    GlobalPrefix,
    Guard,
    Local,
    Port,
    Route,
    Segment,
    Table,
    ViaPeering,
    ViaPort,
    ViaTransit,
    ViaUplink,
)

RFC1918 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
RFC6598 = "100.64.0.0/10"
ROUTER6 = "fe80::1"
"""What hosts call their router by in IPv6."""
MAX_HOPS = 32
"""Hops after which a packet counts as lost in a loop; a real one has a TTL of 64."""

_SILENT = "the router, which answers nothing"


class Walk(FilterWalk):
    """One packet on its way; :attr:`trace` is the result.  ``answers`` says that it is the answer
    to a packet that went before."""

    def __init__(
        self, network: Network, packet: Packet, flows: Flows, *, answers: bool = False
    ) -> None:
        super().__init__(network, packet, flows, answers=answers)
        self._hops = 0
        self._been_out = False

    # --- beginnings ----------------------------------------------------------------------------
    def from_port(self, port: Port) -> None:
        """A host sends the packet out of one of its ports."""
        self._from_station = True
        if self._circles(port.segment.router):
            return
        if self.network.port_with(port.host, self.packet.target) and not self._forwarded(port):
            self._arrive(port.host, port.id, f"{self.packet.target} is its own address: no link")
            return
        guard = self.network.guards.get(port.id)
        self._check_source(port, guard)
        segment = port.segment
        if services := self.network.services.get((segment.router, self.packet.target)):
            self._serve(port, guard, services)
        elif on_link(segment, self.packet.target) and not self._hands_back(port):
            self._within(port, guard, segment)
        else:
            router = ROUTER6 if self._v6 else segment.gateway
            gateway = f"the router {router} is at {segment.mac}"
            self._tell("arp", port.id, f"next hop: {gateway}", frame=(port.mac, segment.mac))
            self._group(port, guard, "out")
            self._into_router(Spot(segment, self.network.tables.get(segment.id)))

    def _hands_back(self, port: Port) -> bool:
        """Whether a NAT gateway sends the packet, which has no IPv6 neighbours but the router."""
        return self._v6 and port.host in self.network.nat64

    def from_internet(self) -> None:
        """The packet is on the internet."""
        target = self.packet.target
        if self._v6:
            self._on_internet6(target)
        elif host := self.network.internet.get(target):
            self._arrive(host.name, host.name, f"{host.name} has {target}")
        elif any(contains(cidr, target) for cidr in (*RFC1918, RFC6598)):
            said = f"{target} is a private address: the internet has no way to it"
            self._end("internet", "internet", said, Code.IGW_EXPECTS_PUBLIC_ADDRESS)
        elif not contains(PUBLIC, target):
            said = f"{target} is an address that this internet does not have"
            self._end("internet", "internet", said, Code.NO_POSSIBLE_DESTINATION)
        elif target in self.network.public:
            self._into_gateway()
        else:
            said = f"the public address {target} belongs to nobody that is up"
            code = Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS
            self._end("internet", "internet", said, code)

    def _forwarded(self, port: Port) -> bool:
        """Whether the host passes the packet on for somebody else, as NAT gateways do."""
        return port.host in self.network.translators

    # --- in a subnet ---------------------------------------------------------------------------
    def _check_source(self, port: Port, guard: Guard | None) -> None:
        source = self.packet.source
        if guard is None or guard.forwarding or guard.owns(source):
            return
        said = f"{port.id} may send from {', '.join(guard.addresses)} only, not from {source}"
        self._tell("source-check", port.id, said, code=Code.ENI_ADDRESS_RESTRICTION)

    def _within(self, port: Port, guard: Guard | None, segment: Segment) -> None:
        """From a port to a neighbour of the same segment: switched, no route and no ACL."""
        target = self.network.station(segment.id, self.packet.target)
        if target is None:
            router = self.network.is_routers(segment.router, self.packet.target)
            said = _SILENT if router else "nobody that is up"
            said = f"{self.packet.target} belongs to {said}"
            self._end("switch", segment.id, said, Code.NO_POSSIBLE_DESTINATION)
            return
        said = f"within the subnet, to {target.id} at {target.mac}"
        self._tell("switch", segment.id, said, frame=(port.mac, target.mac))
        self._group(port, guard, "out")
        self._to_port(target, from_segment=segment, routed=False)

    # --- in a router ---------------------------------------------------------------------------
    def _into_router(self, spot: Spot) -> None:
        """Its own addresses come before all route tables."""
        router = spot.segment.router
        if self.network.is_routers(router, self.packet.target):
            said = f"{self.packet.target} belongs to {_SILENT}"
            self._end("route", router, said, Code.NO_POSSIBLE_DESTINATION)
        else:
            self._routed(spot)

    def _circles(self, router: str) -> bool:
        """Whether the packet has gone on so often that it comes to no end."""
        self._hops += 1
        if self._hops > MAX_HOPS:
            self._end("route", router, "the packet goes round in circles", None)
        return self._hops > MAX_HOPS

    def _routed(self, spot: Spot) -> None:
        """From a segment into its router, by the segment's route table."""
        segment, table = spot.segment, spot.table
        routes = self.network.matching(table, self.packet.target) if table else []
        if not self._turns(spot, routes):
            self._acl(segment, "out")
        lost = tuple(self._lost(table, routes)) if table else ()
        if table is None or not routes:
            said = f"no route leads to {self.packet.target}"
            by = (table.id,) if table else ()
            code = Code.NO_ROUTE_TO_DESTINATION
            self._end("route", segment.router, said, code, by=by, tried=lost)
            return
        best = routes[0]
        said = route_line(best)
        told: dict[str, Any] = {"by": (table.id,), "tried": lost}
        match best.target:
            case Local():
                self._tell("route", segment.router, said, **told)
                self._connected(segment.router, segment)
            case ViaPort(port=key):
                self._tell("route", segment.router, said, **told)
                port = self.network.ports.get(key)
                if port is None:
                    self._end("route", segment.router, f"{key} is gone", Code.BAD_STATE_ROUTE)
                else:
                    self._to_port(port, from_segment=segment)
            case ViaUplink(gateway=gateway):
                self._tell("route", segment.router, said, **told)
                self._out_of_gateway(gateway)
            case ViaPeering() | ViaTransit() as link:
                self._tell("route", segment.router, said, **told)
                self._linked(link, spot)
            case Beyond(gateway=gateway):
                said = f"{said}: {beyond(gateway)}"
                told["by"] = (table.id, gateway)
                self._end("route", segment.router, said, Code.NO_POSSIBLE_DESTINATION, **told)
            case Blackhole(target=gone):
                told["by"] = (table.id, gone)
                self._end("route", segment.router, said, Code.BAD_STATE_ROUTE, **told)

    def _turns(self, spot: Spot, routes: list[Route]) -> bool:
        """Whether the route leads back into the segment itself, which the packet does not leave
        then, as its ACL sees it."""
        target = routes[0].target if routes else None
        if isinstance(target, Local):
            there = self.network.segment_at(spot.segment.router, self.packet.target)
            return there is not None and there.id == spot.segment.id
        port = self.network.ports.get(target.port) if isinstance(target, ViaPort) else None
        return port is not None and port.segment.id == spot.segment.id

    def _lost(self, table: Table, matching: list[Route]) -> Iterator[Tried]:
        """The routes of a table that are not taken, and why: those that match first."""
        winner = matching[0] if matching else None
        for each in matching[1:]:
            said = f"{route_line(each)}: {winner.destination if winner else ''} is longer"
            yield Tried(table.id, said, code=Code.MORE_SPECIFIC_ROUTE)
        others = (route for route in self.network.routes[table.id] if route not in matching)
        for each in sorted(others, key=lambda route: (-length(route.destination), str(route))):
            local = isinstance(each.target, Local)
            code = Code.VPC_LOCAL_ROUTE_CIDR_RESTRICTION if local else Code.CANNOT_ROUTE
            said = f"{route_line(each)}: {self.packet.target} is outside"
            yield Tried(table.id, said, field="destination-address", code=code)

    def _connected(self, router: str, from_segment: Segment | None = None) -> None:
        """To whoever has the address in one of the router's segments."""
        target = self.packet.target
        segment = self.network.segment_at(router, target)
        port = self.network.station(segment.id, target) if segment else None
        if segment is None or port is None:
            where = f"in {segment.id}" if segment else "in any subnet"
            said = f"nobody that is up has {target} {where}"
            self._end("route", router, said, Code.NO_POSSIBLE_DESTINATION)
            return
        self._to_port(port, from_segment)

    def _to_port(self, port: Port, from_segment: Segment | None, *, routed: bool = True) -> None:
        """Out of the router into a segment, or on in it, to one of its ports."""
        if from_segment is None or from_segment.id != port.segment.id:
            self._acl(port.segment, "in")
        if routed:
            frame = (port.segment.mac, port.mac)
            self._tell("arp", port.segment.id, self._neighbour(port), frame=frame)
        if self._v6 and not port.segment.cidr6 and port.host not in self.network.nat64:
            said = f"{port.id} takes no IPv6: {port.segment.id} has no block of it"
            self._end("dest-check", port.id, said, Code.NO_POSSIBLE_DESTINATION)
            return
        guard = self.network.guards.get(port.id)
        self._group(port, guard, "in")
        if guard is None or guard.owns(self.packet.target):
            self._deliver(port)
        elif not guard.forwarding:
            said = f"{port.id} takes packets to {', '.join(guard.addresses)} only"
            self._end("dest-check", port.id, said, Code.ENI_SOURCE_DEST_CHECK_RESTRICTION)
        elif port.host in self.network.translators:
            self._translate(port)
        elif (port.host, 6 if self._v6 else 4) in self.network.forwarders:
            self._forward(port)
        else:
            self._arrive(port.host, port.id, f"{port.host} gets it, and does not pass it on")

    def _neighbour(self, port: Port) -> str:
        """How the router finds the port: as a neighbour with the target's address, or as the hop of
        a route."""
        own = self.network.station(port.segment.id, self.packet.target) == port
        whose = self.packet.target if own else "the next hop"
        return f"{whose} is at {port.mac}, which is {port.id}"

    # --- hosts ---------------------------------------------------------------------------------
    def _deliver(self, port: Port) -> None:
        if port.host not in self.network.translators:
            self._arrive(port.host, port.id, f"{port.host} has {self.packet.target}")
            return
        known = self.flows.translated.get((port.host, self.packet.reply().flow))
        if known is None:
            said = f"{port.host} passes answers on, and nothing else in"
            self._end("translate", port.host, said, Code.NO_POSSIBLE_DESTINATION)
            return
        said = f"an answer: target becomes {known.source}"
        self._tell("translate", port.host, said, after=known.reply())
        self.from_port(port)

    def _forward(self, port: Port) -> None:
        """An instance passes the packet on, out of the interface that its routes say."""
        out = self.network.egress(port.host, self.packet.target)
        said = f"{port.host} passes it on, out of {out.id if out else 'nothing'}"
        self._tell("forward", port.id, said)
        if out is not None:
            self.from_port(out)

    def _translate(self, port: Port) -> None:
        """A NAT gateway hides the sender behind its own address, one of IPv4."""
        sent = self._embedded(port) if self._v6 else self.packet
        if sent is None:
            return
        if sent.protocol not in (ICMP, TCP, UDP):
            said = f"{port.host} translates TCP, UDP and ICMP only"
            self._tell("translate", port.host, said, code=Code.PROTOCOL_RESTRICTION)
        elif not self.packet.begins or (self.answers and self.packet.protocol == TCP):
            # The answer to a connection that did not come this way belongs to no flow.
            said = f"{port.host} does not know the flow that this packet answers"
            self._tell("translate", port.host, said, code=Code.NO_POSSIBLE_DESTINATION)
        translator = self.network.translators[port.host]
        own = translator.address_for(sent.protocol, sent.source_port)
        client = self.flows.translated_port(self.packet.source_port)
        before, after = self.packet, replace(sent, source=own, source_port=client)
        self.flows.translated[port.host, after.flow] = before
        said = f"source {before.source} becomes {own}"
        if after.target != before.target:
            said += f", and target {before.target} {after.target}: IPv4 from here on (NAT64)"
        if after.source_port != before.source_port:
            said += f", and its port one of {nat_ports.start} to {nat_ports.stop - 1}"
        code = Code.NGW_SOURCE_ADDRESS_REASSIGN
        self._tell("translate", port.host, said, after=after, code=code, passed=True)
        self.from_port(port)

    def _embedded(self, port: Port) -> Packet | None:
        """The packet as one of IPv4, where NAT64 makes one of it."""
        host, target = port.host, embedded(self.packet.target)
        made = as_ipv4(self.packet) if host in self.network.nat64 else None
        if made is not None and not self.network.port_with(host, made.target):
            return made
        said = f"{host} translates no such packet to {target}"
        if target is None:
            said = f"{host} translates IPv6 to {NAT64}, and no other"
        elif made is not None:
            said = f"{target} is an address of {host} itself, which answers nothing"
        self._end("translate", host, said, Code.NO_POSSIBLE_DESTINATION)
        return None

    # --- peerings ------------------------------------------------------------------------------
    def _linked(self, link: ViaPeering | ViaTransit, spot: Spot) -> None:
        if isinstance(link, ViaTransit):
            self._through(link.attachment, spot)
        else:
            self._over(link.peering, spot.segment.router, link.router)

    def _over(self, peering: str, near: str, far: str) -> None:
        """By a peering, which carries packets from the one's addresses to the other's only."""
        link = self.network.peerings[peering]
        cidrs = dict(zip(link.routers, link.cidrs, strict=True))
        for what, ip, router in (
            ("from", self.packet.source, near),
            ("to", self.packet.target, far),
        ):
            if not any(contains(cidr, ip) for cidr in cidrs[router]):
                said = f"carries packets {what} addresses of {router} only, and {ip} is none"
                code = Code.PCX_REQUIRES_ADDRESS_IN_VPC_CIDR
                self._end("peering", peering, said, code, by=(peering,))
                return
        self._tell("peering", peering, f"over to {far}", by=(peering,))
        self._connected(far)

    def _through(self, attachment: str, spot: Spot) -> None:
        """By a transit gateway, to whatever router its own table says, and by the table there."""
        if self._circles(spot.segment.router):
            return
        way = crossing(self.network, attachment, spot, self.packet, self.flows)
        self._tell(way.begun.kind, way.begun.place, way.begun.said, **way.begun.more)
        if way.entered is not None:
            self._acl(way.entered.segment, "in")
        for each in way.told:
            self._tell(each.kind, each.place, each.said, **each.more)
        if way.landed is None:
            self.trace.packet = self.packet
        else:
            self._into_router(Spot(way.landed.segment, way.landed.table, way.landed))

    # --- gateways ------------------------------------------------------------------------------
    def _out_of_gateway(self, gateway: str) -> None:
        target = self.packet.target
        if self._v6:
            self._out_of_gateway6(gateway)
            return
        pair = self.network.private.get((gateway, self.packet.source))
        if any(contains(cidr, target) for cidr in RFC1918):
            code = Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS
            self._end("gateway", gateway, f"private targets such as {target} end here", code)
        elif contains(RFC6598, target):
            code = Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS
            self._end("gateway", gateway, f"shared targets such as {target} end here", code)
        elif pair is None and not self._owned(gateway):
            code = Code.GATEWAY_REJECTS_SPOOFED_TRAFFIC
            said = f"{self.packet.source} is no address of {self.network.uplinks[gateway]}"
            self._end("gateway", gateway, said, code)
        elif pair is None:
            code = Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS
            self._end("gateway", gateway, f"{self.packet.source} has no public address", code)
        else:
            after = replace(self.packet, source=pair.public)
            said = f"source {pair.private} becomes {pair.public}"
            self._tell("translate", gateway, said, after=after)
            self._been_out = True
            self.from_internet()

    def _owned(self, gateway: str) -> bool:
        """Whether the packet's source is an address of the gateway's VPC."""
        ranges = self.network.ranges[self.network.uplinks[gateway]]
        return any(contains(cidr, self.packet.source) for cidr in ranges)

    def _into_gateway(self) -> None:
        pair, source = self.network.public[self.packet.target], self.packet.source
        for cidrs, code in (
            (RFC1918, Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS),
            ((RFC6598,), Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS),
        ):
            if any(contains(cidr, source) for cidr in cidrs):
                said = f"nobody on the internet has {source}: it is forged"
                self._end("gateway", pair.gateway, said, code)
                return
        after = replace(self.packet, target=pair.private)
        said = f"target {pair.public} becomes {pair.private}"
        # AWS's analyser gives up where a gateway is in the middle of a way; the packet does not.
        reflected = Code.IGW_NAT_REFLECTION if self._been_out else None
        self._tell("translate", pair.gateway, said, after=after, code=reflected, passed=True)
        self._connected(pair.router)

    # --- gateways, IPv6: nothing is translated --------------------------------------------------
    @property
    def _v6(self) -> bool:
        return ":" in self.packet.target

    def _out_of_gateway6(self, gateway: str) -> None:
        source = self.packet.source
        only_out = gateway in self.network.egress_only
        if not self.network.is_assigned(gateway, source):
            said = f"{source} is assigned to no interface of {self.network.uplinks[gateway]}"
            self._end("gateway", gateway, said, Code.GATEWAY_REJECTS_SPOOFED_TRAFFIC)
            return
        if only_out and (not self.packet.begins or (self.answers and self.packet.protocol == TCP)):
            said = f"{gateway} does not know the flow that this packet answers"
            self._tell("gateway", gateway, said, code=Code.NO_POSSIBLE_DESTINATION)
        else:
            self._tell("gateway", gateway, f"{source} passes as it is")
        if only_out:
            self.flows.begun.add((gateway, self.packet.flow))
        self.from_internet()

    def _on_internet6(self, target: str) -> None:
        way_in = self.network.way_in(target)
        if host := self.network.internet.get(target):
            self._arrive(host.name, host.name, f"{host.name} has {target}")
        elif not contains(PUBLIC6, target):
            said = f"{target} is an address that this internet does not have"
            self._end("internet", "internet", said, Code.NO_POSSIBLE_DESTINATION)
        elif way_in is None:
            said = f"no gateway leads to {target}"
            code = Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS
            self._end("internet", "internet", said, code)
        else:
            self._into_gateway6(way_in)

    def _into_gateway6(self, way_in: GlobalPrefix) -> None:
        gateway, target = way_in.gateway, self.packet.target
        if not self.network.is_assigned(gateway, target):
            said = f"{target} belongs to nobody that is up"
            code = Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS
            self._end("gateway", gateway, said, code)
            return
        known = (gateway, self.packet.reply().flow) in self.flows.begun
        if gateway not in self.network.egress_only:
            self._tell("gateway", gateway, f"{target} passes as it is")
        elif known:
            self._tell("gateway", gateway, "an answer to what was begun from inside")
        else:
            said = f"{gateway} lets in answers, and nothing that begins outside"
            self._tell("gateway", gateway, said, code=Code.NO_POSSIBLE_DESTINATION)
        self._connected(way_in.segment.router)
