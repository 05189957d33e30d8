"""Carries out what an API call starts and somebody asks for later, outside of the writer.

An analysis of an access scope looks at many thousands of pairs.  Its call leaves a row that says
so; one thread looks, over the network as it is then, and writes what it found into the row.  Rows
that a daemon left behind when it ended are taken up by the next.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from gureum.resources.access_scope import AccessScope, AccessScopeAnalysis
from gureum.server import access_scopes
from gureum.server.networks import Networks
from gureum.store import Commit, Store

_log = logging.getLogger(__name__)


class Analyses:
    """The thread that analyses; :meth:`start` it once the store is loaded, :meth:`stop` it before
    the store is closed."""

    def __init__(self, store: Store, networks: Networks, clock: Callable[[], str]) -> None:
        self._store, self._networks, self._clock = store, networks, clock
        self._wake = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="analyses", daemon=True)
        store.subscribe(self._note)

    def start(self) -> None:
        """Take up what is to be done, and whatever comes."""
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the analysis in hand."""
        self._over = True
        self._wake.set()
        self._thread.join()

    def _note(self, commit: Commit) -> None:
        rows = (new for _, new in commit.changes.rows.values())
        if any(isinstance(row, AccessScopeAnalysis) and not row.result for row in rows):
            self._wake.set()

    def _run(self) -> None:
        while not self._over:
            self._wake.wait()
            self._wake.clear()
            for row in iter(self._next, None):
                self._write(row, self._found(row))

    def _next(self) -> AccessScopeAnalysis | None:
        if self._over:
            return None
        rows = (row for row in self._store.view.all(AccessScopeAnalysis) if not row.result)
        return min(rows, key=lambda row: (row.created, row.id), default=None)

    def _found(self, row: AccessScopeAnalysis) -> str:
        view = self._store.view
        scope = view.find(AccessScope, row.scope)
        try:
            assert scope is not None  # a scope with analyses cannot be deleted
            with self._networks.reach(view) as reach:
                found = access_scopes.analyse(view, self._networks.at(view), reach, scope)
        except Exception:
            _log.exception("the analysis %s failed", row.id)
            found = {"failed": "The analysis failed; the daemon's log tells why."}
        return json.dumps(found, separators=(",", ":"))

    def _write(self, row: AccessScopeAnalysis, result: str) -> None:
        with self._store.transaction(row.account, row.region) as txn:
            current = txn.find(AccessScopeAnalysis, row.id)
            if current is not None:  # it may have been deleted meanwhile
                txn.put(replace(current, result=result, ended=self._clock()))
