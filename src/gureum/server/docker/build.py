"""``/build``: Docker's classic builder.

It is a client of the engine: each step is a container of the instance, which it makes, runs and
turns into an image by the same requests as anybody.  So a build can do no more than its instance.

Sources: Docker Engine API 1.43, "ImageBuild"; moby, ``builder/dockerfile``.
"""

from __future__ import annotations

import asyncio
import base64
import json
import posixpath
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, Any

from gureum.containers import ContainerImage, DockerError
from gureum.containers.find import images_of
from gureum.images import Change, Image, ImageConfig, ImageError
from gureum.images.dockerfile import (
    SHELL,
    Instruction,
    arguments,
    command,
    configured,
    read_dockerfile,
    substituted,
)
from gureum.inside import context as context_program
from gureum.server.docker.core import Core
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.images import Images, parsed
from gureum.server.docker.router import Route
from gureum.server.docker.spool import spooled
from gureum.server.docker.streams import end_child
from gureum.server.docker.work import Works

MOST_CONTEXT = 256 << 20
"""Bytes of a context."""
FOLDER_BIT = 1 << 31
"""Of a mode, as Go has it."""
PIECE = 64 * 1024

Ask = Callable[[Request], Awaitable[Reply]]
Row = dict[str, Any]


@dataclass
class Build:
    """One build: ``values`` are those of variables, ``args`` the ones that a client may give;
    ``made`` the images that it has made so far."""

    instance: str
    context: IO[bytes]
    given: dict[str, str]
    args: dict[str, str] = field(default_factory=dict)
    image: Image | None = None
    made: list[str] = field(default_factory=list)

    @property
    def base(self) -> Image:
        """The image so far."""
        assert self.image is not None
        return self.image

    @property
    def values(self) -> dict[str, str]:
        """What variables stand for: ENV is stronger than ARG."""
        env = self.image.config.env if self.image else ()
        return self.args | dict(each.partition("=")[::2] for each in env)


