"""What commands print: JSON for programs, tables and trees for people.

Names and other texts that users chose go through :func:`clean`: they must neither be taken for
markup nor steer the terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.tree import Tree

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WIDE = 100_000
"""Columns of what is no terminal: nothing is cut or folded there."""


def clean(text: object) -> str:
    """A text without control characters."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def print_json(value: Any) -> None:
    """A value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """A remark for people, on stderr."""
    click.echo(text, err=True)


def console(*, stderr: bool = False) -> Console:
    """rich's console: coloured on a terminal only (and not with NO_COLOR), plain elsewhere."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=terminal,
        width=None if terminal else _WIDE,
        highlight=False,
        markup=False,
        emoji=False,
    )


def show(what: Table | Tree) -> None:
    """Print a table or tree; without padding at the ends of lines where no terminal is."""
    out = console()
    if out.is_terminal:
        out.print(what)
        return
    with out.capture() as captured:
        out.print(what)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def grid(*columns: str) -> Table:
    """An empty table without borders."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(*columns, box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")


def print_rows(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> None:
    """Rows of any form as a table: its columns are their keys in the order of appearance, less
    those without content, and ids that have a name are followed by it."""
    columns = list(dict.fromkeys(key for row in rows for key in row if row[key] != ""))
    table = grid(*(clean(column).replace("_", " ") for column in columns))
    for row in rows:
        table.add_row(*(_cell(row.get(column, ""), names) for column in columns))
    show(table)


def _cell(value: Any, names: Mapping[str, str]) -> str:
    text = clean(value)
    return f"{text} ({clean(names[text])})" if text in names else text


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Pairs of a word and a fact, one a line."""
    pairs = [(word, clean(fact)) for word, fact in facts]
    width = max((len(word) for word, _ in pairs), default=0)
    for word, fact in pairs:
        click.echo(f"{word:<{width}}  {fact}")
