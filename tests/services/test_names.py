"""What a VPC's resolver knows: by attribute, by instance, by who asks."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.resources import internet_host, vpc_peering
from gureum.resources.instance import observed
from gureum.services.names import leading_to, look_up, zone
from tests.conftest import Cloud
from tests.resources import transit
from tests.resources.building import settle
from tests.resources.test_instance import image, show

DOMAIN = "ap-northeast-2.compute.internal"


def _vpc(cloud: Cloud, cidr: str = "10.0.0.0/16", *, names: bool = True) -> tuple[str, str]:
    """A VPC with a gateway, and a subnet that gives public addresses."""
    vpc = str(cloud.call("CreateVpc", CidrBlock=cidr)["Vpc"]["VpcId"])
    if names:
        cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = cloud.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    cloud.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    subnet = cloud.call("CreateSubnet", VpcId=vpc, CidrBlock=cidr.replace("/16", "/24"))
    return vpc, str(subnet["Subnet"]["SubnetId"])


def _launch(cloud: Cloud, subnet: str, ip: str = "10.0.0.10", **more: Any) -> dict[str, Any]:
    eni = {
        "DeviceIndex": 0,
        "SubnetId": subnet,
        "PrivateIpAddress": ip,
        "AssociatePublicIpAddress": True,
    }
    whole = {"ImageId": image(cloud), "InstanceType": "t3.micro", "NetworkInterfaces": [eni]}
    made = cloud.call("RunInstances", MinCount=1, MaxCount=1, **whole, **more)
    return show(cloud, made["Instances"][0]["InstanceId"])


def _ask(cloud: Cloud, vpc: str, name: str) -> Any:
    return look_up(cloud.store.view, vpc, name)


def test_private_names_both_ways(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    shown = _launch(cloud, subnet)
    assert shown["PrivateDnsName"] == f"ip-10-0-0-10.{DOMAIN}"
    assert _ask(cloud, vpc, shown["PrivateDnsName"]) == {"A": ("10.0.0.10",)}
    assert _ask(cloud, vpc, "10.0.0.10.in-addr.arpa") == {"PTR": (f"ip-10-0-0-10.{DOMAIN}",)}
    for nobody in ("ip-10-0-0-11", "ip-10-0-0-010", "ip-10-0-0", "ip-999-0-0-1", "x", ""):
        assert _ask(cloud, vpc, f"{nobody}.{DOMAIN}") is None, nobody
    for nobody in ("11.0.0.10.in-addr.arpa", "0.0.10.in-addr.arpa", "x.in-addr.arpa"):
        assert _ask(cloud, vpc, nobody) is None, nobody


def test_in_virginia_domains_have_other_names() -> None:
    cloud = Cloud(region="us-east-1")
    vpc, subnet = _vpc(cloud)
    shown = _launch(cloud, subnet)
    assert _ask(cloud, vpc, "ip-10-0-0-10.ec2.internal") == {"A": ("10.0.0.10",)}
    assert shown["PublicDnsName"].endswith(".compute-1.amazonaws.com")
    assert _ask(cloud, vpc, shown["PublicDnsName"]) == {"A": ("10.0.0.10",)}
    assert _ask(cloud, vpc, f"ip-10-0-0-10.{DOMAIN}") is None


@pytest.mark.parametrize("attribute", ["EnableDnsHostnames", "EnableDnsSupport"])
def test_without_the_attributes_there_are_no_names(cloud: Cloud, attribute: str) -> None:
    vpc, subnet = _vpc(cloud)
    other, _ = _vpc(cloud, "10.1.0.0/16")
    shown = _launch(cloud, subnet)
    public = shown["PublicDnsName"]
    assert _ask(cloud, other, public) is not None
    if attribute == "EnableDnsSupport":
        cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": False})
    cloud.call("ModifyVpcAttribute", VpcId=vpc, **{attribute: {"Value": False}})
    for name in (shown["PrivateDnsName"], public, "10.0.0.10.in-addr.arpa"):
        assert _ask(cloud, vpc, name) is None, name
    assert _ask(cloud, other, public) is None, "a name that nobody has"


def test_names_by_id_where_they_are_wanted(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    plain = _launch(cloud, subnet)
    named = _launch(
        cloud,
        subnet,
        "10.0.0.20",
        PrivateDnsNameOptions={
            "HostnameType": "resource-name",
            "EnableResourceNameDnsARecord": True,
        },
    )
    silent = _launch(
        cloud, subnet, "10.0.0.30", PrivateDnsNameOptions={"HostnameType": "resource-name"}
    )
    ids = [shown["InstanceId"] for shown in (plain, named, silent)]
    found = [_ask(cloud, vpc, f"{key}.{DOMAIN}") for key in ids]
    assert found == [None, {"A": ("10.0.0.20",)}, {}]
    assert _ask(cloud, vpc, "20.0.0.10.in-addr.arpa") == {"PTR": (f"{ids[1]}.{DOMAIN}",)}
    assert _ask(cloud, vpc, f"ip-10-0-0-20.{DOMAIN}") == {"A": ("10.0.0.20",)}


def test_public_names_mean_private_addresses_inside_only(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    other, other_subnet = _vpc(cloud, "10.1.0.0/16")
    shown = _launch(cloud, subnet)
    public, ip = shown["PublicDnsName"], shown["PublicIpAddress"]
    assert _ask(cloud, vpc, public) == {"A": ("10.0.0.10",)}
    assert _ask(cloud, other, public) == {"A": (ip,)}
    reverse = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
    assert _ask(cloud, other, reverse) == {"PTR": (public,)}
    assert _ask(cloud, other, public.replace("ap-northeast-2", "eu-west-1")) is None
    assert _ask(cloud, other, shown["PrivateDnsName"]) is None
    same = _launch(cloud, other_subnet, "10.1.0.10")
    assert _ask(cloud, vpc, same["PrivateDnsName"]) is None


def test_a_peering_lets_public_names_mean_private_addresses(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    other, other_subnet = _vpc(cloud, "10.1.0.0/16")
    here, there = _launch(cloud, subnet), _launch(cloud, other_subnet, "10.1.0.10")
    made = cloud.call("CreateVpcPeeringConnection", VpcId=vpc, PeerVpcId=other)
    key = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    row = cloud.store.view.rows[key]
    cloud.system(vpc_peering.settled, row, cloud.now)
    public = here["PublicDnsName"]
    assert _ask(cloud, other, public) == {"A": (here["PublicIpAddress"],)}
    cloud.call(
        "ModifyVpcPeeringConnectionOptions",
        VpcPeeringConnectionId=key,
        RequesterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": True},
    )
    assert _ask(cloud, other, public) == {"A": ("10.0.0.10",)}
    back = there["PublicDnsName"]
    assert _ask(cloud, vpc, back) == {"A": (there["PublicIpAddress"],)}, "each side for itself"
    cloud.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert _ask(cloud, other, public) == {"A": (here["PublicIpAddress"],)}


def test_a_transit_gateway_with_dns_support_does_so_for_both(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    other, other_subnet = _vpc(cloud, "10.1.0.0/16")
    here, there = _launch(cloud, subnet), _launch(cloud, other_subnet, "10.1.0.10")
    gateway = transit.make_transit(cloud)
    keys = [
        transit.attach(cloud, gateway, *each) for each in ((vpc, subnet), (other, other_subnet))
    ]
    asked = ((other, here, "10.0.0.10"), (vpc, there, "10.1.0.10"))

    def are(*, private: bool) -> bool:
        return all(
            _ask(cloud, who, of["PublicDnsName"])
            == {"A": (ip if private else of["PublicIpAddress"],)}
            for who, of, ip in asked
        )

    assert are(private=True), "on unasked"
    for action, key, name in (
        ("ModifyTransitGateway", gateway, "TransitGatewayId"),
        ("ModifyTransitGatewayVpcAttachment", keys[0], "TransitGatewayAttachmentId"),
        ("ModifyTransitGatewayVpcAttachment", keys[1], "TransitGatewayAttachmentId"),
    ):
        for support in ("disable", "enable"):
            cloud.call(action, **{name: key}, Options={"DnsSupport": support})
            settle(cloud)
            assert are(private=support == "enable"), (action, key, support)
    cloud.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=keys[1])
    assert are(private=False)


def test_an_elastic_ip_has_the_reverse_name_that_its_owner_gave_it(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    shown = _launch(cloud, subnet)
    address = cloud.call("AllocateAddress")
    key, ip = address["AllocationId"], address["PublicIp"]
    cloud.call("AssociateAddress", AllocationId=key, InstanceId=shown["InstanceId"])
    reverse = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
    (public,) = _ask(cloud, vpc, reverse)["PTR"]
    assert _ask(cloud, vpc, public) == {"A": ("10.0.0.10",)}
    cloud.call("ModifyAddressAttribute", AllocationId=key, DomainName="mail.example.com")
    assert _ask(cloud, vpc, reverse) == {"PTR": ("mail.example.com",)}
    assert _ask(cloud, vpc, "mail.example.com") is None


def test_hosts_of_the_internet(cloud: Cloud) -> None:
    vpc, _ = _vpc(cloud, names=False)
    cloud.system(internet_host.provide, cloud.now)
    assert _ask(cloud, vpc, "mirror.internet.test") == {
        "A": ("198.19.0.20",),
        "AAAA": ("3fff:800::20",),
    }
    assert _ask(cloud, vpc, "20.0.19.198.in-addr.arpa") == {"PTR": ("mirror.internet.test",)}
    assert _ask(cloud, vpc, "nobody.internet.test") is None
    assert _ask(cloud, vpc, "example.com") is None


def test_ipv6_addresses_by_id(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    cloud.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    shown = cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"][0]
    block = shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    cloud.call("AssociateSubnetCidrBlock", SubnetId=subnet, Ipv6CidrBlock=block)
    options = {"HostnameType": "resource-name", "EnableResourceNameDnsAAAARecord": True}
    made = _launch(cloud, subnet, PrivateDnsNameOptions=options)
    name = f"{made['InstanceId']}.{DOMAIN}"
    assert _ask(cloud, vpc, name) == {}
    eni = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ip = cloud.call("AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6AddressCount=1)
    assert _ask(cloud, vpc, name) == {"AAAA": tuple(ip["AssignedIpv6Addresses"])}
    (address,) = ip["AssignedIpv6Addresses"]
    assert leading_to(cloud.store.view, vpc, address) == name
    assert leading_to(cloud.store.view, vpc, block.replace("/64", "beef")) is None


def test_a_name_that_leads_to_an_address(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    cloud.system(internet_host.provide, cloud.now)
    _launch(cloud, subnet)
    names = {
        "10.0.0.10": f"ip-10-0-0-10.{DOMAIN}",
        "198.19.0.20": "mirror.internet.test",
        "3fff:800::20": "mirror.internet.test",
        "198.19.7.7": None,
        "3fff:800::7": None,
    }
    assert {ip: leading_to(cloud.store.view, vpc, ip) for ip in names} == names


def test_what_was_terminated_has_no_name(cloud: Cloud) -> None:
    vpc, subnet = _vpc(cloud)
    shown = _launch(cloud, subnet)
    key = shown["InstanceId"]
    cloud.system(observed, cloud.now, key, "running")
    cloud.call("TerminateInstances", InstanceIds=[key])
    cloud.system(observed, cloud.now, key, "stopped")
    for name in (shown["PrivateDnsName"], shown["PublicDnsName"], f"{key}.{DOMAIN}"):
        assert _ask(cloud, vpc, name) is None, name


def test_zones(cloud: Cloud) -> None:
    vpc, _ = _vpc(cloud)
    names = {
        f"x.{DOMAIN}": DOMAIN,
        DOMAIN: DOMAIN,
        "a.internet.test": "internet.test",
        "ec2-1-2-3-4.eu-west-1.compute.amazonaws.com": "amazonaws.com",
        "notamazonaws.com": "",
        "com": "",
    }
    assert {name: zone(cloud.store.view, vpc, name) for name in names} == names
