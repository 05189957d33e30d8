"""Work on images that takes its time: its steps are told as Docker tells them, one JSON object a
line, the last of which says what went wrong, if something did.

An instance has one such work done at a time and the cloud a few; whoever asks for more waits.  What
was begun is ended also if its client goes: it will be wanted again.

Source: moby, ``pkg/jsonmessage``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from gureum.containers import DockerError
from gureum.images import ImageError
from gureum.images.told import Line

log = logging.getLogger(__name__)

AT_ONCE = 4

_T = TypeVar("_T")
Tell = Callable[[dict[str, Any]], None]
Act = Callable[[Tell], None]


class Works:
    """The work of all instances; used on the loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="docker-images")
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def once(self, instance: str, act: Callable[[], _T]) -> _T:
        """Do something for an instance, on a thread, and wait for it."""
        async with self._turns[instance]:
            return await asyncio.get_running_loop().run_in_executor(self._pool, act)

    async def lines(self, instance: str, act: Act) -> AsyncIterator[bytes]:
        """Do something for an instance, on a thread, and tell its steps."""
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

        def tell(row: dict[str, Any] | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(steps.put_nowait, row)

        yield b""  # the head of the answer
        await self._turns[instance].acquire()
        # The turn lasts as long as the work, also where its client goes before that.
        task = asyncio.ensure_future(self._work(instance, act, tell))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        while (row := await steps.get()) is not None:
            yield json.dumps(row).encode() + b"\r\n"

    async def _work(
        self, instance: str, act: Act, tell: Callable[[dict[str, Any] | None], None]
    ) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, _do, act, tell)
        finally:
            tell(None)
            self._turns[instance].release()


def _do(act: Act, tell: Callable[[dict[str, Any] | None], None]) -> None:
    try:
        act(tell)
    except (ImageError, DockerError) as error:
        tell(_failed(str(error)))
    except Exception:
        log.exception("work on images failed")
        tell(_failed("the engine stumbled; its log says how"))


def _failed(text: str) -> dict[str, Any]:
    return {"errorDetail": {"message": text}, "error": text}


def in_dockers_words(tell: Tell, *, plain: bool = False) -> Callable[[str], None]:
    """A way to tell lines of progress; ``plain`` ones too, which Docker has no words for."""

    def progress(line: str) -> None:
        if isinstance(line, Line):
            about = {"progressDetail": {}, "id": line.layer} if line.layer else {}
            tell({"status": line.status, **about})
        elif plain:
            tell({"status": line})

    return progress
