"""A uvicorn that sleeps while nothing happens.

uvicorn's own main loop wakes ten times a second to look whether it should end and to renew the Date
header.  An idle cloud is to cost nothing, so this one waits to be told; answers bring their Date.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from gureum.server.guard import Limits, guarded


def quiet_config(app: ASGIApp, grace: int, limits: Limits | None = None) -> uvicorn.Config:
    """How the API is served; ``grace`` is the seconds that requests have left at the end, and
    ``limits`` those of connections.

    Who a client says that it speaks for (``X-Forwarded-For``) is not believed: policies ask for
    addresses, and whoever is on this machine could claim any.
    """
    limits = limits or Limits()
    return uvicorn.Config(
        app,
        http=guarded(limits),
        h11_max_incomplete_event_size=limits.head_size,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=grace,
    )


class QuietServer(uvicorn.Server):
    """Serves until :meth:`end` is called or a signal says so; ``ending`` is told first, for answers
    that would go on for ever."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait for the end (called by uvicorn between start-up and shutdown)."""
        await self.on_tick(0)  # sets the headers that all answers have
        await self._ended.wait()

    def end(self) -> None:
        """End soon; may be called from any thread and from a signal handler."""
        self.should_exit = True
        self._ending()
        self._loop.call_soon_threadsafe(self._ended.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for the end."""
        super().handle_exit(sig, frame)
        self.end()
