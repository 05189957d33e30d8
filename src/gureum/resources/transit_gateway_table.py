"""Route tables of transit gateways: who is associated with them, who propagates to them.

Sources: Amazon VPC Transit Gateways, "Transit gateway route tables"; EC2 API Reference,
AssociateTransitGatewayRouteTable, EnableTransitGatewayRouteTablePropagation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Lowering, Part, Shape, show_part
from gureum.model import Reader, Tags, View
from gureum.program import Blackhole, Route, Target, ViaAttachment, ViaTransitPeering
from gureum.resources.shapes import tag_list, unsupported
from gureum.resources.transit_gateway import (
    SERVING,
    TableLink,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    attachments_of,
    expired,
    incorrect,
    joined,
    live,
    settled,
    statement_of,
    tables_of,
    usable,
    ways,
)

MAX_TABLES = 20
"""Route tables per transit gateway (transit gateway quotas)."""


# --- tables -------------------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreateTransitGatewayRouteTable: empty, nobody is associated."""
    gateway = usable(call, TransitGateway, call.params["TransitGatewayId"])
    row = new_table(call, gateway)
    return {"TransitGatewayRouteTable": show(row, call.txn.view)}


def new_table(
    call: Call, gateway: TransitGateway, tags: Tags | None = None
) -> TransitGatewayRouteTable:
    """A new table of a gateway, with the tags that the call gives, or those given here.

    Raises:
        ApiError: ``TransitGatewayRouteTableLimitExceeded``.
    """
    # numbers of tables that are still being deleted are not given anew, hence all that there are
    taken = {row.number for row in call.txn.referrers(gateway.id, TransitGatewayRouteTable)}
    if len(tables_of(call.txn.view, gateway.id)) >= MAX_TABLES:
        raise ApiError(
            "TransitGatewayRouteTableLimitExceeded",
            f"The maximum number of route tables of {gateway.id} has been reached.",
        )
    common = call.common(TransitGatewayRouteTable)
    if tags is not None:
        common["tags"] = tags
    number = next(n for n in range(1, len(taken) + 2) if n not in taken)
    return call.created(
        TransitGatewayRouteTable(**common, gateway=gateway.id, number=number, state="pending")
    )


def delete(call: Call) -> Shape:
    """DeleteTransitGatewayRouteTable: refused for a default table, and while an attachment is
    associated.  Propagations to it end."""
    row = _asked(call)
    gateway = call.txn.find(TransitGateway, row.gateway)
    if gateway and row.id in (gateway.association_table, gateway.propagation_table):
        raise incorrect(f"Cannot delete {row.id}: it is a default route table of {gateway.id}.")
    linked = attachments_of(call.txn.view, row.id)
    for each in linked:
        link = each.link_at(row.gateway)
        if link and link.table == row.id:
            raise incorrect(f"Cannot delete {row.id}: it has associations ({each.id}).")
    for each in linked:
        call.txn.put(replace(each, propagations=_others(each, row.id)))
    row = call.txn.put(replace(row, state="deleting", routes=()))
    return {"TransitGatewayRouteTable": show(row, call.txn.view)}


def _others(row: TransitGatewayAttachment, table: str) -> tuple[TableLink, ...]:
    return tuple(each for each in row.propagations if each.table != table)


def _asked(call: Call) -> TransitGatewayRouteTable:
    return live(call, TransitGatewayRouteTable, call.params["TransitGatewayRouteTableId"])


def asked_pair(call: Call) -> tuple[TransitGatewayRouteTable, TransitGatewayAttachment]:
    """The table and the attachment that a call names, both in service on one gateway.

    Raises:
        ApiError: the not-found codes, ``IncorrectState``, ``InvalidParameterValue``.
    """
    table = usable(call, TransitGatewayRouteTable, call.params["TransitGatewayRouteTableId"])
    key = call.get("TransitGatewayAttachmentId")
    if not key:
        raise missing_parameter("transitGatewayAttachmentId")
    row = joined(call, key)
    if row.state not in SERVING:
        raise incorrect(f"{row.id} is in invalid state")
    if not row.is_at(table.gateway):
        raise invalid_value(
            "TransitGatewayAttachmentId",
            row.id,
            f"{row.id} and {table.id} belong to different transit gateways.",
        )
    return table, row


# --- associations -------------------------------------------------------------------------------
def associate(call: Call) -> Shape:
    """AssociateTransitGatewayRouteTable: an attachment has one table at most."""
    table, row = asked_pair(call)
    if row.link_at(table.gateway) is not None:
        raise ApiError(
            "Resource.AlreadyAssociated",
            f"Transit Gateway Attachment {row.id} is already associated to a route table.",
        )
    link = TableLink(table=table.id, state="associating")
    row = call.txn.put(row.linked_at(table.gateway, link))
    return {"Association": _show_association(row, table)}


def disassociate(call: Call) -> Shape:
    """DisassociateTransitGatewayRouteTable: what comes from the attachment goes nowhere then."""
    table, row = asked_pair(call)
    link = row.link_at(table.gateway)
    if link is None or link.table != table.id:
        raise ApiError(
            "InvalidAssociation.NotFound",
            f"Association of {row.id} with {table.id} does not exist.",
        )
    row = call.txn.put(row.linked_at(table.gateway, replace(link, state="disassociating")))
    return {"Association": _show_association(row, table)}


def _show_resource(row: TransitGatewayAttachment, table: TransitGatewayRouteTable) -> Shape:
    return {"TransitGatewayAttachmentId": row.id, **row.seen_from(table.gateway)}


def _show_association(row: TransitGatewayAttachment, table: TransitGatewayRouteTable) -> Shape:
    link = row.link_at(table.gateway)
    shape: Shape = {"TransitGatewayRouteTableId": table.id, **_show_resource(row, table)}
    return shape | ({"State": link.state} if link else {})


