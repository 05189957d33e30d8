"""Network ACL: the stateless filter at a subnet's edge.

Sources: VPC User Guide, "Control subnet traffic with network access control lists"; EC2 API
Reference, CreateNetworkAclEntry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Reader, Resource, View, ref
from gureum.program import Filter, Rule, SegmentFilter
from gureum.program.statements import Direction
from gureum.resources.ipv6 import Ipv6Block, blocks
from gureum.resources.permissions import ANY_V4, ANY_V6, cidr_v4, cidr_v6
from gureum.resources.shapes import (
    ICMP,
    ICMPV6,
    PORTS,
    TCP,
    UDP,
    protocol_number,
    tag_list,
)
from gureum.resources.shared_vpc import OfHost
from gureum.resources.subnet import Subnet, segment_of
from gureum.resources.vpc import Vpc

MAX_ACLS = 200
"""Network ACLs per VPC (VPC quotas)."""

MAX_ENTRIES = 20
"""Rules per ACL and direction, IPv4 and IPv6 apart (VPC quotas)."""

NUMBERS = range(1, 32767)

LAST, LAST_V6 = 32767, 32768
"""The numbers that the API shows for the last rules, ``*``, which deny and cannot be removed."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A numbered rule.  ``protocol`` is None for all; ``ports`` and ``icmp`` (type and code, -1 for
    any) are None where the protocol has none."""

    number: int
    egress: bool
    allow: bool
    protocol: int | None
    cidr: str | None = None
    cidr6: str | None = None
    ports: tuple[int, int] | None = None
    icmp: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkAcl(
    OfHost,
    Resource,
    kind="network-acl",
    prefix="acl",
    not_found="InvalidNetworkAclID.NotFound",
    malformed="InvalidNetworkAclId.Malformed",
    noun="networkAcl",
):
    """A network ACL of a VPC; ``entries`` do not hold the last rule."""

    vpc: str = ref()
    default: bool = False
    entries: tuple[Entry, ...] = ()

    def goes_with(self, target: str) -> bool:
        return self.default and target == self.vpc


@dataclass(frozen=True, kw_only=True)
class AclAssociation(
    Resource,
    kind="network-acl-association",
    prefix="aclassoc",
    not_found="InvalidAssociationID.NotFound",
    malformed="InvalidAssociationID.NotFound",
    noun="association",
):
    """Which ACL a subnet has: each has exactly one."""

    acl: str = ref()
    subnet: str = ref("cascade")

    def beside(self, reader: Reader, account: str) -> bool:
        acl = reader.find(NetworkAcl, self.acl)
        return acl is not None and acl.beside(reader, account)


def create_network_acl(call: Call) -> Shape:
    """CreateNetworkAcl: it lets nothing pass and belongs to no subnet yet."""
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    if sum(1 for _ in call.txn.referrers(vpc.id, NetworkAcl)) >= MAX_ACLS:
        raise ApiError(
            "NetworkAclLimitExceeded", "The maximum number of network ACLs has been reached."
        )
    acl = call.created(NetworkAcl(**call.common(NetworkAcl), vpc=vpc.id))
    return {"NetworkAcl": show(acl, call.txn.view), "ClientToken": call.get("ClientToken", "")}


def delete_network_acl(call: Call) -> Shape:
    """DeleteNetworkAcl: not the default one, and none that subnets have."""
    acl = _asked(call)
    if acl.default:
        raise ApiError("InvalidParameterValue", f"cannot delete default network ACL {acl.id}")
    call.txn.delete(acl)
    return {}


def _asked(call: Call) -> NetworkAcl:
    return call.txn.get(NetworkAcl, call.params["NetworkAclId"])


# --- entries ------------------------------------------------------------------------------------
def create_entry(call: Call) -> Shape:
    """CreateNetworkAclEntry: the number must be free in that direction."""
    acl, entry = _asked(call), _entry(call)
    if _at(acl, entry.number, entry.egress):
        raise ApiError(
            "NetworkAclEntryAlreadyExists",
            f"The network acl entry identified by {entry.number} already exists.",
        )
    same = [
        other
        for other in acl.entries
        if other.egress == entry.egress and bool(other.cidr6) == bool(entry.cidr6)
    ]
    if len(same) >= MAX_ENTRIES:
        raise ApiError(
            "NetworkAclEntryLimitExceeded",
            f"The maximum number of entries of the network ACL {acl.id} has been reached.",
        )
    _put(call, acl, (*acl.entries, entry))
    return {}


def replace_entry(call: Call) -> Shape:
    """ReplaceNetworkAclEntry: the entry must be there."""
    acl, entry = _asked(call), _entry(call)
    old = _existing(acl, entry.number, entry.egress)
    _put(call, acl, (*(e for e in acl.entries if e is not old), entry))
    return {}


def delete_entry(call: Call) -> Shape:
    """DeleteNetworkAclEntry."""
    acl = _asked(call)
    _check_number(call.params["RuleNumber"])
    old = _existing(acl, call.params["RuleNumber"], call.params["Egress"])
    _put(call, acl, tuple(e for e in acl.entries if e is not old))
    return {}


def _at(acl: NetworkAcl, number: int, egress: bool) -> Entry | None:
    return next((e for e in acl.entries if (e.number, e.egress) == (number, egress)), None)


def _existing(acl: NetworkAcl, number: int, egress: bool) -> Entry:
    entry = _at(acl, number, egress)
    if entry is None:
        raise ApiError(
            "InvalidNetworkAclEntry.NotFound",
            f"The network acl entry identified by {number} does not exist.",
        )
    return entry


def _put(call: Call, acl: NetworkAcl, entries: Iterable[Entry]) -> None:
    ordered = sorted(entries, key=lambda e: (not e.egress, e.number))
    call.txn.put(replace(acl, entries=tuple(ordered)))


def _check_number(number: int) -> None:
    if number not in NUMBERS:
        raise invalid_value("ruleNumber", number, "It must be between 1 and 32766.")


def _entry(call: Call) -> Entry:
    """The entry that the request describes.

    Raises:
        ApiError: ``InvalidParameterValue``, ``MissingParameter``.
    """
    _check_number(call.params["RuleNumber"])
    protocol = protocol_number(call.params["Protocol"])
    v4, v6 = call.get("CidrBlock"), call.get("Ipv6CidrBlock")
    if bool(v4) == bool(v6):
        raise missing_parameter("cidrBlock or ipv6CidrBlock")
    return Entry(
        number=call.params["RuleNumber"],
        egress=call.params["Egress"],
        allow=call.params["RuleAction"] == "allow",
        protocol=protocol,
        cidr=cidr_v4(v4) if v4 else None,
        cidr6=cidr_v6(v6) if v6 else None,
        ports=_ports(call) if protocol in (TCP, UDP) else None,
        icmp=_icmp(call) if protocol in (ICMP, ICMPV6) else None,
    )


def _ports(call: Call) -> tuple[int, int]:
    given = call.get("PortRange", {})
    first, last = given.get("From"), given.get("To")
    if first is None or last is None:
        raise missing_parameter("portRange")
    if first not in PORTS or last not in PORTS or first > last:
        raise ApiError("InvalidParameterValue", f"Invalid TCP/UDP port range ({first}:{last})")
    return first, last


def _icmp(call: Call) -> tuple[int, int]:
    given = call.get("IcmpTypeCode", {})
    kind, code = given.get("Type"), given.get("Code")
    if kind is None or code is None:
        raise missing_parameter("icmpTypeCode")
    if not -1 <= kind <= 255 or not -1 <= code <= 255 or (kind == -1 and code != -1):
        raise ApiError("InvalidParameterValue", f"Invalid ICMP type/code ({kind}:{code})")
    return kind, code


# --- associations -------------------------------------------------------------------------------
def replace_association(call: Call) -> Shape:
    """ReplaceNetworkAclAssociation: a subnet changes its ACL."""
    old = call.txn.get(AclAssociation, call.params["AssociationId"])
    acl = _asked(call)
    subnet = call.txn.get(Subnet, old.subnet)
    if subnet.vpc != acl.vpc:
        raise ApiError(
            "InvalidParameterValue",
            f"The network ACL {acl.id} and subnet {subnet.id} belong to different networks.",
        )
    call.txn.delete(old)
    return {"NewAssociationId": associate(call, acl.id, subnet.id).id}


def associate(call: Call, acl: str, subnet: str) -> AclAssociation:
    """Give a subnet, which has none, an ACL."""
    common = {**call.common(AclAssociation), "tags": ()}
    return call.created(AclAssociation(**common, acl=acl, subnet=subnet))


def _open(egress: bool) -> Entry:
    return Entry(number=100, egress=egress, allow=True, protocol=None, cidr=ANY_V4)


def default_acl(call: Call, vpc: Vpc) -> None:
    """The default ACL of a VPC, for the subnets that are there."""
    acl = new_default(call, vpc.id)
    for subnet in call.txn.referrers(vpc.id, Subnet):
        associate(call, acl.id, subnet.id)


def new_default(call: Call, vpc: str) -> NetworkAcl:
    """A default ACL, which lets everything pass and no subnet has yet."""
    entries = (_open(egress=True), _open(egress=False))
    common = {**call.common(NetworkAcl), "tags": ()}
    return call.created(NetworkAcl(**common, vpc=vpc, default=True, entries=entries))


def open_to_ipv6(call: Call, block: Ipv6Block) -> None:
    """With its first IPv6 block a VPC's default ACL lets all IPv6 pass, in each direction whose
    rules nobody has changed (VPC User Guide, "Default network ACL")."""
    for acl in call.txn.referrers(block.vpc, NetworkAcl):
        if not acl.default:
            continue
        added = [
            Entry(number=101, egress=egress, allow=True, protocol=None, cidr6=ANY_V6)
            for egress in (True, False)
            if [entry for entry in acl.entries if entry.egress == egress] == [_open(egress)]
        ]
        _put(call, acl, (*acl.entries, *added))


def join_default_acl(call: Call, subnet: Subnet) -> None:
    """A new subnet has the VPC's default ACL.  (A default VPC's first subnets are there before the
    ACL is, which then takes them in.)"""
    for acl in call.txn.referrers(subnet.vpc, NetworkAcl):
        if acl.default:
            associate(call, acl.id, subnet.id)


def associations(reader: Reader, acl: str) -> list[AclAssociation]:
    """The ACL's associations, oldest first."""
    rows = reader.referrers(acl, AclAssociation)
    return sorted(rows, key=lambda row: (row.created, row.id))


