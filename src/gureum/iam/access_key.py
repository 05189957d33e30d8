"""Access keys: of a user, or of an account's root.

Source: IAM API Reference, "AccessKey"; IAM User Guide, "IAM identifiers".
"""

from __future__ import annotations

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


def key_id(prefix: str = "AKIA") -> str:
    """A fresh id of an access key: ``AKIA`` of one that stays, ``ASIA`` of one that expires."""
    return unique_id(prefix, 20)


def issue(txn: Txn, vault: Vault, owner: str, now: str) -> Issued:
    """A new active key of ``owner``, a row of the transaction's account."""
    key = key_id()
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
