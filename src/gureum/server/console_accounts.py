"""Accounts and their root keys, made by the user that owns the daemon for everybody else."""

from __future__ import annotations

from pathlib import Path

from gureum.iam import account
from gureum.iam.access_key import GLOBAL, AccessKey, Issued
from gureum.iam.account import Account
from gureum.iam.vault import Vault
from gureum.kind import Shape
from gureum.server.dispatch import utc_now
from gureum.server.secret_key import rotate
from gureum.store import Store


class Accounts:
    """What ``gureum account`` asks; secrets are told once, in the answer that makes them."""

    def __init__(self, store: Store, vault: Vault, state: Path | None = None) -> None:
        self._store = store
        self._vault = vault
        self._state = state

    def all(self) -> Shape:
        """The accounts in the order in which they were made."""
        view = self._store.view
        rows = sorted(view.all(Account), key=lambda row: (row.created, row.id))
        return {
            "accounts": [
                {
                    "account": row.account,
                    "name": row.name,
                    "root_keys": sorted(key.id for key in view.referrers(row.id, AccessKey)),
                }
                for row in rows
            ]
        }

    def create(self, name: str, number: str | None) -> Shape:
        """An account with a root key; of a number of its own where none is given.

        Raises:
            ApiError: see :func:`gureum.iam.account.create`.
        """
        if number is not None:
            account.check_number(number)
        with self._store.transaction(number or account.new_number(), GLOBAL) as txn:
            issued = account.create(txn, self._vault, name, utc_now())
        return _told(issued)

    def new_key(self, owner: str) -> Shape:
        """One more root key of an account, by its number or name.

        Raises:
            ApiError: ``NoSuchEntity``, ``LimitExceeded``.
        """
        with self._store.transaction(self._number(owner), GLOBAL) as txn:
            return _told(account.new_root_key(txn, self._vault, utc_now()))

    def delete_key(self, owner: str, key: str) -> Shape:
        """One root key less.

        Raises:
            ApiError: ``NoSuchEntity``.
        """
        with self._store.transaction(self._number(owner), GLOBAL) as txn:
            account.delete_root_key(txn, key)
        return {}

    def rotate(self) -> Shape:
        """Another key for all secrets in the database."""
        assert self._state is not None
        return {"sealed": rotate(self._state, self._store, self._vault)}

    def _number(self, owner: str) -> str:
        """The number of an account that may have been named."""
        named = (row.account for row in self._store.view.all(Account) if row.name == owner)
        return next(named, owner)


def _told(issued: Issued) -> Shape:
    return {
        "account": issued.row.account,
        "access_key_id": issued.row.id,
        "secret_access_key": issued.secret,
    }
