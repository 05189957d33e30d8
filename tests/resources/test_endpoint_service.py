"""Endpoint services: what an endpoint can lead to."""

from __future__ import annotations

from tests.conftest import Cloud
from tests.resources.building import only
from tests.resources.routing import refusal

S3 = "com.amazonaws.ap-northeast-2.s3"


def test_the_services_of_a_region(cloud: Cloud) -> None:
    answer = cloud.call("DescribeVpcEndpointServices")
    assert len(answer["ServiceDetails"]) > len(answer["ServiceNames"]) > 20
    assert {S3, "com.amazonaws.ap-northeast-2.sts"} <= set(answer["ServiceNames"])
    gateways = cloud.call("DescribeVpcEndpointServices", Filters=only({"service-type": "Gateway"}))
    assert gateways["ServiceNames"] == ["com.amazonaws.ap-northeast-2.dynamodb", S3]
    (detail,) = cloud.call(
        "DescribeVpcEndpointServices",
        ServiceNames=[S3],
        Filters=only({"service-type": "Gateway", "owner": "amazon"}),
    )["ServiceDetails"]
    assert detail["ServiceType"] == [{"ServiceType": "Gateway"}]
    assert detail["VpcEndpointPolicySupported"] is True
    assert detail["AvailabilityZones"][0] == "ap-northeast-2a"


def test_names_and_private_names(cloud: Cloud) -> None:
    name = "com.amazonaws.ap-northeast-2.ecr.api"
    (detail,) = cloud.call("DescribeVpcEndpointServices", ServiceNames=[name])["ServiceDetails"]
    assert detail["BaseEndpointDnsNames"] == ["api.ecr.ap-northeast-2.vpce.amazonaws.com"]
    assert detail["PrivateDnsName"] == "api.ecr.ap-northeast-2.amazonaws.com"


def test_an_unknown_service(cloud: Cloud) -> None:
    assert refusal(cloud, "DescribeVpcEndpointServices", ServiceNames=["com.example"]) == (
        "InvalidServiceName",
        "The Vpc Endpoint Service 'com.example' does not exist",
    )


def test_pages_name_the_services_that_they_hold(cloud: Cloud) -> None:
    first = cloud.call("DescribeVpcEndpointServices", MaxResults=5)
    assert len(first["ServiceDetails"]) == 5
    assert set(first["ServiceNames"]) == {each["ServiceName"] for each in first["ServiceDetails"]}
    second = cloud.call("DescribeVpcEndpointServices", NextToken=first["NextToken"])
    assert {each["ServiceId"] for each in second["ServiceDetails"]}.isdisjoint(
        each["ServiceId"] for each in first["ServiceDetails"]
    )
