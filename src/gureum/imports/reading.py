"""One import in progress: what readers of the lists share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from gureum.errors import ApiError
from gureum.imports.answers import Answers, Item
from gureum.imports.report import Report
from gureum.kind import Call
from gureum.model import Resource, Tags
from gureum.model.timestamps import timestamp
from gureum.model.txn import well_formed

R = TypeVar("R", bound=Resource)


class Left(Exception):  # noqa: N818 (it is a decision, not a fault)
    """An item is left out; the text says why."""


@dataclass
class Reading:
    """Rows are put into the transaction of ``call``; ``aliases`` and ``image`` name the local
    images that stand for those that are not here, one by one and all others.  ``clashes`` are ids
    that are taken, ``idle`` the interfaces of AWS's own machines."""

    call: Call
    answers: Answers
    report: Report
    image: str
    aliases: Mapping[str, str]
    clashes: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)

    def common(self, cls: type[Resource], item: Item, key: str, made: str = "") -> dict[str, Any]:
        """The fields that every row has; ``made`` names the member that tells when.

        Raises:
            Left: ids of the type are not like ``key``: they name files and links here.
        """
        if not well_formed(cls, key):
            raise Left(f"'{key}' is no id of a {cls.noun}")
        created = moment(item[made]) if made and item.get(made) else self.call.now
        return self.call.common(cls, key) | {"created": created, "tags": tags_of(item)}

    def put(self, row: R) -> R:
        """A new row; its id must be nobody's.

        Raises:
            Left: the answers tell of it twice.
        """
        if row.id in self.call.txn.base.rows:
            self.clashes.append(row.id)
        elif row.id in self.call.txn.view.rows:
            raise Left(f"{row.id} is told twice")
        return self.call.txn.put(row)

    def find(self, cls: type[R], key: str | None) -> R | None:
        """A row of this account and region, or None."""
        return self.call.txn.find(cls, key)

    @contextmanager
    def one(self, what: str, key: str) -> Iterator[None]:
        """Around the reading of one item: all of it is kept, or none and the reason is told."""
        before = self.call.txn.view
        try:
            yield
        except (Left, ApiError) as error:
            why = error.message if isinstance(error, ApiError) else str(error)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            why = f"it is not what AWS answers: {type(error).__name__} {error}"
        else:
            self.report.made[what] += 1
            return
        self.call.txn.view = before
        self.report.leave(what, key, why)


def moment(text: str) -> str:
    """A time in the form that rows hold; the CLI writes several.

    Raises:
        ValueError: it is none.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return timestamp(at)


def tags_of(item: Mapping[str, Any]) -> Tags:
    """The tags of an item."""
    found = item.get("Tags") or item.get("TagSet") or ()
    return tuple((tag["Key"], tag.get("Value", "")) for tag in found)
