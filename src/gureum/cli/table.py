"""``gureum table``: the kernel's live tables."""

from __future__ import annotations

import click

from gureum.cli.client import Daemon
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import note, print_json, print_rows

TABLES = ("arp", "mac", "route", "conntrack", "nat", "socket")


@click.command(short_help="Show a live table of the kernel.")
@click.argument("kind", type=click.Choice(TABLES))
@click.argument("place")
@json_option
@where_options
@pass_base
def table(
    base: Base, kind: str, place: str, as_json: bool, region: str | None, account: str | None
) -> None:
    """Show a live table of PLACE as the kernel has it now, in the cloud's own names.

    \b
    arp        who has which address, in an instance, VPC or subnet
    mac        which port a station is behind, in a subnet
    route      the routes in force
    conntrack  the flows that are being tracked
    nat        public addresses and what they are translated to
    socket     who listens and who talks to whom, in an instance or on the internet

    \b
    gureum table mac external-a
    """
    answer = Daemon(base.state, Where(account, region)).get("/table", kind=kind, place=place)
    if as_json:
        print_json(answer)
    elif answer["rows"]:
        print_rows(answer["rows"], answer["names"])
    else:
        note("The table is empty.")
