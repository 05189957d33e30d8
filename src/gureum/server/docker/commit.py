"""``/commit``: an image of what a container has changed.

Source: Docker Engine API 1.43, "ImageCommit"; moby, ``daemon/commit.go``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gureum.containers import Container, DockerError, Health
from gureum.images import Change, Image, ImageConfig, ImageError
from gureum.images.config import Healthcheck
from gureum.images.dockerfile import configured, read_instruction
from gureum.images.reference import parse
from gureum.server.docker.core import Core
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.images import Images
from gureum.server.docker.router import Route
from gureum.server.docker.work import Works


class Commits:
    """Makes images of containers."""

    def __init__(self, core: Core, works: Works, images: Images) -> None:
        self._core, self._works, self._images = core, works, images
        self.routes: tuple[Route, ...] = (("POST", "/commit", self.commit),)

    async def commit(self, request: Request) -> Reply:
        """``docker commit``; the container stands still meanwhile, unless that is not wanted."""
        row = self._core.container(request.instance, request.query.get("container", ""))
        repo, tag = request.query.get("repo", ""), request.query.get("tag", "")
        name = ""
        try:
            if repo:
                name = str(parse(f"{repo}:{tag}" if tag else repo))
            config = self._configured(row, request.values("changes"))
        except ImageError as error:
            raise DockerError(400, str(error)) from None
        comment, pause = request.query.get("comment", "")[:1000], request.flag("pause", True)
        try:
            image = await self._works.once(
                request.instance, lambda: self.make(row, config, name, comment, pause=pause)
            )
        except (ImageError, OSError) as error:
            raise DockerError(500, str(error)) from None
        return Reply(201, {"Id": image.digest})

    def _configured(self, row: Container, changes: list[str]) -> ImageConfig:
        config = self.config(row)
        for line in filter(None, map(str.strip, "\n".join(changes).splitlines())):
            values = dict(each.partition("=")[::2] for each in config.env)
            config = configured(config, read_instruction(line), values)
        return config

    def config(self, row: Container) -> ImageConfig:
        """What a container of the image would be told: what this one was."""
        below = self._core.keeper.images.find(row.digest).config
        what = row.process
        return ImageConfig(
            env=what.env,
            entrypoint=what.entrypoint,
            cmd=what.cmd,
            user=what.user,
            working_dir=what.cwd if what.cwd != "/" else below.working_dir,
            exposed_ports=tuple(sorted(each if "/" in each else f"{each}/tcp"
                                       for each in {*row.exposed, *below.exposed_ports})),
            volumes=below.volumes,
            labels=dict(row.labels),
            stop_signal=below.stop_signal if what.stop_signal == "SIGTERM" else what.stop_signal,
            healthcheck=_check(row.health),
            shell=below.shell,
        )  # fmt: skip

    def make(
        self, row: Container, config: ImageConfig, name: str, comment: str, *, pause: bool
    ) -> Image:
        """An image of what a container has changed, which its instance has for itself; on a thread
        that may block.

        Raises:
            ImageError: it changed meanwhile, or is too large.
            DockerError: the instance has too many images.
        """
        keeper = self._core.keeper
        upper = keeper.room.folder(row.instance, row.id) / "upper"
        change = Change(
            upper if upper.is_dir() else None,
            config,
            " ".join(row.process.argv)[:4000],
            self._core.now(),
            comment,
        )
        with keeper.images.catalog.adding(), self._still(row, pause=pause):
            image = keeper.images.derive(row.digest, change)
            self._images.keep(row.instance, image, name)
        return image

    @contextlib.contextmanager
    def _still(self, row: Container, *, pause: bool) -> Iterator[None]:
        """Let a container stand still, if it runs."""
        room, paused = self._core.keeper.room, False
        try:
            if pause and row.state == "running" and not row.paused:
                paused = room.pause(row.instance, row.id)
            yield
        finally:
            if paused:
                room.unpause(row.instance, row.id)


def _check(health: Health | None) -> Healthcheck | None:
    if health is None:
        return None
    times = (health.interval, health.timeout, health.start_period, health.retries)
    return Healthcheck(health.test, *times)
