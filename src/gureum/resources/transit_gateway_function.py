"""Network function attachments of transit gateways: endpoint services of Gateway Load Balancers.

They are records: packets that are routed there end, as nobody is behind a service here.

Source: EC2 API Reference, CreateTransitGatewayNetworkFunctionAttachment and its relatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.model.txn import not_found
from gureum.resources.endpoint_service import Service, asked_service
from gureum.resources.region import zone_id, zones
from gureum.resources.shapes import tag_list
from gureum.resources.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    attachments_of,
    incorrect,
    live,
    usable,
)

FUNCTION = "network-function"


def create(call: Call) -> Shape:
    """CreateTransitGatewayNetworkFunctionAttachment: one for a gateway and a service.

    Raises:
        ApiError: the not-found codes, ``InvalidServiceName``, ``InvalidParameter`` (of another
            type), ``DuplicateTransitGatewayAttachment``, ``MissingParameter`` and
            ``InvalidParameterValue`` (zones).
    """
    gateway = usable(call, TransitGateway, call.params["TransitGatewayId"])
    service = asked_service(call, call.params["ServiceName"], "GatewayLoadBalancer")
    for row in attachments_of(call.txn.view, gateway.id):
        if row.service == service.name:
            raise ApiError(
                "DuplicateTransitGatewayAttachment",
                f"{gateway.id} has a non-deleted Transit Gateway Attachment of {service.name}.",
            )
    names = _zones(call, "AvailabilityZones", "AvailabilityZoneIds")
    if not names:
        raise missing_parameter("availabilityZones")
    _check_served(service, names)
    row = call.created(
        TransitGatewayAttachment(
            **call.common(TransitGatewayAttachment),
            gateway=gateway.id,
            vpc="",
            type=FUNCTION,
            other=service.id,
            service=service.name,
            zones=names,
            feet=(),
            state="pendingAcceptance" if service.acceptance else "pending",
        )
    )
    return {"TransitGatewayNetworkFunctionAttachment": show(row, call.txn.view)}


def _zones(call: Call, by_name: str, by_id: str) -> tuple[str, ...]:
    """The names of the zones that a call gives by name or by id."""
    known = {name: zone for zone in zones(call.region) for name in (zone, zone_id(zone))}
    found = []
    if call.get(by_name) and call.get(by_id):
        raise invalid_combination(f"Only one of {by_name} and {by_id} may be specified.")
    for text in (*(call.get(by_name) or ()), *(call.get(by_id) or ())):
        if text not in known:
            raise invalid_value("availabilityZones", text)
        found.append(known[text])
    return tuple(sorted(set(found)))


def _check_served(service: Service, names: Iterable[str]) -> None:
    for name in names:
        if name not in service.zones:
            raise invalid_value("availabilityZones", name, f"{service.name} is not there.")


def modify(call: Call) -> Shape:
    """ModifyTransitGatewayNetworkFunctionAttachment: zones come and go, one stays at least."""
    row = _function(call)
    if row.state != "available":
        raise incorrect(f"{row.id} is in invalid state")
    added = set(_zones(call, "AddAvailabilityZones", "AddAvailabilityZoneIds"))
    gone = set(_zones(call, "RemoveAvailabilityZones", "RemoveAvailabilityZoneIds"))
    if not added | gone:
        raise missing_parameter("addAvailabilityZones")
    if added & gone:
        raise invalid_combination("A zone cannot be both added and removed.")
    if unknown := gone - set(row.zones):
        raise invalid_value("removeAvailabilityZones", min(unknown))
    _check_served(asked_service(call, row.service, "GatewayLoadBalancer"), sorted(added))
    kept = tuple(sorted(set(row.zones) - gone | added))
    if not kept:
        raise invalid_value("removeAvailabilityZones", min(gone), "One zone has to stay.")
    row = call.txn.put(replace(row, zones=kept, state="modifying"))
    return {"TransitGatewayNetworkFunctionAttachment": show(row, call.txn.view)}


def delete(call: Call) -> Shape:
    """DeleteTransitGatewayNetworkFunctionAttachment."""
    row = _function(call)
    if row.state not in ("available", "pendingAcceptance"):
        raise incorrect(f"{row.id} is in invalid state")
    row = call.txn.put(replace(row, state="deleting"))
    return {"TransitGatewayNetworkFunctionAttachment": show(row, call.txn.view)}


def _function(call: Call) -> TransitGatewayAttachment:
    row = live(call, TransitGatewayAttachment, call.params["TransitGatewayAttachmentId"])
    if row.type != FUNCTION:
        raise not_found(TransitGatewayAttachment, row.id)
    return row


def show(row: TransitGatewayAttachment, view: View) -> Shape:
    """The API's ``TransitGatewayNetworkFunctionAttachment`` structure."""
    return {
        "TransitGatewayAttachmentId": row.id,
        "TransitGatewayId": row.gateway,
        "TransitGatewayOwnerId": row.account,
        "ResourceOwnerId": row.account,
        "ResourceId": row.other,
        "AvailabilityZones": list(row.zones),
        "AvailabilityZoneIds": [zone_id(each) for each in row.zones],
        "State": row.state,
        "CreationTime": row.created,
        "Tags": tag_list(row),
    }


def _functions(call: Call) -> Iterator[TransitGatewayAttachment]:
    return (row for row in call.txn.all(TransitGatewayAttachment) if row.type == FUNCTION)


KIND: Kind[TransitGatewayAttachment] = Kind(
    row=None,
    actions={
        "CreateTransitGatewayNetworkFunctionAttachment": create,
        "ModifyTransitGatewayNetworkFunctionAttachment": modify,
        "DeleteTransitGatewayNetworkFunctionAttachment": delete,
    },
    listings=(
        Listing(
            action="DescribeTransitGatewayNetworkFunctionAttachments",
            result="TransitGatewayNetworkFunctionAttachments",
            show=show,
            ids="TransitGatewayAttachmentIds",
            rows=_functions,
            row=TransitGatewayAttachment,
            computed={"service-name": lambda row, view: (row.service,)},
        ),
    ),
)
