"""``gureum exec``: runs a program in a place."""

from __future__ import annotations

import os
import sys

import click

from gureum.cli.client import Daemon
from gureum.cli.options import Base, Where, pass_base, where_options
from gureum.cli.program import become, command_line

_HANDED_ON = ("TERM", "COLORTERM")
"""What a program inside an instance is told of the terminal."""


@click.command(
    "exec",
    short_help="Run a program in a place.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("place")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "-t/-T",
    "--tty/--no-tty",
    default=None,
    help="Whether the program gets a terminal of its own; it does if we have one.",
)
@click.option(
    "--net-only",
    is_flag=True,
    help="Run a program of this machine in the instance's network, rather than one of its own.",
)
@where_options
@pass_base
def exec_(
    base: Base,
    place: str,
    argv: tuple[str, ...],
    tty: bool | None,
    net_only: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Run ARGV in PLACE; a shell if nothing is given.

    In an instance, as root inside its container.  Anywhere else (internet hosts, NAT gateways,
    VPC routers, internet gateways) a program of this machine in the place's network.
    Options stand before PLACE.

    \b
    gureum exec web -- ss -tln
    gureum exec me -- curl http://198.18.7.9:8080/
    gureum exec --net-only web -- tcpdump -ni eth0
    """
    words = list(argv[1:] if argv[:1] == ("--",) else argv)
    daemon = Daemon(base.state, Where(account, region))
    if tty is None:
        tty = sys.stdin.isatty() and sys.stdout.isatty()
    if not words and (net_only or not _is_instance(daemon, place)):
        words = [os.environ.get("SHELL", "/bin/sh")]
    env = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    become(command_line(daemon, place, words, net_only=net_only, tty=tty, env=env))


def _is_instance(daemon: Daemon, place: str) -> bool:
    return bool(daemon.get("/place", name=place)["kind"] == "instance")
