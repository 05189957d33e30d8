"""``gureum port``: what a connection from one place to another meets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from gureum.cli import prober
from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED, Failure
from gureum.cli.options import Base, Where, ipv6_option, json_option, pass_base, where_options
from gureum.cli.output import clean, console, note, print_json
from gureum.cli.port_why import agrees, lines, why
from gureum.cli.program import command_line, listen, target_of
from gureum.cli.table_sockets import joined, show_sockets

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
@click.option(
    "--clients",
    type=click.IntRange(1, 10_000),
    help="Open so many connections at once, and show the server's sockets while they are open.",
)
@ipv6_option
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
    clients: int | None,
    ipv6: bool,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Tell whether PORT of TO is open, refused, filtered or unreachable from FROM, and which rules
    explain that.

    With --clients the sockets that TO then has are shown: one that listens, and one for each
    connection.

    Ends with 0 only if it is open (with --count and --clients: every time).

    \b
    gureum port me web 8080
    gureum port web db 3306 --clients 100
    """
    if clients is not None and (udp or count > 1):
        raise click.UsageError("--clients are TCP connections, and goes without --udp and --count.")
    daemon = Daemon(base.state, Where(account, region))
    address = target_of(daemon, source, target, ipv6=ipv6)["address"]
    protocol = "udp" if udp else "tcp"
    script = [sys.executable, "-I", str(Path(prober.__file__).resolve())]
    asked = [address, str(number), protocol, str(timeout), str(clients or count)]
    facts: dict[str, Any] = {
        "from": source,
        "to": target,
        "address": address,
        "port": number,
        "protocol": protocol,
    }
    if clients is None:
        met = _read(listen(command_line(daemon, source, [*script, *asked])))
    else:
        argv = command_line(daemon, source, [*script, *asked, "hold"])
        met, facts["server"] = with_server(daemon, argv, target, number)
    explained = why(daemon, source, target, {"protocol": protocol, "port": number, "ipv6": ipv6})
    if as_json:
        print_json({**facts, **met, "explained": explained})
    else:
        _show(facts, met, count)
        _show_why(met["state"], protocol, explained)
        if clients is not None:
            _show_server(facts["server"], met)
    if met["state"] != prober.OPEN:
        raise click.exceptions.Exit(FAILED)


def _read(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a prober has met."""
    try:
        met: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise Failure(
            (done.stderr.strip().splitlines() or ["no answer of the prober"])[-1]
        ) from None
    return met


def with_server(
    daemon: Daemon, argv: list[str], target: str, number: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a prober has met that holds its connections, and the sockets that the port of the target
    has meanwhile."""
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or process.stdin is None or process.stderr is None:
            raise Failure("the prober has no pipes")
        try:
            line = process.stdout.readline()
            rows = daemon.get("/table", kind="socket", place=target)["rows"] if line else []
        finally:
            process.stdin.close()  # lets the prober end
        rest = process.stderr.read()
    done = subprocess.CompletedProcess(argv, process.returncode, line, rest)
    return _read(done), [row for row in rows if row["port"] == number]


def _show_server(rows: list[dict[str, Any]], met: dict[str, Any]) -> None:
    told = ", ".join(f"{number} {word}" for word, number in met["counts"].items())
    click.echo(f"clients: {told}; the server's sockets:")
    if rows:
        show_sockets(rows)
    else:
        note("It has none at that port.")


def _show_why(state: str, protocol: str, explained: dict[str, Any] | None) -> None:
    """The rules that explain a state, or that they do not."""
    for line in lines(explained) if explained else ():
        click.echo(clean(f"  {line}"))
    silent = state == prober.FILTERED and protocol == "udp"
    if explained and not silent and not agrees(state, explained):
        note("That is not what the rules say: 'gureum explain --live' follows a packet.")


def _show(facts: dict[str, Any], met: dict[str, Any], count: int) -> None:
    from rich.text import Text

    state = str(met["state"])
    silent = state == prober.FILTERED and facts["protocol"] == "udp"
    means = _SILENT if silent else _MEANS.get(state, "")
    named = f"{facts['to']} " if facts["to"] != facts["address"] else ""
    where = f"{facts['from']} -> {named}{joined(facts['address'], facts['port'])}"
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
            out.print(f"{joined(here, sender)} -> {joined(there, receiver)}")
        different = len({tuple(each) for each in met["connections"]})
        out.print(f"{told}; {different} distinct 4-tuples")
