"""Public addresses: the pool that all accounts share, and what each address is mapped to.

Sources: VPC User Guide, "IP addressing"; EC2 User Guide, "Elastic IP addresses".
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from gureum.errors import ApiError
from gureum.kind import Call, Kind
from gureum.model import Reader, Resource, Txn, View, ref
from gureum.model.internet import CUSTOMERS

POOL = IPv4Network(CUSTOMERS)
"""Where all of them are."""

_EDGES = (0, 255)
"""Last octets that are not given out: people take them for network and broadcast addresses."""

_DRAWS = 20
"""Random draws before the pool is searched in order: enough while most of it is free."""


@dataclass(frozen=True, kw_only=True)
class PublicIp(
    Resource,
    kind="public-ip",
    prefix="public",
    not_found="InvalidAddress.NotFound",
    noun="public address",
):
    """A public address that is taken.  The id is made of the address, so that asking whether one
    is free costs one look-up over all accounts and regions.  ``holder`` is an Elastic IP's
    allocation, or the network interface that was given the address for as long as it is up."""

    ip: str
    holder: str = ref("cascade")


@dataclass(frozen=True, kw_only=True)
class Association(
    Resource,
    kind="elastic-ip-association",
    prefix="eipassoc",
    not_found="InvalidAssociationID.NotFound",
    malformed="InvalidAssociationID.NotFound",
    noun="association",
):
    """A public address mapped to a private one of an interface.

    ``allocation`` is the Elastic IP; None for an address that AWS assigned by itself.
    """

    ip: str
    private_ip: str
    interface: str = ref("cascade")
    allocation: str | None = ref("cascade", default=None)


def allocate(call: Call, holder: str, ip: str | None = None) -> str:
    """Take ``ip``, or any free address, from the pool for ``holder``, whose row exists.

    Raises:
        ApiError: ``InvalidAddress.NotFound`` (not of the pool or taken),
            ``InsufficientAddressCapacity``.
    """
    taken = _free(call.txn) if ip is None else _asked(call.txn, ip)
    call.txn.put(
        PublicIp(
            id=public_ip_id(taken),
            account=call.account,
            region=call.region,
            created=call.now,
            ip=taken,
            holder=holder,
        )
    )
    return taken


def release(txn: Txn, ip: str) -> None:
    """Give an address back to the pool."""
    row = txn.find(PublicIp, public_ip_id(ip))
    if row is not None:
        txn.delete(row)


def associate(
    call: Call, interface: str, private_ip: str, ip: str, allocation: str | None = None
) -> Association:
    """Map a public address to a private one of an interface."""
    common = {**call.common(Association), "tags": ()}
    row = Association(
        **common, ip=ip, private_ip=private_ip, interface=interface, allocation=allocation
    )
    return call.created(row)


def associations(reader: Reader, interface: str) -> Iterator[Association]:
    """The public addresses of an interface."""
    return reader.referrers(interface, Association)


def association_at(reader: Reader, ip: str) -> Association | None:
    """What a public address is mapped to."""
    taken = reader.find(PublicIp, public_ip_id(ip))
    rows = reader.referrers(taken.holder, Association) if taken else iter(())
    return next((row for row in rows if row.ip == ip), None)


def public_dns(region: str, ip: str) -> str:
    """The public host name of an address (VPC User Guide, "DNS attributes for your VPC")."""
    domain = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"ec2-{ip.replace('.', '-')}.{domain}.amazonaws.com"


def public_ip_id(ip: str) -> str:
    """The id of the row of a public address, taken or not."""
    return f"public-{ip}"


def is_free(view: View, ip: str) -> bool:
    """Whether an address is one of the pool that nobody has."""
    try:
        return _usable(IPv4Address(ip)) and public_ip_id(ip) not in view.rows
    except ValueError:
        return False


def _usable(address: IPv4Address) -> bool:
    return address in POOL and int(address) % 256 not in _EDGES


def _asked(txn: Txn, ip: str) -> str:
    try:
        address = IPv4Address(ip)
    except ValueError:
        raise ApiError(
            "InvalidParameterValue", f"Value ({ip}) for parameter address is invalid."
        ) from None
    if not _usable(address) or public_ip_id(ip) in txn.view.rows:
        raise ApiError("InvalidAddress.NotFound", f"The address '{ip}' is not available.")
    return str(address)


def _free(txn: Txn) -> str:
    for _ in range(_DRAWS):
        address = POOL[secrets.randbelow(POOL.num_addresses)]
        if _usable(address) and public_ip_id(str(address)) not in txn.view.rows:
            return str(address)
    for address in POOL:
        if _usable(address) and public_ip_id(str(address)) not in txn.view.rows:
            return str(address)
    raise ApiError(
        "InsufficientAddressCapacity", "There are not enough free addresses to satisfy the request."
    )


KIND = Kind(row=PublicIp)
ASSOCIATION = Kind(row=Association)
