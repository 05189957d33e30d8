"""Reads security groups with their rules, and network ACLs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gureum.imports.answers import Item
from gureum.imports.reading import Left, Reading, tags_of
from gureum.resources.network_acl import LAST, NUMBERS, AclAssociation, Entry, NetworkAcl
from gureum.resources.permissions import FarGroup, Permission, cidr_v4, cidr_v6, parse, ports
from gureum.resources.security_group import SecurityGroup, SecurityGroupRule
from gureum.resources.shapes import TCP, UDP, protocol_number
from gureum.resources.subnet import Subnet


def group(reading: Reading, item: Item) -> None:
    """A group, without its rules, which may name groups that are read later."""
    if "VpcId" not in item:
        raise Left("groups without a VPC (EC2-Classic) are no more")
    reading.put(
        SecurityGroup(
            **reading.common(SecurityGroup, item, item["GroupId"]),
            vpc=item["VpcId"],
            name=item["GroupName"],
            description=item.get("Description", ""),
        )
    )


# --- rules --------------------------------------------------------------------------------------
def rules(reading: Reading) -> None:
    """The rules of all groups: by themselves, with their ids, where they were asked for."""
    told = {item.get("GroupId") for item in reading.answers.of("SecurityGroupRules")}
    for item in reading.answers.of("SecurityGroupRules"):
        key = item.get("SecurityGroupRuleId", "?")
        with reading.one("SecurityGroupRules", key):
            _rule(reading, item)
    for item in reading.answers.of("SecurityGroups"):
        if item.get("GroupId") not in told and reading.find(SecurityGroup, item["GroupId"]):
            _rules_of(reading, item)


def _rule(reading: Reading, item: Item) -> None:
    (found,) = parse([_as_permission(item)], lambda pair: _peer(reading, item["GroupId"], pair))
    reading.put(
        SecurityGroupRule(
            **reading.common(SecurityGroupRule, item, item["SecurityGroupRuleId"])
            | {"tags": tags_of(item)},
            group=item["GroupId"],
            egress=item["IsEgress"],
            permission=found,
        )
    )


def _as_permission(item: Item) -> Item:
    """A rule as the ``IpPermission`` that makes it."""
    said = {"Description": item["Description"]} if item.get("Description") else {}
    shape = {"IpProtocol": item["IpProtocol"]}
    shape |= {name: item[name] for name in ("FromPort", "ToPort") if name in item}
    peers = {
        "CidrIpv4": ("IpRanges", "CidrIp"),
        "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "PrefixListId": ("PrefixListIds", "PrefixListId"),
    }
    for member, (where, name) in peers.items():
        if item.get(member):
            return shape | {where: [{name: item[member], **said}]}
    return shape | {"UserIdGroupPairs": [{**item["ReferencedGroupInfo"], **said}]}


def _rules_of(reading: Reading, item: Item) -> None:
    """The rules of a group as the group tells them, without ids."""
    own = item["GroupId"]
    for egress, member in ((False, "IpPermissions"), (True, "IpPermissionsEgress")):
        for permission in _singly(item.get(member, ())):
            with reading.one("rules of SecurityGroups", item["GroupId"]):
                (found,) = parse([permission], lambda pair: _peer(reading, own, pair))
                _put(reading, item["GroupId"], found, egress=egress)


def _singly(items: Any) -> Iterator[Item]:
    """One ``IpPermission`` for each peer."""
    for item in items:
        for member in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"):
            for peer in item.get(member, ()):
                ends = {n: item[n] for n in ("IpProtocol", "FromPort", "ToPort") if n in item}
                yield ends | {member: [peer]}


def _put(reading: Reading, key: str, permission: Permission, *, egress: bool) -> None:
    common = reading.common(SecurityGroupRule, {}, reading.call.new_id(SecurityGroupRule))
    reading.put(SecurityGroupRule(**common, group=key, egress=egress, permission=permission))


def _transit(reading: Reading, own: str, pair: Mapping[str, Any]) -> str | None:
    """The transit gateway beyond which a named group is: AWS tells the group's VPC alone."""
    group, vpc = reading.find(SecurityGroup, own), pair.get("VpcId")
    if group is None or vpc in (None, group.vpc):
        return None
    told = reading.answers.of("TransitGatewayVpcAttachments")
    theirs = (item["TransitGatewayId"] for item in told if item["VpcId"] == vpc)
    return next(theirs, None)


def _peer(reading: Reading, own: str, pair: Mapping[str, Any]) -> str | FarGroup:
    """The group that a rule of the group ``own`` names."""
    peering = pair.get("VpcPeeringConnectionId") or _transit(reading, own, pair)
    key = pair["GroupId"]
    if peering:
        account = pair.get("UserId", reading.call.account)
        return FarGroup(id=key, account=account, vpc=pair.get("VpcId", ""), peering=peering)
    return reading.call.txn.get(SecurityGroup, key).id


# --- ACLs ---------------------------------------------------------------------------------------
def acl(reading: Reading, item: Item) -> None:
    """An ACL and which subnets have it."""
    entries = [_entry(part) for part in item.get("Entries", ()) if part["RuleNumber"] < LAST]
    entries.sort(key=lambda entry: (not entry.egress, entry.number))
    reading.put(
        NetworkAcl(
            **reading.common(NetworkAcl, item, item["NetworkAclId"]),
            vpc=item["VpcId"],
            default=item.get("IsDefault", False),
            entries=tuple(entries),
        )
    )
    for part in item.get("Associations", ()):
        if reading.find(Subnet, part["SubnetId"]) is None:
            reading.report.leave(
                "Associations of NetworkAcls",
                part["NetworkAclAssociationId"],
                f"the subnet {part['SubnetId']} is not here",
            )
            continue
        common = reading.common(AclAssociation, {}, part["NetworkAclAssociationId"])
        reading.put(AclAssociation(**common, acl=item["NetworkAclId"], subnet=part["SubnetId"]))


def _entry(part: Item) -> Entry:
    protocol, numbers = protocol_number(part["Protocol"]), part.get("PortRange")
    icmp, cidr, cidr6 = part.get("IcmpTypeCode"), part.get("CidrBlock"), part.get("Ipv6CidrBlock")
    if part["RuleNumber"] not in NUMBERS or bool(cidr) == bool(cidr6):
        raise Left(f"its rule {part['RuleNumber']} is none")
    if protocol in (TCP, UDP):
        ports(protocol, *_pair(numbers, "From", "To"))
    return Entry(
        number=part["RuleNumber"],
        egress=part["Egress"],
        allow=part["RuleAction"] == "allow",
        protocol=protocol,
        cidr=cidr_v4(cidr) if cidr else None,
        cidr6=cidr_v6(cidr6) if cidr6 else None,
        ports=_pair(numbers, "From", "To") if numbers else None,
        icmp=_pair(icmp, "Type", "Code") if icmp else None,
    )


def _pair(part: Mapping[str, Any] | None, first: str, last: str) -> tuple[int, int]:
    """Two numbers of a rule.

    Raises:
        Left: there are none, or they are none of ports, types and codes.
    """
    found = (part[first], part[last]) if part else (-2, -2)
    if not all(-1 <= number <= 65535 for number in found):
        raise Left(f"a rule has {found} for ports, or for type and code")
    return found
