"""Hosts on the internet that this cloud plays: the user's own (``me``) and any number of others.

They are no AWS resource and belong to no account; commands of Gureum make them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from gureum.errors import ApiError, invalid_value
from gureum.kind import Kind, Lowering
from gureum.model import Resource, Txn
from gureum.model.internet import HOSTS, HOSTS6
from gureum.program import InternetHost as Host
from gureum.resources.prefix_list import GATEWAY_SERVICES

OWNER, PLACE = "internet", "internet"
"""The account and region of these rows."""

NETWORK = IPv4Network(HOSTS)
"""Where their addresses are."""

ME = "me"
PROVIDED = {ME: "198.19.0.10", "mirror": "198.19.0.20", "stranger": "198.19.0.30"}
"""The hosts that are always there: the user, a server to download from, anybody else."""

NETWORK6 = IPv6Network(HOSTS6)
"""Where their IPv6 addresses are."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_FIRST = 100
"""Hosts that ask for no address get one from here on."""


@dataclass(frozen=True, kw_only=True)
class InternetHost(
    Resource,
    kind="internet-host",
    prefix="host",
    not_found="InvalidInternetHost.NotFound",
    noun="internet host",
):
    """A host on the internet; its id is made of its name."""

    name: str
    ip: str

    @property
    def ip6(self) -> str:
        """The IPv6 address: the last two numbers of the IPv4 one, as they are written.  The host
        at 198.19.0.10 is at 3fff:800::10."""
        third, fourth = self.ip.split(".")[2:]
        return str(IPv6Address(f"{NETWORK6.network_address}{third}:{fourth}"))


def key(name: str) -> str:
    """The id of the host of that name."""
    return f"host-{name}"


def add(txn: Txn, name: str, ip: str | None, now: str) -> InternetHost:
    """A new host, at ``ip`` or any free address.

    Raises:
        ApiError: ``InvalidParameterValue`` on a name or address that is none or taken.
    """
    if not _NAME.fullmatch(name):
        raise invalid_value("name", name, "Lower-case letters, digits and '-' only")
    if key(name) in txn.view.rows:
        raise invalid_value("name", name, "There is such a host already")
    taken = {row.ip for row in txn.all(InternetHost)}
    address = _asked(ip, taken) if ip else _free(taken)
    row = InternetHost(
        id=key(name), account=OWNER, region=PLACE, created=now, name=name, ip=address
    )
    return txn.put(row)


def _asked(ip: str, taken: set[str]) -> str:
    try:
        address = IPv4Address(ip)
    except ValueError:
        raise invalid_value("ip", ip, "Not a valid IPv4 address") from None
    if address not in NETWORK or str(address) in taken or _of_a_service(address):
        raise invalid_value("ip", ip, f"A free address of {NETWORK} is needed")
    return str(address)


def _of_a_service(address: IPv4Address) -> bool:
    """Whether the address is one that AWS's prefix lists say is a service's."""
    return any(address in IPv4Network(cidr) for cidr in GATEWAY_SERVICES.values())


def _free(taken: set[str]) -> str:
    for number in range(_FIRST, NETWORK.num_addresses - 1):
        if str(NETWORK[number]) not in taken and not _of_a_service(NETWORK[number]):
            return str(NETWORK[number])
    raise ApiError("InsufficientAddressCapacity", f"No address of {NETWORK} is free.")


def remove(txn: Txn, name: str) -> None:
    """Remove a host.

    Raises:
        ApiError: there is none of that name, or it is always there.
    """
    if name in PROVIDED:
        raise invalid_value("name", name, "This host is always there")
    row = txn.find(InternetHost, key(name))
    if row is None:
        raise ApiError("InvalidInternetHost.NotFound", f"There is no internet host '{name}'")
    txn.delete(row)


def provide(txn: Txn, now: str) -> None:
    """Make the hosts that are always there, unless they are."""
    for name, ip in PROVIDED.items():
        if key(name) not in txn.view.rows:
            add(txn, name, ip, now)


def lower(row: InternetHost, lowering: Lowering) -> None:
    """A host of the abstract network's internet."""
    lowering.say(Host(name=row.name, ip=row.ip, ip6=row.ip6))


KIND = Kind(row=InternetHost, lower=lower)
