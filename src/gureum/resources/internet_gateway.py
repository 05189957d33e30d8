"""Internet gateway: the box between a VPC and the internet.

Sources: VPC User Guide, "Enable internet access for a VPC"; EC2 API Reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Resource, Txn, View, ref
from gureum.model.txn import dependency_violation
from gureum.program import Gateway, Uplink
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.public_ip import associations
from gureum.resources.shapes import tag_list
from gureum.resources.shared_vpc import OfHost
from gureum.resources.vpc import Vpc

MAX_GATEWAYS = 5
"""Internet gateways per region (VPC quotas)."""


@dataclass(frozen=True, kw_only=True)
class InternetGateway(
    OfHost,
    Resource,
    kind="internet-gateway",
    prefix="igw",
    not_found="InvalidInternetGatewayID.NotFound",
    malformed="InvalidInternetGatewayId.Malformed",
    noun="internetGateway",
):
    """An internet gateway, attached to one VPC or to none.  The VPC's ``gateway`` says the same."""

    vpc: str | None = ref(default=None)


def create_internet_gateway(call: Call) -> Shape:
    """CreateInternetGateway: attached to nothing yet."""
    if sum(1 for _ in call.txn.all(InternetGateway)) >= MAX_GATEWAYS:
        raise ApiError(
            "InternetGatewayLimitExceeded",
            "The maximum number of internet gateways has been reached.",
        )
    row = call.created(InternetGateway(**call.common(InternetGateway)))
    return {"InternetGateway": show(row, call.txn.view)}


def delete_internet_gateway(call: Call) -> Shape:
    """DeleteInternetGateway: refused while it is attached."""
    row = call.txn.get(InternetGateway, call.params["InternetGatewayId"])
    if row.vpc is not None:
        raise dependency_violation(row)
    call.txn.delete(row)
    return {}


def attach_internet_gateway(call: Call) -> Shape:
    """AttachInternetGateway: one gateway has one VPC, and one VPC one gateway."""
    row = call.txn.get(InternetGateway, call.params["InternetGatewayId"])
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    if row.vpc is not None:
        raise ApiError(
            "Resource.AlreadyAssociated",
            f"resource {row.id} is already attached to network {row.vpc}",
        )
    if vpc.gateway is not None:
        raise ApiError(
            "InvalidParameterValue", f"Network {vpc.id} already has an internet gateway attached"
        )
    _attach(call, row, vpc)
    return {}


def _attach(call: Call, row: InternetGateway, vpc: Vpc) -> None:
    call.txn.put(replace(row, vpc=vpc.id))
    call.txn.put(replace(vpc, gateway=row.id))


def detach_internet_gateway(call: Call) -> Shape:
    """DetachInternetGateway: refused while a public address of the VPC depends on it."""
    row = call.txn.get(InternetGateway, call.params["InternetGatewayId"])
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    if row.vpc != vpc.id:
        raise ApiError(
            "Gateway.NotAttached", f"resource {row.id} is not attached to network {vpc.id}"
        )
    if has_public_addresses(call.txn, vpc.id):
        raise ApiError(
            "DependencyViolation",
            f"Network {vpc.id} has some mapped public address(es). "
            "Please unmap those public address(es) before detaching the gateway.",
        )
    call.txn.put(replace(row, vpc=None))
    call.txn.put(replace(vpc, gateway=None))
    return {}


def has_public_addresses(txn: Txn, vpc_id: str) -> bool:
    """Whether an interface of the VPC has a public address."""
    return any(
        True
        for eni in txn.view.referrers(vpc_id, NetworkInterface)
        for _ in associations(txn.view, eni.id)
    )


def default_gateway(call: Call, vpc: Vpc) -> None:
    """The attached gateway that a default VPC comes with."""
    if vpc.default:
        common = {**call.common(InternetGateway), "tags": ()}
        _attach(call, call.created(InternetGateway(**common)), call.txn.get(Vpc, vpc.id))


def show(row: InternetGateway, view: View) -> Shape:
    """The API's ``InternetGateway`` structure."""
    return {
        "InternetGatewayId": row.id,
        "OwnerId": row.account,
        # "available" is the API's word for an attached gateway.
        "Attachments": [{"VpcId": row.vpc, "State": "available"}] if row.vpc else [],
        "Tags": tag_list(row),
    }


def lower(row: InternetGateway, lowering: Lowering) -> None:
    """A gateway, with an uplink from the router it is attached to."""
    lowering.say(Gateway(row.id))
    if row.vpc is not None:
        lowering.say(Uplink(router=row.vpc, gateway=row.id))


KIND = Kind(
    row=InternetGateway,
    actions={
        "CreateInternetGateway": create_internet_gateway,
        "DeleteInternetGateway": delete_internet_gateway,
        "AttachInternetGateway": attach_internet_gateway,
        "DetachInternetGateway": detach_internet_gateway,
    },
    listings=(
        Listing(
            action="DescribeInternetGateways",
            result="InternetGateways",
            show=show,
            ids="InternetGatewayIds",
            paths={
                "attachment.state": "Attachments[].State",
                "attachment.vpc-id": "Attachments[].VpcId",
            },
        ),
    ),
    lower=lower,
    beside={Vpc: default_gateway},
)
