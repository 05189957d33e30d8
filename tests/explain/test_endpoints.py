"""Packets to services behind VPC endpoints: the way is there, and nobody answers."""

from __future__ import annotations

from gureum.explain import told_anew
from gureum.explain.codes import Code
from tests.explain.test_prefix_lists import found
from tests.explain.test_walk import Shop, shop

__all__ = ["shop"]

REGION = "com.amazonaws.ap-northeast-2"


def test_a_packet_to_s3_ends_at_the_gateway_endpoint(shop: Shop) -> None:
    made = shop.cloud.call(
        "CreateVpcEndpoint",
        VpcId=shop.vpc,
        ServiceName=f"{REGION}.s3",
        RouteTableIds=[shop.table],
    )["VpcEndpoint"]
    key = made["VpcEndpointId"]
    answer = shop.ask(shop.web, "198.19.248.9", 443)
    (block,) = answer.forth.blocks()
    assert block.code is Code.NO_POSSIBLE_DESTINATION
    assert block.by == (shop.table, key)
    assert block.said == (
        f"198.19.248.0/22 -> {key}: the service behind the endpoint is not part of this cloud"
    )
    explanations = found(shop, shop.web, "198.19.248.9", 443)["Explanations"]
    assert explanations[0]["ExplanationCode"] == "NO_POSSIBLE_DESTINATION"


def test_a_packet_to_an_interface_endpoint_finds_nobody(shop: Shop) -> None:
    (subnet,) = shop.cloud.call("DescribeInstances", InstanceIds=[shop.db])["Reservations"][0][
        "Instances"
    ]
    made = shop.cloud.call(
        "CreateVpcEndpoint",
        VpcId=shop.vpc,
        VpcEndpointType="Interface",
        ServiceName=f"{REGION}.sts",
        SubnetIds=[subnet["SubnetId"]],
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]
    (eni,) = shop.cloud.call(
        "DescribeNetworkInterfaces", NetworkInterfaceIds=made["NetworkInterfaceIds"]
    )["NetworkInterfaces"]
    answer = told_anew(shop.cloud.store.view, shop.ask(shop.db, eni["PrivateIpAddress"], 443))
    block = list(answer.forth.blocks())[-1]
    assert block.by[0] == made["VpcEndpointId"]
    assert block.said.endswith(f"nobody serves {REGION}.sts here")
