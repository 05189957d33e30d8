"""What a security group rule permits, read from and written in the API's two styles.

Sources: EC2 API Reference, ``IpPermission`` and AuthorizeSecurityGroupIngress; VPC User Guide,
"Security group rules".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from gureum.errors import ApiError, missing_parameter
from gureum.kind import Shape
from gureum.model import Reader, Resource, ref
from gureum.resources.shapes import (
    ICMP,
    ICMPV6,
    PORTS,
    PROTOCOL_NAMES,
    TCP,
    UDP,
    protocol_number,
)
from gureum.resources.vpc_peering import VpcPeeringConnection, state_of

ANY_V4, ANY_V6 = "0.0.0.0/0", "::/0"


@dataclass(frozen=True, kw_only=True)
class FarGroup:
    """A group beyond a peering connection, or a transit gateway, with its owner's account and its
    VPC.  It may go, and so may the connection: the rule stays and admits nobody (VPC Peering Guide,
    "Identify stale security group rules").  ``peering`` is what joined the VPCs, of either kind."""

    id: str = ref("weak")
    account: str
    vpc: str
    peering: str = ref("weak")


Resolve = Callable[[Mapping[str, Any]], str | FarGroup]
"""Gives the group that a ``UserIdGroupPair`` names: the id of one nearby, or one that is far."""


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Traffic with one peer: exactly one of ``cidr``, ``cidr6``, ``group``, ``far`` and
    ``prefix_list`` is set.

    ``protocol`` is a number or None for all.  ``first`` and ``last`` are a port range (TCP, UDP) or
    an ICMP type and code, where -1 is any; None where the protocol has neither.  Two
    permissions permit the same if their ``traffic`` is equal.
    """

    protocol: int | None
    first: int | None = None
    last: int | None = None
    cidr: str | None = None
    cidr6: str | None = None
    group: str | None = ref("restrict", default=None)
    far: FarGroup | None = None
    prefix_list: str | None = ref("restrict", default=None)
    description: str | None = None

    @property
    def traffic(self) -> Permission:
        """The permission without its description."""
        return replace(self, description=None)

    @property
    def peer(self) -> str:
        """The other end, as text."""
        return self.cidr or self.cidr6 or self.named_group or self.prefix_list or ""

    @property
    def named_group(self) -> str | None:
        """The group that is the peer, near or far."""
        return self.far.id if self.far else self.group

    @property
    def protocol_text(self) -> str:
        """The protocol as the API writes it."""
        if self.protocol is None:
            return "-1"
        return PROTOCOL_NAMES.get(self.protocol, str(self.protocol))

    @property
    def all_ports(self) -> bool:
        """Whether every port of the protocol is meant (or the protocol has none)."""
        return self.first is None or (self.first, self.last) == (0, 65535)


def parse(items: Iterable[Mapping[str, Any]], resolve: Resolve) -> list[Permission]:
    """The permissions of a list of ``IpPermission``, one per peer.

    Raises:
        ApiError: ``InvalidParameterValue``, ``MissingParameter``, ``InvalidPermission.Malformed``.
    """
    found = [permission for item in items for permission in _parse_one(item, resolve)]
    if not found:
        raise missing_parameter("ipPermissions")
    if len({permission.traffic for permission in found}) != len(found):
        raise ApiError(
            "InvalidParameterValue", "The same permission must not appear multiple times"
        )
    return found


def _parse_one(item: Mapping[str, Any], resolve: Resolve) -> Iterator[Permission]:
    if item.get("IpProtocol") is None:
        raise missing_parameter("ipProtocol")
    protocol = protocol_number(item["IpProtocol"])
    first, last = ports(protocol, item.get("FromPort"), item.get("ToPort"))
    peers = list(_peers(item, resolve))
    if not peers:
        raise ApiError(
            "InvalidParameterValue",
            "Invalid value 'null' for portRange: at least one of ipRanges, ipv6Ranges, "
            "prefixListIds and groups must be given.",
        )
    for member, peer, description in peers:
        yield Permission(
            protocol=protocol, first=first, last=last, description=description, **{member: peer}
        )


def _peers(item: Mapping[str, Any], resolve: Resolve) -> Iterator[tuple[str, Any, str | None]]:
    for member in item.get("IpRanges") or ():
        yield "cidr", cidr_v4(member.get("CidrIp")), _description(member)
    for member in item.get("Ipv6Ranges") or ():
        yield "cidr6", cidr_v6(member.get("CidrIpv6")), _description(member)
    for member in item.get("PrefixListIds") or ():
        if not member.get("PrefixListId"):
            raise missing_parameter("prefixListId")
        yield "prefix_list", member["PrefixListId"], _description(member)
    for member in item.get("UserIdGroupPairs") or ():
        found = resolve(member)
        far = isinstance(found, FarGroup)
        yield "far" if far else "group", found, _description(member)


_DESCRIPTION = frozenset(" ._-:/()#,@[]+=&;{}!$*")


