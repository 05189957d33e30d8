"""Builds images from recipes: each step is a layer, made once for all recipes that begin alike.

A step runs over the layers below it in namespaces of its own, of which it is the first process: if
it is killed, its mounts and processes are gone with it.  What it changed is the layer.  Packages
are one step, files and commands another, so a changed file does not install the packages anew.
What packages leave that nobody needs is cleaned away in their own step: a later layer would only
hide it.

Packages and commands run as root of this machine, as when ``debian-12`` itself is made; therefore
only over images that were made here, never over one that was fetched.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gureum.images import layers, overlay, told
from gureum.images.catalog import Catalog, Entry, digest_of, hex_of, read_json
from gureum.images.config import ImageConfig, write_config, write_history
from gureum.images.debian_image import ISOLATED
from gureum.images.errors import ImageError
from gureum.images.image import Image
from gureum.images.manifest import architecture, dump
from gureum.images.pack import pack, size_of
from gureum.images.recipe_file import File, RecipeFile
from gureum.images.reference import Reference

Progress = Callable[[str], None]

VERSION = "1"
"""Part of every step's key: changes when the scripts below do."""

# $1 mount options, $2 where, $3 the program for the root that this makes, the others its arguments.
# Programs that find no daemons to talk to are told not to start any: policy-rc.d, invoke-rc.d(8).
_INSIDE = r"""
mount -t overlay -o "$1" gureum "$2"
root=$2 script=$3
shift 3
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
for name in null zero full random urandom tty; do
    : >"$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/var/tmp"
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" sh -euc "$script" gureum "$@"
"""

_INSTALL = r"""
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get -q update
apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@"
rm -rf /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /var/cache/ldconfig/*
find /var/log -type f -delete
"""

# Of the host, for as long as the step takes: who answers for names.
_BORROWED = ("etc/resolv.conf", "etc/hosts")
_PASSING = (*_BORROWED, "usr/sbin/policy-rc.d")

_TELLING = re.compile(
    r"^(?:Get:\d+ \S+ \S+ \S+ (?P<get>[a-z0-9]\S+)|(?P<step>Unpacking \S+|Setting up \S+))"
)


@dataclass(frozen=True, slots=True)
class Step:
    """What a layer is made by; ``note`` is its line in the image's history."""

    note: str
    packages: tuple[str, ...] = ()
    clean: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    run: tuple[str, ...] = ()

    def key(self, below: Sequence[str]) -> str:
        """A digest of all that the layer depends on: what is below, and what is done."""
        files = [(f.path, digest_of(f.data), f.mode, f.uid, f.gid) for f in self.files]
        return digest_of(dump([VERSION, list(below), self.packages, self.clean, files, self.run]))


def steps(recipe: RecipeFile) -> list[Step]:
    """The layers that a recipe adds."""
    found = []
    if recipe.packages:
        note = f"packages {' '.join(recipe.packages)}"
        found.append(Step(note, packages=recipe.packages, clean=recipe.clean))
    if recipe.files or recipe.run:
        note = ", ".join([*(file.path for file in recipe.files), *recipe.run])
        found.append(Step(note, files=recipe.files, run=recipe.run))
    return found


def build(
    catalog: Catalog, base: Image, recipe: RecipeFile, name: Reference, progress: Progress
) -> str:
    """Build an image over ``base`` and give it a name; its digest.  Within
    :meth:`Catalog.adding`.

    Raises:
        ImageError: a step failed; the text has its last lines.
    """
    runs = [step for step in steps(recipe) if step.packages or step.run]
    if runs and any(layer.digest for layer in base.stack):
        raise ImageError(
            f"{recipe.base} was fetched: its programs are not run as root of this machine, so a "
            "recipe over it may have files only"
        )
    diff_ids = [layer.diff_id for layer in base.stack]
    paths = list(base.layers)
    for step in steps(recipe):
        key = step.key(diff_ids)
        diff_id = _step(catalog, key, step, paths, lambda line: progress(f"{name.short}: {line}"))
        diff_ids.append(diff_id)
        paths.append((catalog.layer(diff_id) / "fs").resolve())
    config = _configuration(base, recipe, diff_ids)
    made = [""] * len(steps(recipe))
    with catalog.changing():
        digest = _same(catalog, name, config) or catalog.keep(dump(config))
        catalog.save(Entry(digest, "", (*(layer.digest for layer in base.stack), *made)))
        catalog.save_names(catalog.names() | {str(name): digest})
    return digest


def _same(catalog: Catalog, name: Reference, config: dict[str, Any]) -> str | None:
    """The image of that name, if it is the same but for the time."""
    digest = catalog.names().get(str(name))
    stored = read_json(catalog.blob(digest)) if digest else None
    times = {"created": None, "history": None}
    return digest if stored is not None and stored | times == config | times else None


