"""When a key was last used, for what and where.

Source: IAM API Reference, GetAccessKeyLastUsed: the time is told to the minute.
"""

from __future__ import annotations

from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.iam.access_key import GLOBAL, AccessKey
from gureum.iam.call import Action, Call
from gureum.iam.rows import User
from gureum.kind import Shape
from gureum.model import Resource, Txn, ref

NEVER = "N/A"


@dataclass(frozen=True, kw_only=True)
class AccessKeyUse(
    Resource,
    kind="access-key-use",
    prefix="access-key-use",
    not_found="NoSuchEntity",
    noun="use of an access key",
):
    """The last use of a key: the ``service`` and the region (``where``) that a request which was
    signed with it was for, and the minute, as a timestamp."""

    key: str = ref("cascade")
    used: str
    service: str
    where: str


def use_id(key: str) -> str:
    """The id of the row of a key's last use."""
    return f"access-key-use-{key}"


def put_use(txn: Txn, key: str, used: str, service: str, where: str) -> None:
    """Store the last use of a key of the transaction's account, unless the key is gone."""
    if txn.find(AccessKey, key) is None:
        return
    txn.put(
        AccessKeyUse(
            id=use_id(key),
            account=txn.account,
            region=GLOBAL,
            created=used,
            key=key,
            used=used,
            service=service,
            where=where,
        )
    )


def last_used(call: Call) -> Shape:
    """GetAccessKeyLastUsed: of a key of the caller's account.

    Raises:
        ApiError: ``AccessDenied``, which does not tell whether there is such a key.
    """
    key: str = call.params["AccessKeyId"]
    row = call.txn.find(AccessKey, key)
    if row is None:
        raise ApiError(
            "AccessDenied",
            f"User: {call.caller.arn} is not authorized to perform: iam:GetAccessKeyLastUsed on "
            f"resource: access key {key[:128]}",
            403,
        )
    use = call.txn.find(AccessKeyUse, use_id(key))
    told: Shape = {"ServiceName": NEVER, "Region": NEVER}
    if use is not None:
        told = {"LastUsedDate": use.used, "ServiceName": use.service, "Region": use.where}
    owner = call.txn.view.find(User, row.owner)
    return {"UserName": owner.name if owner else None, "AccessKeyLastUsed": told}


ACTIONS: dict[str, Action] = {"GetAccessKeyLastUsed": last_used}