# --- answers ------------------------------------------------------------------------------------
def show(acl: NetworkAcl, view: View) -> Shape:
    """The API's ``NetworkAcl`` structure."""
    dual_stack = bool(blocks(view, acl.vpc))
    return {
        "NetworkAclId": acl.id,
        "VpcId": acl.vpc,
        "OwnerId": acl.account,
        "IsDefault": acl.default,
        "Entries": [
            _show_entry(entry)
            for egress in (True, False)
            for entry in (
                *(e for e in acl.entries if e.egress == egress),
                *_last(egress, dual_stack),
            )
        ],
        "Associations": [
            {
                "NetworkAclAssociationId": item.id,
                "NetworkAclId": acl.id,
                "SubnetId": item.subnet,
            }
            for item in associations(view, acl.id)
        ],
        "Tags": tag_list(acl),
    }


def _last(egress: bool, dual_stack: bool) -> Iterator[Entry]:
    yield Entry(number=LAST, egress=egress, allow=False, protocol=None, cidr=ANY_V4)
    if dual_stack:
        yield Entry(number=LAST_V6, egress=egress, allow=False, protocol=None, cidr6=ANY_V6)


def _show_entry(entry: Entry) -> Shape:
    shape: Shape = {
        "RuleNumber": entry.number,
        "Egress": entry.egress,
        "RuleAction": "allow" if entry.allow else "deny",
        "Protocol": "-1" if entry.protocol is None else str(entry.protocol),
    }
    if entry.cidr:
        shape["CidrBlock"] = entry.cidr
    if entry.cidr6:
        shape["Ipv6CidrBlock"] = entry.cidr6
    if entry.ports:
        shape["PortRange"] = {"From": entry.ports[0], "To": entry.ports[1]}
    if entry.icmp:
        shape["IcmpTypeCode"] = {"Type": entry.icmp[0], "Code": entry.icmp[1]}
    return shape


