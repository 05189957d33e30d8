"""What calls of EC2 ask of policies: the resources they are about, and what holds of each.

A call is about the rows whose ids it names, those of associations standing for what they join, and
about what it makes, as far as they are of types that the table of AWS has for it; and of each hold
the condition keys that it has there (:mod:`gureum.server.ec2_actions`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from gureum.iam.bearer import arn as iam_arn
from gureum.iam.bearer import lookup
from gureum.iam.caller import Caller, Keys
from gureum.iam.question import Question, request_tags, resource_tags
from gureum.iam.rows import WORDS, InstanceProfile, Role
from gureum.kind import Params
from gureum.model import Resource, Txn, View
from gureum.model.resource import references
from gureum.resources.elastic_ip import ElasticIp
from gureum.resources.image import Image, find_image
from gureum.resources.instance import Instance
from gureum.resources.key_pair import KeyPair
from gureum.resources.launch_template import LaunchTemplate
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.own_tags import tags_for
from gureum.resources.placement import PlacementGroup
from gureum.resources.public_ip import Association, PublicIp
from gureum.resources.security_group import SecurityGroup
from gureum.resources.snapshot import Snapshot
from gureum.resources.subnet import Subnet
from gureum.resources.volume import Volume
from gureum.resources.vpc import Vpc
from gureum.server import ec2_actions

_ID = re.compile(r"([a-z][a-z0-9-]*)-[0-9a-f]{8}(?:[0-9a-f]{9})?")

_ONLY: Mapping[str, tuple[str, ...]] = {
    "AuthorizeSecurityGroupEgress": ("GroupId",),
    "AuthorizeSecurityGroupIngress": ("GroupId", "GroupName"),
    "CreateLaunchTemplate": (),
    "CreateLaunchTemplateVersion": ("LaunchTemplateId", "LaunchTemplateName"),
    "CreatePlacementGroup": (),
    "CreateSecurityGroup": ("VpcId",),
    "CreateVpcPeeringConnection": ("VpcId",),
    "ModifySecurityGroupRules": ("GroupId",),
    "RevokeSecurityGroupEgress": ("GroupId",),
    "RevokeSecurityGroupIngress": ("GroupId", "GroupName"),
}
"""Actions that name more of a type than they are about: a rule's peers."""

_MAKES: Mapping[str, tuple[str, ...]] = {
    "AllocateAddress": ("elastic-ip",),
    "CopyImage": ("image",),
    "CopySnapshot": ("snapshot",),
    "CreateImage": ("image",),
    "CreateManagedPrefixList": ("prefix-list",),
    "CreateNatGateway": ("natgateway",),
    "CreateSnapshots": ("snapshot",),
    "CreateTransitGatewayPeeringAttachment": ("transit-gateway-attachment",),
    "CreateTransitGatewayVpcAttachment": ("transit-gateway-attachment",),
    "CreateVpcEndpointServiceConfiguration": ("vpc-endpoint-service",),
    "RegisterImage": ("image",),
}
"""What actions make whose names do not tell; ``CreateVpc`` makes a ``vpc``.  What a launch
makes is asked about :func:`after` it is known."""

AFTER = frozenset({"RunInstances"})
"""Actions of which it is clear only :func:`after` they were carried out what they are about."""

_JOINS = frozenset(
    {
        "elastic-ip-association",
        "iam-instance-profile-association",
        "network-acl-association",
        "network-interface-permission",
        "route-table-association",
        "security-group-vpc-association",
        "subnet-cidr-reservation",
        "vpc-endpoint-connection-notification",
        "vpc-ipv6-cidr-block",
        "launch-template-version",
    }
)
"""Types that are no resources of policies: they stand for what they join."""

