"""VPC attachments of transit gateways.

Sources: Amazon VPC Transit Gateways, "Amazon VPC attachments"; EC2 API Reference,
CreateTransitGatewayVpcAttachment and its relatives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Reader, Txn, View
from gureum.model.txn import not_found
from gureum.program import Attachment, AttachmentTable, RecordedLink, Served, TransitPeering
from gureum.program import Foot as Stand
from gureum.resources import network_interface, transit_gateway_peering
from gureum.resources.flow_log import flow_logs_about
from gureum.resources.interface_addresses import Asked
from gureum.resources.network_acl import filters_of
from gureum.resources.network_interface import AMAZON, NetworkInterface
from gureum.resources.network_interface import Attachment as Plug
from gureum.resources.route_table import table_of, table_statement
from gureum.resources.shapes import tag_list
from gureum.resources.subnet import Subnet, segment_of
from gureum.resources.transit_gateway import (
    SERVING,
    WAITING,
    Foot,
    TableLink,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
    attachments_of,
    expired,
    gateway_owner,
    incorrect,
    live,
    seen,
    show_switches,
    statement_of,
    switched,
    usable,
)
from gureum.resources.vpc import Vpc

MAX_PER_VPC = 5
"""Transit gateways per VPC (transit gateway quotas)."""

_LINKED = frozenset({"pending", *SERVING})
"""States in which the link is there, or is being made."""

_SWITCHES = (
    "DnsSupport",
    "SecurityGroupReferencingSupport",
    "Ipv6Support",
    "ApplianceModeSupport",
)
_UNASKED = ("DnsSupport", "SecurityGroupReferencingSupport")


def create(call: Call) -> Shape:
    """CreateTransitGatewayVpcAttachment: a foot in one subnet of each zone that it serves.  The
    owner of a gateway of another account has to accept it, unless the gateway does so unasked."""
    gateway = usable(call, TransitGateway, call.params["TransitGatewayId"], shared=True)
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    subnets = call.params["SubnetIds"]
    if not subnets:
        raise missing_parameter("subnetIds")
    _check_count(call, gateway, vpc)
    row = TransitGatewayAttachment(
        **call.common(TransitGatewayAttachment),
        gateway=gateway.id,
        vpc=vpc.id,
        feet=(),
        state=WAITING,
        enabled=switched(_UNASKED, _SWITCHES, call.get("Options") or {}),
    )
    if gateway.account == call.account or "AutoAcceptSharedAttachments" in gateway.enabled:
        row = _taken(row, gateway)
    row = call.created(replace(row, feet=_feet(call, row, subnets)))
    return {"TransitGatewayVpcAttachment": show_vpc(row, call.txn.view)}


def _taken(row: TransitGatewayAttachment, gateway: TransitGateway) -> TransitGatewayAttachment:
    """The attachment that its gateway's owner has, with what the gateway does unasked."""
    return replace(
        row,
        state="pending",
        association=_link(gateway.association_table, "associating"),
        propagations=tuple(filter(None, [_link(gateway.propagation_table, "enabling")])),
    )


def _link(table: str | None, state: str) -> TableLink | None:
    return TableLink(table=table, state=state) if table else None


def _check_count(call: Call, gateway: TransitGateway, vpc: Vpc) -> None:
    there = attachments_of(call.txn.view, vpc.id)
    if any(row.gateway == gateway.id for row in there):
        raise ApiError(
            "DuplicateTransitGatewayAttachment",
            f"{gateway.id} has non-deleted Transit Gateway Attachments with same VPC ID.",
        )
    if len(there) >= MAX_PER_VPC:
        raise ApiError(
            "TransitGatewayAttachmentLimitExceeded",
            f"The maximum number of transit gateway attachments of {vpc.id} has been reached.",
        )


def _feet(call: Call, row: TransitGatewayAttachment, keys: Iterable[str]) -> tuple[Foot, ...]:
    """The attachment's feet with those in further subnets, each with an interface of AWS's own.

    Raises:
        ApiError: ``InvalidSubnetID.NotFound``, ``InvalidParameterValue`` (of another VPC),
            ``DuplicateSubnetsInSameZone``.
    """
    feet = list(row.feet)
    for key in dict.fromkeys(keys):
        subnet = call.txn.get(Subnet, key)
        if subnet.vpc != row.vpc:
            raise invalid_value("SubnetIds", key, f"The subnet is not in {row.vpc}.")
        if any(foot.zone == subnet.zone for foot in feet):
            raise ApiError("DuplicateSubnetsInSameZone", "Duplicate Subnets for same AZ")
        eni = _interface(call, row, subnet)
        feet.append(Foot(subnet=subnet.id, interface=eni.id, zone=subnet.zone))
    return tuple(feet)


def _interface(call: Call, row: TransitGatewayAttachment, subnet: Subnet) -> NetworkInterface:
    eni = network_interface.create(
        call,
        subnet,
        groups=(),
        description=f"Network Interface for Transit Gateway Attachment {row.id}",
        asked=Asked(ips6=(None,) if "Ipv6Support" in row.enabled and subnet.ipv6 else ()),
        interface_type="transit_gateway",
        requester_managed=True,
        tags=(),
    )
    attachment = Plug(
        id=call.new_id("ela-attach"), owner=AMAZON, device_index=1, attach_time=call.now
    )
    return call.txn.put(replace(eni, attachment=attachment))


