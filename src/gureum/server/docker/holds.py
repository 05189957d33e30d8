"""Keeps images in the store for as long as a container is made from them, or an instance has them
for itself."""

from __future__ import annotations

import logging
import queue
from collections.abc import Collection

from gureum.containers import Container, ContainerImage
from gureum.images import ImageError, Store

log = logging.getLogger(__name__)


Holder = Container | ContainerImage


def mark(tag: str) -> str:
    """What the holders of a cloud's containers and instances end in."""
    return f", a container in cloud {tag}"


class Holds:
    """Holds of the containers and instances of the cloud with that tag; the store may be that of
    several."""

    def __init__(self, images: Store, tag: str) -> None:
        self._images = images
        self._mark = mark(tag)
        self._gone: queue.SimpleQueue[Holder] = queue.SimpleQueue()

    def take(self, row: Holder) -> None:
        """Hold the image of a new row.

        Raises:
            ImageNotFoundError: it has just gone.
        """
        self._images.hold(row.digest, f"{row.id}{self._mark}")

    def forget(self, row: Holder) -> None:
        """Take note that a row is no more; its image is released by :meth:`settle`, and goes if
        nobody else has it."""
        self._gone.put(row)

    def settle(self) -> None:
        """Release what was noted; may block."""
        while not self._gone.empty():
            row = self._gone.get()
            try:
                self._release(row.digest, f"{row.id}{self._mark}")
            except (ImageError, OSError):
                log.exception("the image of %s is still held", row.id[:12])

    def tidy(self, known: Collection[str]) -> None:
        """Release what is held for rows of ours that are no more: a daemon was killed before it
        could."""
        for image in self._images.list():
            for holder in self._images.holders(image.digest):
                key = holder.removesuffix(self._mark)
                if key != holder and key not in known:
                    self._release(image.digest, holder)

    def _release(self, digest: str, holder: str) -> None:
        self._images.release(digest, holder)
        self._images.discard(digest)

    def forget_all(self) -> None:
        """Let go of all: the cloud is gone."""
        try:
            self.tidy(())
        except (ImageError, OSError):
            log.exception("images are still held for containers of a cloud that is gone")
