"""The image store: root directories that instances share, built once, never changed.

``<root>/<digest>/rootfs`` is an image, ``image.json`` beside it tells of it, and the link
``<root>/<name>`` says which one a name means now.  A build happens in ``.building-…`` under a lock
and ends in a rename, so a killed build leaves only rubbish, which the next one removes.  A newer
recipe makes a new directory: instances keep the one they were made from.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from gureum.images.errors import ImageError
from gureum.images.recipes import RECIPES, Recipe

SYSTEM_ROOT = Path("/var/lib/gureum/images")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What is known of one image; ``digest``, ``size`` (bytes) and ``created`` (RFC 3339) are empty
    until it is built."""

    name: str
    description: str
    built: bool = False
    digest: str = ""
    size: int = 0
    created: str = ""
    recipe: str = ""


def default_root() -> Path:
    """Where images are kept: ``GUREUM_IMAGES``, else the system's state folder for root and the
    XDG state folder for others."""
    given = os.environ.get("GUREUM_IMAGES")
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return SYSTEM_ROOT
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "gureum" / "images"


class ImageStore:
    """Images by name, built when first wanted; several processes may share one folder."""

    def __init__(
        self, root: Path | None = None, recipes: Mapping[str, Recipe] | None = None
    ) -> None:
        self.root = (root or default_root()).absolute()
        self._recipes = RECIPES if recipes is None else recipes

    def list(self) -> list[ImageInfo]:
        """Every image that we can make, built or not, in a fixed order."""
        return [
            self._built(recipe) or ImageInfo(recipe.name, recipe.description)
            for recipe in self._recipes.values()
        ]

    def ensure(self, name: str, progress: Progress = lambda line: None) -> Path:
        """The read-only root directory of an image, built first if it is not there.

        ``progress`` gets one line a step.  Who comes while another process builds waits for it.

        Raises:
            ImageError: there is no such image, or it could not be built.
        """
        recipe = self._recipes.get(name)
        if recipe is None:
            raise ImageError(f"no image is called {name!r}; there are {', '.join(self._recipes)}")
        if self._built(recipe) is None:
            self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
            with self._lock(name):
                if self._built(recipe) is None:
                    self._build(recipe, progress)
        return (self.root / name).resolve(strict=True) / "rootfs"

    def _built(self, recipe: Recipe) -> ImageInfo | None:
        try:
            text = (self.root / recipe.name / "image.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        info = ImageInfo(**json.loads(text))
        return info if info.recipe == recipe.version else None

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        with (self.root / f".lock-{name}").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _build(self, recipe: Recipe, progress: Progress) -> None:
        for rest in self.root.glob(f".building-{recipe.name}-*"):
            _remove(rest)
        folder = Path(tempfile.mkdtemp(prefix=f".building-{recipe.name}-", dir=self.root))
        try:
            folder.chmod(0o755)
            rootfs = folder / "rootfs"
            rootfs.mkdir(mode=0o755)
            progress(f"{recipe.name}: building")
            recipe.build(rootfs, lambda line: progress(f"{recipe.name}: {line}"))
            digest, size = content(rootfs)
            self._publish(recipe, folder, digest, size)
            progress(f"{recipe.name}: {size >> 20} MiB, sha256 {digest[:12]}")
        except (OSError, subprocess.SubprocessError) as error:
            raise ImageError(f"image {recipe.name} could not be built: {error}") from error
        finally:
            _remove(folder)

    def _publish(self, recipe: Recipe, folder: Path, digest: str, size: int) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        info = ImageInfo(
            recipe.name, recipe.description, True, f"sha256:{digest}", size, now, recipe.version
        )
        (folder / "image.json").write_text(json.dumps(asdict(info), indent=2), encoding="utf-8")
        # The recipe is part of the name: two recipes may come to the same content.
        target = self.root / f"{recipe.name}-{digest[:12]}-{recipe.version}"
        if not target.exists():
            folder.rename(target)
        link = self.root / f".link-{recipe.name}"
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)
        link.rename(self.root / recipe.name)


def content(rootfs: Path) -> tuple[str, int]:
    """SHA-256 over names, types, modes, owners and contents of a tree (not its times), and the
    sum of its file sizes in bytes."""
    total = hashlib.sha256()
    size = 0
    for folder, folders, files in os.walk(rootfs):
        folders.sort()
        for name in sorted([*files, *folders]):
            path = Path(folder, name)
            status = path.lstat()
            total.update(
                f"{path.relative_to(rootfs)}\0{status.st_mode:o}\0{status.st_uid}\0"
                f"{status.st_gid}\0".encode(errors="surrogateescape")
            )
            if stat.S_ISLNK(status.st_mode):
                total.update(os.fsencode(path.readlink()))
            elif stat.S_ISREG(status.st_mode):
                size += status.st_size
                with path.open("rb") as file:
                    total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest(), size


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
