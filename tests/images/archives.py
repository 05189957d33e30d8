"""Tar archives and OCI layouts as tests want them, the wrong ones too."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gureum.images.catalog import Catalog
from gureum.images.layers import Packed

TAR = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def member(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """One member: a file of mode 644 that belongs to root, unless ``fields`` say otherwise."""
    made = tarfile.TarInfo(name)
    made.size = len(data)
    made.mtime = 1_700_000_000
    for field, value in fields.items():
        setattr(made, field, value)
    return made, data


def folder(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    made: dict[str, Any] = {"type": tarfile.DIRTYPE, "mode": 0o755} | fields
    return member(name, **made)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def compressed(tar: bytes, how: str) -> bytes:
    """``how`` is ``""``, ``gzip`` or ``zstd``."""
    if how == "zstd":
        return subprocess.run(["zstd", "-q"], input=tar, capture_output=True, check=True).stdout
    return gzip.compress(tar, mtime=0) if how == "gzip" else tar


def packed(catalog: Catalog, tar: bytes, how: str = "") -> tuple[Packed, Path]:
    """A layer in the store's blobs."""
    catalog.prepare()
    blob = compressed(tar, how)
    key = catalog.keep(blob)
    media = f"{TAR}+{how}" if how else TAR
    return Packed(key, len(blob), media, digest(tar)), catalog.blob(key)


def layout(
    target: Path,
    layers: Sequence[bytes],
    config: Mapping[str, Any],
    name: str = "",
    how: str = "gzip",
) -> str:
    """Write an OCI layout of one image; the digest of its configuration."""
    blobs = target / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def keep(data: bytes, media: str) -> dict[str, Any]:
        (blobs / digest(data).removeprefix("sha256:")).write_bytes(data)
        return {"mediaType": media, "digest": digest(data), "size": len(data)}

    media = f"{TAR}+{how}" if how else TAR
    stored = {
        "architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05Z", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        "history": [{"created_by": f"step {number}"} for number, _ in enumerate(layers)],
    }  # fmt: skip
    about = keep(json.dumps(stored).encode(), CONFIG)
    manifest = keep(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": about,
                "layers": [keep(compressed(layer, how), media) for layer in layers],
            }
        ).encode(),
        MANIFEST,
    )
    if name:
        manifest["annotations"] = {"org.opencontainers.image.ref.name": name}
    (target / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    index = {"schemaVersion": 2, "manifests": [manifest]}
    (target / "index.json").write_text(json.dumps(index))
    return str(about["digest"])
