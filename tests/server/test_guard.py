"""Clients that are too slow, too many or too large, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette

from gureum.resources import REGISTRY
from gureum.server.app import MAX_BODY, Api, application
from gureum.server.dispatch import Dispatcher
from gureum.server.guard import Limits
from gureum.server.quiet import quiet_config
from gureum.store import MemoryStore
from tests.kernel.packets import eventually

FORM = b"Action=DescribeVpcs&Version=2016-11-15"
HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(FORM) + FORM
PATIENCE = 10.0


@contextmanager
def served(limits: Limits) -> Iterator[int]:
    """The API with these limits; its port."""
    api = Api(Dispatcher(MemoryStore(), REGISTRY), lambda revision, seconds: True)
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        server = uvicorn.Server(quiet_config(application(api, Starlette()), 1, limits))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[tcp])))
        thread.start()
        try:
            yield int(tcp.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def answer(client: socket.socket) -> bytes:
    """What comes until the other side has ended the connection, or an answer is whole."""
    found = b""
    with suppress(ConnectionResetError):
        while b"</DescribeVpcsResponse>" not in found and (part := client.recv(65536)):
            found += part
    return found


def works(port: int) -> bool:
    with connect(port) as client:
        client.sendall(WHOLE)
        return b"200 OK" in answer(client)


QUICK = Limits(head=0.4, body=0.4, answer=0.4, per_source=8, all=8)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(QUICK) as found:
        yield found


@pytest.mark.parametrize(
    "begun",
    [b"", b"P", HEAD, HEAD + b"content-length: 40\r\n\r\n", HEAD + b"content-length: 40\r\n\r\nA"],
)
def test_what_does_not_come_is_not_waited_for(port: int, begun: bytes) -> None:
    with connect(port) as client:
        started = time.monotonic()
        client.sendall(begun)
        assert answer(client) == b""
        assert 0.3 < time.monotonic() - started < PATIENCE
    assert works(port)


@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1\r\n", HEAD + b"content-length: 4000\r\n\r\n"])
def test_a_byte_now_and_then_keeps_no_connection(port: int, begun: bytes) -> None:
    """Slowloris: the deadline is for the whole head or body, not for each of its bytes."""
    with connect(port) as client:
        client.sendall(begun)
        started = time.monotonic()
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012  (until it is cut)
            while time.monotonic() - started < PATIENCE:
                client.sendall(b"a")
                time.sleep(0.02)
    assert works(port)


def test_a_second_request_has_its_own_time(port: int) -> None:
    with connect(port) as client:
        for _ in range(4):
            client.sendall(WHOLE)
            assert b"200 OK" in answer(client)
            time.sleep(0.2)
        client.sendall(b"POST / HT")
        assert answer(client) == b""


def test_one_source_has_so_many_connections(port: int) -> None:
    with served(Limits(per_source=4)) as busy:
        held = [connect(busy) for _ in range(4)]
        try:
            for client in held:
                client.sendall(HEAD)  # each is there once its bytes are read
            assert eventually(lambda: not works(busy), PATIENCE)
        finally:
            for client in held:
                client.close()
        assert eventually(lambda: works(busy), PATIENCE)


def test_there_are_so_many_connections_in_all() -> None:
    with served(Limits(all=2)) as busy:
        with connect(busy), connect(busy):
            assert eventually(lambda: not works(busy), PATIENCE)
        assert eventually(lambda: works(busy), PATIENCE)


def test_a_head_that_is_too_long(port: int) -> None:
    with connect(port) as client:
        with suppress(OSError):
            client.sendall(HEAD + b"x-more: " + b"a" * (1 << 20))
        assert b" 200 " not in answer(client)
    assert works(port)


def test_a_body_that_is_too_long() -> None:
    with served(Limits()) as found, connect(found) as client:
        size = MAX_BODY + (1 << 20)
        client.sendall(HEAD + b"content-length: %d\r\n\r\n" % size)
        with suppress(OSError):
            client.sendall(b"a" * size)
        told = answer(client)
        assert b" 413 " in told.partition(b"\r\n")[0] or told == b""
        assert works(found)


def test_an_answer_that_nobody_reads(port: int) -> None:
    """Requests in a row whose answers are not read: the sockets fill, and the connection is cut."""
    form = b"Action=DescribeInstanceTypes&Version=2016-11-15"
    whole = HEAD + b"content-length: %d\r\n\r\n" % len(form) + form
    with connect(port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE)
        started = time.monotonic()
        with pytest.raises(ConnectionError):  # noqa: PT012  (until it is cut)
            while time.monotonic() - started < 3 * PATIENCE:
                client.sendall(whole)
    assert works(port)
