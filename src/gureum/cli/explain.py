"""``gureum explain``: why a packet arrives, or where and why it does not."""

from __future__ import annotations

from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, console, grid, print_json, show

_REACH = {
    "all": "works",
    "some": "works from some client ports only: {ports}",
    "none": "does not work",
}


@click.command(short_help="Explain what becomes of a packet.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("port", metavar="[PORT]", type=click.IntRange(1, 65535), required=False)
@click.option("--udp", is_flag=True, help="A datagram rather than a TCP connection.")
@json_option
@where_options
@pass_base
def explain(
    base: Base,
    source: str,
    target: str,
    port: int | None,
    udp: bool,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Explain what becomes of a packet from FROM to TO, and of the answer: which rule, route and
    translation decides at each step, and everything that blocks it.  Sends nothing.

    Without PORT it is a ping.  Ends with 0 if the exchange works.

    \b
    gureum explain web db 3306
    """
    if port is None and udp:
        raise click.UsageError("--udp needs a PORT.")
    protocol = "icmp" if port is None else "udp" if udp else "tcp"
    daemon = Daemon(base.state, Where(account, region))
    body = {"source": source, "target": target, "protocol": protocol, "port": port}
    found = daemon.post("/explain", body)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if not found["works"]:
        raise click.exceptions.Exit(FAILED)


def _show(found: dict[str, Any]) -> None:
    from rich.text import Text  # slow to import, and not needed for --json

    for title, trace in (("forth", found["forth"]), ("back", found["back"])):
        if trace is None:
            continue
        table = grid(title, "layer", "where", "what", "said")
        for step in trace["steps"]:
            mark = Text("pass", "green") if step["passed"] else Text("BLOCK", "red")
            code = f" [{step['code']}]" if step["code"] else ""
            said = clean(step["said"] + code)
            place = step["place"]
            name = f" ({found['names'][place]})" if place in found["names"] else ""
            table.add_row(mark, str(step["layer"]), clean(place + name), step["kind"], said)
        show(table)
    ports = ", ".join(f"{low}-{high}" for low, high in found["client_ports"])
    console().print(_REACH[found["reach"]].format(ports=ports), markup=False)
