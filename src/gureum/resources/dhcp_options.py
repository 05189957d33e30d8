"""DHCP options: what a VPC's instances are told about names; the set that AWS provides.

Sources: VPC User Guide, "DHCP option sets in Amazon VPC"; EC2 API Reference, DescribeDhcpOptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, View
from gureum.resources.shapes import tag_list

AMAZON_DNS = "AmazonProvidedDNS"


@dataclass(frozen=True, kw_only=True)
class DhcpOptions(
    Resource,
    kind="dhcp-options",
    prefix="dopt",
    not_found="InvalidDhcpOptionID.NotFound",
    malformed="InvalidDhcpOptionsId.Malformed",
    noun="dhcpOption",
):
    """A set of DHCP options: names with values, in the order in which they were given."""

    options: tuple[tuple[str, tuple[str, ...]], ...]
    default: bool = False


def internal_domain(region: str) -> str:
    """The domain of private host names in a region (VPC User Guide, "DNS attributes")."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def provided(call: Call) -> DhcpOptions:
    """The set that AWS provides in each region, made on first use."""
    for row in call.txn.all(DhcpOptions):
        if row.default:
            return row
    options = (
        ("domain-name", (internal_domain(call.region),)),
        ("domain-name-servers", (AMAZON_DNS,)),
    )
    common = {**call.common(DhcpOptions), "tags": ()}
    return call.created(DhcpOptions(**common, options=options, default=True))


def show(row: DhcpOptions, view: View) -> Shape:
    """The API's ``DhcpOptions`` structure."""
    return {
        "DhcpOptionsId": row.id,
        "OwnerId": row.account,
        "DhcpConfigurations": [
            {"Key": name, "Values": [{"Value": value} for value in values]}
            for name, values in row.options
        ],
        "Tags": tag_list(row),
    }


def _values(row: Any, view: View) -> Iterator[str]:
    return (value for _, values in row.options for value in values)


def _provide(call: Call) -> None:
    provided(call)


KIND = Kind(
    row=DhcpOptions,
    listings=(
        Listing(
            action="DescribeDhcpOptions",
            result="DhcpOptions",
            show=show,
            ids="DhcpOptionsIds",
            paths={"key": "DhcpConfigurations[].Key"},
            computed={"value": _values},
        ),
    ),
    defaults=_provide,
)