_NO_ACCOUNT = frozenset({"image", "snapshot"})
"""Types whose ARNs have no account: they are shared."""

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def arn(region: str, account: str, kind: str, name: str) -> str:
    """The ARN of something of EC2's."""
    owner = "" if kind in _NO_ACCOUNT else account
    return f"arn:aws:ec2:{region}:{owner}:{kind}/{name}"


def kind_of(resource: str) -> str:
    """The type of something of EC2's, by its ARN."""
    return resource.rpartition(":")[2].partition("/")[0]


def row_arn(row: Resource) -> str:
    """The ARN of a row; key pairs and placement groups are called by their names."""
    name = row.name if isinstance(row, KeyPair | PlacementGroup) else row.id
    return arn(row.region, row.account, row.kind, name)


# --- before it is carried out -------------------------------------------------------------------
def before(action: str, params: Params, view: View, who: Caller) -> Iterator[Question]:
    """What a call asks, as far as it can be told from what it says."""
    if not (ec2_actions.action(action).types or _MORE & params.keys()):
        yield _plain(action, who.region)
        return
    asked, region = f"ec2:{action}", (("ec2:Region", who.region),)
    table = ec2_actions.action(action)
    tagged = _tagged(params)
    own = request_tags(params.get("Tags")) if action in ("CreateTags", "DeleteTags") else ()
    named = _named(action, params, view, who) if table.types else ()
    about = [(key, row) for key, row in named if kind_of(key) in table.types]
    made = [kind for kind in _made_types(action) if kind in table.types] if table.types else []
    for resource, row in about:
        keys = (*(keys_of(row, view, who) if row else region), *own)
        yield Question(asked, resource, table.held(kind_of(resource), keys))
    for kind in made:
        label = str(params["KeyName"]) if kind == "key-pair" else "*"
        keys = (*_future(kind, params, view, who), *tagged.get(kind, ()))
        resource = arn(who.region, who.account, kind, label)
        yield Question(asked, resource, table.held(kind, keys))
    known = {*map(kind_of, (key for key, _ in about)), *made}
    for kind in _unnamed(action, table, known):
        keys = (*_future(kind, params, view, who), *tagged.get(kind, ()))
        resource = arn(who.region, who.account, kind, "*")
        yield Question(asked, resource, table.held(kind, keys))
    if not table.types or (len(table.types) > 1 and not known | table.required):
        yield Question(asked, keys=table.held("", region))
    yield from _tagging(action, tagged, who)
    yield from _passed(action, params, view, who)


_MORE = frozenset({"TagSpecifications", "IamInstanceProfile"})
"""Members by which a call asks for more than its own action."""


@lru_cache(maxsize=4096)
def _plain(action: str, region: str) -> Question:
    """What a call asks that is about nothing in particular, as most that only read."""
    held = ec2_actions.action(action).held("", (("ec2:Region", region),))
    return Question(f"ec2:{action}", keys=held)


def _unnamed(action: str, table: ec2_actions.Action, known: set[str]) -> list[str]:
    """The types that an action must be about and of which nothing is named, or known by what is:
    any of them.  What a launch is about is asked :func:`after` it is known."""
    if action in AFTER:
        return []
    if not known and not table.required and len(table.types) == 1:
        return list(table.types)
    return sorted(table.required - known)


def _made_types(action: str) -> tuple[str, ...]:
    if action in _MAKES:
        return _MAKES[action]
    if action == "ImportKeyPair":
        return ("key-pair",)
    word = _WORD.sub("-", action.removeprefix("Create")).lower()
    known = action.startswith("Create") and word in Resource.by_kind and word not in _JOINS
    return (word,) if known else ()


def _tagged(params: Params) -> dict[str, Keys]:
    """The tags that a call gives to what it makes, by type."""
    return {
        str(each.get("ResourceType")): request_tags(each.get("Tags"))
        for each in params.get("TagSpecifications", ())
        if each.get("Tags")
    }


