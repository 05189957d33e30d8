"""``gureum docker`` and ``gureum container``: what runs in containers inside an instance."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import Failure
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import note, print_facts, print_json, print_rows
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


@click.group(short_help="Look into containers inside instances.")
def container() -> None:
    """Look into containers inside instances."""


@container.command(short_help="What a container is.")
@click.argument("instance")
@click.argument("name")
@click.option("--layers", is_flag=True, help="Its files: layers, what it changed, mounts.")
@click.option("--namespaces", is_flag=True, help="Its namespaces beside others', its limits.")
@click.option("--network", is_flag=True, help="Its links, addresses, published ports.")
@json_option
@where_options
@pass_base
def inspect(
    base: Base,
    instance: str,
    name: str,
    layers: bool,
    namespaces: bool,
    network: bool,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Show what the container NAME in INSTANCE is: a process, files, namespaces, a network.

    \b
    gureum container inspect web proxy --network
    """
    daemon = Daemon(base.state, Where(account, region))
    answer = daemon.get("/container", place=instance, container=name)
    if as_json:
        print_json(answer)
        return
    everything = not (layers or namespaces or network)
    about = answer["container"]
    print_facts([
        ("container", f"{about['name']} ({about['id'][:12]}) in {answer['place']['id']}"),
        ("image", about["image"]),
        ("state", f"{about['state']}, process {about['pid']}" if about["pid"] else about["state"]),
    ])  # fmt: skip
    if layers or everything:
        _show_layers(answer["layers"])
    if namespaces or everything:
        _show_namespaces(answer)
    if network or everything:
        for each in answer["network"]:
            _show_network(each)


def _show_layers(layers: dict[str, Any]) -> None:
    click.echo()
    facts = [("lower", path) for path in layers["image"]]
    print_facts([*facts, ("upper", layers["upper"])])
    if layers["changes"]:
        print_rows(layers["changes"], {})
    else:
        note("It has changed nothing.")
    if layers["mounts"]:
        click.echo()
        print_rows(layers["mounts"], {})


def _show_namespaces(answer: dict[str, Any]) -> None:
    click.echo()
    if answer["namespaces"]:
        print_rows([{k: str(v) for k, v in row.items()} for row in answer["namespaces"]], {})
    cgroup = answer["cgroup"]
    limits = " · ".join(f"{name} {value}" for name, value in cgroup["limits"].items() if value)
    print_facts([("cgroup", cgroup["path"]), ("limits", limits)])


def _show_network(network: dict[str, Any]) -> None:
    click.echo()
    print_facts([
        ("network", f"{network['network']}, gateway {network['gateway']}"),
        ("inside", f"{network['inside']} {network['ip']} {network['mac']}"),
        ("outside", f"{network['outside']} on {network['bridge']}"),
        ("published", " ".join(network["published"]) or "nothing"),
    ])  # fmt: skip
    if network["macs"]:
        print_rows(network["macs"], {})
