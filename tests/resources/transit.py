"""Building blocks for tests of transit gateways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.conftest import Cloud
from tests.resources.building import make_subnet, make_vpc, settle


def make_transit(cloud: Cloud, **options: Any) -> str:
    """The id of a new transit gateway that is available."""
    answer = cloud.call("CreateTransitGateway", Options=options)
    settle(cloud)
    return str(answer["TransitGateway"]["TransitGatewayId"])


def gateway(cloud: Cloud, key: str) -> dict[str, Any]:
    """A transit gateway as the API shows it."""
    (shape,) = cloud.call("DescribeTransitGateways", TransitGatewayIds=[key])["TransitGateways"]
    found: dict[str, Any] = shape
    return found


def default_table(cloud: Cloud, key: str) -> str:
    """The id of a gateway's default association table."""
    return str(gateway(cloud, key)["Options"]["AssociationDefaultRouteTableId"])


def attach(cloud: Cloud, gateway: str, vpc: str, *subnets: str, **options: Any) -> str:
    """The id of a new attachment that is available."""
    answer = cloud.call(
        "CreateTransitGatewayVpcAttachment",
        TransitGatewayId=gateway,
        VpcId=vpc,
        SubnetIds=list(subnets),
        Options=options,
    )
    settle(cloud)
    return str(answer["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])


def attachment(cloud: Cloud, key: str) -> dict[str, Any]:
    """An attachment as DescribeTransitGatewayAttachments shows it."""
    answer = cloud.call("DescribeTransitGatewayAttachments", TransitGatewayAttachmentIds=[key])
    (shape,) = answer["TransitGatewayAttachments"]
    found: dict[str, Any] = shape
    return found


def new_table(cloud: Cloud, gateway: str) -> str:
    """The id of a new route table that is available."""
    answer = cloud.call("CreateTransitGatewayRouteTable", TransitGatewayId=gateway)
    settle(cloud)
    return str(answer["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"])


def found(cloud: Cloud, table: str, **filters: str) -> dict[str, str]:
    """Routes of a table: destination to type, state and attachment.  Filters are given with
    underscores for dashes and two for dots; the API wants one at least."""
    filters = filters or {"state": "*"}
    asked = [
        {"Name": name.replace("__", ".").replace("_", "-"), "Values": [value]}
        for name, value in filters.items()
    ]
    answer = cloud.call(
        "SearchTransitGatewayRoutes", TransitGatewayRouteTableId=table, Filters=asked
    )
    return {
        route["DestinationCidrBlock"]: " ".join(
            (
                route["Type"],
                route["State"],
                *(
                    each["TransitGatewayAttachmentId"]
                    for each in route.get("TransitGatewayAttachments", ())
                ),
            )
        )
        for route in answer["Routes"]
    }


@dataclass(frozen=True)
class Star:
    """A gateway with two VPCs, 10.0.0.0/16 and 10.1.0.0/16, in its default table."""

    gateway: str
    table: str
    vpcs: tuple[str, str]
    subnets: tuple[str, str]
    attachments: tuple[str, str]


def make_star(cloud: Cloud) -> Star:
    """Two VPCs on a new gateway."""
    gateway = make_transit(cloud)
    one, two = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    zone = "ap-northeast-2a"
    subnets = (
        make_subnet(cloud, one, AvailabilityZone=zone),
        make_subnet(cloud, two, "10.1.1.0/24", AvailabilityZone=zone),
    )
    return Star(
        gateway,
        default_table(cloud, gateway),
        (one, two),
        subnets,
        (attach(cloud, gateway, one, subnets[0]), attach(cloud, gateway, two, subnets[1])),
    )