def _configuration(base: Image, recipe: RecipeFile, diff_ids: list[str]) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    history = write_history(base.history)
    history += [{"created": now, "created_by": step.note} for step in steps(recipe)]
    return {
        "created": now,
        "architecture": base.architecture or architecture(),
        "os": base.os or "linux",
        "config": write_config(merged(base.config, recipe.config)),
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
    }


def merged(below: ImageConfig, above: ImageConfig) -> ImageConfig:
    """A configuration over another, as Docker's builder does it: lists of words replace,
    environment, ports, volumes and labels are added, and a new entry point forgets the old
    command."""
    names = {row.partition("=")[0] for row in above.env}
    cmd = above.cmd or (() if above.entrypoint else below.cmd)
    return replace(
        below,
        env=(*(row for row in below.env if row.partition("=")[0] not in names), *above.env),
        entrypoint=above.entrypoint or below.entrypoint,
        cmd=cmd,
        user=above.user or below.user,
        working_dir=above.working_dir or below.working_dir,
        exposed_ports=tuple(sorted({*below.exposed_ports, *above.exposed_ports})),
        volumes=tuple(sorted({*below.volumes, *above.volumes})),
        labels={**below.labels, **above.labels},
        stop_signal=above.stop_signal or below.stop_signal,
        healthcheck=above.healthcheck or below.healthcheck,
    )


# --- one step -----------------------------------------------------------------------------------
def _step(catalog: Catalog, key: str, step: Step, below: Sequence[Path], progress: Progress) -> str:
    """The layer of a step, made if it is not there."""
    with (catalog.layers / f".lock-{hex_of(key)}").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = catalog.step(key)
        if known is not None and catalog.layer_size(known) is not None:
            progress(f"{step.note[:60]}: is there already")
            return known
        progress(step.note[:60])
        with layers.new(catalog, key) as folder:
            _make(folder, step, below, progress)
            diff_id, _ = pack(folder / "fs", None)
            if catalog.layer_size(diff_id) is None:
                layers.finish(catalog, diff_id, folder, size_of(folder / "fs"))
        with catalog.changing():
            catalog.keep_step(key, diff_id)
        return diff_id


def _make(folder: Path, step: Step, below: Sequence[Path], progress: Progress) -> None:
    upper = folder / "fs"
    for name in ("work", "root"):
        (folder / name).mkdir()
    _like(below[-1], upper)
    if step.packages:
        for name in _BORROWED:
            _write(upper, below, File(f"/{name}", Path("/", name).read_bytes(), 0o644, 0, 0))
        script = "\n".join([_INSTALL, *step.clean])
        _inside(folder, below, script, step.packages, progress)
        for name in _PASSING:
            _forget(upper, below, name)
    for file in step.files:
        _write(upper, below, file)
    for command in step.run:
        progress(command[:60])
        _inside(folder, below, command, (), progress)
    layers.remove(folder / "work")
    layers.remove(folder / "root")


def _like(below: Path, upper: Path) -> None:
    """Upper's own mode and owner are those of / in the image."""
    status = below.stat()
    upper.chmod(status.st_mode & 0o7777)
    os.chown(upper, status.st_uid, status.st_gid)


def _inside(
    folder: Path, below: Sequence[Path], script: str, words: Sequence[str], progress: Progress
) -> None:
    mount = overlay.options(below, folder / "fs", folder / "work")
    call = [*ISOLATED, "sh", "-euc", _INSIDE, "gureum", mount, str(folder / "root"), script, *words]

    def tell(row: str) -> None:
        match = _TELLING.match(row)
        if match:
            progress(match["step"] or f"fetching {match['get']}")

    status, last = told.run(call, tell)
    if status != 0:
        raise ImageError(f"the build failed:\n{last}")


def _forget(upper: Path, below: Sequence[Path], name: str) -> None:
    """Remove what was there for the step only; the layers below have the last word on it."""
    if not any(os.path.lexists(path / name) for path in below):
        (upper / name).unlink(missing_ok=True)
    elif (upper / name).exists():
        (upper / name).unlink()


def _write(upper: Path, below: Sequence[Path], file: File) -> None:
    """Put a file into the layer, and before that the folders that lead to it, as they are below."""
    target = upper
    parts = file.path.strip("/").split("/")
    for depth, part in enumerate(parts[:-1], start=1):
        target /= part
        if not target.is_symlink() and target.is_dir():
            continue
        inner = Path(*parts[:depth])
        there = [path / inner for path in below if os.path.lexists(path / inner)]
        if target.is_symlink() or target.exists() or (there and not _folder(there[-1])):
            raise ImageError(f"{file.path}: /{inner} is no folder in the image below")
        target.mkdir(mode=0o755)
        if there:
            _like(there[-1], target)
    target /= parts[-1]
    target.unlink(missing_ok=True)
    target.write_bytes(file.data)
    os.chown(target, file.uid, file.gid)
    target.chmod(file.mode)


def _folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
