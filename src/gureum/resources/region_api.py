"""What the API tells about regions, zones and the account: facts that nobody made or can change.

Sources: EC2 API Reference, DescribeRegions, DescribeAvailabilityZones, DescribeAccountAttributes;
EC2 User Guide, "Regions and Zones".
"""

from __future__ import annotations

from dataclasses import dataclass

from gureum.errors import ApiError, invalid_value
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


def zone_group(region: str) -> str:
    """The name of the group that all zones of a region are in."""
    return f"{region}-zg-1"


def show_zone(place: Place, view: View) -> Shape:
    """The API's ``AvailabilityZone`` structure."""
    return {
        "ZoneName": place.id,
        "ZoneId": zone_id(place.id),
        "ZoneType": "availability-zone",
        "RegionName": place.region,
        "GroupName": zone_group(place.region),
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


def modify_zone_group(call: Call) -> Shape:
    """ModifyAvailabilityZoneGroup: the zones of a region are opted into, and stay so.

    Raises:
        ApiError: ``InvalidParameterValue``, ``OperationNotPermitted``.
    """
    name, status = call.params["GroupName"], call.params["OptInStatus"]
    if name != zone_group(call.region):
        raise invalid_value("groupName", name, "There is no such zone group in the region.")
    if status not in ("opted-in", "not-opted-in"):
        raise invalid_value("optInStatus", status)
    if status == "not-opted-in":
        raise ApiError("OperationNotPermitted", f"The zone group {name} cannot be opted out of.")
    return {"Return": True}


KIND: Kind[Resource] = Kind(
    row=None,
    actions={
        "DescribeAccountAttributes": describe_account_attributes,
        "ModifyAvailabilityZoneGroup": modify_zone_group,
    },
    reads=frozenset({"DescribeAccountAttributes"}),
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
