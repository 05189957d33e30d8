"""The API's actions on transit gateways themselves.

Sources: Amazon VPC Transit Gateways, "Work with transit gateways"; EC2 API Reference,
CreateTransitGateway, ModifyTransitGateway, DeleteTransitGateway.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import View
from gureum.program import Transit
from gureum.resources.shapes import tag_list
from gureum.resources.subnet import arn
from gureum.resources.transit_gateway import (
    ENABLED,
    TransitGateway,
    TransitGatewayRouteTable,
    attachments_of,
    expired,
    incorrect,
    live,
    settled,
    show_switches,
    switched,
    tables_of,
    usable,
)
from gureum.resources.transit_gateway_connect import with_blocks, without_blocks
from gureum.resources.transit_gateway_metering import MeteringPolicy
from gureum.resources.transit_gateway_multicast import MulticastDomain
from gureum.resources.transit_gateway_policy import PolicyTable
from gureum.resources.transit_gateway_table import new_table

MAX_GATEWAYS = 5
"""Transit gateways per account (transit gateway quotas)."""

DEFAULT_ASN = 64512
"""The number of the gateway's side of BGP sessions that is taken unasked."""

ASSOCIATION, PROPAGATION = "DefaultRouteTableAssociation", "DefaultRouteTablePropagation"
_SWITCHES = (
    "AutoAcceptSharedAttachments",
    ASSOCIATION,
    PROPAGATION,
    "VpnEcmpSupport",
    "DnsSupport",
    "SecurityGroupReferencingSupport",
)
_SHOWN = (*_SWITCHES, "MulticastSupport")
_UNASKED = (ASSOCIATION, PROPAGATION, "VpnEcmpSupport", "DnsSupport")
_HELD = (MulticastDomain, PolicyTable, MeteringPolicy)
"""What keeps a gateway from being deleted beside attachments and route tables."""
_PRIVATE_ASNS = (range(64512, 65535), range(4200000000, 4294967295))


def create(call: Call) -> Shape:
    """CreateTransitGateway: with a default route table, unless neither option asks for one."""
    options = call.get("Options") or {}
    enabled = switched(_UNASKED, _SHOWN, options)
    alive = (row for row in call.txn.all(TransitGateway) if row.state != "deleted")
    if sum(1 for _ in alive) >= MAX_GATEWAYS:
        raise ApiError(
            "TransitGatewayLimitExceeded",
            "The maximum number of transit gateways has been reached.",
        )
    row = call.created(
        TransitGateway(
            **call.common(TransitGateway),
            state="pending",
            description=call.get("Description", ""),
            asn=_asn(options.get("AmazonSideAsn") or DEFAULT_ASN),
            enabled=enabled,
            cidrs=with_blocks(call, (), options.get("TransitGatewayCidrBlocks") or ()),
        )
    )
    if {ASSOCIATION, PROPAGATION} & set(enabled):
        key = new_table(call, row, tags=()).id
        row = replace(
            row,
            association_table=key if ASSOCIATION in enabled else None,
            propagation_table=key if PROPAGATION in enabled else None,
        )
        call.txn.put(row)
    return {"TransitGateway": show(row, call.txn.view)}


def _refuse(call: Call, options: dict[str, Any], *names: str) -> None:
    """Refuse options whose feature is not built, unless they are switched off.

    Raises:
        ApiError: ``UnsupportedOperation``.
    """
    for name in names:
        if options.get(name) not in (None, [], "disable"):
            raise ApiError(
                "UnsupportedOperation",
                f"The option {name} of {call.action} is not available in this cloud yet.",
            )


def _asn(number: int) -> int:
    if not any(number in each for each in _PRIVATE_ASNS):
        raise invalid_value("AmazonSideAsn", number, "It must be a private ASN.")
    return number


