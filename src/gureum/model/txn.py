"""One change in the making: reads see its own writes; nobody else does until the commit.

All rules that follow from ``ref`` fields are enforced here, for every resource alike: a reference
must point at a row of the same account and region or one that is open to the account there, and a
row that others need cannot be deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from gureum.errors import ApiError
from gureum.model.resource import Resource, references
from gureum.model.view import View

R = TypeVar("R", bound=Resource)


@dataclass
class Changes:
    """Rows before and after, by id: None before means created, None after means deleted."""

    rows: dict[str, tuple[Resource | None, Resource | None]] = field(default_factory=dict)


class Txn:
    """A transaction on ``view`` by ``account`` in ``region``; ``view`` moves on with each write."""

    def __init__(self, view: View, account: str, region: str) -> None:
        self.base = view
        self.view = view
        self.account = account
        self.region = region
        self.action = ""
        """What is being done, for refusals to say: the name of an action of the API."""
        self._touched: dict[str, None] = {}

    # --- reading -------------------------------------------------------------------------------
    def get(self, cls: type[R], key: str) -> R:
        """The row, which the caller must own in this region.

        Raises:
            ApiError: the type's malformed or not-found code; ``UnauthorizedOperation`` where it
                is another account's in a VPC that both are in.
        """
        row = self.view.find(cls, key)
        if row is None or row.region != self.region:
            raise not_found(cls, key)
        if row.account == self.account:
            return row
        raise self._not_owned() if row.beside(self.view, self.account) else not_found(cls, key)

    def find(self, cls: type[R], key: str | None) -> R | None:
        """The row if it exists in this account and region, or None."""
        row = self.view.find(cls, key)
        return row if row is not None and self._mine(row) else None

    def see(self, cls: type[R], key: str) -> R:
        """The row, which the caller owns in this region, or which is open to them there.

        Raises:
            ApiError: the type's malformed or not-found code.
        """
        row = self.view.find(cls, key)
        if row is None or not self._sees(row):
            raise not_found(cls, key)
        return row

    def target(self, cls: type[R], key: str) -> R:
        """The row that a row of the caller's refers to, whoever owns it: what is in a shared
        subnet goes on when that is shared no more.

        Raises:
            ApiError: the type's not-found code.
        """
        row = self.view.find(cls, key)
        if row is None:
            raise not_found(cls, key)
        return row

    def seen(self, cls: type[R]) -> Iterator[R]:
        """All rows of the type that :meth:`see` finds, oldest first."""
        others = cls.all_open_to(self.view, self.account, self.region)
        rows = (*self.all(cls), *(row for row in others if not self._mine(row)))
        return iter(sorted(rows, key=lambda row: (row.created, row.id)))

    def all(self, cls: type[R]) -> Iterator[R]:
        """All rows of the type in this account and region, oldest first."""
        mine = (row for row in self.view.all(cls) if self._mine(row))
        return iter(sorted(mine, key=lambda row: (row.created, row.id)))

    def referrers(self, key: str, cls: type[R]) -> Iterator[R]:
        """All rows of the type that name ``key`` in a ``ref`` field, oldest first."""
        rows = self.view.referrers(key, cls)
        return iter(sorted(rows, key=lambda row: (row.created, row.id)))

    def _mine(self, row: Resource) -> bool:
        return row.account == self.account and row.region == self.region

    def _sees(self, row: Resource) -> bool:
        return self._mine(row) or (
            row.region == self.region and row.open_to(self.view, self.account)
        )

    def _may_name(self, row: Resource) -> bool:
        return self._mine(row) or (
            row.region == self.region and row.nameable_by(self.view, self.account)
        )

    def _not_owned(self) -> ApiError:
        """AWS's refusal to let somebody change what another account has in a shared VPC."""
        return ApiError(
            "UnauthorizedOperation",
            f"You are not authorized to perform {self.action} operation. A subnet in this vpc is "
            "shared but the provided object is not owned by you",
            403,
        )

    # --- writing -------------------------------------------------------------------------------
    def put(self, row: R) -> R:
        """Add or replace a row.

        Raises:
            ApiError: the not-found code of a type whose row is referred to but not there.
        """
        old = self.view.rows.get(row.id)
        known = {target for _, target, _ in references(old)} if old else set()
        for _, target, how in references(row):
            if how.on_delete != "weak" and target not in known:
                self._must_exist(target)
        self._touched[row.id] = None
        self.view = self.view.put(row)
        return row

    def delete(self, row: Resource) -> None:
        """Remove a row, and with it the rows that refer to it by ``cascade``.

        Raises:
            ApiError: ``DependencyViolation`` when a row refers to it, or to what would go with it,
                by ``restrict``.
        """
        self._delete(row, row)

    def _delete(self, row: Resource, asked: Resource) -> None:
        """Remove ``row`` on the way to removing ``asked``, which a refusal names."""
        for source in list(self.view.dependants(row.id)):
            other = self.view.rows.get(source)
            if other is None:
                continue  # went with an earlier cascade
            hows = {h.on_delete for _, target, h in references(other) if target == row.id}
            if "restrict" in hows and not other.goes_with(row.id):
                raise dependency_violation(asked)
            if hows - {"weak"}:
                self._delete(other, asked)
        self._touched[row.id] = None
        self.view = self.view.drop(row.id)

    def clear(self, keep: Callable[[Resource], bool]) -> None:
        """Remove every row of every account and region but those to ``keep``, whoever refers to
        what: the cloud begins anew."""
        for row in list(self.view.rows.values()):
            if not keep(row):
                self._touched[row.id] = None
                self.view = self.view.drop(row.id)

    def changes(self) -> Changes:
        """What this transaction would change, net."""
        rows = {}
        for key in self._touched:
            before, after = self.base.rows.get(key), self.view.rows.get(key)
            if before != after:
                rows[key] = (before, after)
        return Changes(rows)

    def _must_exist(self, key: str) -> None:
        row = self.view.rows.get(key)
        if row is not None and self._may_name(row):
            return
        prefix = key.rpartition("-")[0]
        for cls in Resource.by_kind.values():
            if cls.prefix == prefix:
                raise not_found(cls, key)
        raise ApiError("InvalidParameterValue", f"The ID '{key}' does not exist")


def not_found(cls: type[Resource], key: str) -> ApiError:
    """The error for an id that is malformed or names nothing."""
    if not well_formed(cls, key) and cls.malformed != cls.not_found:
        code = cls.malformed or f"{cls.not_found.rpartition('.')[0] or cls.not_found}.Malformed"
        return ApiError(code, f'Invalid id: "{key}" (expecting "{cls.prefix}-...")')
    return ApiError(cls.not_found, cls.missing.format(noun=cls.noun, id=key))


def dependency_violation(row: Resource) -> ApiError:
    """AWS's refusal to delete what others still need."""
    return ApiError(
        "DependencyViolation",
        f"The {row.noun} '{row.id}' has dependencies and cannot be deleted.",
    )


def well_formed(cls: type[Resource], key: str) -> bool:
    """Whether a text could be the id of a row of that type: its prefix and 8 or 17 digits."""
    prefix, dash, digits = key.rpartition("-")
    return (
        bool(dash)
        and prefix == cls.prefix
        and len(digits) in (8, 17)
        and all(c in "0123456789abcdef" for c in digits)
    )
