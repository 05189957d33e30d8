"""The answers of describe calls as they were saved, put together by what they list.

The AWS CLI saves an answer as one JSON object whose member is a list (``{"Vpcs": […]}``).  Names of
files do not matter, but for parts of a prefix list or of a transit gateway's route table: their
answers do not say whose they are, so its id is looked for in the name.  Batfish's layout
(``aws_configs/Vpcs.json``) is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gureum.kind import Shape

Item = dict[str, Any]

IDS: Mapping[str, str] = {
    "Addresses": "AllocationId",
    "CarrierGateways": "CarrierGatewayId",
    "CustomerGateways": "CustomerGatewayId",
    "DhcpOptions": "DhcpOptionsId",
    "FlowLogs": "FlowLogId",
    "EgressOnlyInternetGateways": "EgressOnlyInternetGatewayId",
    "IamInstanceProfileAssociations": "AssociationId",
    "InstanceConnectEndpoints": "InstanceConnectEndpointId",
    "InternetGateways": "InternetGatewayId",
    "KeyPairs": "KeyPairId",
    "LaunchTemplates": "LaunchTemplateId",
    "ManagedPrefixLists": "PrefixListId",
    "NatGateways": "NatGatewayId",
    "NetworkAcls": "NetworkAclId",
    "NetworkInsightsPaths": "NetworkInsightsPathId",
    "NetworkInterfacePermissions": "NetworkInterfacePermissionId",
    "NetworkInterfaces": "NetworkInterfaceId",
    "PlacementGroups": "GroupId",
    "PrefixLists": "PrefixListId",
    "Reservations": "ReservationId",
    "RouteTables": "RouteTableId",
    "SecondaryNetworks": "SecondaryNetworkId",
    "SecondarySubnets": "SecondarySubnetId",
    "SecurityGroupRules": "SecurityGroupRuleId",
    "SecurityGroups": "GroupId",
    "ServiceConfigurations": "ServiceId",
    "SubnetIpv4CidrReservations": "SubnetCidrReservationId",
    "SubnetIpv6CidrReservations": "SubnetCidrReservationId",
    "Subnets": "SubnetId",
    "TrafficMirrorFilterRules": "TrafficMirrorFilterRuleId",
    "TrafficMirrorFilters": "TrafficMirrorFilterId",
    "TrafficMirrorSessions": "TrafficMirrorSessionId",
    "TrafficMirrorTargets": "TrafficMirrorTargetId",
    "TransitGatewayAttachments": "TransitGatewayAttachmentId",
    "TransitGatewayConnectPeers": "TransitGatewayConnectPeerId",
    "TransitGatewayConnects": "TransitGatewayAttachmentId",
    "TransitGatewayMeteringPolicies": "TransitGatewayMeteringPolicyId",
    "TransitGatewayMulticastDomains": "TransitGatewayMulticastDomainId",
    "TransitGatewayPeeringAttachments": "TransitGatewayAttachmentId",
    "TransitGatewayPolicyTables": "TransitGatewayPolicyTableId",
    "TransitGatewayRouteTables": "TransitGatewayRouteTableId",
    "TransitGatewayVpcAttachments": "TransitGatewayAttachmentId",
    "TransitGateways": "TransitGatewayId",
    "Volumes": "VolumeId",
    "VpcBlockPublicAccessExclusions": "ExclusionId",
    "VpcBlockPublicAccessOptions": "AwsRegion",
    "VpcEncryptionControls": "VpcEncryptionControlId",
    "VpcEndpoints": "VpcEndpointId",
    "VpcPeeringConnections": "VpcPeeringConnectionId",
    "Vpcs": "VpcId",
    "VpnConcentrators": "VpnConcentratorId",
    "VpnConnections": "VpnConnectionId",
    "VpnGateways": "VpnGatewayId",
}
"""The lists that are read, with the member that is an item's id."""

