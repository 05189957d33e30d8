"""Policy tables of transit gateways: which route table is for which packets of an attachment.

They are records: what comes from an attachment is routed by the route table it is associated with.

Sources: Amazon VPC Transit Gateways, "Transit gateway policy tables"; EC2 API Reference,
CreateTransitGatewayPolicyTable, CreateTransitGatewayPolicyTableEntry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Listing, Part, Shape, show_part
from gureum.model import Resource, Txn, View, ref
from gureum.resources.shapes import tag_list
from gureum.resources.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    incorrect,
    usable,
)
from gureum.resources.transit_gateway_rule import checked_block, checked_ports

PROTOCOLS = ("1", "6", "17", "47", "*")
_WITH_PORTS = ("6", "17")
_NUMBERS = range(1, 65536)


@dataclass(frozen=True, kw_only=True)
class PolicyEntry:
    """A line of a table, by number; an empty text stands for everything."""

    number: int
    target: str = ref("weak", default="")
    source: str = ""
    source_ports: str = ""
    destination: str = ""
    destination_ports: str = ""
    protocol: str = ""
    key: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class PolicyLink:
    """An attachment that is associated with a table."""

    attachment: str = ref("weak")
    state: Literal["associating", "associated"] = "associating"


@dataclass(frozen=True, kw_only=True)
class PolicyTable(
    Resource,
    kind="transit-gateway-policy-table",
    prefix="tgw-ptb",
    not_found="InvalidTransitGatewayPolicyTableId.NotFound",
    malformed="InvalidTransitGatewayPolicyTableId.Malformed",
    noun="transit gateway policy table",
):
    """A policy table of a gateway, its lines in the order of their numbers."""

    gateway: str = ref()
    state: Literal["pending", "available"] = "pending"
    links: tuple[PolicyLink, ...] = ()
    entries: tuple[PolicyEntry, ...] = ()


# --- tables -------------------------------------------------------------------------------------
def create_table(call: Call) -> Shape:
    """CreateTransitGatewayPolicyTable: empty."""
    gateway = usable(call, TransitGateway, call.params["TransitGatewayId"])
    row = call.created(PolicyTable(**call.common(PolicyTable), gateway=gateway.id))
    return {"TransitGatewayPolicyTable": show(row, call.txn.view)}


def delete_table(call: Call) -> Shape:
    """DeleteTransitGatewayPolicyTable: once nothing is associated with it."""
    row = _table(call)
    if row.links:
        raise incorrect(f"Cannot delete {row.id}: it has associations ({row.links[0].attachment}).")
    shown = show(row, call.txn.view) | {"State": "deleting"}
    call.txn.delete(row)
    return {"TransitGatewayPolicyTable": shown}


def _table(call: Call) -> PolicyTable:
    return call.txn.get(PolicyTable, call.params["TransitGatewayPolicyTableId"])


def settled(txn: Txn, row: PolicyTable, now: str) -> None:
    """The cloud has the table and its associations."""
    links = tuple(replace(each, state="associated") for each in row.links)
    calm = replace(row, state="available", links=links)
    if calm != row:
        txn.put(calm)


def show(row: PolicyTable, view: View) -> Shape:
    """The API's ``TransitGatewayPolicyTable`` structure."""
    return {
        "TransitGatewayPolicyTableId": row.id,
        "TransitGatewayId": row.gateway,
        "State": row.state,
        "CreationTime": row.created,
        "Tags": tag_list(row),
    }


# --- associations -------------------------------------------------------------------------------
def associate(call: Call) -> Shape:
    """AssociateTransitGatewayPolicyTable: of an attachment that has no table of either kind.

    Raises:
        ApiError: the not-found codes, ``IncorrectState``, ``InvalidParameterValue``,
            ``Resource.AlreadyAssociated``.
    """
    row = _table(call)
    if row.state != "available":
        raise incorrect(f"{row.id} is in invalid state")
    link = usable(call, TransitGatewayAttachment, call.params["TransitGatewayAttachmentId"])
    if link.gateway != row.gateway:
        raise invalid_value(
            "transitGatewayAttachmentId",
            link.id,
            f"{link.id} and {row.id} belong to different transit gateways.",
        )
    if link.association is not None or _associated(call, link.id):
        raise ApiError(
            "Resource.AlreadyAssociated",
            f"Transit Gateway Attachment {link.id} is already associated to a table.",
        )
    item = PolicyLink(attachment=link.id)
    call.txn.put(replace(row, links=(*row.links, item)))
    return {"Association": _show_link(call.txn.view, row, item)}


