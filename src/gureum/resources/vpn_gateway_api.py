"""The API's actions on virtual private gateways, and the propagation of their routes.

Sources: EC2 API Reference, CreateVpnGateway, AttachVpnGateway, EnableVgwRoutePropagation;
Site-to-Site VPN Guide, "Enable route propagation in your route table".
"""

from __future__ import annotations

from dataclasses import replace

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Txn, View
from gureum.model.txn import not_found
from gureum.resources.region import zones
from gureum.resources.route_table import RouteTable
from gureum.resources.shapes import tag_list
from gureum.resources.vpc import Vpc
from gureum.resources.vpn_connection import live
from gureum.resources.vpn_gateway import DEFAULT_ASN, VpnGateway, attached, is_over

MAX_GATEWAYS = 5
"""Virtual private gateways per region (Site-to-Site VPN quotas)."""


# --- gateways -----------------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreateVpnGateway: attached to nothing yet."""
    asn = int(call.get("AmazonSideAsn", DEFAULT_ASN))
    if not (64512 <= asn <= 65534 or 4200000000 <= asn <= 4294967294):
        raise ApiError(
            "InvalidParameterValue", f"Value ({asn}) for parameter amazonSideAsn is invalid."
        )
    zone = call.get("AvailabilityZone") or None
    if zone is not None and zone not in zones(call.region):
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({zone}) for parameter availabilityZone is invalid.",
        )
    if sum(1 for row in call.txn.all(VpnGateway) if row.ended is None) >= MAX_GATEWAYS:
        raise ApiError(
            "VpnGatewayLimitExceeded",
            "The maximum number of virtual private gateways has been reached.",
        )
    row = call.created(VpnGateway(**call.common(VpnGateway), asn=asn, zone=zone))
    return {"VpnGateway": show(row, call.txn.view)}


def delete(call: Call) -> Shape:
    """DeleteVpnGateway: neither attached nor used; routes to it stay, as blackholes."""
    row = there(call, call.params["VpnGatewayId"])
    if row.vpc is not None:
        raise ApiError("IncorrectState", f"The virtual private gateway '{row.id}' is attached.")
    if any(live(call.txn.view, row.id)):
        raise ApiError("IncorrectState", f"The virtual private gateway '{row.id}' is in use.")
    call.txn.put(replace(row, ended=call.now))
    return {}


def there(call: Call, key: str) -> VpnGateway:
    """The gateway, unless it was deleted.

    Raises:
        ApiError: ``InvalidVpnGatewayID.NotFound``.
    """
    row = call.txn.get(VpnGateway, key)
    if row.ended is not None:
        raise not_found(VpnGateway, key)
    return row


def attach(call: Call) -> Shape:
    """AttachVpnGateway: one gateway has one VPC, and one VPC one gateway."""
    row, vpc = there(call, call.params["VpnGatewayId"]), call.txn.get(Vpc, call.params["VpcId"])
    if row.vpc not in (None, vpc.id):
        raise ApiError(
            "VpnGatewayAttachmentLimitExceeded",
            f"The virtual private gateway '{row.id}' is already attached to {row.vpc}.",
        )
    other = attached(call.txn.view, vpc.id)
    if other is not None and other.id != row.id:
        raise ApiError(
            "InvalidVpcState",
            f"The VPC '{vpc.id}' already has a virtual private gateway attached.",
        )
    call.txn.put(replace(row, vpc=vpc.id))
    return {"VpcAttachment": {"VpcId": vpc.id, "State": "attaching"}}


def detach(call: Call) -> Shape:
    """DetachVpnGateway: it propagates no more, and routes to it are blackholes."""
    row, vpc = there(call, call.params["VpnGatewayId"]), call.txn.get(Vpc, call.params["VpcId"])
    if row.vpc != vpc.id:
        raise ApiError(
            "InvalidVpnGatewayAttachment.NotFound",
            f"The attachment with vpn gateway ID '{row.id}' and vpc ID '{vpc.id}' does not exist",
        )
    for table in list(call.txn.referrers(row.id, RouteTable)):
        _propagate(call, table, row.id, wanted=False)
    call.txn.put(replace(row, vpc=None))
    return {}


# --- propagation --------------------------------------------------------------------------------
def enable(call: Call) -> Shape:
    """EnableVgwRoutePropagation: the gateway's routes come into the table by themselves."""
    row, table = there(call, call.params["GatewayId"]), _table(call)
    if row.vpc != table.vpc:
        raise ApiError(
            "Gateway.NotAttached", f"resource {row.id} is not attached to network {table.vpc}"
        )
    _propagate(call, table, row.id, wanted=True)
    return {}


def disable(call: Call) -> Shape:
    """DisableVgwRoutePropagation: the routes that came go."""
    row, table = there(call, call.params["GatewayId"]), _table(call)
    _propagate(call, table, row.id, wanted=False)
    return {}


def _table(call: Call) -> RouteTable:
    return call.txn.get(RouteTable, call.params["RouteTableId"])


def _propagate(call: Call, table: RouteTable, key: str, *, wanted: bool) -> None:
    kept = tuple(each for each in table.propagating if each != key)
    call.txn.put(replace(table, propagating=(*kept, key) if wanted else kept))


# --- answers ------------------------------------------------------------------------------------
def expired(txn: Txn, row: VpnGateway, now: str) -> None:
    """Forget a gateway that was deleted an hour ago."""
    if is_over(row.ended, now):
        txn.delete(row)


def show(row: VpnGateway, view: View) -> Shape:
    """The API's ``VpnGateway`` structure."""
    shape: Shape = {
        "VpnGatewayId": row.id,
        "State": "deleted" if row.ended else "available",
        "Type": "ipsec.1",
        "AmazonSideAsn": row.asn,
        "VpcAttachments": [{"VpcId": row.vpc, "State": "attached"}] if row.vpc else [],
        "Tags": tag_list(row),
    }
    return shape | ({"AvailabilityZone": row.zone} if row.zone else {})


KIND = Kind(
    row=VpnGateway,
    actions={
        "CreateVpnGateway": create,
        "DeleteVpnGateway": delete,
        "AttachVpnGateway": attach,
        "DetachVpnGateway": detach,
        "EnableVgwRoutePropagation": enable,
        "DisableVgwRoutePropagation": disable,
    },
    listings=(
        Listing(
            action="DescribeVpnGateways",
            result="VpnGateways",
            show=show,
            ids="VpnGatewayIds",
            paths={
                "attachment.state": "VpcAttachments[].State",
                "attachment.vpc-id": "VpcAttachments[].VpcId",
            },
        ),
    ),
    expired=expired,
)
