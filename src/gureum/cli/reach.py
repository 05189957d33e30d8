"""``gureum reach``: who reaches whom, on which ports."""

from __future__ import annotations

from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.explain import Service
from gureum.cli.failure import FAILED, USAGE, Failure
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, grid, note, print_json, show


@click.command(short_help="Tell who reaches whom, on which ports.")
@click.argument("service", metavar="[SERVICE]", type=Service(), required=False)
@click.option("--from", "source", metavar="PLACE", help="Who begins; anybody if it is left out.")
@click.option("--to", "target", metavar="PLACE", help="Who is called; anybody if it is left out.")
@click.option("--keep", is_flag=True, help="Keep what is now and print its revision.")
@click.option("--since", type=int, metavar="REVISION", help="Which pairs have changed since it.")
@click.option("--until", type=int, metavar="REVISION", help="With --since: compare with this one.")
@click.option("-4", "--ipv4", "version", flag_value=4, type=int, help="Over IPv4 only.")
@click.option("-6", "--ipv6", "version", flag_value=6, type=int, help="Over IPv6 only.")
@json_option
@where_options
@pass_base
def reach(
    base: Base,
    service: dict[str, Any] | None,
    source: str | None,
    target: str | None,
    keep: bool,
    since: int | None,
    until: int | None,
    version: int | None,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Tell who reaches whom, on all ports at once or with one SERVICE (as 'gureum explain' takes
    it), over IPv4 and IPv6.  PLACE is an instance, a network interface, a host of the internet, or
    "internet" for anybody there; an address or a block of the internet, 203.0.113.0/24, is who is
    there.  Where rules or routes are about parts of the internet, these are told apart.  Sends
    nothing.

    With --keep it keeps the reachability of now while the daemon runs, and with --since it tells
    the pairs for which not the same works any more.

    Ends with 0 if somebody reaches somebody, 1 if nobody does; with --since 0 if nothing has
    changed, 1 if something has, 2 if the revision is not kept.

    \b
    gureum reach --from internet
    gureum reach --to db 3306
    gureum reach --keep
    gureum reach --since 41
    """
    asked = [source is not None or target is not None, keep, since is not None]
    if sum(asked) != 1:
        raise click.UsageError("Give --from, --to or both; or --keep; or --since.")
    if (until is not None and since is None) or ((service or version) and not asked[0]):
        said = "--until goes with --since; a SERVICE, -4 and -6 with --from or --to."
        raise click.UsageError(said)
    daemon = Daemon(base.state, Where(account, region))
    if keep:
        _keep(daemon, as_json)
        return
    if since is not None:
        _changes(daemon, since, until, as_json)
        return
    body = {"source": source, "target": target, "version": version, **(service or {})}
    found = daemon.post("/reach", body)
    if as_json:
        print_json(found)
    elif found["pairs"]:
        _show(found["pairs"])
    else:
        note("Nobody.")
    for line in () if as_json else found["notes"]:
        note(line)
    if not found["pairs"]:
        raise click.exceptions.Exit(FAILED)


def _keep(daemon: Daemon, as_json: bool) -> None:
    kept = daemon.post("/reach/keep", {})
    if as_json:
        print_json(kept)
    else:
        click.echo(kept["revision"])


def _changes(daemon: Daemon, since: int, until: int | None, as_json: bool) -> None:
    try:
        found = daemon.post("/reach/changes", {"since": since, "until": until})
    except Failure as failure:
        if failure.code != "RevisionNotKept":
            raise
        raise Failure(failure.message, USAGE, failure.code) from None  # 1 is "something changed"
    if as_json:
        print_json(found)
    elif found["pairs"]:
        table = grid("from", "to", "before", "after")
        for pair in found["pairs"]:
            ends = [end_named(pair[end]) for end in ("source", "target")]
            table.add_row(*ends, _works(pair["before"]), _works(pair["after"]))
        show(table)
    else:
        note("Nothing has changed.")
    if found["pairs"]:
        raise click.exceptions.Exit(FAILED)


def _works(spans: list[dict[str, Any]]) -> str:
    """All that works between a pair, a line each."""
    lines = []
    for span in spans:
        some = clients(span)
        lines.append(
            f"{span['protocol']} {headers(span)}" + (f" (client ports {some})" if some else "")
        )
    return "\n".join(lines) or "nothing"


def _show(pairs: list[dict[str, Any]]) -> None:
    table = grid("from", "to", "protocol", "ports", "from client ports", "by")
    for pair in pairs:
        ends = [end_named(pair[end]) for end in ("source", "target")]
        for index, span in enumerate(pair["spans"]):
            by = clean(" ".join(span.get("by", ())))
            shown = ends if index == 0 else ["", ""]
            table.add_row(*shown, span["protocol"], headers(span), clients(span), by)
    show(table)


def end_named(end: dict[str, Any]) -> str:
    """An end of a pair in words; a part of the internet has no one address."""
    return clean(end["name"]) if "blocks" in end else f"{clean(end['name'])} {end['ip']}"


def headers(span: dict[str, Any]) -> str:
    """A span's ports, ICMP types or protocol numbers in words."""
    first, last = span["first"], span["last"]
    if span["protocol"] not in ("icmp", "icmpv6"):
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
