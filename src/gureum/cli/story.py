"""``gureum story``: one exchange, told frame by frame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.explain import Service
from gureum.cli.failure import FAILED
from gureum.cli.options import Base, Where, ipv6_option, json_option, pass_base, where_options
from gureum.cli.output import clean, note, print_json

_PAGE = re.compile(r"http(?:/(\d{1,5}))?")


class Exchange(Service):
    """What :class:`gureum.cli.explain.Service` takes, and ``http`` or ``http/8080``: a page."""

    forms = "icmp, 443, udp/53, http, http/8080"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """See :meth:`click.ParamType.convert`."""
        page = _PAGE.fullmatch(value) if isinstance(value, str) else None
        if page is None:
            return super().convert(value, param, ctx)
        return super().convert(page[1] or "80", param, ctx) | {"protocol": "http"}


@click.command(short_help="Have one exchange, and tell it frame by frame.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.argument("service", metavar="[SERVICE]", type=Exchange(), default="icmp")
@ipv6_option
@json_option
@where_options
@pass_base
def story(
    base: Base,
    source: str,
    target: str,
    service: dict[str, Any],
    ipv6: bool,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Have one exchange between FROM and TO, and tell it as the frames on all links that it
    crossed: who sent what where, at which layer each place acted, which tables it used and changed.
    Both forget first whom they have asked for by ARP or neighbour discovery.

    SERVICE is icmp (a ping, as by default), a TCP port such as 443 (a connection), udp/53 (a
    datagram), http or http/8080 (the name is looked up, where FROM has a resolver, and a page
    fetched).

    Ends with 1 if nothing was seen of the exchange.

    \b
    gureum story web db
    gureum story web db http
    gureum story -6 web mirror http
    """
    body = {"source": source, "target": target, "ipv6": ipv6, **service}
    told = Daemon(base.state, Where(account, region)).post("/story", body)
    if as_json:
        print_json(told)
    else:
        _show(told)
    if not told["frames"]:
        raise click.exceptions.Exit(FAILED)


def _show(told: dict[str, Any]) -> None:
    names = told["names"]
    for talk in told["talks"]:
        port = f" port {talk['port']}" if talk["port"] else ""
        click.echo(clean(f"{talk['what']} {talk['to']}{port}: {talk['said']}"))
    if not told["frames"]:
        note("No frame of it was seen: the sender knew no way.")
    for each in told["frames"]:
        click.echo()
        _show_frame(each, names)


def _show_frame(each: Mapping[str, Any], names: Mapping[str, str]) -> None:
    sender, receiver = (_name(each, end, names) for end in ("from", "to"))
    head = f"{each['number']:3}  {each['at']:9.1f} µs  {sender} -> {receiver}"
    click.echo(clean(f"{head}: {each['said']}"))
    source, target = each["frame"]
    click.echo(clean(f"     frame {source} > {target}"))
    for line in each["acts"]:
        click.echo(clean(f"     {sender}, {line}"))
    for line in each["used"]:
        click.echo(clean(f"       used: {line}"))
    for line in each["changed"]:
        place, _, rest = line.partition(": ")
        click.echo(clean(f"     {names.get(place, place)} now has: {rest}"))
    if each["ends"]:
        click.echo(clean(f"     there it ends: {each['ends']}"))


def _name(each: Mapping[str, Any], end: str, names: Mapping[str, str]) -> str:
    """Who is at an end of a link; a bystander, where nobody was watched, goes by the link."""
    place = each[end]
    if place is None:
        return f"{names.get(each['link'], each['link'])}, not watched"
    return names.get(place, str(place))