FACTS = frozenset(
    {
        *("AccountAttributes", "AvailabilityZones", "InstanceStatuses", "InstanceTypeOfferings"),
        *("InstanceTypes", "Regions", "Tags"),
    }
)
"""Lists that tell nothing of an account that other answers do not tell, or facts about AWS."""

PARTS = frozenset(
    {
        *("Associations", "Entries", "MulticastDomainAssociations", "MulticastGroups", "Routes"),
        *("TransitGatewayMeteringPolicyEntries", "TransitGatewayPolicyTableEntries"),
        "TransitGatewayRouteTablePropagations",
    }
)
"""Lists of parts of something, which the name of the file tells."""

_BESIDE = frozenset({"AdditionalRoutesAvailable", "NextToken", "ResponseMetadata"})
_SINGLE = frozenset({"VpcBlockPublicAccessOptions"})
"""Members that are one structure, of which there is one in a region."""

_WHOSE = re.compile(r"(?:pl|tgw-rtb|tgw-mcast-domain|tgw-ptb|tgw-mp)-[0-9a-f]+")


@dataclass
class Answers:
    """``lists`` are the items by the member that lists them; ``attributes`` single attributes by
    the id of a VPC or instance and the attribute's name; ``parts`` are the lists of :data:`PARTS`
    by their name and whose they are.  ``strange`` are files that are none of these, with the
    reason."""

    lists: dict[str, list[Item]] = field(default_factory=dict)
    attributes: dict[tuple[str, str], Any] = field(default_factory=dict)
    parts: dict[tuple[str, str], list[Item]] = field(default_factory=dict)
    strange: list[tuple[str, str]] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set, repr=False)

    def of(self, what: str) -> list[Item]:
        """The items of a list; none if nobody asked for it."""
        return self.lists.get(what, [])

    def attribute(self, key: str, name: str) -> Any:
        """A single attribute, or None where it was not asked for."""
        return self.attributes.get((key, name))


def gather(documents: Mapping[str, Any]) -> Answers:
    """Put together the contents of files, by their names."""
    found = Answers()
    for name, document in sorted(documents.items()):
        if not isinstance(document, dict):
            found.strange.append((name, "it is no JSON object"))
        elif not _one_attribute(found, document):
            _lists(found, name, document)
    return found


def _one_attribute(found: Answers, document: Shape) -> bool:
    """Whether it is the answer of DescribeVpcAttribute or DescribeInstanceAttribute."""
    key = document.get("VpcId") or document.get("InstanceId")
    if not isinstance(key, str):
        return False
    for name, value in document.items():
        if isinstance(value, dict) and "Value" in value:
            found.attributes[key, name] = value["Value"]
    return True


def _lists(found: Answers, name: str, document: Shape) -> None:
    for what, items in document.items():
        if what in _BESIDE:
            continue
        if what in _SINGLE and isinstance(items, dict):
            items = [items]
        if not _is_list(items):
            found.strange.append((name, f"its member {what} is no list of structures"))
        elif what in PARTS:
            _parts(found, name, what, items)
        elif what == "PrefixLists":
            for item in items:  # two calls answer with a list of this name
                _add(found, "ManagedPrefixLists" if "AddressFamily" in item else what, [item])
        else:
            _add(found, what, items)


def _add(found: Answers, what: str, items: list[Item]) -> None:
    """Add items, those of pages that were saved twice once."""
    for item in items:
        known = (what, json.dumps(item, sort_keys=True))
        if known not in found.seen:
            found.seen.add(known)
            found.lists.setdefault(what, []).append(item)


def _is_list(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(item, dict) for item in items)


def _parts(found: Answers, name: str, what: str, items: Iterable[Item]) -> None:
    key = _WHOSE.search(name)
    if key is None:
        found.strange.append((name, f"the name does not tell whose {what} these are"))
    else:
        found.parts.setdefault((what, key.group()), []).extend(items)
