"""Manifests and indexes: which blobs an image is made of.

Sources: OCI Image Format Specification, ``manifest.md``, ``image-index.md``; Docker, "Image
Manifest Version 2, Schema 2".
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gureum.images.catalog import DIGEST, digest_of
from gureum.images.config import read_config
from gureum.images.errors import ImageError
from gureum.images.layers import Packed

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
MOST_BYTES = 4 << 20
"""Bytes of a manifest or configuration; registries take no larger manifests."""
MOST_LAYERS = 256
"""Layers of one image; overlayfs stacks 500, Docker 128."""

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Go's names of architectures, which OCI uses, by those of uname(2)."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a blob is: its media type, digest and bytes."""

    media: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The blobs of one image."""

    digest: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


def architecture() -> str:
    """Go's name of this machine's architecture."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def read_json(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ImageError: it is none, or too large.
    """
    if len(data) > MOST_BYTES:
        raise ImageError(f"{what} has {len(data)} bytes; the most is {MOST_BYTES}")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{what} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ImageError(f"{what} is no JSON object")
    return found


def choose(data: bytes, what: str) -> Descriptor | None:
    """The manifest for this machine in an index; None if ``data`` is a manifest itself.

    Raises:
        ImageError: there is none for it.
    """
    found = read_json(data, what)
    if "manifests" not in found:
        return None
    wanted = architecture()
    offered = []
    for item in found["manifests"]:
        on = item.get("platform") or {} if isinstance(item, dict) else {}
        if (on.get("os"), on.get("architecture")) == ("linux", wanted):
            return read_descriptor(item, what)
        offered.append(f"{on.get('os')}/{on.get('architecture')}")
    raise ImageError(
        f"{what} has nothing for linux/{wanted}, only {', '.join(offered) or 'nothing'}"
    )


def read_manifest(data: bytes, what: str) -> Manifest:
    """A manifest.

    Raises:
        ImageError: it is none, or has what we cannot handle.
    """
    found = read_json(data, what)
    if found.get("schemaVersion") != 2 or "config" not in found:
        raise ImageError(f"{what} is of an old kind, or is no image's")
    layers = found.get("layers")
    if not isinstance(layers, list) or len(layers) > MOST_LAYERS:
        raise ImageError(f"{what} does not list up to {MOST_LAYERS} layers")
    return Manifest(
        digest_of(data),
        read_descriptor(found["config"], what),
        tuple(read_descriptor(item, what) for item in layers),
    )


def read_descriptor(found: Any, what: str) -> Descriptor:
    """A descriptor.

    Raises:
        ImageError: it is none.
    """
    if isinstance(found, dict):
        media, digest, size = (found.get(key) for key in ("mediaType", "digest", "size"))
        whole = isinstance(media, str) and isinstance(size, int) and size >= 0
        if whole and isinstance(digest, str) and DIGEST.fullmatch(digest):
            return Descriptor(str(media), digest, size or 0)
    raise ImageError(f"{what} has a descriptor that is none: {str(found)[:200]}")


def packed_layers(manifest: Manifest, config: Mapping[str, Any], what: str) -> list[Packed]:
    """The layers of an image, with the diff ids that its configuration gives them.

    Raises:
        ImageError: manifest and configuration do not fit together, or have what is not known.
    """
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(manifest.layers):
        raise ImageError(f"{what}: manifest and configuration do not have the same layers")
    for key in diff_ids:
        if not isinstance(key, str) or DIGEST.fullmatch(key) is None:
            raise ImageError(f"{what}: {str(key)[:80]!r} is no digest of a layer")
    check_config(config)
    packed = [
        Packed(layer.digest, layer.size, layer.media, key)
        for layer, key in zip(manifest.layers, diff_ids, strict=True)
    ]
    for layer in packed:
        layer.compression  # noqa: B018 - raises for media types that are not known
    return packed


def check_config(config: Mapping[str, Any]) -> None:
    """See that a configuration can be read, before it is kept.

    Raises:
        ImageError: a member has another type than the specification gives it.
    """
    for key, kind in (("config", dict), ("history", list), ("created", str)):
        if not isinstance(config.get(key) or kind(), kind):
            raise ImageError(f"the image's configuration has {key} {str(config[key])[:80]!r}")
    for key in ("architecture", "os"):
        if not isinstance(config.get(key, ""), str):
            raise ImageError(f"the image's configuration has {key} {str(config[key])[:80]!r}")
    read_config(config.get("config") or {})


def write_manifest(config: Descriptor, layers: list[Descriptor]) -> bytes:
    """An OCI manifest."""
    return dump(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": shown(config),
            "layers": [shown(layer) for layer in layers],
        }
    )


def shown(blob: Descriptor) -> dict[str, Any]:
    """A descriptor as it is stored."""
    return {"mediaType": blob.media, "digest": blob.digest, "size": blob.size}


def dump(value: Any) -> bytes:
    """JSON, the same bytes each time."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
