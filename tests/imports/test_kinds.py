"""Kinds that have more to tell than the cloud with something of everything: written, read, the
same again; and what is not read is told."""

from __future__ import annotations

import json
from typing import Any

from gureum.compile import compile_all
from gureum.imports import Report, export
from gureum.program import Mirrored
from gureum.resources import REGISTRY
from tests.conftest import Cloud
from tests.fuzz.furnished import furnished
from tests.imports.accounts import exported, imported, texts
from tests.resources.building import make_interface, make_subnet, make_vpc, plug_in, settle
from tests.resources.routing import main_of
from tests.resources.test_ipv6 import dual_subnet
from tests.resources.test_ipv6_prefix import part
from tests.resources.test_subnet_reservation import reserve


def again(there: Cloud) -> Cloud:
    """A cloud that was read from what is written of another, and is written the same way."""
    settle(there)
    files = texts(exported(there))
    here = Cloud()
    report = imported(here, {name: json.loads(text) for name, text in files.items()})
    assert (report.left, report.lost, report.mapped, report.assumed) == ([], {}, [], [])
    second = texts(exported(here))
    assert second.keys() == files.keys()
    for name, text in files.items():
        assert second[name] == text, name
    assert here.program() == compile_all(REGISTRY, here.store.view)
    return here


def read(files: dict[str, Any]) -> tuple[Cloud, Report]:
    here = Cloud()
    return here, imported(here, files)


def test_delegated_prefixes_of_both_versions(cloud: Cloud) -> None:
    _, subnet, block = dual_subnet(cloud)
    make_interface(
        cloud, subnet, Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.32/28"}],
        Ipv6Prefixes=[{"Ipv6Prefix": part(block, 5)}],
    )  # fmt: skip
    reserve(cloud, subnet, part(block, 9), "prefix", Description="pods")
    reserve(cloud, subnet, "10.0.1.64/26")
    here = again(cloud)
    taken = {"SubnetId": subnet, "Ipv6Prefixes": [{"Ipv6Prefix": part(block, 5)}]}
    assert here.error("CreateNetworkInterface", **taken).code == "InvalidIPAddress.InUse"