def modify(call: Call) -> Shape:
    """ModifyTransitGateway: what attachments there are keep their associations."""
    row = usable(call, TransitGateway, call.params["TransitGatewayId"])
    options = call.get("Options") or {}
    _refuse(call, options, "EncryptionSupport")
    kept = without_blocks(call, row, options.get("RemoveTransitGatewayCidrBlocks") or ())
    asn = options.get("AmazonSideAsn")
    if asn is not None and asn != row.asn and attachments_of(call.txn.view, row.id):
        raise incorrect(f"{row.id} has attachments: its Amazon side ASN cannot be changed")
    row = replace(
        row,
        description=call.get("Description", row.description),
        enabled=switched(row.enabled, _SWITCHES, options),
        cidrs=with_blocks(call, kept, options.get("AddTransitGatewayCidrBlocks") or ()),
        asn=row.asn if asn is None else _asn(asn),
        state="modifying",
    )
    row = replace(
        row,
        association_table=_default(
            call, row, ASSOCIATION, options, "AssociationDefaultRouteTableId", row.association_table
        ),
        propagation_table=_default(
            call, row, PROPAGATION, options, "PropagationDefaultRouteTableId", row.propagation_table
        ),
    )
    return {"TransitGateway": show(call.txn.put(row), call.txn.view)}


def _default(
    call: Call,
    row: TransitGateway,
    switch: str,
    options: dict[str, Any],
    member: str,
    before: str | None,
) -> str | None:
    """The default table after a change: one is given when the option is switched on."""
    key = options.get(member)
    if switch not in row.enabled:
        if key:
            raise invalid_combination(f"{member} cannot be given while {switch} is disabled.")
        return None
    if key:
        table = usable(call, TransitGatewayRouteTable, key)
        if table.gateway != row.id:
            raise invalid_value(member, key, f"It is no route table of {row.id}.")
        return table.id
    if before is None and options.get(switch) == ENABLED:
        raise invalid_combination(f"{member} must be given to enable {switch}.")
    return before


def delete(call: Call) -> Shape:
    """DeleteTransitGateway: without attachments; its default route table goes with it.

    Raises:
        ApiError: ``IncorrectState`` while it has attachments or other tables.
    """
    row = live(call, TransitGateway, call.params["TransitGatewayId"])
    view = call.txn.view
    if there := attachments_of(view, row.id):
        keys = ", ".join(each.id for each in there)
        raise incorrect(f"{row.id} has non-deleted VPC Attachments: {keys}.")
    defaults = {row.association_table, row.propagation_table}
    tables = tables_of(view, row.id)
    if others := [each.id for each in tables if each.id not in defaults]:
        raise incorrect(f"{row.id} has non-deleted Route Tables: {', '.join(others)}.")
    if more := [each.id for cls in _HELD for each in call.txn.referrers(row.id, cls)]:
        raise incorrect(f"{row.id} has non-deleted resources: {', '.join(more)}.")
    for table in tables:
        call.txn.put(replace(table, state="deleting", routes=()))
    row = call.txn.put(replace(row, state="deleting"))
    return {"TransitGateway": show(row, call.txn.view)}


def show(row: TransitGateway, view: View) -> Shape:
    """The API's ``TransitGateway`` structure."""
    options: Shape = {"AmazonSideAsn": row.asn, **show_switches(row.enabled, _SHOWN)}
    if row.cidrs:
        options["TransitGatewayCidrBlocks"] = list(row.cidrs)
    if row.association_table:
        options["AssociationDefaultRouteTableId"] = row.association_table
    if row.propagation_table:
        options["PropagationDefaultRouteTableId"] = row.propagation_table
    return {
        "TransitGatewayId": row.id,
        "TransitGatewayArn": arn(row),
        "State": row.state,
        "OwnerId": row.account,
        "Description": row.description,
        "CreationTime": row.created,
        "Options": options,
        "Tags": tag_list(row),
    }


def lower(row: TransitGateway, lowering: Lowering) -> None:
    """A gateway is a router between routers."""
    if row.state not in ("deleting", "deleted"):
        lowering.say(Transit(row.id))


KIND = Kind(
    row=TransitGateway,
    actions={
        "CreateTransitGateway": create,
        "ModifyTransitGateway": modify,
        "DeleteTransitGateway": delete,
    },
    listings=(
        Listing(
            action="DescribeTransitGateways",
            result="TransitGateways",
            show=show,
            ids="TransitGatewayIds",
        ),
    ),
    lower=lower,
    settled=settled,
    expired=expired,
)
