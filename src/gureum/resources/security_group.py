"""Security group: a named set of rules that interfaces of a VPC wear; its rules are rows too.

Sources: VPC User Guide, "Security groups" and "Default security groups"; EC2 API Reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Call, Kind, Listing, Selector, Shape
from gureum.model import Reader, Resource, Tags, View, ref
from gureum.resources.ipv6 import Ipv6Block, blocks
from gureum.resources.permissions import ANY_V4, ANY_V6, Permission, check_text, show_permissions
from gureum.resources.resource_share import is_shared, shared_with
from gureum.resources.shapes import tag_list
from gureum.resources.shared_vpc import OfGuest, is_in_vpc
from gureum.resources.subnet import arn
from gureum.resources.vpc import Vpc, default_vpc

DEFAULT_NAME = "default"
MAX_GROUPS = 2500
"""Security groups per region (VPC quotas)."""


_OUT = Permission(protocol=None, cidr=ANY_V4)
_OUT_V6 = Permission(protocol=None, cidr6=ANY_V6)
"""The rules about what goes out that a new group has."""


@dataclass(frozen=True, kw_only=True)
class SecurityGroup(
    OfGuest,
    Resource,
    kind="security-group",
    prefix="sg",
    not_found="InvalidGroup.NotFound",
    malformed="InvalidGroupId.Malformed",
    noun="security group",
    missing="The security group '{id}' does not exist",
):
    """A security group of a VPC; its name is unique there."""

    vpc: str = ref()
    name: str
    description: str

    @property
    def default(self) -> bool:
        """Whether it is the VPC's default group, which lives and dies with the VPC."""
        return self.name == DEFAULT_NAME

    def goes_with(self, target: str) -> bool:
        return self.default and target == self.vpc

    def open_to(self, reader: Reader, account: str) -> bool:
        return super().open_to(reader, account) or is_shared(reader, self.id, account)

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> Iterator[SecurityGroup]:
        yield from super().all_open_to(reader, account, region)
        yield from shared_with(reader, SecurityGroup, account, region)

    def nameable_by(self, reader: Reader, account: str) -> bool:
        """Rules may name the groups of all who are in the VPC."""
        return any(is_in_vpc(reader, vpc, account, self.region) for vpc in vpcs_of(reader, self))

    def beside(self, reader: Reader, account: str) -> bool:
        return self.nameable_by(reader, account) or self.open_to(reader, account)


@dataclass(frozen=True, kw_only=True)
class SecurityGroupRule(
    Resource,
    kind="security-group-rule",
    prefix="sgr",
    not_found="InvalidSecurityGroupRuleId.NotFound",
    malformed="InvalidSecurityGroupRuleId.Malformed",
    noun="security group rule",
):
    """One rule of a group: what it permits in one direction with one peer."""

    group: str = ref("cascade")
    egress: bool
    permission: Permission

    def goes_with(self, target: str) -> bool:
        return target == self.group

    def open_to(self, reader: Reader, account: str) -> bool:
        group = reader.find(SecurityGroup, self.group)
        return group is not None and group.open_to(reader, account)

    def beside(self, reader: Reader, account: str) -> bool:
        return self.open_to(reader, account)

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> Iterator[SecurityGroupRule]:
        for group in SecurityGroup.all_open_to(reader, account, region):
            yield from rules_of(reader, group.id)


@dataclass(frozen=True, kw_only=True)
class GroupVpcAssociation(
    OfGuest,
    Resource,
    kind="security-group-vpc-association",
    prefix="sgvpc",
    not_found="InvalidSecurityGroupVpcAssociation.NotFound",
    malformed="InvalidSecurityGroupVpcAssociation.NotFound",
    noun="security group VPC association",
):
    """Another VPC whose interfaces may have the group.  The id is made of both."""

    group: str = ref()
    vpc: str = ref()


def association_id(group: str, vpc: str) -> str:
    """The id of the row of a group's association with a VPC."""
    return f"sgvpc-{group}/{vpc}"


def vpcs_of(reader: Reader, group: SecurityGroup) -> set[str]:
    """The VPCs whose interfaces may have the group: its own, and those it is associated with."""
    return {group.vpc, *(row.vpc for row in reader.referrers(group.id, GroupVpcAssociation))}


def rules_of(reader: Reader, group_id: str) -> list[SecurityGroupRule]:
    """The group's own rules, oldest first; not those of others that refer to it."""
    rules = (row for row in reader.referrers(group_id, SecurityGroupRule) if row.group == group_id)
    return sorted(rules, key=lambda row: (row.created, row.id))


def add_rule(
    call: Call, group: SecurityGroup, permission: Permission, *, egress: bool, tags: Tags = ()
) -> SecurityGroupRule:
    """Store a rule, unchecked; it is the group's owner's, whoever acts."""
    common = {**call.common(SecurityGroupRule), "tags": tags, "account": group.account}
    return call.created(
        SecurityGroupRule(**common, group=group.id, egress=egress, permission=permission)
    )


