"""Names of images, written as people do and as Docker completes them.

``nginx`` is ``docker.io/library/nginx:latest``; ``localhost:5000/web`` is on a registry on this
machine.  Source: ``github.com/distribution/reference``, ``regexp.go`` and ``normalize.go``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gureum.images.errors import ImageError

DOCKER = "docker.io"

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = (
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_WHOLE = re.compile(
    rf"(?P<domain>{_DOMAIN})/(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_REGISTRY = re.compile(_DOMAIN, re.ASCII)
LONGEST = 255
"""Characters of a name without tag and digest."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A whole name.  ``domain`` is the registry's host, with a port if it has one; ``tag`` is
    empty only where there is a ``digest`` (``sha256:…``) instead."""

    domain: str
    path: str
    tag: str
    digest: str = ""

    @property
    def repository(self) -> str:
        """Without tag and digest."""
        return f"{self.domain}/{self.path}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{'@' + self.digest if self.digest else ''}"

    @property
    def short(self) -> str:
        """As people write it: without what is added again when it is read."""
        path = self.repository.removeprefix(f"{DOCKER}/").removeprefix("library/")
        return str(self).replace(
            self.repository, path if self.domain == DOCKER else str(self.repository)
        )

    def pinned(self, digest: str) -> Reference:
        """The same repository's content with this digest, whatever tags say by now."""
        return replace(self, tag="", digest=digest)


def registry(text: str) -> str:
    """A registry as names have it: ``host`` or ``host:port``.  What logins call Docker's is
    understood.

    Raises:
        ImageError: it is none.
    """
    host = re.sub(r"^https?://", "", text).partition("/")[0]
    if host in {"index.docker.io", "registry-1.docker.io"}:
        return DOCKER
    if _REGISTRY.fullmatch(host) is None:
        raise ImageError(f"{text!r} is no registry: HOST or HOST:PORT is wanted")
    return host


def parse(text: str) -> Reference:
    """What a name means.

    Raises:
        ImageError: it is none.
    """
    domain, slash, rest = text.partition("/")
    # What Docker takes for a host has a full stop, a port or capitals, or is "localhost".
    if not slash or not (re.search(r"[.:A-Z]", domain) or domain == "localhost"):
        domain, rest = DOCKER, text
    if domain in {"index.docker.io", DOCKER}:
        domain, rest = DOCKER, rest if "/" in rest else f"library/{rest}"
    match = _WHOLE.fullmatch(f"{domain}/{rest}")
    if match is None:
        capitals = " (capitals are not allowed in it)" if text != text.lower() else ""
        raise ImageError(f"{text!r} is no name of an image{capitals}")
    if len(match["domain"]) + 1 + len(match["path"]) > LONGEST:
        raise ImageError(f"the image's name is longer than {LONGEST} characters: {text[:40]}…")
    digest = match["digest"] or ""
    return Reference(
        match["domain"], match["path"], match["tag"] or ("" if digest else "latest"), digest
    )
