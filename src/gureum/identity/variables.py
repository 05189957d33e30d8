"""Policy variables and wildcards: texts of policies as patterns.

Source: IAM User Guide, "IAM policy elements: Variables and tags".  What a variable stands for is
taken letter by letter: a ``*`` in a tag is no wildcard.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

from gureum.identity.request import Context


class Wild(Enum):
    """A wildcard: any characters, or exactly one."""

    ANY = "*"
    ONE = "?"


Pattern: TypeAlias = tuple[str | Wild, ...]

_VARIABLE = r"\$\{(?:[^{}']|'[^']*')*\}"
_TOKEN = re.compile(rf"({_VARIABLE})|([*?])")
_WILD = re.compile(r"[*?]|[^*?]+")
_PARTS = re.compile(rf"{_VARIABLE}|:|[^:$]+|\$")
_NAME = re.compile(r"\$\{\s*([^\s,']+)\s*(?:,\s*'([^']*)'\s*)?\}")
_SPECIAL = {"${*}": "*", "${?}": "?", "${$}": "$"}
ARN_PARTS = 6


def expand(text: str, context: Context | None) -> Pattern | None:
    """A text of a policy as a pattern, its variables replaced by the request's values.

    Without a context nothing is a variable, as in version 2008-10-17.  None if a variable has no
    value and no default, or has several values: then nothing is equal to the text, nor like it.
    """
    if context is None or "${" not in text:
        return _constant(text)
    pieces: list[str | Wild] = []
    end = 0
    for found in _TOKEN.finditer(text):
        pieces.append(text[end : found.start()])
        end = found.end()
        piece = Wild(found[2]) if found[2] else _value(found[1], context)
        if piece is None:
            return None
        pieces.append(piece)
    return tuple(piece for piece in (*pieces, text[end:]) if piece != "")


@lru_cache(maxsize=4096)
def _constant(text: str) -> Pattern:
    """A text in which only wildcards mean something."""
    return tuple(Wild(piece) if piece in ("*", "?") else piece for piece in _WILD.findall(text))


def _value(variable: str, context: Context) -> str | None:
    if variable in _SPECIAL:
        return _SPECIAL[variable]
    name = _NAME.fullmatch(variable)
    if name is None:
        return variable
    values = context.get(name[1])
    return values[0] if len(values) == 1 else name[2]


def plain(pattern: Pattern) -> str:
    """A pattern as the text that it is where wildcards mean nothing."""
    return "".join(piece.value if isinstance(piece, Wild) else piece for piece in pattern)


def glob(pattern: Pattern, text: str, *, ignore_case: bool = False) -> bool:
    """Whether a pattern matches all of a text."""
    return compiled(pattern, ignore_case=ignore_case).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def compiled(pattern: Pattern, *, ignore_case: bool) -> re.Pattern[str]:
    """A pattern as an expression that matches all of a text.

    Each stretch between stars is looked for at its first place and never again: the first place
    is as good as any, so that time is bounded by pattern times text, whoever wrote the pattern."""
    runs = [
        "".join("." if piece is Wild.ONE else re.escape(str(piece)) for piece in run)
        for star, run in groupby(pattern, lambda piece: piece is Wild.ANY)
        if not star
    ]
    first = runs.pop(0) if runs and pattern[0] is not Wild.ANY else ""
    last = runs.pop() if runs and pattern[-1] is not Wild.ANY else ""
    middle = "".join(f"(?>.*?{run})" for run in runs)
    star = ".*" if Wild.ANY in pattern else ""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG)
    return re.compile(first + middle + star + last, flags)


def arn_parts(text: str, *, variables: bool) -> tuple[str, ...]:
    """An ARN of a policy cut at its first five colons, those within variables left alone."""
    if not variables or "${" not in text:
        return tuple(text.split(":", ARN_PARTS - 1))
    parts = [""]
    for part in _PARTS.findall(text):
        if part == ":" and len(parts) < ARN_PARTS:
            parts.append("")
        else:
            parts[-1] += part
    return tuple(parts)