def _tagging(action: str, tagged: Mapping[str, Keys], who: Caller) -> Iterator[Question]:
    """Who tags what is made needs the right to tag, as for making."""
    for kind, keys in tagged.items():
        more = (("ec2:CreateAction", action), ("ec2:Region", who.region), *keys)
        held = ec2_actions.action("CreateTags").held(kind, more)
        yield Question("ec2:CreateTags", arn(who.region, who.account, kind, "*"), held)


def _passed(action: str, params: Params, view: View, who: Caller) -> Iterator[Question]:
    """Who gives an instance a role needs the right to pass it on."""
    given = params.get("IamInstanceProfile") or {}
    name = str(given.get("Name") or str(given.get("Arn") or "").rpartition("/")[2])
    profile = lookup(view, InstanceProfile, who.account, name) if name else None
    role = view.find(Role, profile.role) if profile else None
    if role is not None:
        keys = (("iam:PassedToService", "ec2.amazonaws.com"), *resource_tags(role.tags, "iam"))
        yield Question("iam:PassRole", iam_arn(role, WORDS[Role]), keys)


# --- what is named ------------------------------------------------------------------------------
def _named(
    action: str, params: Params, view: View, who: Caller
) -> Iterator[tuple[str, Resource | None]]:
    """What a call is about: ARNs and rows, once each."""
    only = _ONLY.get(action, tuple(params))
    parts = {name: params[name] for name in only if name in params}
    seen: dict[str, Resource | None] = {}
    for text in _ids(parts):
        for resource, row in _known(text, view, who):
            seen.setdefault(resource, row)
    for row in _by_name(parts, view, who):
        seen.setdefault(row_arn(row), row)
    yield from seen.items()