def _protocols(acl: Any, view: View) -> list[str]:
    """What the filter ``entry.protocol`` compares with: numbers, and the names of three."""
    numbers = [None, *(entry.protocol for entry in acl.entries)]
    names = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}
    texts = ["-1" if number is None else str(number) for number in numbers]
    return [*texts, *(names[number] for number in numbers if number in names)]


# --- lowering -----------------------------------------------------------------------------------
def lower(acl: NetworkAcl, lowering: Lowering) -> None:
    """Two stateless filters, one a direction, and the subnets that have them."""
    ids = _filter_ids(acl.id)
    for direction, key in ids.items():
        entries = (e for e in acl.entries if e.egress == (direction == "out"))
        lowering.say(
            Filter(
                id=key,
                router=acl.vpc,
                direction=direction,
                stateful=False,
                rules=tuple(_rule(acl, entry) for entry in entries),
                default=f"{acl.id}/*",
            )
        )
    for item in associations(lowering.view, acl.id):
        segment = segment_of(lowering.view, item.subnet)
        if segment:
            lowering.say(
                SegmentFilter(segment=segment, filter_in=ids["in"], filter_out=ids["out"]),
                item.id,
            )


def _filter_ids(acl: str) -> dict[Direction, str]:
    return {"in": f"{acl}/in", "out": f"{acl}/out"}


