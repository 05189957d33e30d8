"""Draws dual-stack clouds whose NAT gateways translate IPv6, and questions about such packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gureum.model.nat64 import PREFIX
from tests.agreement.draw import Draw
from tests.agreement.draw_ipv6 import DualDraw


class TranslatedDraw(DualDraw):
    """The cloud that :class:`DualDraw` makes of the same seed, and routes of NAT64 in it."""

    def _ways(self, vpc: str, tables: list[str], subnets: dict[str, str], hosts: list[str]) -> None:
        super()._ways(vpc, tables, subnets, hosts)
        gateways = [f"{vpc}n", *[f"{vpc}n6"] * 3]
        self._gateway64(vpc, gateways[-1])
        for table in tables:
            route = {"RouteTableId": f"${table}", "DestinationIpv6CidrBlock": PREFIX}
            if self._likely(0.9):
                self._call("CreateRoute", **route, NatGatewayId=f"${self.dice.choice(gateways)}")

    def _gateway64(self, vpc: str, name: str) -> None:
        """One more gateway, which has the internet before it as most have: in a subnet of its
        own."""
        made = next(call for call in self.calls if vpc in call.get("as", ()))
        cidr = f"{made['with']['CidrBlock'].rsplit('.', 2)[0]}.200.0/24"
        subnet, table = f"{name}s", f"{name}t"
        self._call("CreateSubnet", {subnet: "Subnet.SubnetId"}, VpcId=f"${vpc}", CidrBlock=cidr)
        self._call("CreateRouteTable", {table: "RouteTable.RouteTableId"}, VpcId=f"${vpc}")
        self._call("AssociateRouteTable", RouteTableId=f"${table}", SubnetId=f"${subnet}")
        way = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": f"${vpc}g"}
        self._call("CreateRoute", RouteTableId=f"${table}", **way)
        self._call("AllocateAddress", {f"{name}x": "AllocationId"})
        kept = {name: "NatGateway.NatGatewayId"}
        where = {"SubnetId": f"${subnet}", "AllocationId": f"${name}x"}
        self._call("CreateNatGateway", kept, **where)

    def questions(self, count: int) -> Iterator[dict[str, Any]]:
        """As :meth:`Draw.questions`, over IPv6 to addresses that stand for those of IPv4."""
        for question in Draw.questions(self, count):
            source = self.dice.choice(self._asking or ["mirror"])
            target = "$mirror" if self._likely(0.5) else question["target"]
            asked = {"source": source, "target": target, "ipv6": True, "embedded": True}
            yield question | asked
