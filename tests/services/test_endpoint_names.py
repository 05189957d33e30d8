"""Names of interface endpoints: their own everywhere, a service's in the VPC with private DNS."""

from __future__ import annotations

from typing import Any

from gureum.resources.vpc_endpoint import VpcEndpoint
from gureum.resources.vpc_endpoint_api import settled
from gureum.services.names import look_up
from tests.conftest import Cloud

STS = "sts.ap-northeast-2.amazonaws.com"
ZONES = ("ap-northeast-2a", "ap-northeast-2b")


def _vpc(cloud: Cloud, number: int) -> tuple[str, list[str]]:
    """A VPC in which private DNS is possible, and a subnet in each of two zones."""
    block = f"10.{number}.0.0/16"
    vpc = str(cloud.call("CreateVpc", CidrBlock=block)["Vpc"]["VpcId"])
    cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [
        str(
            cloud.call(
                "CreateSubnet",
                VpcId=vpc,
                CidrBlock=f"10.{number}.{n}.0/24",
                AvailabilityZone=zone,
            )["Subnet"]["SubnetId"]
        )
        for n, zone in enumerate(ZONES)
    ]
    return vpc, subnets


def _endpoint(cloud: Cloud, vpc: str, subnets: list[str], **more: Any) -> dict[str, Any]:
    """An interface endpoint with the address .10 in each subnet, there and in force."""
    number = int(cloud.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"][0]["CidrBlock"].split(".")[1])
    asked: dict[str, Any] = {"ServiceName": "com.amazonaws.ap-northeast-2.sts", **more}
    where = [
        {"SubnetId": subnet, "Ipv4": f"10.{number}.{n}.10"} for n, subnet in enumerate(subnets)
    ]
    made = cloud.call(
        "CreateVpcEndpoint",
        VpcId=vpc,
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        SubnetConfigurations=where,
        **asked,
    )["VpcEndpoint"]
    cloud.system(lambda txn: settled(txn, txn.get(VpcEndpoint, made["VpcEndpointId"]), cloud.now))
    return dict(made)


def _ask(cloud: Cloud, vpc: str, name: str) -> Any:
    return look_up(cloud.store.view, vpc, name)


def test_all_names_that_an_endpoint_tells_lead_to_it(cloud: Cloud) -> None:
    vpc, subnets = _vpc(cloud, 0)
    made = _endpoint(cloud, vpc, subnets)
    names = [each["DnsName"] for each in made["DnsEntries"]]
    assert len(names) == 4
    both = {"A": ("10.0.0.10", "10.0.1.10")}
    answers = {name: _ask(cloud, vpc, name) for name in names}
    assert answers == {
        names[0]: both,
        names[1]: {"A": ("10.0.0.10",)},
        names[2]: {"A": ("10.0.1.10",)},
        STS: both,
    }
    assert ZONES[0] in names[1]


def test_own_names_are_public_and_a_service_s_is_private(cloud: Cloud) -> None:
    vpc, subnets = _vpc(cloud, 0)
    other, _ = _vpc(cloud, 1)
    own = _endpoint(cloud, vpc, subnets[:1])["DnsEntries"][0]["DnsName"]
    assert _ask(cloud, other, own) == {"A": ("10.0.0.10",)}
    assert _ask(cloud, other, STS) is None
    for nobody in (own.replace("-", "-0", 2), f"www.{own}", own.replace(".sts.", ".kms.")):
        assert _ask(cloud, vpc, nobody) is None, nobody


def test_private_dns_can_be_off(cloud: Cloud) -> None:
    vpc, subnets = _vpc(cloud, 0)
    made = _endpoint(cloud, vpc, subnets[:1], PrivateDnsEnabled=False)
    key = made["VpcEndpointId"]
    assert _ask(cloud, vpc, STS) is None
    cloud.call("ModifyVpcEndpoint", VpcEndpointId=key, PrivateDnsEnabled=True)
    assert _ask(cloud, vpc, STS) == {"A": ("10.0.0.10",)}
    cloud.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": False})
    assert _ask(cloud, vpc, STS) is None
    assert _ask(cloud, vpc, made["DnsEntries"][0]["DnsName"]) is not None
    cloud.call("DeleteVpcEndpoints", VpcEndpointIds=[key])
    assert _ask(cloud, vpc, made["DnsEntries"][0]["DnsName"]) is None


def test_names_for_those_who_come_from_elsewhere_only(cloud: Cloud) -> None:
    """S3's private name is for inbound resolver endpoints: the VPC itself has the gateway."""
    vpc, subnets = _vpc(cloud, 0)
    service = "com.amazonaws.ap-northeast-2.s3"
    cloud.call("CreateVpcEndpoint", VpcId=vpc, ServiceName=service)
    asked = {"ServiceName": service, "PrivateDnsEnabled": True}
    made = _endpoint(cloud, vpc, subnets[:1], **asked)
    name = made["DnsEntries"][-1]["DnsName"]
    assert name.removeprefix("*.") == "s3.ap-northeast-2.amazonaws.com"
    assert _ask(cloud, vpc, name) is None
    everybody = {"PrivateDnsOnlyForInboundResolverEndpoint": False}
    key = made["VpcEndpointId"]
    change = {"PrivateDnsEnabled": True, "DnsOptions": everybody}
    cloud.call("ModifyVpcEndpoint", VpcEndpointId=key, **change)
    assert _ask(cloud, vpc, name) == {"A": ("10.0.0.10",)}


def test_wildcards_cover_what_is_below_them(cloud: Cloud) -> None:
    vpc, subnets = _vpc(cloud, 0)
    asked = {"ServiceName": "com.amazonaws.ap-northeast-2.ecr.dkr"}
    _endpoint(cloud, vpc, subnets[:1], **asked)
    registry = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com"
    assert _ask(cloud, vpc, registry) == {"A": ("10.0.0.10",)}
    assert _ask(cloud, vpc, registry.partition(".")[2]) is None
    other, more = _vpc(cloud, 1)
    asked = {"ServiceName": "com.amazonaws.ap-northeast-2.s3"}
    own = _endpoint(cloud, other, more[:1], **asked)["DnsEntries"][0]["DnsName"]
    assert own.startswith("*.")
    assert _ask(cloud, vpc, f"bucket{own[1:]}") == {"A": ("10.1.0.10",)}
    assert _ask(cloud, vpc, own[2:]) is None


def test_a_service_s_own_private_name(cloud: Cloud) -> None:
    balancer = (
        "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/own/50dc6c495c0c"
    )
    service = cloud.call(
        "CreateVpcEndpointServiceConfiguration",
        NetworkLoadBalancerArns=[balancer],
        AcceptanceRequired=False,
        PrivateDnsName="api.example.com",
    )["ServiceConfiguration"]
    verify = "StartVpcEndpointServicePrivateDnsVerification"
    cloud.call(verify, ServiceId=service["ServiceId"])
    vpc, subnets = _vpc(cloud, 0)
    _endpoint(cloud, vpc, subnets[:1], ServiceName=service["ServiceName"], PrivateDnsEnabled=True)
    assert _ask(cloud, vpc, "api.example.com") == {"A": ("10.0.0.10",)}
    assert _ask(cloud, vpc, "example.com") is None
