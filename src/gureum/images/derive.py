"""Makes an image of another: with a layer more, which somebody's changes are, or other settings; or
of nothing."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gureum.images import layers
from gureum.images.capture import TAR, capture
from gureum.images.catalog import Catalog, Entry
from gureum.images.config import ImageConfig, write_config, write_history
from gureum.images.image import Image
from gureum.images.manifest import architecture, dump
from gureum.images.reference import Reference

EMPTY = bytes(1024)
"""A tar file without members."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is other than in the image below: the directory ``upper`` of an overlay over it, if
    there is one, and ``config``.  ``note`` and ``comment`` are for the history, ``created`` is
    RFC 3339."""

    upper: Path | None
    config: ImageConfig
    note: str
    created: str
    comment: str = ""


def derive(catalog: Catalog, base: Image, change: Change, name: Reference | None) -> str:
    """The digest of the image that ``base`` is with a change; it gets a name if one is given.
    Within :meth:`Catalog.adding`.

    Raises:
        ImageError: the layer cannot be made.
    """
    diff_ids = [layer.diff_id for layer in base.stack]
    blobs = [layer.digest for layer in base.stack]
    step = {"created": change.created, "created_by": change.note}
    if change.comment:
        step["comment"] = change.comment
    if change.upper is not None:
        diff_ids.append(capture(catalog, change.upper))
        blobs.append("")
    stored = {
        "created": change.created,
        "architecture": base.architecture or architecture(),
        "os": base.os or "linux",
        "config": write_config(change.config),
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [
            *write_history(base.history),
            step | ({"empty_layer": True} if change.upper is None else {}),
        ],
    }
    with catalog.changing():
        digest = catalog.keep(dump(stored))
        catalog.save(Entry(digest, "", tuple(blobs)))
        if name is not None:
            catalog.save_names(catalog.names() | {str(name): digest})
    return digest


def scratch(catalog: Catalog) -> str:
    """The digest of the image with nothing in it, which has one layer, for overlayfs wants one.
    Within :meth:`Catalog.adding`."""
    diff_id = f"sha256:{hashlib.sha256(EMPTY).hexdigest()}"
    with tempfile.NamedTemporaryFile(prefix=".new-", dir=catalog.root) as file:
        file.write(EMPTY)
        file.flush()
        layers.unpack(catalog, layers.Packed(diff_id, len(EMPTY), TAR, diff_id), Path(file.name))
    stored = {
        "architecture": architecture(),
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created_by": "FROM scratch"}],
    }
    with catalog.changing():
        digest = catalog.keep(dump(stored))
        catalog.save(Entry(digest, "", ("",)))
    return digest
