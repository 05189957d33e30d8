"""Egress-only internet gateway: the way out for IPv6 by which nothing new comes in.

Sources: VPC User Guide, "Egress-only internet gateways"; EC2 API Reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Resource, View, ref
from gureum.program import Gateway, Uplink
from gureum.resources.shapes import tag_list
from gureum.resources.vpc import Vpc

MAX_PER_REGION = 5
"""Egress-only internet gateways per region (VPC quotas); a VPC has one at most."""


@dataclass(frozen=True, kw_only=True)
class EgressOnlyGateway(
    Resource,
    kind="egress-only-internet-gateway",
    prefix="eigw",
    not_found="InvalidGatewayID.NotFound",
    malformed="InvalidEgressOnlyInternetGatewayId.Malformed",
    noun="egress-only internet gateway",
    missing="The gateway ID '{id}' does not exist",
):
    """An egress-only internet gateway, from birth attached to its VPC, whose ``egress_gateway``
    says the same."""

    vpc: str = ref()


def create_egress_only_gateway(call: Call) -> Shape:
    """CreateEgressOnlyInternetGateway: one a VPC."""
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    full = sum(1 for _ in call.txn.all(EgressOnlyGateway)) >= MAX_PER_REGION
    if full or vpc.egress_gateway is not None:
        raise ApiError(
            "ResourceLimitExceeded",
            "The maximum number of egress-only internet gateways has been reached.",
        )
    row = call.created(EgressOnlyGateway(**call.common(EgressOnlyGateway), vpc=vpc.id))
    call.txn.put(replace(vpc, egress_gateway=row.id))
    return {
        "EgressOnlyInternetGateway": show(row, call.txn.view),
        "ClientToken": call.get("ClientToken", ""),
    }


def delete_egress_only_gateway(call: Call) -> Shape:
    """DeleteEgressOnlyInternetGateway: routes to it become blackholes."""
    row = call.txn.get(EgressOnlyGateway, call.params["EgressOnlyInternetGatewayId"])
    call.txn.put(replace(call.txn.get(Vpc, row.vpc), egress_gateway=None))
    call.txn.delete(row)
    return {"ReturnCode": True}


def show(row: EgressOnlyGateway, view: View) -> Shape:
    """The API's ``EgressOnlyInternetGateway`` structure."""
    return {
        "EgressOnlyInternetGatewayId": row.id,
        "Attachments": [{"VpcId": row.vpc, "State": "attached"}],
        "Tags": tag_list(row),
    }


def lower(row: EgressOnlyGateway, lowering: Lowering) -> None:
    """A gateway that begins nothing inwards, with an uplink from its router."""
    lowering.say(Gateway(row.id, egress_only=True))
    lowering.say(Uplink(router=row.vpc, gateway=row.id))


KIND = Kind(
    row=EgressOnlyGateway,
    actions={
        "CreateEgressOnlyInternetGateway": create_egress_only_gateway,
        "DeleteEgressOnlyInternetGateway": delete_egress_only_gateway,
    },
    listings=(
        Listing(
            action="DescribeEgressOnlyInternetGateways",
            result="EgressOnlyInternetGateways",
            show=show,
            ids="EgressOnlyInternetGatewayIds",
        ),
    ),
    lower=lower,
)
