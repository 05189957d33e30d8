"""IPv6 blocks: the pool they come from, which VPC has which, and the parts that subnets have.

Every address here is global, as in AWS: nothing translates it, gateways decide what passes.

Sources: VPC User Guide, "VPC CIDR blocks" and "Subnet CIDR blocks"; EC2 API Reference.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Shape
from gureum.model import Reader, Resource, ref
from gureum.model.cidr import DELEGATED, ipv6_network
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


Holder = Callable[[str], str | None]
"""Says what has an address or a prefix: itself or the prefix around it; None where it is free."""


def drawn_address(cidr: str, kept: Iterable[str], holder: Holder) -> str | None:
    """Any free address of a subnet's block but the first four and the last, which AWS keeps, and
    those of ``kept`` blocks; None where there is none."""
    network = IPv6Network(cidr)
    return _drawn(int(network[4]), int(network[-2]), 128, kept, holder)


def drawn_prefix(cidr: str, kept: Iterable[str], holder: Holder) -> str | None:
    """Any free prefix of a block, of those that are delegated whole, outside of ``kept`` blocks;
    None where there is none."""
    network = IPv6Network(cidr)
    return _drawn(int(network[0]), int(network[-1]), DELEGATED[6], kept, holder)


def _drawn(first: int, last: int, length: int, kept: Iterable[str], holder: Holder) -> str | None:
    """A part of that length between two addresses, outside of ``kept``: any one, or the next after
    it that is free."""
    size = 1 << (128 - length)
    gaps = list(_gaps(first, last, size, kept))
    total = sum(count for _, count in gaps)
    start = secrets.randbelow(total) if total else 0
    for at, end in ((start, total), (0, start)):
        while at < end:
            base, left = _numbered(gaps, size, at)
            part = str(IPv6Address(base)) + ("" if length == 128 else f"/{length}")
            held = holder(part)
            if held is None:
                return part
            beyond = int(IPv6Network(held)[-1]) + 1
            at += min(max(1, (beyond - base) // size), left)
    return None


def _gaps(first: int, last: int, size: int, kept: Iterable[str]) -> Iterator[tuple[int, int]]:
    """What is left of a range beside blocks: where each gap begins, and how many whole parts of a
    size it has."""
    blocks = [IPv6Network(each) for each in kept]
    ends = sorted((int(each[0]), int(each[-1])) for each in blocks)
    for low, high in (*ends, (last + 1, last)):
        begin = -(-first // size) * size
        if (count := (low - begin) // size) > 0:
            yield begin, count
        first = max(first, high + 1)


def _numbered(gaps: Iterable[tuple[int, int]], size: int, number: int) -> tuple[int, int]:
    """The address at which a part begins, and how many there are from it on to the gap's end."""
    for begin, count in gaps:
        if number < count:
            return begin + number * size, count - number
        number -= count
    raise IndexError(number)


KIND = Kind(row=Ipv6Block)
