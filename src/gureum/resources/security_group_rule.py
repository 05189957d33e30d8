"""The rules of security groups: authorize, revoke, modify, list.

Sources: EC2 API Reference, AuthorizeSecurityGroupIngress and its kin; VPC User Guide, "Security
group rules".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Reader, View
from gureum.program import Member
from gureum.resources.group_joint import joint
from gureum.resources.network_interface import NetworkInterface, port_of
from gureum.resources.permissions import (
    FarGroup,
    Permission,
    check_text,
    cidr_v4,
    cidr_v6,
    is_transit,
    parse,
    ports,
    show_far,
    show_permissions,
    words,
)
from gureum.resources.prefix_list import IPV4, IPV6, PrefixList, weight
from gureum.resources.security_group import (
    SecurityGroup,
    SecurityGroupRule,
    add_rule,
    asked_group,
    named,
    rules_of,
    vpcs_of,
)
from gureum.resources.shapes import protocol_number, tag_list
from gureum.resources.subnet import arn
from gureum.resources.vpc import Vpc

MAX_RULES = 60
"""Rules per group and direction, IPv4 and IPv6 apart (VPC quotas)."""


# --- reading requests ---------------------------------------------------------------------------
def _permissions(call: Call, group: SecurityGroup) -> list[Permission]:
    """What the request permits, in either style."""

    def resolve(pair: Mapping[str, Any]) -> str | FarGroup:
        return _peer(call, group, pair.get("GroupId"), pair.get("GroupName"), pair.get("UserId"))

    return parse(call.get("IpPermissions") or _flat(call), resolve)


def _flat(call: Call) -> list[dict[str, Any]]:
    """The flat style as ``IpPermission`` items; a group given alone means ICMP, TCP and UDP."""
    protocol, source = call.get("IpProtocol"), call.get("SourceSecurityGroupName")
    if source and protocol is None:
        kinds: list[dict[str, Any]] = [
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1},
            {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535},
            {"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535},
        ]
    elif protocol is None:
        raise missing_parameter("ipPermissions")
    else:
        ends = {"FromPort": call.get("FromPort"), "ToPort": call.get("ToPort")}
        kinds = [{"IpProtocol": protocol, **ends}]
    owner = call.get("SourceSecurityGroupOwnerId")
    pairs = [{"GroupName": source, "UserId": owner}] if source else []
    ranges = [{"CidrIp": call.params["CidrIp"]}] if call.get("CidrIp") else []
    return [{**kind, "IpRanges": ranges, "UserIdGroupPairs": pairs} for kind in kinds]


def _peer(
    call: Call, group: SecurityGroup, key: str | None, name: str | None, owner: str | None
) -> str | FarGroup:
    """The group that a rule refers to: one for a VPC of the group, of the same account or of
    another one that is in the VPC, or one beyond an active peering connection of the group's VPC or
    beyond its transit gateway."""
    far = _far(call, group, key, owner or call.account) if key else None
    if far is not None:
        return far
    if owner and owner != call.account:
        if key and _is_neighbour(call, group, key, owner):
            return key
        raise ApiError(
            "InvalidGroup.NotFound",
            f"The security group '{key or name}' of account {owner} cannot be referred to.",
        )
    if not key and not name:
        raise missing_parameter("groupId")
    peer = call.txn.get(SecurityGroup, key) if key else named(call, str(name), group.vpc)
    if peer is None:
        raise ApiError("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
    view = call.txn.view
    if not vpcs_of(view, peer) & vpcs_of(view, group):
        raise ApiError(
            "InvalidGroup.NotFound",
            "You have specified two resources that belong to different networks.",
        )
    return peer.id


def _is_neighbour(call: Call, group: SecurityGroup, key: str, owner: str) -> bool:
    """Whether an id is that of another account's group in a VPC that both are in, or were when the
    rules came to name it."""
    view = call.txn.view
    peer = view.find(SecurityGroup, key)
    if peer is None or (peer.account, peer.region) != (owner, call.region):
        return False
    if any(rule.permission.group == key for rule in rules_of(view, group.id)):
        return True
    together = vpcs_of(view, peer) & vpcs_of(view, group)
    return bool(together) and peer.nameable_by(view, call.account)


def _owner(call: Call, key: str) -> str:
    """Whose group an id is, where the request cannot say."""
    row = call.txn.view.find(SecurityGroup, key)
    return row.account if row else call.account


def _far(call: Call, group: SecurityGroup, key: str, owner: str) -> FarGroup | None:
    """A group that the rules name already, which may be gone, or one in a VPC of the same region
    whose groups they may name."""
    view, egress = call.txn.view, "Egress" in call.action
    for rule in rules_of(view, group.id):
        known = rule.permission.far
        if known and (known.id, known.account) == (key, owner):
            return None if egress and is_transit(known.peering) else known
    row = view.find(SecurityGroup, key)
    if row is None or (row.account, row.region) != (owner, call.region):
        return None
    if vpcs_of(view, row) & vpcs_of(view, group):
        return None
    by = joint(view, group.vpc, row.vpc, egress=egress)
    if by is None:
        return None
    return FarGroup(id=row.id, account=row.account, vpc=row.vpc, peering=by)


# --- actions ------------------------------------------------------------------------------------
def _authorize(call: Call, *, egress: bool) -> Shape:
    group = asked_group(call)
    wanted = _permissions(call, group)
    there = [rule.permission for rule in _rules(call, group, egress)]
    _check_new(call, wanted, there)
    tags = call.tags_for(SecurityGroupRule.kind)
    rules = [add_rule(call, group, item, egress=egress, tags=tags) for item in wanted]
    return {"Return": True, "SecurityGroupRules": [show(rule, call.txn.view) for rule in rules]}


def _rules(call: Call, group: SecurityGroup, egress: bool) -> list[SecurityGroupRule]:
    return [rule for rule in rules_of(call.txn.view, group.id) if rule.egress == egress]


def _check_new(call: Call, wanted: list[Permission], there: list[Permission]) -> None:
    known = {permission.traffic for permission in there}
    for permission in wanted:
        if permission.traffic in known:
            raise ApiError(
                "InvalidPermission.Duplicate",
                f'the specified rule "{words(permission)}" already exists',
            )
    for item in wanted:
        if item.prefix_list:
            call.txn.see(PrefixList, item.prefix_list)
    if _too_many(call.txn.view, [*there, *wanted]):
        raise ApiError(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        )


def _too_many(reader: Reader, permissions: Iterable[Permission]) -> bool:
    together = list(permissions)
    families = (IPV4, IPV6)
    return any(sum(_counts(reader, p, each) for p in together) > MAX_RULES for each in families)


def _counts(reader: Reader, item: Permission, family: str) -> int:
    """As how many rules of an address family a permission counts: a prefix list as its size, a
    group once in both families."""
    if item.prefix_list:
        return weight(reader, item.prefix_list, family)
    return 0 if (item.cidr if family == IPV6 else item.cidr6) else 1


def over_quota(view: View, group: str) -> bool:
    """Whether a group has more rules than it may, in either direction."""
    rules = rules_of(view, group)
    ways = ([r.permission for r in rules if r.egress == egress] for egress in (True, False))
    return any(_too_many(view, way) for way in ways)


def _revoke(call: Call, *, egress: bool) -> Shape:
    group = asked_group(call)
    rules = {rule.id: rule for rule in _rules(call, group, egress)}
    if keys := call.get("SecurityGroupRuleIds"):
        unknown: list[Permission] = []
        for key in keys:
            if key not in rules:
                call.txn.get(SecurityGroupRule, key)  # tells malformed and unknown apart
                raise _no_such_rule(key)
        gone = [rules[key] for key in dict.fromkeys(keys)]
    else:
        gone, unknown = _matching(call, group, rules.values())
    for rule in gone:
        call.txn.delete(rule)
    answer: Shape = {"Return": True, "RevokedSecurityGroupRules": [_show_revoked(r) for r in gone]}
    if unknown:
        answer["UnknownIpPermissions"] = show_permissions(unknown, call.account, call.txn.view)
    return answer


def _matching(
    call: Call, group: SecurityGroup, rules: Iterable[SecurityGroupRule]
) -> tuple[list[SecurityGroupRule], list[Permission]]:
    """The rules that the request names by their properties, and what names none.

    In a default VPC AWS reports the latter, elsewhere it refuses (API Reference,
    RevokeSecurityGroupIngress).
    """
    known = {rule.permission.traffic: rule for rule in rules}
    wanted = _permissions(call, group)
    unknown = [item for item in wanted if item.traffic not in known]
    if unknown and not call.txn.target(Vpc, group.vpc).default:
        raise ApiError(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        )
    return [known[item.traffic] for item in wanted if item.traffic in known], unknown


def _no_such_rule(key: str) -> ApiError:
    return ApiError(
        "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{key}' does not exist"
    )


def authorize_ingress(call: Call) -> Shape:
    """AuthorizeSecurityGroupIngress."""
    return _authorize(call, egress=False)


def authorize_egress(call: Call) -> Shape:
    """AuthorizeSecurityGroupEgress."""
    return _authorize(call, egress=True)


def revoke_ingress(call: Call) -> Shape:
    """RevokeSecurityGroupIngress, by rule ids or by properties."""
    return _revoke(call, egress=False)


def revoke_egress(call: Call) -> Shape:
    """RevokeSecurityGroupEgress, by rule ids or by properties."""
    return _revoke(call, egress=True)


def modify_rules(call: Call) -> Shape:
    """ModifySecurityGroupRules: what a rule permits is replaced whole."""
    group = call.txn.get(SecurityGroup, call.params["GroupId"])
    changed = []
    for update in call.params["SecurityGroupRules"]:
        rule = call.txn.get(SecurityGroupRule, update["SecurityGroupRuleId"])
        if rule.group != group.id:
            raise _no_such_rule(rule.id)
        permission = _replaced(call, group, update.get("SecurityGroupRule") or {})
        if rule.egress and permission.far and is_transit(permission.far.peering):
            raise ApiError(
                "InvalidGroup.NotFound",
                "You have specified two resources that belong to different networks.",
            )
        changed.append(replace(rule, permission=permission))
    for rule in changed:
        call.txn.put(rule)
    for rule in changed:
        twins = [r for r in _rules(call, group, rule.egress) if r.id != rule.id]
        _check_new(call, [rule.permission], [twin.permission for twin in twins])
    return {"Return": True}


def _replaced(call: Call, group: SecurityGroup, item: Mapping[str, Any]) -> Permission:
    names = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")
    peers = [name for name in names if item.get(name)]
    if len(peers) != 1:
        raise ApiError(
            "InvalidParameterCombination",
            "Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId must be given.",
        )
    if item.get("IpProtocol") is None:
        raise missing_parameter("ipProtocol")
    protocol = protocol_number(item["IpProtocol"])
    first, last = ports(protocol, item.get("FromPort"), item.get("ToPort"))
    value, text = item[peers[0]], item.get("Description")
    named_group = (
        _peer(call, group, value, None, _owner(call, value))
        if peers == ["ReferencedGroupId"]
        else None
    )
    return Permission(
        protocol=protocol,
        first=first,
        last=last,
        cidr=cidr_v4(value) if peers == ["CidrIpv4"] else None,
        cidr6=cidr_v6(value) if peers == ["CidrIpv6"] else None,
        group=named_group if isinstance(named_group, str) else None,
        far=named_group if isinstance(named_group, FarGroup) else None,
        prefix_list=value if peers == ["PrefixListId"] else None,
        description=check_text(text, "rule description") if text else None,
    )


def _update_descriptions(call: Call, *, egress: bool) -> Shape:
    group = asked_group(call)
    rules = _rules(call, group, egress)
    texts: list[tuple[SecurityGroupRule, str | None]] = []
    if given := call.get("SecurityGroupRuleDescriptions"):
        by_id = {rule.id: rule for rule in rules}
        for item in given:
            key = item.get("SecurityGroupRuleId") or ""
            if key not in by_id:
                raise _no_such_rule(key)
            texts.append((by_id[key], item.get("Description")))
    else:
        found, unknown = _matching(call, group, rules)
        if unknown:
            raise ApiError(
                "InvalidPermission.NotFound",
                "The specified rule does not exist in this security group.",
            )
        wanted = _permissions(call, group)
        texts = [(rule, item.description) for rule, item in zip(found, wanted, strict=True)]
    for rule, text in texts:
        said = check_text(text, "rule description") if text else None
        call.txn.put(replace(rule, permission=replace(rule.permission, description=said)))
    return {"Return": True}


def update_ingress_descriptions(call: Call) -> Shape:
    """UpdateSecurityGroupRuleDescriptionsIngress."""
    return _update_descriptions(call, egress=False)


def update_egress_descriptions(call: Call) -> Shape:
    """UpdateSecurityGroupRuleDescriptionsEgress."""
    return _update_descriptions(call, egress=True)


# --- answers ------------------------------------------------------------------------------------
def _show_parts(rule: SecurityGroupRule) -> Shape:
    """The members that a rule and a revoked rule have in common.  All ports are -1 here."""
    item = rule.permission
    shape: Shape = {
        "SecurityGroupRuleId": rule.id,
        "GroupId": rule.group,
        "IsEgress": rule.egress,
        "IpProtocol": item.protocol_text,
        "FromPort": -1 if item.first is None else item.first,
        "ToPort": -1 if item.last is None else item.last,
    }
    if item.cidr:
        shape["CidrIpv4"] = item.cidr
    if item.cidr6:
        shape["CidrIpv6"] = item.cidr6
    if item.prefix_list:
        shape["PrefixListId"] = item.prefix_list
    if item.description:
        shape["Description"] = item.description
    return shape


def show(rule: SecurityGroupRule, view: View) -> Shape:
    """The API's ``SecurityGroupRule`` structure."""
    shape = _show_parts(rule) | {
        "GroupOwnerId": rule.account,
        "SecurityGroupRuleArn": arn(rule),
        "Tags": tag_list(rule),
    }
    group = view.find(SecurityGroup, rule.group)
    if rule.permission.far:
        far = show_far(rule.permission.far, view)
        shape["ReferencedGroupInfo"] = {"GroupId": rule.permission.far.id, **far}
    elif rule.permission.group and group:
        peer = view.find(SecurityGroup, rule.permission.group)
        shape["ReferencedGroupInfo"] = {
            "GroupId": rule.permission.group,
            "UserId": peer.account if peer else rule.account,
            "VpcId": group.vpc,
        }
    return shape


