"""What the actions of RAM have in common: finding shares, refusing, pages.

Sources: AWS RAM API Reference; the messages as clients report them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gureum.errors import ApiError
from gureum.kind import Call, Params, Shape
from gureum.resources.resource_share import DELETED, ResourceShare
from gureum.wire.pages import paginate

MOST = 500
"""Items of a page (AWS RAM API Reference, ``maxResults``)."""

_SHARE = re.compile(r"arn:aws:ram:[a-z0-9-]+:[0-9]{12}:resource-share/[0-9a-f-]{36}")

Item = tuple[str, Shape | str]
"""What is listed, and what tells it from the others and orders it."""


def unknown(what: str) -> ApiError:
    """``UnknownResourceException``, in AWS's words."""
    return ApiError("UnknownResourceException", f"{what} could not be found.")


def invalid(message: str) -> ApiError:
    """``InvalidParameterException``."""
    return ApiError("InvalidParameterException", message)


def not_permitted(message: str) -> ApiError:
    """``OperationNotPermittedException``."""
    return ApiError("OperationNotPermittedException", message)


def check_share_arn(arn: str) -> None:
    """Raises:
    ApiError: ``MalformedArnException``.
    """
    if not _SHARE.fullmatch(arn):
        raise ApiError(
            "MalformedArnException",
            "The specified resource share ARN is not valid. Verify the ARN and try again.",
        )


def asked_share(call: Call) -> ResourceShare:
    """The share that a call names, whoever owns it.

    Raises:
        ApiError: ``MalformedArnException``, ``UnknownResourceException``.
    """
    arn: str = call.params["resourceShareArn"]
    check_share_arn(arn)
    row = call.txn.view.find(ResourceShare, arn)
    if row is None or row.status == DELETED or row.region != call.region:
        raise unknown(f"ResourceShare {arn}")
    return row


def own_share(call: Call) -> ResourceShare:
    """The share that a call names, which must be the caller's.

    Raises:
        ApiError: as :func:`asked_share`; of others' shares nothing is told.
    """
    row = asked_share(call)
    if row.account != call.account:
        raise unknown(f"ResourceShare {row.id}")
    return row


def page(call: Call, member: str, items: Iterable[Item]) -> Shape:
    """One page of items under the name of a member.

    Raises:
        ApiError: ``InvalidNextTokenException``, ``InvalidParameterException`` (of invitations
            ``InvalidMaxResultsException``).
    """
    most = call.get("maxResults", MOST)
    if not 1 <= most <= MOST:
        code = "InvalidParameterException"
        if call.action == "GetResourceShareInvitations":
            code = "InvalidMaxResultsException"
        raise ApiError(code, f"maxResults must be between 1 and {MOST}.")
    scope = f"{call.account}/{call.region}/{call.action}"
    try:
        found, token = paginate(
            items,
            lambda item: (item[0],),
            max_results=most,
            next_token=call.get("nextToken"),
            scope=scope,
        )
    except ApiError:
        raise ApiError(
            "InvalidNextTokenException", "The specified value for nextToken is not valid."
        ) from None
    answer: Shape = {member: [shape for _, shape in found]}
    return answer | ({"nextToken": token} if token else {})


def echoed(call: Call, answer: Shape) -> Shape:
    """The answer with the client token that the call has, if any."""
    token = call.get("clientToken")
    return answer | ({"clientToken": token} if token else {})


def wanted(params: Params, member: str) -> frozenset[str] | None:
    """The values of a list that narrows a listing; None where all are wanted."""
    values = params.get(member)
    return frozenset(values) if values else None
