"""Brings images into the catalog whose blobs are there: unpacks the layers, then names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gureum.images import layers, told
from gureum.images.catalog import Catalog, Entry, hex_of
from gureum.images.errors import ImageError
from gureum.images.manifest import architecture, packed_layers, read_json, read_manifest
from gureum.images.reference import Reference

Progress = Callable[[str], None]


def bring(
    catalog: Catalog,
    raw: bytes,
    config: bytes,
    names: Sequence[Reference],
    sources: Sequence[str],
    progress: Progress,
) -> str:
    """Add the image of a manifest and a configuration, both as they are stored; its digest.  Called
    within :meth:`Catalog.adding`.

    Raises:
        ImageError: a layer is refused; the image is not added.
    """
    what = str(names[0].short if names else "the image")
    manifest = read_manifest(raw, f"{what}'s manifest")
    stored = read_json(config, f"{what}'s configuration")
    packed = packed_layers(manifest, stored, what)
    if stored.get("architecture") not in (architecture(), "", None):
        progress(f"{what}: was built for {stored['architecture']}, and may not run here")
    for number, layer in enumerate(packed, start=1):
        if catalog.layer_size(layer.diff_id) is None:
            size = f"{layer.size / (1 << 20):.1f} MiB"
            text = f"{what}: unpacking layer {number} of {len(packed)}, {size}"
            progress(told.Line(text, "Extracting", hex_of(layer.digest)[:12]))
        try:
            layers.unpack(catalog, layer, catalog.blob(layer.digest))
        except ImageError:
            # A blob that is not what it is called would be taken for good by the next who comes.
            if layers.broken(catalog, layer):
                catalog.blob(layer.digest).unlink(missing_ok=True)
            raise
    with catalog.changing():
        digest = catalog.keep(config)
        key = catalog.keep(raw)
        known = catalog.sources(digest)
        catalog.save(
            Entry(
                digest,
                key,
                tuple(layer.digest for layer in packed),
                tuple(dict.fromkeys([*known, *sources])),
            )
        )
        catalog.save_names(catalog.names() | {str(name): digest for name in names})
    return digest
