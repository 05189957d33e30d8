"""``/containers/{name}/archive`` (``docker cp``), ``top``, ``stats``, ``changes``.

Source: Docker Engine API 1.43, "Container".
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

from gureum.containers import Container, DockerError
from gureum.inside import archive
from gureum.machines import cgroups
from gureum.resources.instance import Instance
from gureum.resources.instance_types import TYPES
from gureum.server.docker.core import Core
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.measures import counters, measures
from gureum.server.docker.router import Route
from gureum.server.docker.streams import end_child

TAR = "application/x-tar"
LINE = 64 * 1024
_READ = 64 * 1024
MOST_CHANGES = 10_000


class Files:
    """A container's files and figures."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.routes: tuple[Route, ...] = (
            ("HEAD", "/containers/{name}/archive", self.about),
            ("GET", "/containers/{name}/archive", self.get),
            ("PUT", "/containers/{name}/archive", self.put),
            ("GET", "/containers/{name}/changes", self.changes),
            ("GET", "/containers/{name}/top", self.top),
            ("GET", "/containers/{name}/stats", self.stats),
        )

    # --- copies ----------------------------------------------------------------------------------
    async def about(self, request: Request, name: str) -> Reply:
        """What is at a path."""
        return await self._out(request, name, "stat")

    async def get(self, request: Request, name: str) -> Reply:
        """A tar file of what is at a path."""
        return await self._out(request, name, "get")

    async def _out(self, request: Request, name: str, verb: str) -> Reply:
        row = self._core.container(request.instance, name)
        stack = contextlib.ExitStack()
        child = await self._helper(row, request, verb, stack, fed=False)
        assert child.stdout is not None
        line = await child.stdout.readline()
        if not line:
            error = await self._complaint(child, row, request)
            stack.close()
            raise error
        about = base64.b64encode(line.strip()).decode()
        headers = {"X-Docker-Container-Path-Stat": about}
        return Reply(stream=self._tar(child, stack), headers=headers, kind=TAR)

    async def _tar(
        self, child: asyncio.subprocess.Process, stack: contextlib.ExitStack
    ) -> AsyncIterator[bytes]:
        assert child.stdout is not None
        try:
            while data := await child.stdout.read(_READ):
                yield data
        finally:
            await end_child(child)
            stack.close()

    async def put(self, request: Request, name: str) -> Reply:
        """Unpack a tar file into a folder."""
        row = self._core.container(request.instance, name)
        if row.read_only:
            raise DockerError(403, "container rootfs is marked read-only")
        with contextlib.ExitStack() as stack:
            child = await self._helper(row, request, "put", stack, fed=True)
            assert child.stdin is not None
            try:
                async for piece in request.body:
                    child.stdin.write(piece)
                    await child.stdin.drain()
                child.stdin.close()
            except (BrokenPipeError, ConnectionResetError):
                pass  # it says itself what is wrong
            except BaseException:
                await end_child(child)
                raise
            if await child.wait() != 0:
                raise await self._complaint(child, row, request)
        return Reply(200)

    async def _helper(
        self, row: Container, request: Request, verb: str, stack: contextlib.ExitStack, *, fed: bool
    ) -> asyncio.subprocess.Process:
        path = request.query.get("path", "")
        if not path or "\0" in path:
            raise DockerError(400, "bad parameter: missing or invalid path")
        room, specs = self._core.keeper.room, self._core.keeper.specs
        argv = await self._core.run(
            lambda: stack.enter_context(
                room.files_argv(row.instance, row.id, specs.layers(row), verb, path)
            )
        )
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=pipe if fed else asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            limit=LINE,
            start_new_session=True,
        )

    async def _complaint(
        self, child: asyncio.subprocess.Process, row: Container, request: Request
    ) -> DockerError:
        assert child.stderr is not None
        said = (await child.stderr.read(_READ)).decode(errors="replace").strip()
        code = await child.wait()
        path = request.query.get("path", "")
        if code == archive.MISSING:
            return DockerError(404, f"Could not find the file {path} in container {row.id}")
        if code == archive.NO_FOLDER:
            return DockerError(400, "extraction point is not a directory")
        return DockerError(500, said or f"the copy ended with {code}")

    async def changes(self, request: Request, name: str) -> Reply:
        """What the upper layer has that the image has not: added, changed or deleted."""
        row = self._core.container(request.instance, name)
        folder = self._core.keeper.room.folder(row.instance, row.id) / "upper"
        layers = await self._core.run(lambda: self._core.keeper.specs.layers(row))
        return Reply(content=await self._core.run(lambda: changed(folder, layers)))

    # --- figures ---------------------------------------------------------------------------------
    async def top(self, request: Request, name: str) -> Reply:
        """Its processes, by the numbers that the machine has for them."""
        row = self._core.container(request.instance, name)
        if row.state != "running":
            raise DockerError(409, f"Container {row.id} is not running")
        cgroup = self._core.keeper.room.cgroup(row.instance, row.id)
        rows = await self._core.run(
            lambda: [_process(pid) for pid in sorted(cgroups.processes(cgroup))]
        )
        titles = ["UID", "PID", "PPID", "CMD"]
        return Reply(content={"Titles": titles, "Processes": [each for each in rows if each]})

    async def stats(self, request: Request, name: str) -> Reply:
        """What it uses, once or each second."""
        row = self._core.container(request.instance, name)
        return Reply(stream=self._stats(row, request.flag("stream", True),
                                        once=request.flag("one-shot")))  # fmt: skip

    async def _stats(self, row: Container, stream: bool, *, once: bool) -> AsyncIterator[bytes]:
        yield b""
        before = None if once else await self._core.run(lambda: self._read(row))
        while True:
            if not once:
                await asyncio.sleep(1)
            now = await self._core.run(lambda: self._read(row))
            shown = measures(row.id, row.name, before, now, self._core.now())
            yield json.dumps(shown).encode() + b"\n"
            before = now
            if not stream or self._core.current(row) is None:
                return

    def _read(self, row: Container) -> dict[str, int]:
        room = self._core.keeper.room
        running = room.running(row.instance, row.id)
        instance = self._core.view.find(Instance, row.instance)
        most = TYPES[instance.type].memory << 20 if instance else 0
        cores, threads = instance.processors if instance else (1, 1)
        cgroup = room.cgroup(row.instance, row.id)
        return counters(cgroup, running.pid if running else 0, most, cores * threads)


def _process(pid: int) -> list[str]:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip()
        rows = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return []
    status = dict(row.partition(":")[::2] for row in rows)
    shown = command.decode(errors="replace") or f"[{status['Name'].strip()}]"
    return [status["Uid"].split()[0], str(pid), status["PPid"].strip(), shown[:4096]]


def changed(upper: Path, layers: tuple[Path, ...]) -> list[dict[str, object]]:
    """The paths of an overlay's upper layer: 0 changed, 1 added, 2 deleted (a whiteout)."""
    found: list[dict[str, object]] = []
    for folder, names, files in os.walk(upper):
        for name in sorted((*names, *files)):
            path = Path(folder, name)
            inside = path.relative_to(upper)
            seen = path.lstat()
            whiteout = stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0
            known = any(os.path.lexists(layer / inside) for layer in layers)
            kind = 2 if whiteout else 0 if known else 1
            found.append({"Path": f"/{inside}", "Kind": kind})
            if len(found) >= MOST_CHANGES:
                return found
    return found
