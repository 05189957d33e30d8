"""Who carries out a call: an account's root, a user, or a session of either or of a role."""

from __future__ import annotations

from dataclasses import dataclass

from gureum.iam.account import root_arn
from gureum.iam.session import Session
from gureum.identity.request import Principal

Keys = tuple[tuple[str, str], ...]
"""Condition keys and their values; a key that comes several times has several values."""


@dataclass(frozen=True)
class Identity:
    """Somebody who was proven, or whom the open mode takes at their word.

    ``user_id`` is what STS tells of them: a unique id, of a role's session with its name.
    ``owner`` is the row that has their policies, none where a key is nobody's; ``session`` what
    they act in, if their credentials end.  ``proven`` is whether the signature was checked.
    """

    account: str
    principal: Principal
    user_id: str
    access_key: str = ""
    owner: str = ""
    session: Session | None = None
    proven: bool = False

    @property
    def arn(self) -> str:
        return self.principal.arn


@dataclass(frozen=True)
class Caller:
    """Somebody, the region in which their call counts, and the condition keys that hold of it
    whatever it asks."""

    identity: Identity
    region: str
    keys: Keys = ()

    @property
    def account(self) -> str:
        return self.identity.account


def root(number: str, access_key: str = "", owner: str = "") -> Identity:
    """The root of an account."""
    return Identity(
        number, Principal(root_arn(number), number), number, access_key=access_key, owner=owner
    )
