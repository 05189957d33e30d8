"""Route tables for tests: made, and shown in few words."""

from __future__ import annotations

from typing import Any

from tests.conftest import Cloud
from tests.resources.building import only


def make_table(cloud: Cloud, vpc: str, **more: Any) -> str:
    """The id of a new route table."""
    return str(cloud.call("CreateRouteTable", VpcId=vpc, **more)["RouteTable"]["RouteTableId"])


def table(cloud: Cloud, key: str) -> dict[str, Any]:
    """A route table as the API shows it."""
    (shape,) = cloud.call("DescribeRouteTables", RouteTableIds=[key])["RouteTables"]
    return dict(shape)


def tables(cloud: Cloud, **filters: str) -> list[dict[str, Any]]:
    """The route tables that pass filters; ``_`` stands for ``-`` and ``__`` for ``.``."""
    named = {name.replace("__", ".").replace("_", "-"): value for name, value in filters.items()}
    shapes: list[dict[str, Any]] = cloud.call("DescribeRouteTables", Filters=only(named))[
        "RouteTables"
    ]
    return shapes


def main_of(cloud: Cloud, vpc: str) -> dict[str, Any]:
    """The main table of a VPC, asked for as Terraform does."""
    (shape,) = tables(cloud, association__main="true", vpc_id=vpc)
    return shape


def routes(cloud: Cloud, key: str) -> dict[str, str]:
    """The routes of a table: destination to target and state."""
    targets = ("GatewayId", "NatGatewayId", "NetworkInterfaceId", "TransitGatewayId")
    found = {}
    for route in table(cloud, key)["Routes"]:
        (target,) = (route[name] for name in targets if name in route)
        found[route["DestinationCidrBlock"]] = f"{target} {route['State']}"
    return found


def refusal(cloud: Cloud, action: str, **params: Any) -> tuple[str, str]:
    """Code and message of a refused action."""
    error = cloud.error(action, **params)
    return error.code, error.message
