"""``/containers``: made, listed, started, stopped, removed.

Source: Docker Engine API 1.43, "Container".
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from gureum.containers import Container, DockerError, Restart
from gureum.containers import changes as change
from gureum.containers import find as found
from gureum.containers.requests import Fields, read
from gureum.images import Image, ImageError
from gureum.images.config import write_config
from gureum.model import Txn
from gureum.server.docker import failures, shapes
from gureum.server.docker.core import Core
from gureum.server.docker.health import Healths
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.router import Route
from gureum.server.docker.shelf import missing

START_PATIENCE = 90.0
"""Seconds that a start may take until its client is told so."""
LONGEST_STOP = 3600


class Containers:
    """The life of containers."""

    def __init__(self, core: Core, healths: Healths) -> None:
        self._core, self._healths = core, healths
        self.routes: tuple[Route, ...] = (
            ("POST", "/containers/create", self.create),
            ("GET", "/containers/json", self.list),
            ("POST", "/containers/prune", self.prune),
            ("GET", "/containers/{name}/json", self.inspect),
            ("POST", "/containers/{name}/start", self.start),
            ("POST", "/containers/{name}/stop", self.stop),
            ("POST", "/containers/{name}/restart", self.restart),
            ("POST", "/containers/{name}/kill", self.kill),
            ("POST", "/containers/{name}/pause", self.pause),
            ("POST", "/containers/{name}/unpause", self.unpause),
            ("POST", "/containers/{name}/wait", self.wait),
            ("POST", "/containers/{name}/rename", self.rename),
            ("POST", "/containers/{name}/update", self.update),
            ("DELETE", "/containers/{name}", self.remove),
        )

    # --- making ----------------------------------------------------------------------------------
    async def create(self, request: Request) -> Reply:
        """A container that does not run yet."""
        body = await request.json()
        name = request.query.get("name", "")
        asked = Fields(body).text("Image")
        image = await self._core.run(lambda: self._image(request.instance, asked))
        defaults = Fields(write_config(image.config))
        instance = request.instance
        row = await self._core.change(
            instance,
            lambda txn, now: change.create(
                txn, read(txn, instance, name, body, image.digest, defaults, now), now
            ),
        )
        try:
            await self._core.run(lambda: self._core.keeper.holds.take(row))
        except ImageError:
            await self._remove(row, with_volumes=True)
            raise missing(asked) from None
        return Reply(201, {"Id": row.id, "Warnings": []})

    def _image(self, instance: str, name: str) -> Image:
        if not name:
            raise DockerError(400, "no image specified")
        return self._core.keeper.shelf.find(instance, name).image

    # --- looking ---------------------------------------------------------------------------------
    async def list(self, request: Request) -> Reply:
        """``docker ps``."""
        filters = request.filters()
        everything = request.flag("all") or bool(filters.get("status"))
        limit = request.number("limit", 0)
        view, now = self._core.view, self._core.now()
        rows = found.containers_of(view, request.instance)
        if limit > 0:
            rows, everything = rows[:limit], True
        shown = [
            shapes.summary(row, view, row.image, now, self._health(row))
            for row in rows
            if (everything or row.state == "running")
            and matches(row, filters)
            and self._health(row) in filters.get("health", [self._health(row)])
        ]
        return Reply(content=shown)

    def _health(self, row: Container) -> str:
        """The word for its health, as the filter has it."""
        known = self._healths.of(row)
        return known.status if known else "none"

    async def inspect(self, request: Request, name: str) -> Reply:
        """``docker inspect``."""
        row = self._core.container(request.instance, name)
        room = self._core.keeper.room
        running = await self._core.run(lambda: room.running(row.instance, row.id))
        folder = f"/var/lib/docker/containers/{row.id}"
        shape = shapes.inspect(row, self._core.view, running, folder)
        if (known := self._healths.of(row)) is not None:
            shape["State"]["Health"] = known.shown()
        return Reply(content=shape)

    # --- running ---------------------------------------------------------------------------------
    async def start(self, request: Request, name: str) -> Reply:
        """Answered when the program runs."""
        row = self._core.container(request.instance, name)
        if row.wanted:
            return Reply(304)
        await self._start(row)
        return Reply(204)

    async def _start(self, row: Container) -> None:
        def ask(txn: Any, _now: str) -> Container:
            current = found.container(txn.view, row.instance, row.id)
            return current if current.wanted else change.ask_to_run(txn, current)

        asked = await self._core.change(row.instance, ask)

        def settled() -> bool:
            now = self._core.current(row)
            return now is None or now.run != asked.run or now.state == "running" or not now.wanted

        if not await self._core.until(settled, START_PATIENCE):
            raise DockerError(500, f"container {row.id} is still being started")
        now = self._core.current(row)
        error = now.error if now is not None else self._core.last_exit(row.id)[1]
        if error and (now is None or now.run == asked.run):
            raise DockerError(failures.status(error), error)

    async def stop(self, request: Request, name: str) -> Reply:
        """Its signal, and after a while SIGKILL."""
        row = self._core.container(request.instance, name)
        if not row.wanted:
            await self._core.change(row.instance, self._marked(row))
            return Reply(304)
        await self._stop(row, request)
        return Reply(204)

    async def _stop(self, row: Container, request: Request) -> None:
        seconds = request.number("t", row.process.stop_timeout)
        number = signal_number(request.query.get("signal") or row.process.stop_signal)
        await self._core.change(row.instance, self._marked(row))
        await self._end(row, number, LONGEST_STOP if seconds < 0 else min(seconds, LONGEST_STOP))

    async def _end(self, row: Container, number: int, seconds: float) -> None:
        over = self._is_over(row)
        await self._signal(row, number)
        if number == signal.SIGKILL or not await self._core.until(over, seconds):
            if number != signal.SIGKILL:
                await self._signal(row, signal.SIGKILL)
            if not await self._core.until(over, START_PATIENCE):
                raise DockerError(500, f"cannot stop container: {row.id}: it does not end")

    async def _signal(self, row: Container, number: int) -> None:
        """A signal for the first process, which gets it when it goes on; so it does, if it was
        paused."""
        room = self._core.keeper.room
        await self._core.run(lambda: room.kill(row.instance, row.id, number))
        now = self._core.current(row)
        if now is not None and now.paused:
            await self._unpause(now)

    def _marked(self, row: Container) -> Callable[[Any, str], None]:
        def mark(txn: Any, _now: str) -> None:
            change.ask_to_stop(txn, found.container(txn.view, row.instance, row.id))

        return mark

    def _is_over(self, row: Container) -> Callable[[], bool]:
        def over() -> bool:
            now = self._core.current(row)
            return now is None or now.run != row.run or not now.wanted

        return over

    async def restart(self, request: Request, name: str) -> Reply:
        """Stopped if it runs, and started."""
        row = self._core.container(request.instance, name)
        if row.wanted:
            await self._stop(row, request)
        await self._start(row)
        return Reply(204)

    async def kill(self, request: Request, name: str) -> Reply:
        """A signal for the first process."""
        row = self._core.container(request.instance, name)
        number = signal_number(request.query.get("signal") or "SIGKILL")
        if row.state != "running":
            raise DockerError(
                409, f"Cannot kill container: {name}: Container {row.id} is not running"
            )
        if number in (signal.SIGKILL, signal_number(row.process.stop_signal)):
            await self._core.change(row.instance, self._marked(row))
        await self._signal(row, number)
        if number == signal.SIGKILL:
            await self._core.until(self._is_over(row), START_PATIENCE)
        return Reply(204)

    async def pause(self, request: Request, name: str) -> Reply:
        """Its processes stand still."""
        row = self._core.container(request.instance, name)
        await self._core.change(row.instance, lambda txn, _: _paused(txn, row, on=True))
        room = self._core.keeper.room
        if not await self._core.run(lambda: room.pause(row.instance, row.id)):
            await self._unpause(row)
            raise DockerError(500, f"cannot pause container {row.id}: it does not stand still")
        self._core.tell(row, "pause")
        return Reply(204)

    async def unpause(self, request: Request, name: str) -> Reply:
        """They go on."""
        await self._unpause(self._core.container(request.instance, name))
        return Reply(204)

    async def _unpause(self, row: Container) -> None:
        await self._core.change(row.instance, lambda txn, _: _paused(txn, row, on=False))
        await self._core.run(lambda: self._core.keeper.room.unpause(row.instance, row.id))
        self._core.tell(row, "unpause")

    async def wait(self, request: Request, name: str) -> Reply:
        """Its exit code when it has ended; the head of the answer comes at once."""
        row = self._core.container(request.instance, name)
        condition = request.query.get("condition") or "not-running"
        if condition not in ("not-running", "next-exit", "removed"):
            raise DockerError(400, f"invalid condition: {condition[:40]!r}")
        return Reply(stream=self._exits(row, condition))

    async def _exits(self, row: Container, condition: str) -> AsyncIterator[bytes]:
        yield b""
        last = row

        def over() -> bool:
            nonlocal last
            now = self._core.current(row)
            if now is None:
                return True
            last = now
            if condition == "removed":
                return False
            ended = not now.wanted and (now.state != "running")
            if condition == "next-exit":
                return ended and (now.run > row.run or (row.wanted and now.run == row.run))
            return ended

        await self._core.until(over)
        code = last.exit_code
        if self._core.current(row) is None and last.wanted:  # it went as it ended (--rm)
            code, _ = self._core.last_exit(row.id)
        yield json.dumps({"StatusCode": code}).encode() + b"\n"

    # --- changing --------------------------------------------------------------------------------
    async def rename(self, request: Request, name: str) -> Reply:
        """Another name."""
        row = self._core.container(request.instance, name)
        new = request.query.get("name", "")
        await self._core.change(row.instance, lambda txn, _: change.rename(txn, row, new))
        return Reply(204)

    async def update(self, request: Request, name: str) -> Reply:
        """Its restart policy; limits are those of the next start."""
        row = self._core.container(request.instance, name)
        body = Fields(await request.json())
        policy = body.object("RestartPolicy")

        def act(txn: Any, _now: str) -> None:
            current = found.container(txn.view, row.instance, row.id)
            limits = current.limits
            for field, member in (("memory", "Memory"), ("nano_cpus", "NanoCpus"),
                                  ("cpu_shares", "CpuShares"), ("pids", "PidsLimit")):  # fmt: skip
                if body.number(member):
                    limits = replace(limits, **{field: body.number(member)})
            restart = current.restart
            if policy.text("Name"):
                restart = Restart(
                    policy=policy.text("Name"), limit=policy.number("MaximumRetryCount")
                )
            txn.put(replace(current, limits=limits, restart=restart))

        await self._core.change(row.instance, act)
        return Reply(content={"Warnings": None})

    async def remove(self, request: Request, name: str) -> Reply:
        """Removed with its layer; by force it is ended first."""
        row = self._core.container(request.instance, name)
        if row.wanted:
            if not request.flag("force"):
                raise DockerError(
                    409,
                    f"You cannot remove a running container {row.id}. Stop the container before "
                    "attempting removal or force remove",
                )
            await self._core.change(row.instance, self._marked(row))
            await self._end(row, signal.SIGKILL, 0)
        await self._remove(row, with_volumes=request.flag("v"))
        return Reply(204)

    async def _remove(self, row: Container, *, with_volumes: bool) -> None:
        def act(txn: Any, _now: str) -> None:
            current = txn.view.find(Container, row.id)
            if current is not None:
                change.remove(txn, current, with_volumes=with_volumes)

        await self._core.change(row.instance, act)

    async def prune(self, request: Request) -> Reply:
        """All that do not run."""
        rows = [r for r in found.containers_of(self._core.view, request.instance) if not r.wanted]
        rows = [row for row in rows if matches(row, request.filters())]
        await asyncio.gather(*(self._remove(row, with_volumes=False) for row in rows))
        return Reply(content={"ContainersDeleted": [r.id for r in rows], "SpaceReclaimed": 0})


def _paused(txn: Txn, row: Container, *, on: bool) -> None:
    change.pause(txn, found.container(txn.view, row.instance, row.id), on=on)


def signal_number(text: str) -> int:
    """A signal by name or number.

    Raises:
        DockerError: 400, there is no such signal.
    """
    if text.isdigit() and 0 < int(text) < signal.NSIG:
        return int(text)
    name = text.upper()
    found = signal.__dict__.get(name if name.startswith("SIG") else f"SIG{name}")
    if not isinstance(found, signal.Signals):
        raise DockerError(400, f"Invalid signal: {text[:20]}")
    return int(found)


def matches(row: Container, filters: dict[str, list[str]]) -> bool:
    """Whether a container is one that the filters mean.

    Raises:
        DockerError: 400, there is no such filter.
    """
    return all(_matches(row, name, values) for name, values in filters.items())


def _matches(row: Container, name: str, values: list[str]) -> bool:
    labels = dict(row.labels)
    match name:
        case "label":
            pairs = (each.partition("=") for each in values)
            return all(k in labels and (not eq or labels[k] == v) for k, eq, v in pairs)
        case "id":
            return any(row.id.startswith(each) for each in values)
        case "name":
            return any(each.strip("^$").removeprefix("/") in row.name for each in values)
        case "status":
            return row.status in values
        case "ancestor":
            return any(each in (row.image, row.digest, row.image.split(":")[0]) for each in values)
        case "exited":
            return row.state == "exited" and str(row.exit_code) in values
        case "volume":
            return any(each in (m.source, m.target) for m in row.mounts for each in values)
        case "network":
            ids = {end.network for end in row.endpoints}
            return any(each == key or key.startswith(each) for key in ids for each in values)
        case "until" | "health" | "publish" | "expose":
            return True
    raise DockerError(400, f"invalid filter '{name[:40]}'")
