"""The pool of public addresses: one for all accounts, and none given out twice."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.kind import Call
from gureum.model import Txn
from gureum.program import PublicAddress
from gureum.resources import public_ip
from gureum.resources.network_interface import NetworkInterface, assign_public, release_public
from gureum.resources.public_ip import Association, PublicIp, public_dns
from tests.conftest import Cloud
from tests.resources.building import (
    make_address,
    make_gateway,
    make_interface,
    make_subnet,
    make_vpc,
    plug_in,
    said,
)


def call(txn: Txn) -> Call:
    return Call("", {}, txn, "2026-11-24T08:00:00.000Z")


def interface(cloud: Cloud) -> str:
    vpc = make_vpc(cloud)
    make_gateway(cloud, vpc)
    return str(make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"])


def test_an_address_is_taken_for_every_account_and_region(cloud: Cloud) -> None:
    ip = make_address(cloud)["PublicIp"]
    cloud.account, cloud.region = "210987654321", "us-east-1"
    error = cloud.error("AllocateAddress", Address=ip)
    assert error.code == "InvalidAddress.NotFound"
    assert cloud.call("DescribeAddresses")["Addresses"] == []


def test_edges_of_a_24_are_not_given_out(cloud: Cloud) -> None:
    for ip in ("198.18.5.0", "198.18.5.255"):
        assert cloud.error("AllocateAddress", Address=ip).code == "InvalidAddress.NotFound"


def test_a_pool_that_runs_dry(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_ip, "POOL", IPv4Network("198.18.9.0/30"))
    given = {make_address(cloud)["PublicIp"] for _ in range(3)}
    assert given == {"198.18.9.1", "198.18.9.2", "198.18.9.3"}
    error = cloud.error("AllocateAddress")
    assert error.code == "InsufficientAddressCapacity"


def test_an_address_of_awss_own_comes_and_goes(cloud: Cloud) -> None:
    key = interface(cloud)
    ip = cloud.system(lambda txn: assign_public(call(txn), txn.get(NetworkInterface, key)))
    assert IPv4Address(ip) in public_ip.POOL
    shown = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[key])
    assert shown["NetworkInterfaces"][0]["Association"] == {
        "PublicIp": ip,
        "PublicDnsName": "",
        "IpOwnerId": "amazon",
    }
    assert cloud.call("DescribeAddresses")["Addresses"] == []  # it is nobody's Elastic IP
    again = cloud.system(lambda txn: assign_public(call(txn), txn.get(NetworkInterface, key)))
    assert again is None
    cloud.system(lambda txn: release_public(txn, txn.get(NetworkInterface, key)))
    assert not list(cloud.store.view.all(PublicIp))
    assert not list(cloud.store.view.all(Association))


def test_without_a_gateway_an_address_leads_nowhere(cloud: Cloud) -> None:
    """AWS gives a public address in a network without internet gateway all the same."""
    vpc = make_vpc(cloud)
    key = str(make_interface(cloud, make_subnet(cloud, vpc))["NetworkInterfaceId"])
    plug_in(cloud, key)
    ip = cloud.system(lambda txn: assign_public(call(txn), txn.get(NetworkInterface, key)))
    assert said(cloud, {vpc: "VPC"}, PublicAddress) == ""
    gateway = make_gateway(cloud, vpc)
    names = {vpc: "VPC", gateway: "IGW"}
    assert said(cloud, names, PublicAddress).startswith("PublicAddress gateway=IGW router=VPC ")
    assert f" public={ip} " in said(cloud, names, PublicAddress)


def test_it_has_a_name_where_the_vpc_has_names(cloud: Cloud) -> None:
    key = interface(cloud)
    ip = cloud.system(lambda txn: assign_public(call(txn), txn.get(NetworkInterface, key)))

    def shown() -> dict[str, Any]:
        found = cloud.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[key])
        shape: dict[str, Any] = found["NetworkInterfaces"][0]
        return shape

    eni = shown()
    assert (eni["PublicDnsName"], eni["Association"]["PublicDnsName"]) == ("", "")
    cloud.call("ModifyVpcAttribute", VpcId=eni["VpcId"], EnableDnsHostnames={"Value": True})
    name = public_dns("ap-northeast-2", ip)
    assert shown()["PublicDnsName"] == name
    assert shown()["PrivateIpAddresses"][0]["Association"]["PublicDnsName"] == name


def test_an_elastic_ip_takes_its_place(cloud: Cloud) -> None:
    key = interface(cloud)
    ip = cloud.system(lambda txn: assign_public(call(txn), txn.get(NetworkInterface, key)))
    address = make_address(cloud)
    cloud.call("AssociateAddress", AllocationId=address["AllocationId"], NetworkInterfaceId=key)
    taken = {row.ip for row in cloud.store.view.all(PublicIp)}
    assert taken == {address["PublicIp"]}
    cloud.system(lambda txn: release_public(txn, txn.get(NetworkInterface, key)))
    assert {row.ip for row in cloud.store.view.all(Association)} == {address["PublicIp"]}
    assert ip != address["PublicIp"]


def test_it_goes_with_the_interface(cloud: Cloud) -> None:
    key = interface(cloud)
    cloud.system(lambda txn: assign_public(call(txn), txn.get(NetworkInterface, key)))
    cloud.call("DeleteNetworkInterface", NetworkInterfaceId=key)
    assert not list(cloud.store.view.all(PublicIp))


def test_a_holder_must_exist(cloud: Cloud) -> None:
    with pytest.raises(ApiError) as caught:
        cloud.system(lambda txn: public_ip.allocate(call(txn), "eni-0123456789abcdef0"))
    assert caught.value.code == "InvalidNetworkInterfaceID.NotFound"


@pytest.mark.parametrize(
    ("region", "name"),
    [
        ("us-east-1", "ec2-198-18-1-2.compute-1.amazonaws.com"),
        ("ap-northeast-2", "ec2-198-18-1-2.ap-northeast-2.compute.amazonaws.com"),
    ],
)
def test_public_names(region: str, name: str) -> None:
    assert public_dns(region, "198.18.1.2") == name