def _associated(call: Call, attachment: str) -> bool:
    tables = call.txn.referrers(attachment, PolicyTable)
    return any(each.attachment == attachment for table in tables for each in table.links)


def disassociate(call: Call) -> Shape:
    """DisassociateTransitGatewayPolicyTable."""
    row, key = _table(call), call.params["TransitGatewayAttachmentId"]
    item = next((each for each in row.links if each.attachment == key), None)
    if item is None:
        raise ApiError(
            "InvalidTransitGatewayPolicyTableAssociation.NotFound",
            f"Association of {key} with {row.id} does not exist.",
        )
    shown = _show_link(call.txn.view, row, item) | {"State": "disassociating"}
    call.txn.put(replace(row, links=tuple(each for each in row.links if each is not item)))
    return {"Association": shown}


def _show_link(view: View, row: PolicyTable, item: PolicyLink) -> Shape:
    link = view.find(TransitGatewayAttachment, item.attachment)
    return {
        "TransitGatewayPolicyTableId": row.id,
        "TransitGatewayAttachmentId": item.attachment,
        **(link.resource if link else {}),
        "State": item.state,
    }


def links_of(view: View, row: PolicyTable) -> Iterator[Part]:
    """The associations of a table."""
    for item in row.links:
        yield Part(item.attachment, row.created, _show_link(view, row, item))


# --- entries ------------------------------------------------------------------------------------
def create_entry(call: Call) -> Shape:
    """CreateTransitGatewayPolicyTableEntry.

    Raises:
        ApiError: the not-found codes, ``InvalidParameterValue``, ``InvalidParameterCombination``.
    """
    row, number = _table(call), _number(call)
    if any(each.number == number for each in row.entries):
        raise invalid_value("policyRuleNumber", number, "The table has such an entry already.")
    return _put(call, row, _changed(call, row, PolicyEntry(number=number)))


def modify_entry(call: Call) -> Shape:
    """ModifyTransitGatewayPolicyTableEntry: what is not given stays as it is."""
    row = _table(call)
    return _put(call, row, _changed(call, row, _entry(call, row)))


def delete_entry(call: Call) -> Shape:
    """DeleteTransitGatewayPolicyTableEntry."""
    row = _table(call)
    gone = _entry(call, row)
    call.txn.put(replace(row, entries=tuple(each for each in row.entries if each is not gone)))
    return {"TransitGatewayPolicyTableEntry": show_entry(gone) | {"State": "deleted"}}


def _number(call: Call) -> int:
    text = call.params["PolicyRuleNumber"]
    if not (text.isascii() and text.isdigit() and int(text) in _NUMBERS):
        raise invalid_value("policyRuleNumber", text)
    return int(text)


def _entry(call: Call, row: PolicyTable) -> PolicyEntry:
    number = _number(call)
    for each in row.entries:
        if each.number == number:
            return each
    raise invalid_value("policyRuleNumber", number, f"{row.id} has no such entry.")


def _put(call: Call, row: PolicyTable, entry: PolicyEntry) -> Shape:
    rest = (each for each in row.entries if each.number != entry.number)
    entries = sorted((*rest, entry), key=lambda each: each.number)
    call.txn.put(replace(row, entries=tuple(entries)))
    return {"TransitGatewayPolicyTableEntry": show_entry(entry)}


