"""How often one source may ask, so that whoever asks without end takes only its own time."""

from __future__ import annotations

import asyncio

from gureum.services.callers import Source

RATE = 200.0
"""Requests a second of one source, over TCP: a packet may hold many."""

BURST = 100
"""Requests that one source may send at once."""

CONNECTIONS = 16
"""Connections that one source may have at once."""


class Pace:
    """Counts the connections and spaces the requests of each source (the generic cell rate
    algorithm: one time a source).  For one event loop."""

    def __init__(self) -> None:
        self._next: dict[Source, float] = {}
        self._open: dict[Source, int] = {}

    def enter(self, source: Source) -> bool:
        """Whether a source may have one more connection; if so it has."""
        count = self._open.get(source, 0)
        if count >= CONNECTIONS:
            return False
        self._open[source] = count + 1
        return True

    def leave(self, source: Source) -> None:
        """A source has one connection less."""
        count = self._open.pop(source) - 1
        if count:
            self._open[source] = count
        elif self._next.get(source, 0.0) <= asyncio.get_running_loop().time():
            self._next.pop(source, None)

    async def turn(self, source: Source) -> None:
        """Wait until the source may ask once more."""
        now = asyncio.get_running_loop().time()
        due = max(self._next.get(source, 0.0), now - BURST / RATE)
        self._next[source] = due + 1 / RATE
        # others have their turn in any case
        await asyncio.sleep(max(0.0, due - now))
