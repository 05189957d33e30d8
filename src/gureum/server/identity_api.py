"""Who is calling: the identity and region that a request's credentials name.

In an open cloud nothing is proven: a key that somebody has stands for them, a 12-digit access key
id for the account, as users of local clouds know it, and any other for the default account.
"""

from __future__ import annotations

import re

from gureum.errors import ApiError
from gureum.iam.caller import Caller, Identity, root
from gureum.resources.region import DEFAULT_REGION
from gureum.wire import Request
from gureum.wire.regions import regions

DEFAULT_ACCOUNT = "123456789012"

_ACCOUNT = re.compile(r"[0-9]{12}")

GLOBAL_REGIONS = {"aws-global": "us-east-1"}
"""What clients of global services sign for, and where it is."""


def caller(request: Request, known: Identity | None) -> Caller:
    """Who calls, in an open cloud as they claim if their key is nobody's, and in which region.

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
    return Caller(known or root(claimed), region)


def unbuilt(request: Request) -> ApiError:
    """The refusal of an action that AWS has and Gureum has not yet."""
    return ApiError(
        "UnsupportedOperation",
        f"The action {request.action} is part of the {request.service} API but is not built in "
        "Gureum yet.",
        501,
    )
