"""The actions of RAM's API, by name.  A duplicate is an error."""

from __future__ import annotations

from gureum.kind import Action
from gureum.ram import associations, invitations, listings, permissions, shares


def _all() -> dict[str, Action]:
    found: dict[str, Action] = {}
    for room in (shares, associations, invitations, listings, permissions):
        for name, action in room.ACTIONS.items():
            if name in found:
                raise ValueError(f"two files claim the action {name}")
            found[name] = action
    return found


ACTIONS = _all()

READS = frozenset(name for name in ACTIONS if name.startswith(("Get", "List")))
"""Those that change nothing."""
