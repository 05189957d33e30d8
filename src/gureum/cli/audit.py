"""``gureum audit``: built-in checks of defence in depth."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED, USAGE, Failure
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, note, print_json

SEVERITIES = ("high", "medium", "low")
_COLOURS = {"high": "red", "medium": "yellow", "low": "blue"}


@click.command(short_help="Look for what is open, dead or unused.")
@click.option("--only", metavar="CHECK", multiple=True, help="Only this check; may be repeated.")
@click.option("--skip", metavar="CHECK", multiple=True, help="Not this check; may be repeated.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    default="low",
    show_default=True,
    help="The least that is worth showing, and failing for.",
)
@json_option
@where_options
@pass_base
def audit(
    base: Base,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    severity: str,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Look for what is open to the internet, for rules and routes that can never matter, and for
    what nobody uses.  Sends nothing.

    Ends with 0 if nothing of the severity is found, 1 if something is, 2 if there is no such check.

    \b
    gureum audit --severity high
    """
    daemon = Daemon(base.state, Where(account, region))
    try:
        found = daemon.post("/audit", {"only": list(only), "skip": list(skip)})
    except Failure as failure:
        if failure.code == "BadRequest":  # no finding: it would look like one to CI
            raise Failure(failure.message, USAGE) from None
        raise
    wanted = SEVERITIES[: SEVERITIES.index(severity) + 1]
    findings = [each for each in found["findings"] if each["severity"] in wanted]
    if as_json:
        print_json(found | {"findings": findings})
    else:
        _show(findings)
    if findings:
        raise click.exceptions.Exit(FAILED)


def _show(findings: list[dict[str, Any]]) -> None:
    if not findings:
        note("Nothing found.")
    for check, group in groupby(findings, key=lambda each: str(each["check"])):
        remarks = list(group)
        severity = str(remarks[0]["severity"])
        mark = click.style(f"{severity:<6}", fg=_COLOURS[severity])
        click.echo(f"{mark}  {check}: {clean(remarks[0]['why'])}")
        for each in remarks:
            name = f" ({each['name']})" if each["name"] else ""
            click.echo(f"        {clean(each['place'] + name)}: {clean(each['said'])}")
            for command in each["commands"]:
                click.echo(f"          {clean(command)}")
