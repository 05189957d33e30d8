"""Fetches images from registries, by skopeo(1).

What is fetched is held against digests here, beginning with the manifest's: the configuration's
digest stands in the manifest, the layers' in both.  skopeo gets its credentials in a file that only
we can read, never on its command line; without credentials of the caller's it gets an empty one,
so nobody's logins on this machine are used unasked.

Sources: skopeo-copy(1), skopeo-inspect(1), containers-auth.json(5), containers-transports(5).
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gureum.images import told
from gureum.images.catalog import Catalog, digest_of
from gureum.images.errors import ImageError, ImageNotFoundError
from gureum.images.manifest import MOST_BYTES, Manifest, choose, read_manifest
from gureum.images.reference import Reference
from gureum.model.cidr import is_loopback

Progress = Callable[[str], None]

PATIENCE = 3600.0
"""Seconds that all blobs of an image may take; a registry may stop in the middle of one."""
ANSWER = 120.0
"""Seconds that one manifest, or a login, may take."""

PULL = ".pull-"
"""What the folders begin with in which something is being fetched."""

_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
_COPYING = re.compile(r"Copying blob (?:sha256:)?([0-9a-f]{12,64})")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who to be for a registry; the password is not shown when this is printed."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image whose blobs are all there: its manifest and configuration as they were sent, and
    the digests by which the registry has it."""

    manifest: Manifest
    raw: bytes
    config: bytes
    digests: tuple[str, ...]


def fetch(
    catalog: Catalog, name: Reference, progress: Progress, credentials: Credentials | None
) -> Fetched:
    """Fetch an image's blobs into the catalog, those that are there not again.

    Raises:
        ImageNotFoundError: the registry does not have it.
        ImageError: it cannot be reached, refuses us, or sends what is not what was asked for.
    """
    with session(catalog, name, credentials) as skopeo:
        progress(f"{name.short}: asking {name.domain}")
        raw = skopeo.inspect(name)
        digests = [digest_of(raw)]
        progress(told.Line(f"{name.short}: is {digests[0]}", f"Digest: {digests[0]}"))
        if name.digest and digests != [name.digest]:
            raise ImageError(f"{name}: the registry sent another manifest, {digests[0]}")
        chosen = choose(raw, f"{name}'s manifest")
        if chosen is not None:
            raw = skopeo.inspect(name.pinned(chosen.digest))
            digests.append(digest_of(raw))
            if digests[-1] != chosen.digest:
                raise ImageError(f"{name}: the registry sent another manifest, {digests[-1]}")
        manifest = read_manifest(raw, f"{name}'s manifest")
        pinned = name.pinned(manifest.digest)
        config = skopeo.inspect(pinned, "--config")
        if digest_of(config) != manifest.config.digest:
            raise ImageError(f"{name}: the configuration is not {manifest.config.digest}")
        missing = {
            layer.digest: layer.size
            for layer in manifest.layers
            if not catalog.blob(layer.digest).exists()
        }
        have = len({layer.digest for layer in manifest.layers}) - len(missing)
        if have:
            progress(f"{name.short}: {have} of its layers are here already")
        if missing:
            skopeo.copy(pinned, missing, progress)
    return Fetched(manifest, raw, config, tuple(digests))


def local(name: Reference) -> bool:
    """Whether a registry is on this machine's loopback, where plain HTTP is as good as TLS."""
    return is_loopback(re.sub(r":\d+$", "", name.domain).strip("[]"))


@contextmanager
def session(catalog: Catalog, name: Reference, credentials: Credentials | None) -> Iterator[Skopeo]:
    """skopeo with a folder of its own, which is on the catalog's file system, for it renames."""
    with tempfile.TemporaryDirectory(prefix=PULL, dir=catalog.root) as folder:
        auth = Path(folder, "auth.json")
        logins = {}
        if credentials is not None:
            pair = f"{credentials.user}:{credentials.password}".encode()
            logins[name.domain] = {"auth": base64.b64encode(pair).decode()}
        with os.fdopen(os.open(auth, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"auths": logins}, file)
        yield Skopeo(catalog, Path(folder), auth, plain=local(name))


