"""Programs that run as children of the daemon, with a client's connection as their streams."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
import tty
from collections.abc import AsyncIterator, Callable, Sequence
from typing import IO, Self

from gureum.server.docker.http import Incoming
from gureum.server.docker.streams import end_child, frame

LINGER = 1.0
"""Seconds that the streams of a program which has ended are waited for: others may hold them."""
HELD = 1 << 18
"""Bytes that such streams may hold at most (a pipe 64 KiB, our reader of it 128 KiB): so much is
passed on if others go on writing."""
_READ = 32 * 1024

Size = tuple[int, int]
"""Rows and columns."""


class Pipes:
    """A program with three streams.  ``wanted`` are those who get its output and its errors."""

    def __init__(
        self,
        argv: Sequence[str],
        incoming: Incoming | None,
        wanted: Sequence[asyncio.StreamWriter | None],
        *,
        feeds: bool,
    ) -> None:
        self._argv, self._incoming, self._wanted, self._feeds = argv, incoming, wanted, feeds
        self._outputs: list[_Output] = []

    async def __aenter__(self) -> Self:
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        async with contextlib.AsyncExitStack() as stack:
            ends = []
            for number, writer in enumerate(self._wanted):
                output, end = await _Output.open(number + 1, writer)
                stack.callback(output.close)
                ends.append(stack.enter_context(end))
                self._outputs.append(output)
            self._child = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=pipe if self._feeds and self._incoming is not None else none,
                stdout=ends[0],
                stderr=ends[1],
                start_new_session=True,
            )
            for end in ends:
                end.close()
            self._stack = stack.pop_all()
        self._feed = asyncio.ensure_future(_feed(self._incoming, self._child.stdin))
        return self

    @property
    def pid(self) -> int:
        """The child's."""
        return self._child.pid

    async def end(self) -> int:
        """Wait until it has ended and what it wrote is passed on, however slow the client is; its
        exit code."""
        code = _code(await self._child.wait())
        await asyncio.gather(*(output.rest() for output in self._outputs))
        return code

    async def __aexit__(self, *_: object) -> None:
        self._feed.cancel()
        if self._child.stdin is not None:
            self._child.stdin.close()
        await self._stack.aclose()
        await end_child(self._child)


class _Client:
    """Who gets what a program writes, if anybody does; the program goes on when a client goes."""

    def __init__(self, writer: asyncio.StreamWriter | None) -> None:
        self._writer = writer

    async def tell(self, data: bytes) -> None:
        if self._writer is None:
            return
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            self._writer = None


class _Output:
    """Passes one stream on."""

    def __init__(
        self,
        source: asyncio.StreamReader,
        pipe: asyncio.ReadTransport,
        stream: int,
        writer: asyncio.StreamWriter | None,
    ) -> None:
        self._source, self._pipe, self._stream = source, pipe, stream
        self._client = _Client(writer)
        self._passed = 0
        self._waits = False
        """For the program, rather than for the client."""
        self._task = asyncio.ensure_future(self._run())

    @classmethod
    async def open(cls, stream: int, writer: asyncio.StreamWriter | None) -> tuple[Self, IO[bytes]]:
        """One that runs, and the end that the program is to write to."""
        ours, theirs = os.pipe()
        source = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(source), os.fdopen(ours, "rb", 0)
        )
        return cls(source, pipe, stream, writer), os.fdopen(theirs, "wb", 0)

    def close(self) -> None:
        """Pass on nothing more, whoever else may hold the other end."""
        self._task.cancel()
        self._pipe.close()

    async def _run(self) -> None:
        while True:
            self._waits = True
            data = await self._source.read(_READ)
            self._waits = False
            if not data:
                return
            await self._client.tell(frame(self._stream, data))
            self._passed += len(data)

    async def rest(self) -> None:
        """Wait until all is passed on that the program, which has ended, can have written."""
        most = self._passed + HELD
        before = -1
        while not self._task.done() and self._passed < most:
            if self._waits and self._passed == before:
                return
            before = self._passed
            await asyncio.wait([self._task], timeout=LINGER)


class Terminal:
    """A program on a terminal of its own, which has ``size`` from the start.

    What the program is told to be run by (:mod:`gureum.inside.terminal`) has another one in the
    container, so that ours changes nothing of what it passes on."""

    def __init__(
        self,
        argv: Sequence[str],
        incoming: Incoming | None,
        writer: asyncio.StreamWriter | None,
        size: Size | None,
    ) -> None:
        self._argv, self._incoming, self._writer, self._size = argv, incoming, writer, size

    async def __aenter__(self) -> Self:
        self._ours, theirs = os.openpty()
        try:
            tty.setraw(theirs)
            os.set_blocking(self._ours, False)
            if self._size is not None:
                self.resize(self._size)
            # the terminal has to be the child's own, so that it is told of another size
            self._child = await asyncio.create_subprocess_exec(
                "setsid", "--ctty", "--wait", *self._argv,
                stdin=theirs, stdout=theirs, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except BaseException:
            os.close(self._ours)
            raise
        finally:
            os.close(theirs)
        self._feed = asyncio.ensure_future(_type(self._ours, self._incoming))
        self._show = asyncio.ensure_future(_show(self._ours, self._writer))
        return self

    @property
    def pid(self) -> int:
        """The child's."""
        return self._child.pid

    def resize(self, size: Size) -> None:
        """Another size."""
        height, width = (max(0, min(each, 65535)) for each in size)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def end(self) -> tuple[int, str]:
        """Wait until it has ended and what it wrote is passed on; its exit code, and what those who
        were to run it complain of."""
        code = _code(await self._child.wait())
        assert self._child.stderr is not None
        said = await self._child.stderr.read()
        await self._show
        return code, said.decode(errors="replace")

    async def __aexit__(self, *_: object) -> None:
        for task in (self._feed, self._show):
            task.cancel()
        await asyncio.gather(self._feed, self._show, return_exceptions=True)
        os.close(self._ours)
        await end_child(self._child)


def _code(status: int) -> int:
    return status if status >= 0 else 128 - status


async def _feed(incoming: Incoming | None, stdin: asyncio.StreamWriter | None) -> None:
    if incoming is None:
        return
    while data := await incoming.read():
        if stdin is not None:
            stdin.write(data)
            with contextlib.suppress(OSError):
                await stdin.drain()
    if stdin is not None:
        stdin.close()


async def _show(terminal: int, writer: asyncio.StreamWriter | None) -> None:
    client = _Client(writer)
    async for data in _pieces(terminal):
        await client.tell(data)


async def _ready(
    fd: int, add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], bool]
) -> None:
    """Wait until a descriptor can be read or written, as ``add`` and ``remove`` say."""
    ready = asyncio.Event()
    add(fd, ready.set)
    try:
        await ready.wait()
    finally:
        remove(fd)


async def _pieces(fd: int) -> AsyncIterator[bytes]:
    """What can be read of a terminal until its other end is closed."""
    loop = asyncio.get_running_loop()
    while True:
        await _ready(fd, loop.add_reader, loop.remove_reader)
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            continue
        except OSError:
            return
        if not data:
            return
        yield data


async def _type(terminal: int, incoming: Incoming | None) -> None:
    """Pass on what the client types, as fast as it is read."""
    if incoming is None:
        return
    loop = asyncio.get_running_loop()
    while data := await incoming.read():
        while data:
            try:
                data = data[os.write(terminal, data) :]
            except BlockingIOError:
                await _ready(terminal, loop.add_writer, loop.remove_writer)
            except OSError:
                return
