"""Connections that take too long, or are too many from one source, are cut.

uvicorn bounds the size of a head and how long an idle connection is kept, but neither the time that
a head or a body may take nor that in which an answer must be read; a few hundred sockets that send
a byte a minute would keep everybody else out.  On the unix socket, its owner's, nothing is cut.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

Phase = Literal["head", "body", "answer"]


@dataclass(frozen=True)
class Limits:
    """Seconds that the head of a request, its body, and the reading of an answer may take at most
    (each is cut wherever it stands then), and how many connections there may be, from one source
    and in all.  ``head_size`` is in bytes."""

    head: float = 20.0
    body: float = 60.0
    answer: float = 60.0
    per_source: int = 1000
    all: int = 4000
    head_size: int = 64 << 10


@dataclass
class Door:
    """Who is connected: addresses, and how many connections each has."""

    limits: Limits
    sources: Counter[str] = field(default_factory=Counter)
    all: int = 0

    def enter(self, source: str) -> bool:
        """Count a connection in; whether there is room for it."""
        full = self.sources[source] >= self.limits.per_source
        if full or self.all >= self.limits.all:
            return False
        self.sources[source] += 1
        self.all += 1
        return True

    def leave(self, source: str) -> None:
        """Count a connection out."""
        self.sources[source] -= 1
        self.all -= 1
        if not self.sources[source]:
            del self.sources[source]


def guarded(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's protocol with these limits, for the connections of one server together."""
    door = Door(limits)

    class Guarded(_Guarded):
        """One connection."""

        _door = door

    return Guarded


class _Guarded(H11Protocol):
    _door: Door

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._source: str | None = None
        self._phase: Phase | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is None:
            return
        if not self._door.enter(self.client[0]):
            log.warning("too many connections, from %s or in all: one is cut", self.client[0])
            transport.abort()
            return
        self._source = self.client[0]
        self._now_in("head")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._source is not None and self._reader is None:
            self._reader = self._later(self._door.limits.answer, "answer")

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._reader)
        self._reader = None

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._timer)
        _cancel(self._reader)
        if self._source is not None:
            self._door.leave(self._source)
            self._source = None
        super().connection_lost(exc)

    # --- what is being waited for ---------------------------------------------------------------
    def _look(self) -> None:
        """Find out what the client owes us: the next head, or the rest of a body."""
        if self._source is None:
            return
        owes: dict[Any, Phase] = {h11.IDLE: "head", h11.SEND_BODY: "body"}
        phase = owes.get(self.conn.their_state)
        if phase != self._phase:
            self._now_in(phase)

    def _now_in(self, phase: Phase | None) -> None:
        _cancel(self._timer)
        self._timer = None
        self._phase = phase
        if phase is not None:
            limits = self._door.limits
            self._timer = self._later(limits.head if phase == "head" else limits.body, phase)

    def _later(self, seconds: float, phase: Phase) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self._cut, phase)

    def _cut(self, phase: Phase) -> None:
        log.info("%s is too slow (%s): cut", self._source, phase)
        self.transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
