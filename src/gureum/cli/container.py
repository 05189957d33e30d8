"""``gureum container``: what containers inside instances are, seen from the machine."""

from __future__ import annotations

from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import note, print_facts, print_json, print_rows


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
