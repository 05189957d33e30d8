"""What actions that only read must be given; words in capitals stand for what a test has made."""

from __future__ import annotations

from typing import Any

from gureum.resources.vpn_device import GENERIC

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
    "GetImageAncestry": {"ImageId": "IMAGE"},
    "GetDefaultCreditSpecification": {"InstanceFamily": "t3"},
    "GetPasswordData": {"InstanceId": "INSTANCE"},
    "GetInstanceTypesFromInstanceRequirements": {
        "ArchitectureTypes": ["x86_64"],
        "VirtualizationTypes": ["hvm"],
        "InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}},
    },
    "GetConsoleOutput": {"InstanceId": "INSTANCE"},
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
