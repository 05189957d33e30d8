"""``python -m bench.images``: seconds to unpack a layer, beside ``tar -x`` of the same file.

The layer is the image ``debian-12``: 7,500 entries, 217 MiB.  Both unpack it in turns, with
extended attributes, onto the same file system; tar verifies no digest, we verify two.  Root.
"""

from __future__ import annotations

import hashlib
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gureum.images import ImageStore, layers
from gureum.images.catalog import Catalog
from gureum.images.layers import Packed
from gureum.images.pack import pack

ROUNDS = 9
LAYER = "application/vnd.oci.image.layer.v1.tar"
PACKED: tuple[tuple[str, list[str], list[str]], ...] = (
    ("", [], []),
    ("gzip", ["gzip", "--fast"], ["--gzip"]),
    ("zstd", ["zstd", "--quiet"], ["--zstd"]),
)
XATTRS = ("--xattrs", "--xattrs-include=*")


def timed(work: Callable[[], object]) -> float:
    """Seconds of some work."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def by_tar(blob: Path, options: list[str], target: Path) -> None:
    """What anybody does."""
    target.mkdir()
    call = ["tar", *options, *XATTRS, "--extract", "--preserve-permissions", "--file", str(blob)]
    subprocess.run([*call, "--directory", str(target)], check=True)


def digest(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def measure(folder: Path, blob: Path, layer: Packed, options: list[str]) -> tuple[float, float]:
    """Median seconds of ours and of tar's, after one round that does not count."""
    ours, theirs = [], []
    for _ in range(ROUNDS + 1):
        catalog = Catalog(folder / "oci")
        catalog.prepare()
        ours.append(timed(lambda c=catalog: layers.unpack(c, layer, blob)))  # type: ignore[misc]
        shutil.rmtree(folder / "oci")
        theirs.append(timed(lambda: by_tar(blob, options, folder / "tar")))
        shutil.rmtree(folder / "tar")
    return statistics.median(ours[1:]), statistics.median(theirs[1:])


def main() -> None:
    """Measure and print."""
    rootfs = ImageStore().ensure("debian-12")
    with tempfile.TemporaryDirectory(prefix="gureum-bench-") as name:
        folder = Path(name)
        tar = folder / "layer.tar"
        with tar.open("wb") as file:
            diff_id, _ = pack(rootfs, file)
        for how, command, options in PACKED:
            blob = folder / f"layer.{how or 'plain'}"
            if command:
                with tar.open("rb") as source, blob.open("wb") as target:
                    subprocess.run(command, stdin=source, stdout=target, check=True)
            else:
                tar.rename(blob)
                tar = blob
            media = f"{LAYER}+{how}" if how else LAYER
            layer = Packed(digest(blob), blob.stat().st_size, media, diff_id)
            ours, theirs = measure(folder, blob, layer, options)
            print(
                f"unpack a layer, {how or 'not compressed'}: {ours:.2f} s, tar -x {theirs:.2f} s, "
                f"ratio {ours / theirs:.2f}"
            )


if __name__ == "__main__":
    main()
