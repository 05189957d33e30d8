"""What the parts of the API share: the rows, the keeper, and how to wait for what becomes of them.

The API runs on a loop of its own.  Whatever may block (a transaction, the image store, a program)
goes to a few threads; waiting for a container takes none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from gureum.containers import Container, DockerError
from gureum.containers import find as found
from gureum.errors import ApiError
from gureum.model import Txn, View
from gureum.resources.instance import Instance
from gureum.server.docker.keeper import Keeper
from gureum.store import Commit

_T = TypeVar("_T")
Listener = Callable[[Container | None, Container | None], None]
"""Called on the loop with a container's row before and after a change."""

THREADS = 8


class Core:
    """One for all instances; made on any thread, used on the loop."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="docker-api")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bells: set[asyncio.Event] = set()
        self.events: set[asyncio.Queue[dict[str, Any]]] = set()
        self.listeners: list[Listener] = []
        keeper.told.append(self._told)

    def on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ring on this loop from now on."""
        self._loop = loop

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def view(self) -> View:
        """The rows as they are now."""
        return self.keeper.rows.view

    def now(self) -> str:
        """The time as rows hold it."""
        return self.keeper.clock()

    # --- doing -----------------------------------------------------------------------------------
    async def run(self, act: Callable[[], _T]) -> _T:
        """Do something that may block."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, act)

    async def change(self, instance: str, act: Callable[[Txn, str], _T]) -> _T:
        """One transaction about an instance.

        Raises:
            DockerError: what ``act`` raises; 404, there is no such instance.
        """
        return await self.run(lambda: self.change_now(instance, act))

    def change_now(self, instance: str, act: Callable[[Txn, str], _T]) -> _T:
        """The same, on a thread that may block.

        Raises:
            DockerError: as :meth:`change`.
        """
        row = self.view.find(Instance, instance)
        if row is None:
            raise DockerError(404, f"there is no instance {instance}")
        try:
            with self.keeper.rows.transaction(row.account, row.region) as txn:
                return act(txn, self.now())
        except ApiError as error:
            raise DockerError(409, str(error)) from None

    def container(self, instance: str, text: str) -> Container:
        """The container that a client means."""
        return found.container(self.view, instance, text)

    def current(self, row: Container) -> Container | None:
        """A container as it is by now."""
        return self.view.find(Container, row.id)

    # --- waiting ---------------------------------------------------------------------------------
    def _told(self, commit: Commit) -> None:
        loop = self._loop
        pairs = commit.changes.rows.values()
        rows = [pair for pair in pairs if isinstance(pair[1] or pair[0], Container)]
        if loop is not None and rows:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._ring, rows)

    def last_exit(self, key: str) -> tuple[int, str]:
        """The exit code of a container that went as it ended, and why it did not start."""
        return self.keeper.exits.get(key, (0, ""))

    def _ring(self, rows: list[Any]) -> None:
        for bell in self._bells:
            bell.set()
        for old, new in rows:
            for listener in self.listeners:
                listener(old, new)
            for event in _events(old, new):
                self._publish(event)

    def tell(self, row: Container, action: str) -> None:
        """An event of a container that no row tells of."""
        self._publish(_event(row, action))

    def _publish(self, event: dict[str, Any]) -> None:
        for queue in self.events:
            if not queue.full():
                queue.put_nowait(event)

    async def until(self, holds: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until something holds that follows from the rows; whether it did in time."""
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await bell.wait()
                    bell.clear()
        except TimeoutError:
            return holds()
        finally:
            self._bells.discard(bell)
        return True


def _events(old: Container | None, new: Container | None) -> list[dict[str, Any]]:
    """What happened to a container, in the words of ``docker events``."""
    row = new or old
    assert row is not None
    names = []
    if old is None:
        names.append("create")
    if new is not None and new.state == "running" and (old is None or old.state != "running"):
        names.append("start")
    if old is not None and old.state == "running" and (new is None or new.state != "running"):
        names.append("die")
    if new is None:
        names.append("destroy")
    if old is not None and new is not None and old.name != new.name:
        names.append("rename")
    more = {"exitCode": str(row.exit_code)} if "die" in names else {}
    return [_event(row, name, more) for name in names]


def _event(row: Container, name: str, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    attributes = {"image": row.image, "name": row.name, **dict(row.labels), **(more or {})}
    return {
        "instance": row.instance, "Type": "container", "Action": name, "status": name,
        "id": row.id, "from": row.image, "Actor": {"ID": row.id, "Attributes": attributes},
        "scope": "local",
    }  # fmt: skip
