"""Secondary networks and their subnets: networks beside the VPC for remote direct memory access.

They are records: no interface can be in them here.

Sources: EC2 API Reference, CreateSecondaryNetwork, CreateSecondarySubnet.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape, becomes
from gureum.model import Resource, View, ref
from gureum.model.cidr import ipv4_network
from gureum.resources.region import zone_id, zones
from gureum.resources.shapes import tag_list

_LENGTHS = range(12, 29)
"""How long the prefix of a block may be."""

State = Literal["create-in-progress", "create-complete"]


@dataclass(frozen=True, kw_only=True)
class SecondaryNetwork(
    Resource,
    kind="secondary-network",
    prefix="sn",
    not_found="InvalidSecondaryNetworkId.NotFound",
    malformed="InvalidSecondaryNetworkId.Malformed",
    noun="secondary network",
):
    """A network with one block; ``association`` is the id of that."""

    cidr: str
    type: str
    association: str
    state: State = "create-in-progress"


@dataclass(frozen=True, kw_only=True)
class SecondarySubnet(
    Resource,
    kind="secondary-subnet",
    prefix="ss",
    not_found="InvalidSecondarySubnetId.NotFound",
    malformed="InvalidSecondarySubnetId.Malformed",
    noun="secondary subnet",
):
    """A subnet of a secondary network in a zone."""

    network: str = ref()
    zone: str
    cidr: str
    association: str
    state: State = "create-in-progress"


def _block(call: Call) -> IPv4Network:
    block = ipv4_network(call.params["Ipv4CidrBlock"], "ipv4CidrBlock")
    if block.prefixlen not in _LENGTHS:
        raise invalid_value(
            "ipv4CidrBlock",
            block,
            f"The size must be between /{_LENGTHS[0]} and /{_LENGTHS[-1]}.",
        )
    return block


def create_network(call: Call) -> Shape:
    """CreateSecondaryNetwork."""
    row = call.created(
        SecondaryNetwork(
            **call.common(SecondaryNetwork),
            cidr=str(_block(call)),
            type=call.params["NetworkType"],
            association=call.new_id("sn-cidr-assoc"),
        )
    )
    return {"SecondaryNetwork": show_network(row, call.txn.view), **_token(call)}


def delete_network(call: Call) -> Shape:
    """DeleteSecondaryNetwork: not while it has subnets."""
    row = call.txn.get(SecondaryNetwork, call.params["SecondaryNetworkId"])
    call.txn.delete(row)
    shown = show_network(row, call.txn.view) | {"State": "delete-in-progress"}
    return {"SecondaryNetwork": shown, **_token(call)}


def create_subnet(call: Call) -> Shape:
    """CreateSecondarySubnet: a part of the network's block that no other subnet of it has.

    Raises:
        ApiError: ``InvalidSecondaryNetworkId.NotFound``, ``InvalidSubnet.Range``,
            ``InvalidSubnet.Conflict``, ``InvalidParameterValue``, ``InvalidParameterCombination``,
            ``MissingParameter`` (the zone).
    """
    network = call.txn.get(SecondaryNetwork, call.params["SecondaryNetworkId"])
    block, zone = _block(call), _zone(call)
    if not block.subnet_of(IPv4Network(network.cidr)):
        raise ApiError("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    for other in call.txn.referrers(network.id, SecondarySubnet):
        if block.overlaps(IPv4Network(other.cidr)):
            raise ApiError(
                "InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet"
            )
    row = call.created(
        SecondarySubnet(
            **call.common(SecondarySubnet),
            network=network.id,
            zone=zone,
            cidr=str(block),
            association=call.new_id("ss-cidr-assoc"),
        )
    )
    return {"SecondarySubnet": show_subnet(row, call.txn.view), **_token(call)}


def _zone(call: Call) -> str:
    name, key = call.get("AvailabilityZone"), call.get("AvailabilityZoneId")
    if name and key:
        raise invalid_combination(
            "Only one of availabilityZone and availabilityZoneId may be specified."
        )
    if not name and not key:
        raise missing_parameter("availabilityZoneId")
    for zone in zones(call.region):
        if name == zone or key == zone_id(zone):
            return zone
    raise invalid_value("availabilityZone", name or key)


def delete_subnet(call: Call) -> Shape:
    """DeleteSecondarySubnet."""
    row = call.txn.get(SecondarySubnet, call.params["SecondarySubnetId"])
    shown = show_subnet(row, call.txn.view) | {"State": "delete-in-progress"}
    call.txn.delete(row)
    return {"SecondarySubnet": shown, **_token(call)}


def _token(call: Call) -> Shape:
    return {"ClientToken": call.params["ClientToken"]} if call.get("ClientToken") else {}


def _shared(row: SecondaryNetwork | SecondarySubnet) -> Shape:
    done = row.state == "create-complete"
    block = {
        "AssociationId": row.association,
        "CidrBlock": row.cidr,
        "State": "associated" if done else "associating",
    }
    return {
        "OwnerId": row.account,
        "State": row.state,
        "Ipv4CidrBlockAssociations": [block],
        "Tags": tag_list(row),
    }


def _arn(row: SecondaryNetwork | SecondarySubnet) -> str:
    return f"arn:aws:ec2:{row.region}:{row.account}:{row.kind}/{row.id}"


def show_network(row: SecondaryNetwork, view: View) -> Shape:
    """The API's ``SecondaryNetwork`` structure."""
    return {
        "SecondaryNetworkId": row.id,
        "SecondaryNetworkArn": _arn(row),
        "Type": row.type,
        **_shared(row),
    }


def show_subnet(row: SecondarySubnet, view: View) -> Shape:
    """The API's ``SecondarySubnet`` structure."""
    network = view.find(SecondaryNetwork, row.network)
    return {
        "SecondarySubnetId": row.id,
        "SecondarySubnetArn": _arn(row),
        "SecondaryNetworkId": row.network,
        "SecondaryNetworkType": network.type if network else "rdma",
        "AvailabilityZone": row.zone,
        "AvailabilityZoneId": zone_id(row.zone),
        **_shared(row),
    }


_PATHS = {
    "ipv4-cidr-block-association.association-id": "Ipv4CidrBlockAssociations[].AssociationId",
    "ipv4-cidr-block-association.cidr-block": "Ipv4CidrBlockAssociations[].CidrBlock",
    "ipv4-cidr-block-association.state": "Ipv4CidrBlockAssociations[].State",
}

KIND = Kind(
    row=SecondaryNetwork,
    actions={"CreateSecondaryNetwork": create_network, "DeleteSecondaryNetwork": delete_network},
    listings=(
        Listing(
            action="DescribeSecondaryNetworks",
            result="SecondaryNetworks",
            show=show_network,
            ids="SecondaryNetworkIds",
            paths=_PATHS,
        ),
    ),
    settled=becomes("create-in-progress", "create-complete"),
)

SUBNET = Kind(
    row=SecondarySubnet,
    actions={"CreateSecondarySubnet": create_subnet, "DeleteSecondarySubnet": delete_subnet},
    listings=(
        Listing(
            action="DescribeSecondarySubnets",
            result="SecondarySubnets",
            show=show_subnet,
            ids="SecondarySubnetIds",
            paths=_PATHS,
        ),
    ),
    settled=becomes("create-in-progress", "create-complete"),
)
