"""Access keys: of a user, or of an account's root.

Source: IAM API Reference, "AccessKey"; IAM User Guide, "IAM identifiers".
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import Literal

from gureum.iam.vault import Vault
from gureum.model import Resource, Txn, ref

Status = Literal["Active", "Inactive"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SECRET_BYTES = 30
"""Random bytes of a secret: 40 characters of base64, as AWS's."""

GLOBAL = "aws-global"
"""Where rows of IAM are: it has no regions."""


@dataclass(frozen=True, kw_only=True)
class AccessKey(
    Resource, kind="access-key", prefix="AKIA", not_found="NoSuchEntity", noun="Access Key"
):
    """One key: its id is the row's; ``owner`` is the row of a user or account; ``sealed`` the
    secret as the vault keeps it."""

    owner: str = ref("cascade")
    sealed: str = field(repr=False)
    status: Status = "Active"


@dataclass(frozen=True)
class Issued:
    """A new key and its secret, which is told this once."""

    row: AccessKey
    secret: str = field(repr=False)


def unique_id(prefix: str, length: int = 21) -> str:
    """A fresh unique id of IAM: four letters that tell the kind, then letters and digits."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length - len(prefix)))


_NUMBER_AT = 7
"""How many bits of the first six bytes of an id are below the account's number."""


def key_id(account: str, prefix: str = "AKIA") -> str:
    """A fresh id of an access key: ``AKIA`` of one that stays, ``ASIA`` of one that expires.  It
    tells the account to who knows where to look, as AWS's do (:func:`account_of`)."""
    head = 1 << 47 | int(account) << _NUMBER_AT | secrets.randbits(_NUMBER_AT)
    content = head.to_bytes(6, "big") + secrets.token_bytes(4)
    return prefix + base64.b32encode(content).decode()


def account_of(key: str) -> str | None:
    """The account in the id of an access key; None where it holds none."""
    try:
        content = base64.b32decode(key[4:20])
    except binascii.Error:
        return None
    number = (int.from_bytes(content[:6], "big") & ~(1 << 47)) >> _NUMBER_AT
    return f"{number:012}" if len(content) == 10 and number < 10**12 else None


def issue(txn: Txn, vault: Vault, owner: str, now: str) -> Issued:
    """A new active key of ``owner``, a row of the transaction's account."""
    key = key_id(txn.account)
    secret = secrets.token_urlsafe(_SECRET_BYTES).replace("-", "+").replace("_", "/")
    row = AccessKey(
        id=key,
        account=txn.account,
        region=GLOBAL,
        created=now,
        owner=owner,
        sealed=vault.seal(secret, key),
    )
    return Issued(txn.put(row), secret)
