"""``gureum explain``: why a packet arrives, or where and why it does not."""

from __future__ import annotations

import re
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.explain_live import refuse_beside, show_live
from gureum.cli.explain_osi import show_devices
from gureum.cli.explain_show import show_answer
from gureum.cli.explain_sides import show_sides
from gureum.cli.failure import CONTRADICTED, FAILED
from gureum.cli.options import Base, Where, ipv6_option, json_option, pass_base, where_options
from gureum.cli.output import print_json

PARTLY = 2
"""Exit status where the exchange works from some client ports only."""

_SERVICE = re.compile(
    r"(?:(tcp|udp)/)?(\d{1,5})|icmp(?:/(\d{1,3})(?:/(\d{1,3}))?)?|proto/(\d{1,3})"
)


class Service(click.ParamType[dict[str, Any]]):
    """``443``, ``udp/53``, ``icmp``, ``icmp/3/4`` or ``proto/47``, as members of a question."""

    name = "service"
    forms = "443, udp/53, icmp, icmp/3/4, proto/47"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """See :meth:`click.ParamType.convert`."""
        if isinstance(value, dict):
            return value
        found = _SERVICE.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is none of {self.forms}.", param, ctx)
        protocol, port, kind, code, number = found.groups()
        if number is not None:
            return {"protocol": int(number)}
        if port is None:
            icmp = {"icmp": [int(kind), int(code or 0)]} if kind else {}
            return {"protocol": "icmp", **icmp}
        if not 1 <= int(port) <= 65535:
            self.fail(f"{port} is no port: they go from 1 to 65535.", param, ctx)
        return {"protocol": protocol or "tcp", "port": int(port)}


@click.command(short_help="Explain what becomes of a packet.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("service", metavar="[SERVICE]", type=Service(), default="icmp")
@click.option("--udp", is_flag=True, help="A datagram rather than a TCP connection.")
@click.option("--source-ip", metavar="IP", help="Send from this address, though it be forged.")
@click.option(
    "--source-port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    help="Call from this port; without it, from each that a client may call from.",
)
@ipv6_option
@click.option("-v", "--verbose", count=True, help="What else was looked at; twice: the headers.")
@click.option("--osi", is_flag=True, help="Show the devices and what each layer sees.")
@click.option("--sides", is_flag=True, help="Show the way forth and back side by side.")
@click.option("--live", is_flag=True, help="Send the packet too, and show what was seen of it.")
@click.option("--aws-json", is_flag=True, help="Print JSON as AWS's Reachability Analyzer does.")
@json_option
@where_options
@pass_base
def explain(
    base: Base,
    source: str,
    target: str,
    service: dict[str, Any],
    udp: bool,
    source_ip: str | None,
    source_port: int | None,
    ipv6: bool,
    verbose: int,
    osi: bool,
    sides: bool,
    live: bool,
    aws_json: bool,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Explain what becomes of a packet from FROM to TO, and of the answer: which rule, route and
    translation decides at each step, everything that blocks it, and what would mend that.  Sends
    nothing, unless --live asks for the proof.

    FROM and TO are names, ids or addresses of instances, network interfaces or hosts of the
    internet, or "internet" for anybody there.  SERVICE is a TCP port such as 443, udp/53, icmp (a
    ping, as by default), icmp/TYPE/CODE or proto/NUMBER.

    Ends with 0 if the exchange works, 1 if not, 2 if it works from some client ports only, 6 if
    the real packet contradicts the prediction.

    \b
    gureum explain web db 3306
    """
    refuse_beside(live, osi, sides, aws_json)
    daemon = Daemon(base.state, Where(account, region))
    body = {"source": source, "target": target, "source_ip": source_ip, "ipv6": ipv6}
    body |= _asked(service, udp, source_port)
    if aws_json:
        _print_aws(daemon.post("/explain", body | {"aws": True}))
        return
    found = daemon.post("/explain/live" if live else "/explain", body)
    if as_json:
        print_json(found)
    elif live:
        show_live(found)
    elif osi or sides:
        (show_devices if osi else show_sides)(found)
    else:
        show_answer(found, verbose)
    if live and found["evidence"]["verdict"] == "contradicted":
        raise click.exceptions.Exit(CONTRADICTED)
    if not found["works"]:
        raise click.exceptions.Exit(FAILED)
    if found["reach"] == "some":
        raise click.exceptions.Exit(PARTLY)


def _asked(service: dict[str, Any], udp: bool, source_port: int | None) -> dict[str, Any]:
    """The service and the client's port, as members of a question."""
    if udp:
        if service["protocol"] != "tcp":
            raise click.UsageError("--udp needs a port.")
        service = service | {"protocol": "udp"}
    if source_port is not None and service["protocol"] not in ("tcp", "udp"):
        raise click.UsageError("--source-port goes with TCP and UDP.")
    return service | {"source_port": source_port}


def _print_aws(found: dict[str, Any]) -> None:
    print_json(found)
    if not found["NetworkPathFound"]:
        raise click.exceptions.Exit(FAILED)
