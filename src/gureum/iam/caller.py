"""Who carries out a call: an account's root, a user, or a session of either or of a role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

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

    def checked(self) -> Identity:
        """The same, now that the signature was checked.  Not by ``replace``, which costs every call
        as much as a hash."""
        return Identity(
            self.account,
            self.principal,
            self.user_id,
            self.access_key,
            self.owner,
            self.session,
            proven=True,
        )


@dataclass(frozen=True)
class Caller:
    """Somebody, the region in which their call counts, and what tells the condition keys that hold
    of it whatever it asks."""

    identity: Identity
    region: str
    around: Callable[[], Keys] = tuple

    @cached_property
    def keys(self) -> Keys:
        """The condition keys; made when a policy asks for one."""
        return self.around()

    @property
    def account(self) -> str:
        return self.identity.account


def root(number: str, access_key: str = "", owner: str = "") -> Identity:
    """The root of an account."""
    return Identity(
        number, Principal(root_arn(number), number), number, access_key=access_key, owner=owner
    )
