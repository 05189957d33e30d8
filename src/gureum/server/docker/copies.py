"""COPY and ADD of a build: files from its context, from earlier stages and from images.

Who reads them is a program away from the daemon: for a context with bounds, for an image locked
into its files, as ``docker cp`` is.

Sources: Docker, "Dockerfile reference"; moby, ``builder/dockerfile/copy.go``,
``internals_linux.go``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import posixpath
import sys
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO, Any

from gureum.containers import DockerError
from gureum.images.dockerfile import Instruction, arguments, substituted
from gureum.inside import context as context_program
from gureum.server.docker.builder import PIECE, Engine
from gureum.server.docker.core import Core
from gureum.server.docker.streams import end_child

FOLDER_BIT = 1 << 31
"""Of a mode, as Go has it."""
MOST_USERS = 1 << 20
"""Bytes of ``/etc/passwd`` and ``/etc/group`` that are looked at."""

Process = asyncio.subprocess.Process


@dataclass(frozen=True, slots=True)
class Place:
    """A container that a build made: the instance's, and its id."""

    engine: Engine
    key: str

    @property
    def archive(self) -> str:
        """Where its files are asked for."""
        return f"/containers/{self.key}/archive"


def words(step: Instruction, values: dict[str, str]) -> list[str]:
    """What is to be copied, and where to.

    Raises:
        DockerError: it says too little, or what cannot be.
    """
    found = arguments(step, values)
    if len(found) < 2:
        raise DockerError(400, f"{step.name} requires at least two arguments")
    if step.name == "ADD" and any("://" in each for each in found):
        raise DockerError(400, "ADD fetches nothing here")
    return found


async def order(
    step: Instruction, values: dict[str, str], cwd: str, target: Place
) -> dict[str, Any]:
    """What a COPY or ADD orders, for the programs that read; into a container, where paths that do
    not begin with ``/`` are below ``cwd``.

    Raises:
        DockerError: it says what cannot be.
    """
    *sources, name = words(step, values)
    path = posixpath.join("/", cwd, name)
    there = await _is_folder(target, path)
    folder = name.endswith("/") or len(sources) > 1 or name in (".", "..")
    uid, gid = await _owner(target, substituted(step.flags.get("chown", ""), values))
    return {
        "sources": sources,
        "target": posixpath.normpath(path),
        "folder": folder or there,
        "there": there,
        "uid": uid,
        "gid": gid,
        "unpacked": step.name == "ADD",
    }


async def digest(context: IO[bytes], step: Instruction, values: dict[str, str]) -> str:
    """What tells the files of a context that a COPY or ADD takes from others.

    Raises:
        DockerError: one is not there.
    """
    *sources, _ = words(step, values)
    about = {"sources": sources, "target": "/", "folder": True, "there": False, "uid": 0, "gid": 0,
             "unpacked": False}  # fmt: skip
    child = await read(context, "digest", json.dumps(about))
    try:
        found = b"".join([piece async for piece in pieces(child)])
        await finished(child, f"{step.name} failed")
    finally:
        await end_child(child)
    return found.decode()


async def read(context: IO[bytes], verb: str, what: str) -> Process:
    """The program that reads a context."""
    context.seek(0)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(context_program.__file__), verb, what,
        stdin=context, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def put(child: Process, target: Place, failed: str) -> None:
    """Unpack what a program writes into a container.

    Raises:
        DockerError: the program complains, or the container does.
    """
    try:
        try:
            await target.engine.ask("PUT", target.archive, {"path": "/"}, pieces(child))
        except DockerError:
            await finished(child, failed)
            raise
        await finished(child, failed)
    finally:
        await end_child(child)


@contextlib.asynccontextmanager
async def reading(core: Core, source: Place, what: dict[str, Any]) -> AsyncIterator[Process]:
    """The program that reads the files of a container."""
    row = core.container(source.engine.instance, source.key)
    room, specs = core.keeper.room, core.keeper.specs
    with contextlib.ExitStack() as stack:
        argv = await core.run(
            lambda: stack.enter_context(
                room.files_argv(row.instance, row.id, specs.layers(row), "copy", json.dumps(what))
            )
        )
        yield await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip


async def pieces(child: Process) -> AsyncIterator[bytes]:
    """What a program writes."""
    assert child.stdout is not None
    while piece := await child.stdout.read(PIECE):
        yield piece


async def finished(child: Process, what: str) -> None:
    """Wait for the end of a program.

    Raises:
        DockerError: it failed; ``what`` and its words.
    """
    assert child.stderr is not None
    said = await child.stderr.read(PIECE)
    if await child.wait() != 0:
        raise DockerError(500, f"{what}: {said.decode(errors='replace').strip()}")


async def _is_folder(place: Place, path: str) -> bool:
    """Whether a path of a container is a folder; one that is not there is none."""
    try:
        reply = await place.engine.ask("HEAD", place.archive, {"path": path})
    except DockerError:
        return False
    if reply.stream is not None:
        async for _ in reply.stream:
            pass
    about = json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))
    return bool(about["mode"] & FOLDER_BIT)


# --- owners -------------------------------------------------------------------------------------
async def _owner(place: Place, text: str) -> tuple[int, int]:
    """The numbers of a user and a group, which is the user's namesake if none is named."""
    if not text:
        return 0, 0
    user, _, group = text.partition(":")
    uid = await _number(place, "user", user, "passwd")
    return uid, await _number(place, "group", group or user, "group")


async def _number(place: Place, kind: str, name: str, file: str) -> int:
    if name.isdecimal():
        return int(name)
    rows = [row.split(":") for row in (await _text(place, f"/etc/{file}")).splitlines()]
    for row in rows:
        if len(row) > 2 and row[0] == name and row[2].isdecimal():
            return int(row[2])
    short = {"user": "uid", "group": "gid"}[kind]
    raise DockerError(
        500,
        "unable to convert uid/gid chown string to host mapping: "
        f"can't find {short} for {kind} {name[:80]}: no such {kind}: {name[:80]}",
    )


async def _text(place: Place, path: str) -> str:
    """The beginning of a file of a container; "" if there is none."""
    try:
        reply = await place.engine.ask("GET", place.archive, {"path": path})
    except DockerError:
        return ""
    data = b""
    assert reply.stream is not None
    async with contextlib.aclosing(reply.stream) as stream:  # type: ignore[type-var]
        async for piece in stream:
            data += piece
            if len(data) > MOST_USERS:
                break
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            member = tar.next()
            file = tar.extractfile(member) if member is not None and member.isreg() else None
            return file.read().decode(errors="replace") if file is not None else ""
    except (tarfile.TarError, OSError):
        return ""
