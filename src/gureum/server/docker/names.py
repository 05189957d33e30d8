"""The name server that containers on user-defined networks find at 127.0.0.11.

One thread serves all of them.  It knows the names of the others on their networks, and asks the
instance's own name servers for all else: from the container's network, so that a question goes the
way that the container's packets go.

Sources: moby, ``libnetwork/resolver.go``; RFC 1035, RFC 7766 (DNS over TCP).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import threading
from collections import defaultdict
from collections.abc import Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.message
import dns.rcode

from gureum.containers import Container
from gureum.containers.names import Meaning, meaning
from gureum.engines.linux.inner_names import PORT, NameSockets
from gureum.services.dns import MAX_QUESTION, answer
from gureum.store import Store as Rows

log = logging.getLogger(__name__)

TOGETHER = 16
"""Datagrams that are answered before other containers have their turn."""
RATE, BURST = 500.0, 250
"""Questions a second of one instance's containers, and how many at once; more are lost."""
FORWARDED = 64
"""Questions of a container that wait for an answer from outside."""
CONNECTIONS = 8
"""TCP connections that a container may have with its name server, and how many questions each."""
QUESTIONS = 200
PATIENCE = 4.0
"""Seconds that a server outside, and a client, has; three servers are asked."""
SERVERS = 3
TOLD = 24
"""Addresses of a name that are told at a time: what fits into 512 bytes."""
FAULTS = 100
"""Of its sockets, after which a container is not listened to any more."""
_MOST = 1 << 16


