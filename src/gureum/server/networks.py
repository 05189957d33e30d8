"""The abstract network for questions: compiled as the commits come, arranged once a revision."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from gureum.compile import Compiler, compile_all
from gureum.explain import Network
from gureum.explain.network import Forwards
from gureum.model import View
from gureum.program import Statement
from gureum.reach import Dual
from gureum.reconcile import merge
from gureum.resources import Registry
from gureum.store import Commit, Store

FOLLOWED = 1000
"""Commits that wait for the next question.  If there are more, nobody asks: the question that comes
after all compiles anew."""


class Networks:
    """Networks of a store's revisions.  ``forwards`` tells which instances pass packets on, and
    raises ``LookupError`` for one that is not there yet."""

    def __init__(self, store: Store, registry: Registry, forwards: Forwards) -> None:
        self._registry = registry
        self._forwards = forwards
        self._compiler = Compiler(registry)
        self._asking = threading.Lock()
        self._counting = threading.Lock()  # the writer never waits for a compilation
        self._waiting: list[Commit] = []
        self._follows = False
        self._known: tuple[int, Network] | None = None
        self._reaching = threading.Lock()
        self._reached: tuple[int, frozenset[Statement]] = (-1, frozenset())
        self._reach = Dual()
        store.subscribe(self._note)

    def _note(self, commit: Commit) -> None:
        with self._counting:
            if self._follows:
                self._waiting.append(commit)
            if len(self._waiting) > FOLLOWED:
                self._waiting.clear()
                self._follows = False

    def statements(self, view: View) -> frozenset[Statement]:
        """The statements of a revision."""
        with self._asking:
            return frozenset(self._statements(view))

    def at(self, view: View) -> Network:
        """The network of a revision, with the instances that pass packets on now."""
        with self._asking:
            known = self._known
            if known is None or known[0] != view.revision:
                known = self._known = (view.revision, Network(self._statements(view)))
        known[1].look_at_forwarders(self._passes_on)
        return known[1]

    @contextmanager
    def reach(self, view: View) -> Iterator[Dual]:
        """The reachability of a revision in both IP versions, for one at a time: what has changed
        since the last question is followed."""
        with self._reaching:
            revision, known = self._reached
            if view.revision != revision:
                now = self.statements(view)
                self._reach.update(now - known, known - now)
                self._reached = (view.revision, now)
            yield self._reach

    def _statements(self, view: View) -> Collection[Statement]:
        with self._counting:
            follows, self._follows = self._follows, True
            past = [each for each in self._waiting if each.view.revision <= view.revision]
            del self._waiting[: len(past)]
        # A view is seen before its commit is told: what was loaded with it comes once more.
        batch = [each for each in past if each.view.revision > self._compiler.revision]
        if follows and self._compiler.revision > view.revision:
            # Somebody asked about a later one meanwhile, and there is no way back.
            return compile_all(self._registry, view).statements
        revisions = [each.view.revision for each in batch]
        gapless = list(range(self._compiler.revision + 1, view.revision + 1))
        if not follows or revisions != gapless:
            self._compiler.load(view)
        elif batch:
            self._compiler.update(view, merge(batch))
        return self._compiler.statements()

    def _passes_on(self, host: str, version: int) -> bool:
        try:
            return self._forwards(host, version)
        except LookupError:
            return False
