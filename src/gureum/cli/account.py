"""``gureum account``: accounts and their root keys."""

from __future__ import annotations

from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.options import Base, json_option, pass_base
from gureum.cli.output import clean, grid, note, print_json, show


@click.group(short_help="Make accounts and their root keys.")
def account() -> None:
    """Accounts are separate clouds in one.  Their keys count where signatures are checked: see
    'gureum up --auth'.

    \b
    gureum account create team
    """


@account.command("create")
@click.argument("name")
@click.option("--id", "number", metavar="DIGITS", help="Its twelve digits; any if none are given.")
@json_option
@pass_base
def create(base: Base, name: str, number: str | None, as_json: bool) -> None:
    """Make the account NAME with a root key, whose secret is shown this once."""
    _tell(Daemon(base.state).post("/accounts", {"name": name, "number": number}), as_json)


@account.command("list")
@json_option
@pass_base
def list_(base: Base, as_json: bool) -> None:
    """List the accounts and the ids of their root keys."""
    accounts = Daemon(base.state).get("/accounts")["accounts"]
    if as_json:
        print_json(accounts)
        return
    table = grid("account", "name", "root keys")
    for each in accounts:
        table.add_row(each["account"], clean(each["name"]), " ".join(each["root_keys"]))
    show(table)


@account.command("new-key")
@click.argument("account")
@json_option
@pass_base
def new_key(base: Base, account: str, as_json: bool) -> None:
    """Make one more root key of ACCOUNT, a name or twelve digits."""
    _tell(Daemon(base.state).post("/accounts/keys", {"owner": account}), as_json)


@account.command("delete-key")
@click.argument("account")
@click.argument("key")
@pass_base
def delete_key(base: Base, account: str, key: str) -> None:
    """Take the root key KEY of ACCOUNT away; it counts no more from now on."""
    Daemon(base.state).delete("/accounts/keys", owner=account, key=key)


@account.command("rotate-key")
@json_option
@pass_base
def rotate_key(base: Base, as_json: bool) -> None:
    """Seal the secrets of all accounts with another key, and forget the one before.

    Access keys go on as they are.  Sessions are over: clients assume their roles again, and
    instances read new credentials.  Calls wait while the database is written anew.
    """
    answer = Daemon(base.state).post("/accounts/rotate")
    if as_json:
        print_json(answer)
        return
    sealed = answer["sealed"]
    click.echo(f"{sealed} {'secret is' if sealed == 1 else 'secrets are'} sealed with a new key")


def _tell(made: dict[str, Any], as_json: bool) -> None:
    """A new key, in the words of AWS's credentials file."""
    if as_json:
        print_json(made)
        return
    click.echo(f"# account {made['account']}, its root")
    click.echo(f"aws_access_key_id = {made['access_key_id']}")
    click.echo(f"aws_secret_access_key = {made['secret_access_key']}")
    note("The secret is shown this once. Whoever has it may do everything in the account.")