@dataclass
class _Served:
    """A container that is served: its instance, its start and the servers outside."""

    id: str
    instance: str
    run: int
    servers: tuple[str, ...]
    udp: socket.socket
    faults: int = 0
    """Of the socket; an instance's owner can disturb what is in his containers' namespaces."""
    clients: set[asyncio.StreamWriter] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Names:
    """Name servers of the containers of a cloud."""

    def __init__(self, tag: str, rows: Rows) -> None:
        self._rows = rows
        self._tag = tag
        self._served: dict[str, _Served] = {}
        self._next: defaultdict[str, float] = defaultdict(float)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="docker-names", daemon=True)

    def start(self) -> None:
        """Be ready."""
        self._thread.start()

    def stop(self) -> None:
        """Serve nobody any more."""
        if self._thread.is_alive():
            self._do(self._end(list(self._served)))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def serve(self, row: Container, servers: Collection[str]) -> None:
        """Answer a container that runs, or is about to; ``servers`` know what is outside."""
        wanted = tuple(each for each in servers if ":" not in each)[:SERVERS]  # no IPv6 in there
        known = self._served.get(row.id)
        if known is not None and (known.run, known.servers) == (row.run, wanted):
            return
        try:
            self._do(self._begin(row, wanted))
        except (OSError, TimeoutError) as error:
            log.warning("container %s has no name server: %s", row.id[:12], error)

    def keep(self, instance: str, containers: Collection[str]) -> None:
        """Answer no others of an instance than these."""
        gone = [
            each.id
            for each in list(self._served.values())
            if each.instance == instance and each.id not in containers
        ]
        if gone:
            self._do(self._end(gone))

    # --- on the thread ---------------------------------------------------------------------------
    def _run(self) -> None:
        self._sockets = NameSockets(self._tag)
        try:
            self._loop.run_forever()
        finally:
            self._sockets.close()

    def _do(self, act: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(act, self._loop).result(10)

    async def _begin(self, row: Container, servers: tuple[str, ...]) -> None:
        await self._end([row.id])
        udp, tcp = self._sockets.listen(row.id)
        it = _Served(row.id, row.instance, row.run, servers, udp)
        self._served[row.id] = it
        self._loop.add_reader(udp, self._datagrams, it)
        self._begin_task(it, self._accept(it, tcp))

    def _begin_task(self, it: _Served, act: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(act)
        it.tasks.add(task)
        task.add_done_callback(it.tasks.discard)

    async def _end(self, containers: Collection[str]) -> None:
        for key in containers:
            it = self._served.pop(key, None)
            if it is None:
                continue
            self._loop.remove_reader(it.udp)
            it.udp.close()
            for task in it.tasks:
                task.cancel()
            for writer in it.clients:
                writer.transport.abort()
            await asyncio.gather(*it.tasks, return_exceptions=True)
            self._sockets.forget(key)
            if not any(each.instance == it.instance for each in self._served.values()):
                self._next.pop(it.instance, None)

    def _may_ask(self, it: _Served) -> bool:
        """Whether an instance's containers may ask once more (the generic cell rate algorithm)."""
        now = self._loop.time()
        due = max(self._next[it.instance], now - BURST / RATE)
        if due > now:
            return False
        self._next[it.instance] = due + 1 / RATE
        return True

    # --- questions -------------------------------------------------------------------------------
    def _datagrams(self, it: _Served) -> None:
        for _ in range(TOGETHER):
            try:
                question, sender = it.udp.recvfrom(MAX_QUESTION + 1)
            except BlockingIOError:  # none is left
                return
            except OSError:
                it.faults += 1
                if it.faults > FAULTS:
                    self._loop.remove_reader(it.udp)
                return
            if not self._may_ask(it):
                continue
            said = self._known(it, question)
            if said is not None:
                self._tell(it, said, sender)
            elif len(it.tasks) < FORWARDED and _is_question(question):
                self._begin_task(it, self._pass_on(it, question, sender))

    def _tell(self, it: _Served, said: bytes, sender: Any) -> None:
        with contextlib.suppress(OSError):  # DNS over UDP may be lost anywhere
            it.udp.sendto(said, sender)

    async def _pass_on(self, it: _Served, question: bytes, sender: Any) -> None:
        said = await self._outside(it, question, socket.SOCK_DGRAM)
        if self._served.get(it.id) is it:
            self._tell(it, said, sender)

    async def _accept(self, it: _Served, tcp: socket.socket) -> None:
        with tcp:
            while it.faults <= FAULTS:
                try:
                    client, _ = await self._loop.sock_accept(tcp)
                except OSError:
                    it.faults += 1
                    await asyncio.sleep(1)
                    continue
                if len(it.clients) >= CONNECTIONS:
                    client.close()
                    continue
                reader, writer = await asyncio.open_connection(sock=client)
                self._begin_task(it, self._meet(it, reader, writer))

    async def _meet(
        self, it: _Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        it.clients.add(writer)
        try:
            for _ in range(QUESTIONS):
                async with asyncio.timeout(PATIENCE):
                    question = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                if not self._may_ask(it) or not _is_question(question):
                    break
                said = self._known(it, question)
                if said is None:
                    said = await self._outside(it, question, socket.SOCK_STREAM)
                writer.write(len(said).to_bytes(2) + said)
                async with asyncio.timeout(PATIENCE):
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            it.clients.discard(writer)
            writer.close()

    # --- answers ---------------------------------------------------------------------------------
    def _known(self, it: _Served, question: bytes) -> bytes | None:
        """The answer to what is asked of a container's networks."""
        try:
            if len(question) > MAX_QUESTION:
                return None
            (asked,) = dns.message.from_wire(question).question
            name = asked.name.to_text(omit_final_dot=True)
            view = self._rows.view
            row = view.find(Container, it.id)
            found = meaning(row, view, name) if row is not None else None
            if found is None:
                return None
            turned = _turned(found)
            return answer(question, lambda _: turned, lambda _: "")
        except (dns.exception.DNSException, ValueError):
            return None
        except Exception:
            log.exception("a question of container %s could not be answered", it.id[:12])
            return None

    async def _outside(self, it: _Served, question: bytes, kind: socket.SocketKind) -> bytes:
        """What the first server outside says that says anything; else that there was a failure."""
        for server in it.servers:
            try:
                async with asyncio.timeout(PATIENCE):
                    with self._sockets.outgoing(it.id, kind) as out:
                        await self._loop.sock_connect(out, (server, PORT))
                        if kind is socket.SOCK_STREAM:
                            return await self._by_tcp(out, question)
                        return await self._by_udp(out, question)
            except (OSError, TimeoutError, EOFError):
                continue
        return _failed(question)

    async def _by_udp(self, out: socket.socket, question: bytes) -> bytes:
        await self._loop.sock_sendall(out, question)
        while True:
            said = await self._loop.sock_recv(out, _MOST)
            if len(said) > 2 and said[:2] == question[:2] and said[2] & 0x80:
                return said

    async def _by_tcp(self, out: socket.socket, question: bytes) -> bytes:
        await self._loop.sock_sendall(out, len(question).to_bytes(2) + question)
        size = int.from_bytes(await self._exactly(out, 2))
        return await self._exactly(out, size)

    async def _exactly(self, out: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await self._loop.sock_recv(out, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def _turned(found: Meaning) -> Any:
    """Each time another address first; of many only some."""
    return {kind: _from(values, secrets.randbelow(len(values))) for kind, values in found.items()}


def _from(values: tuple[str, ...], first: int) -> tuple[str, ...]:
    return (values[first:] + values[:first])[:TOLD]


def _is_question(wire: bytes) -> bool:
    """Whether it is long enough for one, and no answer."""
    return 12 < len(wire) <= MAX_QUESTION and not wire[2] & 0x80


def _failed(question: bytes) -> bytes:
    """SERVFAIL: the header and the question as they came."""
    try:
        made = dns.message.make_response(dns.message.from_wire(question), recursion_available=True)
    except (dns.exception.DNSException, ValueError):
        return question[:2] + b"\x80\x02" + bytes(8)
    made.set_rcode(dns.rcode.SERVFAIL)
    return made.to_wire()
