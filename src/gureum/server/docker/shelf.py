"""Which images an instance sees: the cloud's, and those that it has for itself.

The store is the machine's.  A name in it is the operator's and for all, but for those of AMIs,
which are for accounts that may launch them; what an instance pulls, makes or calls something is a
row of that instance, and nobody else sees it or its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gureum.containers import ContainerImage, DockerError
from gureum.containers.find import images_of
from gureum.images import Image, ImageError, Store
from gureum.images.reference import Reference, parse
from gureum.model import View
from gureum.server.ami_images import may_see

_ID = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Seen:
    """An image as an instance sees it: ``names`` are whole, ``sources`` where it was pulled from
    under those; ``row`` is the instance's own, if it has it for itself."""

    image: Image
    names: tuple[str, ...]
    row: ContainerImage | None

    @property
    def sources(self) -> tuple[str, ...]:
        """Those of its repositories that the instance knows by name."""
        known = {parse(name).repository for name in self.names}
        return tuple(each for each in self.image.sources if each.partition("@")[0] in known)


class Shelf:
    """The images of the store, as instances see them in ``view()``."""

    def __init__(self, images: Store, view: Callable[[], View]) -> None:
        self._images = images
        self._view = view

    def list(self, instance: str) -> list[Seen]:
        """All that an instance sees, the newest of its own first."""
        rows = {row.digest: row for row in images_of(self._view(), instance)}
        found = [self._seen(instance, image, rows) for image in self._images.list()]
        own = list(rows)
        return sorted(
            (seen for seen in found if seen.names or seen.row),
            key=lambda seen: own.index(seen.row.digest) if seen.row else len(own),
        )

    def find(self, instance: str, text: str) -> Seen:
        """The image that a name, a digest or the beginning of one means to an instance.

        Raises:
            DockerError: 404, there is none.
        """
        rows = {row.digest: row for row in images_of(self._view(), instance)}
        name = named(text)
        for row in rows.values():
            if name is not None and str(name) in row.names:
                return self._seen(instance, self._get(row.digest, text), rows)
        try:
            seen = self._seen(instance, self._images.find(text), rows)
        except ImageError:
            seen = None  # it may be the beginning of several, of which the instance sees one
        taken = {each for row in rows.values() for each in row.names}
        if seen is not None and (seen.names or seen.row) and str(name) not in taken:
            return seen
        if _ID.fullmatch(text):
            begun = f"sha256:{text.removeprefix('sha256:')}"
            found = [each for each in self.list(instance) if each.image.digest.startswith(begun)]
            if len(found) == 1:
                return found[0]
        raise missing(text)

    def _get(self, digest: str, text: str) -> Image:
        try:
            return self._images.find(digest)
        except ImageError:
            raise missing(text) from None

    def _seen(self, instance: str, image: Image, rows: dict[str, ContainerImage]) -> Seen:
        row = rows.get(image.digest)
        own = {name for other in rows.values() for name in other.names}
        view = self._view()
        names = [n for n in image.names if n not in own and may_see(view, instance, n)]
        return Seen(image, (*(row.names if row else ()), *names), row)


def named(text: str) -> Reference | None:
    """What a name means; None where it is none."""
    try:
        return parse(text)
    except ImageError:
        return None


def missing(text: str) -> DockerError:
    """The answer about an image that is not there, in Docker's words."""
    name = named(text)
    if name is not None and not name.digest and not text.startswith("sha256:"):
        text = name.short
    return DockerError(404, f"No such image: {text}")