class Builds:
    """Builds of all instances, one at a time in each."""

    def __init__(self, core: Core, works: Works, images: Images, ask: Ask) -> None:
        self._core, self._works, self._images, self._ask_engine = core, works, images, ask
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.routes: tuple[Route, ...] = (
            ("POST", "/build", self.build),
            ("POST", "/build/prune", self.prune),
        )

    async def prune(self, request: Request) -> Reply:
        """No steps are kept."""
        del request
        return Reply(content={"CachesDeleted": None, "SpaceReclaimed": 0})

    async def build(self, request: Request) -> Reply:
        """``docker build`` with ``DOCKER_BUILDKIT=0``."""
        if request.query.get("version") == "2":
            raise DockerError(400, "BuildKit is not here: set DOCKER_BUILDKIT=0")
        if request.query.get("remote"):
            raise DockerError(400, "a context that is elsewhere is not fetched")
        given, labels = (_texts(request, name) for name in ("buildargs", "labels"))
        folder = self._core.keeper.machines.folder(request.instance)
        names = [str(parsed(text)) for text in request.values("t") if text]
        build = Build(request.instance, await spooled(request, folder, MOST_CONTEXT), given)
        file = request.query.get("dockerfile") or "Dockerfile"
        return Reply(stream=self._lines(build, file, labels, names))

    async def _lines(
        self, build: Build, file: str, labels: dict[str, str], names: list[str]
    ) -> AsyncIterator[bytes]:
        yield b""
        async with self._turns[build.instance]:
            before = {row.digest for row in images_of(self._core.view, build.instance)}
            try:
                async for row in self._steps(build, file, labels, names):
                    yield _line(row)
                before.add(build.base.digest)
            except (ImageError, DockerError, OSError) as error:
                yield _line({"errorDetail": {"message": str(error)}, "error": str(error)})
            finally:
                build.context.close()
                await self._forget(build, before)

    async def _forget(self, build: Build, stays: set[str]) -> None:
        """Let go of the images on the way."""

        def act(txn: Any, _now: str) -> None:
            for row in images_of(txn.view, build.instance):
                if row.digest in build.made and row.digest not in stays and not row.names:
                    txn.delete(txn.view.find(ContainerImage, row.id))

        await self._core.change(build.instance, act)

    # --- steps -----------------------------------------------------------------------------------
    async def _steps(
        self, build: Build, file: str, labels: dict[str, str], names: list[str]
    ) -> AsyncIterator[Row]:
        text = await self._read(build.context, "file", file)
        steps = read_dockerfile(text.decode(errors="replace"))
        for number, step in enumerate(steps, start=1):
            yield {"stream": f"Step {number}/{len(steps)} : {step.text}\n"}
            async for row in self._step(build, step):
                yield row
            if build.image is not None:
                yield {"stream": f" ---> {_short(build.image)}\n"}
        if labels:
            config = build.base.config
            await self._derive(build, Change(
                None, _labelled(config, labels), "#(nop) labels", self._core.now()
            ))  # fmt: skip
        yield {"aux": {"ID": build.base.digest}}
        yield {"stream": f"Successfully built {_short(build.base)}\n"}
        for name in names:
            await self._core.run(partial(self._images.keep, build.instance, build.base, name))
            yield {"stream": f"Successfully tagged {parsed(name).short}\n"}

    async def _step(self, build: Build, step: Instruction) -> AsyncIterator[Row]:
        match step.name:
            case "FROM":
                async for row in self._from(build, step):
                    yield row
            case "ARG":
                _declare(build, step)
            case "RUN":
                async for row in self._run(build, step):
                    yield row
            case "ADD" | "COPY":
                await self._copy(build, step)
            case _:
                config = configured(build.base.config, step, build.values)
                note = f"{' '.join(SHELL)} #(nop) {step.text}"
                await self._derive(build, Change(None, config, note, self._core.now()))

    async def _from(self, build: Build, step: Instruction) -> AsyncIterator[Row]:
        name = substituted(step.rest.split()[0], build.args)
        if name == "scratch":
            raise DockerError(400, "FROM scratch is not known here")
        shelf = self._core.keeper.shelf
        try:
            seen = await self._core.run(lambda: shelf.find(build.instance, name))
        except DockerError:
            reply = await self._ask(build, "POST", "/images/create", {"fromImage": name})
            if reply.stream is not None:
                async for piece in reply.stream:
                    for row in map(json.loads, piece.splitlines()):
                        if "error" in row:
                            raise DockerError(500, row["error"]) from None
                        yield row
            seen = await self._core.run(lambda: shelf.find(build.instance, name))
        build.image, build.args = seen.image, {}

    async def _run(self, build: Build, step: Instruction) -> AsyncIterator[Row]:
        argv = command(step, build.base.config.shell)
        key = await self._container(build, argv)
        try:
            await self._ask(build, "POST", f"/containers/{key}/start", {})
            asked = {"follow": "1", "stdout": "1", "stderr": "1"}
            logs = await self._ask(build, "GET", f"/containers/{key}/logs", asked)
            assert logs.stream is not None
            async for piece in logs.stream:
                if piece:
                    yield {"stream": piece[8:].decode(errors="replace")}
            code = self._core.container(build.instance, key).exit_code
            if code != 0:
                raise DockerError(
                    500, f"The command '{' '.join(argv)}' returned a non-zero code: {code}"
                )
            await self._changed(build, key, " ".join(argv))
        finally:
            await self._ask(build, "DELETE", f"/containers/{key}", {"force": "1", "v": "1"})

    async def _copy(self, build: Build, step: Instruction) -> None:
        words = arguments(step, build.values)
        if len(words) < 2:
            raise DockerError(400, f"{step.name} requires at least two arguments")
        *sources, target = words
        if step.name == "ADD" and any(_is_special(each) for each in sources):
            raise DockerError(400, "ADD neither fetches nor unpacks anything here")
        path = posixpath.join("/", build.base.config.working_dir, target)
        uid, gid = _owner(step.flags.get("chown", "0:0"))
        key = await self._container(build, ("/bin/true",))
        try:
            folder = target.endswith("/") or len(sources) > 1 or target in (".", "..")
            order = {"sources": sources, "target": posixpath.normpath(path), "uid": uid, "gid": gid,
                     "folder": folder or await self._is_folder(build, key, path)}  # fmt: skip
            child = await self._program(build.context, "copy", json.dumps(order))
            try:
                where = f"/containers/{key}/archive"
                try:
                    await self._ask(build, "PUT", where, {"path": "/"}, _pieces(child))
                except DockerError:
                    await _finished(child, f"{step.name} failed")
                    raise
                await _finished(child, f"{step.name} failed")
            finally:
                await end_child(child)
            await self._changed(build, key, f"{' '.join(SHELL)} #(nop) {step.text}")
        finally:
            await self._ask(build, "DELETE", f"/containers/{key}", {"force": "1", "v": "1"})

    async def _is_folder(self, build: Build, key: str, path: str) -> bool:
        """Whether a path of a container is a folder; one that is not there is none."""
        try:
            reply = await self._ask(build, "HEAD", f"/containers/{key}/archive", {"path": path})
        except DockerError:
            return False
        if reply.stream is not None:
            async for _ in reply.stream:
                pass
        about = json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))
        return bool(about["mode"] & FOLDER_BIT)

    # --- what steps do ---------------------------------------------------------------------------
    async def _container(self, build: Build, argv: tuple[str, ...]) -> str:
        env = [f"{name}={value}" for name, value in build.args.items() if name not in _env(build)]
        body = {"Image": build.base.digest, "Entrypoint": list(argv), "Cmd": [], "Env": env,
                "Healthcheck": {"Test": ["NONE"]}}  # fmt: skip
        reply = await self._ask(build, "POST", "/containers/create", {}, _once(body))
        return str(reply.content["Id"])

    async def _changed(self, build: Build, key: str, note: str) -> None:
        upper = self._core.keeper.room.folder(build.instance, key) / "upper"
        change = Change(upper, build.base.config, note[:4000], self._core.now())
        await self._derive(build, change)

    async def _derive(self, build: Build, change: Change) -> None:
        images = self._core.keeper.images

        def act() -> Image:
            with images.catalog.adding():
                made = images.derive(build.base.digest, change)
                self._images.keep(build.instance, made, "")
            return made

        build.image = await self._works.once(build.instance, act)
        build.made.append(build.image.digest)

    async def _ask(
        self, build: Build, method: str, path: str, query: dict[str, str],
        body: AsyncIterator[bytes] | None = None,
    ) -> Reply:  # fmt: skip
        given = tuple(query.items())
        return await self._ask_engine(
            Request(build.instance, method, path, query, {}, body or _nothing(), given)
        )

    # --- the context -----------------------------------------------------------------------------
    async def _program(
        self, context: IO[bytes], verb: str, what: str
    ) -> asyncio.subprocess.Process:
        context.seek(0)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(context_program.__file__), verb, what,
            stdin=context, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def _read(self, context: IO[bytes], verb: str, what: str) -> bytes:
        child = await self._program(context, verb, what)
        try:
            found = b"".join([piece async for piece in _pieces(child)])
            await _finished(child, "failed to read the Dockerfile")
        finally:
            await end_child(child)
        return found


