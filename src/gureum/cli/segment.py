"""``gureum segment``: how a subnet carries frames."""

from __future__ import annotations

from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import Failure
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import note, print_facts, print_json, print_rows

MODES = {
    "fabric": "as AWS: a frame goes to its addressee or to nobody, nothing is flooded",
    "switch": "learns who is behind which port, floods a frame to whom it does not know",
    "hub": "repeats every frame out of all other ports",
}
_SHOWN = ("mac", "link", "kind", "age")


@click.command(short_help="Show or choose how a subnet carries frames.")
@click.argument("subnet")
@click.argument("mode", required=False, type=click.Choice(list(MODES)))
@json_option
@where_options
@pass_base
def segment(
    base: Base,
    subnet: str,
    mode: str | None,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Show how SUBNET carries frames: its mode, its stations, its bridge's MAC table.  With MODE,
    have it carry them so from now on; nothing restarts, groups and ACLs stay in force.

    \b
    fabric  as AWS: a frame goes to its addressee or to nobody
    switch  learns addresses, floods a frame to an unknown one
    hub     repeats every frame out of all other ports

    \b
    gureum segment external-a
    gureum segment external-a hub
    """
    daemon = Daemon(base.state, Where(account, region))
    if mode is None:
        answer = daemon.get("/segment", place=subnet)
    else:
        answer = daemon.post("/segment", {"place": subnet, "mode": mode})
    if as_json:
        print_json(answer)
    else:
        _show(answer)
    if not answer.get("in_force", True):
        raise Failure("the change is not in force yet: 'gureum status' tells why")


def _show(answer: dict[str, Any]) -> None:
    name = answer["place"]["name"]
    facts = [
        ("subnet", f"{answer['place']['id']}{f' ({name})' if name else ''} {answer['cidr']}"),
        ("mode", f"{answer['mode']}: {MODES[answer['mode']]}"),
    ]
    if answer["ageing"]:
        facts.append(("ageing", f"a station that was silent for {answer['ageing']} s is forgotten"))
    print_facts(facts)
    click.echo()
    print_rows(answer["stations"], answer["names"])
    click.echo()
    known = [row for row in answer["macs"] if row["kind"] != "own"]
    if known:
        print_rows([{key: row[key] for key in _SHOWN} for row in known], answer["names"])
    else:
        note("The bridge knows no station.")
