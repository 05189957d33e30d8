"""Who is calling: the identity and region that a request's credentials name, and STS's answer.

In the open mode nothing is proven: any credentials will do, and a 12-digit access key id names the
account, as users of local clouds know it.
"""

from __future__ import annotations

import re

from gureum.errors import ApiError
from gureum.iam.caller import Caller, Identity, root
from gureum.kind import Shape
from gureum.resources.region import DEFAULT_REGION
from gureum.wire import Request
from gureum.wire.regions import regions

DEFAULT_ACCOUNT = "123456789012"

_ACCOUNT = re.compile(r"[0-9]{12}")

GLOBAL_REGIONS = {"aws-global": "us-east-1"}
"""What clients of global services sign for, and where it is."""


def caller(request: Request, proven: Identity | None) -> Caller:
    """Who was proven to call, or in the open mode as they claim, and in which region.

    Raises:
        ApiError: ``AuthFailure`` where the region is none.
    """
    key = request.access_key or ""
    claimed = key if _ACCOUNT.fullmatch(key) else DEFAULT_ACCOUNT
    region = request.region or DEFAULT_REGION
    region = GLOBAL_REGIONS.get(region, region)
    if region not in regions():
        raise ApiError(
            "AuthFailure", f"Credential should be scoped to a valid region, not '{region}'.", 403
        )
    return Caller(proven or root(claimed), region)


def get_caller_identity(who: Caller) -> Shape:
    """sts:GetCallerIdentity."""
    return {
        "UserId": who.identity.user_id,
        "Account": who.account,
        "Arn": who.identity.arn,
    }


def sts(request: Request, who: Caller) -> Shape:
    """Carry out a call of STS.

    Raises:
        ApiError: ``UnsupportedOperation`` for what is not built.
    """
    if request.action == "GetCallerIdentity":
        return get_caller_identity(who)
    raise unbuilt(request)


def unbuilt(request: Request) -> ApiError:
    """The refusal of an action that AWS has and Gureum has not yet."""
    return ApiError(
        "UnsupportedOperation",
        f"The action {request.action} is part of the {request.service} API but is not built in "
        "Gureum yet.",
        501,
    )
