"""The row of a placement group, which instances refer to and show.

The actions are in :mod:`gureum.resources.placement_group`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gureum.model import Resource, Txn


@dataclass(frozen=True, kw_only=True)
class PlacementGroup(
    Resource,
    kind="placement-group",
    prefix="pg",
    not_found="InvalidPlacementGroup.Unknown",
    malformed="InvalidPlacementGroupId.Malformed",
    noun="placement group",
):
    """A placement group, by a name that is unique in the account's region.  ``partitions`` and
    ``spread`` belong to the strategies of these names."""

    name: str
    strategy: str
    partitions: int | None = None
    spread: Literal["host", "rack"] | None = None
    state: Literal["pending", "available", "deleting"] = "pending"


def named(txn: Txn, name: str) -> PlacementGroup | None:
    """The caller's group of that name, or None."""
    return next((row for row in txn.all(PlacementGroup) if row.name == name), None)