async def _pieces(child: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    assert child.stdout is not None
    while piece := await child.stdout.read(PIECE):
        yield piece


async def _finished(child: asyncio.subprocess.Process, what: str) -> None:
    assert child.stderr is not None
    said = await child.stderr.read(PIECE)
    if await child.wait() != 0:
        raise DockerError(500, f"{what}: {said.decode(errors='replace').strip()}")


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


async def _once(body: Row) -> AsyncIterator[bytes]:
    yield json.dumps(body).encode()


def _declare(build: Build, step: Instruction) -> None:
    """ARG: a name with a value of the client's, else its own."""
    for word in arguments(step, build.values):
        name, equals, default = word.partition("=")
        if name in build.given:
            build.args[name] = build.given[name]
        elif equals:
            build.args[name] = substituted(default, build.values)


def _env(build: Build) -> set[str]:
    return {each.partition("=")[0] for each in build.base.config.env}


def _labelled(config: ImageConfig, labels: dict[str, str]) -> ImageConfig:
    return replace(config, labels={**config.labels, **labels})


def _owner(text: str) -> tuple[int, int]:
    uid, _, gid = text.partition(":")
    if not (uid.isdigit() and (gid or uid).isdigit()):
        raise DockerError(400, f"--chown={text[:40]}: only numbers are known here")
    return int(uid), int(gid or uid)


def _is_special(source: str) -> bool:
    """Whether ADD would do more than copy."""
    return "://" in source or source.endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2"))


def _texts(request: Request, name: str) -> dict[str, str]:
    try:
        found = json.loads(request.query.get(name) or "{}")
        return {str(key): str(value) for key, value in found.items() if value is not None}
    except (ValueError, AttributeError, RecursionError):
        raise DockerError(400, f"{name} is no JSON object") from None


def _short(image: Image) -> str:
    return image.id


def _line(row: Row) -> bytes:
    return json.dumps(row).encode() + b"\r\n"
