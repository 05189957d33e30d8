"""Removes what no image needs any more: blobs, layers, and what killed processes left."""

from __future__ import annotations

from pathlib import Path

from gureum.images import layers
from gureum.images.catalog import Catalog, hex_of, read_json
from gureum.images.registry import PULL


def collect(catalog: Catalog) -> int:
    """Remove all that no image has; bytes that this freed.  Nothing is removed while others bring
    something in: they, or who comes after them, will."""
    with catalog.collecting() as alone:
        if not alone:
            return 0
        with catalog.changing():
            blobs, diff_ids = _needed(catalog)
        freed = 0
        for file in catalog.blobs.iterdir():
            if file.name not in blobs:
                freed += file.stat().st_size
                file.unlink()
        for folder in catalog.layers.iterdir():
            if folder.name.removeprefix(".lock-") not in diff_ids:
                freed += _remove_layer(folder)
        for link in (catalog.root / "l").iterdir():
            if not link.exists():  # it leads to nothing any more
                link.unlink()
        for rest in (*catalog.root.glob(f"{PULL}*"), *catalog.root.glob(".new-*")):
            layers.remove(rest)
        return freed


def _needed(catalog: Catalog) -> tuple[set[str], set[str]]:
    """File names of the blobs and layers that images and steps of builds have."""
    blobs, diff_ids = set(), set(map(hex_of, catalog.steps().values()))
    for digest in catalog.digests():
        entry = catalog.entry(digest)
        blobs |= {hex_of(key) for key in (digest, entry.manifest, *entry.blobs) if key}
        stored = read_json(catalog.blob(digest)) or {"rootfs": {"diff_ids": []}}
        diff_ids |= set(map(hex_of, stored["rootfs"]["diff_ids"]))
    return blobs, diff_ids


def _remove_layer(folder: Path) -> int:
    """Remove a layer, or what somebody left who was unpacking one."""
    if folder.is_file():
        folder.unlink()
        return 0
    about = read_json(folder / "layer.json")
    linked = (folder / "fs").is_symlink()  # of an image that was built beside us, and stays
    layers.remove(folder)
    return 0 if about is None or linked else int(about["size"])
