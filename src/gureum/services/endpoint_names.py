"""The names of interface endpoints: those of their own, and the services' where private DNS is on.

Sources: AWS PrivateLink Guide, "Access an AWS service using an interface VPC endpoint" (DNS
hostnames, private DNS, DNS resolution); RFC 4592 (wildcards).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gureum.model import View
from gureum.resources.endpoint_service import INTERFACE
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc
from gureum.resources.vpc_endpoint import IN_SERVICE, VpcEndpoint, names_of

_OWN_NAME = re.compile(
    r"(?:^|\.)(vpce-[0-9a-f]{17})-[^.]+\.(?:[a-z0-9.-]+\.)?vpce\.amazonaws\.com$"
)


def addresses(view: View, vpc: Vpc, name: str) -> tuple[str, ...]:
    """The addresses of an endpoint whose name this is, when it is asked in a VPC; none where there
    is no such endpoint.

    An endpoint's own names are public and mean its private addresses everywhere; a service's name
    is known in the endpoint's VPC only.
    """
    if found := _OWN_NAME.search(name):
        row = view.find(VpcEndpoint, found[1])
        return _own(view, row, name) if row and _serves(row) else ()
    for row in view.referrers(vpc.id, VpcEndpoint):
        if _is_private(vpc, row) and any(_covers(each, name) for each in row.names):
            return tuple(ip for _, ip in _placed(view, row))
    return ()


def _serves(row: VpcEndpoint) -> bool:
    return row.type == INTERFACE and row.state in IN_SERVICE


def _is_private(vpc: Vpc, row: VpcEndpoint) -> bool:
    """Whether the VPC knows the service's names: it must still have the attributes for that."""
    asked = row.private_dns and not row.inbound and _serves(row)
    return asked and vpc.dns_support and vpc.dns_hostnames


def _own(view: View, row: VpcEndpoint, name: str) -> tuple[str, ...]:
    """The addresses of the endpoint by its regional name, that of the zone by a zone's."""
    regional, *zonal = [each["DnsName"] for each in names_of(view, row)][: 1 + len(row.placed)]
    placed = list(_placed(view, row))
    if _covers(regional, name):
        return tuple(ip for _, ip in placed)
    return tuple(
        ip
        for zone, ip in placed
        if any(f"-{zone}." in each and _covers(each, name) for each in zonal)
    )


def _placed(view: View, row: VpcEndpoint) -> Iterator[tuple[str, str]]:
    """Zone and address of each interface of the endpoint."""
    for each in row.placed:
        subnet, eni = view.find(Subnet, each.subnet), view.find(NetworkInterface, each.interface)
        if subnet is not None and eni is not None and eni.ip is not None:
            yield subnet.zone, eni.ip


def _covers(known: str, name: str) -> bool:
    """Whether a name is this one, or lies below it if it is a wildcard."""
    if known.startswith("*."):
        return name.endswith(known[1:]) and len(name) > len(known) - 1
    return name == known
