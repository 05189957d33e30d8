"""A cloud with something of everything in it, to do wrong things to."""

from __future__ import annotations

from functools import cache
from typing import Any

from gureum.model import View
from gureum.resources.instance import Instance, observed
from tests.agreement.replay import Replay
from tests.resources.building import settle

_A, _B = "10.0.0.0/16", "10.1.0.0/16"
_TAGS = [{"Key": "Name", "Value": "a"}]


def _call(do: str, kept: dict[str, str] | None = None, /, **params: Any) -> dict[str, Any]:
    return {"do": do, "with": params, "as": kept or {}}


def calls() -> list[dict[str, Any]]:
    """What makes the cloud; a call that is refused would be a mistake here."""
    return [*_networks(), *_hosts(), *_ways(), *_records()]


def _networks() -> list[dict[str, Any]]:
    images = {"image": "Images[0].ImageId"}
    only = [{"Name": "name", "Values": ["gureum-base*"]}]
    return [
        _call("DescribeImages", images, Filters=only),
        _call("CreateVpc", {"a": "Vpc.VpcId"}, CidrBlock=_A, Ipv6Pool="Amazon",
              Ipv6CidrBlock="3fff:1::/56"),
        _call("CreateVpc", {"b": "Vpc.VpcId"}, CidrBlock=_B),
        _call("CreateSubnet", {"s": "Subnet.SubnetId"}, VpcId="$a", CidrBlock="10.0.1.0/24"),
        _call("CreateSubnet", {"t": "Subnet.SubnetId"}, VpcId="$a", CidrBlock="10.0.2.0/24"),
        _call("CreateSubnet", {"u": "Subnet.SubnetId"}, VpcId="$b", CidrBlock="10.1.1.0/24"),
        _call("CreateInternetGateway", {"g": "InternetGateway.InternetGatewayId"}),
        _call("AttachInternetGateway", InternetGatewayId="$g", VpcId="$a"),
        _call("CreateEgressOnlyInternetGateway", VpcId="$a"),
        _call("CreateSecurityGroup", {"w": "GroupId"}, GroupName="w", Description="w", VpcId="$a"),
        _call("CreateSecurityGroup", {"x": "GroupId"}, GroupName="db", Description="d", VpcId="$a"),
        _call(
            "AuthorizeSecurityGroupIngress",
            GroupId="$w",
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
                 "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
                {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "$x"}]},
            ],
        ),
        _call("CreateNetworkAcl", {"acl": "NetworkAcl.NetworkAclId"}, VpcId="$a"),
        _call(
            "CreateNetworkAclEntry", NetworkAclId="$acl", RuleNumber=100, Egress=False,
            Protocol="6", PortRange={"From": 1, "To": 99}, RuleAction="allow", CidrBlock=_A,
        ),
        _call("CreateDhcpOptions", DhcpConfigurations=[{"Key": "domain-name", "Values": ["a.b"]}]),
        _call(
            "CreateManagedPrefixList", {"pl": "PrefixList.PrefixListId"}, PrefixListName="p",
            MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "10.9.0.0/16"}],
        ),
        _call("AssociateSubnetCidrBlock", SubnetId="$t", Ipv6CidrBlock="3fff:1::/64"),
        _call("CreateSubnet", {"six": "Subnet.SubnetId"}, VpcId="$a", Ipv6Native=True,
              Ipv6CidrBlock="3fff:1:0:6::/64"),
        _call("AssociateVpcCidrBlock", VpcId="$b", CidrBlock="10.2.0.0/16"),
        _call("CreateSubnetCidrReservation", SubnetId="$s", Cidr="10.0.1.64/28",
              ReservationType="explicit"),
    ]  # fmt: skip


def _hosts() -> list[dict[str, Any]]:
    run = {"ImageId": "$image", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    return [
        _call("CreateKeyPair", KeyName="key"),
        _call("CreatePlacementGroup", GroupName="spread", Strategy="spread"),
        _call("RunInstances", {"i": "Instances[0].InstanceId"}, SubnetId="$s", **run),
        _call("RunInstances", SubnetId="$s", **run),
        _call("RunInstances", {"j": "Instances[0].InstanceId"}, SubnetId="$t",
              KeyName="key", **run),
        _call("RunInstances", SubnetId="$six", **run),
        _call("CreateNetworkInterface", SubnetId="$six"),
        _call("CreateNetworkInterface", {"e": "NetworkInterface.NetworkInterfaceId"},
              SubnetId="$s", Groups=["$w"]),
        _call("CreateNetworkInterface", {"f": "NetworkInterface.NetworkInterfaceId"},
              SubnetId="$t", Groups=["$w"]),
        _call("AttachNetworkInterface", NetworkInterfaceId="$e", InstanceId="$i", DeviceIndex=1),
        _call("AllocateAddress", {"eip": "AllocationId"}),
        _call("AllocateAddress", {"eip2": "AllocationId"}),
        _call("AllocateAddress"),
        _call("AssociateAddress", AllocationId="$eip", NetworkInterfaceId="$e"),
        _call("CreateVolume", {"vol": "VolumeId"}, AvailabilityZone="ap-northeast-2a", Size=1),
        {"settle": True},
        _call("CreateSnapshot", {"snap": "SnapshotId"}, VolumeId="$vol"),
        _call("CreateLaunchTemplate", LaunchTemplateName="template",
              LaunchTemplateData={"InstanceType": "t3.micro", "ImageId": "$image"}),
        {"settle": True},
        _call("RegisterImage", {"own": "ImageId"}, Name="own image", RootDeviceName="/dev/xvda",
              BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "$snap"}}]),
        _call("CreateFpgaImage", InputStorageLocation={"Bucket": "designs", "Key": "a.tar"}),
        {"settle": True},
        _call("CreateStoreImageTask", ImageId="$own", Bucket="images"),
        _call("CreateImageUsageReport", ImageId="$own",
              ResourceTypes=[{"ResourceType": "ec2:Instance"}]),
        _call("CreateInstanceConnectEndpoint", SubnetId="$s"),
        _call("CreateNetworkInterfacePermission", NetworkInterfaceId="$f",
              AwsAccountId="999999999999", Permission="INSTANCE-ATTACH"),
        _call("AssociateIamInstanceProfile", InstanceId="$i", IamInstanceProfile={"Name": "role"}),
        _call("CreateVolume", {"spare": "VolumeId"}, AvailabilityZone="ap-northeast-2a", Size=2),
    ]  # fmt: skip


