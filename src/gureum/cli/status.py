"""``gureum status``: how the cloud is."""

from __future__ import annotations

from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED
from gureum.cli.options import Base, json_option, pass_base
from gureum.cli.output import print_facts, print_json


@click.command(short_help="Tell how the cloud is.")
@json_option
@pass_base
def status(base: Base, as_json: bool) -> None:
    """Show where the cloud is served, what is in force, and what went wrong.

    Ends with 0 if all is well, 1 if something is not in force, 3 if no cloud is running.

    \b
    gureum status
    """
    found = Daemon(base.state).get("/status")
    if as_json:
        print_json(found)
    else:
        print_facts(facts(found))
    if not is_well(found):
        raise click.exceptions.Exit(FAILED)


def is_well(found: dict[str, Any]) -> bool:
    """Whether everything wanted is in force."""
    return not found["error"] and not found["failed_instances"]


def facts(found: dict[str, Any]) -> list[tuple[str, object]]:
    """The daemon's answer in words."""
    states = ", ".join(f"{number} {state}" for state, number in sorted(found["instances"].items()))
    behind = found["revision"] - found["in_force"]
    force = f"revision {found['in_force']}" + (f", {behind} behind" if behind > 0 else "")
    lines: list[tuple[str, object]] = [
        ("endpoint", found["endpoint"]),
        ("state", f"{found['state']} (tag {found['tag']})"),
        ("daemon", f"process {found['pid']} since {found['started']}, version {found['version']}"),
        ("kernel", f"bridge filter {found['bridge_filter']}, containers by {found['runtime']}"),
        ("in force", force),
        ("instances", states or "none"),
    ]
    if found["error"]:
        lines.append(("problem", found["error"]))
    lines += [("problem", f"{key}: {why}") for key, why in found["failed_instances"].items()]
    return lines
