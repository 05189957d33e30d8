"""``/containers/{name}/attach``, ``logs``, ``resize``: what goes in and out of a container.

Source: Docker Engine API 1.43, "Container".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from gureum.containers import Container, DockerError
from gureum.machines.nested.logs import Log, Piece, last_lines
from gureum.server.docker.core import Core
from gureum.server.docker.http import Incoming, Reply, Request
from gureum.server.docker.router import Route
from gureum.server.docker.streams import MULTIPLEXED, RAW, Attachment, frame, resize

LOOK = 0.1
"""Seconds between two looks at a log that is followed."""


class Output:
    """The streams of containers."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.routes: tuple[Route, ...] = (
            ("POST", "/containers/{name}/attach", self.attach),
            ("POST", "/containers/{name}/resize", self.resize),
            ("GET", "/containers/{name}/logs", self.logs),
        )

    # --- attach ----------------------------------------------------------------------------------
    async def attach(self, request: Request, name: str) -> Reply:
        """The container's streams; one that does not run yet is waited for."""
        row = self._core.container(request.instance, name)
        kind = RAW if row.process.tty else MULTIPLEXED

        async def serve(incoming: Incoming, writer: asyncio.StreamWriter) -> None:
            await self._attached(row, request, incoming, writer)

        return Reply(hijack=serve, kind=kind)

    async def _attached(
        self, row: Container, request: Request, incoming: Incoming, writer: asyncio.StreamWriter
    ) -> None:
        if request.flag("logs"):
            for piece in await self._core.run(lambda: list(Log(self._folder(row)).more())):
                writer.write(_shown(piece, row.process.tty, times=False))
        if not request.flag("stream"):
            return
        attachment = await self._reached(row, incoming)
        if attachment is None:
            return
        wants = {1: request.flag("stdout"), 2: request.flag("stderr")}
        feed = asyncio.ensure_future(
            _feed(attachment, incoming, request.flag("stdin") and row.process.stdin)
        )
        try:
            async for stream, data in attachment.output():
                if wants[stream]:
                    writer.write(data if row.process.tty else frame(stream, data))
                    await writer.drain()
        finally:
            feed.cancel()
            attachment.close()

    async def _reached(self, row: Container, incoming: Incoming) -> Attachment | None:
        """The streams of a container that runs, or of one about to be started, from the first byte
        on."""
        if row.state == "running":
            with contextlib.suppress(OSError):
                return Attachment(self._folder(row))
            return None
        loop = asyncio.get_running_loop()
        made: asyncio.Future[Attachment] = loop.create_future()

        def ready(folder: Path) -> None:
            attachment = Attachment(folder)
            loop.call_soon_threadsafe(_settle, made, attachment)

        keeper = self._core.keeper
        keeper.when_made(row.id, ready)
        try:
            if not await self._core.until(lambda: made.done() or self._failed(row)):
                return None
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(made), 1)
            return None
        finally:
            keeper.never_mind(row.id, ready)

    def _failed(self, row: Container) -> bool:
        """Whether a container that was waited for has run, failed, or gone."""
        now = self._core.current(row)
        return now is None or (now.run > row.run and (not now.wanted or now.state == "running"))

    def _folder(self, row: Container) -> Path:
        return self._core.keeper.room.folder(row.instance, row.id)

    async def resize(self, request: Request, name: str) -> Reply:
        """The size of its terminal."""
        row = self._core.container(request.instance, name)
        height, width = request.number("h", 0), request.number("w", 0)
        if row.state != "running":
            raise DockerError(409, f"Container {row.id} is not running")
        with contextlib.suppress(OSError):
            await self._core.run(lambda: resize(self._folder(row), height, width))
        return Reply(200)

    # --- logs ------------------------------------------------------------------------------------
    async def logs(self, request: Request, name: str) -> Reply:
        """What it printed, and with ``follow`` what it prints until it ends."""
        row = self._core.container(request.instance, name)
        if not request.flag("stdout") and not request.flag("stderr"):
            raise DockerError(400, "Bad parameters: you must choose at least one stream")
        tail = request.query.get("tail") or "all"
        if tail != "all" and not tail.isdigit():
            tail = "all"
        kind = RAW if row.process.tty else MULTIPLEXED
        return Reply(stream=self._lines(row, request, tail), kind=kind)

    async def _lines(self, row: Container, request: Request, tail: str) -> AsyncIterator[bytes]:
        log = Log(self._folder(row))
        since, until = _time(request, "since"), _time(request, "until")
        wants = {1: request.flag("stdout"), 2: request.flag("stderr")}
        times, follow = request.flag("timestamps"), request.flag("follow")
        pieces = await self._core.run(lambda: list(log.more()))
        chosen = [p for p in pieces if wants[p.stream] and since <= p.at]
        if tail != "all":
            chosen = last_lines(chosen, int(tail))
        yield b""
        while True:
            for piece in chosen:
                if not until or piece.at <= until:
                    yield _shown(piece, row.process.tty, times)
            if not follow:
                return
            now = self._core.current(row)
            over = now is None or now.state != "running"
            chosen = [p for p in await self._core.run(lambda: list(log.more())) if wants[p.stream]]
            if over and not chosen:
                return
            if not chosen:
                await asyncio.sleep(LOOK)


async def _feed(attachment: Attachment, incoming: Incoming, wanted: bool) -> None:
    """Pass on what the client types, until it says no more."""
    while data := await incoming.read():
        if wanted:
            try:
                await attachment.say(data)
            except OSError:
                return
    if wanted:
        attachment.end_input()


def _settle(future: asyncio.Future[Attachment], attachment: Attachment) -> None:
    if future.done():
        attachment.close()
    else:
        future.set_result(attachment)


def _shown(piece: Piece, tty: bool, times: bool) -> bytes:
    text = f"{piece.at} ".encode() + piece.text if times else piece.text
    return text if tty else frame(piece.stream, text)


def _time(request: Request, name: str) -> str:
    """A time in seconds since 1970 as it stands in logs; texts of this form sort as times do."""
    text = request.query.get(name) or ""
    try:
        seconds = float(text or 0)
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else ""
    except (ValueError, OverflowError, OSError):
        raise DockerError(400, f"{name}: {text[:40]!r} is no time") from None
