"""The files in which the store keeps what it knows: blobs, names, images, holds.

::

    <root>/blobs/sha256/<hex>     configurations, manifests and layers as they were fetched
    <root>/layers/<hex>/fs        a layer unpacked, by its diff id; layer.json tells of it
    <root>/l/<short>              links to the same: paths of mount options have little room
    <root>/images/<hex>.json      an image, by the digest of its configuration
    <root>/names.json             names → digests of configurations
    <root>/holds/<hex>/<holder>   who uses an image
    <root>/own/<folder>           the digest of an image that was built beside ``oci``
    <root>/steps/<hex>            the layer that a step of a build came to
    <root>/.lock, .collect        locks, see :class:`Catalog`

Several processes use one folder at the same time.  Every file is written beside its place and
renamed, so a reader needs no lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from gureum.images.errors import ImageError, ImageNotFoundError

FOLDERS = ("images", "holds", "own", "steps", "l")

SHORT = 16
"""Characters of a digest in the links' names."""

DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """An image's line in the catalog: the digests of its configuration and manifest, the digests
    of its layers' blobs (lowest first; empty for layers made here), where it was pulled from."""

    config: str
    manifest: str = ""
    blobs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def hex_of(digest: str) -> str:
    """The file name of a digest.

    Raises:
        ImageError: it is none.
    """
    if DIGEST.fullmatch(digest) is None:
        raise ImageError(f"{digest!r} is no SHA-256 digest")
    return digest.removeprefix("sha256:")


