"""Security groups beyond their VPC: associations with others, stale rules, what fits an interface.

Sources: VPC User Guide, "Associate security groups with multiple VPCs" and "Security group
referencing"; EC2 API Reference, AssociateSecurityGroupVpc, DescribeStaleSecurityGroups.
"""

from __future__ import annotations

from collections.abc import Iterator

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.resources.group_joint import joint
from gureum.resources.network_interface import MAX_GROUPS, NetworkInterface, checked_groups
from gureum.resources.permissions import Permission, is_transit, show_permissions
from gureum.resources.resource_share import shared_with
from gureum.resources.security_group import (
    GroupVpcAssociation,
    SecurityGroup,
    SecurityGroupRule,
    association_id,
    rules_of,
    vpcs_of,
    wearable,
)
from gureum.resources.security_group_rule import over_quota
from gureum.resources.vpc import Vpc


# --- associations -------------------------------------------------------------------------------
def associate_vpc(call: Call) -> Shape:
    """AssociateSecurityGroupVpc: not of a default group, not with a default VPC."""
    group = call.txn.get(SecurityGroup, call.params["GroupId"])
    vpc = call.txn.see(Vpc, call.params["VpcId"])
    if group.default:
        raise invalid_value("groupId", group.id, "A default security group cannot be associated.")
    if vpc.default or call.txn.target(Vpc, group.vpc).default:
        raise invalid_value("vpcId", vpc.id, "The default VPC cannot be associated.")
    if vpc.id == group.vpc:
        raise invalid_value("vpcId", vpc.id, "The security group was created in this VPC.")
    if call.txn.find(GroupVpcAssociation, association_id(group.id, vpc.id)):
        return {"State": "associated"}
    common = {**call.common(GroupVpcAssociation, association_id(group.id, vpc.id)), "tags": ()}
    call.created(GroupVpcAssociation(**common, group=group.id, vpc=vpc.id))
    return {"State": "associating"}


def disassociate_vpc(call: Call) -> Shape:
    """DisassociateSecurityGroupVpc: refused while interfaces of the VPC have the group."""
    group = call.txn.get(SecurityGroup, call.params["GroupId"])
    vpc_id = call.params["VpcId"]
    row = call.txn.find(GroupVpcAssociation, association_id(group.id, vpc_id))
    if row is None:
        call.txn.see(Vpc, vpc_id)
        raise ApiError(
            "InvalidSecurityGroupVpcAssociation.NotFound",
            f"The security group '{group.id}' is not associated with the VPC '{vpc_id}'",
        )
    if any(eni.vpc == vpc_id for eni in call.txn.referrers(group.id, NetworkInterface)):
        raise ApiError("DependencyViolation", f"resource {group.id} has a dependent object")
    call.txn.delete(row)
    return {"State": "disassociating"}


def show_association(row: GroupVpcAssociation, view: View) -> Shape:
    """The API's ``SecurityGroupVpcAssociation`` structure."""
    vpc, group = view.find(Vpc, row.vpc), view.find(SecurityGroup, row.group)
    return {
        "GroupId": row.group,
        "VpcId": row.vpc,
        "VpcOwnerId": vpc.account if vpc else row.account,
        "GroupOwnerId": group.account if group else row.account,
        "State": "associated",
    }


# --- groups for a VPC ---------------------------------------------------------------------------
def _usable(call: Call) -> Iterator[SecurityGroup]:
    vpc = call.txn.see(Vpc, call.params["VpcId"])
    shared = shared_with(call.txn.view, SecurityGroup, call.account, call.region)
    groups = (*call.txn.all(SecurityGroup), *shared)
    return (group for group in groups if vpc.id in vpcs_of(call.txn.view, group))


def show_usable(group: SecurityGroup, view: View) -> Shape:
    """The API's ``SecurityGroupForVpc`` structure."""
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": group.account,
        "PrimaryVpcId": group.vpc,
        "Tags": [{"Key": key, "Value": value} for key, value in group.tags],
    }


