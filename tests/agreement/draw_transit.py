"""Draws clouds whose VPCs a transit gateway joins."""

from __future__ import annotations

from typing import Any

from tests.agreement.draw import ANY, Draw

_ID = "TransitGatewayVpcAttachment.TransitGatewayAttachmentId"
_TABLE = "TransitGateway.Options.AssociationDefaultRouteTableId"


class TransitDraw(Draw):
    """The cloud that :class:`Draw` makes, with a transit gateway in the place of the peering."""

    def _joined(self, cidrs: list[str]) -> dict[str, str]:
        """A gateway with both VPCs, of which it may lack a zone, a table or a route."""
        self._call("CreateTransitGateway", {"tgw": "TransitGateway.TransitGatewayId", "tr": _TABLE})
        self.calls.append({"settle": True})
        for vpc in ("v0", "v1"):
            foot = {"VpcId": f"${vpc}", "SubnetIds": [f"${vpc}s0"]}
            self._call(
                "CreateTransitGatewayVpcAttachment",
                {f"{vpc}a": _ID},
                TransitGatewayId="$tgw",
                **foot,
            )
        self.calls.append({"settle": True})
        for vpc in ("v0", "v1"):
            for subnet in ("s1", "s2"):  # refused where the zone has one
                if self._likely(0.75):
                    more = {"AddSubnetIds": [f"${vpc}{subnet}"]}
                    attachment = {"TransitGatewayAttachmentId": f"${vpc}a"}
                    self._call("ModifyTransitGatewayVpcAttachment", **attachment, **more)
                    self.calls.append({"settle": True})
            self._change(vpc, cidrs[int(vpc[1])])
        if self._likely(0.6):
            self._egress(*self.dice.sample(("v0", "v1"), 2))
        return {"TransitGatewayId": "$tgw"}

    def _call(self, do: str, kept: dict[str, str] | None = None, /, **params: Any) -> None:
        if do == "CreateSubnet":
            params["AvailabilityZone"] = self.dice.choice(("ap-northeast-2a", "ap-northeast-2c"))
        super()._call(do, kept, **params)

    def _egress(self, spoke: str, hub: str) -> None:
        """What a VPC sends out goes to the other one's attachment, and on by the table there."""
        pair = {"TransitGatewayRouteTableId": "$tr", "TransitGatewayAttachmentId": f"${hub}a"}
        self._call("CreateTransitGatewayRoute", **pair, DestinationCidrBlock=ANY)
        for table in self.tables:
            if table.startswith(spoke) and self._likely(0.7):
                way = {"RouteTableId": f"${table}", "DestinationCidrBlock": ANY}
                self._call("CreateRoute", **way, TransitGatewayId="$tgw")
                self._call("ReplaceRoute", **way, TransitGatewayId="$tgw")

    def _change(self, vpc: str, cidr: str) -> None:
        """What the gateway's table knows of a VPC, or that the VPC does not ask that table."""
        table = {"TransitGatewayRouteTableId": "$tr"}
        pair = {**table, "TransitGatewayAttachmentId": f"${vpc}a"}
        begin = cidr.rsplit(".", 2)[0]
        if self._likely(0.08):
            self._call("DisassociateTransitGatewayRouteTable", **pair)
        if self._likely(0.12):
            self._call("DisableTransitGatewayRouteTablePropagation", **pair)
        if self._likely(0.2):
            black = {"DestinationCidrBlock": f"{begin}.1.0/24", "Blackhole": True}
            self._call("CreateTransitGatewayRoute", **table, **black)
        if self._likely(0.2):
            to = self.dice.choice((f"{begin}.0.0/24", "0.0.0.0/0", "10.0.0.0/8"))
            self._call("CreateTransitGatewayRoute", **pair, DestinationCidrBlock=to)
