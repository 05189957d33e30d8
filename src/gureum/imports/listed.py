"""The describe calls that an account is written as, and the shapes of its rows in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gureum.kind import Shape
from gureum.model import Resource, View
from gureum.resources import (
    carrier_gateway,
    connect_endpoint,
    customer_gateway,
    dhcp_options,
    egress_only_gateway,
    elastic_ip,
    endpoint_service_api,
    flow_log_api,
    instance_profile,
    instance_shape,
    internet_gateway,
    key_pair,
    launch_template_api,
    nat_gateway,
    network_acl,
    network_insights,
    network_interface,
    network_interface_permission,
    placement_group,
    prefix_list_api,
    public_access_api,
    route_table,
    secondary_network,
    security_group,
    security_group_rule,
    subnet,
    traffic_mirror_filter,
    traffic_mirror_session,
    transit_gateway_api,
    transit_gateway_attachment,
    transit_gateway_connect,
    transit_gateway_metering,
    transit_gateway_multicast,
    transit_gateway_peering,
    transit_gateway_policy,
    transit_gateway_table,
    volume,
    vpc,
    vpc_encryption,
    vpc_endpoint_api,
    vpc_peering,
    vpn_concentrator,
    vpn_connection_api,
    vpn_gateway_api,
)
from gureum.resources.carrier_gateway import CarrierGateway
from gureum.resources.connect_endpoint import ConnectEndpoint
from gureum.resources.customer_gateway import CustomerGateway
from gureum.resources.dhcp_options import DhcpOptions
from gureum.resources.egress_only_gateway import EgressOnlyGateway
from gureum.resources.elastic_ip import ElasticIp
from gureum.resources.endpoint_service import EndpointService
from gureum.resources.flow_log import FlowLog
from gureum.resources.instance import Instance
from gureum.resources.instance_profile import ProfileAssociation
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.key_pair import KeyPair
from gureum.resources.launch_template import LaunchTemplate
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.network_acl import NetworkAcl
from gureum.resources.network_insights import NetworkInsightsPath
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.network_interface_permission import InterfacePermission
from gureum.resources.placement import PlacementGroup
from gureum.resources.prefix_list import PrefixList
from gureum.resources.public_access import PublicAccessExclusion
from gureum.resources.route_table import RouteTable
from gureum.resources.secondary_network import SecondaryNetwork, SecondarySubnet
from gureum.resources.security_group import SecurityGroup, SecurityGroupRule
from gureum.resources.subnet import Subnet
from gureum.resources.traffic_mirror import (
    TrafficMirrorFilter,
    TrafficMirrorSession,
    TrafficMirrorTarget,
)
from gureum.resources.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
)
from gureum.resources.transit_gateway_connect import CONNECT, ConnectPeer
from gureum.resources.transit_gateway_metering import MeteringPolicy
from gureum.resources.transit_gateway_multicast import MulticastDomain
from gureum.resources.transit_gateway_policy import PolicyTable
from gureum.resources.volume import Volume
from gureum.resources.vpc import Vpc
from gureum.resources.vpc_encryption import VpcEncryptionControl
from gureum.resources.vpc_endpoint import VpcEndpoint
from gureum.resources.vpc_peering import VpcPeeringConnection
from gureum.resources.vpn_concentrator import CONCENTRATOR, VpnConcentrator
from gureum.resources.vpn_connection import VpnConnection
from gureum.resources.vpn_gateway import VpnGateway


@dataclass(frozen=True)
class Listed:
    """A describe call: its ``action``, the rows it lists and how it shows one of them; ``member``
    is the one of the answer that lists them, where it has another name, and ``keep`` says which
    rows of the type it lists, where those are not all."""

    action: str
    row: type[Resource]
    show: Callable[[Any, View], Shape]
    gather: Callable[[Iterable[Shape]], list[Shape]] | None = None
    member: str | None = None
    keep: Callable[[Any], bool] = lambda row: True


def _of_vpc(row: TransitGatewayAttachment) -> bool:
    return row.of_vpc


def _known(row: TransitGatewayAttachment) -> bool:
    return row.of_vpc or row.peer is not None or row.type in (CONNECT, CONCENTRATOR)


LISTED: Mapping[str, Listed] = {
    "Addresses": Listed("DescribeAddresses", ElasticIp, elastic_ip.show),
    "CarrierGateways": Listed("DescribeCarrierGateways", CarrierGateway, carrier_gateway.show),
    "CustomerGateways": Listed("DescribeCustomerGateways", CustomerGateway, customer_gateway.show),
    "DhcpOptions": Listed("DescribeDhcpOptions", DhcpOptions, dhcp_options.show),
    "EgressOnlyInternetGateways": Listed(
        "DescribeEgressOnlyInternetGateways", EgressOnlyGateway, egress_only_gateway.show
    ),
    "FlowLogs": Listed("DescribeFlowLogs", FlowLog, flow_log_api.show),
    "IamInstanceProfileAssociations": Listed(
        "DescribeIamInstanceProfileAssociations", ProfileAssociation, instance_profile.show
    ),
    "InstanceConnectEndpoints": Listed(
        "DescribeInstanceConnectEndpoints",
        ConnectEndpoint,
        connect_endpoint.show,
        keep=lambda row: row.ended is None,
    ),
    "InternetGateways": Listed("DescribeInternetGateways", InternetGateway, internet_gateway.show),
    "KeyPairs": Listed("DescribeKeyPairs", KeyPair, key_pair.show),
    "LaunchTemplates": Listed("DescribeLaunchTemplates", LaunchTemplate, launch_template_api.show),
    "ManagedPrefixLists": Listed(
        "DescribeManagedPrefixLists", PrefixList, prefix_list_api.show, member="PrefixLists"
    ),
    "NatGateways": Listed("DescribeNatGateways", NatGateway, nat_gateway.show),
    "NetworkAcls": Listed("DescribeNetworkAcls", NetworkAcl, network_acl.show),
    "NetworkInsightsPaths": Listed(
        "DescribeNetworkInsightsPaths", NetworkInsightsPath, network_insights.show_path
    ),
    "NetworkInterfacePermissions": Listed(
        "DescribeNetworkInterfacePermissions",
        InterfacePermission,
        network_interface_permission.show,
    ),
    "NetworkInterfaces": Listed(
        "DescribeNetworkInterfaces", NetworkInterface, network_interface.show
    ),
    "PlacementGroups": Listed("DescribePlacementGroups", PlacementGroup, placement_group.show),
    "Reservations": Listed(
        "DescribeInstances", Instance, instance_shape.show_reservation, instance_shape.gathered
    ),
    "RouteTables": Listed("DescribeRouteTables", RouteTable, route_table.show),
    "SecondaryNetworks": Listed(
        "DescribeSecondaryNetworks", SecondaryNetwork, secondary_network.show_network
    ),
    "SecondarySubnets": Listed(
        "DescribeSecondarySubnets", SecondarySubnet, secondary_network.show_subnet
    ),
    "SecurityGroupRules": Listed(
        "DescribeSecurityGroupRules", SecurityGroupRule, security_group_rule.show
    ),
    "SecurityGroups": Listed("DescribeSecurityGroups", SecurityGroup, security_group.show),
    "ServiceConfigurations": Listed(
        "DescribeVpcEndpointServiceConfigurations", EndpointService, endpoint_service_api.show
    ),
    "Subnets": Listed("DescribeSubnets", Subnet, subnet.show),
    "TrafficMirrorFilters": Listed(
        "DescribeTrafficMirrorFilters", TrafficMirrorFilter, traffic_mirror_filter.show_filter
    ),
    "TrafficMirrorSessions": Listed(
        "DescribeTrafficMirrorSessions", TrafficMirrorSession, traffic_mirror_session.show_session
    ),
    "TrafficMirrorTargets": Listed(
        "DescribeTrafficMirrorTargets", TrafficMirrorTarget, traffic_mirror_session.show_target
    ),
    "TransitGatewayAttachments": Listed(
        "DescribeTransitGatewayAttachments",
        TransitGatewayAttachment,
        transit_gateway_attachment.show,
        keep=_known,
    ),
    "TransitGatewayConnectPeers": Listed(
        "DescribeTransitGatewayConnectPeers", ConnectPeer, transit_gateway_connect.show_peer
    ),
    "TransitGatewayConnects": Listed(
        "DescribeTransitGatewayConnects",
        TransitGatewayAttachment,
        transit_gateway_connect.show_connect,
        keep=lambda row: row.type == CONNECT,
    ),
    "TransitGatewayMeteringPolicies": Listed(
        "DescribeTransitGatewayMeteringPolicies", MeteringPolicy, transit_gateway_metering.show
    ),
    "TransitGatewayMulticastDomains": Listed(
        "DescribeTransitGatewayMulticastDomains", MulticastDomain, transit_gateway_multicast.show
    ),
    "TransitGatewayPeeringAttachments": Listed(
        "DescribeTransitGatewayPeeringAttachments",
        TransitGatewayAttachment,
        transit_gateway_peering.show,
        keep=lambda row: row.peer is not None,
    ),
    "TransitGatewayPolicyTables": Listed(
        "DescribeTransitGatewayPolicyTables", PolicyTable, transit_gateway_policy.show
    ),
    "TransitGatewayRouteTables": Listed(
        "DescribeTransitGatewayRouteTables", TransitGatewayRouteTable, transit_gateway_table.show
    ),
    "TransitGatewayVpcAttachments": Listed(
        "DescribeTransitGatewayVpcAttachments",
        TransitGatewayAttachment,
        transit_gateway_attachment.show_vpc,
        keep=_of_vpc,
    ),
    "TransitGateways": Listed("DescribeTransitGateways", TransitGateway, transit_gateway_api.show),
    "Volumes": Listed("DescribeVolumes", Volume, volume.show),
    "VpcBlockPublicAccessExclusions": Listed(
        "DescribeVpcBlockPublicAccessExclusions", PublicAccessExclusion, public_access_api.show
    ),
    "VpcEncryptionControls": Listed(
        "DescribeVpcEncryptionControls", VpcEncryptionControl, vpc_encryption.show
    ),
    "VpcEndpoints": Listed("DescribeVpcEndpoints", VpcEndpoint, vpc_endpoint_api.show),
    "VpcPeeringConnections": Listed(
        "DescribeVpcPeeringConnections", VpcPeeringConnection, vpc_peering.show
    ),
    "Vpcs": Listed("DescribeVpcs", Vpc, vpc.show),
    "VpnConcentrators": Listed("DescribeVpnConcentrators", VpnConcentrator, vpn_concentrator.show),
    "VpnConnections": Listed("DescribeVpnConnections", VpnConnection, vpn_connection_api.show),
    "VpnGateways": Listed("DescribeVpnGateways", VpnGateway, vpn_gateway_api.show),
}
"""By what names the file, which is the member that lists the items but for one."""

COMPANIONS = frozenset(
    {
        *("address-lease", "elastic-ip-association", "home", "image-alias", "internet-host"),
        *("launch-template-version", "vpc-block-public-access-options"),
        *("network-acl-association", "prefix-list-version", "public-ip"),
        "traffic-mirror-filter-rule",
        *("route-table-association", "subnet-cidr-reservation", "vpc-ipv6-cidr-block"),
    }
)
"""Kinds of rows that the listed ones tell of, or that belong to no account."""
