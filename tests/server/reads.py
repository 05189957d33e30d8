"""What actions that only read must be given; words in capitals stand for what a test has made."""

from __future__ import annotations

from typing import Any

from gureum.resources.vpn_device import GENERIC
from tests.conftest import Cloud
from tests.resources.transit import make_transit

PARAMETERS: dict[str, dict[str, Any]] = {
    "DescribeVpcAttribute": {"VpcId": "VPC", "Attribute": "enableDnsSupport"},
    "DescribeNetworkInterfaceAttribute": {
        "NetworkInterfaceId": "ENI",
        "Attribute": "description",
    },
    "DescribeInstanceAttribute": {"InstanceId": "INSTANCE", "Attribute": "instanceType"},
    "DescribeImageAttribute": {"ImageId": "IMAGE", "Attribute": "description"},
    "DescribeVpcEndpointServicePermissions": {"ServiceId": "SERVICE"},
    "DescribeVolumeAttribute": {"VolumeId": "VOLUME", "Attribute": "autoEnableIO"},
    "DescribeSnapshotAttribute": {
        "SnapshotId": "SNAPSHOT",
        "Attribute": "createVolumePermission",
    },
    "DescribeLaunchTemplateVersions": {"Versions": ["$Latest"]},
    "GetLaunchTemplateData": {"InstanceId": "INSTANCE"},
    "GetImageFindings": {"ImageId": "IMAGE"},
    "DescribeImageReferences": {"ImageIds": "IMAGES", "IncludeAllResourceTypes": True},
    "DescribeFpgaImageAttribute": {"FpgaImageId": "FPGA", "Attribute": "name"},
    "GetImageAncestry": {"ImageId": "IMAGE"},
    "GetDefaultCreditSpecification": {"InstanceFamily": "t3"},
    "GetPasswordData": {"InstanceId": "INSTANCE"},
    "GetInstanceTypesFromInstanceRequirements": {
        "ArchitectureTypes": ["x86_64"],
        "VirtualizationTypes": ["hvm"],
        "InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}},
    },
    "GetConsoleOutput": {"InstanceId": "INSTANCE"},
    "GetConsoleScreenshot": {"InstanceId": "INSTANCE"},
    "GetManagedPrefixListAssociations": {"PrefixListId": "LIST"},
    "GetManagedPrefixListEntries": {"PrefixListId": "LIST"},
    "GetTransitGatewayAttachmentPropagations": {"TransitGatewayAttachmentId": "ATTACHMENT"},
    "GetTransitGatewayPrefixListReferences": {"TransitGatewayRouteTableId": "TRANSIT"},
    "GetTransitGatewayRouteTableAssociations": {"TransitGatewayRouteTableId": "TRANSIT"},
    "GetTransitGatewayRouteTablePropagations": {"TransitGatewayRouteTableId": "TRANSIT"},
    "SearchTransitGatewayRoutes": {
        "TransitGatewayRouteTableId": "TRANSIT",
        "Filters": [{"Name": "state", "Values": ["active"]}],
    },
    "GetTransitGatewayAttachmentNatConfiguration": {"TransitGatewayAttachmentId": "ATTACHMENT"},
    "GetTransitGatewayMeteringPolicyEntries": {"TransitGatewayMeteringPolicyId": "METERING"},
    "GetTransitGatewayMulticastDomainAssociations": {"TransitGatewayMulticastDomainId": "CAST"},
    "SearchTransitGatewayMulticastGroups": {"TransitGatewayMulticastDomainId": "CAST"},
    "GetTransitGatewayPolicyTableAssociations": {"TransitGatewayPolicyTableId": "POLICY"},
    "GetTransitGatewayPolicyTableEntries": {"TransitGatewayPolicyTableId": "POLICY"},
    "GetActiveVpnTunnelStatus": {
        "VpnConnectionId": "TUNNELS",
        "VpnTunnelOutsideIpAddress": "OUTSIDE",
    },
    "GetVpnTunnelReplacementStatus": {
        "VpnConnectionId": "TUNNELS",
        "VpnTunnelOutsideIpAddress": "OUTSIDE",
    },
    "GetFlowLogsIntegrationTemplate": {
        "FlowLogId": "LOG",
        "ConfigDeliveryS3DestinationArn": "arn:aws:s3:::templates",
        "IntegrateServices": {
            "AthenaIntegrations": [
                {
                    "IntegrationResultS3DestinationArn": "arn:aws:s3:::results",
                    "PartitionLoadFrequency": "none",
                }
            ]
        },
    },
    "GetSubnetCidrReservations": {"SubnetId": "SUBNET"},
    "DescribeSecurityGroupReferences": {"GroupId": "GROUPS"},
    "ValidateSecurityGroupQuotasForInterface": {"SecurityGroupIds": "GROUPS"},
    "GetSecurityGroupsForVpc": {"VpcId": "VPC"},
    "DescribeStaleSecurityGroups": {"VpcId": "VPC"},
    "DescribeIdentityIdFormat": {"PrincipalArn": "arn:aws:iam::123456789012:root"},
    "GetInstanceUefiData": {"InstanceId": "INSTANCE"},
    "DescribeInstanceCreditSpecifications": {},
    "GetVpnConnectionDeviceSampleConfiguration": {
        "VpnConnectionId": "TUNNELS",
        "VpnConnectionDeviceTypeId": GENERIC,
    },
    "GetNetworkInsightsAccessScopeContent": {"NetworkInsightsAccessScopeId": "SCOPE"},
    "GetNetworkInsightsAccessScopeAnalysisFindings": {
        "NetworkInsightsAccessScopeAnalysisId": "FOUND"
    },
}


def recorded(cloud: Cloud, vpc: str) -> dict[str, str]:
    """Some of what is only kept, by its word."""
    gateway = {"TransitGatewayId": make_transit(cloud, MulticastSupport="enable")}
    made = {}
    for word, kind in (("CAST", "MulticastDomain"), ("POLICY", "PolicyTable"),
                       ("METERING", "MeteringPolicy")):  # fmt: skip
        answer = cloud.call(f"CreateTransitGateway{kind}", **gateway)
        made[word] = str(answer[f"TransitGateway{kind}"][f"TransitGateway{kind}Id"])
    where = {"Bucket": "designs", "Key": "a.tar"}
    made["FPGA"] = str(cloud.call("CreateFpgaImage", InputStorageLocation=where)["FpgaImageId"])
    log = {"ResourceType": "VPC", "TrafficType": "ALL", "LogDestinationType": "s3"}
    of = {"ResourceIds": [vpc], "LogDestination": "arn:aws:s3:::logs"}
    made["LOG"] = str(cloud.call("CreateFlowLogs", **log, **of)["FlowLogIds"][0])
    return made
