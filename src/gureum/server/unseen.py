"""What reachability of all pairs does not look at, in words: it has one IP version at a time."""

from __future__ import annotations

from gureum.model import Txn
from gureum.resources.route_table import translates
from gureum.resources.subnet import Subnet
from gureum.server.places import Scope


def notes(scope: Scope) -> list[str]:
    """That nothing is said of ways from IPv6 to IPv4, where there are any."""
    txn = Txn(scope.view, scope.account, scope.region)
    rows = (row for row in txn.all(Subnet) if row.ipv6 and translates(scope.view, row))
    names = sorted(row.tag("Name") or row.id for row in rows)
    if not names:
        return []
    said = f"Not looked at: IPv6 that a NAT gateway makes IPv4 (NAT64), from {', '.join(names)}."
    return [f"{said} 'gureum explain' tells of one such packet."]
