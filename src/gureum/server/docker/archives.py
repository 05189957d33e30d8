"""``/images/get`` and ``/images/load``: images in files.

What is loaded is read by a program of its own, with bounds: a tar file may have millions of entries
and nothing in them.

Source: Docker Engine API 1.43, "ImageGetAll", "ImageLoad".
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from gureum.containers import DockerError
from gureum.images import ImageError
from gureum.images.reference import parse
from gureum.server.docker.core import Core
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.images import Images
from gureum.server.docker.router import Route
from gureum.server.docker.shelf import Seen
from gureum.server.docker.spool import is_full, spooled
from gureum.server.docker.work import Tell, Works

MOST = 4 << 30
"""Bytes of a file that is loaded."""
PATIENCE = 1800.0
PIECE = 1 << 18


class Archives:
    """Saves and loads images."""

    def __init__(self, core: Core, works: Works, images: Images) -> None:
        self._core, self._works, self._images = core, works, images
        self.routes: tuple[Route, ...] = (
            ("GET", "/images/get", self.save),
            ("GET", "/images/{name...}/get", self.save),
            ("POST", "/images/load", self.load),
        )

    # --- out -------------------------------------------------------------------------------------
    async def save(self, request: Request, name: str = "") -> Reply:
        """``docker save``: by the names that the instance knows."""
        shelf, wanted = self._core.keeper.shelf, [name] if name else request.values("names")
        if not wanted:
            raise DockerError(400, "no image was named")
        seen = [await self._core.run(lambda n=each: shelf.find(request.instance, n))  # type: ignore[misc]
                for each in dict.fromkeys(wanted)]  # fmt: skip
        try:
            file = await self._works.once(
                request.instance, lambda: self._written(request.instance, seen)
            )
        except ImageError as error:
            raise DockerError(500, str(error)) from None
        return Reply(stream=_pieces(file), kind="application/x-tar")

    def _written(self, instance: str, seen: list[Seen]) -> IO[bytes]:
        """A file with images, which has no name any more."""
        images = [replace(each.image, names=each.names) for each in seen]
        size = sum(image.size for image in images)
        with tempfile.TemporaryDirectory(dir=self._folder(instance)) as folder:
            there = os.open(folder, os.O_RDONLY)
            try:
                if is_full(there, 2 * size):  # its layers, and then the file of them
                    raise DockerError(507, f"there is no room for {size >> 20} MiB")
            finally:
                os.close(there)
            path = Path(folder, "images.tar")
            self._core.keeper.images.write(images, path, "docker-archive")
            return path.open("rb")

    # --- in --------------------------------------------------------------------------------------
    async def load(self, request: Request) -> Reply:
        """``docker load``: images of the instance's own, by the names in the file."""
        file = await spooled(request, self._folder(request.instance), MOST)
        instance = request.instance
        return Reply(
            stream=self._works.lines(instance, lambda tell: self._load(instance, file, tell))
        )

    def _load(self, instance: str, file: IO[bytes], tell: Tell) -> None:
        images = self._core.keeper.images
        try:
            with file, images.catalog.adding():
                for digest, names in _loaded(images.built.root, file):
                    image = images.find(digest)
                    for name in names or [""]:
                        self._images.keep(instance, image, name)
                        shown = f": {parse(name).short}" if name else f" ID: {digest}"
                        tell({"stream": f"Loaded image{shown}\n"})
        except (ImageError, OSError):
            images.sweep()
            raise

    def _folder(self, instance: str) -> Path:
        return self._core.keeper.machines.folder(instance)


def _loaded(root: Path, file: IO[bytes]) -> list[tuple[str, list[str]]]:
    """The digests of what is brought in, with their names in the file."""
    call = [sys.executable, "-m", "gureum.images.load", str(root), f"/proc/self/fd/{file.fileno()}"]
    try:
        done = subprocess.run(
            call, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=PATIENCE, check=False, pass_fds=[file.fileno()],
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ImageError("the file could not be loaded: it takes too long") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise ImageError(f"the file could not be loaded: {said[-1] if said else done.returncode}")
    return [(digest, names) for digest, names in json.loads(done.stdout)]


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
