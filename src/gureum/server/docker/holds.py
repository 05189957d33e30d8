"""Keeps the images of containers in the store for as long as there is a container of theirs."""

from __future__ import annotations

import logging
import queue
from collections.abc import Collection

from gureum.containers import Container
from gureum.images import ImageError, Store

log = logging.getLogger(__name__)


def mark(tag: str) -> str:
    """What the holders of a cloud's containers end in."""
    return f", a container in cloud {tag}"


class Holds:
    """Holds of the containers of the cloud with that tag; the store may be that of several."""

    def __init__(self, images: Store, tag: str) -> None:
        self._images = images
        self._mark = mark(tag)
        self._gone: queue.SimpleQueue[Container] = queue.SimpleQueue()

    def take(self, row: Container) -> None:
        """Hold the image of a new container.

        Raises:
            ImageNotFoundError: it has just gone.
        """
        self._images.hold(row.digest, f"{row.id}{self._mark}")

    def forget(self, row: Container) -> None:
        """Take note that a container is no more; its image is released by :meth:`settle`."""
        self._gone.put(row)

    def settle(self) -> None:
        """Release what was noted; may block."""
        while not self._gone.empty():
            row = self._gone.get()
            try:
                self._images.release(row.digest, f"{row.id}{self._mark}")
            except (ImageError, OSError):
                log.exception("the image of container %s is still held", row.id[:12])

    def tidy(self, known: Collection[str]) -> None:
        """Release what is held for containers of ours that are no more: a daemon was killed before
        it could."""
        for image in self._images.list():
            for holder in self._images.holders(image.digest):
                key = holder.removesuffix(self._mark)
                if key != holder and key not in known:
                    self._images.release(image.digest, holder)

    def forget_all(self) -> None:
        """Let go of all: the cloud is gone."""
        try:
            self.tidy(())
        except (ImageError, OSError):
            log.exception("images are still held for containers of a cloud that is gone")
