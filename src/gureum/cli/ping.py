"""``gureum ping``: echo requests from one place to another."""

from __future__ import annotations

import re
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED
from gureum.cli.options import Base, Where, ipv6_option, json_option, pass_base, where_options
from gureum.cli.output import note, print_json
from gureum.cli.program import become, command_line, listen, need, target_of

_COUNTS = re.compile(r"(\d+) packets transmitted, (\d+) received")
_TIMES = re.compile(r"= ([\d.]+)/([\d.]+)/([\d.]+)/")


def parse_ping(text: str) -> dict[str, Any]:
    """The counts and round-trip times in ping's summary (iputils)."""
    counts, times = _COUNTS.search(text), _TIMES.search(text)
    sent, received = (int(word) for word in counts.groups()) if counts else (0, 0)
    names = ("min", "avg", "max")
    rtt = dict(zip(names, map(float, times.groups()), strict=True)) if times else None
    return {"sent": sent, "received": received, "rtt_ms": rtt}


@click.command(short_help="Ping one place from another.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("-c", "--count", type=click.IntRange(1, 1000), default=4, show_default=True)
@click.option("-i", "--interval", default=0.2, show_default=True, help="Seconds between requests.")
@click.option(
    "-W", "--timeout", default=1.0, show_default=True, help="Seconds to wait for answers."
)
@ipv6_option
@json_option
@where_options
@pass_base
def ping(
    base: Base,
    source: str,
    target: str,
    count: int,
    interval: float,
    timeout: float,
    ipv6: bool,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Ping TO from FROM: its private address within a VPC, its public one from elsewhere; with -6,
    or where TO is one, its IPv6 address.

    Ends with 0 if an answer came.

    \b
    gureum ping web db
    gureum ping -6 web mirror
    """
    daemon = Daemon(base.state, Where(account, region))
    found = target_of(daemon, source, target, ipv6=ipv6)
    options = [f"-c{count}", f"-i{interval}", f"-W{timeout}", "-n"]
    argv = command_line(daemon, source, [need("ping"), *options, found["address"]])
    if not as_json:
        become(argv)
    done = listen(argv)
    if done.returncode not in (0, 1):
        note(done.stderr.strip())
    print_json(
        {"from": source, "to": target, "address": found["address"], **parse_ping(done.stdout)}
    )
    if done.returncode != 0:
        raise click.exceptions.Exit(FAILED)
