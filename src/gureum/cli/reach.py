"""``gureum reach``: who reaches whom, on which ports."""

from __future__ import annotations

from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.explain import Service
from gureum.cli.failure import FAILED
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, grid, note, print_json, show


@click.command(short_help="Tell who reaches whom, on which ports.")
@click.argument("service", metavar="[SERVICE]", type=Service(), required=False)
@click.option("--from", "source", metavar="PLACE", help="Who begins; anybody if it is left out.")
@click.option("--to", "target", metavar="PLACE", help="Who is called; anybody if it is left out.")
@json_option
@where_options
@pass_base
def reach(
    base: Base,
    service: dict[str, Any] | None,
    source: str | None,
    target: str | None,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Tell who reaches whom, on all ports at once or with one SERVICE (as 'gureum explain' takes
    it).  PLACE is an instance, a network interface, a host of the internet, or "internet" for
    anybody there.  Sends nothing.

    Ends with 0 if somebody reaches somebody, 1 if nobody does.

    \b
    gureum reach --from internet
    gureum reach --to db 3306
    """
    if source is None and target is None:
        raise click.UsageError("Give --from, --to or both.")
    daemon = Daemon(base.state, Where(account, region))
    found = daemon.post("/reach", {"source": source, "target": target, **(service or {})})
    if as_json:
        print_json(found)
    elif found["pairs"]:
        _show(found["pairs"])
    else:
        note("Nobody.")
    if not found["pairs"]:
        raise click.exceptions.Exit(FAILED)


def _show(pairs: list[dict[str, Any]]) -> None:
    table = grid("from", "to", "protocol", "ports", "from client ports", "by")
    for pair in pairs:
        ends = [f"{clean(pair[end]['name'])} {pair[end]['ip']}" for end in ("source", "target")]
        for index, span in enumerate(pair["spans"]):
            by = clean(" ".join(span.get("by", ())))
            shown = ends if index == 0 else ["", ""]
            table.add_row(*shown, span["protocol"], headers(span), clients(span), by)
    show(table)


def headers(span: dict[str, Any]) -> str:
    """A span's ports, ICMP types or protocol numbers in words."""
    first, last = span["first"], span["last"]
    if span["protocol"] != "icmp":
        return str(first) if first == last else f"{first}-{last}"
    if first == last:
        return f"type {first >> 8} code {first & 255}"
    if (first & 255, last & 255) == (0, 255):
        kinds = (first >> 8, last >> 8)
        return f"type {kinds[0]}" if kinds[0] == kinds[1] else f"types {kinds[0]}-{kinds[1]}"
    return f"type {first >> 8} code {first & 255} to type {last >> 8} code {last & 255}"


def clients(span: dict[str, Any]) -> str:
    """From which client ports a span works; ``all`` is worth no word."""
    if span["extent"] == "all":
        return ""
    return ", ".join(f"{low}-{high}" for low, high in span["client_ports"])
