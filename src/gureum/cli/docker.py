"""``gureum docker``: Docker's client for the container engine of an instance."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import Failure
from gureum.cli.options import Base, Where, pass_base, where_options
from gureum.cli.program import become

_LONGEST = 100
"""Characters of a path that surely fit into a socket's address (unix(7): 108 bytes)."""


@click.command(
    short_help="Run docker against an instance's container engine.",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
)
@click.argument("instance")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@where_options
@pass_base
def docker(
    base: Base, instance: str, words: tuple[str, ...], region: str | None, account: str | None
) -> None:
    """Run this machine's docker client with WORDS against the engine of INSTANCE, which is the one
    at /run/docker.sock inside.  Options of ours stand before INSTANCE.

    \b
    gureum docker web run -d --name proxy -p 80:80 gureum-base nc -ll -p 80 -e nc 172.17.0.1 8080
    gureum docker web exec -it proxy sh
    """
    daemon = Daemon(base.state, Where(account, region))
    place = daemon.get("/place", name=instance)
    if place["kind"] != "instance":
        raise Failure(f"{instance} is no instance, but: {place['kind']}")
    folder = base.state / "instances" / place["id"] / "docker"
    if not (folder / "docker.sock").exists():
        raise Failure(f"{instance} does not run, and neither does its container engine", 4)
    os.environ["DOCKER_HOST"] = f"unix://{_reachable(folder)}/docker.sock"
    os.environ.pop("DOCKER_CONTEXT", None)
    become(["docker", *words])


def _reachable(folder: Path) -> str:
    """A path of a folder that is short enough for a socket's address."""
    if len(str(folder)) < _LONGEST - len("/docker.sock"):
        return str(folder)
    held = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    os.set_inheritable(held, True)
    return f"/proc/self/fd/{held}"
