"""Carrier gateway: the way from a VPC's Wavelength zones into the network of a phone company.

There is no Wavelength zone here: a gateway is a record that routes may lead to, and packets end
there.

Sources: Wavelength Developer Guide, "Carrier gateways"; EC2 API Reference, CreateCarrierGateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Shape, becomes
from gureum.model import Resource, View, ref
from gureum.resources.shapes import tag_list
from gureum.resources.vpc import Vpc


@dataclass(frozen=True, kw_only=True)
class CarrierGateway(
    Resource,
    kind="carrier-gateway",
    prefix="cagw",
    not_found="InvalidCarrierGatewayID.NotFound",
    malformed="InvalidCarrierGatewayID.Malformed",
    noun="carrier gateway",
):
    """The carrier gateway of a VPC, which has one at most."""

    vpc: str = ref()
    state: Literal["pending", "available"] = "pending"


def create_carrier_gateway(call: Call) -> Shape:
    """CreateCarrierGateway.

    Raises:
        ApiError: ``InvalidVpcID.NotFound``, ``Resource.AlreadyAssociated`` where there is one.
    """
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    if any(True for _ in call.txn.referrers(vpc.id, CarrierGateway)):
        raise ApiError(
            "Resource.AlreadyAssociated", f"Network {vpc.id} already has a carrier gateway."
        )
    row = call.created(CarrierGateway(**call.common(CarrierGateway), vpc=vpc.id))
    return {"CarrierGateway": show(row, call.txn.view)}


def delete_carrier_gateway(call: Call) -> Shape:
    """DeleteCarrierGateway: routes to it become blackholes."""
    row = call.txn.get(CarrierGateway, call.params["CarrierGatewayId"])
    call.txn.delete(row)
    return {"CarrierGateway": show(row, call.txn.view) | {"State": "deleting"}}


def show(row: CarrierGateway, view: View) -> Shape:
    """The API's ``CarrierGateway`` structure."""
    return {
        "CarrierGatewayId": row.id,
        "VpcId": row.vpc,
        "State": row.state,
        "OwnerId": row.account,
        "Tags": tag_list(row),
    }


KIND = Kind(
    row=CarrierGateway,
    actions={
        "CreateCarrierGateway": create_carrier_gateway,
        "DeleteCarrierGateway": delete_carrier_gateway,
    },
    listings=(
        Listing(
            action="DescribeCarrierGateways",
            result="CarrierGateways",
            show=show,
            ids="CarrierGatewayIds",
        ),
    ),
    settled=becomes("pending", "available"),
)
