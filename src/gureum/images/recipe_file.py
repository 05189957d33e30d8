"""Recipes as people write them: a TOML file with what an image has over another.

::

    from = "debian-12"
    packages = ["nginx-light"]
    clean = ["rm -rf /var/lib/nginx"]
    run = ["rm /etc/nginx/sites-enabled/default"]

    [[file]]
    path = "/var/www/html/index.html"
    text = "hello"

    [config]
    cmd = ["nginx", "-g", "daemon off;"]
    ports = ["80/tcp"]
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gureum.images.config import Healthcheck, ImageConfig
from gureum.images.errors import ImageError

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+", re.ASCII)
_MODE = re.compile(r"0?[0-7]{3,4}", re.ASCII)
_OWNER = re.compile(r"\d{1,5}:\d{1,5}", re.ASCII)
_PORT = re.compile(r"\d{1,5}/(tcp|udp|sctp)", re.ASCII)
_TOP = {"from", "name", "description", "packages", "clean", "run", "file", "config"}
_FILE = {"path", "text", "source", "mode", "owner"}
_CONFIG = {
    "env", "cmd", "entrypoint", "user", "workdir", "ports", "volumes", "labels", "stop_signal",
    "healthcheck",
}  # fmt: skip
_CHECK = {"test", "interval", "timeout", "start_period", "retries"}
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class File:
    """A file of the image: its absolute path, content, mode, and owner's uid and gid."""

    path: str
    data: bytes
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe that is whole: ``config`` says only what is other than the base's; ``clean`` are
    commands for a shell in the layer of the packages, ``run`` in that of the files, after them."""

    base: str
    name: str
    description: str
    packages: tuple[str, ...]
    clean: tuple[str, ...]
    files: tuple[File, ...]
    run: tuple[str, ...]
    config: ImageConfig


def read_recipe(text: str, folder: Path | None) -> RecipeFile:
    """Read a recipe; ``folder`` is where files are that it names, None if it may name none.

    Raises:
        ImageError: it is none; the text says where.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ImageError(f"the recipe is no TOML: {error}") from None
    _only(found, _TOP, "the recipe")
    if found.get("clean") and not found.get("packages"):
        raise ImageError("the recipe: clean is for what packages leave, and there are none")
    for package in _texts(found, "packages"):
        if _PACKAGE.fullmatch(package) is None:
            raise ImageError(f"the recipe: {package!r} is no name of a Debian package")
    return RecipeFile(
        _text(found, "from", "debian-12"),
        _text(found, "name"),
        _text(found, "description"),
        tuple(sorted(set(_texts(found, "packages")))),
        _texts(found, "clean"),
        tuple(_file(item, folder) for item in _list(found, "file")),
        _texts(found, "run"),
        _config(_table(found, "config")),
    )


def _file(found: Any, folder: Path | None) -> File:
    if not isinstance(found, dict):
        raise ImageError("the recipe: file is no table: write [[file]]")
    _only(found, _FILE, "file")
    path, mode, owner = (
        _text(found, "path"),
        _text(found, "mode", "0644"),
        _text(found, "owner", "0:0"),
    )
    if not path.startswith("/") or path.endswith("/") or ".." in path.split("/") or "\0" in path:
        raise ImageError(f"the recipe: {path!r} is no absolute path of a file")
    if not _MODE.fullmatch(mode) or not _OWNER.fullmatch(owner):
        raise ImageError(f"the recipe: {path} has mode {mode!r} and owner {owner!r}")
    uid, gid = owner.split(":")
    return File(path, _data(found, path, folder), int(mode, 8), int(uid), int(gid))


def _data(found: Mapping[str, Any], path: str, folder: Path | None) -> bytes:
    if ("text" in found) == ("source" in found):
        raise ImageError(f"the recipe: {path} needs either text or source")
    if "text" in found:
        return _text(found, "text").encode()
    if folder is None:
        raise ImageError(f"the recipe: {path} has a source, and the recipe is in no folder")
    try:
        return (folder / _text(found, "source")).read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f"the recipe: {path}: {error}") from None


def _config(found: Mapping[str, Any]) -> ImageConfig:
    _only(found, _CONFIG, "config")
    ports = _texts(found, "ports")
    for port in ports:
        if _PORT.fullmatch(port) is None:
            raise ImageError(f"the recipe: {port!r} is no port: write it as 80/tcp")
    env = _table(found, "env")
    return ImageConfig(
        env=tuple(f"{name}={value}" for name, value in env.items()),
        entrypoint=_texts(found, "entrypoint"),
        cmd=_texts(found, "cmd"),
        user=_text(found, "user"),
        working_dir=_text(found, "workdir"),
        exposed_ports=ports,
        volumes=_texts(found, "volumes"),
        labels={name: str(value) for name, value in _table(found, "labels").items()},
        stop_signal=_text(found, "stop_signal"),
        healthcheck=_healthcheck(_table(found, "healthcheck")),
    )


def _healthcheck(found: Mapping[str, Any]) -> Healthcheck | None:
    if not found:
        return None
    _only(found, _CHECK, "healthcheck")
    times = {key: found.get(key, 0) for key in _CHECK - {"test"}}
    for key, value in times.items():
        if not isinstance(value, int) or value < 0:
            raise ImageError(f"the recipe: healthcheck's {key} is {json.dumps(value)}")
    return Healthcheck(
        _texts(found, "test"),
        times["interval"] * SECOND,
        times["timeout"] * SECOND,
        times["start_period"] * SECOND,
        times["retries"],
    )


# --- members ------------------------------------------------------------------------------------
def _only(found: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in found:
        if key not in known:
            raise ImageError(f"{where} has no {key!r}; there are {', '.join(sorted(known))}")


def _text(found: Mapping[str, Any], key: str, default: str = "") -> str:
    value = found.get(key, default)
    if not isinstance(value, str):
        raise ImageError(f"the recipe: {key} is no text")
    return value


def _list(found: Mapping[str, Any], key: str) -> list[Any]:
    value = found.get(key, [])
    if not isinstance(value, list):
        raise ImageError(f"the recipe: {key} is no list")
    return value


def _texts(found: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = _list(found, key)
    if not all(isinstance(item, str) for item in value):
        raise ImageError(f"the recipe: {key} is no list of texts")
    return tuple(value)


def _table(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key, {})
    if not isinstance(value, dict):
        raise ImageError(f"the recipe: {key} is no table")
    return value
