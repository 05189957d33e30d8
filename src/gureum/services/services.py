"""The sockets of all services, and the one thread that answers on them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import threading
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from gureum.engines import Engine
from gureum.iam.instance_role import InstanceRoles
from gureum.model import View
from gureum.program import Service
from gureum.services.callers import Source, caller
from gureum.services.conversations import PATIENCE, speak_dns, speak_http
from gureum.services.dns import MAX_QUESTION, answer
from gureum.services.dns64 import look_up_for
from gureum.services.imds import Metadata, Request, Response
from gureum.services.names import zone
from gureum.services.pace import Pace
from gureum.services.tokens import Tokens

log = logging.getLogger(__name__)

TOGETHER = 32
"""Datagrams that are answered before other sockets have their turn."""

_PATIENCE = 10.0
"""Seconds that the thread has to do what it is told."""

_T = TypeVar("_T")


@dataclass
class _Open:
    """A service that is answered: its socket, the namespace that the socket is in, and the
    connections that clients have with it."""

    socket: socket.socket
    inode: int
    server: asyncio.Server | None = None
    clients: set[asyncio.StreamWriter] = field(default_factory=set)


class Services:
    """Answers questions about names and metadata; see :class:`~gureum.services.room.ServiceRoom`.

    ``engine`` opens the sockets, ``latest`` gives the latest revision, ``roles``
    the credentials of instances' roles.
    """

    def __init__(
        self, engine: Engine, latest: Callable[[], View], roles: InstanceRoles | None = None
    ) -> None:
        self._engine = engine
        self._latest = latest
        self._in_force = latest()
        self._metadata = Metadata(Tokens(time.monotonic), roles)
        self._pace = Pace()
        self._open: dict[Service, _Open] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="services", daemon=True)
        self._thread.start()

    # --- what is answered ----------------------------------------------------------------------
    def sync(self, wanted: Collection[Service], view: View) -> None:
        """Answer exactly ``wanted``; a socket whose router was made anew is opened anew."""
        keep = set(wanted)
        self.close([each for each, it in self._open.items()
                    if each not in keep or it.inode != self._inode(each)])  # fmt: skip
        self.change(keep, view)

    def change(self, add: Collection[Service], view: View) -> None:
        """Answer these, too."""
        self._in_force = view
        failed: OSError | None = None
        for service in sorted(set(add) - self._open.keys(), key=repr):
            try:
                made = _Open(self._engine.listen(service), self._inode(service))
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT:  # a kernel without IPv6 has nobody who asks
                    continue
                log.warning("%s cannot be answered: %s", service, error)
                failed = failed or error
                continue
            self._do(self._begin(service, made))
        if failed is not None:
            raise failed

    def close(self, removed: Collection[Service]) -> None:
        """Answer these no more."""
        mine = [each for each in removed if each in self._open]
        if mine:
            self._do(self._end(mine))

    def stop(self) -> None:
        """Answer nothing any more, and end the thread."""
        if not self._thread.is_alive():
            return
        self.close(list(self._open))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _inode(self, service: Service) -> int:
        try:
            return self._engine.netns(service.router).stat().st_ino
        except OSError:
            return 0

    # --- the thread ----------------------------------------------------------------------------
    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            for task in (tasks := asyncio.all_tasks(self._loop)):
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.close()

    def _do(self, what: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(_PATIENCE)

    async def _begin(self, service: Service, made: _Open) -> None:
        self._open[service] = made
        if made.socket.type == socket.SOCK_DGRAM:
            self._loop.add_reader(made.socket, self._datagrams, service, made.socket)
            return
        meet = partial(self._meet, service, made)
        made.server = await asyncio.start_server(meet, sock=made.socket, limit=2 * MAX_QUESTION)

    async def _end(self, services: Collection[Service]) -> None:
        for service in services:
            it = self._open.pop(service)
            if it.server is not None:
                it.server.close()
            else:
                self._loop.remove_reader(it.socket)
            it.socket.close()
            for writer in it.clients:
                writer.transport.abort()

    # --- answers -------------------------------------------------------------------------------
    def _datagrams(self, service: Service, sock: socket.socket) -> None:
        for _ in range(TOGETHER):
            try:
                question, sender = sock.recvfrom(MAX_QUESTION + 1)
            except OSError:  # none is left, or an ICMP error came instead
                return
            said = self._named((service.router, str(sender[0])), question)
            if said is not None:
                with contextlib.suppress(OSError):  # DNS over UDP may be lost anywhere
                    sock.sendto(said, sender)

    def _named(self, source: Source, question: bytes) -> bytes | None:
        view = self._latest()
        zone_of = partial(zone, view, source[0])
        try:
            return answer(question, partial(look_up_for, view, source), zone_of)
        except Exception:
            log.exception("a question could not be answered in %s", source[0])
            return None

    def _told(self, source: Source, request: Request) -> Response | None:
        view = self._latest()
        row = caller(self._in_force, view, source)
        if row is None:
            return None
        try:
            return self._metadata.answer(view, row, request, ipv6=":" in source[1])
        except Exception:
            log.exception("%s could not be told about itself", row.id)
            return None

    async def _meet(
        self,
        service: Service,
        it: _Open,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        source = (service.router, str(writer.get_extra_info("peername", ("", 0))[0]))
        if self._open.get(service) is not it or not self._pace.enter(source):
            writer.transport.abort()
            return
        it.clients.add(writer)
        turn = partial(self._pace.turn, source)
        try:
            if service.name == "dns":
                await speak_dns(reader, writer, partial(self._named, source), turn)
            else:
                await speak_http(reader, writer, partial(self._told, source), turn)
            writer.close()
            async with asyncio.timeout(PATIENCE):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            pass
        except Exception:
            log.exception("a conversation with %s failed", source)
        finally:
            writer.transport.abort()
            it.clients.discard(writer)
            self._pace.leave(source)
