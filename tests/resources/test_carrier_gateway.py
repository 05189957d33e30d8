"""Carrier gateways: one a VPC, and routes to it."""

from __future__ import annotations

from gureum.program import Beyond, Blackhole, Route
from tests.conftest import Cloud
from tests.resources.building import make_vpc, only, settle
from tests.resources.routing import make_table, refusal, table


def test_a_carrier_gateway_comes_and_goes(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tags = [{"ResourceType": "carrier-gateway", "Tags": [{"Key": "a", "Value": "b"}]}]
    asked = {"VpcId": vpc, "TagSpecifications": tags, "ClientToken": "once"}
    made = cloud.call("CreateCarrierGateway", **asked)["CarrierGateway"]
    key = made["CarrierGatewayId"]
    assert key.startswith("cagw-")
    assert made == {
        "CarrierGatewayId": key,
        "VpcId": vpc,
        "State": "pending",
        "OwnerId": "123456789012",
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert cloud.call("CreateCarrierGateway", **asked)["CarrierGateway"] == made
    assert refusal(cloud, "CreateCarrierGateway", VpcId=vpc)[0] == "Resource.AlreadyAssociated"
    settle(cloud)
    shown = cloud.call("DescribeCarrierGateways", Filters=only({"state": "available"}))
    assert shown["CarrierGateways"] == [made | {"State": "available"}]
    assert refusal(cloud, "DeleteVpc", VpcId=vpc)[0] == "DependencyViolation"
    gone = cloud.call("DeleteCarrierGateway", CarrierGatewayId=key)["CarrierGateway"]
    assert gone["State"] == "deleting"
    assert refusal(cloud, "DeleteCarrierGateway", CarrierGatewayId=key)[0] == (
        "InvalidCarrierGatewayID.NotFound"
    )
    cloud.call("DeleteVpc", VpcId=vpc)


def test_routes_lead_to_it_until_it_is_gone(cloud: Cloud) -> None:
    vpc, other = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    made = cloud.call("CreateCarrierGateway", VpcId=vpc)["CarrierGateway"]
    key, rtb = made["CarrierGatewayId"], make_table(cloud, vpc)
    route = {"DestinationCidrBlock": "0.0.0.0/0", "CarrierGatewayId": key}
    cloud.call("CreateRoute", RouteTableId=rtb, **route)
    foreign = {"RouteTableId": make_table(cloud, other), **route}
    assert refusal(cloud, "CreateRoute", **foreign)[0] == "InvalidParameterValue"

    def shown() -> dict[str, str]:
        return next(
            each
            for each in table(cloud, rtb)["Routes"]
            if each["DestinationCidrBlock"] == "0.0.0.0/0"
        )

    def leads() -> object:
        said = cloud.program().statements
        routes = [each for each in said if isinstance(each, Route) and each.table.id == rtb]
        return next(each.target for each in routes if each.destination == "0.0.0.0/0")

    assert (shown()["CarrierGatewayId"], shown()["State"]) == (key, "active")
    assert leads() == Beyond(key)
    cloud.call("DeleteCarrierGateway", CarrierGatewayId=key)
    assert (shown()["CarrierGatewayId"], shown()["State"]) == (key, "blackhole")
    assert leads() == Blackhole(key)