def _withdraw(txn: Txn, feet: Iterable[Foot]) -> None:
    """Take the interfaces of feet away."""
    for foot in feet:
        eni = txn.find(NetworkInterface, foot.interface)
        if eni:
            network_interface.delete(txn, network_interface.detach(txn, eni))


def modify(call: Call) -> Shape:
    """ModifyTransitGatewayVpcAttachment: other subnets, other options."""
    row = _of_vpc(usable(call, TransitGatewayAttachment, call.params["TransitGatewayAttachmentId"]))
    removed = set(call.get("RemoveSubnetIds", ()))
    if unknown := removed - {foot.subnet for foot in row.feet}:
        key = min(unknown)
        raise invalid_value("RemoveSubnetIds", key, f"The subnet is not one of {row.id}.")
    _withdraw(call.txn, (foot for foot in row.feet if foot.subnet in removed))
    row = replace(
        row,
        feet=tuple(foot for foot in row.feet if foot.subnet not in removed),
        enabled=switched(row.enabled, _SWITCHES, call.get("Options") or {}),
        state="modifying",
    )
    row = replace(row, feet=_feet(call, row, call.get("AddSubnetIds", ())))
    if not row.feet:
        raise ApiError("InvalidParameterValue", f"{row.id} must have at least one subnet.")
    return {"TransitGatewayVpcAttachment": show_vpc(call.txn.put(row), call.txn.view)}


def _of_vpc(row: TransitGatewayAttachment) -> TransitGatewayAttachment:
    if row.peer is not None:
        raise not_found(TransitGatewayAttachment, row.id)
    return row


def delete(call: Call) -> Shape:
    """DeleteTransitGatewayVpcAttachment: by the owner of the VPC or of the gateway; static routes
    that lead there stay, as blackholes."""
    row = _named(call)
    if row.state in ("rejecting", "rejected"):
        raise incorrect(f"{row.id} is in invalid state")
    if carried := attachments_of(call.txn.view, row.id):
        raise incorrect(f"{row.id} has non-deleted Connect Attachments: {carried[0].id}.")
    return _answer(call, replace(row, state="deleting"))


def accept(call: Call) -> Shape:
    """AcceptTransitGatewayVpcAttachment: by the owner of the gateway."""
    row, gateway = _waiting(call)
    return _answer(call, _taken(row, gateway))


def reject(call: Call) -> Shape:
    """RejectTransitGatewayVpcAttachment: by the owner of the gateway."""
    row, _ = _waiting(call)
    return _answer(call, replace(row, state="rejecting"))


def _named(call: Call) -> TransitGatewayAttachment:
    key = call.params["TransitGatewayAttachmentId"]
    return _of_vpc(live(call, TransitGatewayAttachment, key, shared=True))


def _waiting(call: Call) -> tuple[TransitGatewayAttachment, TransitGateway]:
    """The attachment that waits for the caller, and the caller's gateway.

    Raises:
        ApiError: the not-found code, ``IncorrectState``, ``OperationNotPermitted``.
    """
    row = _named(call)
    if row.state != WAITING:
        raise incorrect(f"{row.id} is in invalid state")
    gateway = call.txn.find(TransitGateway, row.gateway)
    if gateway is None:
        raise ApiError("OperationNotPermitted", f"Only the owner of {row.gateway} may do this.")
    return row, gateway


def _answer(call: Call, row: TransitGatewayAttachment) -> Shape:
    """The changed attachment; its tags are shown to who owns it."""
    shape = show_vpc(call.txn.put(row), call.txn.view)
    return {"TransitGatewayVpcAttachment": shape if row.account == call.account else shape | _BARE}


_BARE: Shape = {"Tags": []}


# --- life ---------------------------------------------------------------------------------------
_ENDING = {"deleting": "deleted", "rejecting": "rejected"}


def settled(txn: Txn, row: TransitGatewayAttachment, now: str) -> None:
    """The network has the attachment's latest state, its associations and propagations too."""
    if row.state in _ENDING:
        _withdraw(txn, row.feet)
        gone = replace(row, state=_ENDING[row.state], ended=now)
        peer = row.peer and replace(row.peer, association=None)
        txn.put(replace(gone, feet=(), association=None, propagations=(), peer=peer))
        return
    calm = replace(
        row,
        state="available" if row.state in ("pending", "modifying") else row.state,
        association=_calm(row.association),
        peer=row.peer and replace(row.peer, association=_calm(row.peer.association)),
        propagations=tuple(
            replace(each, state="enabled") for each in row.propagations if each.state != "disabling"
        ),
    )
    if calm != row:
        txn.put(calm)


def _calm(link: TableLink | None) -> TableLink | None:
    gone = link is None or link.state == "disassociating"
    return None if gone or link is None else replace(link, state="associated")


