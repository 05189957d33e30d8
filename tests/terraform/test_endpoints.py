"""Terraform's VPC endpoints, endpoint services and VPNs: apply, no drift, change, destroy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.daemon import Daemon
from tests.terraform.test_terraform import Terraform, daemon, terraform

__all__ = ["daemon", "terraform"]

pytestmark = [pytest.mark.terraform, pytest.mark.kernel, pytest.mark.timeout(600)]

WIDE = ("-var", "wide=true", "-var", 'sites=["192.168.0.0/16", "172.21.0.0/16"]')


def routes(ec2: Any, table: str) -> dict[str, tuple[str, str]]:
    """The routes of a table but the local one: gateway and state by destination."""
    (shown,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return {
        route.get("DestinationPrefixListId") or route["DestinationCidrBlock"]: (
            route["GatewayId"],
            route["State"],
        )
        for route in shown["Routes"]
        if route["GatewayId"] != "local"
    }


@pytest.mark.parametrize("terraform", ["endpoints.tf"], indirect=True)
def test_endpoints_and_vpns(terraform: Terraform, daemon: Daemon) -> None:
    once = ("-auto-approve", "-input=false", "-parallelism=20")
    terraform.must("apply", *once)
    plan = terraform("plan", "-detailed-exitcode", "-input=false")
    assert plan.returncode == 0, plan.stdout[-4000:]
    made, ec2 = terraform.outputs(), daemon.ec2()
    assert routes(ec2, made["table"]) == {
        made["prefix_list"]: (made["s3"], "active"),
        "172.20.0.0/16": (made["gateway"], "active"),
        "192.168.0.0/16": (made["gateway"], "active"),
    }
    assert made["names"] == ["sts.ap-northeast-2.amazonaws.com"]
    states = {each["State"] for each in ec2.describe_vpc_endpoints()["VpcEndpoints"]}
    assert states == {"available"}
    terraform.must("apply", *once, *WIDE)
    plan = terraform("plan", "-detailed-exitcode", "-input=false", *WIDE)
    assert plan.returncode == 0, plan.stdout[-4000:]
    assert "172.21.0.0/16" in routes(ec2, made["table"])
    terraform.must("destroy", *once, *WIDE)
    assert [vpc["CidrBlock"] for vpc in ec2.describe_vpcs()["Vpcs"]] == ["172.31.0.0/16"]
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    assert {each["State"] for each in ec2.describe_vpn_gateways()["VpnGateways"]} == {"deleted"}
