"""``gureum table``: the kernel's live tables."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any, cast

import click

from gureum.cli.client import Daemon
from gureum.cli.ending import ending_kindly, give_up_where_nobody_reads
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, note, print_json, print_rows
from gureum.cli.table_sockets import show_sockets
from gureum.engines import TableKind
from gureum.server.table_changes import Change, changes

TABLES = ("arp", "mac", "route", "conntrack", "nat", "socket")
SOCKETS = "sockets"
"""The table of sockets, by the ports that somebody listens on."""

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@click.command(short_help="Show a live table of the kernel.")
@click.argument("kind", type=click.Choice((*TABLES, SOCKETS)))
@click.argument("place")
@click.option("-w", "--watch", is_flag=True, help="Go on and show what comes, goes and changes.")
@click.option(
    "-i",
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="With --watch: seconds from one look to the next.",
)
@click.option(
    "-t",
    "--for",
    "seconds",
    type=click.FloatRange(0.01, 86_400),
    help="With --watch: end after so many seconds.",
)
@json_option
@where_options
@pass_base
def table(
    base: Base,
    kind: str,
    place: str,
    watch: bool,
    interval: float,
    seconds: float | None,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Show a live table of PLACE as the kernel has it now, in the cloud's own names.

    \b
    arp        who has which address, in an instance, VPC or subnet
    mac        which port a station is behind, in a subnet
    route      the routes in force
    conntrack  the flows that are being tracked
    nat        public addresses and what they are translated to
    socket     who listens and who talks to whom, in an instance or on the internet
    sockets    the same by ports: who is connected to each, and who waits

    \b
    gureum table mac external-a
    gureum table sockets web
    gureum table conntrack shop --watch
    """
    daemon = Daemon(base.state, Where(account, region))
    asked = cast(TableKind, "socket" if kind == SOCKETS else kind)
    answer = daemon.get("/table", kind=asked, place=place)
    if watch:
        _Watch(daemon, asked, place, as_json=as_json).go_on(answer, interval, seconds)
    elif as_json:
        print_json(answer)
    elif not answer["rows"]:
        note("The table is empty.")
    elif kind == SOCKETS:
        show_sockets(answer["rows"])
    else:
        print_rows(answer["rows"], answer["names"])


class _Watch:
    """Looks at a table again and again."""

    def __init__(self, daemon: Daemon, kind: TableKind, place: str, *, as_json: bool) -> None:
        self._daemon = daemon
        self._kind = kind
        self._place = place
        self._as_json = as_json

    def go_on(self, first: dict[str, Any], interval: float, seconds: float | None) -> None:
        """Show a table, then what differs at each look from the one before."""
        until = time.monotonic() + seconds if seconds is not None else float("inf")
        with ending_kindly():
            if self._as_json:
                click.echo(json.dumps({"rows": first["rows"]}, ensure_ascii=False))
            elif first["rows"]:
                print_rows(first["rows"], first["names"])
            rows = first["rows"]
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(interval, left))
                give_up_where_nobody_reads()
                now = self._daemon.get("/table", kind=self._kind, place=self._place)
                for change in changes(self._kind, rows, now["rows"]):
                    self._show(change, now["names"])
                rows = now["rows"]

    def _show(self, change: Change, names: dict[str, str]) -> None:
        at = datetime.now(UTC)
        if self._as_json:
            value = {"at": at.isoformat(), "change": change.change, "row": change.row}
            click.echo(json.dumps(value | {"was": change.was}, ensure_ascii=False))
            return
        words = [
            f"{column} {_cell(change, column, names)}"
            for column, value in change.row.items()
            if value != "" and (change.change != "changed" or column not in _IDLE)
        ]
        click.echo(clean(f"{at:%H:%M:%S}  {_SIGNS[change.change]} {', '.join(words)}"))


_IDLE = frozenset({"age", "expires"})
"""Columns that say nothing of a change."""


def _cell(change: Change, column: str, names: dict[str, str]) -> str:
    value = str(change.row[column])
    named = f"{value} ({names[value]})" if value in names else value
    return f"{change.was[column]} -> {named}" if column in change.was else named
