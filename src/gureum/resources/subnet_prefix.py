"""Prefixes of a subnet's addresses, of which AWS gives an interface whole ones.

Source: EC2 User Guide, "Prefix delegation for Amazon EC2 network interfaces".
"""

from __future__ import annotations

from ipaddress import IPv4Network

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call
from gureum.model import Txn
from gureum.model.cidr import ipv4_network, is_reserved
from gureum.resources.subnet import PREFIX_LENGTH, Subnet, is_taken, reservations, take

MAX_PREFIXES = 1 << (PREFIX_LENGTH - 16)
"""So many prefixes has the largest subnet, a /16."""


def lease_prefix(call: Call, subnet: Subnet, holder: str, prefix: str | None = None) -> str:
    """Take a prefix of addresses, or any free one, for the interface ``holder``.

    Raises:
        ApiError: ``InvalidParameterValue`` (no /28 of the subnet), ``InvalidIPAddress.InUse``,
            ``InsufficientCidrBlocks``.
    """
    taken = (
        _free_prefix(call.txn, subnet)
        if prefix is None
        else _asked_prefix(call.txn, subnet, prefix)
    )
    take(call, subnet, holder, taken)
    return taken


def _asked_prefix(txn: Txn, subnet: Subnet, text: str) -> str:
    network = ipv4_network(text, "ipv4Prefix")
    if network.prefixlen != PREFIX_LENGTH or not network.subnet_of(IPv4Network(subnet.cidr)):
        reason = f"A /{PREFIX_LENGTH} within the subnet {subnet.cidr} is needed"
        raise invalid_value("ipv4Prefix", text, reason)
    if not _is_free_prefix(txn, subnet, network):
        raise ApiError("InvalidIPAddress.InUse", f"Prefix {network} has addresses that are in use.")
    return str(network)


def _is_free_prefix(txn: Txn, subnet: Subnet, prefix: IPv4Network) -> bool:
    return not any(
        is_reserved(subnet.cidr, str(address)) or is_taken(txn, subnet, address)
        for address in prefix
    )


def _free_prefix(txn: Txn, subnet: Subnet) -> str:
    """The first free prefix of the reservations for prefixes; of what nobody reserved if the subnet
    has none (EC2 User Guide, "Prefix delegation")."""
    rows = reservations(txn.view, subnet.id)
    within = [IPv4Network(row.cidr) for row in rows if row.type == "prefix"]
    kept = [] if within else [IPv4Network(row.cidr) for row in rows]
    for block in within or [IPv4Network(subnet.cidr)]:
        for prefix in block.subnets(new_prefix=PREFIX_LENGTH):
            if any(prefix.overlaps(each) for each in kept):
                continue
            if _is_free_prefix(txn, subnet, prefix):
                return str(prefix)
    raise no_free_prefixes()


def no_free_prefixes() -> ApiError:
    """AWS's refusal where a subnet has no prefix left."""
    return ApiError(
        "InsufficientCidrBlocks",
        "The specified subnet does not have enough free cidr blocks to satisfy the request.",
    )
