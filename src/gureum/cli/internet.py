"""``gureum internet``: the hosts of the internet that the cloud plays."""

from __future__ import annotations

import click

from gureum.cli.client import Daemon
from gureum.cli.options import Base, json_option, pass_base
from gureum.cli.output import clean, grid, note, print_json, show


@click.group(short_help="List, add and remove hosts of the internet.")
def internet() -> None:
    """The hosts of the internet: 'me', 'mirror', 'stranger', and others that you add.

    \b
    gureum internet add partner
    gureum exec partner -- curl http://198.18.7.9:8080/
    """


@internet.command("list")
@json_option
@pass_base
def list_(base: Base, as_json: bool) -> None:
    """List the hosts and their addresses."""
    hosts = Daemon(base.state).get("/internet")["hosts"]
    if as_json:
        print_json(hosts)
        return
    table = grid("name", "address")
    for host in hosts:
        table.add_row(clean(host["name"]), host["ip"])
    show(table)


@internet.command("add")
@click.argument("name")
@click.option("--ip", help="An address of 198.19.0.0/16; any free one if none is given.")
@json_option
@pass_base
def add(base: Base, name: str, ip: str | None, as_json: bool) -> None:
    """Add the host NAME to the internet."""
    answer = Daemon(base.state).post("/internet", {"name": name, "ip": ip})
    if as_json:
        print_json(answer["host"])
    else:
        click.echo(f"{answer['host']['name']}  {answer['host']['ip']}")
    _warn(answer)


@internet.command("remove")
@click.argument("name")
@pass_base
def remove(base: Base, name: str) -> None:
    """Remove the host NAME from the internet."""
    _warn(Daemon(base.state).delete("/internet", name=name))


def _warn(answer: dict[str, bool]) -> None:
    if not answer["in_force"]:
        note("This is not in force yet: see 'gureum status'.")