def _ways() -> list[dict[str, Any]]:
    return [
        _call("CreateNatGateway", SubnetId="$s", AllocationId="$eip2"),
        _call("CreateNatGateway", {"n": "NatGateway.NatGatewayId"}, SubnetId="$t",
              ConnectivityType="private"),
        _call("CreateRouteTable", {"rtb": "RouteTable.RouteTableId"}, VpcId="$a"),
        _call("AssociateRouteTable", RouteTableId="$rtb", SubnetId="$s"),
        _call("CreateRoute", RouteTableId="$rtb", DestinationCidrBlock="0.0.0.0/0", GatewayId="$g"),
        _call("CreateRoute", RouteTableId="$rtb", DestinationPrefixListId="$pl", GatewayId="$g"),
        _call("CreateVpcPeeringConnection", {"pcx": "VpcPeeringConnection.VpcPeeringConnectionId"},
              VpcId="$a", PeerVpcId="$b"),
        _call("AcceptVpcPeeringConnection", VpcPeeringConnectionId="$pcx"),
        _call("CreateTransitGateway", {"tgw": "TransitGateway.TransitGatewayId"},
              Options={"MulticastSupport": "enable", "TransitGatewayCidrBlocks": ["10.99.0.0/24"]}),
        {"settle": True},
        _call("CreateTransitGatewayVpcAttachment",
              {"att": "TransitGatewayVpcAttachment.TransitGatewayAttachmentId"},
              TransitGatewayId="$tgw", VpcId="$a", SubnetIds=["$s"]),
        _call("CreateTransitGatewayRouteTable",
              {"trt": "TransitGatewayRouteTable.TransitGatewayRouteTableId"},
              TransitGatewayId="$tgw"),
        {"settle": True},
        _call("CreateTransitGatewayRoute", DestinationCidrBlock="10.7.0.0/16",
              TransitGatewayRouteTableId="$trt", TransitGatewayAttachmentId="$att"),
        _call("CreateTransitGatewayPrefixListReference", TransitGatewayRouteTableId="$trt",
              PrefixListId="$pl", TransitGatewayAttachmentId="$att"),
        _call("CreateTransitGateway", {"tgw2": "TransitGateway.TransitGatewayId"}),
        {"settle": True},
        _call("CreateTransitGatewayPeeringAttachment",
              {"tpa": "TransitGatewayPeeringAttachment.TransitGatewayAttachmentId"},
              TransitGatewayId="$tgw", PeerTransitGatewayId="$tgw2", PeerAccountId="123456789012",
              PeerRegion="ap-northeast-2"),
        _call("AcceptTransitGatewayPeeringAttachment", TransitGatewayAttachmentId="$tpa"),
        *_transit_records(),
        _call("CreateVpcEndpoint", VpcId="$a", ServiceName="com.amazonaws.ap-northeast-2.s3",
              RouteTableIds=["$rtb"]),
        _call("CreateVpcEndpoint", VpcId="$a", ServiceName="com.amazonaws.ap-northeast-2.ec2",
              VpcEndpointType="Interface", SubnetIds=["$s"], PrivateDnsEnabled=False),
    ]  # fmt: skip


