"""Prefixes of a subnet's addresses, of which AWS gives an interface whole ones.

Source: EC2 User Guide, "Prefix delegation for Amazon EC2 network interfaces".
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call
from gureum.model import Txn
from gureum.model.cidr import (
    DELEGATED,
    delegated_block,
    ipv4_network,
    ipv6_network,
    is_ipv6,
    is_reserved,
)
from gureum.resources import ipv6
from gureum.resources.subnet import Lease, Subnet, ipv6_of, is_taken, reservations, take

MAX_PREFIXES = 1 << (DELEGATED[4] - 16)
"""So many prefixes has the largest subnet, a /16."""


def lease_prefix(call: Call, subnet: Subnet, holder: str, prefix: str | None = None) -> str:
    """Take an IPv4 prefix, or any free one, for the interface ``holder``.

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


def lease_prefix6(call: Call, subnet: Subnet, holder: str, prefix: str | None = None) -> str:
    """Take an IPv6 prefix, or any free one, for the interface ``holder``.  It costs a look at each
    IPv6 address that is taken in the subnet.

    Raises:
        ApiError: as :func:`lease_prefix`, of a /80.
    """
    block, in_use = ipv6_of(subnet), _in_use6(call.txn, subnet)
    if prefix is None:
        taken = _free_prefix6(call.txn, subnet, block, in_use)
    else:
        network = ipv6_network(prefix, "ipv6Prefix")
        _check_part(network, block, prefix, "ipv6Prefix")
        taken = str(network)
        if taken in in_use:
            raise _is_in_use(taken)
    take(call, subnet, holder, taken)
    return taken


def _asked_prefix(txn: Txn, subnet: Subnet, text: str) -> str:
    network = ipv4_network(text, "ipv4Prefix")
    _check_part(network, subnet.ipv4_cidr, text, "ipv4Prefix")
    if not _is_free_prefix(txn, subnet, network):
        raise _is_in_use(str(network))
    return str(network)


def _check_part(network: IPv4Network | IPv6Network, block: str, text: str, parameter: str) -> None:
    length = DELEGATED[network.version]
    within = network.subnet_of(type(network)(block))  # type: ignore[arg-type]  # one version
    if network.prefixlen != length or not within:
        raise invalid_value(parameter, text, f"A /{length} within the subnet {block} is needed")


def _is_in_use(prefix: str) -> ApiError:
    return ApiError("InvalidIPAddress.InUse", f"Prefix {prefix} has addresses that are in use.")


def _is_free_prefix(txn: Txn, subnet: Subnet, prefix: IPv4Network) -> bool:
    return not any(
        is_reserved(subnet.ipv4_cidr, str(address)) or is_taken(txn, subnet, str(address))
        for address in prefix
    )


def _in_use6(txn: Txn, subnet: Subnet) -> set[str]:
    """The prefixes that have an address which is taken or which AWS keeps."""
    leases = (row.ip for row in txn.view.referrers(subnet.id, Lease) if is_ipv6(row.ip))
    used = {delegated_block(ip.partition("/")[0]) for ip in leases}
    network = IPv6Network(ipv6_of(subnet))
    return used | {delegated_block(str(network[each])) for each in (0, -1)}


def _where(txn: Txn, subnet: Subnet, block: str) -> tuple[list[str], list[str]]:
    """Where prefixes come from that nobody names, and what of it is kept: from the reservations for
    prefixes; from what nobody reserved if the subnet has none (EC2 User Guide, "Prefix
    delegation")."""
    rows = [row for row in reservations(txn.view, subnet.id) if is_ipv6(row.cidr) == is_ipv6(block)]
    within = [row.cidr for row in rows if row.type == "prefix"]
    return (within, []) if within else ([block], [row.cidr for row in rows])


def _free_prefix(txn: Txn, subnet: Subnet) -> str:
    within, kept = _where(txn, subnet, subnet.ipv4_cidr)
    for block in within:
        for prefix in IPv4Network(block).subnets(new_prefix=DELEGATED[4]):
            if any(prefix.overlaps(IPv4Network(each)) for each in kept):
                continue
            if _is_free_prefix(txn, subnet, prefix):
                return str(prefix)
    raise no_free_prefixes()


def _free_prefix6(txn: Txn, subnet: Subnet, cidr: str, in_use: set[str]) -> str:
    within, kept = _where(txn, subnet, cidr)
    for block in within:
        if found := ipv6.drawn_prefix(block, kept, lambda each: each if each in in_use else None):
            return found
    raise no_free_prefixes()


def no_free_prefixes() -> ApiError:
    """AWS's refusal where a subnet has no prefix left."""
    return ApiError(
        "InsufficientCidrBlocks",
        "The specified subnet does not have enough free cidr blocks to satisfy the request.",
    )
