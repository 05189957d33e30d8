"""An engine that only remembers: for tests of whatever drives an engine, and for dry runs."""

from __future__ import annotations

import socket
from collections.abc import Collection
from pathlib import Path

from gureum.engines import EngineError, Row, TableKind
from gureum.program import Service, Statement


class FakeEngine:
    """Holds the statements in force; ``fail_next`` makes that many calls fail half done."""

    def __init__(self) -> None:
        self.statements: frozenset[Statement] = frozenset()
        self.calls: list[tuple[str, int, int]] = []
        self.fail_next = 0
        self.closed = False

    def sync(self, wanted: Collection[Statement]) -> None:
        """See :meth:`gureum.engines.Engine.sync`."""
        self.calls.append(("sync", len(wanted), 0))
        self._fail_if_asked()
        self.statements = frozenset(wanted)

    def apply(self, add: Collection[Statement], remove: Collection[Statement]) -> None:
        """See :meth:`gureum.engines.Engine.apply`; a failing call has removed but not added."""
        self.calls.append(("apply", len(add), len(remove)))
        self.statements -= frozenset(remove)
        self._fail_if_asked()
        self.statements |= frozenset(add)

    def netns(self, host: str) -> Path:
        """A path that does not exist, one per host."""
        return Path("/run/netns") / f"fake-{host}"

    def listen(self, service: Service) -> socket.socket:
        """Nothing flows here, so nobody can be listened to."""
        raise OSError(f"there is no router {service.router}")

    def forwards(self, host: str, version: int = 4) -> bool:
        """Nothing flows here, so nobody passes anything on."""
        return False

    def tables(self, kind: TableKind, place_id: str) -> list[Row]:
        """Nothing flows here, so every table is empty."""
        return []

    def close(self) -> None:
        """Remember that it was called."""
        self.closed = True

    def _fail_if_asked(self) -> None:
        if self.fail_next > 0:
            self.fail_next -= 1
            raise EngineError(["fake: told to fail"])
