"""Giving a subnet an IPv6 block, and taking it back.

Sources: EC2 API Reference, AssociateSubnetCidrBlock, DisassociateSubnetCidrBlock.
"""

from __future__ import annotations

from dataclasses import replace

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Call, Kind, Shape
from gureum.model.cidr import is_ipv6
from gureum.resources import ipv6
from gureum.resources.shapes import unsupported
from gureum.resources.subnet import Lease, Subnet, ipv6_parts, reservations


def associate_subnet_cidr_block(call: Call) -> Shape:
    """AssociateSubnetCidrBlock: a subnet has one IPv6 block at most."""
    unsupported(call, "Ipv6IpamPoolId", "Ipv6NetmaskLength")
    subnet = call.txn.get(Subnet, call.params["SubnetId"])
    if not call.get("Ipv6CidrBlock"):
        raise missing_parameter("ipv6CidrBlock")
    if subnet.ipv6 is not None:
        raise ApiError(
            "CidrLimitExceeded",
            f"The subnet '{subnet.id}' has met its maximum number of allowed IPv6 CIDRs: 1",
        )
    others = ipv6_parts(call.txn.view, subnet.vpc)
    block = ipv6.part(call, subnet.vpc, call.params["Ipv6CidrBlock"], others)
    call.txn.put(replace(subnet, ipv6=block))
    shown = ipv6.show_part(block, "associating")
    return {"SubnetId": subnet.id, "Ipv6CidrBlockAssociation": shown}


def disassociate_subnet_cidr_block(call: Call) -> Shape:
    """DisassociateSubnetCidrBlock: refused while an interface has an address of the block, or new
    ones are given one, as in an IPv6-only subnet they always are."""
    key = call.params["AssociationId"]
    for subnet in call.txn.seen(Subnet):
        if subnet.ipv6 is not None and subnet.ipv6.id == key:
            return _disassociate(call, call.txn.get(Subnet, subnet.id), subnet.ipv6)
    raise ApiError(
        "InvalidSubnetCidrBlockAssociationID.NotFound",
        f"The subnet CIDR block association ID '{key}' does not exist",
    )


def _disassociate(call: Call, subnet: Subnet, block: ipv6.SubnetBlock) -> Shape:
    if subnet.assign_ipv6:
        raise ApiError(
            "InvalidCidrBlock.InUse",
            f"The subnet IPv6 CIDR block with association ID {block.id} may not be disassociated, "
            "because its subnet has assign-ipv6-address-on-creation set to true.",
        )
    if any(is_ipv6(row.ip) for row in call.txn.view.referrers(subnet.id, Lease)):
        raise ApiError(
            "InvalidCidrBlock.InUse",
            f"The subnet '{subnet.id}' has IPv6 addresses of the CIDR block {block.cidr} in use",
        )
    for reserved in reservations(call.txn.view, subnet.id):
        if is_ipv6(reserved.cidr):
            call.txn.delete(reserved)  # nothing is left of it to keep
    call.txn.put(replace(subnet, ipv6=None))
    shown = ipv6.show_part(block, "disassociating")
    return {"SubnetId": subnet.id, "Ipv6CidrBlockAssociation": shown}


KIND: Kind[Subnet] = Kind(
    row=None,
    actions={
        "AssociateSubnetCidrBlock": associate_subnet_cidr_block,
        "DisassociateSubnetCidrBlock": disassociate_subnet_cidr_block,
    },
)