def filters_of(reader: Reader, subnet: str) -> dict[Direction, str] | None:
    """The filters of a subnet's ACL in the abstract network; None if the subnet is gone."""
    row = next(reader.referrers(subnet, AclAssociation), None)
    return _filter_ids(row.acl) if row else None


def _rule(acl: NetworkAcl, entry: Entry) -> Rule:
    return Rule(
        why=f"{acl.id}/{entry.number}",
        allow=entry.allow,
        protocol=entry.protocol,
        ports=None if entry.ports == (0, 65535) else entry.ports,
        icmp=None if entry.icmp == (-1, -1) else entry.icmp,
        peer=entry.cidr or entry.cidr6 or "",
    )


KIND = Kind(
    row=NetworkAcl,
    actions={
        "CreateNetworkAcl": create_network_acl,
        "DeleteNetworkAcl": delete_network_acl,
        "CreateNetworkAclEntry": create_entry,
        "ReplaceNetworkAclEntry": replace_entry,
        "DeleteNetworkAclEntry": delete_entry,
        "ReplaceNetworkAclAssociation": replace_association,
    },
    listings=(
        Listing(
            action="DescribeNetworkAcls",
            result="NetworkAcls",
            show=show,
            ids="NetworkAclIds",
            paths={
                "default": "IsDefault",
                "association.association-id": "Associations[].NetworkAclAssociationId",
                "association.network-acl-id": "Associations[].NetworkAclId",
                "association.subnet-id": "Associations[].SubnetId",
                "entry.cidr": "Entries[].CidrBlock",
                "entry.icmp.code": "Entries[].IcmpTypeCode.Code",
                "entry.icmp.type": "Entries[].IcmpTypeCode.Type",
                "entry.ipv6-cidr": "Entries[].Ipv6CidrBlock",
                "entry.port-range.from": "Entries[].PortRange.From",
                "entry.port-range.to": "Entries[].PortRange.To",
                "entry.rule-action": "Entries[].RuleAction",
                "entry.egress": "Entries[].Egress",
                "entry.rule-number": "Entries[].RuleNumber",
            },
            computed={"entry.protocol": _protocols},
        ),
    ),
    lower=lower,
    beside={Vpc: default_acl, Ipv6Block: open_to_ipv6, Subnet: join_default_acl},
)

ASSOCIATION = Kind(row=AclAssociation)
