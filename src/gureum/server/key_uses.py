"""Keeps when access keys are used: in memory at once, in the store once a minute and when asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from gureum.iam.access_key import GLOBAL
from gureum.iam.access_key_use import put_use
from gureum.iam.caller import Caller
from gureum.store import Store

ASKS = "GetAccessKeyLastUsed"
"""The action that asks for what is kept."""


@dataclass(frozen=True)
class _Use:
    account: str
    minute: str
    service: str
    region: str


@dataclass(frozen=True)
class KeyUses:
    """The last uses of keys.  A key costs one commit a minute while it is used, however many calls
    it signs; what was not stored yet is lost if the daemon is killed."""

    store: Store
    clock: Callable[[], str]
    _stored: dict[str, str] = field(default_factory=dict)
    """The minute of the last use that was stored of each key."""
    _last: dict[str, _Use] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def note(self, who: Caller, service: str, action: str) -> None:
        """A request was signed with somebody's key, which was checked.  Those of sessions end by
        themselves, and nobody asks for their uses."""
        identity = who.identity
        if identity.proven and identity.session is None:
            minute = f"{self.clock()[:16]}:00.000Z"
            with self._lock:
                self._last[identity.access_key] = _Use(
                    identity.account, minute, service, who.region
                )
                if self._stored.get(identity.access_key) != minute:
                    self._store(identity.access_key)
        if service == "iam" and action == ASKS:
            with self._lock:
                mine = [k for k, use in self._last.items() if use.account == identity.account]
                for key in mine:  # the others' keys are not the asker's to store
                    self._store(key)

    def _store(self, key: str) -> None:
        use = self._last.pop(key)
        with self.store.transaction(use.account, GLOBAL) as txn:
            put_use(txn, key, use.minute, use.service, use.region)
        self._stored[key] = use.minute
