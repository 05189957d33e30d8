"""Commands that mend something, for a shell."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from gureum.model import Resource
from gureum.resources.region import DEFAULT_REGION


@dataclass(frozen=True)
class Fix:
    """``said`` is what it does, ``commands`` are lines for a shell, to be run in order."""

    said: str
    commands: tuple[str, ...]


def alone(ip: str) -> str:
    """The block of one address."""
    return f"{ip}/128" if ":" in ip else f"{ip}/32"


def aws(row: Resource, action: str, *words: str) -> str:
    """One command of the AWS CLI, quoted for a shell.

    The region is named where a shell's default may be another.  A word that begins with ``$`` is a
    variable of the shell.
    """
    region = () if row.region == DEFAULT_REGION else ("--region", row.region)
    quoted = (word if word.startswith("$") else shlex.quote(word) for word in (*words, *region))
    return " ".join(("aws", "ec2", action, *quoted))


def kept(name: str, row: Resource, action: str, query: str, *words: str) -> str:
    """A command whose answer's ``query`` (JMESPath) a variable of the shell keeps."""
    return f"{name}=$({aws(row, action, *words, '--query', query, '--output', 'text')})"
