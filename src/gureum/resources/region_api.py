"""What the API tells about regions, zones and the account: facts that nobody made or can change.

Sources: EC2 API Reference, DescribeRegions, DescribeAvailabilityZones, DescribeAccountAttributes,
DescribeIdFormat; EC2 User Guide, "Regions and Zones".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gureum.errors import invalid_value
from gureum.kind import Call, Kind, Listing, Selector, Shape
from gureum.model import Resource, View
from gureum.resources.network_interface import MAX_GROUPS
from gureum.resources.region import zone_id, zones
from gureum.resources.vpc import default_vpc
from gureum.wire.regions import endpoint, regions

ALWAYS = frozenset(
    f"{area}-{number}"
    for area, numbers in {
        "ap-northeast": "123",
        "ap-south": "1",
        "ap-southeast": "12",
        "ca-central": "1",
        "eu-central": "1",
        "eu-north": "1",
        "eu-west": "123",
        "sa-east": "1",
        "us-east": "12",
        "us-west": "12",
    }.items()
    for number in numbers
)
"""Regions that every account has; all others are opted into, which is done here."""

MAX_INSTANCES = 20
MAX_ADDRESSES = 5


@dataclass(frozen=True)
class Place:
    """A region or a zone, which are there from the beginning."""

    id: str
    region: str
    created: str = ""


def _status(region: str) -> str:
    return "opt-in-not-required" if region in ALWAYS else "opted-in"


# --- regions ------------------------------------------------------------------------------------
def _regions(call: Call) -> list[Place]:
    return [Place(name, name) for name in regions()]


def show_region(place: Place, view: View) -> Shape:
    """The API's ``Region`` structure."""
    return {
        "RegionName": place.id,
        "Endpoint": endpoint("ec2", place.id),
        "OptInStatus": _status(place.id),
    }


# --- zones --------------------------------------------------------------------------------------
def _zones(call: Call) -> list[Place]:
    return [Place(name, call.region) for name in zones(call.region)]


def show_zone(place: Place, view: View) -> Shape:
    """The API's ``AvailabilityZone`` structure."""
    return {
        "ZoneName": place.id,
        "ZoneId": zone_id(place.id),
        "ZoneType": "availability-zone",
        "RegionName": place.region,
        "GroupName": f"{place.region}-zg-1",
        "GroupLongName": f"{regions().get(place.region, place.region)} 1",
        "NetworkBorderGroup": place.region,
        # Zones of a region need no opting in, also where the region does.
        "OptInStatus": "opt-in-not-required",
        "State": "available",
        "Messages": [],
    }


# --- the account --------------------------------------------------------------------------------
def describe_account_attributes(call: Call) -> Shape:
    """DescribeAccountAttributes: quotas, and which VPC is the default one.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    default = default_vpc(call.txn)
    values = {
        "supported-platforms": "VPC",
        "default-vpc": default.id if default else "none",
        "max-instances": str(MAX_INSTANCES),
        "vpc-max-security-groups-per-interface": str(MAX_GROUPS),
        "max-elastic-ips": str(MAX_ADDRESSES),
        "vpc-max-elastic-ips": str(MAX_ADDRESSES),
    }
    names = call.get("AttributeNames") or values
    for name in names:
        if name not in values:
            raise invalid_value("attributeName", name)
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": values[name]}]}
            for name in names
        ]
    }


ID_TYPES = (
    "bundle",
    "conversion-task",
    "customer-gateway",
    "dhcp-options",
    "elastic-ip-allocation",
    "elastic-ip-association",
    "export-task",
    "flow-log",
    "image",
    "import-task",
    "instance",
    "internet-gateway",
    "network-acl",
    "network-acl-association",
    "network-interface",
    "network-interface-attachment",
    "prefix-list",
    "reservation",
    "route-table",
    "route-table-association",
    "security-group",
    "snapshot",
    "subnet",
    "subnet-cidr-block-association",
    "volume",
    "vpc",
    "vpc-cidr-block-association",
    "vpc-endpoint",
    "vpc-peering-connection",
    "vpn-connection",
    "vpn-gateway",
)
"""Types whose ids once were shorter; all have 17 digits now."""


def describe_id_format(call: Call) -> Shape:
    """DescribeIdFormat, of one type or all.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    asked = call.get("Resource")
    if asked is not None and asked not in ID_TYPES:
        raise invalid_value("resource", asked)
    return {"Statuses": _formats(ID_TYPES if asked is None else (asked,))}


def describe_aggregate_id_format(call: Call) -> Shape:
    """DescribeAggregateIdFormat: long ids everywhere."""
    return {"UseLongIdsAggregated": True, "Statuses": _formats(ID_TYPES)}


def _formats(types: Iterable[str]) -> list[Shape]:
    return [{"Resource": name, "UseLongIds": True} for name in types]


_READS = {
    "DescribeAccountAttributes": describe_account_attributes,
    "DescribeIdFormat": describe_id_format,
    "DescribeAggregateIdFormat": describe_aggregate_id_format,
}

KIND: Kind[Resource] = Kind(
    row=None,
    actions=_READS,
    reads=frozenset(_READS),
    listings=(
        Listing(
            action="DescribeRegions",
            result="Regions",
            show=show_region,
            rows=_regions,
            selectors={
                "RegionNames": Selector(
                    path="RegionName",
                    code="InvalidParameterValue",
                    message="Invalid region name: [{}]",
                )
            },
        ),
        Listing(
            action="DescribeAvailabilityZones",
            result="AvailabilityZones",
            show=show_zone,
            rows=_zones,
            paths={"message": "Messages[].Message"},
            selectors={
                "ZoneNames": Selector(
                    path="ZoneName",
                    code="InvalidParameterValue",
                    message="Invalid availability zone: [{}]",
                ),
                "ZoneIds": Selector(
                    path="ZoneId",
                    code="InvalidParameterValue",
                    message="Invalid availability zone-id: [{}]",
                ),
            },
        ),
    ),
)
