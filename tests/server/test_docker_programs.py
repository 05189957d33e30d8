"""Programs of the container engine: what they write last arrives, however slow the client is."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gureum.machines.record import start_time
from gureum.server.docker import programs
from gureum.server.docker.programs import Pipes, Terminal

PATIENCE = 20.0
SIZE = 200_000
"""Bytes: more than a client's connection and what is before it take unread (some 100 KiB), less
than all buffers do."""


@asynccontextmanager
async def client() -> AsyncIterator[tuple[socket.socket, asyncio.StreamWriter]]:
    """The client's end of a connection that takes little, and the way to it."""
    theirs, ours = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.setblocking(False)
    _, writer = await asyncio.open_connection(sock=ours)
    try:
        yield theirs, writer
    finally:
        writer.close()
        theirs.close()


async def read(theirs: socket.socket, size: int) -> bytes:
    """That many bytes at least."""
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < size and (more := await loop.sock_recv(theirs, 65536)):
        data += more
    return data


def run(act: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(act, PATIENCE))


async def gone(pid: int) -> None:
    while start_time(pid) is not None:
        await asyncio.sleep(0.01)


def test_a_slow_client_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "LINGER", 0.02)
    argv = ["sh", "-c", f"head -c {SIZE} /dev/zero; exit 3"]

    async def act() -> None:
        async with client() as (theirs, writer):
            async with Pipes(argv, None, [writer, None], feeds=False) as pipes:
                ending = asyncio.ensure_future(pipes.end())
                await gone(pipes.pid)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(ending), 0.2)
                data = await read(theirs, SIZE)
                assert await ending == 3
            assert data.count(b"\0") >= SIZE

    run(act())


@pytest.mark.parametrize("holds", ["sleep 60", "while :; do echo more; done"])
def test_others_who_hold_the_streams_are_not_waited_for(holds: str) -> None:
    argv = ["sh", "-c", f"({holds}) &"]

    async def act() -> None:
        async with client() as (theirs, writer):
            reading = asyncio.ensure_future(read(theirs, 1 << 30))
            async with Pipes(argv, None, [writer, None], feeds=False) as pipes:
                try:
                    assert await pipes.end() == 0
                finally:
                    os.killpg(pipes.pid, signal.SIGKILL)
            reading.cancel()

    run(act())


def test_a_terminal_has_its_size_from_the_start() -> None:
    script = f"stty size; head -c {SIZE} /dev/zero | tr '\\0' x; echo trouble >&2; exit 3"

    async def act() -> None:
        async with client() as (theirs, writer):
            reading = asyncio.ensure_future(read(theirs, len(b"33 101\n") + SIZE))
            async with Terminal(["sh", "-c", script], None, writer, (33, 101)) as terminal:
                assert await terminal.end() == (3, "trouble\n")
            assert await reading == b"33 101\n" + b"x" * SIZE

    run(act())


def test_a_terminal_tells_its_program_of_another_size() -> None:
    script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done"

    async def act() -> None:
        async with client() as (theirs, writer):
            async with Terminal(["sh", "-c", script], None, writer, (24, 80)) as terminal:
                assert await read(theirs, len(b"ready\n")) == b"ready\n"
                terminal.resize((33, 101))
                assert await terminal.end() == (0, "")
            assert await read(theirs, len(b"33 101\n")) == b"33 101\n"

    run(act())
