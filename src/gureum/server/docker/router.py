"""Which request is for whom.

Source: Docker Engine API 1.43; "Versioned API and SDK": a path begins with the version that the
client speaks, or with none.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable

from gureum.containers import DockerError
from gureum.server.docker.http import Reply, Request

VERSION, LEAST = "1.43", "1.24"
ENGINE = "24.0.0-gureum"
"""The release of Docker's whose API that is, and whose."""

Act = Callable[..., Awaitable[Reply]]
Route = tuple[str, str, Act]
"""Method, path with ``{name}`` for a part and ``{name...}`` for several, and who acts."""

_VERSIONED = re.compile(r"/v(\d+)\.(\d+)(/.*)")


class Router:
    """Finds the route of a request.  A duplicate is an error."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[tuple[str, str], tuple[re.Pattern[str], Act]] = {}
        for method, path, act in routes:
            if (method, path) in self._routes:
                raise ValueError(f"two routes for {method} {path}")
            self._routes[method, path] = (_pattern(path), act)

    async def __call__(self, request: Request) -> Reply:
        """Answer a request.

        Raises:
            DockerError: 400 on a version that is not spoken, 404 on what is not here.
        """
        path = _unversioned(request.path)
        known = False
        for (method, _), (pattern, act) in self._routes.items():
            match = pattern.fullmatch(path)
            if match is None:
                continue
            known = True
            if method == request.method:
                return await act(request, **match.groupdict())
        if known:
            raise DockerError(405, f"{request.method} is not allowed on {path[:120]}")
        raise DockerError(404, "page not found")


def _pattern(path: str) -> re.Pattern[str]:
    whole = re.sub(r"\{(\w+)\.\.\.\}", r"(?P<\1>.+)", path)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", whole))


def _unversioned(path: str) -> str:
    match = _VERSIONED.fullmatch(path)
    if match is None:
        return path
    asked = (int(match[1]), int(match[2]))
    text = f"{asked[0]}.{asked[1]}"
    if asked > _numbers(VERSION):
        raise DockerError(
            400, f"client version {text} is too new. Maximum supported API version is {VERSION}"
        )
    if asked < _numbers(LEAST):
        raise DockerError(
            400,
            f"client version {text} is too old. Minimum supported API version is {LEAST}, please "
            "upgrade your client to a newer version",
        )
    return match[3]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
