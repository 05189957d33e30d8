"""Metering policies of transit gateways: whose account pays for which packets.

They are records: nothing is charged here.

Sources: Amazon VPC Transit Gateways, "Metering policies"; EC2 API Reference,
CreateTransitGatewayMeteringPolicy, CreateTransitGatewayMeteringPolicyEntry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Listing, Part, Shape, show_part
from gureum.model import Resource, Txn, View, ref
from gureum.resources.shapes import tag_list
from gureum.resources.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    usable,
)
from gureum.resources.transit_gateway_rule import checked_block, checked_ports

_NUMBERS = range(1, 32767)
_PROTOCOLS = range(256)
_WITH_PORTS = ("6", "17")
_MOST_MIDDLEBOXES = 10


@dataclass(frozen=True, kw_only=True)
class MeteringRule:
    """A line of a policy, by number: what it is about (names and values in the order of the API's
    members) and who pays."""

    number: int
    about: tuple[tuple[str, str], ...]
    account: str
    changed: str


@dataclass(frozen=True, kw_only=True)
class MeteringPolicy(
    Resource,
    kind="transit-gateway-metering-policy",
    prefix="tgw-mp",
    not_found="InvalidTransitGatewayMeteringPolicyId.NotFound",
    malformed="InvalidTransitGatewayMeteringPolicyId.Malformed",
    noun="transit gateway metering policy",
):
    """The policy of a gateway, which has one at most; ``middleboxes`` are attachments of
    appliances.  ``changed`` is since when it is as it is."""

    gateway: str = ref()
    middleboxes: tuple[str, ...] = ref("weak", default=())
    state: Literal["pending", "modifying", "available"] = "pending"
    changed: str
    rules: tuple[MeteringRule, ...] = ()


# --- policies -----------------------------------------------------------------------------------
def create_policy(call: Call) -> Shape:
    """CreateTransitGatewayMeteringPolicy."""
    gateway = usable(call, TransitGateway, call.params["TransitGatewayId"])
    if any(True for _ in call.txn.referrers(gateway.id, MeteringPolicy)):
        raise ApiError("Resource.AlreadyAssociated", f"{gateway.id} already has a metering policy.")
    row = call.created(
        MeteringPolicy(
            **call.common(MeteringPolicy),
            gateway=gateway.id,
            middleboxes=_boxes(call, gateway.id, call.get("MiddleboxAttachmentIds") or ()),
            changed=call.now,
        )
    )
    return {"TransitGatewayMeteringPolicy": show(row, call.txn.view)}


def _boxes(call: Call, gateway: str, keys: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(keys))
    if len(found) > _MOST_MIDDLEBOXES:
        raise invalid_combination(f"At most {_MOST_MIDDLEBOXES} attachments can be given.")
    for key in found:
        _attachment(call, gateway, "middleboxAttachmentIds", key)
    return found


def _attachment(call: Call, gateway: str, name: str, key: str) -> str:
    row = usable(call, TransitGatewayAttachment, key)
    if row.gateway != gateway:
        raise invalid_value(name, key, f"It is no attachment of {gateway}.")
    return key


def modify_policy(call: Call) -> Shape:
    """ModifyTransitGatewayMeteringPolicy."""
    row = _policy(call)
    gone = set(call.get("RemoveMiddleboxAttachmentIds") or ())
    if unknown := gone - set(row.middleboxes):
        raise invalid_value("removeMiddleboxAttachmentIds", min(unknown))
    kept = [key for key in row.middleboxes if key not in gone]
    keys = _boxes(call, row.gateway, (*kept, *(call.get("AddMiddleboxAttachmentIds") or ())))
    row = replace(row, middleboxes=keys, state="modifying", changed=call.now)
    return {"TransitGatewayMeteringPolicy": show(call.txn.put(row), call.txn.view)}


def delete_policy(call: Call) -> Shape:
    """DeleteTransitGatewayMeteringPolicy: its lines go with it."""
    row = _policy(call)
    shown = show(row, call.txn.view) | {"State": "deleting"}
    call.txn.delete(row)
    return {"TransitGatewayMeteringPolicy": shown}


def _policy(call: Call) -> MeteringPolicy:
    return call.txn.get(MeteringPolicy, call.params["TransitGatewayMeteringPolicyId"])


def settled(txn: Txn, row: MeteringPolicy, now: str) -> None:
    """The cloud has the policy as it is."""
    if row.state != "available":
        txn.put(replace(row, state="available"))


def show(row: MeteringPolicy, view: View) -> Shape:
    """The API's ``TransitGatewayMeteringPolicy`` structure."""
    return {
        "TransitGatewayMeteringPolicyId": row.id,
        "TransitGatewayId": row.gateway,
        "MiddleboxAttachmentIds": list(row.middleboxes),
        "State": row.state,
        "UpdateEffectiveAt": row.changed,
        "Tags": tag_list(row),
    }


