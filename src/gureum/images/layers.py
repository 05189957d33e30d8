"""Layers: each is unpacked once, under its diff id, and shared by all images that have it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gureum.images.catalog import Catalog, hex_of, write_json
from gureum.images.errors import ImageError
from gureum.images.unpack import Job

MOST_BYTES = 32 << 30
"""Bytes of a layer's tar file; registries' largest are a third of it."""
MOST_ENTRIES = 2_000_000

COMPRESSIONS = {
    "application/vnd.oci.image.layer.v1.tar": "",
    "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
    "application/vnd.docker.image.rootfs.diff.tar": "",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
}
"""Compressions by media type, OCI's and Docker's."""


# The program needs two modules of this package.  Importing the package itself would bring all
# others, which take four times as long as Python's own start; an image may have dozens of layers.
_LAUNCH = """
import sys, types
from pathlib import Path
folder = Path(sys.argv[1])
for name, path in (("gureum", folder.parent), ("gureum.images", folder)):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [str(path)]
from gureum.images.unpack import main
main(sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one layer may be."""

    bytes: int = MOST_BYTES
    entries: int = MOST_ENTRIES


@dataclass(frozen=True, slots=True)
class Packed:
    """A layer as a blob: of ``size`` bytes with the digest ``digest``, of a media type, whose tar
    file has the digest ``diff_id``."""

    digest: str
    size: int
    media: str
    diff_id: str

    @property
    def compression(self) -> str:
        """How the blob is compressed.

        Raises:
            ImageError: its media type is none of a layer that we know.
        """
        try:
            return COMPRESSIONS[self.media]
        except KeyError:
            raise ImageError(f"layer {self.digest} is a {self.media}, which is not known") from None


def unpack(catalog: Catalog, packed: Packed, blob: Path, bounds: Bounds | None = None) -> None:
    """Unpack a layer from the file ``blob``, if it is not there yet.  Who comes while another
    process unpacks it waits.

    Raises:
        ImageError: it is refused; nothing of it is kept.
    """
    if catalog.layer_size(packed.diff_id) is not None:
        return
    with _lock(catalog, packed.diff_id):
        if catalog.layer_size(packed.diff_id) is not None:
            return
        with new(catalog, packed.diff_id) as folder:
            size = _run(packed, blob, folder / "fs", bounds or Bounds())
            finish(catalog, packed.diff_id, folder, size)


@contextmanager
def new(catalog: Catalog, diff_id: str) -> Iterator[Path]:
    """A folder beside the layers to make one in, with an empty ``fs``; gone afterwards unless it
    has been renamed by then, with what a killed process left of the same."""
    key = hex_of(diff_id)
    for rest in catalog.layers.glob(f".new-{key}-*"):
        remove(rest)
    folder = Path(tempfile.mkdtemp(prefix=f".new-{key}-", dir=catalog.layers))
    try:
        (folder / "fs").mkdir()
        (folder / "fs").chmod(0o755)
        yield folder
    finally:
        remove(folder)


def finish(catalog: Catalog, diff_id: str, folder: Path, size: int) -> None:
    """Give a layer that is complete its place."""
    write_json(folder / "layer.json", {"size": size})
    folder.rename(catalog.layer(diff_id))


def remove(folder: Path) -> None:
    """Remove a tree of any shape: rm(1) neither follows links nor runs out of stack.

    Raises:
        ImageError: it could not be removed.
    """
    done = subprocess.run(
        ["rm", "-rf", "--one-file-system", "--", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ImageError(f"{folder} could not be removed: {done.stderr.strip()}")


@contextmanager
def _lock(catalog: Catalog, diff_id: str) -> Iterator[None]:
    with (catalog.layers / f".lock-{hex_of(diff_id)}").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(packed: Packed, blob: Path, target: Path, bounds: Bounds) -> int:
    job = Job(
        str(blob),
        packed.compression,
        packed.size,
        packed.digest,
        packed.diff_id,
        str(target),
        bounds.bytes,
        bounds.entries,
    )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            _LAUNCH,
            str(Path(__file__).parent),
            json.dumps(asdict(job)),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or f"the program ended with {done.returncode}"
        raise ImageError(f"layer {packed.digest or packed.diff_id} is refused: {said}")
    return int(json.loads(done.stdout)["size"])


def broken(catalog: Catalog, packed: Packed) -> bool:
    """Whether the catalog's blob of a layer is not what it is called."""
    path = catalog.blob(packed.digest)
    if not path.exists():
        return False
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" != packed.digest
