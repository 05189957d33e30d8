"""The labs that there are: one folder each, with ``lab.yaml`` and a README in each language."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from gureum.labs.lab import Lab
from gureum.labs.texts import FILES, Language, Texts, read_texts

LAB = "lab.yaml"

_FOLDERS = (
    Path(__file__).parent / "catalogue",  # in a wheel (pyproject.toml puts them there)
    Path(__file__).parents[3] / "examples" / "labs",  # in a checkout
)


class LabError(ValueError):
    """A lab that is not there, or whose files cannot be used; the text says which and why."""


def folder() -> Path:
    """Where the labs are.

    Raises:
        LabError: they were not installed.
    """
    for path in _FOLDERS:
        if path.is_dir():
            return path
    raise LabError("the labs are not installed")


@cache
def names() -> tuple[str, ...]:
    """The names of all labs, in order."""
    return tuple(sorted(path.parent.name for path in folder().glob(f"*/{LAB}")))


@cache
def read(name: str) -> Lab:
    """A lab.

    Raises:
        LabError: there is none of that name, or its file says what no lab says.
    """
    path = _path(name) / LAB
    try:
        return msgspec.convert(_yaml(path.read_text(encoding="utf-8")), Lab)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise LabError(f"{path}: {error}") from None


@cache
def texts(name: str, language: Language) -> Texts:
    """The texts of a lab.

    Raises:
        LabError: there is no lab of that name, or its README lacks a part.
    """
    path = _path(name) / FILES[language]
    try:
        return read_texts(path.read_text(encoding="utf-8"), language)
    except (OSError, ValueError) as error:
        raise LabError(f"{path}: {error}") from None


def _path(name: str) -> Path:
    if name in names():
        return folder() / name
    close = difflib.get_close_matches(name, names(), 3)
    hint = f"did you mean {' or '.join(close)}?" if close else "'gureum lab list' shows them"
    raise LabError(f"no lab is called '{name}': {hint}")


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See :meth:`yaml.SafeLoader.construct_mapping`; a key given twice is an error."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _yaml(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
