"""The HTTP of the sockets inside instances, spoken byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from gureum.containers import DockerError
from gureum.server.docker import sockets
from gureum.server.docker.http import MAX_HEAD, MAX_JSON, Incoming, Reply, Request
from gureum.server.docker.router import Router
from gureum.server.docker.sockets import NAME, Sockets


async def _echo(request: Request) -> Reply:
    return Reply(content=[request.method, request.query, await request.json()])


async def _stream(request: Request) -> Reply:
    async def pieces() -> AsyncIterator[bytes]:
        yield b""
        for number in range(3):
            yield f"{number}\n".encode()

    return Reply(stream=pieces(), kind="text/plain")


async def _follow(request: Request) -> Reply:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"begun\n"
        await asyncio.sleep(3600)

    return Reply(stream=pieces(), kind="text/plain")


async def _hijack(request: Request) -> Reply:
    async def talk(incoming: Incoming, writer: asyncio.StreamWriter) -> None:
        while data := await incoming.read():
            writer.write(data.upper())

    return Reply(hijack=talk, kind="raw")


async def _fails(request: Request) -> Reply:
    raise DockerError(409, "it is so")


async def _breaks(request: Request) -> Reply:
    raise ValueError("a bug")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    routes = [
        ("POST", "/echo", _echo),
        ("GET", "/stream", _stream),
        ("GET", "/follow", _follow),
        ("POST", "/talk", _hijack),
        ("GET", "/fails", _fails),
        ("GET", "/breaks", _breaks),
    ]
    deep = tmp_path / ("a" * 60) / ("b" * 60)  # longer than a socket's address may be
    deep.mkdir(parents=True)
    made = Sockets(Router(routes))
    made.start()
    made.open("i-1", deep)
    yield deep
    made.stop()


class _Client:
    def __init__(self, folder: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        here = Path.cwd()
        os.chdir(folder)
        try:
            self.socket.connect(NAME)
        finally:
            os.chdir(here)

    def says(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hears(self, until: bytes) -> bytes:
        data = b""
        while until not in data:
            more = self.socket.recv(65536)
            if not more:
                break
            data += more
        return data


Dial = Callable[[], _Client]


@pytest.fixture
def dial(folder: Path) -> Iterator[Dial]:
    """New clients, which are gone in the end."""
    made: list[_Client] = []

    def one() -> _Client:
        made.append(_Client(folder))
        return made[-1]

    yield one
    for each in made:
        each.socket.close()


def _post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_request_and_another_on_the_same_connection(dial: Dial) -> None:
    client = dial()
    client.says(_post("/v1.41/echo?a=1&b=%2Fc", b'{"d": 2}') + _post("/echo", b""))
    said = client.hears(b'["POST", {}, {}]')
    assert said.count(b"HTTP/1.1 200") == 2
    assert b'["POST", {"a": "1", "b": "/c"}, {"d": 2}]' in said


def test_a_body_in_chunks(dial: Dial) -> None:
    client = dial()
    client.says(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.says(b'5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n')
    assert b'{"a": 1}' in client.hears(b"}]")


def test_a_stream(dial: Dial) -> None:
    client = dial()
    client.says(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    said = client.hears(b"0\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in said
    assert b"2\r\n0\n\r\n2\r\n1\n\r\n2\r\n2\n\r\n" in said


def test_who_talks_on_while_a_stream_comes_is_let_go(dial: Dial) -> None:
    """What it says would be kept for its turn, in our memory."""
    client = dial()
    client.says(b"GET /follow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"begun" in client.hears(b"begun")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.says(b"x" * (1 << 20))
    with contextlib.suppress(ConnectionResetError):
        assert client.hears(b"never") == b""


def test_a_connection_that_is_handed_over(dial: Dial) -> None:
    """What the client says before it has heard the answer is not lost."""
    client = dial()
    client.says(
        b"POST /talk HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        b"Content-Length: 2\r\n\r\n{}early "
    )
    assert client.hears(b"EARLY ").startswith(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: raw\r\n")
    client.says(b"later")
    assert client.hears(b"LATER") == b"LATER"
    client.socket.shutdown(socket.SHUT_WR)
    assert client.hears(b"never") == b""


@pytest.mark.parametrize(
    ("said", "status", "message"),
    [
        (b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n", 409, "it is so"),
        (b"GET /breaks HTTP/1.1\r\nHost: x\r\n\r\n", 500, "stumbled"),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "page not found"),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405, "not allowed"),
        (b"GET /v1.99/echo HTTP/1.1\r\nHost: x\r\n\r\n", 400, "too new"),
        (b"GET /v1.12/echo HTTP/1.1\r\nHost: x\r\n\r\n", 400, "too old"),
        (_post("/echo", b"{"), 400, "invalid JSON"),
        (_post("/echo", b"[1]"), 400, "an object is wanted"),
        (_post("/echo", b"[" * 50_000), 400, "invalid JSON"),
        (_post("/echo", b" " * (MAX_JSON + 1)), 413, "too large"),
        (b"GET /" + b"a" * (3 * MAX_HEAD) + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "bad request"),
        (b"nonsense\r\n\r\n", 400, "bad request"),
    ],
)
def test_refusals(dial: Dial, said: bytes, status: int, message: str) -> None:
    client = dial()
    client.says(said)
    head, _, body = client.hears(b"}").partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert message in json.loads(body)["message"]


def test_connections_are_bounded(dial: Dial) -> None:
    clients = [dial() for _ in range(sockets.MOST)]
    clients[-1].says(_post("/echo", b""))
    clients[-1].hears(b"]")
    last = dial()
    assert last.hears(b"never") == b""
    clients[0].socket.close()
    until = time.monotonic() + 5
    while True:
        again = dial()
        again.says(_post("/echo", b""))
        try:
            if again.hears(b"]"):
                break
        except OSError:
            pass
        assert time.monotonic() < until


def test_an_instance_that_asks_without_end_is_slowed(
    dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "BURST", 5)
    monkeypatch.setattr(sockets, "RATE", 50.0)
    client, begun = dial(), time.monotonic()
    client.says(_post("/echo", b"") * 25)
    seen = b""
    while seen.count(b"HTTP/1.1 200") < 25:
        seen += client.hears(b"]")
    assert time.monotonic() - begun > 0.3
