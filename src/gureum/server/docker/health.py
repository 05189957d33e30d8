"""Health checks: a program that is run in a container from time to time tells whether it does its
work.

What is known lives as long as the daemon: the next one begins to ask anew.

Source: Docker Engine API 1.43, ``HealthConfig``, ``Health``; moby, ``daemon/health.go``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from gureum.containers import Container, Health
from gureum.inside.within import UserError
from gureum.machines import MachineError
from gureum.server.docker.core import Core
from gureum.server.docker.streams import end_tree

log = logging.getLogger(__name__)

KEPT = 5
"""Probes of a container that are remembered."""
MOST_OUTPUT = 4096
"""Bytes of a probe's output that are kept."""
SECOND = 1e9
SHORTEST = 1.0
"""Seconds between two probes at least, and how many one instance has at a time: they are programs
that the machine starts."""
AT_ONCE = 4
TIMED_OUT = -1
"""The exit code of a probe that took too long."""

Status = Literal["starting", "healthy", "unhealthy"]


@dataclass(frozen=True)
class Probe:
    """One run of the program."""

    begun: str
    ended: str
    code: int
    output: str

    def shown(self) -> dict[str, Any]:
        """As the API tells it."""
        return {
            "Start": self.begun,
            "End": self.ended,
            "ExitCode": self.code,
            "Output": self.output,
        }


@dataclass
class State:
    """What is known of a container."""

    status: Status = "starting"
    failing: int = 0
    probes: deque[Probe] = field(default_factory=lambda: deque(maxlen=KEPT))

    def hears(self, probe: Probe, health: Health, *, early: bool) -> None:
        """Take note of a probe; ``early`` ones, which may fail, are in the start period."""
        self.probes.append(probe)
        if probe.code == 0:
            self.status, self.failing = "healthy", 0
            return
        if early and self.status == "starting":
            return
        self.failing += 1
        if self.failing >= health.retries:
            self.status = "unhealthy"

    def shown(self) -> dict[str, Any]:
        """As the API tells it."""
        return {
            "Status": self.status,
            "FailingStreak": self.failing,
            "Log": [each.shown() for each in self.probes],
        }


class Healths:
    """Asks all containers that run and have a check."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[str, State] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        core.listeners.append(self._follow)

    def begin(self) -> None:
        """Take up what runs already; on the loop."""
        for row in self._core.view.all(Container):
            self._follow(None, row)

    def of(self, row: Container) -> State | None:
        """What is known of a container that has a check and runs, or ran."""
        return self._known.get(row.id) if row.health is not None else None

    def _follow(self, old: Container | None, new: Container | None) -> None:
        """A container's row has changed."""
        row = new or old
        if row is None or row.health is None:
            return
        runs = new is not None and new.state == "running"
        again = old is not None and new is not None and old.run != new.run
        task = self._tasks.get(row.id)
        if task is not None and (not runs or again):
            task.cancel()
            del self._tasks[row.id]
            task = None
        if new is None:
            self._known.pop(row.id, None)
        elif runs and task is None:
            self._known[row.id] = State()
            self._tasks[row.id] = asyncio.ensure_future(self._ask(new, new.health or row.health))

    async def _ask(self, row: Container, health: Health) -> None:
        loop, state = asyncio.get_running_loop(), self._known[row.id]
        begun = loop.time()
        while True:
            await asyncio.sleep(max(SHORTEST, health.interval / SECOND))
            now = self._core.current(row)
            if now is not None and now.paused:
                continue
            early = loop.time() - begun < health.start_period / SECOND
            try:
                async with self._turns[row.instance]:
                    probe = await self._probe(row, health)
            except Exception:
                log.exception("the health of container %s could not be asked", row.id[:12])
                continue
            before = state.status
            state.hears(probe, health, early=early)
            if state.status != before:
                self._core.tell(row, f"health_status: {state.status}")

    async def _probe(self, row: Container, health: Health) -> Probe:
        begun = self._core.now()
        try:
            async with asyncio.timeout(health.timeout / SECOND):
                code, output = await self._run(row, _argv(health))
        except TimeoutError:
            seconds = f"{health.timeout / SECOND:g}"
            code, output = TIMED_OUT, f"Health check exceeded timeout ({seconds}s)"
        except (MachineError, UserError, OSError) as error:
            code, output = TIMED_OUT, str(error)
        return Probe(begun, self._core.now(), code, output)

    async def _run(self, row: Container, argv: tuple[str, ...]) -> tuple[int, str]:
        keeper = self._core.keeper
        spec = await self._core.run(lambda: keeper.specs.of(row, self._core.view, Path(), ""))
        spec = replace(spec, tty=False)
        with contextlib.ExitStack() as stack:
            call, complaints = await self._core.run(
                lambda: stack.enter_context(keeper.room.exec_argv(row.instance, row.id, spec, argv))
            )
            code, said = await _output(call)
            words = said or (complaints.read_text(errors="replace") if complaints.exists() else "")
        return code, words


def _argv(health: Health) -> tuple[str, ...]:
    kind, *words = health.test
    return ("/bin/sh", "-c", *words[:1]) if kind == "CMD-SHELL" else tuple(words)


async def _output(call: list[str]) -> tuple[int, str]:
    """Run a program; its exit code, and the beginning of what it says."""
    child = await asyncio.create_subprocess_exec(
        *call,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert child.stdout is not None
    said = bytearray()
    try:
        while data := await child.stdout.read(MOST_OUTPUT):
            said += data[: MOST_OUTPUT - len(said)]
        return await child.wait(), said.decode(errors="replace")
    finally:
        await end_tree(child)
