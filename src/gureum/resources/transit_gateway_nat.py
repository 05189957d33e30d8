"""What a transit gateway would translate on an attachment, and what it announces to its peers.

Both are records: addresses pass a transit gateway as they are, and routes are told to nobody.

Source: EC2 API Reference, ModifyTransitGatewayAttachmentNatConfiguration,
CreateTransitGatewayRouteTableAnnouncement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any, Literal

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape, becomes
from gureum.model import Resource, View, ref
from gureum.model.cidr import ipv4_network
from gureum.resources.shapes import tag_list
from gureum.resources.transit_gateway import (
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    usable,
)

_NUMBERS = range(1, 32767)
_NEVER = (IPv4Network("224.0.0.0/4"), IPv4Network("169.254.0.0/16"))
_INTO = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


@dataclass(frozen=True, kw_only=True)
class NatRule:
    """Source addresses in ``source`` become those of ``target``, which is as large."""

    number: int
    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class NatConfiguration(
    Resource,
    kind="transit-gateway-nat-configuration",
    prefix="tgw-nat",
    not_found="InvalidParameterValue",
    noun="transit gateway NAT configuration",
):
    """What is to be translated on an attachment, which it goes with."""

    attachment: str = ref("cascade")
    support: bool = False
    routes: bool = False
    rules: tuple[NatRule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Announcement(
    Resource,
    kind="transit-gateway-route-table-announcement",
    prefix="tgw-rtb-announcement",
    not_found="InvalidTransitGatewayRouteTableAnnouncementId.NotFound",
    malformed="InvalidTransitGatewayRouteTableAnnouncementId.Malformed",
    noun="transit gateway route table announcement",
):
    """A route table that the other side of a peering attachment is told of."""

    table: str = ref()
    peering: str = ref()
    state: Literal["pending", "available"] = "pending"


# --- translation --------------------------------------------------------------------------------
def _configuration(call: Call) -> NatConfiguration:
    link = usable(call, TransitGatewayAttachment, call.params["TransitGatewayAttachmentId"])
    key = f"{NatConfiguration.prefix}-{link.id}"
    return call.txn.find(NatConfiguration, key) or NatConfiguration(
        id=key, account=call.account, region=call.region, created=call.now, attachment=link.id
    )


def get_nat(call: Call) -> Shape:
    """GetTransitGatewayAttachmentNatConfiguration."""
    return show_nat(_configuration(call))


def modify_nat(call: Call) -> Shape:
    """ModifyTransitGatewayAttachmentNatConfiguration: rules that are given replace all.

    Raises:
        ApiError: the not-found code, ``IncorrectState``, ``InvalidParameterValue``,
            ``InvalidParameterCombination``, ``MissingParameter``.
    """
    row, rules = _configuration(call), call.get("NatGatewayRules") or ()
    reset = bool(call.get("ResetNatGatewayRules"))
    if rules and reset:
        raise invalid_combination(
            "natGatewayRules and resetNatGatewayRules may not be specified together."
        )
    row = replace(
        row,
        support=_switched(call.get("NatGatewaySupport"), row.support),
        routes=_switched(call.get("NatSystemRouteSupport"), row.routes),
        rules=_rules(rules) if rules or reset else row.rules,
    )
    return show_nat(call.txn.put(row))


def _switched(word: str | None, before: bool) -> bool:
    return before if word is None else word == "enable"


def _rules(items: Iterable[Mapping[str, Any]]) -> tuple[NatRule, ...]:
    found: dict[int, NatRule] = {}
    for item in items:
        for name in ("RuleNumber", "MatchSourceCidr", "NatCidr"):
            if item.get(name) is None:
                raise missing_parameter(f"natGatewayRules.{name[0].lower()}{name[1:]}")
        number = item["RuleNumber"]
        if number not in _NUMBERS or number in found:
            raise invalid_value("ruleNumber", number)
        source = ipv4_network(item["MatchSourceCidr"], "matchSourceCidr")
        target = ipv4_network(item["NatCidr"], "natCidr")
        if any(source.overlaps(each) for each in _NEVER):
            raise invalid_value("matchSourceCidr", source)
        if not any(target.subnet_of(each) for each in _INTO):
            raise invalid_value("natCidr", target, "It must be private or shared address space.")
        if target.prefixlen != source.prefixlen:
            raise invalid_value("natCidr", target, "It must be as large as matchSourceCidr.")
        if any(source.overlaps(IPv4Network(each.source)) for each in found.values()):
            raise invalid_value("matchSourceCidr", source, "It overlaps with another rule.")
        found[number] = NatRule(number=number, source=str(source), target=str(target))
    return tuple(found[number] for number in sorted(found))


def show_nat(row: NatConfiguration) -> Shape:
    """The answer that tells of an attachment's translation."""
    return {
        "TransitGatewayAttachmentId": row.attachment,
        "NatGatewaySupport": "enabled" if row.support else "disabled",
        "NatSystemRouteSupport": "enable" if row.routes else "disable",
        "NatGatewayRules": [
            {
                "RuleNumber": rule.number,
                "MatchSourceCidr": rule.source,
                "NatCidr": rule.target,
                "State": "activated" if row.support else "deactivated",
            }
            for rule in row.rules
        ],
    }


