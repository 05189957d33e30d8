"""Who asks: a service knows its caller by the router and the source address, which cannot be
forged (docs/dataplane.md)."""

from __future__ import annotations

from typing import TypeAlias

from gureum.explain.causes import interface_at
from gureum.model import View
from gureum.resources.instance import Instance

Source: TypeAlias = tuple[str, str]
"""A router and an address in it."""


def instance_at(view: View, source: Source) -> Instance | None:
    """The instance that has an address and is plugged in there."""
    eni = interface_at(view, *source)
    if eni is None or eni.host is None or eni.attachment is None:
        return None
    return view.find(Instance, eni.host) if eni.attachment.instance == eni.host else None


def caller(in_force: View, latest: View, source: Source) -> Instance | None:
    """The instance that asks, as the latest revision has it.

    An address changes its owner in the rows first and in the kernel a little later.  Between the
    two nobody is known by it: each of them would be taken for the other at one of the moments.
    """
    before, now = instance_at(in_force, source), instance_at(latest, source)
    return now if before is not None and now is not None and before.id == now.id else None
