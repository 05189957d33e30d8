"""Replacements of root volumes: the rows that tell how they went.

Sources: EC2 User Guide, "Replace the root volume for an Amazon EC2 instance without stopping it";
EC2 API Reference, ReplaceRootVolumeTask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from gureum.model import Resource, Txn, ref
from gureum.model.timestamps import age
from gureum.resources.volume import Volume

KEPT = timedelta(days=30)
"""How long a task that ended is shown (EC2 User Guide)."""


@dataclass(frozen=True, kw_only=True)
class RootReplacement(
    Resource,
    kind="replace-root-volume-task",
    prefix="replacevol",
    not_found="InvalidReplaceRootVolumeTaskId.NotFound",
    malformed="InvalidReplaceRootVolumeTaskId.Malformed",
    noun="replace root volume task",
):
    """A task: the instance starts anew, with the volume ``new`` instead of ``old`` as its root.
    ``image`` and ``snapshot`` are what the new one was asked to be made of; ``delete`` says that
    the old one goes when that is done."""

    instance: str = ref("weak")
    old: str = ref("weak")
    new: str = ref("weak")
    image: str | None = ref("weak", default=None)
    snapshot: str | None = ref("weak", default=None)
    delete: bool = False
    state: Literal["pending", "in-progress", "succeeded", "failed"] = "pending"
    ended: str | None = None


def open_tasks(txn: Txn, instance: str) -> list[RootReplacement]:
    """The tasks of an instance that have not ended."""
    return [row for row in txn.referrers(instance, RootReplacement) if row.ended is None]


def ended(txn: Txn, instance: str, now: str, *, well: bool) -> None:
    """The instance has started with its new root volume, or does not run any more."""
    for row in open_tasks(txn, instance):
        txn.put(replace(row, state="succeeded" if well else "failed", ended=now))
        old = txn.find(Volume, row.old)
        if well and row.delete and old is not None and not old.attachments:
            txn.put(replace(old, state="deleting"))


def settled(txn: Txn, row: RootReplacement, now: str) -> None:
    """The cloud knows of the new volume: the instance is on its way."""
    if row.state == "pending":
        txn.put(replace(row, state="in-progress"))


def expired(txn: Txn, row: RootReplacement, now: str) -> None:
    """Forget a task that ended a month ago."""
    if row.ended and age(row.ended, now) >= KEPT:
        txn.delete(row)
