"""IPv6 blocks: the pool they come from, which VPC has which, and the parts that subnets have.

Every address here is global, as in AWS: nothing translates it, gateways decide what passes.

Sources: VPC User Guide, "VPC CIDR blocks" and "Subnet CIDR blocks"; EC2 API Reference.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Shape
from gureum.model import Reader, Resource, ref
from gureum.model.cidr import ipv6_network
from gureum.model.internet import CUSTOMERS6

POOL = IPv6Network(CUSTOMERS6)
"""Where all blocks are."""

POOL_NAME = "Amazon"
"""What the API calls the pool that Amazon-provided blocks come from."""

BLOCK = 56
"""The prefix length of every block of a VPC."""

MAX_BLOCKS = 5
"""IPv6 CIDR blocks per VPC (VPC quotas)."""

SUBNET_LENGTHS = range(44, 65, 4)
"""Prefix lengths that a subnet's block may have."""

_DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class Ipv6Block(
    Resource,
    kind="vpc-ipv6-cidr-block",
    prefix="vpc-cidr-assoc",
    not_found="InvalidVpcCidrBlockAssociationID.NotFound",
    malformed="InvalidVpcCidrBlockAssociationID.NotFound",
    noun="vpc CIDR block association",
):
    """An IPv6 block of a VPC.  It is a row of its own, so that ACLs and groups can add the rules
    that AWS adds along with it (see ``Kind.beside``)."""

    vpc: str = ref("cascade")
    cidr: str


@dataclass(frozen=True, kw_only=True)
class SubnetBlock:
    """The IPv6 block of a subnet, which is a part of ``block``."""

    id: str
    cidr: str
    block: str = ref()


def blocks(reader: Reader, vpc: str) -> list[Ipv6Block]:
    """The IPv6 blocks of a VPC, oldest first."""
    rows = reader.referrers(vpc, Ipv6Block)
    return sorted(rows, key=lambda row: (row.created, row.id))


# --- blocks of VPCs -----------------------------------------------------------------------------
def asked(call: Call) -> bool:
    """Whether the call asks for an IPv6 block.

    Raises:
        ApiError: ``UnsupportedOperation`` (IPAM, address pools of one's own),
            ``InvalidParameterCombination``, ``MissingParameter``.
    """
    if call.get("Ipv6IpamPoolId") or call.get("Ipv6NetmaskLength"):
        raise ApiError("UnsupportedOperation", "IPAM pools are not available in this cloud.")
    provided, cidr = call.get("AmazonProvidedIpv6CidrBlock"), call.get("Ipv6CidrBlock")
    if provided and (cidr or call.get("Ipv6Pool")):
        raise ApiError(
            "InvalidParameterCombination",
            "The parameters amazonProvidedIpv6CidrBlock and ipv6Pool may not be used together.",
        )
    if cidr and not call.get("Ipv6Pool"):
        raise ApiError("MissingParameter", "The request must contain the parameter ipv6Pool")
    if call.get("Ipv6Pool") not in (None, "", POOL_NAME):
        raise ApiError(
            "UnsupportedOperation",
            f"The only IPv6 address pool of this cloud is '{POOL_NAME}', which is {POOL}.",
        )
    return bool(provided or call.get("Ipv6Pool"))


def add_block(call: Call, vpc: str) -> Ipv6Block:
    """Give a VPC the block that the call asks for, or any free one of the pool.

    Raises:
        ApiError: ``CidrLimitExceeded``, ``InvalidVpc.Range`` (not a /56 of the pool, or taken).
    """
    if len(blocks(call.txn.view, vpc)) >= MAX_BLOCKS:
        raise ApiError(
            "CidrLimitExceeded",
            f"This network '{vpc}' has met its maximum number of allowed CIDRs: {MAX_BLOCKS}",
        )
    taken = {row.cidr for row in call.txn.view.all(Ipv6Block)}
    text = call.get("Ipv6CidrBlock")
    cidr = _asked_block(text, taken) if text else _free_block(taken)
    common = {**call.common(Ipv6Block), "tags": ()}
    return call.created(Ipv6Block(**common, vpc=vpc, cidr=cidr))


