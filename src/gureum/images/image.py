"""What the store knows of one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gureum.images.config import History, ImageConfig


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer.

    ``diff_id`` is the digest of its tar file and ``digest`` that of the blob by which it was
    fetched, most often the same compressed; it is empty for layers made here.  ``size`` are the
    bytes of its files.  ``path`` is the read-only directory that has them, with whiteouts as
    overlayfs wants them.
    """

    diff_id: str
    digest: str
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class Image:
    """One image of the store.

    ``digest`` is that of its configuration, ``sha256:…``, which Docker calls the image's id;
    ``names`` are whole, as ``docker.io/library/nginx:latest``; ``sources`` are the repositories it
    was pulled from, with the digest of its manifest there.  ``stack`` are its layers, the lowest
    first.  ``created`` is RFC 3339 or empty, ``architecture`` and ``os`` are Go's names.
    """

    digest: str
    names: tuple[str, ...]
    sources: tuple[str, ...]
    stack: tuple[Layer, ...]
    config: ImageConfig
    created: str
    architecture: str
    os: str
    history: tuple[History, ...]

    @property
    def layers(self) -> tuple[Path, ...]:
        """The layers' directories, the lowest first.  They are read-only and shared: mount them
        with overlayfs, whose ``lowerdir`` has the highest first.  Only root may enter them."""
        return tuple(layer.path for layer in self.stack)

    @property
    def size(self) -> int:
        """Bytes of the files of all layers, also of those that other images share."""
        return sum(layer.size for layer in self.stack)

    @property
    def id(self) -> str:
        """The digest's first twelve characters."""
        return self.digest.removeprefix("sha256:")[:12]