# --- lines --------------------------------------------------------------------------------------
def create_entry(call: Call) -> Shape:
    """CreateTransitGatewayMeteringPolicyEntry.

    Raises:
        ApiError: the not-found codes, ``InvalidParameterValue``, ``InvalidParameterCombination``.
    """
    row, number = _policy(call), call.params["PolicyRuleNumber"]
    if number not in _NUMBERS or any(each.number == number for each in row.rules):
        raise invalid_value("policyRuleNumber", number)
    rule = MeteringRule(
        number=number,
        about=tuple(_about(call, row.gateway)),
        account=call.params["MeteredAccount"],
        changed=call.now,
    )
    rules = sorted((*row.rules, rule), key=lambda each: each.number)
    call.txn.put(replace(row, rules=tuple(rules)))
    return {"TransitGatewayMeteringPolicyEntry": show_rule(rule)}


def _about(call: Call, gateway: str) -> Iterator[tuple[str, str]]:
    for end in ("Source", "Destination"):
        lower = end.lower()
        key = call.get(f"{end}TransitGatewayAttachmentId")
        kind = call.get(f"{end}TransitGatewayAttachmentType")
        if key and kind:
            raise invalid_combination(
                f"Only one of {lower}TransitGatewayAttachmentId and "
                f"{lower}TransitGatewayAttachmentType may be specified."
            )
        if key:
            _attachment(call, gateway, f"{lower}TransitGatewayAttachmentId", key)
            yield f"{end}TransitGatewayAttachmentId", key
        if kind:
            yield f"{end}TransitGatewayAttachmentType", kind
        member = f"{end}CidrBlock"
        if block := checked_block(f"{lower}CidrBlock", call.params, member):
            yield member, block
        member = f"{end}PortRange"
        if ports := checked_ports(call.params, member):
            if ports != "*" and call.get("Protocol") not in _WITH_PORTS:
                raise invalid_combination("Ports can only be specified for the protocols 6 and 17.")
            yield member, ports
    if protocol := call.get("Protocol"):
        known = protocol.isascii() and protocol.isdigit() and int(protocol) in _PROTOCOLS
        if protocol != "*" and not known:
            raise invalid_value("protocol", protocol)
        yield "Protocol", protocol


def delete_entry(call: Call) -> Shape:
    """DeleteTransitGatewayMeteringPolicyEntry."""
    row, number = _policy(call), call.params["PolicyRuleNumber"]
    gone = next((each for each in row.rules if each.number == number), None)
    if gone is None:
        raise invalid_value("policyRuleNumber", number, f"{row.id} has no such entry.")
    call.txn.put(replace(row, rules=tuple(each for each in row.rules if each is not gone)))
    return {"TransitGatewayMeteringPolicyEntry": show_rule(gone) | {"State": "deleted"}}


def show_rule(rule: MeteringRule) -> Shape:
    """The API's ``TransitGatewayMeteringPolicyEntry`` structure."""
    return {
        "PolicyRuleNumber": str(rule.number),
        "MeteredAccount": rule.account,
        "State": "available",
        "UpdatedAt": rule.changed,
        "UpdateEffectiveAt": rule.changed,
        "MeteringPolicyRule": dict(rule.about),
    }


def _rules(call: Call) -> Iterator[Part]:
    row = _policy(call)
    for rule in row.rules:
        yield Part(str(rule.number), rule.changed, show_rule(rule))


KIND = Kind(
    row=MeteringPolicy,
    actions={
        "CreateTransitGatewayMeteringPolicy": create_policy,
        "ModifyTransitGatewayMeteringPolicy": modify_policy,
        "DeleteTransitGatewayMeteringPolicy": delete_policy,
        "CreateTransitGatewayMeteringPolicyEntry": create_entry,
        "DeleteTransitGatewayMeteringPolicyEntry": delete_entry,
    },
    listings=(
        Listing(
            action="DescribeTransitGatewayMeteringPolicies",
            result="TransitGatewayMeteringPolicies",
            show=show,
            ids="TransitGatewayMeteringPolicyIds",
        ),
        Listing(
            action="GetTransitGatewayMeteringPolicyEntries",
            result="TransitGatewayMeteringPolicyEntries",
            show=show_part,
            rows=_rules,
        ),
    ),
    settled=settled,
)