def test_traffic_mirroring(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    ips = ("10.0.1.10", "10.0.1.11")
    source, target = (
        make_interface(cloud, subnet, PrivateIpAddress=ip)["NetworkInterfaceId"] for ip in ips
    )
    made = cloud.call("CreateTrafficMirrorFilter", Description="web")["TrafficMirrorFilter"]
    key = made["TrafficMirrorFilterId"]
    cloud.call(
        "ModifyTrafficMirrorFilterNetworkServices", TrafficMirrorFilterId=key,
        AddNetworkServices=["amazon-dns"],
    )  # fmt: skip
    everything = {"SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "10.0.0.0/8"}
    tags = [{"Key": "Name", "Value": "first"}]
    tagged = [{"ResourceType": "traffic-mirror-filter-rule", "Tags": tags}]
    rules: tuple[dict[str, Any], ...] = (
        {"TrafficDirection": "ingress", "Protocol": 6, "Description": "web",
         "DestinationPortRange": {"FromPort": 80, "ToPort": 443}},
        {"TrafficDirection": "egress", "Protocol": 17,
         "SourcePortRange": {"FromPort": 53, "ToPort": 53}},
        {"TrafficDirection": "egress", "TagSpecifications": tagged},
    )  # fmt: skip
    for number, more in enumerate(rules):
        cloud.call(
            "CreateTrafficMirrorFilterRule", TrafficMirrorFilterId=key, RuleNumber=number + 1,
            RuleAction=("accept", "reject")[number % 2], **everything, **more,
        )  # fmt: skip
    to = cloud.call("CreateTrafficMirrorTarget", NetworkInterfaceId=target)["TrafficMirrorTarget"]
    balancer = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/a/0"
    cloud.call("CreateTrafficMirrorTarget", NetworkLoadBalancerArn=balancer, Description="nlb")
    cloud.call(
        "CreateTrafficMirrorSession", NetworkInterfaceId=source, SessionNumber=2, PacketLength=100,
        TrafficMirrorTargetId=to["TrafficMirrorTargetId"], TrafficMirrorFilterId=key,
    )  # fmt: skip
    here = again(cloud)
    for each in (cloud, here):
        plug_in(each, source)
    (there,), (mirrored,) = (
        [s for s in each.program().statements if isinstance(s, Mirrored)] for each in (cloud, here)
    )
    assert mirrored == there
    assert mirrored.mirrors[0].entering[0].target_ports == (80, 443)


def test_gateways_and_endpoints_that_are_records(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    gateway = cloud.call("CreateCarrierGateway", VpcId=vpc)["CarrierGateway"]["CarrierGatewayId"]
    way = {"DestinationCidrBlock": "0.0.0.0/0", "CarrierGatewayId": gateway}
    cloud.call("CreateRoute", RouteTableId=main_of(cloud, vpc)["RouteTableId"], **way)
    cloud.call("CreateInstanceConnectEndpoint", SubnetId=subnet, PreserveClientIp=True)
    made = cloud.call("CreateVpcEncryptionControl", VpcId=vpc)["VpcEncryptionControl"]
    key = made["VpcEncryptionControlId"]
    settle(cloud)
    modes = {"Mode": "enforce", "LambdaExclusion": "enable"}
    cloud.call("ModifyVpcEncryptionControl", VpcEncryptionControlId=key, **modes)
    here = again(cloud)
    tables = here.call("DescribeRouteTables")["RouteTables"]
    routes = [route for table in tables for route in table["Routes"]]
    assert [route["State"] for route in routes if "CarrierGatewayId" in route] == ["active"]
    (shown,) = here.call("DescribeVpcEncryptionControls")["VpcEncryptionControls"]
    assert shown["ResourceExclusions"]["Lambda"] == {"State": "enabled"}
    (endpoint,) = here.call("DescribeInstanceConnectEndpoints")["InstanceConnectEndpoints"]
    refused = here.error("DeleteNetworkInterface",
                         NetworkInterfaceId=endpoint["NetworkInterfaceIds"][0])  # fmt: skip
    assert refused.code in ("InvalidParameterValue", "AuthFailure", "DependencyViolation")


def test_what_is_wrong_is_told(cloud: Cloud) -> None:
    """Each item by itself: the others are read."""
    subnet = make_subnet(cloud, make_vpc(cloud))
    one, two = (make_interface(cloud, subnet)["NetworkInterfaceId"] for _ in range(2))
    files = exported(cloud)
    number = "0123456789abcdef"
    target = {"TrafficMirrorTargetId": f"tmt-0{number}", "NetworkInterfaceId": two}
    rule = {
        "TrafficMirrorFilterRuleId": f"tmfr-0{number}", "TrafficDirection": "ingress",
        "RuleNumber": 1, "RuleAction": "accept", "SourceCidrBlock": "10.0.0.0/8",
        "DestinationCidrBlock": "10.0.0.0/8",
    }  # fmt: skip
    clash = rule | {"TrafficMirrorFilterRuleId": f"tmfr-1{number}"}
    session = {
        "TrafficMirrorSessionId": f"tms-0{number}", "TrafficMirrorTargetId": f"tmt-0{number}",
        "TrafficMirrorFilterId": f"tmf-0{number}", "NetworkInterfaceId": one, "SessionNumber": 1,
        "VirtualNetworkId": 7,
    }  # fmt: skip
    files |= {
        "TrafficMirrorTargets.json": {"TrafficMirrorTargets": [
            target,
            {"TrafficMirrorTargetId": f"tmt-1{number}", "Type": "gateway-load-balancer-endpoint",
             "GatewayLoadBalancerEndpointId": "vpce-1"}]},
        "TrafficMirrorFilters.json": {"TrafficMirrorFilters": [
            {"TrafficMirrorFilterId": f"tmf-0{number}", "IngressFilterRules": [rule, clash]}]},
        "TrafficMirrorSessions.json": {"TrafficMirrorSessions": [
            session,
            session | {"TrafficMirrorSessionId": f"tms-1{number}", "SessionNumber": 2},
            session | {"TrafficMirrorSessionId": "tms-00000000000000002", "SessionNumber": 1},
            session | {"TrafficMirrorSessionId": "tms-00000000000000003", "SessionNumber": 3,
                       "NetworkInterfaceId": two}]},
        "VpcEncryptionControls.json": {"VpcEncryptionControls": [
            {"VpcEncryptionControlId": f"vpcec-0{number}", "VpcId": "vpc-1", "Mode": "monitor",
             "State": "deleting"}]},
        "SecondaryNetworks.json": {"SecondaryNetworks": [
            {"SecondaryNetworkId": f"sn-0{number}", "Type": "rdma", "State": "create-complete",
             "Ipv4CidrBlockAssociations": [{"AssociationId": "a", "CidrBlock": "10.64.0.0/16"}]}]},
        "SecondarySubnets.json": {"SecondarySubnets": [
            {"SecondarySubnetId": f"ss-0{number}", "SecondaryNetworkId": f"sn-0{number}",
             "State": "create-complete", "AvailabilityZone": "x",
             "Ipv4CidrBlockAssociations": [{"AssociationId": "b", "CidrBlock": "10.64.9.0/24"}]}]},
        "SecondaryInterfaces.json": {"SecondaryInterfaces": [{"SecondaryInterfaceId": "si-1"}]},
    }  # fmt: skip
    here, report = read(files)
    assert [(what, key) for what, key, _ in report.left] == [
        ("VpcEncryptionControls", f"vpcec-0{number}"),
        ("SecondarySubnets", f"ss-0{number}"),
        ("rules of TrafficMirrorFilters", f"tmfr-1{number}"),
        ("TrafficMirrorTargets", f"tmt-1{number}"),
        ("TrafficMirrorSessions", f"tms-1{number}"),
        ("TrafficMirrorSessions", "tms-00000000000000002"),
        ("TrafficMirrorSessions", "tms-00000000000000003"),
        ("SecondaryInterfaces", "si-1"),
    ]
    sessions = here.call("DescribeTrafficMirrorSessions")["TrafficMirrorSessions"]
    assert [each["TrafficMirrorSessionId"] for each in sessions] == [f"tms-0{number}"]


def test_what_a_transit_gateway_has_beside_vpcs(cloud: Cloud) -> None:
    """Connect attachments with peers, which tables know them, and a VPN concentrator."""
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    options = {"TransitGatewayCidrBlocks": ["10.99.0.0/24"]}
    gateway = cloud.call("CreateTransitGateway", Options=options)["TransitGateway"]
    key = gateway["TransitGatewayId"]
    settle(cloud)
    where = {"TransitGatewayId": key, "VpcId": vpc, "SubnetIds": [subnet]}
    made = cloud.call("CreateTransitGatewayVpcAttachment", **where)
    over = made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    settle(cloud)
    how = {"TransportTransitGatewayAttachmentId": over, "Options": {"Protocol": "gre"}}
    made = cloud.call("CreateTransitGatewayConnect", **how)["TransitGatewayConnect"]
    connect = made["TransitGatewayAttachmentId"]
    cloud.call("CreateVpnConcentrator", Type="ipsec.1", TransitGatewayId=key)
    cloud.call("CreateVpnConcentrator", Type="ipsec.1")
    settle(cloud)
    cloud.call(
        "CreateTransitGatewayConnectPeer", TransitGatewayAttachmentId=connect,
        PeerAddress="10.0.1.50", InsideCidrBlocks=["169.254.90.0/29", "fd00::/125"],
        BgpOptions={"PeerAsn": 65001},
    )  # fmt: skip
    table = gateway_table(cloud)
    way = {"DestinationCidrBlock": "10.7.0.0/16", "TransitGatewayAttachmentId": connect}
    cloud.call("CreateTransitGatewayRoute", TransitGatewayRouteTableId=table, **way)
    here = again(cloud)
    asked = {"TransitGatewayRouteTableId": table}
    for action, member in (
        ("GetTransitGatewayRouteTablePropagations", "TransitGatewayRouteTablePropagations"),
        ("GetTransitGatewayRouteTableAssociations", "Associations"),
    ):
        there, found = (each.call(action, **asked)[member] for each in (cloud, here))
        assert found == there
        assert connect in {each["TransitGatewayAttachmentId"] for each in found}


def gateway_table(cloud: Cloud) -> str:
    (table,) = cloud.call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"]
    return str(table["TransitGatewayRouteTableId"])


def test_paths_to_be_analysed(cloud: Cloud) -> None:
    subnet = make_subnet(cloud, make_vpc(cloud))
    one, two = (make_interface(cloud, subnet)["NetworkInterfaceId"] for _ in range(2))
    ports = {"FromPort": 80, "ToPort": 443}
    cloud.call(
        "CreateNetworkInsightsPath", ClientToken="a", Source=one, Destination=two, Protocol="tcp",
        FilterAtSource={"DestinationPortRange": ports, "SourceAddress": "10.0.1.9"},
    )  # fmt: skip
    cloud.call(
        "CreateNetworkInsightsPath", ClientToken="b", Source=one, DestinationIp="10.0.1.7",
        DestinationPort=53, Protocol="udp",
    )  # fmt: skip
    here = again(cloud)
    assert len(here.call("DescribeNetworkInsightsPaths")["NetworkInsightsPaths"]) == 2


def test_parts_that_nobody_asked_for_are_told() -> None:
    """Of a multicast domain, a policy table and a metering policy."""
    with_parts = export(furnished(), "123456789012", "ap-northeast-2").files
    asked_apart = ("TransitGatewayMulticast", "MulticastGroups", "PolicyTable", "MeteringPolicy")
    files = {
        name: content
        for name, content in with_parts.items()
        if "-" not in name or not any(part in name for part in asked_apart)
    }
    assert len(with_parts) - len(files) == 5
    _, report = read(files)
    assert [what for what, _, _ in report.left] == [
        "MulticastDomainAssociations",
        "MulticastGroups",
        "Associations",
        "TransitGatewayPolicyTableEntries",
        "TransitGatewayMeteringPolicyEntries",
    ]
    _, report = read(with_parts)
    assert report.left == []
