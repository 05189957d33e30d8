"""``gureum env``: what AWS clients need to know, as shell commands."""

from __future__ import annotations

import os
import shlex
from pathlib import PurePath

import click

from gureum.cli.client import Daemon
from gureum.cli.options import Base, json_option, pass_base, where_options
from gureum.cli.output import note, print_json

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""The variables that a cloud which checks signatures cannot tell: it shows a secret once."""

_FORMS = {"bash": "export {}={}", "fish": "set -gx {} {};"}


@click.command(short_help="Print the variables for AWS clients.")
@click.option(
    "--shell",
    type=click.Choice(sorted(_FORMS)),
    default=lambda: "fish" if PurePath(os.environ.get("SHELL", "")).name == "fish" else "bash",
    help="The shell to write for (bash: any POSIX shell).  [default: by SHELL]",
)
@json_option
@where_options
@pass_base
def env(base: Base, shell: str, as_json: bool, region: str | None, account: str | None) -> None:
    """Print the variables by which AWS clients find this cloud.

    \b
    eval "$(gureum env)"
    gureum env | source      # fish
    """
    status = Daemon(base.state).get("/status")
    auth = status["auth"]
    found = variables(status["endpoint"], region or status["default_region"], account)
    if auth != "open":
        note("This cloud checks signatures: use keys of your own ('gureum account create').")
        found = {name: value for name, value in found.items() if name not in CREDENTIALS}
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        click.echo(_FORMS[shell].format(name, shlex.quote(value)))


def variables(endpoint: str, region: str, account: str | None) -> dict[str, str]:
    """The variables of AWS's clients (AWS SDKs and Tools Reference Guide).

    In an open cloud the access key id names the account, and any secret will do.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": account or "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