# --- answers ------------------------------------------------------------------------------------
def show_vpc(row: TransitGatewayAttachment, view: View) -> Shape:
    """The API's ``TransitGatewayVpcAttachment`` structure."""
    return {
        "TransitGatewayAttachmentId": row.id,
        "TransitGatewayId": row.gateway,
        "VpcId": row.vpc,
        "VpcOwnerId": row.account,
        "State": row.state,
        "SubnetIds": [foot.subnet for foot in row.feet],
        "CreationTime": row.created,
        "Options": show_switches(row.enabled, _SWITCHES),
        "Tags": tag_list(row),
    }


def show(row: TransitGatewayAttachment, view: View) -> Shape:
    """The API's ``TransitGatewayAttachment`` structure."""
    shape: Shape = {
        "TransitGatewayAttachmentId": row.id,
        "TransitGatewayId": row.gateway,
        "TransitGatewayOwnerId": gateway_owner(view, row),
        "ResourceOwnerId": row.peer.account if row.peer else row.account,
        **row.resource,
        "State": row.state,
        "CreationTime": row.created,
        "Tags": tag_list(row),
    }
    if row.association:
        shape["Association"] = {
            "TransitGatewayRouteTableId": row.association.table,
            "State": row.association.state,
        }
    return shape


def _of_vpcs(call: Call) -> list[TransitGatewayAttachment]:
    return [row for row in seen(call) if row.of_vpc]


def lower(row: TransitGatewayAttachment, lowering: Lowering) -> None:
    """A link between the VPC's router and the gateway, its feet, the subnets in the zones that it
    serves, and the table that routes what comes from the VPC."""
    view = lowering.view
    if row.peer is not None:
        if row.state in _LINKED:
            one, other = sorted((row.gateway, row.peer.gateway))
            lowering.say(TransitPeering(row.id, transits=(one, other)))
            _routed_by(row, row.association, lowering)
            _routed_by(row, row.peer.association, lowering)
        return
    if row.state not in _LINKED or not row.of_vpc:
        return
    feet = sorted(filter(None, (_stand(view, row, foot) for foot in row.feet)), key=_zone)
    macs = tuple((foot.zone, foot.mac) for foot in feet)
    ipv6 = "Ipv6Support" in row.enabled
    appliance = "ApplianceModeSupport" in row.enabled
    lowering.say(Attachment(row.id, row.gateway, row.vpc, macs, ipv6, appliance))
    if logs := flow_logs_about(view, row.id, row.gateway):
        whose = RecordedLink(attachment=row.id, transit=row.gateway)
        lowering.say(whose, *(log.id for log in logs))
    for foot in feet:
        lowering.say(foot, foot.segment.id)
    zones = {foot.zone for foot in feet}
    for subnet in view.referrers(row.vpc, Subnet):
        segment = segment_of(view, subnet.id) if subnet.zone in zones else None
        if segment is not None:
            served = Served(attachment=row.id, segment=segment, zone=subnet.zone)
            lowering.say(served, subnet.id)
    _routed_by(row, row.association, lowering)


def _routed_by(row: TransitGatewayAttachment, link: TableLink | None, lowering: Lowering) -> None:
    """The table that routes what comes by an attachment into one of its gateways."""
    if link is None or link.state == "disassociating":
        return
    table = lowering.view.find(TransitGatewayRouteTable, link.table)
    if table is not None:
        lowering.say(AttachmentTable(attachment=row.id, table=statement_of(table)), table.id)


def _zone(foot: Stand) -> str:
    return foot.zone


def _stand(view: Reader, row: TransitGatewayAttachment, foot: Foot) -> Stand | None:
    """A foot as a part of its subnet: routed by the subnet's table, filtered by its ACL."""
    subnet = view.find(Subnet, foot.subnet)
    eni = view.find(NetworkInterface, foot.interface)
    segment = segment_of(view, foot.subnet)
    if subnet is None or eni is None or segment is None:
        return None
    filters = filters_of(view, subnet.id)
    return Stand(
        attachment=row.id,
        zone=foot.zone,
        segment=segment,
        mac=eni.mac,
        table=table_statement(table_of(view, subnet)),
        filter_in=filters["in"] if filters else None,
        filter_out=filters["out"] if filters else None,
    )


KIND = Kind(
    row=TransitGatewayAttachment,
    actions={
        "CreateTransitGatewayVpcAttachment": create,
        "ModifyTransitGatewayVpcAttachment": modify,
        "DeleteTransitGatewayVpcAttachment": delete,
        "AcceptTransitGatewayVpcAttachment": accept,
        "RejectTransitGatewayVpcAttachment": reject,
    },
    listings=(
        Listing(
            action="DescribeTransitGatewayVpcAttachments",
            result="TransitGatewayVpcAttachments",
            show=show_vpc,
            rows=_of_vpcs,
            ids="TransitGatewayAttachmentIds",
        ),
        Listing(
            action="DescribeTransitGatewayAttachments",
            result="TransitGatewayAttachments",
            show=show,
            rows=seen,
            ids="TransitGatewayAttachmentIds",
        ),
        transit_gateway_peering.LISTING,
    ),
    lower=lower,
    settled=settled,
    expired=expired,
)