def _transit_records() -> list[dict[str, Any]]:
    """What a transit gateway has beside VPCs and routes."""
    return [
        _call("CreateTransitGatewayConnect",
              {"con": "TransitGatewayConnect.TransitGatewayAttachmentId"},
              TransportTransitGatewayAttachmentId="$att", Options={"Protocol": "gre"}),
        _call("CreateVpnConcentrator", Type="ipsec.1"),
        _call("CreateTransitGatewayMulticastDomain",
              {"mcast": "TransitGatewayMulticastDomain.TransitGatewayMulticastDomainId"},
              TransitGatewayId="$tgw", Options={"StaticSourcesSupport": "enable"}),
        _call("CreateTransitGatewayPolicyTable",
              {"ptb": "TransitGatewayPolicyTable.TransitGatewayPolicyTableId"},
              TransitGatewayId="$tgw"),
        _call("CreateTransitGatewayMeteringPolicy",
              {"mp": "TransitGatewayMeteringPolicy.TransitGatewayMeteringPolicyId"},
              TransitGatewayId="$tgw"),
        {"settle": True},
        _call("CreateTransitGatewayConnectPeer", TransitGatewayAttachmentId="$con",
              PeerAddress="10.0.1.50", InsideCidrBlocks=["169.254.90.0/29"]),
        _call("AssociateTransitGatewayMulticastDomain", TransitGatewayMulticastDomainId="$mcast",
              TransitGatewayAttachmentId="$att", SubnetIds=["$s"]),
        _call("RegisterTransitGatewayMulticastGroupMembers", GroupIpAddress="224.0.1.5",
              TransitGatewayMulticastDomainId="$mcast", NetworkInterfaceIds=["$e"]),
        _call("CreateTransitGatewayPolicyTableEntry", TransitGatewayPolicyTableId="$ptb",
              PolicyRuleNumber="20", TargetRouteTableId="$trt"),
        _call("CreateTransitGatewayMeteringPolicyEntry", TransitGatewayMeteringPolicyId="$mp",
              PolicyRuleNumber=20, MeteredAccount="transit-gateway-owner"),
    ]  # fmt: skip


def _records() -> list[dict[str, Any]]:
    balancer = (
        "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:"
        "loadbalancer/net/a/0123456789abcdef"
    )
    return [
        _call("CreateCustomerGateway", {"cgw": "CustomerGateway.CustomerGatewayId"},
              Type="ipsec.1", BgpAsn=65000, IpAddress="203.0.113.9"),
        _call("CreateCustomerGateway", Type="ipsec.1", BgpAsn=65001, IpAddress="203.0.113.10"),
        _call("CreateInternetGateway"),
        _call("CreateTrafficMirrorTarget", NetworkInterfaceId="$f"),
        _call("CreateTrafficMirrorFilter", {"tmf": "TrafficMirrorFilter.TrafficMirrorFilterId"}),
        _call("CreateTrafficMirrorFilterRule", TrafficMirrorFilterId="$tmf", RuleNumber=7,
              TrafficDirection="ingress", RuleAction="accept", SourceCidrBlock="0.0.0.0/0",
              DestinationCidrBlock="0.0.0.0/0"),
        _call("CreateVpnGateway", {"vgw": "VpnGateway.VpnGatewayId"}, Type="ipsec.1"),
        _call("AttachVpnGateway", VpnGatewayId="$vgw", VpcId="$b"),
        _call("CreateVpnConnection", Type="ipsec.1", CustomerGatewayId="$cgw", VpnGatewayId="$vgw",
              Options={"StaticRoutesOnly": True}),
        _call("CreateCarrierGateway", VpcId="$a"),
        _call("CreateFlowLogs", ResourceIds=["$a"], ResourceType="VPC", TrafficType="ALL",
              LogDestinationType="s3", LogDestination="arn:aws:s3:::logs"),
        _call("CreateVpcEncryptionControl", VpcId="$b"),
        _call("CreateSecondaryNetwork", {"sn": "SecondaryNetwork.SecondaryNetworkId"},
              Ipv4CidrBlock="10.64.0.0/16", NetworkType="rdma"),
        _call("CreateSecondarySubnet", SecondaryNetworkId="$sn", Ipv4CidrBlock="10.64.9.0/24",
              AvailabilityZone="ap-northeast-2a"),
        _call("CreateVpcEndpointServiceConfiguration", NetworkLoadBalancerArns=[balancer]),
        _call("CreateNetworkInsightsPath", ClientToken="path", Source="$i", Destination="$j",
              Protocol="tcp"),
        _call("CreateNetworkInsightsAccessScope", ClientToken="scope",
              MatchPaths=[{"Source": {"ResourceStatement": {"Resources": ["$g"]}}}]),
        _call("CreateTags", Resources=["$a", "$s", "$i"], Tags=_TAGS),
        {"settle": True},
    ]  # fmt: skip


@cache
def furnished() -> View:
    """The cloud, as rows; two of its instances run, and one is stopped."""
    replay = Replay([])
    for second, call in enumerate(calls()):  # so that rows have an order, whatever their ids are
        replay.cloud.now = f"2026-11-24T08:{second // 60:02}:{second % 60:02}.000Z"
        if "settle" in call:
            settle(replay.cloud)
        else:
            replay._do(call)
    assert replay.refused == []
    cloud = replay.cloud
    for row in list(cloud.store.view.all(Instance)):
        cloud.system(observed, cloud.now, row.id, "running")
    cloud.call("StopInstances", InstanceIds=[replay.known["j"]])
    cloud.system(observed, cloud.now, replay.known["j"], "stopped")
    cloud.call("CreateImage", InstanceId=replay.known["i"], Name="running image", NoReboot=True)
    settle(cloud)
    return cloud.store.view