class Skopeo:
    """skopeo, with a folder and credentials of its own."""

    def __init__(self, catalog: Catalog, folder: Path, auth: Path, *, plain: bool) -> None:
        self._catalog = catalog
        self.folder = folder
        self.auth = auth
        self._plain = plain
        self.verify = ["--tls-verify=false"] if plain else []

    def run(
        self, name: Reference, call: list[str], said: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run skopeo for an answer, with ``said`` as its input.

        Raises:
            ImageError: the registry does not answer.
        """
        try:
            return subprocess.run(
                call, input=said or b"", capture_output=True, check=False, timeout=ANSWER
            )
        except subprocess.TimeoutExpired:
            raise ImageError(f"{name}: {name.domain} did not answer in {ANSWER:.0f} s") from None

    def inspect(self, name: Reference, *options: str) -> bytes:
        """The manifest or, with ``--config``, the configuration, as the registry sends it."""
        call = [
            "skopeo", "inspect", "--raw", *options, f"--authfile={self.auth}", *self.verify,
            f"docker://{name if not name.digest else name.pinned(name.digest)}",
        ]  # fmt: skip
        done = self.run(name, call)
        if done.returncode != 0:
            raise failure(name, done.stderr.decode(errors="replace"))
        if len(done.stdout) > MOST_BYTES:
            raise ImageError(f"{name}: its manifest has more than {MOST_BYTES} bytes")
        return done.stdout

    def copy(self, name: Reference, missing: dict[str, int], progress: Progress) -> None:
        """Fetch the blobs ``missing`` (bytes by digest).

        skopeo checks each blob's digest before it gives it its place.  It writes a manifest and a
        configuration of its own making (OCI's have no health checks), which nobody needs.
        """
        verify = ["--src-tls-verify=false"] if self._plain else []
        call = [
            "skopeo", "copy", f"--src-authfile={self.auth}", *verify,
            "--dest-oci-accept-uncompressed-layers",
            f"--dest-shared-blob-dir={self._catalog.blobs.parent}",
            f"docker://{name}", f"oci:{self.folder / 'layout'}:x",
        ]  # fmt: skip
        before = set(os.listdir(self._catalog.blobs))  # noqa: PTH208 - names only
        status, said = told.run(call, lambda row: _tell(row, missing, progress), patience=PATIENCE)
        if status != 0:
            raise failure(name, said)
        self._forget_conversions(before, missing)
        for digest in missing:
            if not self._catalog.blob(digest).exists():
                raise ImageError(f"{name}: skopeo did not fetch {digest}")

    def _forget_conversions(self, before: set[str], missing: dict[str, int]) -> None:
        index = json.loads((self.folder / "layout/index.json").read_bytes())
        for item in index["manifests"]:
            blob = self._catalog.blob(item["digest"])
            config = self._catalog.blob(json.loads(blob.read_bytes())["config"]["digest"])
            for file in (blob, config):
                if file.name not in before and f"sha256:{file.name}" not in missing:
                    file.unlink()


def _tell(row: str, missing: dict[str, int], progress: Progress) -> None:
    match = _COPYING.search(row)
    for digest, size in missing.items():
        if match and digest.removeprefix("sha256:").startswith(match[1]):
            text = f"fetching {match[1][:12]}: {size / (1 << 20):.1f} MiB"
            progress(told.Line(text, "Downloading", match[1][:12]))


def failure(name: Reference, said: str, what: str = "fetched") -> ImageError:
    """What skopeo's complaint means."""
    match = _FATAL.search(said)
    text = re.sub(r"\\(.)", r"\1", match[1]) if match else said.strip()[-500:]
    if re.search(r"manifest unknown|name unknown|repository name not known", text):
        return ImageNotFoundError(f"{name} is not in the registry")
    if re.search(r"unauthorized|authentication required|invalid username/password", text):
        return ImageError(f"{name}: the registry wants (other) credentials: {text}")
    return ImageError(f"{name} could not be {what}: {text}")
