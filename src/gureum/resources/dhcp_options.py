"""DHCP options: what a VPC's instances are told about names; the set that AWS provides.

Associating a set with a VPC is in :mod:`gureum.resources.vpc`.

Sources: VPC User Guide, "DHCP option sets in Amazon VPC"; EC2 API Reference, CreateDhcpOptions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Reader, Resource, View
from gureum.model.resource import references
from gureum.resources.shapes import tag_list
from gureum.resources.shared_vpc import OpenToGuests, shared_vpcs

AMAZON_DNS = "AmazonProvidedDNS"
DOMAIN_NAME, NAME_SERVERS = "domain-name", "domain-name-servers"

MAX_SERVERS = 4
"""Servers of a kind and an address family."""

LEASE_TIMES = range(140, 2**31)
"""Seconds for which an IPv6 address may be preferred."""

_DOMAINS = re.compile(r"[A-Za-z0-9._-]+( [A-Za-z0-9._-]+)*")
"""A domain, or several of them; some operating systems take the text for a single one."""


@dataclass(frozen=True, kw_only=True)
class DhcpOptions(
    OpenToGuests,
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

    def open_to(self, reader: Reader, account: str) -> bool:
        vpcs = reader.referrers(self.id, Resource.by_kind["vpc"])
        return any(vpc.open_to(reader, account) for vpc in vpcs)

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> list[DhcpOptions]:
        found: dict[str, DhcpOptions] = {}
        for key in shared_vpcs(reader, account, region):
            for _, target, _ in references(reader.find(Resource, key)):
                row = reader.find(DhcpOptions, target)
                found |= {row.id: row} if row else {}
        return list(found.values())

    def values(self, name: str) -> tuple[str, ...]:
        """The values of an option; none if the set does not have it."""
        return next((values for key, values in self.options if key == name), ())


def internal_domain(region: str) -> str:
    """The domain of private host names in a region (VPC User Guide, "DNS attributes")."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def private_dns(region: str, ip: str) -> str:
    """The private host name of an IPv4 address (EC2 User Guide, "IP based naming")."""
    return f"ip-{ip.replace('.', '-')}.{internal_domain(region)}"


def provided_options(region: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The options of the set that AWS provides in a region."""
    return (DOMAIN_NAME, (internal_domain(region),)), (NAME_SERVERS, (AMAZON_DNS,))


def provided(call: Call) -> DhcpOptions:
    """The set that AWS provides in each region, made on first use."""
    for row in call.txn.all(DhcpOptions):
        if row.default:
            return row
    options = provided_options(call.region)
    common = {**call.common(DhcpOptions), "tags": ()}
    return call.created(DhcpOptions(**common, options=options, default=True))


def create_dhcp_options(call: Call) -> Shape:
    """CreateDhcpOptions: each option once, with values that it may have."""
    options: dict[str, tuple[str, ...]] = {}
    for item in call.params["DhcpConfigurations"]:
        name = item.get("Key") or ""
        if name not in _CHECKS:
            raise invalid_value("key", name, "Unknown DHCP option")
        if name in options:
            raise ApiError("InvalidParameterValue", f"The option {name} is given more than once.")
        options[name] = _values_of(name, item.get("Values") or ())
    if not options:
        raise missing_parameter("dhcpConfiguration")
    row = call.created(DhcpOptions(**call.common(DhcpOptions), options=tuple(options.items())))
    return {"DhcpOptions": show(row, call.txn.view)}


def _values_of(name: str, given: Sequence[str]) -> tuple[str, ...]:
    """The values of an option; servers may also stand in one value, with commas."""
    values = list(given)
    if name.endswith("-servers"):
        values = [part.strip() for value in given for part in value.split(",")]
    if not values:
        raise missing_parameter(f"{name} value")
    _CHECKS[name](name, values)
    return tuple(values)


def _check_servers(name: str, values: list[str]) -> None:
    families = [_family(name, value) for value in values]
    for family in (4, 6):
        if families.count(family) > MAX_SERVERS:
            raise ApiError(
                "InvalidParameterValue",
                f"At most {MAX_SERVERS} IPv{family} addresses can be given for {name}.",
            )


def _family(name: str, value: str) -> int:
    if value == AMAZON_DNS and name == NAME_SERVERS:
        return 4
    try:
        version = int(ip_address(value).version)
    except ValueError:
        version = 0
    if version == 0 or (version == 6 and name == "netbios-name-servers"):
        raise invalid_value("value", value, f"Invalid IP address for the option {name}")
    return version


def _check_single(name: str, values: list[str]) -> str:
    if len(values) > 1:
        raise ApiError("InvalidParameterValue", f"Only one value can be given for {name}.")
    return values[0]


def _check_domain(name: str, values: list[str]) -> None:
    value = _check_single(name, values)
    if not _DOMAINS.fullmatch(value) or len(value) > 253:
        raise invalid_value("value", value, "Invalid domain name")


def _check_node_type(name: str, values: list[str]) -> None:
    value = _check_single(name, values)
    if value not in ("1", "2", "4", "8"):
        raise invalid_value("value", value, "Valid NetBIOS node types: 1, 2, 4, 8")


def _check_lease_time(name: str, values: list[str]) -> None:
    value = _check_single(name, values)
    if not (value.isascii() and value.isdigit() and int(value) in LEASE_TIMES):
        allowed = f"from {LEASE_TIMES[0]} to {LEASE_TIMES[-1]}"
        raise invalid_value("value", value, f"It must be a number of seconds {allowed}")


_CHECKS: dict[str, Callable[[str, list[str]], None]] = {
    DOMAIN_NAME: _check_domain,
    NAME_SERVERS: _check_servers,
    "ntp-servers": _check_servers,
    "netbios-name-servers": _check_servers,
    "netbios-node-type": _check_node_type,
    "ipv6-address-preferred-lease-time": _check_lease_time,
}
"""The options that a set can have, and what refuses values that they cannot have."""


def delete_dhcp_options(call: Call) -> Shape:
    """DeleteDhcpOptions: refused while a VPC has the set."""
    call.txn.delete(call.txn.get(DhcpOptions, call.params["DhcpOptionsId"]))
    return {}


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
    actions={
        "CreateDhcpOptions": create_dhcp_options,
        "DeleteDhcpOptions": delete_dhcp_options,
    },
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
