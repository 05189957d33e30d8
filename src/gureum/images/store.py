"""The image store: OCI images by name and digest, with their layers as directories."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gureum.images.bring import bring
from gureum.images.build import build
from gureum.images.built import ImageInfo, ImageStore, Progress
from gureum.images.catalog import Catalog, Entry, hex_of, read_json, write_json
from gureum.images.clear import collect
from gureum.images.config import ImageConfig, read_config, read_history, write_config
from gureum.images.derive import Change, derive, scratch
from gureum.images.errors import ImageError, ImageInUseError, ImageNotFoundError
from gureum.images.exchange import load
from gureum.images.export import Form, save
from gureum.images.image import Image, Layer
from gureum.images.manifest import architecture, dump
from gureum.images.pack import pack
from gureum.images.push import Pushed, login, push
from gureum.images.ready import READY, outdated, ready_recipe
from gureum.images.recipe_file import RecipeFile
from gureum.images.reference import parse
from gureum.images.registry import Credentials, fetch

Names = dict[str, list[str]]
"""Whole names by digest."""

BUILT = ImageConfig(
    env=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"),
    cmd=("/bin/sh",),
)
"""What containers of the images run that instances are made from."""


def _silent(line: str) -> None:
    """Tell nobody."""


_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed: names, the image's digest if it is gone too, and bytes on the disk."""

    names: tuple[str, ...]
    digest: str | None
    freed: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """The digests of the images that were removed, and the bytes that this freed."""

    digests: tuple[str, ...]
    freed: int


