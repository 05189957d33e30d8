"""The engine as a build sees it: it asks for the same as any client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gureum.server.docker.http import Reply, Request

PIECE = 64 * 1024

Ask = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Engine:
    """The container engine of one instance."""

    instance: str
    handle: Ask

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = {},
        body: AsyncIterator[bytes] | None = None,
    ) -> Reply:
        """One request.

        Raises:
            DockerError: the engine refuses it.
        """
        given = tuple(query.items())
        return await self.handle(
            Request(self.instance, method, path, dict(query), {}, body or _nothing(), given)
        )

    @asynccontextmanager
    async def container(
        self, digest: str, argv: tuple[str, ...], env: list[str]
    ) -> AsyncIterator[str]:
        """A container of an image, which is made and removed again; its id."""
        body = {"Image": digest, "Entrypoint": list(argv), "Cmd": [], "Env": env,
                "Healthcheck": {"Test": ["NONE"]}}  # fmt: skip
        reply = await self.ask("POST", "/containers/create", body=_once(body))
        key = str(reply.content["Id"])
        try:
            yield key
        finally:
            await self.ask("DELETE", f"/containers/{key}", {"force": "1", "v": "1"})


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


async def _once(body: dict[str, Any]) -> AsyncIterator[bytes]:
    yield json.dumps(body).encode()