# --- announcements ------------------------------------------------------------------------------
def announce(call: Call) -> Shape:
    """CreateTransitGatewayRouteTableAnnouncement: over a peering attachment of the gateway."""
    table = usable(call, TransitGatewayRouteTable, call.params["TransitGatewayRouteTableId"])
    link = usable(call, TransitGatewayAttachment, call.params["PeeringAttachmentId"])
    if link.peer is None or not link.is_at(table.gateway):
        raise invalid_value(
            "peeringAttachmentId", link.id, f"It is no peering attachment of {table.gateway}."
        )
    if any(row.peering == link.id for row in call.txn.referrers(table.id, Announcement)):
        raise ApiError(
            "Resource.AlreadyAssociated", f"{table.id} is already announced over {link.id}."
        )
    row = call.created(Announcement(**call.common(Announcement), table=table.id, peering=link.id))
    return {"TransitGatewayRouteTableAnnouncement": show(row, call.txn.view)}


def withdraw(call: Call) -> Shape:
    """DeleteTransitGatewayRouteTableAnnouncement."""
    row = call.txn.get(Announcement, call.params["TransitGatewayRouteTableAnnouncementId"])
    shown = show(row, call.txn.view) | {"State": "deleting"}
    call.txn.delete(row)
    return {"TransitGatewayRouteTableAnnouncement": shown}


def show(row: Announcement, view: View) -> Shape:
    """The API's ``TransitGatewayRouteTableAnnouncement`` structure."""
    link = view.find(TransitGatewayAttachment, row.peering)
    table = view.find(TransitGatewayRouteTable, row.table)
    gateway = table.gateway if table else ""
    return {
        "TransitGatewayRouteTableAnnouncementId": row.id,
        "TransitGatewayId": gateway,
        "PeerTransitGatewayId": link.seen_from(gateway)["ResourceId"] if link else "",
        "PeeringAttachmentId": row.peering,
        "AnnouncementDirection": "outgoing",
        "TransitGatewayRouteTableId": row.table,
        "State": row.state,
        "CreationTime": row.created,
        "Tags": tag_list(row),
    }


KIND = Kind(
    row=NatConfiguration,
    actions={
        "GetTransitGatewayAttachmentNatConfiguration": get_nat,
        "ModifyTransitGatewayAttachmentNatConfiguration": modify_nat,
    },
    reads=frozenset({"GetTransitGatewayAttachmentNatConfiguration"}),
)

ANNOUNCEMENT = Kind(
    row=Announcement,
    actions={
        "CreateTransitGatewayRouteTableAnnouncement": announce,
        "DeleteTransitGatewayRouteTableAnnouncement": withdraw,
    },
    listings=(
        Listing(
            action="DescribeTransitGatewayRouteTableAnnouncements",
            result="TransitGatewayRouteTableAnnouncements",
            show=show,
            ids="TransitGatewayRouteTableAnnouncementIds",
        ),
    ),
    settled=becomes("pending", "available"),
)
