"""Accounts: separate worlds of resources, each with a root that may do everything in its own.

An account is there as soon as somebody names it; a row makes it one that has a name and root keys.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.iam.access_key import GLOBAL, AccessKey, Issued, issue
from gureum.iam.vault import Vault
from gureum.model import Resource, Txn

_NUMBER = re.compile(r"[0-9]{12}")
_NAME = re.compile(r"[\w+=,.@ -]{1,50}")
MAX_KEYS = 2
"""Root keys of an account, as in AWS."""


@dataclass(frozen=True, kw_only=True)
class Account(Resource, kind="account", prefix="account", not_found="NoSuchEntity", noun="account"):
    """One account; its number is the row's ``account``."""

    name: str


def account_id(number: str) -> str:
    """The id of an account's row."""
    return f"account-{number}"


def root_arn(number: str) -> str:
    """The ARN of an account's root."""
    return f"arn:aws:iam::{number}:root"


def new_number() -> str:
    """The number of an account that nobody named."""
    return f"{secrets.randbelow(9 * 10**11) + 10**11}"


def check_number(number: str) -> None:
    """Raises:
    ApiError: ``ValidationError`` where an account's number is none.
    """
    if not _NUMBER.fullmatch(number):
        raise ApiError("ValidationError", f"{number[:40]!r} is no account: twelve digits are.")


def create(txn: Txn, vault: Vault, name: str, now: str) -> Issued:
    """An account of a name, and a root key for it; the transaction's account is its number.

    Raises:
        ApiError: ``ValidationError``, ``EntityAlreadyExists`` where the number or name is taken.
    """
    if not _NAME.fullmatch(name):
        raise ApiError("ValidationError", f"{name[:60]!r} is no name for an account.")
    for other in txn.view.all(Account):
        if other.name == name or other.account == txn.account:
            raise ApiError(
                "EntityAlreadyExists", f"The account {other.account} ({other.name}) exists.", 409
            )
    key = account_id(txn.account)
    txn.put(Account(id=key, account=txn.account, region=GLOBAL, created=now, name=name))
    return issue(txn, vault, key, now)


def new_root_key(txn: Txn, vault: Vault, now: str) -> Issued:
    """One more root key of the transaction's account.

    Raises:
        ApiError: ``NoSuchEntity``, ``LimitExceeded``.
    """
    row = _account(txn)
    if len(list(txn.referrers(row.id, AccessKey))) >= MAX_KEYS:
        raise ApiError(
            "LimitExceeded", f"Cannot exceed quota for AccessKeysPerUser: {MAX_KEYS}", 409
        )
    return issue(txn, vault, row.id, now)


def delete_root_key(txn: Txn, key: str) -> None:
    """Take a root key of the transaction's account away; it ends at once.

    Raises:
        ApiError: ``NoSuchEntity``.
    """
    row = txn.find(AccessKey, key)
    if row is None or row.owner != _account(txn).id:
        raise ApiError("NoSuchEntity", f"The Access Key with id {key[:40]} cannot be found.", 404)
    txn.delete(row)


def _account(txn: Txn) -> Account:
    row = txn.find(Account, account_id(txn.account))
    if row is None:
        raise ApiError("NoSuchEntity", f"There is no account {txn.account}.", 404)
    return row