def named(call: Call, name: str, vpc_id: str) -> SecurityGroup | None:
    """The VPC's group of that name that the caller has."""
    groups = call.txn.referrers(vpc_id, SecurityGroup)
    mine = (group for group in groups if group.account == call.account)
    return next((group for group in mine if group.name == name), None)


def default_of(call: Call, vpc_id: str) -> SecurityGroup | None:
    """The VPC's default group, unless it has none.

    Raises:
        ApiError: ``UnauthorizedOperation`` where the VPC is another account's, which the group is.
    """
    groups = call.txn.referrers(vpc_id, SecurityGroup)
    row = next((group for group in groups if group.default), None)
    return call.txn.get(SecurityGroup, row.id) if row else None


def asked_group(call: Call) -> SecurityGroup:
    """The group that ``GroupId``, or ``GroupName`` in the default VPC, names.

    Raises:
        ApiError: ``MissingParameter``, ``InvalidGroup.NotFound``.
    """
    if key := call.get("GroupId"):
        return call.txn.get(SecurityGroup, key)
    name = call.get("GroupName")
    if not name:
        raise ApiError(
            "MissingParameter", "The request must contain the parameter groupName or groupId"
        )
    vpc = default_vpc(call.txn)
    group = named(call, name, vpc.id) if vpc else None
    if group is None:
        where = f"default VPC '{vpc.id}'" if vpc else "a default VPC"
        raise ApiError(
            "InvalidGroup.NotFound", f"The security group '{name}' does not exist in {where}"
        )
    return group


def create_security_group(call: Call) -> Shape:
    """CreateSecurityGroup: nothing may come in, everything may go out."""
    name = _checked_name(call)
    if not call.get("Description"):
        raise missing_parameter("GroupDescription")
    vpc = _vpc(call)
    if named(call, name, vpc.id):
        raise ApiError(
            "InvalidGroup.Duplicate",
            f"The security group '{name}' already exists for VPC '{vpc.id}'",
        )
    if sum(1 for _ in call.txn.all(SecurityGroup)) >= MAX_GROUPS:
        raise ApiError(
            "SecurityGroupLimitExceeded", "The maximum number of security groups has been reached."
        )
    description = check_text(call.params["Description"], "GroupDescription")
    group = call.created(
        SecurityGroup(**call.common(SecurityGroup), vpc=vpc.id, name=name, description=description)
    )
    add_rule(call, group, _OUT, egress=True)
    if blocks(call.txn.view, vpc.id):
        add_rule(call, group, _OUT_V6, egress=True)
    return {"GroupId": group.id, "SecurityGroupArn": arn(group), "Tags": tag_list(group)}


def _checked_name(call: Call) -> str:
    name = str(call.get("GroupName") or "").strip()
    if not name:
        raise missing_parameter("GroupName")
    if name == DEFAULT_NAME:
        raise ApiError("InvalidParameterValue", f"Cannot use reserved security group name: {name}")
    if name.startswith("sg-"):
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({name}) for parameter GroupName is invalid. "
            "Group names may not be in the format sg-*.",
        )
    return check_text(name, "GroupName")


def _vpc(call: Call) -> Vpc:
    if call.get("VpcId"):
        return call.txn.see(Vpc, call.params["VpcId"])
    vpc = default_vpc(call.txn)
    if vpc is None:
        raise ApiError("VPCIdNotSpecified", "No default VPC for this user")
    return vpc


def default_group(call: Call, vpc: Vpc) -> None:
    """The default group of a VPC: its members reach one another, and everything may go out."""
    group = call.created(
        SecurityGroup(
            **{**call.common(SecurityGroup), "tags": ()},
            vpc=vpc.id,
            name=DEFAULT_NAME,
            description="default VPC security group",
        )
    )
    add_rule(call, group, Permission(protocol=None, group=group.id), egress=False)
    add_rule(call, group, _OUT, egress=True)


def open_to_ipv6(call: Call, block: Ipv6Block) -> None:
    """With its first IPv6 block everything may go out over IPv6 from the VPC's groups, but from
    those whose outbound rules somebody has changed (VPC User Guide, "Security group rules")."""
    for group in call.txn.referrers(block.vpc, SecurityGroup):
        out = [rule.permission.traffic for rule in rules_of(call.txn.view, group.id) if rule.egress]
        if out == [_OUT]:
            add_rule(call, group, _OUT_V6, egress=True)


def delete_security_group(call: Call) -> Shape:
    """DeleteSecurityGroup: refused while interfaces wear it or others' rules refer to it."""
    group = asked_group(call)
    if group.default:
        raise ApiError(
            "CannotDelete",
            f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user',
        )
    try:
        call.txn.delete(group)
    except ApiError as error:
        if error.code != "DependencyViolation":
            raise
        raise ApiError(error.code, f"resource {group.id} has a dependent object") from None
    return {"Return": True, "GroupId": group.id}


