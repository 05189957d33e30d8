"""The actions about access keys.

Source: IAM API Reference, CreateAccessKey, UpdateAccessKey, DeleteAccessKey, ListAccessKeys.
"""

from __future__ import annotations

from dataclasses import replace

from gureum.iam.access_key import AccessKey, issue
from gureum.iam.account import Account, account_id
from gureum.iam.call import Action, Call, invalid, no_such, over_quota, page
from gureum.iam.rows import User
from gureum.iam.user import user_of
from gureum.kind import Shape

MAX_KEYS = 2


def _owner(call: Call) -> User | Account:
    """The user that is named, or else who calls: a user or the root.

    Raises:
        ApiError: ``NoSuchEntity``, ``ValidationError``.
    """
    if not call.get("UserName") and call.caller.principal.root:
        row = call.txn.find(Account, account_id(call.account))
        if row is None:
            raise invalid("Must specify userName: this account has no root keys of its own")
        return row
    return user_of(call)


def _key(call: Call) -> AccessKey:
    owner, key = _owner(call), call.params["AccessKeyId"]
    row = call.txn.find(AccessKey, key)
    if row is None or row.owner != owner.id:
        raise no_such(f"The Access Key with id {key[:128]} cannot be found.")
    return row


def create(call: Call) -> Shape:
    """CreateAccessKey: the one answer that has the secret."""
    owner = _owner(call)
    if len(list(call.txn.referrers(owner.id, AccessKey))) >= MAX_KEYS:
        raise over_quota("AccessKeysPerUser", MAX_KEYS)
    issued = issue(call.txn, call.vault, owner.id, call.now)
    shown = show(issued.row, owner) | {"SecretAccessKey": issued.secret}
    return {"AccessKey": shown}


def listed(call: Call) -> Shape:
    """ListAccessKeys."""
    owner = _owner(call)
    keys, rest = page(call, call.txn.referrers(owner.id, AccessKey), lambda row: row.id)
    return {"AccessKeyMetadata": [show(row, owner) for row in keys], **rest}


def update(call: Call) -> Shape:
    """UpdateAccessKey: switched on or off, from the next request on."""
    status = call.params["Status"]
    if status not in ("Active", "Inactive"):
        raise invalid(
            f"1 validation error detected: Value '{status}' at 'status' failed to satisfy "
            "constraint: Member must satisfy enum value set: [Active, Inactive]"
        )
    call.txn.put(replace(_key(call), status=status))
    return {}


def delete(call: Call) -> Shape:
    """DeleteAccessKey."""
    call.txn.delete(_key(call))
    return {}


def show(row: AccessKey, owner: User | Account) -> Shape:
    """The API's ``AccessKeyMetadata`` structure."""
    return {
        "UserName": owner.name if isinstance(owner, User) else None,
        "AccessKeyId": row.id,
        "Status": row.status,
        "CreateDate": row.created,
    }


ACTIONS: dict[str, Action] = {
    "CreateAccessKey": create,
    "ListAccessKeys": listed,
    "UpdateAccessKey": update,
    "DeleteAccessKey": delete,
}
