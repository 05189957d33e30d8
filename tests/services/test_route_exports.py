"""Exported routes of transit gateways, as objects and as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gureum.services.route_exports import MOST, RouteExports
from tests.conftest import Cloud
from tests.resources.building import only
from tests.resources.routing import refusal
from tests.resources.transit import Star, make_star


@pytest.fixture
def star(cloud: Cloud) -> Star:
    return make_star(cloud)


def exported(cloud: Cloud, table: str, root: Path, **filters: str) -> dict[str, Any]:
    """What is in the file of an export."""
    named = {name.replace("__", ".").replace("_", "-"): value for name, value in filters.items()}
    asked = {"TransitGatewayRouteTableId": table, "S3Bucket": "our-routes"}
    answer = cloud.call("ExportTransitGatewayRoutes", **asked, Filters=only(named))
    where = answer["S3Location"].removeprefix("s3://")
    assert where.startswith(f"our-routes/VPCTransitGateway/TransitGatewayRouteTables/{table}_")
    found: dict[str, Any] = json.loads((root / where).read_text(encoding="utf-8"))
    return found


def test_routes_are_written_to_a_file(cloud: Cloud, star: Star, tmp_path: Path) -> None:
    RouteExports(tmp_path, cloud.store)
    whole = exported(cloud, star.table, tmp_path)
    assert whole["filter"] == []
    assert whole["routes"][0] == {
        "destinationCidrBlock": "10.0.0.0/16",
        "type": "propagated",
        "state": "active",
        "transitGatewayAttachments": [
            {
                "transitGatewayAttachmentId": star.attachments[0],
                "resourceId": star.vpcs[0],
                "resourceType": "vpc",
            }
        ],
    }
    assert len(whole["routes"]) == 2
    cloud.now = "2026-11-24T08:00:01.000Z"
    some = exported(cloud, star.table, tmp_path, route_search__supernet_of_match="10.1.2.0/24")
    assert [each["destinationCidrBlock"] for each in some["routes"]] == ["10.1.0.0/16"]
    assert some["filter"] == [{"name": "route-search.supernet-of-match", "values": ["10.1.2.0/24"]}]
    cloud.now = "2026-11-24T08:00:02.000Z"
    block = {"transit_gateway_route_destination_cidr_block": "10.0.*", "type": "propagated"}
    assert len(exported(cloud, star.table, tmp_path, **block)["routes"]) == 1


def test_what_was_owed_is_written_at_the_start(cloud: Cloud, star: Star, tmp_path: Path) -> None:
    asked = {"TransitGatewayRouteTableId": star.table, "S3Bucket": "our-routes"}
    for second in range(MOST + 2):
        cloud.now = f"2026-11-24T08:{second // 60:02}:{second % 60:02}.000Z"
        cloud.call("ExportTransitGatewayRoutes", **asked)
    RouteExports(tmp_path, cloud.store)
    assert len(list(tmp_path.glob("**/*.json"))) == MOST
    assert list(tmp_path.glob("**/*.part")) == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"S3Bucket": "../up"}, "InvalidParameterValue"),
        ({"S3Bucket": "a"}, "InvalidParameterValue"),
        ({"Filters": only({"colour": "red"})}, "InvalidParameterValue"),
        (
            {"TransitGatewayRouteTableId": "tgw-rtb-0123456789abcdef0"},
            "InvalidRouteTableID.NotFound",
        ),
    ],
)
def test_exports_that_are_refused(
    cloud: Cloud, star: Star, more: dict[str, Any], code: str
) -> None:
    asked = {"TransitGatewayRouteTableId": star.table, "S3Bucket": "our-routes", **more}
    assert refusal(cloud, "ExportTransitGatewayRoutes", **asked)[0] == code


def test_a_bucket_name_leads_nowhere_else(cloud: Cloud, star: Star) -> None:
    for name in ("..", "a/../b", "a..", "/etc"):
        asked = {"TransitGatewayRouteTableId": star.table, "S3Bucket": name}
        assert refusal(cloud, "ExportTransitGatewayRoutes", **asked)[0] == "InvalidParameterValue"