def _show_revoked(rule: SecurityGroupRule) -> Shape:
    shape = _show_parts(rule)
    if named_group := rule.permission.named_group:
        shape["ReferencedGroupId"] = named_group
    return shape


# --- lowering -----------------------------------------------------------------------------------
def lower(rule: SecurityGroupRule, lowering: Lowering) -> None:
    """A rule that names a group of another VPC needs to know its members on this side."""
    far = rule.permission.far
    group = lowering.view.find(SecurityGroup, rule.group) if far else None
    if far is not None and group is not None:
        for vpc in sorted(vpcs_of(lowering.view, group)):
            lowering.need(far_members, (vpc, far.id))


def far_members(lowering: Lowering, key: tuple[str, str]) -> None:
    """Say who, in another VPC, a group's name stands for in a VPC's rules.

    For ``lowering.need``: rules that name the same group share it.
    """
    vpc, name = key
    view = lowering.view
    group = view.find(SecurityGroup, name)
    by = joint(view, vpc, group.vpc) if group else None
    if group is None or by is None:
        return
    for eni in view.referrers(name, NetworkInterface):
        if name in eni.groups and eni.vpc == group.vpc and port_of(view, eni):
            for ip in eni.own:
                lowering.say(Member(router=vpc, group=name, ip=ip), name, by)


_ACTIONS: dict[str, Callable[[Call], Shape]] = {
    "AuthorizeSecurityGroupIngress": authorize_ingress,
    "AuthorizeSecurityGroupEgress": authorize_egress,
    "RevokeSecurityGroupIngress": revoke_ingress,
    "RevokeSecurityGroupEgress": revoke_egress,
    "ModifySecurityGroupRules": modify_rules,
    "UpdateSecurityGroupRuleDescriptionsIngress": update_ingress_descriptions,
    "UpdateSecurityGroupRuleDescriptionsEgress": update_egress_descriptions,
}

KIND = Kind(
    row=SecurityGroupRule,
    actions=_ACTIONS,
    listings=(
        Listing(
            action="DescribeSecurityGroupRules",
            result="SecurityGroupRules",
            show=show,
            ids="SecurityGroupRuleIds",
        ),
    ),
    lower=lower,
)
