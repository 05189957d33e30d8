"""What is a record here, and Block Public Access, comes back as it was; what cannot is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gureum.resources.public_access import PublicAccessExclusion
from tests.conftest import Cloud
from tests.explain.recorded import Account
from tests.imports.accounts import exported, imported, texts
from tests.resources.building import make_subnet, make_vpc, settle
from tests.resources.test_instance import image, show
from tests.resources.test_instance import one as run_one
from tests.resources.test_ipv6 import dual, nth

BALANCER = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/own/50dc6c49"


@pytest.fixture
def there() -> Cloud:
    """A cloud with one of each, all of them with as many options as there are."""
    cloud = Cloud()
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    gateway = cloud.call("CreateVpnGateway", Type="ipsec.1", AmazonSideAsn=64530)["VpnGateway"]
    cloud.call("AttachVpnGateway", VpnGatewayId=gateway["VpnGatewayId"], VpcId=vpc)
    site = cloud.call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=65000, PublicIp="192.0.2.1")
    key = cloud.call(
        "CreateVpnConnection",
        Type="ipsec.1",
        CustomerGatewayId=site["CustomerGateway"]["CustomerGatewayId"],
        VpnGatewayId=gateway["VpnGatewayId"],
        Options={
            "StaticRoutesOnly": True,
            "TunnelOptions": [
                {
                    "TunnelInsideCidr": "169.254.9.0/30",
                    "DPDTimeoutSeconds": 45,
                    "IKEVersions": [{"Value": "ikev2"}],
                    "Phase1DHGroupNumbers": [{"Value": 14}],
                }
            ],
        },
    )["VpnConnection"]["VpnConnectionId"]
    block = "192.168.0.0/16"
    cloud.call("CreateVpnConnectionRoute", VpnConnectionId=key, DestinationCidrBlock=block)
    service = cloud.call(
        "CreateVpcEndpointServiceConfiguration",
        NetworkLoadBalancerArns=[BALANCER],
        PrivateDnsName="api.example.com",
    )["ServiceConfiguration"]["ServiceId"]
    friends = ["arn:aws:iam::210987654321:root", "*"]
    permit = "ModifyVpcEndpointServicePermissions"
    cloud.call(permit, ServiceId=service, AddAllowedPrincipals=friends)
    cloud.call(
        "CreateFlowLogs",
        ResourceType="VPC",
        ResourceIds=[vpc],
        TrafficType="REJECT",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::flows/here/",
        LogFormat="${srcaddr} ${dstaddr}",
        DestinationOptions={"FileFormat": "plain-text", "PerHourPartition": True},
    )
    data = {"InstanceType": "t3.micro", "Monitoring": {"Enabled": True}}
    template = cloud.call("CreateLaunchTemplate", LaunchTemplateName="web", LaunchTemplateData=data)
    number = template["LaunchTemplate"]["LaunchTemplateId"]
    again = "CreateLaunchTemplateVersion"
    cloud.call(again, LaunchTemplateId=number, VersionDescription="2", LaunchTemplateData=data)
    mode = {"InternetGatewayBlockMode": "block-ingress"}
    cloud.call("ModifyVpcBlockPublicAccessOptions", **mode)
    for target in ({"VpcId": vpc}, {"SubnetId": subnet}):
        excluded = {**target, "InternetGatewayExclusionMode": "allow-bidirectional"}
        cloud.call("CreateVpcBlockPublicAccessExclusion", **excluded)
    settle(cloud)
    return cloud


def written(cloud: Cloud) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in texts(exported(cloud)).items()}


def test_all_of_it_comes_back(there: Cloud) -> None:
    files, here = written(there), Cloud()
    report = imported(here, files)
    assert (report.left, report.lost, report.mapped, report.assumed) == ([], {}, [], [])
    assert written(here) == files
    excepted = [row.vpc or row.subnet for row in here.store.view.all(PublicAccessExclusion)]
    arns = [row.arn.rpartition("/")[2] for row in here.store.view.all(PublicAccessExclusion)]
    assert (len(excepted), excepted) == (2, arns)
    for name in ("VpnConnections", "ServiceConfigurations", "FlowLogs", "LaunchTemplates"):
        assert len(files[f"{name}.json"][name]) == 1
    assert here.call("RunInstances", MinCount=1, MaxCount=1, **_launch(here))


def _launch(cloud: Cloud) -> dict[str, Any]:
    """What launches an instance by the template in the subnet."""
    only = [{"Name": "cidr-block", "Values": ["10.0.1.0/24"]}]
    (subnet,) = cloud.call("DescribeSubnets", Filters=only)["Subnets"]
    template = {"LaunchTemplateName": "web", "Version": "2"}
    return {
        "ImageId": image(cloud),
        "SubnetId": subnet["SubnetId"],
        "LaunchTemplate": template,
    }


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("VpnConnections", {"TransitGatewayId": "tgw-1"}, "transit gateways are not built"),
        ("VpnConnections", {"State": "deleted"}, "it is deleted"),
        ("FlowLogs", {"LogDestinationType": "kinesis-data-firehose"}, "are not built"),
        ("FlowLogs", {"DestinationOptions": {"FileFormat": "parquet"}}, "are not built"),
        ("FlowLogs", {"LogFormat": "${resource-id}"}, "its format: "),
        ("LaunchTemplates", {"LatestVersionNumber": 7}, "does not tell of version 7"),
        ("ServiceConfigurations", {"ServiceState": "Deleting"}, "it is Deleting"),
        ("VpcBlockPublicAccessExclusions", {"State": "delete-complete"}, "it is delete-complete"),
    ],
)
def test_what_is_not_built_is_left_out(
    there: Cloud, name: str, change: dict[str, Any], why: str
) -> None:
    files = written(there)
    items = files[f"{name}.json"][name]
    items[0] |= change
    report = imported(Cloud(), files)
    assert [(what, said) for what, _, said in report.left if why in said] == [
        (name, report.left[0][2])
    ]


def test_tunnels_that_only_the_configuration_tells() -> None:
    """As AWS answered in 2019."""
    account = Account("test-public-private-subnet")
    (shown,) = account.cloud.call("DescribeVpnConnections")["VpnConnections"]
    tunnels = shown["Options"]["TunnelOptions"]
    assert [each["TunnelInsideCidr"] for each in tunnels] == [
        "169.254.58.232/30",
        "169.254.58.220/30",
    ]
    outside = [each["OutsideIpAddress"] for each in tunnels]
    assert outside == [account.public[ip] for ip in ("3.13.210.90", "18.221.157.90")]
    assert tunnels[0]["PreSharedKey"] == "k1TInAs3HRuiwr3Nosj4kbtsHGi3pJfN"
    assert account.report.left == []


def test_a_connection_of_which_nothing_tells_the_tunnels(there: Cloud) -> None:
    files = written(there)
    (item,) = files["VpnConnections.json"]["VpnConnections"]
    del item["Options"]["TunnelOptions"], item["CustomerGatewayConfiguration"]
    report = imported(Cloud(), files)
    assert [key for key, _ in report.assumed] == [item["VpnConnectionId"]]


def test_addresses_of_tunnels_become_some_of_here(there: Cloud) -> None:
    files = written(there)
    (item,) = files["VpnConnections.json"]["VpnConnections"]
    was = item["Options"]["TunnelOptions"][0]["OutsideIpAddress"]
    item["Options"]["TunnelOptions"][0]["OutsideIpAddress"] = "54.18.7.9"
    here = Cloud()
    report = imported(here, files)
    assert ("public address", "54.18.7.9", "198.18.7.9") in report.mapped
    (shown,) = here.call("DescribeVpnConnections")["VpnConnections"]
    assert shown["Options"]["TunnelOptions"][0]["OutsideIpAddress"] == "198.18.7.9" != was


# --- IPv6-only subnets --------------------------------------------------------------------------
def native_cloud() -> tuple[Cloud, str, str]:
    """A cloud with an instance in an IPv6-only subnet, and the ids of the two."""
    cloud = Cloud()
    vpc, block = dual(cloud)
    asked = {"Ipv6Native": True, "Ipv6CidrBlock": nth(block, 3)}
    subnet = cloud.call("CreateSubnet", VpcId=vpc, **asked)["Subnet"]["SubnetId"]
    return cloud, subnet, run_one(cloud, SubnetId=subnet, InstanceType="t3.micro")["InstanceId"]


def test_an_ipv6_only_subnet_has_the_names_that_it_can_have() -> None:
    cloud, subnet, instance = native_cloud()
    files = json.loads(json.dumps(exported(cloud)))
    names = {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": True}
    (told,) = (each for each in files["Subnets.json"]["Subnets"] if each["SubnetId"] == subnet)
    told["PrivateDnsNameOptionsOnLaunch"] |= names
    (part,) = files["Reservations.json"]["Reservations"][0]["Instances"]
    part["PrivateDnsNameOptions"] |= names
    here = Cloud()
    report = imported(here, files)
    assert report.left == []
    assert report.lost, "and it is told that they are not as they were"
    shown = show(here, instance)
    assert shown["PrivateDnsName"] == f"{instance}.ap-northeast-2.compute.internal"
    (row,) = here.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"]
    assert row["PrivateDnsNameOptionsOnLaunch"]["HostnameType"] == "resource-name"


def test_what_an_ipv6_only_subnet_lacks_is_told() -> None:
    cloud, subnet, _ = native_cloud()
    files = json.loads(json.dumps(exported(cloud)))
    for eni in files["NetworkInterfaces.json"]["NetworkInterfaces"]:
        eni["Ipv6Addresses"] = []
    left = {why for _, _, why in imported(Cloud(), files).left}
    assert "it is in an IPv6-only subnet and has no IPv6 address" in left
    for each in files["Subnets.json"]["Subnets"]:
        each["Ipv6CidrBlockAssociationSet"] = []
    left = {why for _, key, why in imported(Cloud(), files).left if key == subnet}
    assert left == {"it is IPv6-only, and no IPv6 block of it is told"}
