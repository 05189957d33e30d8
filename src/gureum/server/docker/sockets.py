"""The sockets inside instances: one listener for each that runs, all on one thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from gureum.server.docker.http import Connection, Handler, Reply, Request

log = logging.getLogger(__name__)

NAME = "docker.sock"
MOST = 64
"""Connections that one instance may have open."""
_BACKLOG = 32
RATE, BURST = 100.0, 200
"""Requests a second of one instance, and how many it may send at once: each may be a change that
all accounts' changes have to wait for."""


class Sockets:
    """Listens in the folders of instances; ``handle`` answers their requests on our loop."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._next: dict[str, float] = {}
        self.loop = asyncio.new_event_loop()
        self._servers: dict[str, asyncio.Server] = {}
        self._clients: dict[str, set[asyncio.Task[None]]] = {}
        self._thread = threading.Thread(target=self._run, name="docker-api", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def stop(self) -> None:
        """End all connections and listeners."""
        self.call(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def call(self, act: Coroutine[Any, Any, Any], patience: float = 10.0) -> Any:
        """Run something on the loop, from another thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(act, self.loop).result(patience)

    async def _end(self) -> None:
        for instance in list(self._servers):
            await self._close(instance)
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def open(self, instance: str, folder: Path) -> None:
        """Listen in ``folder``, which the instance sees; again changes nothing."""
        if instance not in self._servers:
            try:
                self.call(self._open(instance, folder))
            except OSError as error:
                log.warning("%s gets no container engine: %s", instance, error)

    def close(self, instance: str) -> None:
        """Listen no more, and end what is being served."""
        if instance in self._servers:
            self.call(self._close(instance))

    async def _open(self, instance: str, folder: Path) -> None:
        if instance in self._servers:
            return
        unix = listener(folder)
        self._clients[instance] = set()
        self._servers[instance] = await asyncio.start_unix_server(
            lambda reader, writer: self._client(instance, reader, writer), sock=unix
        )

    async def _paced(self, request: Request) -> Reply:
        """Answer when the instance may ask once more (the generic cell rate algorithm)."""
        now = self.loop.time()
        due = max(self._next.get(request.instance, 0.0), now - BURST / RATE)
        self._next[request.instance] = due + 1 / RATE
        await asyncio.sleep(max(0.0, due - now))
        return await self._handle(request)

    async def _client(
        self, instance: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        clients = self._clients.get(instance)
        task = asyncio.current_task()
        if clients is None or task is None or len(clients) >= MOST:
            writer.close()
            return
        clients.add(task)
        try:
            await Connection(instance, reader, writer, self._paced).run()
        except asyncio.CancelledError:
            writer.close()
        finally:
            clients.discard(task)

    async def _close(self, instance: str) -> None:
        self._next.pop(instance, None)
        server = self._servers.pop(instance, None)
        if server is not None:
            server.close()
        for task in self._clients.pop(instance, ()):
            task.cancel()


def listener(folder: Path) -> socket.socket:
    """A listening socket in a folder, whose path may be longer than addresses may be."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    made = socket.socket(socket.AF_UNIX)
    try:
        path = f"/proc/self/fd/{fd}/{NAME}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - through the descriptor
        os.fchmod(made.fileno(), 0o600)  # unix(7): the file gets the mode of the socket
        made.bind(path)
        os.chmod(path, 0o660)  # noqa: PTH101 - through the descriptor
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    finally:
        os.close(fd)
    return made
