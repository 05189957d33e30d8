"""What users, groups and roles have in common: a name within a path, and policies.

Their names are rows of their own, so that looking one up costs the same however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gureum.errors import ApiError
from gureum.iam.access_key import GLOBAL
from gureum.iam.call import Call, exists, no_such
from gureum.model import Resource, Tags, Txn, View, ref


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """Has policies: ``attached`` are ARNs of managed ones, ``inline`` names and documents."""

    name: str
    path: str = "/"
    attached: tuple[str, ...] = ref("weak", default=())
    inline: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Name(Resource, kind="iam-name", prefix="iam-name", not_found="NoSuchEntity", noun="name"):
    """A name that is taken; it goes with what it names."""

    target: str = ref("cascade")


class Named(Protocol):
    """What has a name: a row of IAM."""

    @property
    def id(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...


R = TypeVar("R", bound=Resource)


def name_id(account: str, kind: str, name: str) -> str:
    """The id of a name's row; IAM does not tell upper from lower case when names are given."""
    return f"iam-name/{account}/{kind}/{name.lower()}"


def arn(row: Named, word: str) -> str:
    """The ARN of an entity, whose ``word`` in it is ``user``, ``role``, …"""
    return f"arn:aws:iam::{row.account}:{word}{row.path}{row.name}"


def lookup(view: View, cls: type[R], account: str, name: str) -> R | None:
    """The entity of that name, or None."""
    taken = view.find(Name, name_id(account, cls.kind, name))
    row = view.find(cls, taken.target) if taken else None
    return row if row is not None and getattr(row, "name", None) == name else None


def by_name(call: Call, cls: type[R], member: str) -> R:
    """The entity that a parameter names.

    Raises:
        ApiError: ``NoSuchEntity``.
    """
    name: str = call.params[member]
    row = lookup(call.txn.view, cls, call.account, name)
    if row is None:
        raise no_such(cls.missing.format(noun=cls.noun, id=name[:128]))
    return row


def taken(cls: type[Resource], name: str) -> ApiError:
    """``EntityAlreadyExists`` in the words of a type."""
    return exists(f"{cls.noun[0].upper()}{cls.noun[1:]} with name {name} already exists.")


def claim_name(txn: Txn, row: Resource, name: str, now: str, refusal: ApiError) -> None:
    """Give a row its name.

    Raises:
        ApiError: ``refusal`` where another has it.
    """
    key = name_id(row.account, row.kind, name)
    other = txn.find(Name, key)
    if other is not None and other.target != row.id:
        raise refusal
    txn.put(Name(id=key, account=row.account, region=GLOBAL, created=now, target=row.id))


def rename(txn: Txn, row: Resource, old: str, new: str, now: str, refusal: ApiError) -> None:
    """Give a row another name.

    Raises:
        ApiError: ``refusal`` where another has it.
    """
    claim_name(txn, row, new, now, refusal)
    if old.lower() != new.lower():
        held = txn.find(Name, name_id(row.account, row.kind, old))
        assert held is not None
        txn.delete(held)


def below(call: Call, cls: type[R]) -> Iterator[R]:
    """All entities of a type in the account whose path begins with the ``PathPrefix``."""
    prefix = call.get("PathPrefix", "/")
    for row in call.txn.all(cls):
        if str(getattr(row, "path", "")).startswith(prefix):
            yield row


def show_tags(tags: Tags) -> list[dict[str, str]]:
    """Tags as answers have them."""
    return [{"Key": key, "Value": value} for key, value in tags]
