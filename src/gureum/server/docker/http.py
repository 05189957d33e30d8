"""A small HTTP server for the sockets inside instances, on one event loop for all of them.

ASGI has no way to hand a connection over after a request, and ``docker attach``, ``exec -it`` and
``run`` in the foreground do just that (101 UPGRADED, then raw streams).  The other end is hostile:
heads, bodies, connections and patience are bounded.

Sources: RFC 9112; Docker Engine API 1.43, "ContainerAttach", "Hijacking".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from gureum.containers import DockerError

log = logging.getLogger(__name__)

MAX_HEAD = 16 * 1024
MAX_JSON = 64 * 1024
"""Bytes of a body that is JSON: what it asks for becomes a row, and rows are kept in memory."""
HEAD_PATIENCE = 30.0
"""Seconds that the rest of a head, or the next piece of a body, may take."""
IDLE = 300.0
"""Seconds that a connection may be kept without a request."""
READ = 16 * 1024

Hijacked = Callable[["Incoming", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    """One request: ``path`` without the version, ``query`` the last value of each name, ``given``
    all of them."""

    instance: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: AsyncIterator[bytes]
    given: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> list[str]:
        """All values of a name that may come more than once."""
        return [value for key, value in self.given if key == name]

    def flag(self, name: str, default: bool = False) -> bool:
        """A truth value as Docker reads it."""
        value = self.query.get(name)
        if value is None:
            return default
        return value.strip().lower() not in ("", "0", "no", "false", "none")

    def number(self, name: str, default: int) -> int:
        """A whole number.

        Raises:
            DockerError: 400, it is none.
        """
        try:
            return int(self.query.get(name) or default)
        except ValueError:
            raise DockerError(400, f"{name}: {self.query[name][:40]!r} is no number") from None

    async def read(self, most: int = MAX_JSON) -> bytes:
        """The whole body.

        Raises:
            DockerError: 413, it is too large.
        """
        data = b""
        async for piece in self.body:
            data += piece
            if len(data) > most:
                raise DockerError(413, "http: request body too large")
        return data

    async def json(self, most: int = MAX_JSON) -> dict[str, Any]:
        """The body, an object of at most so many bytes; an empty one where there is none.

        Raises:
            DockerError: 400 or 413.
        """
        data = await self.read(most)
        try:
            found = json.loads(data) if data.strip() else {}
        except (ValueError, RecursionError) as error:
            raise DockerError(400, f"invalid JSON: {error}") from None
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise DockerError(400, "invalid JSON: an object is wanted")
        return found

    def filters(self) -> dict[str, list[str]]:
        """The ``filters`` of a listing: values by name.

        Raises:
            DockerError: 400.
        """
        text = self.query.get("filters") or "{}"
        try:
            found = json.loads(text)
            return {
                str(name): [str(each) for each, on in values.items() if on]
                if isinstance(values, dict)
                else [str(each) for each in values]
                for name, values in found.items()
            }
        except (ValueError, AttributeError, TypeError, RecursionError):
            raise DockerError(400, "invalid filters") from None


@dataclass
class Reply:
    """An answer: ``content`` as JSON (None for none), or ``stream`` piece by piece, or a handed
    over connection (``hijack``)."""

    status: int = 200
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    hijack: Hijacked | None = None
    kind: str = "application/json"


Handler = Callable[[Request], Awaitable[Reply]]


class Connection:
    """One client."""

    def __init__(
        self,
        instance: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handle: Handler,
    ) -> None:
        self._instance = instance
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    async def run(self) -> None:
        """Serve requests until the client goes."""
        try:
            while await self._one():
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            self._refuse(error)
        except (h11.LocalProtocolError, TimeoutError, OSError) as error:
            log.debug("%s: %s", self._instance, error)
        finally:
            with contextlib.suppress(OSError):
                self._writer.close()

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Tell a client that what it said is no HTTP, unless an answer has begun."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            text = json.dumps({"message": f"bad request: {error}"}).encode()
            headers = [(b"Content-Type", b"application/json"), (b"Connection", b"close"),
                       (b"Content-Length", str(len(text)).encode())]  # fmt: skip
            status = error.error_status_hint or 400
            self._write(self._http.send(h11.Response(status_code=status, headers=headers)))
            self._write(self._http.send(h11.Data(data=text)))

    async def _one(self) -> bool:
        """Serve one request; whether another may follow."""
        event = await self._event(IDLE)
        if not isinstance(event, h11.Request):
            return False
        request = self._request(event)
        try:
            reply = await self._handle(request)
        except DockerError as error:
            reply = Reply(error.status, {"message": str(error)})
        except Exception:
            log.exception("%s %s for %s", request.method, request.path, self._instance)
            reply = Reply(500, {"message": "the engine stumbled; its log says how"})
        if reply.hijack is not None:
            await self._hand_over(request, reply, reply.hijack)
            return False
        await self._answer(request, reply)
        return await self._finish()

    async def _finish(self) -> bool:
        async for _ in self._body():
            pass
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def _request(self, event: h11.Request) -> Request:
        parts = urlsplit(event.target.decode("ascii", "replace"))
        path = unquote(parts.path)
        given = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return Request(
            instance=self._instance,
            method=event.method.decode(),
            path=path,
            query=dict(given),
            headers={name.decode(): value.decode("latin-1") for name, value in event.headers},
            body=self._body(),
            given=given,
        )

    async def _event(self, patience: float) -> Any:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            data = await asyncio.wait_for(self._reader.read(READ), patience)
            self._http.receive_data(data)

    async def _body(self) -> AsyncIterator[bytes]:
        while self._http.their_state is h11.SEND_BODY:
            event = await self._event(HEAD_PATIENCE)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise OSError("the client went away")

    def _write(self, data: bytes | None) -> None:
        if data:
            self._writer.write(data)

    async def _answer(self, request: Request, reply: Reply) -> None:
        headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        body = b""
        if reply.stream is None:
            if reply.content is not None:
                text = reply.content
                body = text if isinstance(text, bytes) else json.dumps(text).encode() + b"\n"
                headers.append((b"Content-Type", reply.kind.encode()))
            if reply.status not in (204, 304):
                headers.append((b"Content-Length", str(len(body)).encode()))
        else:
            headers.append((b"Content-Type", reply.kind.encode()))
            headers.append((b"Transfer-Encoding", b"chunked"))
        self._write(self._http.send(h11.Response(status_code=reply.status, headers=headers)))
        if reply.stream is not None:
            await self._stream(reply.stream)
        elif body and request.method != "HEAD":
            self._write(self._http.send(h11.Data(data=body)))
        self._write(self._http.send(h11.EndOfMessage()))
        await self._drain()

    async def _stream(self, pieces: AsyncIterator[bytes]) -> None:
        """Send what comes until it ends or the client goes."""
        await self._drain()
        gone = asyncio.ensure_future(self._goes())
        try:
            while True:
                step = asyncio.ensure_future(anext(pieces, None))
                await asyncio.wait({step, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    step.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await step
                    raise OSError("the client went away")
                piece = step.result()
                if piece is None:
                    return
                if piece:
                    self._write(self._http.send(h11.Data(data=piece)))
                    await self._drain()
        finally:
            gone.cancel()
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    async def _goes(self) -> None:
        """Wait until the client goes; who says more than a request's head meanwhile has gone."""
        waiting = 0
        while data := await self._reader.read(READ):
            waiting += len(data)
            if waiting > MAX_HEAD:
                return
            self._http.receive_data(data)  # a request that waits for its turn

    async def _drain(self) -> None:
        """A client that takes nothing for long is let go."""
        await asyncio.wait_for(self._writer.drain(), IDLE)

    async def _hand_over(self, request: Request, reply: Reply, hijack: Hijacked) -> None:
        async for _ in self._body():
            pass
        upgrade = request.headers.get("upgrade")
        lines = ["HTTP/1.1 101 UPGRADED" if upgrade else "HTTP/1.1 200 OK"]
        lines.append(f"Content-Type: {reply.kind}")
        if upgrade:
            lines += ["Connection: Upgrade", "Upgrade: tcp"]
        self._writer.write("\r\n".join((*lines, "", "")).encode())
        await self._drain()
        rest, _ = self._http.trailing_data
        await hijack(Incoming(rest, self._reader), self._writer)


class Incoming:
    """What the client of a connection that was handed over says, beginning with what it had said
    before its turn."""

    def __init__(self, first: bytes, reader: asyncio.StreamReader) -> None:
        self._first = first
        self._reader = reader

    async def read(self) -> bytes:
        """The next piece; empty when no more will come."""
        first, self._first = self._first, b""
        return first or await self._reader.read(READ)
