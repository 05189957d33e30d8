"""``gureum flow-logs``: what flow logs have recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.ending import ending_kindly, followed
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, note, print_json, print_rows


@click.command("flow-logs", short_help="Show the flows that flow logs have recorded.")
@click.argument("flow_log", required=False, metavar="[ID]")
@click.option("--follow", is_flag=True, help="Go on with what is recorded from now on.")
@json_option
@where_options
@pass_base
def flow_logs(
    base: Base,
    flow_log: str | None,
    follow: bool,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Show the latest flows that the flow log ID, or any of the region, has recorded: who sent
    what to whom, counted at which interface, and whether its groups and ACLs let it pass.

    To ask ends the interval that is being recorded, so that what has just happened shows.  The
    records themselves, in AWS's format, are files below the state folder.

    \b
    gureum flow-logs
    gureum flow-logs --follow fl-0123456789abcdef0
    """
    daemon = Daemon(base.state, Where(account, region))
    answer = daemon.get("/flow-logs", id=flow_log)
    if follow:
        with ending_kindly():
            _follow(daemon, flow_log, answer, as_json=as_json)
    elif as_json:
        print_json(answer)
    elif answer["rows"]:
        print_rows(answer["rows"], answer["names"])
    else:
        note(f"Nothing has been recorded yet.  The records will be below {answer['files']}.")


def _follow(daemon: Daemon, flow_log: str | None, answer: dict[str, Any], *, as_json: bool) -> None:
    for each in followed(
        answer, lambda last: daemon.get("/flow-logs", id=flow_log, after=last["last"])
    ):
        for row in each["rows"]:
            click.echo(json.dumps(row, ensure_ascii=False) if as_json else line(row, each["names"]))


def line(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A flow by itself: there is no table where nobody knows what comes."""
    who = names.get(row["interface"], row["interface"])
    ends = f"{row['from']} → {row['to']}"
    counted = f"{row['packets']} packets, {row['bytes']} bytes"
    words = (row["time"], row["action"], f"{row['way']:<3}", who, ends, row["protocol"],
             row["flags"], counted)  # fmt: skip
    return clean("  ".join(word for word in words if word))
