"""Sends images to registries, and asks registries whether they know somebody, by skopeo(1).

Layers that were fetched go as they came; those that were made here are compressed on the way.

Sources: skopeo-copy(1), skopeo-login(1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from gureum.images import told
from gureum.images.catalog import Catalog
from gureum.images.errors import ImageError
from gureum.images.export import save
from gureum.images.image import Image
from gureum.images.reference import Reference
from gureum.images.registry import PATIENCE, Credentials, failure, session

Progress = Callable[[str], None]

_COPYING = re.compile(r"Copying (?:blob|config) (?:sha256:)?([0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a registry has by now: the manifest's digest and its size in bytes."""

    digest: str
    size: int


def push(
    catalog: Catalog,
    image: Image,
    name: Reference,
    progress: Progress,
    credentials: Credentials | None,
) -> Pushed:
    """Send an image to the registry that ``name`` says, under that name.

    Raises:
        ImageError: the registry cannot be reached or refuses it.
    """
    with session(catalog, name, credentials) as skopeo:
        layout, answer = skopeo.folder / "layout", skopeo.folder / "digest"
        save(catalog, [replace(image, names=())], layout, "oci", lambda line: None)
        verify = ["--dest-tls-verify=false"] if skopeo.verify else []
        call = [
            "skopeo", "copy", f"--dest-authfile={skopeo.auth}", *verify,
            f"--digestfile={answer}", f"oci:{layout}", f"docker://{name}",
        ]  # fmt: skip

        def tell(row: str) -> None:
            match = _COPYING.search(row)
            if match:
                progress(told.Line(f"sending {match[1]}", "Pushing", match[1]))

        status, said = told.run(call, tell, patience=PATIENCE)
        if status != 0:
            raise failure(name, said, "sent")
        raw = skopeo.inspect(name)
        return Pushed(answer.read_text(encoding="ascii").strip(), len(raw))


def login(catalog: Catalog, registry: str, credentials: Credentials) -> None:
    """Ask a registry (``host`` or ``host:port``) whether it knows somebody.

    Raises:
        ImageError: it does not, or cannot be reached.
    """
    name = Reference(registry, "login", "latest")
    with session(catalog, name, None) as skopeo:
        call = [
            "skopeo", "login", f"--authfile={skopeo.auth}", *skopeo.verify,
            f"--username={credentials.user}", "--password-stdin", registry,
        ]  # fmt: skip
        done = skopeo.run(name, call, credentials.password.encode())
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace")
            if "invalid username/password" in said or "unauthorized" in said:
                raise ImageError(f"{registry}: unauthorized: incorrect username or password")
            raise failure(name, said, "asked")