def check_text(text: str, parameter: str) -> str:
    """A name or description within AWS's limits: 255 characters of a small alphabet.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    good = all(c.isascii() and (c.isalnum() or c in _DESCRIPTION) for c in text)
    if not good or len(text) > 255:
        raise ApiError(
            "InvalidParameterValue",
            f"Invalid value '{text}' for {parameter}. It must be at most 255 characters of a-z, "
            "A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$*.",
        )
    return text


def _description(member: Mapping[str, Any]) -> str | None:
    text = member.get("Description")
    return check_text(text, "rule description") if text else None


def ports(
    protocol: int | None, first: int | None, last: int | None
) -> tuple[int | None, int | None]:
    """The port range, or ICMP type and code, in the form that is stored.

    Protocols without ports have none, whatever is given: Terraform sends 0 and 0 with ``-1``.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    if protocol in (TCP, UDP):
        return _port_range(protocol, first, last)
    if protocol == ICMPV6 and first is None and last is None:
        return -1, -1  # "if you omit the port range, traffic for all types and codes is allowed"
    if protocol in (ICMP, ICMPV6):
        return _icmp(first, last)
    return None, None


def _port_range(protocol: int | None, first: int | None, last: int | None) -> tuple[int, int]:
    if first is None or last is None:
        raise ApiError(
            "InvalidParameterValue",
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        )
    if first not in PORTS or last not in PORTS or first > last:
        raise ApiError("InvalidParameterValue", f"Invalid TCP/UDP port range ({first}:{last})")
    return first, last


def _icmp(first: int | None, last: int | None) -> tuple[int, int]:
    if first is None or last is None:
        raise ApiError(
            "InvalidParameterValue",
            "Invalid value 'Must specify both type and code with ICMP.' for portRange.",
        )
    if not -1 <= first <= 255 or not -1 <= last <= 255:
        raise ApiError("InvalidParameterValue", f"Invalid ICMP type/code ({first}:{last})")
    if first == -1 and last != -1:
        raise ApiError(
            "InvalidParameterValue", f"ICMP code ({last}) must be -1 when the type is -1"
        )
    return first, last


def cidr_v4(text: str | None) -> str:
    """An IPv4 block in canonical form, as AWS stores it.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    try:
        if text is None or "/" not in text:
            raise ValueError
        return str(IPv4Network(text, strict=False))
    except ValueError:
        raise ApiError("InvalidParameterValue", f"CIDR block {text} is malformed") from None


def cidr_v6(text: str | None) -> str:
    """An IPv6 block in canonical form.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    try:
        if text is None or "/" not in text:
            raise ValueError
        return str(IPv6Network(text, strict=False))
    except ValueError:
        raise ApiError("InvalidParameterValue", f"CIDR block {text} is malformed") from None


def words(permission: Permission) -> str:
    """The permission as AWS's messages put it."""
    text = f"peer: {permission.peer}, {_spoken_protocol(permission.protocol)}"
    if permission.protocol in (ICMP, ICMPV6):
        text += f", type: {_or_all(permission.first)}, code: {_or_all(permission.last)}"
    elif permission.first is not None:
        text += f", from port: {permission.first}, to port: {permission.last}"
    return f"{text}, ALLOW"


def _spoken_protocol(protocol: int | None) -> str:
    if protocol is None:
        return "ALL"
    return (
        PROTOCOL_NAMES[protocol].upper() if protocol in PROTOCOL_NAMES else f"protocol: {protocol}"
    )


def _or_all(number: int | None) -> str:
    return "ALL" if number in (None, -1) else str(number)


def show_permissions(
    permissions: Iterable[Permission], account: str, reader: Reader
) -> list[Shape]:
    """``IpPermissions``: one item per protocol and ports, with the peers of each.  ``account`` is
    whose group a peer is that is not there."""
    items: dict[tuple[str, int | None, int | None], Shape] = {}
    for permission in permissions:
        key = (permission.protocol_text, permission.first, permission.last)
        if key not in items:
            items[key] = _empty(permission)
        _add_peer(items[key], permission, account, reader)
    return list(items.values())


def _empty(permission: Permission) -> Shape:
    shape: Shape = {"IpProtocol": permission.protocol_text}
    if permission.first is not None:
        shape |= {"FromPort": permission.first, "ToPort": permission.last}
    return shape | {"UserIdGroupPairs": [], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": []}


def _add_peer(shape: Shape, permission: Permission, account: str, reader: Reader) -> None:
    said = {"Description": permission.description} if permission.description else {}
    if permission.cidr:
        shape["IpRanges"].append({"CidrIp": permission.cidr, **said})
    elif permission.cidr6:
        shape["Ipv6Ranges"].append({"CidrIpv6": permission.cidr6, **said})
    elif permission.prefix_list:
        shape["PrefixListIds"].append({"PrefixListId": permission.prefix_list, **said})
    else:
        far, group = permission.far, reader.find(Resource, permission.group)
        near = {"UserId": group.account if group else account}
        pair = show_far(far, reader) if far else near
        named = {"GroupId": permission.named_group}
        shape["UserIdGroupPairs"].append({**named, **pair, **said})


def is_transit(key: str) -> bool:
    """Whether an id is a transit gateway's."""
    return key.startswith("tgw-")


def show_far(far: FarGroup, reader: Reader) -> Shape:
    """What the API tells of a group beyond a peering connection, or a transit gateway."""
    if is_transit(far.peering):
        return {"UserId": far.account, "VpcId": far.vpc}
    row = reader.find(VpcPeeringConnection, far.peering)
    return {
        "UserId": far.account,
        "VpcId": far.vpc,
        "VpcPeeringConnectionId": far.peering,
        "PeeringStatus": state_of(reader, row) if row else "deleted",
    }
