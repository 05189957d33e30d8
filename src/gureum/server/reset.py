"""Empties a cloud in one commit: for test suites that begin anew, where the daemon allows it."""

from __future__ import annotations

from gureum.model import Resource
from gureum.resources import internet_host
from gureum.resources.image import ImageAlias
from gureum.resources.image_stored import StoredImage
from gureum.store import Store

PATH = "/_gureum/reset"
"""To which clients POST."""

_ALWAYS = "9999"
"""After every time that a row can hold."""


def reset(store: Store, now: str) -> int:
    """Forget everything but what the daemon was told at its start; the revision without it.

    Networks and machines follow the commit as they follow any other.
    """
    with store.transaction(internet_host.OWNER, internet_host.PLACE) as txn:
        txn.clear(_stays)
        internet_host.provide(txn, now)
    store.forget(_ALWAYS)
    return store.view.revision


def _stays(row: Resource) -> bool:
    return isinstance(row, ImageAlias | StoredImage)
