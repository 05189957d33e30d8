"""``/exec``: one more program in a container that runs.

It is the daemon's child, with the client's connection as its streams; it ends with the container.

Source: Docker Engine API 1.43, "Exec".
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import struct
import termios
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
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
from gureum.server.docker.router import Route
from gureum.server.docker.streams import MULTIPLEXED, RAW, end_child, frame

KEPT = 256
"""Programs of all instances together that are remembered, the oldest forgotten first."""
LINGER = 1.0
"""Seconds that the streams of a program which has ended are read on: others may hold them."""
_READ = 32 * 1024


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
    terminal: int | None = None
    size: tuple[int, int] | None = None
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
        _resize(known)
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
            await (self._terminal if known.tty else self._pipes)(known, argv, incoming, writer)
            complaint = log.read_text(errors="replace") if log.exists() else ""
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

    async def _pipes(
        self,
        known: Exec,
        argv: list[str],
        incoming: Incoming | None,
        writer: asyncio.StreamWriter | None,
    ) -> None:
        feeds = known.stdin and incoming is not None
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if feeds else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        known.pid = child.pid
        assert child.stdout is not None
        assert child.stderr is not None
        feed = asyncio.ensure_future(_feed(incoming, child.stdin))
        outputs = [
            asyncio.ensure_future(_pass_on(child.stdout, 1, writer if known.stdout else None)),
            asyncio.ensure_future(_pass_on(child.stderr, 2, writer if known.stderr else None)),
        ]
        try:
            known.code = _code(await child.wait())
            await asyncio.wait(outputs, timeout=LINGER)
        finally:
            for task in (feed, *outputs):
                task.cancel()
            await end_child(child)

    async def _terminal(
        self,
        known: Exec,
        argv: list[str],
        incoming: Incoming | None,
        writer: asyncio.StreamWriter | None,
    ) -> None:
        ours, theirs = os.openpty()
        try:
            known.terminal = ours
            _resize(known)
            # the terminal has to be the child's own, so that it is told of another size
            child = await asyncio.create_subprocess_exec(
                "setsid", "--ctty", "--wait", *argv, stdin=theirs, stdout=theirs, stderr=theirs
            )
        finally:
            os.close(theirs)
        known.pid = child.pid
        os.set_blocking(ours, False)
        feed = asyncio.ensure_future(_type(ours, incoming))
        show = asyncio.ensure_future(_show(ours, writer))
        try:
            known.code = _code(await child.wait())
            await asyncio.wait([show], timeout=LINGER)
        finally:
            known.terminal = None
            for task in (feed, show):
                task.cancel()
            await asyncio.gather(feed, show, return_exceptions=True)
            os.close(ours)
            await end_child(child)


def _code(status: int) -> int:
    return status if status >= 0 else 128 - status


def _resize(known: Exec) -> None:
    if known.terminal is not None and known.size is not None:
        height, width = (max(0, min(each, 65535)) for each in known.size)
        size = struct.pack("HHHH", height, width, 0, 0)
        with contextlib.suppress(OSError):
            fcntl.ioctl(known.terminal, termios.TIOCSWINSZ, size)


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


async def _pass_on(
    source: asyncio.StreamReader, stream: int, writer: asyncio.StreamWriter | None
) -> None:
    while data := await source.read(_READ):
        if writer is not None:
            writer.write(frame(stream, data))
            await writer.drain()


async def _show(terminal: int, writer: asyncio.StreamWriter | None) -> None:
    async for data in _pieces(terminal):
        if writer is not None:
            writer.write(data)
            await writer.drain()


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
