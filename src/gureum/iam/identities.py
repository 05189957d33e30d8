"""From rows to those who act: whose an access key is."""

from __future__ import annotations

from gureum.iam.access_key import AccessKey
from gureum.iam.account import Account
from gureum.iam.bearer import arn
from gureum.iam.caller import Identity, root
from gureum.iam.rows import WORDS, User
from gureum.identity.request import Principal
from gureum.model import View


def of_key(view: View, row: AccessKey) -> Identity | None:
    """Whose a key is; None where its owner is gone."""
    owner = view.rows.get(row.owner)
    if isinstance(owner, Account):
        return root(owner.account, row.id, owner.id)
    return of_user(owner, row.id) if isinstance(owner, User) else None


def of_user(row: User, access_key: str = "") -> Identity:
    """A user."""
    principal = Principal(arn(row, WORDS[User]), row.account)
    return Identity(row.account, principal, row.id, access_key=access_key, owner=row.id)