def wearable(call: Call, key: str) -> SecurityGroup:
    """The group, which the caller must own, or its owner shares with them.

    Raises:
        ApiError: ``InvalidGroup.NotFound``, ``UnauthorizedOperation``.
    """
    if is_shared(call.txn.view, key, call.account):
        return call.txn.see(SecurityGroup, key)
    return call.txn.get(SecurityGroup, key)


def check_groups(
    call: Call, keys: Iterable[str], vpc_id: str, place: str, worn: Iterable[str] = ()
) -> tuple[str, ...]:
    """The group ids, each once, if they exist in the VPC; ``place`` is named in the refusal.  Those
    that are ``worn`` already stay, shared still or not.

    Raises:
        ApiError: ``InvalidGroup.NotFound``, ``InvalidParameterValue`` (another VPC's group),
            ``UnauthorizedOperation`` (another account's that is not shared).
    """
    found = tuple(dict.fromkeys(keys))
    for key in found:
        if key in worn:
            continue
        if vpc_id not in vpcs_of(call.txn.view, wearable(call, key)):
            raise ApiError(
                "InvalidParameterValue",
                f"Security group {key} and {place} belong to different networks.",
            )
    return found


def show_identifiers(reader: Reader, keys: Iterable[str]) -> list[Shape]:
    """``GroupIdentifier`` structures: ids with names."""
    rows = (reader.find(SecurityGroup, key) for key in keys)
    return [{"GroupId": row.id, "GroupName": row.name} for row in rows if row]


def show(group: SecurityGroup, view: View) -> Shape:
    """The API's ``SecurityGroup`` structure."""
    rules = rules_of(view, group.id)
    come = [rule.permission for rule in rules if not rule.egress]
    go = [rule.permission for rule in rules if rule.egress]
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": group.account,
        "VpcId": group.vpc,
        "SecurityGroupArn": arn(group),
        "IpPermissions": show_permissions(come, group.account, view),
        "IpPermissionsEgress": show_permissions(go, group.account, view),
        "Tags": tag_list(group),
    }


def _listed(call: Call) -> Iterable[SecurityGroup]:
    """All groups; only the default VPC's when they are asked for by name, as in AWS."""
    groups = call.txn.seen(SecurityGroup)
    if not call.get("GroupNames"):
        return groups
    vpc = default_vpc(call.txn)
    return [group for group in groups if vpc and group.vpc == vpc.id]


def _paths(prefix: str, member: str) -> dict[str, str]:
    """The filters on rules: the same names for both directions."""
    return {
        f"{prefix}.cidr": f"{member}[].IpRanges[].CidrIp",
        f"{prefix}.from-port": f"{member}[].FromPort",
        f"{prefix}.group-id": f"{member}[].UserIdGroupPairs[].GroupId",
        f"{prefix}.ipv6-cidr": f"{member}[].Ipv6Ranges[].CidrIpv6",
        f"{prefix}.prefix-list-id": f"{member}[].PrefixListIds[].PrefixListId",
        f"{prefix}.protocol": f"{member}[].IpProtocol",
        f"{prefix}.to-port": f"{member}[].ToPort",
        f"{prefix}.user-id": f"{member}[].UserIdGroupPairs[].UserId",
    }


def _peer_names(group: SecurityGroup, view: View, *, egress: bool) -> list[str]:
    """The names of the groups that rules refer to, which no shown member holds."""
    rules = (rule for rule in rules_of(view, group.id) if rule.egress == egress)
    peers = (view.find(SecurityGroup, rule.permission.named_group) for rule in rules)
    return [peer.name for peer in peers if peer]


KIND = Kind(
    row=SecurityGroup,
    actions={
        "CreateSecurityGroup": create_security_group,
        "DeleteSecurityGroup": delete_security_group,
    },
    listings=(
        Listing(
            action="DescribeSecurityGroups",
            result="SecurityGroups",
            show=show,
            ids="GroupIds",
            rows=_listed,
            selectors={
                "GroupNames": Selector(
                    path="GroupName",
                    code="InvalidGroup.NotFound",
                    message="The security group '{}' does not exist in the default VPC",
                )
            },
            paths={
                **_paths("ip-permission", "IpPermissions"),
                **_paths("egress.ip-permission", "IpPermissionsEgress"),
            },
            computed={
                "ip-permission.group-name": lambda row, view: _peer_names(row, view, egress=False),
                "egress.ip-permission.group-name": (
                    lambda row, view: _peer_names(row, view, egress=True)
                ),
            },
        ),
    ),
    beside={Vpc: default_group, Ipv6Block: open_to_ipv6},
)
