"""``gureum port``: what a connection from one place to another meets."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from gureum.cli import prober
from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED, Failure
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, console, print_json
from gureum.cli.program import command_line, listen

_MEANS = {
    prober.OPEN: "somebody answers",
    prober.REFUSED: "the packet arrived; nobody listens there",
    prober.FILTERED: "no answer: a security group or ACL drops it, or nobody is there",
    prober.UNREACHABLE: "no route leads there",
}
_SILENT = "no answer: dropped on the way, or the program there says nothing"
_STYLES = {prober.OPEN: "green", prober.REFUSED: "yellow"}


@click.command(short_help="Try a port from one place to another.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("number", metavar="PORT", type=click.IntRange(1, 65535))
@click.option("--udp", is_flag=True, help="Send a datagram rather than open a connection.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.01, 600),
    default=2.0,
    show_default=True,
    help="Seconds without an answer after which the port counts as filtered.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Open so many connections at once, and print their ends.",
)
@json_option
@where_options
@pass_base
def port(
    base: Base,
    source: str,
    target: str,
    number: int,
    udp: bool,
    timeout: float,
    count: int,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Tell whether PORT of TO is open, refused, filtered or unreachable from FROM.

    Ends with 0 only if it is open (with --count: every time).

    \b
    gureum port me web 8080
    gureum port web db 3306 --count 100
    """
    daemon = Daemon(base.state, Where(account, region))
    address = daemon.get("/target", source=source, target=target)["address"]
    protocol = "udp" if udp else "tcp"
    script = [sys.executable, "-I", str(Path(prober.__file__).resolve())]
    asked = [address, str(number), protocol, str(timeout), str(count)]
    done = listen(command_line(daemon, source, [*script, *asked]))
    try:
        met = json.loads(done.stdout)
    except ValueError:
        raise Failure(
            (done.stderr.strip().splitlines() or ["no answer of the prober"])[-1]
        ) from None
    facts = {"from": source, "to": target, "address": address, "port": number, "protocol": protocol}
    if as_json:
        print_json({**facts, **met})
    else:
        _show(facts, met, count)
    if met["state"] != prober.OPEN:
        raise click.exceptions.Exit(FAILED)


def _show(facts: dict[str, Any], met: dict[str, Any], count: int) -> None:
    from rich.text import Text

    state = str(met["state"])
    silent = state == prober.FILTERED and facts["protocol"] == "udp"
    means = _SILENT if silent else _MEANS.get(state, "")
    named = f"{facts['to']} " if facts["to"] != facts["address"] else ""
    where = f"{facts['from']} -> {named}{facts['address']}:{facts['port']}"
    out = console()
    out.print(
        Text.assemble(
            clean(f"{where}/{facts['protocol']}  "),
            (state, _STYLES.get(state, "red")),
            f"  {means}; {met['seconds']:.3f} s",
        )
    )
    if count > 1:
        told = ", ".join(f"{number} {word}" for word, number in met["counts"].items())
        for here, sender, there, receiver in met["connections"]:
            out.print(f"{here}:{sender} -> {there}:{receiver}")
        different = len({tuple(each) for each in met["connections"]})
        out.print(f"{told}; {different} distinct 4-tuples")
