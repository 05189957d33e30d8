"""``/exec``: one more program in a container that runs.

It is the daemon's child, with the client's connection as its streams; it ends with the container.

Source: Docker Engine API 1.43, "Exec".
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path

from gureum.containers import Container, DockerError
from gureum.containers.requests import Fields
from gureum.inside.within import UserError
from gureum.machines import MachineError
from gureum.machines.nested import Spec
from gureum.machines.oci import CAPABILITIES
from gureum.server.docker import failures
from gureum.server.docker.core import Core
from gureum.server.docker.http import Incoming, Reply, Request
from gureum.server.docker.programs import Pipes, Size, Terminal
from gureum.server.docker.router import Route
from gureum.server.docker.streams import MULTIPLEXED, RAW, frame

KEPT = 256
"""Programs of all instances together that are remembered, the oldest forgotten first."""


@dataclass
class Exec:
    """A program that was asked for; ``pid`` once it runs, ``code`` once it has ended."""

    id: str
    instance: str
    container: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str
    user: str
    tty: bool
    stdin: bool
    stdout: bool
    stderr: bool
    privileged: bool
    begun: bool = False
    pid: int = 0
    code: int | None = None
    terminal: Terminal | None = None
    size: Size | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Execs:
    """Programs beside a container's first."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: OrderedDict[str, Exec] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self.routes: tuple[Route, ...] = (
            ("POST", "/containers/{name}/exec", self.create),
            ("POST", "/exec/{key}/start", self.start),
            ("POST", "/exec/{key}/resize", self.resize),
            ("GET", "/exec/{key}/json", self.inspect),
        )

    async def create(self, request: Request, name: str) -> Reply:
        """Take note of a program that is to be run."""
        row = self._core.container(request.instance, name)
        if row.state != "running":
            raise DockerError(409, f"Container {row.id} is not running")
        if row.paused:
            raise DockerError(409, f"Container {name} is paused, unpause the container before exec")
        body = Fields(await request.json())
        if not body.texts("Cmd"):
            raise DockerError(400, "No exec command specified")
        made = Exec(
            id=secrets.token_hex(32),
            instance=row.instance,
            container=row.id,
            argv=body.texts("Cmd"),
            env=body.texts("Env"),
            cwd=body.text("WorkingDir") or row.process.cwd,
            user=body.text("User") or row.process.user,
            tty=body.flag("Tty"),
            stdin=body.flag("AttachStdin"),
            stdout=body.flag("AttachStdout"),
            stderr=body.flag("AttachStderr"),
            privileged=body.flag("Privileged"),
            size=_size(body),
        )
        self._known[made.id] = made
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return Reply(201, {"Id": made.id})

    def _find(self, request: Request, key: str) -> Exec:
        known = self._known.get(key)
        if known is None or known.instance != request.instance:
            raise DockerError(404, f"No such exec instance: {key}")
        return known

    async def inspect(self, request: Request, key: str) -> Reply:
        """Whether it runs, and how it ended."""
        known = self._find(request, key)
        return Reply(content={
            "ID": known.id,
            "Running": known.begun and not known.ended.is_set(),
            "ExitCode": known.code,
            "ProcessConfig": {"tty": known.tty, "entrypoint": known.argv[0],
                              "arguments": list(known.argv[1:]), "privileged": known.privileged,
                              "user": known.user},
            "OpenStdin": known.stdin, "OpenStdout": known.stdout, "OpenStderr": known.stderr,
            "CanRemove": known.ended.is_set(),
            "ContainerID": known.container, "DetachKeys": "", "Pid": known.pid,
        })  # fmt: skip

    async def resize(self, request: Request, key: str) -> Reply:
        """The size of its terminal."""
        known = self._find(request, key)
        known.size = (request.number("h", 24), request.number("w", 80))
        if known.terminal is not None:
            known.terminal.resize(known.size)
        return Reply(200)

    async def start(self, request: Request, key: str) -> Reply:
        """Run it; its streams are the connection unless it is detached."""
        known = self._find(request, key)
        body = Fields(await request.json())
        row = self._core.container(request.instance, known.container)
        if known.begun:
            raise DockerError(409, f"Error: Exec command {known.id} has already run")
        if row.state != "running":
            raise DockerError(409, f"Container {row.id} is not running")
        known.begun = True
        known.size = _size(body) or known.size
        if body.flag("Detach"):
            task = asyncio.ensure_future(self._run(row, known, None, None))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return Reply(200)

        async def serve(incoming: Incoming, writer: asyncio.StreamWriter) -> None:
            await self._run(row, known, incoming, writer)

        return Reply(hijack=serve, kind=RAW if known.tty else MULTIPLEXED)

    # --- running ---------------------------------------------------------------------------------
    async def _run(
        self,
        row: Container,
        known: Exec,
        incoming: Incoming | None,
        writer: asyncio.StreamWriter | None,
    ) -> None:
        room = self._core.keeper.room
        spec = await self._core.run(lambda: self._spec(row, known))
        stack = contextlib.ExitStack()
        try:
            argv, log = await self._core.run(
                lambda: stack.enter_context(room.exec_argv(row.instance, row.id, spec, known.argv))
            )
            said = await self._program(known, argv, incoming, writer)
            complaint = log.read_text(errors="replace") if log.exists() else said
            if known.code and complaint:
                raise MachineError(failures.of_exec(complaint, known.argv))
        except (MachineError, UserError, OSError) as error:
            known.code = failures.exit_code(str(error))
            if writer is not None and not writer.is_closing():
                text = f"{error}\r\n".encode()
                writer.write(text if known.tty else frame(2, text))
        finally:
            known.ended.set()
            stack.close()

    def _spec(self, row: Container, known: Exec) -> Spec:
        spec = self._core.keeper.specs.of(row, self._core.view, Path(), "")
        caps = tuple(CAPABILITIES) if known.privileged else spec.capabilities
        return replace(
            spec,
            env=(*spec.env, *known.env, *(["TERM=xterm"] if known.tty else [])),
            cwd=known.cwd,
            user=known.user or "0",
            tty=known.tty,
            capabilities=caps,
        )

    async def _program(
        self,
        known: Exec,
        argv: list[str],
        incoming: Incoming | None,
        writer: asyncio.StreamWriter | None,
    ) -> str:
        """Run the program to its end; what the runtime says of it, if that is known apart from what
        the program says."""
        if not known.tty:
            wanted = [writer if wants else None for wants in (known.stdout, known.stderr)]
            async with Pipes(argv, incoming, wanted, feeds=known.stdin) as pipes:
                known.pid = pipes.pid
                known.code = await pipes.end()
            return ""
        async with Terminal(argv, incoming, writer, known.size) as terminal:
            known.pid, known.terminal = terminal.pid, terminal
            try:
                known.code, said = await terminal.end()
            finally:
                known.terminal = None
        return said


def _size(body: Fields) -> Size | None:
    """``ConsoleSize``: rows and columns that the terminal is to have from the start."""
    found = body.numbers("ConsoleSize")
    return (found[0], found[1]) if len(found) == 2 and all(found) else None