def is_block(network: IPv6Network) -> bool:
    """Whether it is one of the blocks that VPCs may have."""
    return network.prefixlen == BLOCK and network.subnet_of(POOL)


def _asked_block(text: str, taken: set[str]) -> str:
    network = ipv6_network(text, "ipv6CidrBlock")
    if not is_block(network) or str(network) in taken:
        raise ApiError("InvalidVpc.Range", f"The CIDR '{text}' is invalid.")
    return str(network)


def _free_block(taken: set[str]) -> str:
    for _ in range(_DRAWS):
        number = 1 + secrets.randbelow((1 << (BLOCK - POOL.prefixlen)) - 1)
        base = int(POOL.network_address) + (number << (128 - BLOCK))
        cidr = str(IPv6Network((base, BLOCK)))
        if cidr not in taken:
            return cidr
    raise ApiError("InsufficientCidrBlocks", "There are no more available CIDR blocks.")


def show_block(row: Ipv6Block, state: str = "associated") -> Shape:
    """The API's ``VpcIpv6CidrBlockAssociation`` structure."""
    return {
        "AssociationId": row.id,
        "Ipv6CidrBlock": row.cidr,
        "Ipv6CidrBlockState": {"State": state},
        "NetworkBorderGroup": row.region,
        "Ipv6Pool": POOL_NAME,
        "Ipv6AddressAttribute": "public",
        "IpSource": "amazon",
    }


# --- blocks of subnets --------------------------------------------------------------------------
def part(call: Call, vpc: str, text: str, others: Iterable[str]) -> SubnetBlock:
    """The block for a subnet that a call asks for; ``others`` are those that the VPC's subnets
    have.

    Raises:
        ApiError: ``InvalidParameterValue``, ``InvalidSubnet.Range``, ``InvalidSubnet.Conflict``.
    """
    network = ipv6_network(text, "ipv6CidrBlock")
    whole = next(
        (row for row in blocks(call.txn.view, vpc) if network.subnet_of(IPv6Network(row.cidr))),
        None,
    )
    if whole is None or network.prefixlen not in SUBNET_LENGTHS:
        raise ApiError("InvalidSubnet.Range", f"The CIDR '{text}' is invalid.")
    if any(network.overlaps(IPv6Network(other)) for other in others):
        raise ApiError("InvalidSubnet.Conflict", f"The CIDR '{text}' conflicts with another subnet")
    return SubnetBlock(id=call.new_id("subnet-cidr-assoc"), cidr=str(network), block=whole.id)


def show_part(item: SubnetBlock, state: str = "associated") -> Shape:
    """The API's ``SubnetIpv6CidrBlockAssociation`` structure."""
    return {
        "AssociationId": item.id,
        "Ipv6CidrBlock": item.cidr,
        "Ipv6CidrBlockState": {"State": state},
        "Ipv6AddressAttribute": "public",
        "IpSource": "amazon",
    }


# --- addresses ----------------------------------------------------------------------------------
def checked_address(cidr: str, text: str) -> str:
    """An address that a call asks for in a subnet's block, in canonical form.

    Raises:
        ApiError: ``InvalidParameterValue``: none, outside, or one of those that AWS keeps.
    """
    try:
        address = IPv6Address(text)
    except ValueError:
        raise invalid_value("ipv6Address", text, "Not a valid IPv6 address") from None
    network = IPv6Network(cidr)
    if address not in network:
        raise ApiError(
            "InvalidParameterValue", "Address does not fall within the subnet's address range"
        )
    if int(address) - int(network.network_address) < 4 or address == network.broadcast_address:
        raise ApiError("InvalidParameterValue", "Address is in subnet's reserved address range")
    return str(address)


def drawn_address(cidr: str) -> str:
    """Any address of a subnet's block but the first four and the last, which AWS keeps."""
    network = IPv6Network(cidr)
    return str(network.network_address + 4 + secrets.randbelow(network.num_addresses - 5))


KIND = Kind(row=Ipv6Block)
