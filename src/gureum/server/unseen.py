"""What reachability of all pairs does not look at, in words: it has one IP version at a time, and
of interfaces their own addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gureum.model import Resource, Txn
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.route_table import translates
from gureum.resources.subnet import Subnet
from gureum.server.places import Scope


def notes(scope: Scope) -> list[str]:
    """That nothing is said of ways from IPv6 to IPv4, and to IPv6 prefixes, where there are any."""
    return [f"{said} 'gureum explain' tells of one such packet." for said in _unseen(scope)]


def _unseen(scope: Scope) -> Iterator[str]:
    txn = Txn(scope.view, scope.account, scope.region)
    subnets = (row for row in txn.all(Subnet) if row.ipv6 and translates(scope.view, row))
    if found := _names(subnets):
        yield f"Not looked at: IPv6 that a NAT gateway makes IPv4 (NAT64), from {found}."
    if found := _names(row for row in txn.all(NetworkInterface) if row.prefixes6):
        yield f"Not looked at: IPv6 prefixes that are delegated, to {found}."


def _names(rows: Iterable[Resource]) -> str:
    return ", ".join(sorted(row.tag("Name") or row.id for row in rows))
