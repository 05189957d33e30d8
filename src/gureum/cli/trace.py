"""``gureum trace``: the way of a packet from one place to another."""

from __future__ import annotations

from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED, Failure
from gureum.cli.options import Base, Where, ipv6_option, json_option, pass_base, where_options
from gureum.cli.output import clean, grid, note, print_json, show
from gureum.cli.port_why import lines, why
from gureum.cli.program import command_line, listen, need, target_of

_HIGH = 33434
"""The first port that traceroute sends to (traceroute(1))."""


def parse_trace(text: str) -> list[dict[str, Any]]:
    """The hops in traceroute's output, one probe each; ``address`` is None where nobody
    answered, ``note`` is traceroute's own (``!H``, ``!X``)."""
    hops = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 2 or not words[0].isdigit():
            continue
        answered = words[1] != "*"
        notes = [word for word in words if word.startswith("!")]
        hops.append(
            {
                "hop": int(words[0]),
                "address": words[1] if answered else None,
                "rtt_ms": float(words[2]) if answered and len(words) > 2 else None,
                "note": notes[0] if notes else None,
            }
        )
    return hops


@click.command(short_help="Show the hops from one place to another.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("-I", "probe", flag_value="icmp", default="icmp", help="Echo requests.  [default]")
@click.option("-U", "probe", flag_value="udp", help="UDP to high ports, as traceroute's default.")
@click.option("-T", "probe", flag_value="tcp", help="TCP SYNs; see --port.")
@click.option("-p", "--port", type=click.IntRange(1, 65535), default=80, show_default=True)
@click.option("-m", "--max-hops", type=click.IntRange(1, 30), default=8, show_default=True)
@click.option("-w", "--timeout", default=1.0, show_default=True, help="Seconds to wait for a hop.")
@ipv6_option
@json_option
@where_options
@pass_base
def trace(
    base: Base,
    source: str,
    target: str,
    probe: str,
    port: int,
    max_hops: int,
    timeout: float,
    ipv6: bool,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Show the hops of a packet from FROM to TO, with their names in the cloud.

    Ends with 0 if TO answered.

    \b
    gureum trace web db
    """
    daemon = Daemon(base.state, Where(account, region))
    address = target_of(daemon, source, target, ipv6=ipv6)["address"]
    how = {"icmp": ["-I"], "udp": [], "tcp": ["-T", f"-p{port}"]}[probe]
    options = [*how, "-n", "-q1", f"-w{timeout}", f"-m{max_hops}"]
    done = listen(command_line(daemon, source, [need("traceroute"), *options, address]))
    hops = parse_trace(done.stdout)
    if not hops:
        raise Failure(done.stderr.strip() or "traceroute said nothing")
    _name(daemon, source, hops)
    reached = hops[-1]["address"] == address
    if as_json:
        print_json(
            {"from": source, "to": target, "address": address, "reached": reached, "hops": hops}
        )
    else:
        _show(hops)
    if not reached:
        explained = why(daemon, source, target, {**_service(probe, port), "ipv6": ipv6})
        for line in lines(explained) if explained else ():
            note(clean(line))
        raise click.exceptions.Exit(FAILED)


def _service(probe: str, port: int) -> dict[str, Any]:
    """What is sent, as members of a question."""
    if probe == "icmp":
        return {"protocol": probe}
    return {"protocol": probe, "port": port if probe == "tcp" else _HIGH}


def _name(daemon: Daemon, source: str, hops: list[dict[str, Any]]) -> None:
    addresses = [hop["address"] for hop in hops if hop["address"]]
    names = daemon.get("/whose", source=source, address=addresses)
    for hop in hops:
        hop["name"] = names.get(hop["address"])


def _show(hops: list[dict[str, Any]]) -> None:
    table = grid("hop", "address", "ms", "who")
    for hop in hops:
        rtt = "" if hop["rtt_ms"] is None else f"{hop['rtt_ms']:.3f}"
        who = " ".join(clean(word) for word in (hop["name"], hop["note"]) if word)
        table.add_row(str(hop["hop"]), hop["address"] or "*", rtt, who)
    show(table)