class Store:
    """The images of one folder, which several processes may use at the same time.

    ``built`` are the images that instances are made from; each that is there is an image of one
    layer here too.
    """

    def __init__(self, built: ImageStore | None = None) -> None:
        self.built = built or ImageStore()
        self.catalog = Catalog(self.built.root / "oci")

    # --- what is there ---------------------------------------------------------------------------
    def list(self) -> list[Image]:
        """All images, by name; those without one come last."""
        self._adopt()
        names = self._names()
        found = []
        for digest in self.catalog.digests():
            try:
                found.append(self._image(digest, names))
            except ImageError:
                if digest in self.catalog.digests():  # else it has just gone
                    raise
        return sorted(found, key=lambda image: (not image.names, image.names, image.digest))

    def find(self, reference: str) -> Image:
        """The image that a name, a digest or the beginning of one means.

        Raises:
            ImageNotFoundError: there is none, or more than one.
            ImageError: ``reference`` can mean none.
        """
        self._adopt()
        return self._image(self._digest(reference), self._names())

    def _digest(self, text: str) -> str:
        known = self.catalog.digests()
        whole = f"sha256:{text.removeprefix('sha256:')}"
        if whole in known:
            return whole
        named = self._named(text)
        if named is not None:
            return named
        begun = _ID.fullmatch(text)
        found = [key for key in known if begun and hex_of(key).startswith(begun[1])]
        if len(found) > 1:
            raise ImageNotFoundError(f"more than one image's id begins with {text}")
        if not found:
            raise ImageNotFoundError(f"no image is called {text}")
        return found[0]

    def _named(self, text: str) -> str | None:
        if text.startswith("sha256:"):
            return None
        name = parse(text)
        if not name.digest:
            return self.catalog.names().get(str(name))
        source = str(name.pinned(name.digest))
        for digest in self.catalog.digests():
            if source in self.catalog.entry(digest).sources:
                return digest
        return None

    def _names(self) -> Names:
        found: Names = {}
        for name, digest in sorted(self.catalog.names().items()):
            found.setdefault(digest, []).append(name)
        return found

    def _image(self, digest: str, names: Names) -> Image:
        entry = self.catalog.entry(digest)
        stored = read_json(self.catalog.blob(digest))
        if stored is None:
            raise ImageError(f"{digest}: its configuration is missing from the store")
        diff_ids = stored["rootfs"]["diff_ids"]
        return Image(
            digest=digest,
            names=tuple(names.get(digest, ())),
            sources=entry.sources,
            stack=tuple(map(self._layer, diff_ids, entry.blobs or [""] * len(diff_ids))),
            config=read_config(stored.get("config") or {}),
            created=stored.get("created") or "",
            architecture=stored.get("architecture") or "",
            os=stored.get("os") or "",
            history=read_history(stored.get("history") or []),
        )

    def _layer(self, diff_id: str, blob: str) -> Layer:
        size = self.catalog.layer_size(diff_id)
        if size is None:
            raise ImageError(f"layer {diff_id} is missing from the store")
        return Layer(diff_id, blob, size, self.catalog.link(diff_id))

    # --- bring in --------------------------------------------------------------------------------
    def pull(
        self,
        reference: str,
        progress: Progress = _silent,
        credentials: Credentials | None = None,
        *,
        named: bool = True,
    ) -> Image:
        """Fetch an image from its registry, also if one of that name is there: the name then means
        the new one, unless not even this one is to be ``named``; our own images are built instead.

        Layers that are there are not fetched again; a registry on this machine's loopback may
        speak plain HTTP.  ``progress`` gets one line a step.

        Raises:
            ImageNotFoundError: the registry does not have it.
            ImageError: it was not to be had, or is refused; nothing of it is kept but whole blobs.
        """
        name = parse(reference)
        if str(name) in self.own():
            return self.ensure(reference, progress)
        with self.catalog.adding():
            found = fetch(self.catalog, name, progress, credentials)
            sources = [str(name.pinned(digest)) for digest in found.digests]
            names = [name] if named and not name.digest else []
            digest = bring(self.catalog, found.raw, found.config, names, sources, progress)
        return self.find(digest)

    def push(
        self,
        reference: str,
        name: str,
        progress: Progress = _silent,
        credentials: Credentials | None = None,
    ) -> Pushed:
        """Send an image to the registry that ``name`` says, under that name.

        Raises:
            ImageNotFoundError: there is no such image.
            ImageError: ``name`` has a digest, or the registry cannot be reached or refuses it.
        """
        target = parse(name)
        if target.digest:
            raise ImageError(f"{name}: a digest cannot be given to an image")
        with self.catalog.adding():
            return push(self.catalog, self.find(reference), target, progress, credentials)

    def login(self, registry: str, credentials: Credentials) -> None:
        """Ask a registry whether it knows somebody; nothing is kept.

        Raises:
            ImageError: it does not, or cannot be reached.
        """
        with self.catalog.adding():
            login(self.catalog, registry, credentials)

    def load(
        self, path: Path, progress: Progress = _silent, name: str | None = None
    ) -> Sequence[Image]:
        """Bring in the images of an OCI layout (a folder or tar file) or of a docker archive;
        ``name`` instead of the one that a single image has there.

        Raises:
            ImageError: it is none, or an image in it is refused.
        """
        names = [] if name is None else [parse(name)]
        if any(given.digest for given in names):
            raise ImageError(f"{name}: a digest cannot be given to an image")
        found = load(self.catalog, path, names, progress)
        return [self.find(digest) for digest in dict.fromkeys(digest for digest, _ in found)]

    def take_in(self, path: Path) -> Sequence[tuple[str, Sequence[str]]]:
        """Bring in images without giving them names: their digests, and the whole names that they
        have there.

        Raises:
            ImageError: it is none, or an image in it is refused.
        """
        found = load(self.catalog, path, [], _silent, named=False)
        return [(digest, [str(name) for name in names]) for digest, names in found]

    def save(
        self,
        references: Sequence[str],
        path: Path,
        form: Form = "oci-archive",
        progress: Progress = _silent,
    ) -> None:
        """Write images to a file, or to a new folder if ``form`` is ``oci``.

        Raises:
            ImageNotFoundError: one is not there.
            ImageError: it cannot be written.
        """
        self.write([self.find(name) for name in references], path, form, progress)

    def write(
        self, images: Sequence[Image], path: Path, form: Form, progress: Progress = _silent
    ) -> None:
        """The same, for images by the names that they have in ``images``.

        Raises:
            ImageError: they cannot be written.
        """
        save(self.catalog, images, path, form, progress)

    def build(
        self, recipe: RecipeFile, name: str | None = None, progress: Progress = _silent
    ) -> Image:
        """Build an image from a recipe, over its base, which is built or fetched first if it is
        not there; ``name`` instead of the recipe's own.

        Raises:
            ImageError: it has no name, or a step failed.
        """
        called = parse(name or recipe.name) if name or recipe.name else None
        if called is None or called.digest:
            raise ImageError("the image needs a name")
        with self.catalog.adding():
            base = self.ensure(recipe.base, progress)
            digest = build(self.catalog, base, recipe, called, progress)
        return self.find(digest)

    def derive(self, base: str, change: Change, name: str | None = None) -> Image:
        """Make an image of another with a change; it gets a name if one is given.

        Raises:
            ImageNotFoundError: there is no such image.
            ImageError: the layer cannot be made.
        """
        with self.catalog.adding():
            below = self.find(base)
            digest = derive(self.catalog, below, change, parse(name) if name else None)
            return self.find(digest)

    def scratch(self) -> Image:
        """The image with nothing in it."""
        with self.catalog.adding():
            return self.find(scratch(self.catalog))

    def ensure(self, reference: str, progress: Progress = _silent) -> Image:
        """An image, built first if it is one of ours or fetched if it is not, and not there.

        Raises:
            ImageError: it was not to be had.
        """
        try:
            found: Image | None = self.find(reference)
        except ImageNotFoundError:
            found = None
        ready = ready_recipe(reference)
        if ready is not None and (found is None or outdated(found, ready)):
            return self.build(ready, None, progress)
        if found is not None:
            return found
        name = self.own().get(str(parse(reference)))
        if name is None:
            return self.pull(reference, progress)
        try:
            self.built.ensure(name, progress)
        except OSError as error:
            raise ImageError(f"image {name} could not be built: {error}") from error
        return self.find(reference)

    def own(self) -> dict[str, str]:
        """The images that we can make ourselves: what they are called here by their whole
        names."""
        names = [*(info.name for info in self.built.list()), *READY]
        return {str(parse(name)): name for name in names}

    # --- names, and the end ----------------------------------------------------------------------
    def tag(self, reference: str, name: str) -> Image:
        """Give an image one more name, which another may lose by that.

        Raises:
            ImageNotFoundError: there is no such image.
            ImageError: ``name`` is none that an image can have.
        """
        image, new = self.find(reference), parse(name)
        if new.digest:
            raise ImageError(f"{name}: a digest cannot be given to an image")
        with self.catalog.changing():
            self.catalog.entry(image.digest)
            self.catalog.save_names(self.catalog.names() | {str(new): image.digest})
        return self.find(image.digest)

    def untag(self, name: str) -> None:
        """Take a name away, if there is such a one; the image goes with the last if nobody holds
        it."""
        with self.catalog.changing():
            digest = self.catalog.names().get(str(parse(name)))
            self._untag([str(parse(name))])
        if digest is not None:
            self.discard(digest)

    def remove(self, reference: str, *, force: bool = False) -> Removed:
        """Take a name away, or, if it was the last or ``reference`` is an id, the image.

        ``force`` is for ids of images with several names.

        Raises:
            ImageNotFoundError: there is no such image.
            ImageInUseError: the image stays, and the text says why.
        """
        image = self.find(reference)
        with self.catalog.changing():
            names = [key for key, digest in self.catalog.names().items() if digest == image.digest]
            if len(names) > 1 and self._named(reference) == image.digest:
                self._untag([str(parse(reference))])
                return Removed((str(parse(reference)),), None, 0)
            if len(names) > 1 and not force:
                raise ImageInUseError(f"{image.id} has several names: {', '.join(names)}")
            self._may_go(image.digest)
            self._untag(names)
            self.catalog.forget(image.digest)
        return Removed(tuple(names), image.digest, collect(self.catalog))

    def discard(self, digest: str) -> None:
        """Remove an image if it has no name and nobody holds it."""
        with self.catalog.changing():
            named = digest in self.catalog.names().values()
            if named or digest not in self.catalog.digests() or self._in_use(digest) is not None:
                return
            self.catalog.forget(digest)
        collect(self.catalog)

    def sweep(self) -> None:
        """Remove what work that failed has left."""
        collect(self.catalog)

    def prune(self, *, everything: bool = False) -> Pruned:
        """Remove images without names that nobody holds, with ``everything`` also those with
        names and the layers that builds could use again; and blobs of pulls that were broken
        off."""
        self._adopt()
        gone = []
        with self.catalog.changing():
            named = set(self.catalog.names().values())
            for digest in self.catalog.digests():
                if (everything or digest not in named) and self._in_use(digest) is None:
                    self.catalog.forget(digest)
                    gone.append(digest)
            names = self.catalog.names()
            self._untag([name for name, digest in names.items() if digest in gone])
            if everything:
                self.catalog.forget_steps()
        return Pruned(tuple(gone), collect(self.catalog))

    def _untag(self, gone: Sequence[str]) -> None:
        names = self.catalog.names()
        self.catalog.save_names({key: names[key] for key in names if key not in gone})

    def _may_go(self, digest: str) -> None:
        reason = self._in_use(digest)
        if reason is not None:
            raise ImageInUseError(f"{digest.removeprefix('sha256:')[:12]} stays: {reason}")

    def _in_use(self, digest: str) -> str | None:
        """Why an image has to stay, if it has."""
        holders = self.catalog.holders(digest)
        if holders:
            return f"it is used by {', '.join(holders)}"
        folders = [folder for folder, key in self.catalog.own().items() if key == digest]
        current = {(self.built.root / info.name).resolve().name for info in self.built.list()}
        if current & set(folders):
            return "instances of any cloud on this machine are made from it"
        return None

    # --- who uses what ---------------------------------------------------------------------------
    def hold(self, digest: str, holder: str) -> None:
        """Keep an image, whatever becomes of its names, until ``holder`` releases it; also twice.

        Raises:
            ImageNotFoundError: it is not there.
        """
        with self.catalog.changing():
            self.catalog.entry(digest)
            self.catalog.hold(digest, holder)

    def release(self, digest: str, holder: str) -> None:
        """End a hold, if there is one."""
        with self.catalog.changing():
            self.catalog.release(digest, holder)

    def holders(self, digest: str) -> Sequence[str]:
        """Who holds an image."""
        return self.catalog.holders(digest)

    # --- images of the other kind ----------------------------------------------------------------
    def _adopt(self) -> None:
        """Make an image of each that was built since we last looked."""
        for info in self.built.list():
            if info.built:
                folder = (self.built.root / info.name).resolve()
                if self.catalog.adopted(folder.name) is None:
                    try:
                        self._adopt_one(info, folder)
                    except PermissionError as error:
                        raise ImageError(f"{error.filename} is root's: try sudo") from None

    def _adopt_one(self, info: ImageInfo, folder: Path) -> None:
        diff_id, _ = pack(folder / "rootfs", None)
        stored = {
            "created": info.created,
            "architecture": architecture(),
            "os": "linux",
            "config": write_config(BUILT),
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created": info.created, "created_by": f"recipe {info.recipe}"}],
        }
        with self.catalog.changing():
            layer = self.catalog.layer(diff_id)
            layer.mkdir(mode=0o700, exist_ok=True)
            link = layer / "fs"
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(folder / "rootfs", layer))
            write_json(layer / "layer.json", {"size": info.size})
            digest = self.catalog.keep(dump(stored))
            self.catalog.save(Entry(digest))
            self.catalog.save_names(self.catalog.names() | {str(parse(info.name)): digest})
            self.catalog.adopt(folder.name, digest)
