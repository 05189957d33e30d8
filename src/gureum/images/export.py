"""Writes images into files: OCI layouts, as folders or in a tar file, and docker archives.

Layers that were fetched are written as they came; those that were made here are packed anew and
come out with the same digest.  A file appears when it is complete.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, cast

from gureum.images.catalog import Catalog, digest_of, hex_of
from gureum.images.errors import ImageError
from gureum.images.exchange import LAYER, MAGIC
from gureum.images.image import Image, Layer
from gureum.images.manifest import (
    CONFIG,
    INDEX,
    MANIFEST,
    Descriptor,
    dump,
    read_manifest,
    shown,
    write_manifest,
)
from gureum.images.pack import pack
from gureum.images.reference import parse

Progress = Callable[[str], None]

Form = Literal["oci", "oci-archive", "docker-archive"]

SAVE = ".gureum-"
"""What a file begins with that is not complete."""


def save(
    catalog: Catalog, images: Sequence[Image], path: Path, form: Form, progress: Progress
) -> None:
    """Write images to ``path``, which must not be there yet if it is to be a folder.

    Raises:
        ImageError: it cannot be written, or a layer is not any more what it was.
    """
    if not images:
        raise ImageError("no image was named")
    try:
        with tempfile.TemporaryDirectory(prefix=SAVE, dir=path.parent) as folder:
            work = Path(folder, "x")
            work.mkdir(mode=0o755)
            if form == "docker-archive":
                _docker(catalog, images, work, progress)
            else:
                _layout(catalog, images, work, progress)
            if form == "oci":
                work.rename(path)
            else:
                _archive(work, Path(folder, "tar"))
                Path(folder, "tar").rename(path)
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror or error}") from error


# --- OCI ----------------------------------------------------------------------------------------
def _layout(catalog: Catalog, images: Sequence[Image], work: Path, progress: Progress) -> None:
    blobs = work / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    items = []
    for image in images:
        for layer in image.stack:
            progress(f"{_called(image)}: layer {hex_of(layer.diff_id)[:12]}")
        described = [_layer_blob(catalog, layer, blobs) for layer in image.stack]
        raw = _manifest(catalog, image, described)
        for data in (raw, catalog.blob(image.digest).read_bytes()):
            (blobs / hex_of(digest_of(data))).write_bytes(data)
        item = shown(Descriptor(MANIFEST, digest_of(raw), len(raw)))
        item["mediaType"] = json.loads(raw).get("mediaType", MANIFEST)
        item["platform"] = {"os": image.os, "architecture": image.architecture}
        items += [item | _named(name) for name in image.names] or [item]
    (work / "oci-layout").write_bytes(dump({"imageLayoutVersion": "1.0.0"}))
    (work / "index.json").write_bytes(
        dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": items})
    )


def _named(name: str) -> dict[str, dict[str, str]]:
    return {
        "annotations": {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name,
        }
    }


def _manifest(catalog: Catalog, image: Image, described: list[Descriptor]) -> bytes:
    """The manifest by which it was fetched, or one of ours."""
    key = catalog.entry(image.digest).manifest
    if key:
        raw = catalog.blob(key).read_bytes()
        read_manifest(raw, "the manifest")
        return raw
    size = catalog.blob(image.digest).stat().st_size
    return write_manifest(Descriptor(CONFIG, image.digest, size), described)


def _layer_blob(catalog: Catalog, layer: Layer, blobs: Path) -> Descriptor:
    """Put a layer among ``blobs``."""
    if not layer.digest:
        target = blobs / hex_of(layer.diff_id)
        with target.open("wb") as file:
            _pack(layer, file)
        return Descriptor(LAYER, layer.diff_id, target.stat().st_size)
    source = catalog.blob(layer.digest)
    shutil.copyfile(source, blobs / hex_of(layer.digest))
    return Descriptor(LAYER + _ending(source), layer.digest, source.stat().st_size)


def _pack(layer: Layer, file: IO[bytes]) -> None:
    got, _ = pack(layer.path, file)
    if got != layer.diff_id:
        raise ImageError(f"{layer.path} was changed: layer {layer.diff_id} is {got} now")


def _ending(blob: Path) -> str:
    with blob.open("rb") as file:
        start = file.read(4)
    return next(end for magic, end in MAGIC.items() if start.startswith(magic))


# --- docker save --------------------------------------------------------------------------------
def _docker(catalog: Catalog, images: Sequence[Image], work: Path, progress: Progress) -> None:
    rows = []
    for image in images:
        config = f"{hex_of(image.digest)}.json"
        shutil.copyfile(catalog.blob(image.digest), work / config)
        names = []
        for layer in image.stack:
            key = hex_of(layer.diff_id)
            progress(f"{_called(image)}: layer {key[:12]}")
            names.append(f"{key}/layer.tar")
            (work / key).mkdir(exist_ok=True)
            with (work / key / "layer.tar").open("wb") as file:
                _plain(catalog, layer, file)
        tags = [parse(name).short for name in image.names]
        rows.append({"Config": config, "RepoTags": tags, "Layers": names})
    (work / "manifest.json").write_bytes(dump(rows))


def _plain(catalog: Catalog, layer: Layer, file: IO[bytes]) -> None:
    """Write a layer's tar file."""
    if not layer.digest:
        _pack(layer, file)
        return
    with _decompressed(catalog.blob(layer.digest)) as source:
        shutil.copyfileobj(source, file, 1 << 20)


@contextmanager
def _decompressed(blob: Path) -> Iterator[IO[bytes]]:
    ending = _ending(blob)
    if ending == "+zstd":
        call = ["zstd", "--decompress", "--stdout", "--quiet", str(blob)]
        with subprocess.Popen(call, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            yield process.stdout
        if process.returncode != 0:
            raise ImageError(f"{blob} could not be decompressed")
    elif ending == "+gzip":
        with gzip.open(blob) as file:
            yield cast("IO[bytes]", file)
    else:
        with blob.open("rb") as file:
            yield file


# --- tar ----------------------------------------------------------------------------------------
def _archive(work: Path, target: Path) -> None:
    """A tar file of a folder, the same bytes each time."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(work.rglob("*")):
            member = tarfile.TarInfo(str(path.relative_to(work)))
            member.mode = 0o755 if path.is_dir() else 0o644
            if path.is_dir():
                member.type = tarfile.DIRTYPE
                tar.addfile(member, io.BytesIO())
            else:
                member.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(member, file)


def _called(image: Image) -> str:
    return parse(image.names[0]).short if image.names else image.id
