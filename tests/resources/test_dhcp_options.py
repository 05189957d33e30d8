"""DHCP options: the set that AWS provides in each region."""

from __future__ import annotations

import pytest

from tests.conftest import Cloud
from tests.resources.building import make_vpc, only
from tests.resources.routing import refusal


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("ap-northeast-2", "ap-northeast-2.compute.internal"),
        ("us-east-1", "ec2.internal"),
    ],
)
def test_the_provided_set(cloud: Cloud, region: str, domain: str) -> None:
    cloud.region = region
    (shape,) = cloud.call("DescribeDhcpOptions")["DhcpOptions"]
    key = shape["DhcpOptionsId"]
    assert shape == {
        "DhcpOptionsId": key,
        "OwnerId": "123456789012",
        "DhcpConfigurations": [
            {"Key": "domain-name", "Values": [{"Value": domain}]},
            {"Key": "domain-name-servers", "Values": [{"Value": "AmazonProvidedDNS"}]},
        ],
        "Tags": [],
    }
    make_vpc(cloud)
    assert {vpc["DhcpOptionsId"] for vpc in cloud.call("DescribeVpcs")["Vpcs"]} == {key}


def test_filters_and_ids(cloud: Cloud) -> None:
    (shape,) = cloud.call("DescribeDhcpOptions")["DhcpOptions"]
    key = shape["DhcpOptionsId"]
    for filters, count in (
        ({"dhcp-options-id": key}, 1),
        ({"key": "domain-name"}, 1),
        ({"key": "ntp-servers"}, 0),
        ({"value": "AmazonProvidedDNS"}, 1),
        ({"value": "domain-name"}, 0),
        ({"owner-id": "123456789012"}, 1),
    ):
        found = cloud.call("DescribeDhcpOptions", Filters=only(filters))["DhcpOptions"]
        assert len(found) == count
    found = cloud.call("DescribeDhcpOptions", DhcpOptionsIds=[key])["DhcpOptions"]
    assert found == [shape]
    assert refusal(cloud, "DescribeDhcpOptions", DhcpOptionsIds=["dopt-00000000000000001"]) == (
        "InvalidDhcpOptionID.NotFound",
        "The dhcpOption ID 'dopt-00000000000000001' does not exist",
    )
    code, _ = refusal(cloud, "DescribeDhcpOptions", DhcpOptionsIds=["dopt-1"])
    assert code == "InvalidDhcpOptionsId.Malformed"
