"""``gureum cidr``: subnet arithmetic as AWS does it."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import click

from gureum.cli.failure import Failure
from gureum.cli.options import json_option
from gureum.cli.output import grid, print_facts, print_json
from gureum.cli.output import show as show_
from gureum.errors import ApiError
from gureum.model.cidr import ipv4_network, router_address, split, usable

_KEPT = ("network", "router", "DNS", "future use")
"""What AWS keeps the first four addresses of a subnet for (VPC User Guide, "Subnet sizing")."""
_SUBNET_SIZES = range(16, 29)


def facts(cidr: str) -> dict[str, Any]:
    """What there is to know of a block of at least eight addresses."""
    network = IPv4Network(cidr)
    first = network.network_address
    return {
        "cidr": cidr,
        "netmask": str(network.netmask),
        "addresses": network.num_addresses,
        "usable": usable(cidr),
        "first_usable": str(first + 4),
        "last_usable": str(network.broadcast_address - 1),
        "router": router_address(cidr),
        "reserved": {
            **{str(first + number): what for number, what in enumerate(_KEPT)},
            str(network.broadcast_address): "broadcast",
        },
        "subnet_size": network.prefixlen in _SUBNET_SIZES,
    }


@click.group("cidr", short_help="Subnet arithmetic.")
def cidr() -> None:
    """Subnet arithmetic: how to cut a block, and what AWS keeps of it."""


@cidr.command("split")
@click.argument("block", metavar="CIDR")
@click.argument("count", type=click.IntRange(1, 1 << 16))
@json_option
def split_(block: str, count: int, as_json: bool) -> None:
    """Cut CIDR into COUNT equal subnets, as large as can be.

    \b
    gureum cidr split 192.168.55.0/24 4
    """
    try:
        parts = [facts(part) for part in split(block, count)]
    except ApiError as error:
        raise Failure(error.message) from None
    if as_json:
        print_json(parts)
        return
    table = grid("subnet", "addresses", "usable", "for instances", "kept by AWS")
    for part in parts:
        table.add_row(
            part["cidr"],
            str(part["addresses"]),
            str(part["usable"]),
            f"{part['first_usable']} - {part['last_usable']}",
            ", ".join(f".{address.rpartition('.')[2]}" for address in part["reserved"]),
        )
    show_(table)


@cidr.command()
@click.argument("block", metavar="CIDR")
@json_option
def show(block: str, as_json: bool) -> None:
    """Show what is in CIDR as a subnet: usable addresses, and those that AWS keeps.

    \b
    gureum cidr show 192.168.55.128/27
    """
    try:
        network = ipv4_network(block)
    except ApiError as error:
        raise Failure(error.message) from None
    if network.num_addresses < 8:
        raise Failure(f"{network} has {network.num_addresses} addresses; AWS keeps five of each")
    known = facts(str(network))
    if as_json:
        print_json(known)
        return
    kept = ", ".join(f"{address} {what}" for address, what in known["reserved"].items())
    plain = [name for name in known if name not in ("reserved", "subnet_size")]
    print_facts([*((name.replace("_", " "), known[name]) for name in plain), ("kept by AWS", kept)])
    if not known["subnet_size"]:
        click.echo("A subnet is a /16 at most and a /28 at least; this block cannot be one.")
