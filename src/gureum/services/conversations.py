"""HTTP and DNS over TCP with clients that may be hostile: everything takes a bounded time and a
bounded space, and one client cannot take the time of others.

h11 reads and writes HTTP/1.1 (RFC 9112); DNS over TCP is RFC 7766.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from email.utils import formatdate

import h11

from gureum.services.imds import Request, Response

PATIENCE = 5.0
"""Seconds that a client has to send a whole request, and to take an answer."""

MAX_HEAD = 8192
"""Bytes of a request's head; the kernel buffers no more of a client than the stream reader does."""

MAX_BODY = 16384
"""Bytes of a request's body, which nobody reads."""

MAX_REQUESTS = 200
"""Requests that one connection may carry."""

_READ = 4096
_ERROR = Response(400, b"", {"content-type": "text/plain"})

Answer = Callable[[Request], Response | None]
Turn = Callable[[], Awaitable[None]]
"""Waits until the client may ask once more."""


async def speak_http(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer, turn: Turn
) -> None:
    """Answer requests until the client has no more, is too slow, or ``answer`` gives None."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    for _ in range(MAX_REQUESTS):
        try:
            async with asyncio.timeout(PATIENCE):
                request = await _request(connection, reader)
        except h11.RemoteProtocolError:
            await _send(connection, writer, _ERROR, _ERROR.body)
            return
        if request is None:
            return
        await turn()
        response = answer(request)
        if response is None:
            return
        body = b"" if request.method == "HEAD" else response.body
        await _send(connection, writer, response, body)
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return
        connection.start_next_cycle()


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    """The next request without its body; None at the end of the connection.

    Raises:
        h11.RemoteProtocolError: it is none, or too large.
    """
    found: Request | None = None
    size = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ))
        elif isinstance(event, h11.Request):
            headers = {name.decode("latin-1"): value.decode("latin-1")
                       for name, value in event.headers}  # fmt: skip
            found = Request(event.method.decode(), event.target.decode("latin-1"), headers)
        elif isinstance(event, h11.Data):
            size += len(event.data)
            if size > MAX_BODY:
                raise h11.RemoteProtocolError("the body is too large")
        elif isinstance(event, h11.EndOfMessage):
            return found
        else:
            return None


async def _send(
    connection: h11.Connection, writer: asyncio.StreamWriter, response: Response, body: bytes
) -> None:
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    if response.hop_limit is not None:
        _limit_hops(writer, response.hop_limit)
    headers = {
        **response.headers,
        "content-length": str(len(response.body)),
        "date": formatdate(usegmt=True),
        "server": "EC2ws",
    }
    head = h11.Response(status_code=response.status, headers=list(headers.items()))
    parts = [connection.send(head), connection.send(h11.Data(data=body))]
    parts.append(connection.send(h11.EndOfMessage()))
    writer.write(b"".join(part for part in parts if part))
    async with asyncio.timeout(PATIENCE):
        await writer.drain()


def _limit_hops(writer: asyncio.StreamWriter, hops: int) -> None:
    """How far the packets of a connection may go from now on, also those that are sent once more:
    so it is never raised again."""
    connection = writer.get_extra_info("socket")
    if connection.family == socket.AF_INET6:
        connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
    else:
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


async def speak_dns(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answer: Callable[[bytes], bytes | None],
    turn: Turn,
) -> None:
    """Answer questions, each behind its length, until the client has no more or is too slow."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        for _ in range(MAX_REQUESTS):
            async with asyncio.timeout(PATIENCE):
                size = int.from_bytes(await reader.readexactly(2))
                question = await reader.readexactly(size)
            await turn()
            said = answer(question)
            if said is None:
                return
            writer.write(len(said).to_bytes(2) + said)
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
