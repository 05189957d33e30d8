"""``gureum export``: a network as AWS's answers tell it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import NOT_WHOLE, Failure
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import note, print_json

_SECRET = 0o600
"""The mode of files with user data, which often has passwords in it."""


@click.command(name="export", short_help="Write a network as AWS's answers tell it.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@json_option
@where_options
@pass_base
def export(
    base: Base, folder: Path, as_json: bool, region: str | None, account: str | None
) -> None:
    """Write a region's resources into FOLDER as the AWS CLI saves the answers of describe calls, a
    file each.  'gureum import' reads them.  What is not written is listed, and the status is 7
    then.

    \b
    gureum export account
    """
    answer = Daemon(base.state, Where(account, region)).get("/export")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in answer["files"].items():
        text = json.dumps(content, indent=4, ensure_ascii=False) + "\n"
        path = folder / name
        path.touch(mode=_SECRET if "UserData" in name else 0o666)
        path.write_text(text, encoding="utf-8")
    left = answer["left"]
    if as_json:
        print_json({"files": sorted(answer["files"]), "left": left})
    else:
        note(f"{len(answer['files'])} files in {folder}")
    if left:
        listed = ", ".join(f"{count} {kind}" for kind, count in left.items())
        raise Failure(f"not written: {listed}", NOT_WHOLE)
