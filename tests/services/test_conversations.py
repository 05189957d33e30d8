"""HTTP and DNS over TCP with clients that behave, and that do not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from gureum.services import conversations, pace
from gureum.services.conversations import speak_dns, speak_http
from gureum.services.imds import Request, Response
from gureum.services.pace import Pace

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _free() -> None:
    await asyncio.sleep(0)


def _said(request: Request) -> Response | None:
    return Response(200, request.path.encode() * 3, {"content-type": "text/plain"})


def _talk(speak: Speak, sent: bytes, *, ends: bool = True) -> bytes:
    """All that the other side says to some bytes."""

    async def talk() -> bytes:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=theirs)
        with ours:
            ours.setblocking(False)
            loop = asyncio.get_running_loop()

            async def server() -> None:
                try:
                    await speak(reader, writer)
                finally:
                    writer.close()

            async def client() -> bytes:
                got = b""
                try:
                    await loop.sock_sendall(ours, sent)
                    if ends:
                        ours.shutdown(socket.SHUT_WR)
                    while part := await loop.sock_recv(ours, 65536):
                        got += part
                except ConnectionError:
                    pass
                return got

            answers, error = await asyncio.gather(client(), server(), return_exceptions=True)
            assert isinstance(answers, bytes), answers
            assert error is None or isinstance(error, TimeoutError), error
            return answers

    return asyncio.run(talk())


http = partial(speak_http, answer=_said, turn=_free)


def test_requests_on_one_connection() -> None:
    said = _talk(http, GET * 3)
    assert said.count(b"HTTP/1.1 200") == 3
    assert said.count(b"/x/x/x") == 3
    assert b"server: EC2ws" in said


def test_a_head_has_no_body_and_a_close_closes() -> None:
    said = _talk(http, GET.replace(b"GET", b"HEAD"))
    assert b"content-length: 6" in said
    assert b"/x/x/x" not in said
    said = _talk(http, GET.replace(b"Host: h", b"Host: h\r\nConnection: close") + GET, ends=False)
    assert said.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",  # without a host
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
        b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 40000\r\n\r\n" + b"a" * 40_000,
        b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
    ids=["nonsense", "no host", "long path", "long head", "long body", "two lengths"],
)
def test_bad_requests_are_refused_and_are_the_last(sent: bytes) -> None:
    said = _talk(http, sent + GET)
    assert said.startswith(b"HTTP/1.1 4"), said[:100]
    assert b"200" not in said.split(b"\r\n")[0]
    assert said.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("sent", [b"", b"GET", GET, b"PUT / HTTP/1.1\r\nHost: h\r\n"])
def test_slow_clients_are_let_go_of(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "PATIENCE", 0.05)
    said = _talk(http, sent, ends=False)
    assert said.count(b"HTTP/1.1") == (1 if sent == GET else 0)


def test_a_client_that_takes_no_answer_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers fill what the kernel and the writer keep, and then nobody waits for it."""
    monkeypatch.setattr(conversations, "PATIENCE", 0.05)
    body = b"x" * 1_000_000

    async def talk() -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=theirs)
        with ours:
            ours.sendall(GET * 20)
            with pytest.raises(TimeoutError):
                await speak_http(reader, writer, lambda _: Response(200, body, {}), _free)
            writer.transport.abort()
            await asyncio.sleep(0)

    asyncio.run(talk())


def test_an_unknown_client_gets_nothing() -> None:
    assert _talk(partial(speak_http, answer=lambda _: None, turn=_free), GET) == b""


def test_a_connection_carries_so_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MAX_REQUESTS", 5)
    assert _talk(http, GET * 9).count(b"HTTP/1.1 200") == 5


def test_questions_behind_their_lengths() -> None:
    echo = partial(speak_dns, answer=lambda wire: wire.upper() or None, turn=_free)
    assert _talk(echo, b"\0\3abc\0\1d") == b"\0\3ABC\0\1D"
    assert _talk(echo, b"\0\3ab") == b""
    assert _talk(echo, b"\0\0\0\1d") == b"", "nothing is no question"


def test_a_source_has_so_many_connections_and_a_pace() -> None:
    async def ask() -> float:
        mine, other = ("vpc-1", "10.0.0.1"), ("vpc-1", "10.0.0.2")
        counted = Pace()
        assert [counted.enter(mine) for _ in range(17)] == [True] * 16 + [False]
        assert counted.enter(other)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for _ in range(pace.BURST + 20):
            await counted.turn(mine)
        took = loop.time() - begun
        begun = loop.time()
        await counted.turn(other)
        assert loop.time() - begun < took / 2, "others do not wait"
        for _ in range(16):
            counted.leave(mine)
        assert counted.enter(mine)
        return took

    assert asyncio.run(ask()) >= 19 / pace.RATE
