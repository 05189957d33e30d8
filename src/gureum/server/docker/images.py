"""``/images`` and ``/auth``: what an instance sees of the store, pulls, pushes and calls its own.

An instance is hostile, and what is fetched for it is fetched by the daemon, on this machine's
network: only registries that the operator named are asked anything.

Source: Docker Engine API 1.43, "Image", "Authentication".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection
from typing import Any

from gureum.containers import Container, ContainerImage, DockerError
from gureum.containers import changes as change
from gureum.containers import find as found
from gureum.images import Credentials, Image, ImageError
from gureum.images.reference import DOCKER, Reference, parse, registry
from gureum.model import Txn
from gureum.server.docker import image_shapes as shapes
from gureum.server.docker.core import Core
from gureum.server.docker.http import Reply, Request
from gureum.server.docker.router import Route
from gureum.server.docker.shelf import Seen, named
from gureum.server.docker.work import Tell, Works, in_dockers_words


class Images:
    """Images of instances; ``registries`` are those that they may use."""

    def __init__(self, core: Core, works: Works, registries: Collection[str]) -> None:
        self._core, self._works, self._registries = core, works, registries
        self.routes: tuple[Route, ...] = (
            ("GET", "/images/json", self.list),
            ("POST", "/images/create", self.pull),
            ("POST", "/images/prune", self.prune),
            ("GET", "/images/{name...}/json", self.inspect),
            ("GET", "/images/{name...}/history", self.history),
            ("POST", "/images/{name...}/push", self.push),
            ("POST", "/images/{name...}/tag", self.tag),
            ("DELETE", "/images/{name...}", self.remove),
            ("POST", "/auth", self.login),
        )

    # --- looking ---------------------------------------------------------------------------------
    async def list(self, request: Request) -> Reply:
        """``docker images``."""
        filters = request.filters()
        wanted, dangling = filters.get("reference"), filters.get("dangling")
        shelf = self._core.keeper.shelf
        chosen = await self._core.run(lambda: shelf.list(request.instance))
        if not request.flag("all"):
            chosen = [seen for seen in chosen if seen.row is None or not seen.row.passing]
        if wanted:
            chosen = [seen for each in chosen if (seen := shapes.called(each, wanted)).names]
        if dangling:
            nameless = dangling[-1] in ("1", "true")
            chosen = [seen for seen in chosen if nameless == (not seen.names)]
        return Reply(content=[shapes.summary(seen) for seen in chosen])

    async def inspect(self, request: Request, name: str) -> Reply:
        """``docker image inspect``."""
        return Reply(content=shapes.inspect(await self._found(request, name)))

    async def history(self, request: Request, name: str) -> Reply:
        """``docker history``."""
        return Reply(content=shapes.history(await self._found(request, name)))

    async def _found(self, request: Request, name: str) -> Seen:
        shelf = self._core.keeper.shelf
        return await self._core.run(lambda: shelf.find(request.instance, name))

    # --- registries ------------------------------------------------------------------------------
    async def pull(self, request: Request) -> Reply:
        """``docker pull``: from a registry that is allowed; else what the cloud has is up to date,
        and of the ready images one that is not built yet is."""
        given, tag = request.query.get("fromImage", ""), request.query.get("tag", "")
        if not given:
            raise DockerError(400, "importing images is not available on instances")
        text = f"{given}@{tag}" if tag.startswith("sha256:") else f"{given}:{tag}" if tag else given
        name, instance = parsed(text), request.instance
        if name.domain in self._registries:
            who = credentials(request.headers.get("x-registry-auth", ""))
            return Reply(stream=self._works.lines(
                instance, lambda tell: self._fetch(instance, name, who, tell)
            ))  # fmt: skip
        images, shelf = self._core.keeper.images, self._core.keeper.shelf
        if str(name) in await self._core.run(images.own):
            return Reply(stream=self._works.lines(instance, lambda tell: self._ready(name, tell)))
        try:
            seen = await self._core.run(lambda: shelf.find(instance, text))
        except DockerError:
            raise self._closed(name) from None
        lines = (
            {"status": f"Pulling from {name.path}", "id": name.tag or "latest"},
            {"status": f"Digest: {seen.image.digest}"},
            {"status": f"Status: Image is up to date for {text}"},
        )
        return Reply(content=b"".join(json.dumps(line).encode() + b"\r\n" for line in lines))

    def _closed(self, name: Reference) -> DockerError:
        return DockerError(
            403,
            f"pull access denied for {name.short}: the cloud's image store does not have it "
            f"('gureum image list' tells what it has), and {name.domain} is no registry that "
            "instances may use ('gureum serve --registry' names those)",
        )

    def _fetch(self, instance: str, name: Reference, who: Credentials | None, tell: Tell) -> None:
        tell({"status": f"Pulling from {name.path}", "id": name.tag or name.digest})
        images = self._core.keeper.images
        before = {row.digest for row in found.images_of(self._core.view, instance)}
        try:
            with images.catalog.adding():
                image = images.pull(str(name), in_dockers_words(tell), who, named=False)
                self.keep(instance, image, "" if name.digest else str(name))
        except (ImageError, OSError):
            images.sweep()
            raise
        for layer in image.stack:
            tell({"status": "Pull complete", "progressDetail": {}, "id": _short(layer.digest)})
        new = "Image is up to date" if image.digest in before else "Downloaded newer image"
        tell({"status": f"Status: {new} for {name.short}"})

    def keep(self, instance: str, image: Image, name: str) -> None:
        """Have an instance have an image for itself, by a whole name or without one.

        Raises:
            DockerError: it has too many.
            ImageNotFoundError: the image has just gone.
        """

        self._hold(instance, lambda txn, now: change.name_image(
            txn, instance, image.digest, name, now
        ))  # fmt: skip

    def keep_step(self, instance: str, image: Image, parent: str, step: str) -> None:
        """Have an instance have an image for other builds, which a step made of another.

        Raises:
            DockerError: it has too many.
            ImageNotFoundError: the image has just gone.
        """
        self._hold(instance, lambda txn, now: change.keep_step(
            txn, instance, image.digest, parent, step, now
        ))  # fmt: skip

    def _hold(self, instance: str, act: Callable[[Txn, str], ContainerImage]) -> None:
        row = self._core.change_now(instance, act)
        try:
            self._core.keeper.holds.take(row)
        except ImageError:
            self._core.change_now(instance, lambda txn, _now: txn.delete(row))
            raise

    def _ready(self, name: Reference, tell: Tell) -> None:
        tell({"status": f"Pulling from {name.path}", "id": name.tag})
        image = self._core.keeper.images.ensure(str(name), in_dockers_words(tell, plain=True))
        tell({"status": f"Digest: {image.digest}"})
        tell({"status": f"Status: Image is up to date for {name.short}"})

    async def push(self, request: Request, name: str) -> Reply:
        """``docker push``: to a registry that is allowed."""
        tag = request.query.get("tag", "")
        target = parsed(f"{name}:{tag}" if tag else name)
        seen = await self._found(request, str(target))
        self._allowed(target.domain)
        who = credentials(request.headers.get("x-registry-auth", ""))
        images = self._core.keeper.images

        def act(tell: Tell) -> None:
            tell({"status": f"The push refers to repository [{target.repository}]"})
            done = images.push(seen.image.digest, str(target), in_dockers_words(tell), who)
            tell({"status": f"{target.tag}: digest: {done.digest} size: {done.size}"})
            about = {"Tag": target.tag, "Digest": done.digest, "Size": done.size}
            tell({"progressDetail": {}, "aux": about})

        return Reply(stream=self._works.lines(request.instance, act))

    async def login(self, request: Request) -> Reply:
        """``docker login``: whether a registry that is allowed knows somebody."""
        body = await request.json()
        user, password = body.get("username"), body.get("password")
        if not (isinstance(user, str) and isinstance(password, str) and user):
            raise DockerError(400, "a user name and a password are wanted")
        try:
            host = registry(str(body.get("serveraddress") or DOCKER))
            self._allowed(host)
            who = Credentials(user, password)
            await self._core.run(lambda: self._core.keeper.images.login(host, who))
        except ImageError as error:
            known = "unauthorized" not in str(error)
            raise DockerError(500 if known else 401, f"login attempt failed: {error}") from None
        return Reply(content={"Status": "Login Succeeded", "IdentityToken": ""})

    def _allowed(self, host: str) -> None:
        if host not in self._registries:
            raise DockerError(
                403,
                f"denied: {host} is no registry that instances may use ('gureum serve "
                "--registry' names those)",
            )

    # --- names -----------------------------------------------------------------------------------
    async def tag(self, request: Request, name: str) -> Reply:
        """``docker tag``: a name for this instance only."""
        seen = await self._found(request, name)
        tag = request.query.get("tag", "")
        target = parsed(request.query.get("repo", "") + (f":{tag}" if tag else ""))
        if target.digest:
            raise DockerError(400, "refusing to create a tag with a digest reference")
        await self._core.run(lambda: self.keep(request.instance, seen.image, str(target)))
        return Reply(201)

    async def remove(self, request: Request, name: str) -> Reply:
        """``docker rmi``: a name of the instance's own, or an image that only it has."""
        seen = await self._found(request, name)
        row, meant = seen.row, named(name)
        called = str(meant) if meant is not None and str(meant) in seen.names else ""
        if row is None or (called and called not in row.names):
            raise DockerError(
                409, f"conflict: unable to remove {name}: it is an image of the cloud, not of "
                "this instance's own"
            )  # fmt: skip
        if called and len(row.names) > 1:
            await self._core.change(row.instance, lambda txn, _: _unname(txn, row, called))
            return Reply(content=[{"Untagged": parse(called).short}])
        force = request.flag("force")
        if len(row.names) > 1 and not force:
            raise DockerError(
                409, f"conflict: unable to delete {_short(row.digest)} (must be forced) - image is "
                "referenced in multiple repositories"
            )  # fmt: skip
        await self._core.change(row.instance, lambda txn, _: _drop(txn, row, force=force))
        untagged = [{"Untagged": parse(each).short} for each in row.names]
        return Reply(content=[*untagged, {"Deleted": row.digest}])

    async def prune(self, request: Request) -> Reply:
        """The instance's own without a name; with ``dangling=false`` all that no container has."""
        everything = request.filters().get("dangling", ["true"])[-1] in ("0", "false")

        def act(txn: Txn, _now: str) -> list[str]:
            used = {row.digest for row in txn.view.referrers(request.instance, Container)}
            gone = [
                row
                for row in found.images_of(txn.view, request.instance)
                if row.digest not in used and (everything or not (row.names or row.passing))
            ]
            for row in gone:
                txn.delete(row)
            return [row.digest for row in gone]

        gone = await self._core.change(request.instance, act)
        return Reply(content={
            "ImagesDeleted": [{"Deleted": each} for each in gone] or None, "SpaceReclaimed": 0,
        })  # fmt: skip


def _unname(txn: Txn, row: ContainerImage, name: str) -> None:
    current = txn.view.find(ContainerImage, row.id)
    if current is not None:
        change.unname_image(txn, current, name)


def _drop(txn: Txn, row: ContainerImage, *, force: bool) -> None:
    current = txn.view.find(ContainerImage, row.id)
    if current is not None:
        change.remove_image(txn, current, force=force)


def parsed(text: str) -> Reference:
    """What a name means.

    Raises:
        DockerError: 400, it is none.
    """
    try:
        return parse(text)
    except ImageError:
        raise DockerError(400, f"invalid reference format: {text[:120]}") from None


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def credentials(header: str) -> Credentials | None:
    """Who a client says that it is, in ``X-Registry-Auth``: JSON in base64 for URLs; None where it
    says nothing that can be used."""
    try:
        said: Any = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
        user, password = said.get("username") or "", said.get("password") or ""
        if not user and said.get("auth"):
            user, _, password = base64.b64decode(said["auth"]).decode().partition(":")
    except (ValueError, AttributeError, TypeError):
        return None
    return Credentials(str(user), str(password)) if user else None
