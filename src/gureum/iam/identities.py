"""From rows to those who act: whose an access key or a session is."""

from __future__ import annotations

from dataclasses import replace

from gureum.iam.access_key import AccessKey
from gureum.iam.account import Account
from gureum.iam.bearer import arn
from gureum.iam.caller import Identity, root
from gureum.iam.rows import WORDS, Role, User
from gureum.iam.session import Session
from gureum.identity.request import Principal
from gureum.model import View


def of_key(view: View, row: AccessKey) -> Identity | None:
    """Whose a key is; None where its owner is gone."""
    owner = view.rows.get(row.owner)
    if isinstance(owner, Account):
        return root(owner.account, row.id, owner.id)
    return of_user(owner, row.id) if isinstance(owner, User) else None


def of_session(view: View, session: Session, key: str) -> Identity | None:
    """Whose a session is; None where they are gone."""
    owner = view.rows.get(session.owner)
    if isinstance(owner, Role):
        return of_role(owner, session, key)
    if isinstance(owner, Account):
        return replace(root(owner.account, key, owner.id), session=session)
    return replace(of_user(owner, key), session=session) if isinstance(owner, User) else None


def of_role(row: Role, session: Session, access_key: str = "") -> Identity:
    """A session of a role."""
    word = f"arn:aws:sts::{row.account}:assumed-role/{row.name}/{session.name}"
    principal = Principal(word, row.account, arn(row, WORDS[Role]))
    return Identity(row.account, principal, f"{row.id}:{session.name}", access_key, row.id, session)


def of_user(row: User, access_key: str = "") -> Identity:
    """A user."""
    principal = Principal(arn(row, WORDS[User]), row.account)
    return Identity(row.account, principal, row.id, access_key=access_key, owner=row.id)