def validate_quotas(call: Call) -> Shape:
    """ValidateSecurityGroupQuotasForInterface: whether one interface may have all the groups."""
    keys = call.params["SecurityGroupIds"]
    groups = [wearable(call, key) for key in keys]
    if not groups or len(set(keys)) != len(keys):
        raise ApiError(
            "InvalidParameterValue", "Each of the security group IDs must be given once."
        )
    checked_groups(call, keys[: MAX_GROUPS + 1], groups[0].vpc, f"VPC {groups[0].vpc}")
    for group in groups:
        if over_quota(call.txn.view, group.id):
            raise ApiError(
                "RulesPerSecurityGroupLimitExceeded",
                f"The security group '{group.id}' has more rules than it may.",
            )
    return {"Valid": True}


# --- references ---------------------------------------------------------------------------------
def describe_references(call: Call) -> Shape:
    """DescribeSecurityGroupReferences: the VPCs beyond a peering connection or a transit gateway
    whose groups have rules that name a group, stale ones too."""
    view = call.txn.view
    found: list[Shape] = []
    for key in dict.fromkeys(call.params["GroupId"]):
        call.txn.get(SecurityGroup, key)
        for rule in call.txn.referrers(key, SecurityGroupRule):
            far, group = rule.permission.far, view.find(SecurityGroup, rule.group)
            if far is not None and far.id == key and group is not None:
                named = {"GroupId": key, "ReferencingVpcId": group.vpc}
                by = "TransitGatewayId" if is_transit(far.peering) else "VpcPeeringConnectionId"
                shape = {**named, by: far.peering}
                found += [shape] if shape not in found else []
    return {"SecurityGroupReferenceSet": found}


def _stale(view: View, group: SecurityGroup, *, egress: bool) -> list[Permission]:
    """The permissions of a group that name one with which it shares no VPC any more, or which is
    gone beyond a peering, as the peering may be itself."""
    rules = (rule for rule in rules_of(view, group.id) if rule.egress == egress)
    return [rule.permission for rule in rules if _is_stale(view, group, rule.permission)]


def _is_stale(view: View, group: SecurityGroup, item: Permission) -> bool:
    peer = view.find(SecurityGroup, item.named_group)
    if item.far is not None:
        return peer is None or joint(view, group.vpc, item.far.vpc) is None
    return peer is not None and not vpcs_of(view, group) & vpcs_of(view, peer)


def _with_stale(call: Call) -> Iterator[SecurityGroup]:
    vpc, view = call.txn.see(Vpc, call.params["VpcId"]), call.txn.view
    for group in call.txn.all(SecurityGroup):
        ways = (_stale(view, group, egress=egress) for egress in (False, True))
        if group.vpc == vpc.id and any(ways):
            yield group


def show_stale(group: SecurityGroup, view: View) -> Shape:
    """The API's ``StaleSecurityGroup`` structure."""
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "VpcId": group.vpc,
        "StaleIpPermissions": _show_stale(view, group, egress=False),
        "StaleIpPermissionsEgress": _show_stale(view, group, egress=True),
    }


def _show_stale(view: View, group: SecurityGroup, *, egress: bool) -> list[Shape]:
    items = show_permissions(_stale(view, group, egress=egress), group.account, view)
    for item in items:
        item.pop("Ipv6Ranges")
        for pair in item["UserIdGroupPairs"]:
            peer = view.find(SecurityGroup, pair["GroupId"])
            pair |= {"VpcId": peer.vpc} if peer else {}
    return items


KIND = Kind(
    row=GroupVpcAssociation,
    actions={
        "AssociateSecurityGroupVpc": associate_vpc,
        "DisassociateSecurityGroupVpc": disassociate_vpc,
        "DescribeSecurityGroupReferences": describe_references,
        "ValidateSecurityGroupQuotasForInterface": validate_quotas,
    },
    reads=frozenset({"DescribeSecurityGroupReferences", "ValidateSecurityGroupQuotasForInterface"}),
    listings=(
        Listing(
            action="DescribeSecurityGroupVpcAssociations",
            result="SecurityGroupVpcAssociations",
            show=show_association,
        ),
        Listing(
            action="GetSecurityGroupsForVpc",
            result="SecurityGroupForVpcs",
            show=show_usable,
            rows=_usable,
        ),
        Listing(
            action="DescribeStaleSecurityGroups",
            result="StaleSecurityGroupSet",
            show=show_stale,
            rows=_with_stale,
        ),
    ),
)
