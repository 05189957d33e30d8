"""Who is calling: the account and region that a request's credentials name, and STS's answer.

In this open mode nothing is proven: any credentials will do, and a 12-digit access key id names the
account, as users of local clouds know it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.kind import Shape
from gureum.resources.region import DEFAULT_REGION
from gureum.wire import Request
from gureum.wire.regions import regions

DEFAULT_ACCOUNT = "123456789012"

_ACCOUNT = re.compile(r"[0-9]{12}")

GLOBAL_REGIONS = {"aws-global": "us-east-1"}
"""What clients of global services sign for, and where it is."""


@dataclass(frozen=True)
class Caller:
    """The account and region of a call."""

    account: str
    region: str


def caller(request: Request) -> Caller:
    """The caller as its signature claims.

    Raises:
        ApiError: ``AuthFailure`` where the region is none.
    """
    key = request.access_key or ""
    account = key if _ACCOUNT.fullmatch(key) else DEFAULT_ACCOUNT
    region = request.region or DEFAULT_REGION
    region = GLOBAL_REGIONS.get(region, region)
    if region not in regions():
        raise ApiError(
            "AuthFailure", f"Credential should be scoped to a valid region, not '{region}'.", 403
        )
    return Caller(account, region)


def get_caller_identity(who: Caller) -> Shape:
    """sts:GetCallerIdentity: the account's root user, the only identity there is yet."""
    return {
        "UserId": who.account,
        "Account": who.account,
        "Arn": f"arn:aws:iam::{who.account}:root",
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