def _associations(call: Call) -> Iterator[Part]:
    table = _asked(call)
    for row in attachments_of(call.txn.view, table.id):
        link = row.link_at(table.gateway)
        if link and link.table == table.id:
            shape = _show_resource(row, table) | {"State": link.state}
            yield Part(row.id, row.created, shape)


# --- propagation --------------------------------------------------------------------------------
def enable(call: Call) -> Shape:
    """EnableTransitGatewayRouteTablePropagation: the table knows the VPC's blocks."""
    unsupported(call, "TransitGatewayRouteTableAnnouncementId")
    table, row = asked_pair(call)
    if row.peer is not None:
        raise ApiError(
            "InvalidParameterValue",
            f"{row.id} is a peering attachment, which does not propagate routes.",
        )
    if any(each.table == table.id for each in row.propagations):
        raise ApiError(
            "TransitGatewayRouteTablePropagation.Duplicate",
            f"Propagation of {row.id} to {table.id} already exists.",
        )
    item = TableLink(table=table.id, state="enabling")
    row = call.txn.put(replace(row, propagations=(*row.propagations, item)))
    return {"Propagation": _show_propagation(row, table, item)}


def disable(call: Call) -> Shape:
    """DisableTransitGatewayRouteTablePropagation."""
    unsupported(call, "TransitGatewayRouteTableAnnouncementId")
    table, row = asked_pair(call)
    if not any(each.table == table.id for each in row.propagations):
        raise ApiError(
            "TransitGatewayRouteTablePropagation.NotFound",
            f"Propagation of {row.id} to {table.id} does not exist.",
        )
    item = TableLink(table=table.id, state="disabling")
    row = call.txn.put(replace(row, propagations=(*_others(row, table.id), item)))
    return {"Propagation": _show_propagation(row, table, item)}


def _show_propagation(
    row: TransitGatewayAttachment, table: TransitGatewayRouteTable, item: TableLink
) -> Shape:
    named = {"TransitGatewayRouteTableId": table.id}
    return _show_resource(row, table) | named | {"State": item.state}


def _propagations(call: Call) -> Iterator[Part]:
    yield from propagations(call.txn.view, _asked(call))


def propagations(reader: Reader, table: TransitGatewayRouteTable) -> Iterator[Part]:
    """The API's ``TransitGatewayRouteTablePropagation`` structures of a table."""
    for row in attachments_of(reader, table.id):
        for item in row.propagations:
            if item.table == table.id:
                shape = _show_resource(row, table) | {"State": item.state}
                yield Part(row.id, row.created, shape)


def _of_attachment(call: Call) -> Iterator[Part]:
    row = joined(call, call.params["TransitGatewayAttachmentId"])
    for item in row.propagations:
        shape = {"TransitGatewayRouteTableId": item.table, "State": item.state}
        yield Part(item.table, row.created, shape)


# --- answers ------------------------------------------------------------------------------------
def show(row: TransitGatewayRouteTable, view: View) -> Shape:
    """The API's ``TransitGatewayRouteTable`` structure."""
    gateway = view.find(TransitGateway, row.gateway)
    return {
        "TransitGatewayRouteTableId": row.id,
        "TransitGatewayId": row.gateway,
        "State": row.state,
        "DefaultAssociationRouteTable": bool(gateway and gateway.association_table == row.id),
        "DefaultPropagationRouteTable": bool(gateway and gateway.propagation_table == row.id),
        "CreationTime": row.created,
        "Tags": tag_list(row),
    }


def lower(row: TransitGatewayRouteTable, lowering: Lowering) -> None:
    """A table of its gateway, with the routes that win."""
    view = lowering.view
    if row.state in ("deleting", "deleted"):
        return
    statement = statement_of(row)
    lowering.say(statement)
    for cidr, way in ways(view, row).items():
        found = view.find(TransitGatewayAttachment, way.attachment) if way.attachment else None
        target: Target = Blackhole(way.attachment or row.id)
        if found is not None and way.active and (found.of_vpc or found.peer is not None):
            target = _target(found, row.gateway)
        lowering.say(Route(table=statement, destination=cidr, target=target))


def _target(row: TransitGatewayAttachment, gateway: str) -> Target:
    """Where an attachment leads from one of its gateways."""
    if row.peer is None:
        return ViaAttachment(row.id, row.vpc)
    far = row.peer.gateway if gateway == row.gateway else row.gateway
    return ViaTransitPeering(row.id, far)


KIND = Kind(
    row=TransitGatewayRouteTable,
    actions={
        "CreateTransitGatewayRouteTable": create,
        "DeleteTransitGatewayRouteTable": delete,
        "AssociateTransitGatewayRouteTable": associate,
        "DisassociateTransitGatewayRouteTable": disassociate,
        "EnableTransitGatewayRouteTablePropagation": enable,
        "DisableTransitGatewayRouteTablePropagation": disable,
    },
    listings=(
        Listing(
            action="DescribeTransitGatewayRouteTables",
            result="TransitGatewayRouteTables",
            show=show,
            ids="TransitGatewayRouteTableIds",
        ),
        Listing(
            action="GetTransitGatewayRouteTableAssociations",
            result="Associations",
            show=show_part,
            rows=_associations,
        ),
        Listing(
            action="GetTransitGatewayRouteTablePropagations",
            result="TransitGatewayRouteTablePropagations",
            show=show_part,
            rows=_propagations,
        ),
        Listing(
            action="GetTransitGatewayAttachmentPropagations",
            result="TransitGatewayAttachmentPropagations",
            show=show_part,
            rows=_of_attachment,
        ),
    ),
    lower=lower,
    settled=settled,
    expired=expired,
)
