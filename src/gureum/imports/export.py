"""Writes an account's region as the answers of describe calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gureum.imports.answers import IDS
from gureum.imports.listed import COMPANIONS, LISTED, Listed
from gureum.imports.plain import plain
from gureum.kind import Shape
from gureum.model import Resource, View
from gureum.resources import (
    launch_template_api,
    subnet_reservation,
    transit_gateway_metering,
    transit_gateway_multicast,
    transit_gateway_policy,
    transit_gateway_route,
)
from gureum.resources.endpoint_service import EndpointService
from gureum.resources.endpoint_service_api import show_permission
from gureum.resources.instance import Instance
from gureum.resources.launch_template import LaunchTemplate, LaunchTemplateVersion
from gureum.resources.prefix_list import PrefixList
from gureum.resources.public_access import PublicAccessOptions
from gureum.resources.public_access_api import show_options
from gureum.resources.subnet import CidrReservation, Subnet, reservations
from gureum.resources.transit_gateway import TransitGatewayRouteTable, static_ways
from gureum.resources.transit_gateway_metering import MeteringPolicy
from gureum.resources.transit_gateway_multicast import MulticastDomain
from gureum.resources.transit_gateway_policy import PolicyTable
from gureum.resources.transit_gateway_table import propagations
from gureum.resources.vpc import Vpc


@dataclass
class Exported:
    """``files`` are the contents of files by their names; ``left`` counts the rows of kinds that
    are not written."""

    files: dict[str, Any] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)


def export(view: View, account: str, region: str) -> Exported:
    """The answers that tell of an account's region: one for each describe call, and one for each
    attribute that no list tells.  Items are in the order of their ids."""
    mine = [row for row in view.rows.values() if (row.account, row.region) == (account, region)]
    found = Exported()
    for what, listed in LISTED.items():
        rows = [row for row in mine if isinstance(row, listed.row)]
        found.files[f"{what}.json"] = shown(what, listed, rows, view)
    for row in sorted(mine, key=lambda row: row.id):
        found.files.update(_beside(row))
        if isinstance(row, TransitGatewayRouteTable):
            found.files.update(_of_table(row, view))
        found.files.update(_of_transit(row, view))
        if isinstance(row, LaunchTemplate):
            found.files[f"LaunchTemplateVersions-{row.id}.json"] = _versions(row, view)
        if isinstance(row, Subnet) and (kept := reservations(view, row.id)):
            found.files[f"SubnetCidrReservations-{row.id}.json"] = _reserved(kept, view)
    found.left.update(row.kind for row in mine if row.kind not in COMPANIONS and not _written(row))
    return found


def _written(row: Resource) -> bool:
    those = [listed for listed in LISTED.values() if isinstance(row, listed.row)]
    return any(listed.keep(row) for listed in those)


def shown(what: str, listed: Listed, rows: list[Any], view: View) -> Shape:
    """The answer of a describe call with those of these rows that it lists."""
    kept = sorted(filter(listed.keep, rows), key=lambda row: row.id)
    items = [listed.show(row, view) for row in kept]
    if listed.gather is not None:
        items = sorted(listed.gather(items), key=lambda item: str(item[IDS[what]]))
    return plain(listed.action, {listed.member or what: items})


def _reserved(kept: list[CidrReservation], view: View) -> Shape:
    items = [subnet_reservation.show(each, view) for each in sorted(kept, key=lambda row: row.id)]
    return plain("GetSubnetCidrReservations", subnet_reservation.by_version(items))


def _versions(row: LaunchTemplate, view: View) -> Shape:
    rows = sorted(view.referrers(row.id, LaunchTemplateVersion), key=lambda each: each.number)
    items = [launch_template_api.show_version(each, view) for each in rows]
    return plain("DescribeLaunchTemplateVersions", {"LaunchTemplateVersions": items})


def _of_table(row: TransitGatewayRouteTable, view: View) -> Iterator[tuple[str, Shape]]:
    """What is asked of each route table of a transit gateway by itself."""
    routes = [transit_gateway_route.show(view, way, row.gateway) for way in static_ways(view, row)]
    answers: dict[str, Shape] = {
        "SearchTransitGatewayRoutes": {"Routes": routes, "AdditionalRoutesAvailable": False},
        "GetTransitGatewayRouteTablePropagations": {
            "TransitGatewayRouteTablePropagations": [
                part.shape
                for part in sorted(propagations(view, row), key=lambda part: part.id)
                if part.shape["ResourceType"] in ("vpc", "connect")
            ]
        },
        "GetTransitGatewayPrefixListReferences": {
            "TransitGatewayPrefixListReferences": [
                transit_gateway_route.show_reference(view, row, route)
                for route in row.routes
                if route.prefix_list
            ]
        },
    }
    for action, answer in answers.items():
        name = action.removeprefix("Search").removeprefix("Get")
        yield f"{name}-{row.id}.json", plain(action, answer)


def _of_transit(row: Resource, view: View) -> Iterator[tuple[str, Shape]]:
    """What is asked of each multicast domain, policy table and metering policy by itself."""
    found: dict[str, tuple[str, list[Shape]]] = {}
    if isinstance(row, MulticastDomain):
        found = {
            "GetTransitGatewayMulticastDomainAssociations": (
                "MulticastDomainAssociations",
                [part.shape for part in transit_gateway_multicast.associations(view, row)],
            ),
            "SearchTransitGatewayMulticastGroups": (
                "MulticastGroups",
                [part.shape for part in transit_gateway_multicast.stations(view, row)],
            ),
        }
    elif isinstance(row, PolicyTable):
        found = {
            "GetTransitGatewayPolicyTableAssociations": (
                "Associations",
                [part.shape for part in transit_gateway_policy.links_of(view, row)],
            ),
            "GetTransitGatewayPolicyTableEntries": (
                "TransitGatewayPolicyTableEntries",
                [transit_gateway_policy.show_entry(entry) for entry in row.entries],
            ),
        }
    elif isinstance(row, MeteringPolicy):
        found = {
            "GetTransitGatewayMeteringPolicyEntries": (
                "TransitGatewayMeteringPolicyEntries",
                [transit_gateway_metering.show_rule(rule) for rule in row.rules],
            )
        }
    for action, (member, items) in found.items():
        name = action.removeprefix("Search").removeprefix("Get")
        yield f"{name}-{row.id}.json", plain(action, {member: items})


def _beside(row: Resource) -> Iterator[tuple[str, Shape]]:
    """The answers of calls that are about this row only."""
    if isinstance(row, Vpc):
        flags = {"EnableDnsSupport": row.dns_support, "EnableDnsHostnames": row.dns_hostnames}
        if row.usage_metrics:
            flags["EnableNetworkAddressUsageMetrics"] = True
        for name, value in flags.items():
            yield f"VpcAttribute-{row.id}-{name}.json", {"VpcId": row.id, name: {"Value": value}}
    if isinstance(row, Instance) and row.user_data:
        told = {"InstanceId": row.id, "UserData": {"Value": row.user_data}}
        yield f"InstanceAttribute-{row.id}-UserData.json", told
    if isinstance(row, EndpointService) and row.permissions:
        named = [show_permission(row, each) for each in row.permissions]
        answer = plain("DescribeVpcEndpointServicePermissions", {"AllowedPrincipals": named})
        yield f"VpcEndpointServicePermissions-{row.id}.json", answer
    if isinstance(row, PublicAccessOptions):
        blocked = {"VpcBlockPublicAccessOptions": show_options(row)}
        answer = plain("DescribeVpcBlockPublicAccessOptions", blocked)
        yield "VpcBlockPublicAccessOptions.json", answer
    if isinstance(row, PrefixList) and not row.managed_by_aws:
        entries = [
            {"Cidr": entry.cidr} | ({"Description": entry.description} if entry.description else {})
            for entry in row.entries
        ]
        yield f"ManagedPrefixListEntries-{row.id}.json", {"Entries": entries}