def _ids(value: Any) -> Iterator[str]:
    """All texts in parameters that are ids."""
    if isinstance(value, str):
        if _ID.fullmatch(value):
            yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _ids(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _ids(each)


_PREFIXES: dict[str, type[Resource]] = {}


def _types() -> Mapping[str, type[Resource]]:
    """Types by the prefix of their ids."""
    if not _PREFIXES:
        _PREFIXES.update({cls.prefix: cls for cls in Resource.by_kind.values()})
    return _PREFIXES


def _known(text: str, view: View, who: Caller) -> Iterator[tuple[str, Resource | None]]:
    """The resource of an id; of an association, what it joins.  Of another account's rows nothing
    is told that it does not share, not even whose they are."""
    found = _ID.fullmatch(text)
    cls = _types().get(found[1]) if found else None
    row = view.rows.get(text)
    if row is not None and not _sees(row, view, who):
        row = None
    if row is not None and row.kind in _JOINS:
        yield from ((row_arn(each), each) for each in _joined(row, view))
    elif row is not None and row.region == who.region:
        yield row_arn(row), row
    elif found and found[1] == "eni-attach":
        yield from _attached(text, view)
    elif found and found[1] in _BLOCKS:
        yield from _having(text, _BLOCKS[found[1]], view, who)
    elif cls is not None and cls.kind not in _JOINS:
        yield arn(who.region, who.account, cls.kind, text), None


def _sees(row: Resource, view: View, who: Caller) -> bool:
    mine = row.account == who.account or row.kind in _NO_ACCOUNT
    return mine or row.nameable_by(view, who.account)


def _joined(row: Resource, view: View) -> Iterator[Resource]:
    for _, target, _ in references(row):
        other = view.rows.get(target)
        if isinstance(other, PublicIp):
            continue
        if other is not None:
            yield other
    if isinstance(row, Association) and row.allocation:
        allocation = view.rows.get(row.allocation)
        if allocation is not None:
            yield allocation


_BLOCKS: Mapping[str, type[Vpc | Subnet]] = {"vpc-cidr-assoc": Vpc, "subnet-cidr-assoc": Subnet}
"""Associations of blocks that are parts of rows, by the prefix of their ids."""


def _having(
    text: str, cls: type[Vpc | Subnet], view: View, who: Caller
) -> Iterator[tuple[str, Resource | None]]:
    """The VPC or subnet that has the block of an association."""
    for row in view.all(cls):
        blocks = row.cidrs if isinstance(row, Vpc) else (row.ipv6,)
        mine = row.account == who.account and row.region == who.region
        if mine and any(block is not None and block.id == text for block in blocks):
            yield row_arn(row), row


def _attached(text: str, view: View) -> Iterator[tuple[str, Resource | None]]:
    """The interface and instance of an attachment, which is no row."""
    for row in view.all(NetworkInterface):
        if row.attachment is not None and row.attachment.id == text:
            yield row_arn(row), row
            instance = view.find(Instance, row.attachment.instance)
            if instance is not None:
                yield row_arn(instance), instance
            return


_BY_NAME: tuple[tuple[str, type[Resource]], ...] = (
    ("KeyName", KeyPair),
    ("GroupName", SecurityGroup),
    ("GroupName", PlacementGroup),
    ("SecurityGroups", SecurityGroup),
    ("LaunchTemplateName", LaunchTemplate),
    ("PublicIp", ElasticIp),
)
"""Members that name something otherwise than by its id."""


def _by_name(params: Any, view: View, who: Caller) -> Iterator[Resource]:
    """Rows that are called by name, wherever in the parameters."""
    if isinstance(params, list | tuple):
        for each in params:
            yield from _by_name(each, view, who)
    if not isinstance(params, Mapping):
        return
    for member, cls in _BY_NAME:
        value = params.get(member)
        names = {value} if isinstance(value, str) else set(value or ())
        if names and all(isinstance(name, str) for name in names):
            yield from _called(names, cls, view, who)
    for value in params.values():
        if isinstance(value, Mapping | list | tuple):
            yield from _by_name(value, view, who)


def _called(names: set[Any], cls: type[Resource], view: View, who: Caller) -> Iterator[Resource]:
    for row in view.all(cls):
        mine = row.account == who.account and row.region == who.region
        called = row.ip if isinstance(row, ElasticIp) else getattr(row, "name", None)
        if mine and called in names:
            yield row


# --- what was made ------------------------------------------------------------------------------
def after(action: str, txn: Txn, who: Caller) -> Iterator[Question]:
    """What a launch asks once it is clear what it would make, of templates and defaults too:
    images, subnets, groups and types as they are, before anything of it is committed."""
    if action not in AFTER:
        return
    asked, table = f"ec2:{action}", ec2_actions.action(action)
    for row in _launched(txn):
        resource = arn(who.region, who.account, row.kind, "*")
        keys = keys_of(row, txn.view, who, new=True)
        yield Question(asked, resource, table.held(row.kind, keys))
        for each in _around(row, txn):
            keys = keys_of(each, txn.view, who)
            yield Question(asked, row_arn(each), table.held(each.kind, keys))


def _launched(txn: Txn) -> Iterator[Instance | Volume | NetworkInterface]:
    for old, row in txn.changes().rows.values():
        if old is None and isinstance(row, Instance | Volume | NetworkInterface):
            yield row


def _around(row: Resource, txn: Txn) -> Iterator[Resource]:
    """What something new is made of and where it is."""
    if isinstance(row, Instance):
        yield find_image(txn, row.image)
    if isinstance(row, NetworkInterface):
        found = (txn.view.rows.get(key) for key in (row.subnet, *row.groups))
        yield from (each for each in found if each is not None)


# --- what holds of a resource -------------------------------------------------------------------
_ID_KEYS: Mapping[str, str] = {
    "elastic-ip": "AllocationId",
    "image": "ImageID",
    "instance": "InstanceID",
    "internet-gateway": "InternetGatewayID",
    "network-acl": "NetworkAclID",
    "network-interface": "NetworkInterfaceID",
    "route-table": "RouteTableID",
    "security-group": "SecurityGroupID",
    "snapshot": "SnapshotID",
    "subnet": "SubnetID",
    "volume": "VolumeID",
    "vpc": "VpcID",
}


def keys_of(row: Resource, view: View, who: Caller, *, new: bool = False) -> Keys:
    """The condition keys that hold of a row.  One that is ``new`` has no id yet, and its tags are
    those of the request.  What another account shares has the caller's own tags."""
    keys = [("ec2:Region", who.region)]
    if new:
        keys += request_tags([{"Key": key, "Value": value} for key, value in row.tags])
    else:
        keys += resource_tags(tags_for(view, row, who.account), "ec2")
    if row.kind in _ID_KEYS and not new:
        keys.append((f"ec2:{_ID_KEYS[row.kind]}", row.id))
    for member, kind, key in (("vpc", "vpc", "ec2:Vpc"), ("subnet", "subnet", "ec2:Subnet")):
        target = getattr(row, member, None)
        if isinstance(target, str) and target:
            keys.append((key, arn(row.region, _holder(view, target, row.account), kind, target)))
    zone = getattr(row, "zone", None)
    if isinstance(zone, str) and zone:
        keys.append(("ec2:AvailabilityZone", zone))
    return (*keys, *_special(row))


def _holder(view: View, key: str, otherwise: str) -> str:
    """The account that has something."""
    row = view.rows.get(key)
    return row.account if row else otherwise


def _special(row: Resource) -> Keys:
    """Keys of single types."""
    if isinstance(row, Instance):
        return (("ec2:InstanceType", row.type), ("ec2:Tenancy", row.tenancy))
    if isinstance(row, Image):
        public = "true" if row.public else "false"
        return (("ec2:Owner", row.alias or row.account), ("ec2:Public", public))
    if isinstance(row, Volume):
        encrypted = "true" if row.kms_key else "false"
        return (
            ("ec2:Encrypted", encrypted),
            ("ec2:VolumeSize", str(row.what.size)),
            ("ec2:VolumeType", row.what.type),
        )
    if isinstance(row, Snapshot):
        return (("ec2:Owner", row.account), ("ec2:VolumeSize", str(row.size)))
    if isinstance(row, Vpc):
        return (("ec2:Tenancy", row.tenancy),)
    if isinstance(row, KeyPair):
        return (("ec2:KeyPairName", row.name),)
    return ()


_PLACES = (("VpcId", "vpc", "ec2:Vpc"), ("SubnetId", "subnet", "ec2:Subnet"))


def _future(kind: str, params: Params, view: View, who: Caller) -> Keys:
    """What a call says of what it is to make."""
    keys = [("ec2:Region", who.region)]
    subnet = view.find(Subnet, params.get("SubnetId"))
    places = {"VpcId": subnet.vpc} | dict(params) if subnet else dict(params)
    for member, target, key in _PLACES:
        if isinstance(places.get(member), str):
            owner = who.account
            if (row := view.rows.get(places[member])) is not None and _sees(row, view, who):
                owner = row.account
            keys.append((key, arn(who.region, owner, target, places[member])))
    zone = params.get("AvailabilityZone") or (subnet.zone if subnet else None)
    if zone:
        keys.append(("ec2:AvailabilityZone", str(zone)))
    return (*keys, *_future_special(kind, params))


def _future_special(kind: str, params: Params) -> Keys:
    if kind == "instance" and params.get("InstanceType"):
        return (("ec2:InstanceType", str(params["InstanceType"])),)
    if kind == "volume" and params.get("Size"):
        return (
            ("ec2:VolumeSize", str(params["Size"])),
            ("ec2:VolumeType", str(params.get("VolumeType") or "gp2")),
            ("ec2:Encrypted", "true" if params.get("Encrypted") else "false"),
        )
    return ()


def unique(questions: Iterable[Question]) -> list[Question]:
    """Each question once, in order."""
    return list(dict.fromkeys(questions))
