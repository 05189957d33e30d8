"""DHCP options: the set that AWS provides in each region."""

from __future__ import annotations

import pytest

from gureum.errors import ApiError
from gureum.program import Machine
from tests.conftest import Cloud
from tests.resources.building import make_vpc, only
from tests.resources.routing import refusal
from tests.resources.test_instance import one, said


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


def make_options(cloud: Cloud, **options: str | list[str]) -> str:
    """The id of a new set; ``_`` stands for ``-`` in its options' names."""
    given = [
        {"Key": name.replace("_", "-"), "Values": [value] if isinstance(value, str) else value}
        for name, value in options.items()
    ]
    return str(
        cloud.call("CreateDhcpOptions", DhcpConfigurations=given)["DhcpOptions"]["DhcpOptionsId"]
    )


def test_a_set_of_ones_own(cloud: Cloud) -> None:
    tags = [{"Key": "Name", "Value": "corp"}]
    configurations = [
        {"Key": "domain-name", "Values": ["corp.example lab.example"]},
        {"Key": "domain-name-servers", "Values": ["10.0.0.53, 10.0.1.53", "2001:db8::53"]},
        {"Key": "ntp-servers", "Values": ["169.254.169.123"]},
        {"Key": "netbios-name-servers", "Values": ["10.0.0.9"]},
        {"Key": "netbios-node-type", "Values": ["2"]},
        {"Key": "ipv6-address-preferred-lease-time", "Values": ["140"]},
    ]
    made = cloud.call(
        "CreateDhcpOptions",
        DhcpConfigurations=configurations,
        TagSpecifications=[{"ResourceType": "dhcp-options", "Tags": tags}],
    )["DhcpOptions"]
    servers = ["10.0.0.53", "10.0.1.53", "2001:db8::53"]
    configurations[1]["Values"] = servers
    assert made["DhcpConfigurations"] == [
        {"Key": item["Key"], "Values": [{"Value": value} for value in item["Values"]]}
        for item in configurations
    ]
    assert made["Tags"] == tags
    for filters in ({"key": "ntp-servers"}, {"value": "2001:db8::53"}, {"tag:Name": "corp"}):
        found = cloud.call("DescribeDhcpOptions", Filters=only(filters))["DhcpOptions"]
        assert found == [made]


@pytest.mark.parametrize(
    "options",
    [
        {"domain_names": "corp.example"},
        {"domain_name": "corp example!"},
        {"domain_name": ["a", "b"]},
        {"domain_name_servers": "ns.example"},
        {"domain_name_servers": [f"10.0.0.{number}" for number in range(1, 6)]},
        {"ntp_servers": "AmazonProvidedDNS"},
        {"netbios_name_servers": "2001:db8::1"},
        {"netbios_node_type": "3"},
        {"ipv6_address_preferred_lease_time": "139"},
    ],
)
def test_options_that_are_refused(cloud: Cloud, options: dict[str, str]) -> None:
    with pytest.raises(ApiError) as caught:
        make_options(cloud, **options)
    assert caught.value.code == "InvalidParameterValue"


def test_an_option_given_twice_or_without_a_value_is_refused(cloud: Cloud) -> None:
    one = {"Key": "netbios-node-type", "Values": ["2"]}
    for given, code in (
        ([one, one], "InvalidParameterValue"),
        ([{"Key": "ntp-servers"}], "MissingParameter"),
    ):
        assert refusal(cloud, "CreateDhcpOptions", DhcpConfigurations=given)[0] == code


def options_of(cloud: Cloud, vpc: str) -> str:
    (shape,) = cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    return str(shape["DhcpOptionsId"])


def test_association_and_deletion(cloud: Cloud) -> None:
    vpc, key = make_vpc(cloud), make_options(cloud, domain_name="corp.example")
    cloud.call("AssociateDhcpOptions", DhcpOptionsId=key, VpcId=vpc)
    assert options_of(cloud, vpc) == key
    found = cloud.call("DescribeVpcs", Filters=only({"dhcp-options-id": key}))["Vpcs"]
    assert [each["VpcId"] for each in found] == [vpc]
    assert refusal(cloud, "DeleteDhcpOptions", DhcpOptionsId=key)[0] == "DependencyViolation"
    cloud.call("AssociateDhcpOptions", DhcpOptionsId="default", VpcId=vpc)
    assert options_of(cloud, vpc) == "default"
    cloud.call("DeleteDhcpOptions", DhcpOptionsId=key)
    asked = {"DhcpOptionsId": key, "VpcId": vpc}
    assert refusal(cloud, "AssociateDhcpOptions", **asked)[0] == "InvalidDhcpOptionID.NotFound"
    assert refusal(cloud, "DeleteDhcpOptions", DhcpOptionsId=key)[0] == (
        "InvalidDhcpOptionID.NotFound"
    )


@pytest.mark.parametrize(
    ("options", "resolvers", "search", "domain"),
    [
        ({"domain_name_servers": "AmazonProvidedDNS"}, ("172.31.0.2",), (), ""),
        (
            {"domain_name": "a.example b.example", "domain_name_servers": "10.0.0.53"},
            ("10.0.0.53",),
            ("a.example", "b.example"),
            "a.example",
        ),
        (
            {"domain_name": "a.example", "domain_name_servers": ["AmazonProvidedDNS", "10.0.0.53"]},
            ("172.31.0.2", "10.0.0.53"),
            ("a.example",),
            "",
        ),
        (None, (), (), ""),
    ],
)
def test_instances_are_told(
    cloud: Cloud,
    options: dict[str, str | list[str]] | None,
    resolvers: tuple[str, ...],
    search: tuple[str, ...],
    domain: str,
) -> None:
    made = one(cloud)
    key = make_options(cloud, **options) if options else "default"
    cloud.call("AssociateDhcpOptions", DhcpOptionsId=key, VpcId=made["VpcId"])
    (machine,) = said(cloud, Machine, made["InstanceId"])
    assert (machine.resolvers, machine.search) == (resolvers, search)
    short, _, usual = made["PrivateDnsName"].partition(".")
    assert machine.hostname == f"{short}.{domain or usual}"
