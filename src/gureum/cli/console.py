"""``gureum console``: what an instance has printed."""

from __future__ import annotations

import click

from gureum.cli.client import Daemon
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import print_json


@click.command(short_help="Print what an instance has printed.")
@click.argument("instance")
@json_option
@where_options
@pass_base
def console(
    base: Base, instance: str, as_json: bool, region: str | None, account: str | None
) -> None:
    """Print the last 64 KiB of INSTANCE's console: its boots and its user data script.

    \b
    gureum console web
    """
    answer = Daemon(base.state, Where(account, region)).get("/console", place=instance)
    if as_json:
        print_json(answer)
    else:
        click.echo(answer["output"], nl=False)