def digest_of(data: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Catalog:
    """The files under ``root``.

    Two locks, both between processes: :meth:`changing` while names and images change, which is
    short; and :meth:`adding` while content is brought in that no image names yet, which may take
    minutes: :meth:`collecting`, who removes what nobody needs, waits for no one to be adding.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs" / "sha256"
        self.layers = root / "layers"

    def prepare(self) -> None:
        """Make the folders.  Layers may hold programs that take their owner's rights, root's among
        them, so nobody but root may come near: the folder is closed to all others."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.blobs, self.layers, *map(self._sub, FOLDERS)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _sub(self, name: str) -> Path:
        return self.root / name

    # --- locks -----------------------------------------------------------------------------------
    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold names and images."""
        self.prepare()
        with (self.root / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Keep content from being collected that no image names yet."""
        self.prepare()
        with (self.root / ".collect").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    @contextmanager
    def collecting(self) -> Iterator[bool]:
        """Keep others from adding; False if somebody does."""
        self.prepare()
        with (self.root / ".collect").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    # --- blobs -----------------------------------------------------------------------------------
    def blob(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        return self.blobs / hex_of(digest)

    def keep(self, data: bytes) -> str:
        """Keep a blob and answer its digest."""
        digest = digest_of(data)
        if not self.blob(digest).exists():
            write(self.blob(digest), data)
        return digest

    # --- images ----------------------------------------------------------------------------------
    def names(self) -> dict[str, str]:
        """Digests of configurations by whole names."""
        found = read_json(self.root / "names.json")
        return {} if found is None else dict(found)

    def save_names(self, names: dict[str, str]) -> None:
        """Replace all names; the lock is held."""
        write_json(self.root / "names.json", names)

    def digests(self) -> list[str]:
        """The images, by the digests of their configurations."""
        return sorted(f"sha256:{path.stem}" for path in self._sub("images").glob("[!.]*.json"))

    def entry(self, digest: str) -> Entry:
        """An image's line.

        Raises:
            ImageNotFoundError: it is not there.
        """
        found = read_json(self._sub("images") / f"{hex_of(digest)}.json")
        if found is None:
            raise ImageNotFoundError(f"no image has the id {digest}")
        return Entry(
            found["config"], found["manifest"], tuple(found["blobs"]), tuple(found["sources"])
        )

    def sources(self, digest: str) -> tuple[str, ...]:
        """Where an image was pulled from; nothing if it is not there."""
        return self.entry(digest).sources if digest in self.digests() else ()

    def save(self, entry: Entry) -> None:
        """Add or replace an image's line; the lock is held."""
        write_json(self._sub("images") / f"{hex_of(entry.config)}.json", asdict(entry))

    def forget(self, digest: str) -> None:
        """Remove an image's line; the lock is held."""
        (self._sub("images") / f"{hex_of(digest)}.json").unlink(missing_ok=True)

    # --- holds -----------------------------------------------------------------------------------
    def hold(self, digest: str, holder: str) -> None:
        """Note that ``holder`` uses an image; the lock is held."""
        folder = self._sub("holds") / hex_of(digest)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / quote(holder, safe="")).touch()

    def release(self, digest: str, holder: str) -> None:
        """Note that it does no more; the lock is held."""
        folder = self._sub("holds") / hex_of(digest)
        (folder / quote(holder, safe="")).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def holders(self, digest: str) -> list[str]:
        """Who uses an image."""
        folder = self._sub("holds") / hex_of(digest)
        return sorted(unquote(path.name) for path in folder.iterdir()) if folder.is_dir() else []

    # --- adopted ---------------------------------------------------------------------------------
    def adopted(self, folder: str) -> str | None:
        """The image that a folder beside ours became."""
        found = read_json(self._sub("own") / folder)
        return None if found is None else str(found)

    def adopt(self, folder: str, digest: str) -> None:
        """Note which image a folder beside ours became; the lock is held."""
        write_json(self._sub("own") / folder, digest)

    def own(self) -> dict[str, str]:
        """Every folder that became an image, with that."""
        return {path.name: str(read_json(path)) for path in self._sub("own").glob("[!.]*")}

    # --- steps of builds -------------------------------------------------------------------------
    def steps(self) -> dict[str, str]:
        """The diff ids that steps of builds came to, by a digest of all that they depend on."""
        return {path.name: str(read_json(path)) for path in self._sub("steps").glob("[!.]*")}

    def step(self, key: str) -> str | None:
        """What a step came to."""
        found = read_json(self._sub("steps") / hex_of(key))
        return None if found is None else str(found)

    def keep_step(self, key: str, diff_id: str) -> None:
        """Note what a step came to; the lock is held."""
        write_json(self._sub("steps") / hex_of(key), diff_id)

    def forget_steps(self) -> None:
        """Forget all steps: the layers that no image has may then be collected; the lock is
        held."""
        for path in self._sub("steps").iterdir():
            path.unlink()

    # --- layers ----------------------------------------------------------------------------------
    def layer(self, diff_id: str) -> Path:
        """The folder of a layer, there or not."""
        return self.layers / hex_of(diff_id)

    def link(self, diff_id: str) -> Path:
        """The short path of a layer's directory.  mount(2) takes one page of options, that is some
        35 of the whole paths, and images have more layers."""
        link = self._sub("l") / hex_of(diff_id)[:SHORT]
        if not link.is_symlink():
            target = os.path.relpath(self.layer(diff_id) / "fs", link.parent)
            with suppress(FileExistsError):  # another process was faster
                link.symlink_to(target)
        return link

    def layer_size(self, diff_id: str) -> int | None:
        """Bytes of an unpacked layer's files; None if it is not unpacked."""
        found = read_json(self.layer(diff_id) / "layer.json")
        return None if found is None else int(found["size"])


def read_json(path: Path) -> Any:
    """What a file holds; None if it is not there.

    Raises:
        ImageError: it is no JSON, say after a loss of power.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ImageError(f"{path} is unreadable: {error}") from None


def write_json(path: Path, value: Any) -> None:
    """Replace a file as a whole, or not at all."""
    write(path, json.dumps(value, indent=1).encode())


def write(path: Path, data: bytes) -> None:
    """Replace a file as a whole, or not at all, also if the power fails."""
    fd, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
