"""Shows an explanation with what was seen of the real packet beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gureum.cli.explain_show import header, ways, where
from gureum.cli.output import clean, grid, show

if TYPE_CHECKING:
    from rich.text import Text

_BUG = """\
The prediction and the packet disagree: this is a bug in Gureum.  Please report it, with what the
same command prints with --json."""

_COLOURS = {
    "seen": "green",
    "predicted only": "yellow",
    "seen only": "red",
    "contradicted": "red",
    "not expected": "dim",
}


def refuse_beside(live: bool, *others: bool) -> None:
    """End the command if ``--live`` is asked for together with another form of answer.

    Raises:
        click.UsageError: it is.
    """
    if live and any(others):
        raise click.UsageError("--live goes with none of --osi, --sides and --aws-json.")


def show_live(found: dict[str, Any]) -> None:
    """Print the steps of each way with what was seen, and the verdict."""
    evidence = found["evidence"]
    click.echo(f"sent: {clean(header(evidence['packet']))}")
    for title, trace in ways(found):
        _show_way(title, trace, evidence[title], found["names"])
    click.echo(f"{evidence['verdict']}: the packet was {evidence['outcome']}")
    if evidence["reasons"]:
        click.echo(_BUG)
        for reason in evidence["reasons"]:
            click.echo(f"  {clean(reason)}")


def _show_way(
    title: str, trace: dict[str, Any], laid: list[dict[str, Any]], names: dict[str, str]
) -> None:
    table = grid(title, "layer", "where", "what", "said", "status", "seen")
    for each in laid:
        index = each["step"]
        predicted = ("",) * 5 if index is None else _step(trace["steps"][index], names)
        table.add_row(*predicted, _status(each["status"]), clean("; ".join(_seen(each))))
    show(table)


def _step(step: dict[str, Any], names: dict[str, str]) -> tuple[str, ...]:
    mark = "pass" if step["passed"] else "BLOCK"
    code = f" [{step['code']}]" if step["code"] and not step["passed"] else ""
    told = clean(step["said"] + code)
    return mark, str(step["layer"]), where(step["place"], names), step["kind"], told


def _seen(laid: dict[str, Any]) -> Iterator[str]:
    """What was seen, and of what was on links also by how much the time to live fell."""
    if laid["said"]:
        yield laid["said"]
    lives = sorted({each["ttl"] for each in laid["sightings"]}, reverse=True)
    if len(lives) > 1:
        yield f"ttl {lives[0]} -> {lives[-1]}"


def _status(status: str) -> Text:
    from rich.text import Text  # slow to import, and not needed for --json

    return Text(status, _COLOURS[status])
