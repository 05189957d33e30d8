"""VPN concentrators: many small sites on one attachment of a transit gateway; a record.

Sources: Site-to-Site VPN Guide, "VPN Concentrator"; EC2 API Reference, CreateVpnConcentrator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Shape, becomes
from gureum.model import Resource, View, ref
from gureum.resources.shapes import tag_list
from gureum.resources.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    attachments_of,
    usable,
)

MAX_CONCENTRATORS = 5
"""VPN concentrators per region (Site-to-Site VPN quotas)."""
CONCENTRATOR = "vpn-concentrator"


@dataclass(frozen=True, kw_only=True)
class VpnConcentrator(
    Resource,
    kind=CONCENTRATOR,
    prefix="vpn-concentrator",
    not_found="InvalidVpnConcentratorID.NotFound",
    malformed="InvalidVpnConcentratorID.Malformed",
    noun="VPN concentrator",
):
    """A concentrator, on a transit gateway or on none; its attachment names it."""

    gateway: str | None = ref("weak", default=None)
    state: Literal["pending", "available"] = "pending"


def create(call: Call) -> Shape:
    """CreateVpnConcentrator: with an attachment where it is for a transit gateway."""
    if sum(1 for _ in call.txn.all(VpnConcentrator)) >= MAX_CONCENTRATORS:
        raise ApiError(
            "VpnConnectionLimitExceeded",
            "The maximum number of VPN concentrators has been reached.",
        )
    key = call.get("TransitGatewayId")
    gateway = usable(call, TransitGateway, key) if key else None
    row = call.created(
        VpnConcentrator(**call.common(VpnConcentrator), gateway=gateway.id if gateway else None)
    )
    if gateway is not None:
        common = {**call.common(TransitGatewayAttachment), "tags": ()}
        call.created(
            TransitGatewayAttachment(
                **common,
                gateway=gateway.id,
                vpc="",
                type=CONCENTRATOR,
                other=row.id,
                feet=(),
                state="pending",
            )
        )
    return {"VpnConcentrator": show(row, call.txn.view)}


def delete(call: Call) -> Shape:
    """DeleteVpnConcentrator: its attachment goes with it."""
    row = call.txn.get(VpnConcentrator, call.params["VpnConcentratorId"])
    for each in attachments_of(call.txn.view, row.id):
        call.txn.put(replace(each, state="deleting"))
    call.txn.delete(row)
    return {"Return": True}


def show(row: VpnConcentrator, view: View) -> Shape:
    """The API's ``VpnConcentrator`` structure."""
    shape: Shape = {
        "VpnConcentratorId": row.id,
        "State": row.state,
        "Type": "ipsec.1",
        "Tags": tag_list(row),
    }
    if row.gateway:
        shape["TransitGatewayId"] = row.gateway
    for each in attachments_of(view, row.id):
        shape["TransitGatewayAttachmentId"] = each.id
    return shape


KIND = Kind(
    row=VpnConcentrator,
    actions={"CreateVpnConcentrator": create, "DeleteVpnConcentrator": delete},
    listings=(
        Listing(
            action="DescribeVpnConcentrators",
            result="VpnConcentrators",
            show=show,
            ids="VpnConcentratorIds",
        ),
    ),
    settled=becomes("pending", "available"),
)
