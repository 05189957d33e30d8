"""The metadata service: one request's answer, whatever carries it.

Sources: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata" (tokens,
codes, what is refused) and "Instance metadata categories" (paths).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from gureum.iam.instance_role import InstanceRoles
from gureum.model import View
from gureum.resources.instance import Instance
from gureum.services.metadata import VERSIONS, Tree, tree, user_data
from gureum.services.tokens import SECONDS, Tokens

TOKEN_PATH = ("latest", "api", "token")
TOKEN = "x-aws-ec2-metadata-token"  # noqa: S105 - the name of a header
LIFETIME = "x-aws-ec2-metadata-token-ttl-seconds"
FORWARDED = "x-forwarded-for"

_ROLE = ((), ("meta-data",), ("meta-data", "iam"))
"""The first two steps of paths that show the role, if only by its name: no other asks for it."""

TEXT, OCTETS, PAGE = "text/plain", "application/octet-stream", "text/html"


@dataclass(frozen=True)
class Request:
    """A request: ``headers`` have names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """An answer.  ``hop_limit`` is how many hops its packets may take; None for any number."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    hop_limit: int | None = None


class Metadata:
    """Answers instances about themselves; ``roles`` has the credentials of their roles."""

    def __init__(self, tokens: Tokens, roles: InstanceRoles | None = None) -> None:
        self._tokens = tokens
        self._roles = roles

    def answer(
        self, view: View, row: Instance, request: Request, *, ipv6: bool = False
    ) -> Response:
        """The answer to a request of an instance, which may have come over IPv6."""
        if row.metadata.endpoint != "enabled" or (ipv6 and row.metadata.ipv6 != "enabled"):
            return _error(HTTPStatus.FORBIDDEN)
        parts = tuple(part for part in request.path.partition("?")[0].split("/") if part)
        if request.method == "PUT":
            made = self._token(row, request, parts)
            return replace(made, hop_limit=row.metadata.hop_limit)
        if request.method not in ("GET", "HEAD") or parts == TOKEN_PATH:
            return _error(HTTPStatus.METHOD_NOT_ALLOWED)
        token = request.headers.get(TOKEN)
        if token is None:
            if row.metadata.tokens == "required":
                return _error(HTTPStatus.UNAUTHORIZED)
            return _found(view, row, parts, self._roles)
        left = self._tokens.remaining(_session(row), token)
        if left is None:
            return _error(HTTPStatus.UNAUTHORIZED)
        found = _found(view, row, parts, self._roles)
        return replace(found, headers={**found.headers, LIFETIME: str(left)})

    def _token(self, row: Instance, request: Request, parts: tuple[str, ...]) -> Response:
        """A new token.  A proxy that can be made to send a PUT tells whom it speaks for."""
        if parts != TOKEN_PATH or FORWARDED in request.headers:
            return _error(HTTPStatus.FORBIDDEN)
        asked = request.headers.get(LIFETIME, "").strip()
        if not (asked.isascii() and asked.isdigit() and len(asked) < 9 and int(asked) in SECONDS):
            return _error(HTTPStatus.BAD_REQUEST)
        made = self._tokens.issue(_session(row), int(asked))
        return _ok(made.encode(), TEXT, {LIFETIME: asked})


def _session(row: Instance) -> str:
    """What a token is good for: one boot of one instance."""
    return f"{row.id}/{row.boot}"


def _found(
    view: View, row: Instance, parts: tuple[str, ...], roles: InstanceRoles | None
) -> Response:
    """What is at a path."""
    if not parts:
        return _ok("\n".join(VERSIONS).encode(), TEXT)
    if parts[0] not in VERSIONS:
        return _error(HTTPStatus.NOT_FOUND)
    data, below = user_data(row), parts[1:]
    if below == ("user-data",):
        return _ok(data, OCTETS) if data is not None else _error(HTTPStatus.NOT_FOUND)
    root = tree(view, row, roles if parts[1:3] in _ROLE else None)
    if not below:
        names = [*root, *(["user-data"] if data is not None else [])]
        return _ok("\n".join(names).encode(), TEXT)
    value = _at(root, below)
    if value is None:
        return _error(HTTPStatus.NOT_FOUND)
    said = value if isinstance(value, str) else _listed(row, below, value)
    return _ok(said.encode(), TEXT)


def _at(root: Tree, parts: tuple[str, ...]) -> str | Tree | None:
    value: str | Tree = root
    for index, part in enumerate(parts):
        if isinstance(value, str):
            return None
        rest = "/".join(parts[index:])
        if rest in value:  # a tag's key may have strokes
            return value[rest]
        found = value.get(part)
        if found is None:
            return None
        value = found
    return value


def _listed(row: Instance, parts: tuple[str, ...], value: Tree) -> str:
    """The names of what is below, those of branches with a stroke."""
    if parts == ("meta-data", "public-keys"):
        return "\n".join(f"{number}={row.key_name or ''}" for number in value)
    return "\n".join(name if isinstance(value[name], str) else f"{name}/" for name in sorted(value))


def _ok(body: bytes, kind: str, more: Mapping[str, str] | None = None) -> Response:
    return Response(200, body, {"content-type": kind, **(more or {})})


def _error(status: HTTPStatus) -> Response:
    """The page of an error, as a browser would show it."""
    title = f"{status.value} - {status.phrase}"
    page = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        f'<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        f" <head>\n  <title>{title}</title>\n </head>\n"
        f" <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    )
    return Response(status.value, page.encode(), {"content-type": PAGE})
