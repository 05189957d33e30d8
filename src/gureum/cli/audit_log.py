"""``gureum audit-log``: who called what, and how it ended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.ending import ending_kindly, followed
from gureum.cli.options import Base, json_option, pass_base
from gureum.cli.output import clean, grid, note, print_json, show
from gureum.model.timestamps import seconds

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHOWN = 3
"""Resources of an event that a table names."""


def moment(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """A time in UTC as events have it, from one (ISO 8601) or so long ago (``15m``).

    Raises:
        BadParameter: it is neither.
    """
    if text is None:
        return None
    if found := _AGO.fullmatch(text):
        at = datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    else:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is no time such as 2026-11-24T08:00:00Z, nor 30s, 15m, 2h or 7d"
            ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return seconds(at)


@click.command("audit-log", short_help="Show who called what, and how it ended.")
@click.option("--account", metavar="DIGITS", help="Calls in this account only.")
@click.option("--region", metavar="REGION", help="In this region; IAM's are in us-east-1.")
@click.option("--user", metavar="NAME", help="By this user or session; 'root' for accounts' own.")
@click.option("--key", metavar="ID", help="With this access key.")
@click.option("--action", "name", metavar="NAME", help="Of this action, as CreateVpc.")
@click.option("--source", metavar="SERVICE", help="To this service, as iam.")
@click.option("--resource", metavar="NAME", help="About this resource, by id or name.")
@click.option("--refused", is_flag=True, help="Those that were refused.")
@click.option("--since", metavar="TIME", callback=moment, help="Not before a time, or 15m ago.")
@click.option("--until", metavar="TIME", callback=moment, help="Not after a time, or 15m ago.")
@click.option(
    "-n",
    "limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="So many at most, the latest.",
)
@click.option("--follow", is_flag=True, help="Go on with what is recorded from now on.")
@json_option
@pass_base
def audit_log(
    base: Base, /, source: str | None, limit: int, follow: bool, as_json: bool, **asked: Any
) -> None:
    """Show calls that were recorded, of all accounts and regions unless one is named: who called
    what from where, what it was about, and how it ended.

    Events are CloudTrail's, whole with --json; 'aws cloudtrail lookup-events' has those of the
    caller's account.  What is secret is not in them.

    \b
    gureum audit-log --refused --since 1h
    gureum audit-log --resource vpc-0123456789abcdef0 --json
    gureum audit-log --user alice --follow
    """
    asked["refused"] = "1" if asked["refused"] else None
    asked["source"] = f"{source}.amazonaws.com" if source and "." not in source else source
    daemon = Daemon(base.state)
    answer = daemon.get("/trail", limit=str(limit), **asked)
    if follow:
        with ending_kindly():
            _follow(daemon, asked, answer, as_json=as_json)
    elif as_json:
        print_json([each["event"] for each in answer["events"]])
    elif answer["events"]:
        _show(answer["events"])
    elif answer["recorded"] == "off":
        note("Nothing is recorded: the daemon was started with --audit off.")
    else:
        note("No such call was recorded.")


def _follow(
    daemon: Daemon, asked: Mapping[str, Any], answer: dict[str, Any], *, as_json: bool
) -> None:
    for some in followed(
        answer, lambda last: daemon.get("/trail", above=str(last["last"]), **asked)
    ):
        for each in some["events"]:
            event = json.dumps(each["event"], ensure_ascii=False) if as_json else None
            click.echo(event or clean("  ".join(_words(each))))


def _show(events: list[dict[str, Any]]) -> None:
    table = grid("time", "account", "region", "who", "what", "outcome", "about", "from")
    for each in events:
        table.add_row(*map(clean, _words(each)))
    show(table)


def _words(found: Mapping[str, Any]) -> tuple[str, ...]:
    """What a line says of an event."""
    event = found["event"]
    service = str(event["eventSource"]).partition(".")[0]
    return (
        event["eventTime"],
        event["recipientAccountId"],
        event["awsRegion"],
        _who(event["userIdentity"]),
        f"{service}:{event['eventName']}",
        event.get("errorCode") or "ok",
        _about(found["about"]),
        event["sourceIPAddress"],
    )


def _who(user: Mapping[str, Any]) -> str:
    if user["type"] == "Root":
        return "root"
    if user["type"] == "AssumedRole":
        return str(user["arn"]).partition(":assumed-role/")[2]
    told = user.get("userName") or user.get("invokedBy") or user.get("principalId")
    return str(told)


def _about(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return " ".join(names[:_SHOWN]) + more
