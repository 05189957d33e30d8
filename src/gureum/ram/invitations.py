"""Invitations to join a share, as the account sees them that is asked.

Sources: AWS RAM API Reference, AcceptResourceShareInvitation and its relatives; AWS RAM User Guide,
"Accepting and rejecting resource share invitations".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from gureum.errors import ApiError
from gureum.kind import Action, Call, Shape
from gureum.ram.common import check_share_arn, echoed, page, wanted
from gureum.ram.listings import show_resource
from gureum.resources.resource_share import (
    ACCEPTED,
    ASSOCIATED,
    ASSOCIATING,
    EXPIRED,
    PENDING,
    REJECTED,
    ShareAssociation,
    ShareInvitation,
    association_id,
    associations_of,
    is_late,
    turned_away,
)

_ARN = re.compile(r"arn:aws:ram:[a-z0-9-]+:[0-9]{12}:resource-share-invitation/[0-9a-f-]{36}")
_ANSWERED = {
    ACCEPTED: "ResourceShareInvitationAlreadyAcceptedException",
    REJECTED: "ResourceShareInvitationAlreadyRejectedException",
    EXPIRED: "ResourceShareInvitationExpiredException",
}


def accept(call: Call) -> Shape:
    """AcceptResourceShareInvitation: from now on the caller has what is in the share."""
    row = _pending(call)
    member = call.txn.view.find(ShareAssociation, association_id(row.share, row.receiver))
    if member is not None and member.status == ASSOCIATING:
        call.txn.put(replace(member, status=ASSOCIATED, updated=call.now))
    return _answered(call, replace(row, status=ACCEPTED))


def reject(call: Call) -> Shape:
    """RejectResourceShareInvitation."""
    row = _pending(call)
    turned_away(call.txn, row, call.now)
    return _answered(call, replace(row, status=REJECTED))


def _answered(call: Call, row: ShareInvitation) -> Shape:
    return echoed(call, {"resourceShareInvitation": show(call.txn.put(row), call.now)})


def _asked(call: Call, arn: str) -> ShareInvitation:
    """An invitation of the caller.

    Raises:
        ApiError: ``MalformedArnException``, ``ResourceShareInvitationArnNotFoundException``.
    """
    if not _ARN.fullmatch(arn):
        raise ApiError(
            "MalformedArnException",
            "The specified resource share invitation ARN is not valid. Verify the ARN and try "
            "again.",
        )
    row = call.txn.view.find(ShareInvitation, arn)
    if row is None or (row.receiver, row.region) != (call.account, call.region):
        raise ApiError(
            ShareInvitation.not_found, f"ResourceShareInvitation {arn} could not be found."
        )
    return row


def _pending(call: Call) -> ShareInvitation:
    row = _asked(call, call.params["resourceShareInvitationArn"])
    status = status_of(row, call.now)
    if status != PENDING:
        said = {ACCEPTED: "already accepted", REJECTED: "already rejected", EXPIRED: "expired"}
        raise ApiError(_ANSWERED[status], f"The invitation {row.id} is {said[status]}.")
    return row


def status_of(row: ShareInvitation, now: str) -> str:
    """The status of an invitation at a time."""
    return EXPIRED if is_late(row, now) else row.status


# --- listing ------------------------------------------------------------------------------------
def get_invitations(call: Call) -> Shape:
    """GetResourceShareInvitations: those that the caller got."""
    asked, shares = (
        wanted(call.params, member)
        for member in ("resourceShareInvitationArns", "resourceShareArns")
    )
    for arn in sorted(shares or ()):
        check_share_arn(arn)
    rows: Iterable[ShareInvitation] = (
        [_asked(call, arn) for arn in sorted(asked)]
        if asked
        else call.txn.view.referrers(call.account, ShareInvitation)
    )
    kept = (
        row for row in rows if row.region == call.region and (not shares or row.share in shares)
    )
    items = ((f"{row.created} {row.id}", show(row, call.now)) for row in kept)
    return page(call, "resourceShareInvitations", items)


def show(row: ShareInvitation, now: str) -> Shape:
    """The API's ``ResourceShareInvitation`` structure."""
    return {
        "resourceShareInvitationArn": row.id,
        "resourceShareName": row.name,
        "resourceShareArn": row.share,
        "senderAccountId": row.account,
        "receiverAccountId": row.receiver,
        "invitationTimestamp": row.created,
        "status": status_of(row, now),
    }


def pending_resources(call: Call) -> Shape:
    """ListPendingInvitationResources: what an account would have that accepts."""
    row = _pending(call)
    resources = (
        each
        for each in associations_of(call.txn.view, row.share)
        if each.resource and each.status == ASSOCIATED
    )
    scope = call.get("resourceRegionScope", "ALL")
    items = (show_resource(each) for each in resources if scope != "GLOBAL")
    return page(call, "resources", items)


ACTIONS: dict[str, Action] = {
    "AcceptResourceShareInvitation": accept,
    "RejectResourceShareInvitation": reject,
    "GetResourceShareInvitations": get_invitations,
    "ListPendingInvitationResources": pending_resources,
}