def _changed(call: Call, row: PolicyTable, entry: PolicyEntry) -> PolicyEntry:
    if key := call.get("TargetRouteTableId"):
        table = usable(call, TransitGatewayRouteTable, key)
        if table.gateway != row.gateway:
            raise invalid_value(
                "targetRouteTableId", key, f"It is no route table of {row.gateway}."
            )
        entry = replace(entry, target=table.id)
    rule: Mapping[str, Any] = call.get("PolicyRule") or {}
    data: Mapping[str, Any] = rule.get("MetaData") or {}
    protocol = rule.get("Protocol", entry.protocol)
    if protocol and protocol not in PROTOCOLS:
        raise invalid_value("policyRule.protocol", protocol)
    entry = replace(
        entry,
        source=checked_block("policyRule.sourceCidrBlock", rule, "SourceCidrBlock", entry.source),
        destination=checked_block(
            "policyRule.destinationCidrBlock", rule, "DestinationCidrBlock", entry.destination
        ),
        source_ports=checked_ports(rule, "SourcePortRange", entry.source_ports),
        destination_ports=checked_ports(rule, "DestinationPortRange", entry.destination_ports),
        protocol=protocol,
        key=data.get("MetaDataKey", entry.key),
        value=data.get("MetaDataValue", entry.value),
    )
    ports = {entry.source_ports, entry.destination_ports} - {"", "*"}
    if ports and entry.protocol not in _WITH_PORTS:
        raise invalid_combination("Ports can only be specified for the protocols 6 and 17.")
    return entry


def show_entry(entry: PolicyEntry) -> Shape:
    """The API's ``TransitGatewayPolicyTableEntry`` structure."""
    rule: Shape = {
        "SourceCidrBlock": entry.source,
        "SourcePortRange": entry.source_ports,
        "DestinationCidrBlock": entry.destination,
        "DestinationPortRange": entry.destination_ports,
        "Protocol": entry.protocol,
    }
    rule = {name: value for name, value in rule.items() if value}
    if entry.key:
        rule["MetaData"] = {"MetaDataKey": entry.key, "MetaDataValue": entry.value}
    return {
        "PolicyRuleNumber": str(entry.number),
        "PolicyRule": rule,
        "TargetRouteTableId": entry.target,
        "State": "active",
    }


def _entries(call: Call) -> Iterator[Part]:
    row = _table(call)
    for entry in row.entries:
        yield Part(str(entry.number), row.created, show_entry(entry))


KIND = Kind(
    row=PolicyTable,
    actions={
        "CreateTransitGatewayPolicyTable": create_table,
        "DeleteTransitGatewayPolicyTable": delete_table,
        "AssociateTransitGatewayPolicyTable": associate,
        "DisassociateTransitGatewayPolicyTable": disassociate,
        "CreateTransitGatewayPolicyTableEntry": create_entry,
        "ModifyTransitGatewayPolicyTableEntry": modify_entry,
        "DeleteTransitGatewayPolicyTableEntry": delete_entry,
    },
    listings=(
        Listing(
            action="DescribeTransitGatewayPolicyTables",
            result="TransitGatewayPolicyTables",
            show=show,
            ids="TransitGatewayPolicyTableIds",
        ),
        Listing(
            action="GetTransitGatewayPolicyTableAssociations",
            result="Associations",
            show=show_part,
            rows=lambda call: links_of(call.txn.view, _table(call)),
        ),
        Listing(
            action="GetTransitGatewayPolicyTableEntries",
            result="TransitGatewayPolicyTableEntries",
            show=show_part,
            rows=_entries,
            paths={
                "policy-rule.source-ip": "PolicyRule.SourceCidrBlock",
                "policy-rule.destination-ip": "PolicyRule.DestinationCidrBlock",
                "policy-rule.source-port": "PolicyRule.SourcePortRange",
                "policy-rule.destination-port": "PolicyRule.DestinationPortRange",
                "policy-rule.protocol": "PolicyRule.Protocol",
                "policy-rule.meta-data.key": "PolicyRule.MetaData.MetaDataKey",
                "policy-rule.meta-data.value": "PolicyRule.MetaData.MetaDataValue",
            },
        ),
    ),
    settled=settled,
)
