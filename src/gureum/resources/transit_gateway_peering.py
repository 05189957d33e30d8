"""Peering attachments: two transit gateways joined, of one account or two, of one region or two.

Sources: Amazon VPC Transit Gateways, "Transit gateway peering attachments" (static routes alone),
quotas; EC2 API Reference, CreateTransitGatewayPeeringAttachment and its relatives.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import View
from gureum.model.txn import not_found
from gureum.resources.shapes import tag_list
from gureum.resources.transit_gateway import (
    OVER,
    SERVING,
    Peer,
    TableLink,
    TransitGateway,
    TransitGatewayAttachment,
    attachments_of,
    incorrect,
    joined,
    seen,
    usable,
)

MAX_PER_GATEWAY = 50
"""Peering attachments per transit gateway (transit gateway quotas)."""

_TOLD = {
    "initiatingRequest": "Initiating Request to {far}",
    "pendingAcceptance": "Pending Acceptance by {far}",
    "failed": "Failed due to incorrect Transit Gateway ID, Account ID, or Region",
}


def create(call: Call) -> Shape:
    """CreateTransitGatewayPeeringAttachment: a request that the owner of the other gateway has to
    accept.  A peer that is not there leaves a failed one, for nobody can tell beforehand."""
    gateway = usable(call, TransitGateway, call.params["TransitGatewayId"])
    key, account = call.params["PeerTransitGatewayId"], call.params["PeerAccountId"]
    region = call.params["PeerRegion"]
    if key == gateway.id:
        raise ApiError("InvalidParameterValue", "A transit gateway cannot be peered with itself.")
    _check_count(call, gateway.id, key)
    found = call.txn.view.find(TransitGateway, key)
    there = found is not None and (found.account, found.region) == (account, region)
    failed = found is None or not there or found.state not in SERVING
    options = call.get("Options") or {}
    peer = Peer(
        gateway=key,
        account=account,
        region=region,
        dynamic=options.get("DynamicRouting"),
        multipath=(_multipath((False, None), options), (False, None)),
    )
    row = TransitGatewayAttachment(
        **call.common(TransitGatewayAttachment),
        gateway=gateway.id,
        vpc="",
        feet=(),
        state="failed" if failed else "pendingAcceptance",
        peer=peer,
        ended=call.now if failed else None,
    )
    call.created(row)
    # what AWS answers before it has asked the other side
    return _answer(call, row if failed else replace(row, state="initiatingRequest"))


def _check_count(call: Call, gateway: str, peer: str) -> None:
    there = [row for row in attachments_of(call.txn.view, gateway) if row.peer]
    if any(row.is_at(peer) for row in there):
        raise ApiError(
            "DuplicateTransitGatewayAttachment",
            f"{gateway} has non-deleted Transit Gateway Attachments with same peer {peer}.",
        )
    if len(there) >= MAX_PER_GATEWAY:
        raise ApiError(
            "TransitGatewayAttachmentLimitExceeded",
            f"The maximum number of peering attachments of {gateway} has been reached.",
        )


def _multipath(before: tuple[bool, str | None], options: dict[str, Any]) -> tuple[bool, str | None]:
    allowed, mode = before
    return (
        options.get("AllowMultipathResilience", allowed),
        options.get("MultipathResilienceMode", mode),
    )


def accept(call: Call) -> Shape:
    """AcceptTransitGatewayPeeringAttachment: by the owner of the peer, in its region.  At both ends
    the default table is associated, where there is one."""
    row, peer = _pending(call)
    row = replace(
        row,
        state="pending",
        association=_default(call, row.gateway),
        peer=replace(peer, association=_default(call, peer.gateway)),
    )
    return _answer(call, call.txn.put(row))


def _default(call: Call, gateway: str) -> TableLink | None:
    found = call.txn.view.find(TransitGateway, gateway)
    table = found.association_table if found else None
    return TableLink(table=table, state="associating") if table else None


def reject(call: Call) -> Shape:
    """RejectTransitGatewayPeeringAttachment: by the owner of the peer."""
    row, _ = _pending(call)
    return _answer(call, call.txn.put(replace(row, state="rejected", ended=call.now)))


def _pending(call: Call) -> tuple[TransitGatewayAttachment, Peer]:
    """The request that a call answers, and the end that is the caller's.

    Raises:
        ApiError: the not-found code, ``OperationNotPermitted``, ``IncorrectState``.
    """
    row, peer = _asked(call)
    if (peer.account, peer.region) != (call.account, call.region):
        raise ApiError(
            "OperationNotPermitted",
            f"{row.id} can be answered only by the owner of {peer.gateway} in {peer.region}.",
        )
    if row.state != "pendingAcceptance":
        raise incorrect(f"{row.id} is in invalid state")
    return row, peer


def _asked(call: Call) -> tuple[TransitGatewayAttachment, Peer]:
    row = joined(call, call.params["TransitGatewayAttachmentId"])
    if row.peer is None:
        raise not_found(TransitGatewayAttachment, row.id)
    return row, row.peer


def modify(call: Call) -> Shape:
    """ModifyTransitGatewayPeeringAttachment: each owner the options of its own end."""
    row, peer = _asked(call)
    if row.state not in SERVING:
        raise incorrect(f"{row.id} is in invalid state")
    one, other = peer.multipath
    options = call.get("Options") or {}
    if (row.account, row.region) == (call.account, call.region):
        one = _multipath(one, options)
    else:
        other = _multipath(other, options)
    row = replace(row, state="modifying", peer=replace(peer, multipath=(one, other)))
    return _answer(call, call.txn.put(row))


def delete(call: Call) -> Shape:
    """DeleteTransitGatewayPeeringAttachment: by either owner.  Static routes that lead there stay,
    as blackholes."""
    row, _ = _asked(call)
    if row.state in OVER:
        raise incorrect(f"{row.id} is in invalid state")
    return _answer(call, call.txn.put(replace(row, state="deleting")))


# --- answers ------------------------------------------------------------------------------------
def _answer(call: Call, row: TransitGatewayAttachment) -> Shape:
    return {"TransitGatewayPeeringAttachment": show(row, call.txn.view)}


def show(row: TransitGatewayAttachment, view: View) -> Shape:
    """The API's ``TransitGatewayPeeringAttachment`` structure."""
    peer = row.peer
    assert peer is not None
    told = _TOLD.get(row.state, row.state.capitalize()).format(far=peer.account)
    options: Shape = {"DynamicRouting": peer.dynamic} if peer.dynamic else {}
    for name, (allowed, mode) in zip(("Requester", "Accepter"), peer.multipath, strict=True):
        if allowed or mode:
            options[f"{name}AllowMultipathResilience"] = allowed
        if mode:
            options[f"{name}MultipathResilienceMode"] = mode
    shape: Shape = {"Options": options} if options else {}
    return shape | {
        "TransitGatewayAttachmentId": row.id,
        "RequesterTgwInfo": {
            "TransitGatewayId": row.gateway,
            "OwnerId": row.account,
            "Region": row.region,
        },
        "AccepterTgwInfo": {
            "TransitGatewayId": peer.gateway,
            "OwnerId": peer.account,
            "Region": peer.region,
        },
        "Status": {"Code": row.state, "Message": told},
        "State": row.state,
        "CreationTime": row.created,
        "Tags": tag_list(row),
    }


def _gateways(row: TransitGatewayAttachment, view: View) -> tuple[str, ...]:
    return (row.gateway, row.peer.gateway) if row.peer else ()


def _listed(call: Call) -> list[TransitGatewayAttachment]:
    return [row for row in seen(call) if row.peer]


LISTING: Listing[TransitGatewayAttachment] = Listing(
    action="DescribeTransitGatewayPeeringAttachments",
    result="TransitGatewayPeeringAttachments",
    show=show,
    ids="TransitGatewayAttachmentIds",
    rows=_listed,
    paths={
        "local-owner-id": "RequesterTgwInfo.OwnerId",
        "remote-owner-id": "AccepterTgwInfo.OwnerId",
    },
    computed={"transit-gateway-id": _gateways},
)
"""One of the listings of attachments."""

KIND: Kind[TransitGatewayAttachment] = Kind(
    row=None,
    actions={
        "CreateTransitGatewayPeeringAttachment": create,
        "AcceptTransitGatewayPeeringAttachment": accept,
        "RejectTransitGatewayPeeringAttachment": reject,
        "ModifyTransitGatewayPeeringAttachment": modify,
        "DeleteTransitGatewayPeeringAttachment": delete,
    },
)
