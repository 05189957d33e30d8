"""``gureum lab``: broken clouds to mend, each in an account of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED
from gureum.cli.lab_packet import packet
from gureum.cli.options import Base, Where, json_option, pass_base
from gureum.cli.output import clean, grid, note, print_json, show
from gureum.cli.process import progress

if TYPE_CHECKING:
    from gureum.labs import Language, Texts

PARTLY = 2
"""Exit status where the packets of some client ports only are answered, as ``explain`` has it."""

_VERDICTS = {
    "solved": "solved: the packet gets there, and the answer back",
    "partly": "partly: it works from some client ports only",
    "blocked": "still blocked",
}


def _language() -> Language:
    """The language of messages (locale(7): the first that is set counts)."""
    variables = ("LC_ALL", "LC_MESSAGES", "LANG")
    set_ = next((os.environ[name] for name in variables if os.environ.get(name)), "")
    return "ko" if set_.startswith("ko") else "en"


def _texts(name: str, language: Language) -> Texts:
    from gureum.labs import texts  # reads YAML and more: slow to import, and for labs only

    return texts(name, language)


_lang_option = click.option(
    "--lang",
    "language",
    type=click.Choice(("en", "ko")),
    default=_language,
    help="The language of story and hints.  [default: by LANG]",
)


@click.command("list")
@json_option
@pass_base
def list_(base: Base, as_json: bool) -> None:
    """List the labs, and which are started and solved."""
    found = Daemon(base.state).get("/labs")["labs"]
    if as_json:
        print_json(found)
        return
    table = grid("name", "level", "title", "state")
    for each in sorted(found, key=lambda each: (each["level"], each["name"])):
        state = "solved" if each["solved"] else "started" if each["started"] else ""
        table.add_row(each["name"], str(each["level"]), each["title"], state)
    show(table)


@click.command()
@click.argument("name")
@_lang_option
@json_option
@pass_base
def start(base: Base, name: str, language: Language, as_json: bool) -> None:
    """Build the cloud of lab NAME, and tell its story.  If it is started already, tell it again."""
    daemon = Daemon(base.state)
    with progress(f"Building the lab {clean(name)} ..."):
        found = daemon.post("/labs/start", {"name": name})
    if as_json:
        print_json(found)
        return
    told = _texts(name, language)
    click.echo(f"{told.title}\n\n{told.story}\n")
    for line in _first_lines(found):
        click.echo(f"  {line}")
    click.echo(f"\ngureum lab check {name}")


def _first_lines(found: dict[str, Any]) -> list[str]:
    """What makes clients look at the lab, and the question."""
    lines = [f"export AWS_ACCESS_KEY_ID={found['account']}"]
    others = {os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")}
    if others - {None, "", found["region"]}:
        lines.append(f"export AWS_REGION={found['region']} AWS_DEFAULT_REGION={found['region']}")
    return [*lines, f"gureum explain {' '.join(found['question'].values())}"]


@click.command()
@click.argument("name")
@click.option("--answer", metavar="CODE", help="Ask whether this code says what is wrong.")
@click.option("--hint", is_flag=True, help="Give one more hint away.")
@_lang_option
@json_option
@pass_base
def check(
    base: Base, name: str, answer: str | None, hint: bool, language: Language, as_json: bool
) -> None:
    """Ask the question of lab NAME again, and send the packet.

    Ends with 0 if it is solved, 1 if not, 2 if it works from some client ports only; with --answer,
    0 if that code is right and 1 if not.

    \b
    gureum lab check closed-door --answer ENI_SG_RULES_MISMATCH
    """
    body = {"name": name, "answer": answer, "hint": hint}
    found = Daemon(base.state).post("/labs/check", body)
    found["packet"] = _packet(base, found)
    if as_json:
        given = _texts(name, language).hints[: found["hints"]]
        print_json({**found, "hints": list(given)})
    else:
        _show_check(found, answer)
        if hint:
            _show_hints(found, language)
    if answer is not None:
        failed = 0 if found["answer_is_right"] else FAILED
    else:
        failed = {"solved": 0, "partly": PARTLY, "blocked": FAILED}[found["verdict"]]
    if failed:
        raise click.exceptions.Exit(failed)


def _packet(base: Base, found: dict[str, Any]) -> bool | None:
    """Whether a real packet is answered."""
    where = Where(found["account"], found["region"])
    source, service = found["question"]["source"], found["question"]["service"]
    return packet(Daemon(base.state, where), source, found["address"], service)


def _show_check(found: dict[str, Any], answer: str | None) -> None:
    if answer is not None:
        right = "is right" if found["answer_is_right"] else "is not what blocks here"
        click.echo(f"{clean(answer)} {right}")
    line = _VERDICTS[found["verdict"]]
    if found["blocks"]:
        line += f"; blocks on the way: {found['blocks']}"
    click.echo(line)
    if found["packet"] is not None:
        answered = "is answered" if found["packet"] else "gets no answer"
        click.echo(f"a real packet {answered}")
        if found["verdict"] != "partly" and found["packet"] != (found["verdict"] == "solved"):
            note("That is not what was predicted: an instance may still be booting. Try again.")


def _show_hints(found: dict[str, Any], language: Language) -> None:
    hints = _texts(found["name"], language).hints
    for number, line in enumerate(hints[: found["hints"]], start=1):
        click.echo(f"hint {number} of {len(hints)}: {line}")


@click.command()
@click.argument("name")
@_lang_option
@json_option
@pass_base
def solve(base: Base, name: str, language: Language, as_json: bool) -> None:
    """Mend the cloud of lab NAME, unless you have, and show how that is done with the AWS CLI."""
    found = Daemon(base.state).post("/labs/solve", {"name": name})
    if as_json:
        print_json(found)
    else:
        told = _texts(name, language)
        click.echo(f"{told.said}\n")
        for line in found["commands"]:
            click.echo(f"  {clean(line)}")
        click.echo(f"\n{told.concept}\n\n{_VERDICTS[found['verdict']]}")
    if found["verdict"] != "solved":
        raise click.exceptions.Exit(FAILED)


@click.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All labs that are started.")
@json_option
@pass_base
def stop(base: Base, name: str | None, everything: bool, as_json: bool) -> None:
    """Remove the cloud of lab NAME: everything that its account has."""
    if (name is None) != everything:
        raise click.UsageError("Give the NAME of a lab, or --all.")
    body = {"all": True} if everything else {"name": name}
    with progress("Removing ..."):
        found = Daemon(base.state).post("/labs/stop", body)["labs"]
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(f"{each['name']} {'is gone' if each['was_started'] else 'was not started'}")


@click.group(short_help="Mend broken clouds.")
def lab() -> None:
    """Broken clouds to mend.  Each is built in an account of its own, beside everything else.

    \b
    gureum lab start closed-door
    gureum lab check closed-door --hint
    gureum lab stop closed-door
    """


for _command in (list_, start, check, solve, stop):
    lab.add_command(_command)
