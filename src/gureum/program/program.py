"""A whole abstract network: statements with the ids that asked for them, as text, as difference."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from gureum.program.statements import Statement

Whys = frozenset[str]


@dataclass(frozen=True)
class Program:
    """The statements of one revision, each with the ids of the resources that asked for it."""

    revision: int = 0
    statements: Mapping[Statement, Whys] = field(default_factory=dict)


def diff(old: Program, new: Program) -> tuple[frozenset[Statement], frozenset[Statement]]:
    """``(added, removed)``; the ids in the whys do not count."""
    return (
        frozenset(new.statements.keys() - old.statements.keys()),
        frozenset(old.statements.keys() - new.statements.keys()),
    )


def render(program: Program) -> str:
    """The program as text, one statement a line, sorted: for golden files and for reading."""
    lines = sorted(
        f"{line(statement)}  # {' '.join(sorted(whys))}"
        for statement, whys in program.statements.items()
    )
    return "".join(f"{text}\n" for text in lines)


def line(statement: Statement) -> str:
    """One statement as ``Type field=value …``; embedded statements appear as their id."""
    values = (
        f"{item.name}={_value(getattr(statement, item.name))}"
        for item in dataclasses.fields(statement)
    )
    return " ".join((type(statement).__name__, *values))


def _value(value: object) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        key = getattr(value, "id", None)
        if isinstance(key, str):
            return key
        inner = ",".join(_value(getattr(value, item.name)) for item in dataclasses.fields(value))
        return f"{type(value).__name__}({inner})"
    if isinstance(value, tuple):
        return f"[{' '.join(_value(item) for item in value)}]"
    return str(value)
