"""``gureum import``: a real account's network, here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import NOT_WHOLE, Failure
from gureum.cli.options import Base, Where, json_option, pass_base
from gureum.cli.output import clean, print_facts, print_json
from gureum.cli.serve import image_aliases

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(name="import", short_help="Build a real account's network here.")
@click.argument("folder", type=_FOLDER)
@click.option(
    "--ami-alias",
    "aliases",
    multiple=True,
    metavar="AMI=IMAGE",
    callback=image_aliases,
    help="Let instances of an image run one of here, as ami-0abc...=debian-12.",
)
@click.option("--image", metavar="IMAGE", help="What all others run.  [default: debian-12]")
@click.option("--account", metavar="DIGITS", help="The account to build it in.  [default: its own]")
@click.option("--dry-run", is_flag=True, help="Tell what would happen, and change nothing.")
@json_option
@pass_base
def import_(
    base: Base,
    folder: Path,
    aliases: tuple[tuple[str, str], ...],
    image: str | None,
    account: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read the answers of 'aws ec2 describe-...' in FOLDER and build the same network here: the
    same ids and private addresses, all of it in one change.  Instances run images of here.

    What cannot be imported is listed with the reason, and the status is 7 then.  If there is
    something of the same id already, nothing is changed.

    \b
    mkdir account
    aws ec2 describe-vpcs > account/vpcs.json
    aws ec2 describe-subnets > account/subnets.json
    gureum import account --dry-run
    """
    files = read_folder(folder)
    if not files:
        raise Failure(f"there are no JSON files in {folder}")
    wish = {"files": files, "aliases": dict(aliases), "dry_run": dry_run}
    wish |= {"image": image} if image else {}
    answer = Daemon(base.state, Where(account, None)).post("/import", wish)
    if as_json:
        print_json(answer)
    else:
        _show(answer)
    if not answer["in_force"]:
        raise Failure("the network is not in force yet: 'gureum status' tells why")
    if not answer["whole"]:
        raise Failure("not everything could be imported", NOT_WHOLE)


def read_folder(folder: Path) -> dict[str, Any]:
    """The JSON files of a folder and of those in it, by their paths.

    Raises:
        Failure: one of them is no JSON.
    """
    found = {}
    for path in sorted(folder.rglob("*.json")):
        try:
            found[str(path.relative_to(folder))] = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise Failure(f"{path} cannot be read: {error}") from None
    return found


# --- for people ---------------------------------------------------------------------------------
def _show(answer: Mapping[str, Any]) -> None:
    made = ", ".join(f"{count} {what}" for what, count in answer["made"].items())
    done = "would make" if answer["dry_run"] else "made"
    where = {name: answer[name] for name in ("account", "region")}
    print_facts([*where.items(), (done, made or "nothing")])
    _section("called otherwise here", (_mapped(each) for each in answer["mapped"]))
    _section("supplemented", (f"{each['id']}: {each['what']}" for each in answer["assumed"]))
    _section("not kept", (_lost(each) for each in answer["lost"]))
    _section("left out", (f"{e['list']} {e['id']}: {e['why']}" for e in answer["left"]))


def _mapped(each: Mapping[str, Any]) -> str:
    return f"{each['what']} {each['given']}: {each['here']}"


def _lost(each: Mapping[str, Any]) -> str:
    count = f", and {each['items'] - 1} more" if each["items"] > 1 else ""
    here = json.dumps(each["here"])
    return f"{each['member']} of {each['example']}{count}: {json.dumps(each['given'])} is {here}"


def _section(title: str, lines: Any) -> None:
    found = list(lines)
    if found:
        click.echo(f"{title}:")
        for line in found:
            click.echo(f"  {clean(line)}")
