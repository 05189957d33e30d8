"""``/build``: Docker's classic builder.

It is a client of the engine: each step is a container of the instance, which it makes, runs and
turns into an image by the same requests as anybody.  So a build can do no more than its instance.
Stages are images on the way, which only the build knows.

Sources: Docker Engine API 1.43, "ImageBuild"; moby, ``builder/dockerfile``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, Any

from gureum.containers import DockerError
from gureum.containers.changes import forget_steps
from gureum.containers.find import images_of
from gureum.images import Change, Image, ImageConfig, ImageError
from gureum.images.config import write_config
from gureum.images.dockerfile import (
    SHELL,
    Dockerfile,
    Instruction,
    Stage,
    arguments,
    command,
    configured,
    read_dockerfile,
    read_instruction,
    substituted,
)
from gureum.images.manifest import architecture
from gureum.server.docker import copies
from gureum.server.docker.builder import Ask, Engine
from gureum.server.docker.copies import Place
from gureum.server.docker.core import Core
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.images import Images, parsed
from gureum.server.docker.router import Route
from gureum.server.docker.spool import spooled
from gureum.server.docker.streams import end_child
from gureum.server.docker.work import Works

log = logging.getLogger(__name__)

MOST_CONTEXT = 256 << 20
"""Bytes of a context."""
KEPT = 100
"""Images on the way to others that an instance keeps for its next builds."""
MOST_ROWS = 64
"""Lines that a client may be behind."""
PROXIES = frozenset(
    name
    for each in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (each, each.lower())
)
"""What a client may give without that an ARG asks for it."""

Row = dict[str, Any]


@dataclass
class Build:
    """One build: ``given`` are the variables that the client gives, ``used`` those of them that
    were asked for; ``known`` are for the bases of stages, ``args`` of the current stage.  ``done``
    are the images of the stages before."""

    engine: Engine
    context: IO[bytes]
    given: dict[str, str]
    target: str = ""
    quiet: bool = False
    anew: bool = False
    """Whether no step of other builds will do."""
    used: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    done: list[Image] = field(default_factory=list)
    image: Image | None = None
    commanded: bool = False
    """Whether the stage has a CMD of its own, which a later ENTRYPOINT leaves."""
    rows: asyncio.Queue[Row | None] = field(default_factory=lambda: asyncio.Queue(MOST_ROWS))
    """What it tells, and None when it has ended."""
    scratch: str = ""
    """The image with nothing in it, if it was begun with."""

    async def tell(self, **row: Any) -> None:
        """Tell the client something, when it has heard what was before; one that wants it quiet
        hears of the end only."""
        if not self.quiet or not row.keys() & {"stream", "status"}:
            await self.rows.put(row)

    @property
    def instance(self) -> str:
        """Whose build it is."""
        return self.engine.instance

    @property
    def base(self) -> Image:
        """The image so far."""
        assert self.image is not None
        return self.image

    @property
    def env(self) -> dict[str, str]:
        """What the image so far sets."""
        env = self.image.config.env if self.image else ()
        return dict(each.partition("=")[::2] for each in env)

    @property
    def values(self) -> dict[str, str]:
        """What variables stand for: ENV is stronger than ARG."""
        return self.args | self.env

    @property
    def passing(self) -> list[str]:
        """The variables of a command that the image does not keep."""
        own = self.env
        proxies = {name: value for name, value in self.given.items() if name in PROXIES}
        found = {**proxies, **self.args}
        return [f"{name}={value}" for name, value in found.items() if name not in own]

    def named(self, name: str) -> Image | None:
        """An earlier stage by its name."""
        for stage, image in zip(self.stages, self.done, strict=False):
            if stage.name and stage.name == name.lower():
                return image
        return None

    def stage(self, name: str) -> Image | None:
        """An earlier stage by its name or number.

        Raises:
            DockerError: the number is none of an earlier stage.
        """
        image = self.named(name)
        if image is not None or not name.isdecimal():
            return image
        number = int(name)
        if number == len(self.done):
            raise DockerError(400, f"invalid from flag value {name}: refers to current build stage")
        if number > len(self.done):
            raise DockerError(400, f"invalid from flag value {name}: index out of bounds")
        return self.done[number]


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
        """Steps are kept no more."""
        instance = request.instance
        gone = await self._core.change(instance, lambda txn, _: forget_steps(txn, instance, 0))
        return Reply(content={"CachesDeleted": gone or None, "SpaceReclaimed": 0})

    async def build(self, request: Request) -> Reply:
        """``docker build`` with ``DOCKER_BUILDKIT=0``."""
        if request.query.get("version") == "2":
            raise DockerError(400, "BuildKit is not here: set DOCKER_BUILDKIT=0")
        if request.query.get("remote"):
            raise DockerError(400, "a context that is elsewhere is not fetched")
        given, labels = (_texts(request, name) for name in ("buildargs", "labels"))
        folder = self._core.keeper.machines.folder(request.instance)
        names = [str(parsed(text)) for text in request.values("t") if text]
        engine = Engine(request.instance, self._ask_engine)
        build = Build(
            engine, await spooled(request, folder, MOST_CONTEXT), given,
            request.query.get("target") or "", request.flag("q"), request.flag("nocache"),
        )  # fmt: skip
        file = request.query.get("dockerfile") or "Dockerfile"
        return Reply(stream=self._lines(build, file, labels, names))

    async def _lines(
        self, build: Build, file: str, labels: dict[str, str], names: list[str]
    ) -> AsyncIterator[bytes]:
        """What the build tells; it ends with who listens to it."""
        yield b""
        task = asyncio.ensure_future(self._whole(build, file, labels, names))
        try:
            while (row := await build.rows.get()) is not None:
                yield json.dumps(row).encode() + b"\r\n"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _whole(
        self, build: Build, file: str, labels: dict[str, str], names: list[str]
    ) -> None:
        async with self._turns[build.instance]:
            try:
                await self._steps(build, file, labels, names)
            except (ImageError, DockerError, OSError) as error:
                await build.tell(errorDetail={"message": str(error)}, error=str(error))
            except Exception:
                log.exception("a build of %s failed", build.instance)
                await build.tell(error="the engine stumbled; its log says how")
            finally:
                build.context.close()
                with contextlib.suppress(DockerError):  # the instance has gone
                    await self._core.change(
                        build.instance, lambda txn, _: forget_steps(txn, build.instance, KEPT)
                    )
        await build.rows.put(None)

    # --- steps -----------------------------------------------------------------------------------
    async def _steps(
        self, build: Build, file: str, labels: dict[str, str], names: list[str]
    ) -> None:
        text = await self._dockerfile(build.context, file)
        plan = read_dockerfile(text.decode(errors="replace")).until(build.target)
        await self._stages(build, plan)
        unused = sorted(build.given.keys() - build.used - PROXIES)
        if unused:
            words = " ".join(unused)
            await build.tell(
                stream=f"[Warning] One or more build-args [{words}] were not consumed\n"
            )
        if build.base.digest == build.scratch:
            raise DockerError(400, "No image was generated. Is your Dockerfile empty?")
        if labels:
            config = build.base.config
            await self._set(build, _labelled(config, labels), "#(nop) labels")
        await build.tell(aux={"ID": build.base.digest})
        if build.quiet:
            await build.rows.put({"stream": f"{build.base.digest}\n"})
        await build.tell(stream=f"Successfully built {build.base.id}\n")
        own = {row.digest for row in images_of(self._core.view, build.instance)}
        for name in names or ([""] if build.base.digest in own else []):
            await self._core.run(partial(self._images.keep, build.instance, build.base, name))
        for name in names:
            await build.tell(stream=f"Successfully tagged {parsed(name).short}\n")

    async def _dockerfile(self, context: IO[bytes], name: str) -> bytes:
        child = await copies.read(context, "file", name)
        try:
            found = b"".join([piece async for piece in copies.pieces(child)])
            await copies.finished(child, "failed to read the Dockerfile")
        finally:
            await end_child(child)
        return found

    async def _stages(self, build: Build, plan: Dockerfile) -> None:
        build.stages = plan.stages
        numbers = itertools.count(1)

        async def title(step: Instruction) -> None:
            await build.tell(stream=f"Step {next(numbers)}/{plan.size} : {step.text}\n")

        for step in plan.arguments:
            await title(step)
            build.known |= _declared(build, step, build.known)
        for stage in plan.stages:
            await title(stage.start)
            await self._from(build, stage)
            for step in stage.steps:
                await title(step)
                await self._step(build, step)
                await build.tell(stream=f" ---> {build.base.id}\n")
            build.done.append(build.base)

    async def _step(self, build: Build, step: Instruction) -> None:
        match step.name:
            case "ARG":
                build.args |= _declared(build, step, build.values)
            case "RUN":
                await self._run(build, step)
            case "ADD" | "COPY":
                await self._copy(build, step)
            case _:
                before = build.base.config
                config = configured(before, step, build.values)
                if step.name == "ENTRYPOINT" and build.commanded:
                    config = replace(config, cmd=before.cmd)
                build.commanded |= step.name == "CMD"
                note = f"{' '.join(SHELL)} #(nop) {step.text}"
                await self._set(build, config, note)

    async def _from(self, build: Build, stage: Stage) -> None:
        name = substituted(stage.base, build.known)
        if not name:
            raise DockerError(400, f"base name ({stage.base}) should not be blank")
        platform = substituted(stage.start.flags.get("platform", ""), build.known)
        if platform not in ("", "linux", f"linux/{architecture()}"):
            raise DockerError(400, f"--platform={platform[:40]}: this is linux/{architecture()}")
        build.args, build.commanded = {}, False
        build.image = build.named(name)
        if build.image is None and name == "scratch":
            await self._scratch(build)
        elif build.image is None:
            build.image = await self._fetched(build, name)
        await build.tell(stream=f" ---> {build.base.id}\n")
        await self._triggers(build)

    async def _triggers(self, build: Build) -> None:
        """What the base wants to be done by who begins with it."""
        steps = build.base.config.on_build
        if not steps:
            return
        build.image = replace(build.base, config=replace(build.base.config, on_build=()))
        count = f"{len(steps)} build trigger{'s' if len(steps) > 1 else ''}"
        await build.tell(stream=f"# Executing {count}\n")
        for step in steps:
            await self._step(build, read_instruction(step))
            await build.tell(stream=f" ---> {build.base.id}\n")

    # --- images ----------------------------------------------------------------------------------
    async def _find(self, build: Build, name: str) -> Image:
        shelf = self._core.keeper.shelf
        return (await self._core.run(lambda: shelf.find(build.instance, name))).image

    async def _fetched(self, build: Build, name: str) -> Image:
        """An image, pulled if it is not there."""
        try:
            return await self._find(build, name)
        except DockerError:
            pass
        reply = await build.engine.ask("POST", "/images/create", {"fromImage": name})
        if reply.stream is not None:
            async for piece in reply.stream:
                for row in map(json.loads, piece.splitlines()):
                    if "error" in row:
                        raise DockerError(500, row["error"])
                    await build.tell(**row)
        return await self._find(build, name)

    async def _scratch(self, build: Build) -> None:
        """An image with nothing in it."""
        images = self._core.keeper.images

        def act() -> Image:
            with images.catalog.adding():
                made = images.scratch()
                self._images.keep_step(build.instance, made, "", "scratch")
            return made

        build.image = await self._works.once(build.instance, act)
        build.scratch = build.image.digest

    # --- what steps do ---------------------------------------------------------------------------
    async def _set(self, build: Build, config: ImageConfig, note: str) -> None:
        key = _key("set", write_config(config), note)
        if not await self._cached(build, key):
            await self._derive(build, Change(None, config, note, self._core.now()), key)

    async def _run(self, build: Build, step: Instruction) -> None:
        argv = command(step, build.base.config.shell)
        key = _key("run", argv, sorted(build.passing))
        if await self._cached(build, key):
            return
        ask = build.engine.ask
        async with build.engine.container(build.base.digest, argv, build.passing) as made:
            await ask("POST", f"/containers/{made}/start")
            asked = {"follow": "1", "stdout": "1", "stderr": "1"}
            logs = await ask("GET", f"/containers/{made}/logs", asked)
            assert logs.stream is not None
            async for piece in logs.stream:
                if piece:
                    await build.tell(stream=piece[8:].decode(errors="replace"))
            code = self._core.container(build.instance, made).exit_code
            if code != 0:
                raise DockerError(
                    500, f"The command '{' '.join(argv)}' returned a non-zero code: {code}"
                )
            await self._changed(build, made, " ".join(argv), key)

    async def _copy(self, build: Build, step: Instruction) -> None:
        source, engine = None, build.engine
        if "from" in step.flags:
            name = step.flags["from"]
            source = build.stage(name) or await self._fetched(build, name)
            digest = source.digest
        else:
            digest = await copies.digest(build.context, step, build.values)
        owner = substituted(step.flags.get("chown", ""), build.values)
        key = _key(step.name, digest, copies.words(step, build.values), owner)
        if await self._cached(build, key):
            return
        idle = ("/bin/true",)
        async with engine.container(build.base.digest, idle, []) as made, AsyncExitStack() as stack:
            place = Place(engine, made)
            order = await copies.order(step, build.values, build.base.config.working_dir, place)
            if source is None:
                child = await copies.read(build.context, "copy", json.dumps(order))
            else:
                other = await stack.enter_async_context(engine.container(source.digest, idle, []))
                reading = copies.reading(self._core, Place(engine, other), order)
                child = await stack.enter_async_context(reading)
            await copies.put(child, place, f"{step.name} failed")
            await self._changed(build, made, f"{' '.join(SHELL)} #(nop) {step.text}", key)

    async def _cached(self, build: Build, key: str) -> bool:
        """Take what the same step has made of the same image before, if that is there."""
        if build.anew:
            return False
        for row in images_of(self._core.view, build.instance):
            if (row.parent, row.step) == (build.base.digest, key):
                build.image = await self._find(build, row.digest)
                await build.tell(stream=" ---> Using cache\n")
                return True
        return False

    async def _changed(self, build: Build, container: str, note: str, key: str) -> None:
        upper = self._core.keeper.room.folder(build.instance, container) / "upper"
        change = Change(upper, build.base.config, note[:4000], self._core.now())
        await self._derive(build, change, key)

    async def _derive(self, build: Build, change: Change, key: str) -> None:
        images, base = self._core.keeper.images, build.base.digest

        def act() -> Image:
            with images.catalog.adding():
                made = images.derive(base, change)
                self._images.keep_step(build.instance, made, base, key)
            return made

        build.image = await self._works.once(build.instance, act)


def _declared(build: Build, step: Instruction, values: dict[str, str]) -> dict[str, str]:
    """ARG: names with a value of the client's, else their own, else one from before the stages."""
    found: dict[str, str] = {}
    for word in arguments(step, values):
        name, equals, default = word.partition("=")
        build.used.add(name)
        if name in build.given:
            found[name] = build.given[name]
        elif equals:
            found[name] = substituted(default, values | found)
        elif name in build.known:
            found[name] = build.known[name]
    return found


def _key(*what: object) -> str:
    """What tells a step from others that begin with the same image."""
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _labelled(config: ImageConfig, labels: dict[str, str]) -> ImageConfig:
    return replace(config, labels={**config.labels, **labels})


def _texts(request: Request, name: str) -> dict[str, str]:
    try:
        found = json.loads(request.query.get(name) or "{}")
        return {str(key): str(value) for key, value in found.items() if value is not None}
    except (ValueError, AttributeError, RecursionError):
        raise DockerError(400, f"{name} is no JSON object") from None
