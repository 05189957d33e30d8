"""Images in files: OCI layouts, as folders or in a tar file, and what ``docker save`` writes.

Nothing is unpacked from such a file but the members that its own index names by digest, and those
are held against their digests.

Sources: OCI Image Format Specification, ``image-layout.md``; Docker Image Specification v1.2,
"Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from gureum.images.bring import bring
from gureum.images.catalog import Catalog, digest_of, hex_of
from gureum.images.errors import ImageError
from gureum.images.manifest import (
    CONFIG,
    MOST_BYTES,
    Descriptor,
    choose,
    read_descriptor,
    read_json,
    read_manifest,
    write_manifest,
)
from gureum.images.reference import Reference, parse

Progress = Callable[[str], None]

LAYER = "application/vnd.oci.image.layer.v1.tar"
PIECE = 1 << 20
MAGIC = {b"\x1f\x8b": "+gzip", b"\x28\xb5\x2f\xfd": "+zstd", b"": ""}
"""What compressed files begin with, and what the media type then ends in."""

_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class Opened(Protocol):
    """A folder or tar file that is read."""

    def has(self, name: str) -> bool:
        """Whether it has this file."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file.

        Raises:
            ImageError: it is not there.
        """


@dataclass(frozen=True)
class _Folder:
    path: Path

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def open(self, name: str) -> IO[bytes]:
        try:
            return (self.path / name).open("rb")
        except OSError as error:
            raise ImageError(f"{self.path}: {name}: {error.strerror}") from None


@dataclass(frozen=True)
class _Archive:
    path: Path
    tar: tarfile.TarFile

    def has(self, name: str) -> bool:
        return self._member(name) is not None

    def open(self, name: str) -> IO[bytes]:
        member = self._member(name)
        try:
            file = self.tar.extractfile(member) if member is not None else None
        except (KeyError, tarfile.TarError, OSError) as error:
            raise ImageError(f"{self.path}: {name}: {error}") from None
        if file is None:
            raise ImageError(f"{self.path}: {name} is not in it")
        return file

    def _member(self, name: str) -> tarfile.TarInfo | None:
        for written in (name, f"./{name}"):
            try:
                return self.tar.getmember(written)
            except KeyError:
                continue
        return None


# --- in -----------------------------------------------------------------------------------------
Loaded = list[tuple[str, list[Reference]]]
"""Digests, with the names that they were given."""


def load(
    catalog: Catalog,
    path: Path,
    names: Sequence[Reference],
    progress: Progress,
    *,
    named: bool = True,
) -> Loaded:
    """Bring in all images of a folder or file, by the names that it gives them, or by ``names`` if
    it has but one image; or without names, if they are not to be ``named``.

    Raises:
        ImageError: it cannot be read, is none of the kinds that we know, or an image is refused.
    """
    with catalog.adding(), _opened(path) as source:
        try:
            if source.has("manifest.json"):
                return _load_docker(catalog, source, names, progress, named=named)
            if source.has("index.json"):
                return _load_oci(catalog, source, names, progress, named=named)
        except (OSError, EOFError, tarfile.TarError, KeyError, TypeError, AttributeError) as error:
            raise ImageError(f"{path} is broken: {error!r}") from error
        raise ImageError(f"{path} is neither an OCI layout nor of docker save")


@contextmanager
def _opened(path: Path) -> Iterator[Opened]:
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        tar = tarfile.open(path)  # noqa: SIM115 - closed below
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ImageError(f"{path} cannot be read: {error}") from None
    with tar:
        yield _Archive(path, tar)


def _load_oci(
    catalog: Catalog, source: Opened, names: Sequence[Reference], progress: Progress, *, named: bool
) -> Loaded:
    index = read_json(_read(source, "index.json"), "index.json")
    items = index["manifests"]
    found = []
    for item in items:
        given = list(names) if len(items) == 1 and names else _names_of(item)
        raw = _blob(source, read_descriptor(item, "index.json"))
        inner = choose(raw, "the index") if b'"manifests"' in raw else None
        raw = _blob(source, inner) if inner is not None else raw
        manifest = read_manifest(raw, "the manifest")
        config = _blob(source, manifest.config)
        for layer in manifest.layers:
            if not catalog.blob(layer.digest).exists():
                progress(f"reading {hex_of(layer.digest)[:12]}: {layer.size / (1 << 20):.1f} MiB")
                with source.open(_path(layer.digest)) as file:
                    _keep(catalog, file, layer.digest)
        digest = bring(catalog, raw, config, given if named else (), (), progress)
        found.append((digest, given))
    return found


def _names_of(item: dict[str, Any]) -> list[Reference]:
    notes = item.get("annotations") or {}
    for key in _NAMES:
        if notes.get(key):
            return [parse(notes[key])]
    return []


def _load_docker(
    catalog: Catalog, source: Opened, names: Sequence[Reference], progress: Progress, *, named: bool
) -> Loaded:
    items = read_json(b'{"all":' + _read(source, "manifest.json") + b"}", "manifest.json")["all"]
    found = []
    for item in items:
        given = [parse(tag) for tag in item.get("RepoTags") or []]
        if names and len(items) == 1:
            given = list(names)
        config = _read(source, item["Config"])
        blobs = []
        for name in item["Layers"]:
            with source.open(name) as file:
                start = file.read(4)
            with source.open(name) as file:
                digest, size = _keep(catalog, file)
            ending = next(end for magic, end in MAGIC.items() if start.startswith(magic))
            blobs.append(Descriptor(LAYER + ending, digest, size))
            progress(f"read {hex_of(digest)[:12]}: {size / (1 << 20):.1f} MiB")
        raw = write_manifest(Descriptor(CONFIG, digest_of(config), len(config)), blobs)
        made = bring(catalog, raw, config, given if named else (), (), progress)
        found.append((made, given))
    return found


def _path(digest: str) -> str:
    return f"blobs/sha256/{hex_of(digest)}"


def _read(source: Opened, name: str) -> bytes:
    with source.open(name) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ImageError(f"{name} has more than {MOST_BYTES} bytes")
    return data


def _blob(source: Opened, wanted: Descriptor) -> bytes:
    data = _read(source, _path(wanted.digest))
    if digest_of(data) != wanted.digest:
        raise ImageError(f"{wanted.digest} is another in fact: {digest_of(data)}")
    return data


def _keep(catalog: Catalog, file: IO[bytes], wanted: str = "") -> tuple[str, int]:
    """Copy a layer into the blobs, by the digest that it has, if that is the wanted one."""
    total, size = hashlib.sha256(), 0
    fd, name = tempfile.mkstemp(prefix=".new-", dir=catalog.root)
    try:
        with os.fdopen(fd, "wb") as target:
            while piece := file.read(PIECE):
                total.update(piece)
                size += target.write(piece)
        digest = f"sha256:{total.hexdigest()}"
        if wanted and digest != wanted:
            raise ImageError(f"layer {wanted} is another in fact: {digest}")
        Path(name).rename(catalog.blob(digest))
    finally:
        Path(name).unlink(missing_ok=True)
    return digest, size
