"""``gureum cidr``: subnet arithmetic as AWS does it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

import click

from gureum.cli.cidr_bar import FREE, bar, letter
from gureum.cli.client import Daemon
from gureum.cli.failure import FAILED, Failure
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, grid, print_facts, print_json
from gureum.cli.output import show as show_
from gureum.errors import ApiError
from gureum.model.cidr import (
    RESERVED,
    fit,
    free,
    ipv4_network,
    ipv6_network,
    merge,
    router_address,
    split,
    usable,
)
from gureum.model.internet import PUBLIC
from gureum.model.special import Purpose, purposes

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
        "kind": said(purposes(network)[0]),
    }


def said(purpose: Purpose) -> str:
    """What a block is for, in a few words."""
    return f"{purpose.kind}: {purpose.what} ({purpose.source})"


def _network(text: str) -> IPv4Network:
    try:
        return ipv4_network(text)
    except ApiError as error:
        raise Failure(error.message) from None


def _any(text: str) -> IPv4Network | IPv6Network:
    """An address or a block of either version."""
    if ":" not in text:
        return _network(text if "/" in text else f"{text}/32")
    try:
        return ipv6_network(text if "/" in text else f"{text}/128")
    except ApiError as error:
        raise Failure(error.message) from None


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
    _table(parts)
    _draw_parts(str(_network(block)), [part["cidr"] for part in parts])


def _table(parts: list[dict[str, Any]]) -> None:
    table = grid("", "subnet", "addresses", "usable", "for instances", "kept by AWS")
    for number, part in enumerate(parts):
        table.add_row(
            letter(number),
            part["cidr"],
            str(part["addresses"]),
            str(part["usable"]),
            f"{part['first_usable']} - {part['last_usable']}",
            ", ".join(f".{address.rpartition('.')[2]}" for address in part["reserved"]),
        )
    show_(table)


def _draw_parts(block: str, parts: list[str]) -> None:
    _draw(block, [(letter(number), part) for number, part in enumerate(parts)])
    left = free(block, parts)
    if left:
        click.echo(f"{FREE} free: {', '.join(str(each) for each in left)}")


def _draw(block: str, parts: list[tuple[str, str]]) -> None:
    network = IPv4Network(block)
    click.echo(f"\n{network[0]} {bar(block, parts)} {network[-1]}")


@cidr.command()
@click.argument("block", metavar="CIDR")
@json_option
def show(block: str, as_json: bool) -> None:
    """Show what is in CIDR as a subnet: usable addresses, and those that AWS keeps.

    \b
    gureum cidr show 192.168.55.128/27
    """
    network = _network(block)
    if network.num_addresses < 8:
        raise Failure(f"{network} has {network.num_addresses} addresses; AWS keeps five of each")
    known = facts(str(network))
    if as_json:
        print_json(known)
        return
    kept = ", ".join(f"{address} {what}" for address, what in known["reserved"].items())
    plain = [name for name in known if name not in ("reserved", "subnet_size")]
    print_facts([*((name.replace("_", " "), known[name]) for name in plain), ("kept by AWS", kept)])
    _draw(str(network), [("x", address + "/32") for address in known["reserved"]])
    click.echo(f"x kept by AWS, {FREE} for instances")
    if not known["subnet_size"]:
        click.echo("A subnet is a /16 at most and a /28 at least; this block cannot be one.")


class _Sizes(click.ParamType[list[int]]):
    """``64``, ``/26``, or several of them with commas: addresses, or prefix lengths; as numbers of
    addresses."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """The numbers, checked."""
        return [self._one(part, param, ctx) for part in str(value).replace(",", " ").split()]

    def _one(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        digits = text.removeprefix("/")
        if digits.isascii() and digits.isdecimal() and len(digits) < 11:
            number = int(digits)
            if text.startswith("/") and number <= 32:
                return 1 << (32 - number)
            if not text.startswith("/") and 0 < number <= 1 << 32:
                return number
        return self.fail(f"{text!r} is neither a number of addresses nor a /LENGTH", param, ctx)


@cidr.command("fit")
@click.argument("block", metavar="CIDR")
@click.argument("sizes", metavar="SIZE...", nargs=-1, required=True, type=_Sizes())
@click.option("--taken", multiple=True, metavar="CIDR", help="What is in use already; repeatable.")
@click.option("--instances", is_flag=True, help="SIZE counts instances: AWS's five come on top.")
@json_option
def fit_(
    block: str,
    sizes: tuple[list[int], ...],
    taken: tuple[str, ...],
    instances: bool,
    as_json: bool,
) -> None:
    """Place subnets of different sizes in CIDR.  SIZE is a number of addresses, made a power of two
    of 16 at least (a /28 is the smallest subnet), or a prefix length.

    \b
    gureum cidr fit 192.168.55.0/24 64 64 32 32
    gureum cidr fit 10.0.0.0/20 --instances 500 120 /26
    """
    wanted = [size + (RESERVED if instances else 0) for each in sizes for size in each]
    lengths = [32 - (max(16, size) - 1).bit_length() for size in wanted]
    if min(lengths, default=16) < _SUBNET_SIZES[0]:
        raise Failure("the largest subnet is a /16")
    try:
        found = [facts(part) for part in fit(block, lengths, taken)]
    except ApiError as error:
        raise Failure(error.message) from None
    if as_json:
        print_json(found)
        return
    _table(found)
    network = str(_network(block))
    parts = [(letter(number), part["cidr"]) for number, part in enumerate(found)]
    used = [str(each) for each in map(_network, taken) if each.subnet_of(IPv4Network(network))]
    _draw(network, [*parts, *(("#", each) for each in used)])
    left = ", ".join(str(each) for each in free(network, [*used, *(cidr for _, cidr in parts)]))
    click.echo(f"{FREE} free: {left or 'nothing'}" + (", # taken" if used else ""))


@cidr.command("merge")
@click.argument("blocks", metavar="CIDR...", nargs=-1, required=True)
@json_option
def merge_(blocks: tuple[str, ...], as_json: bool) -> None:
    """Write the same addresses with the fewest blocks.

    \b
    gureum cidr merge 10.0.0.0/24 10.0.1.0/24 10.0.2.0/23
    """
    try:
        found = merge(blocks)
    except ApiError as error:
        raise Failure(error.message) from None
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(each)


@cidr.command("classify")
@click.argument("blocks", metavar="ADDRESS|CIDR...", nargs=-1, required=True)
@json_option
def classify(blocks: tuple[str, ...], as_json: bool) -> None:
    """Tell what addresses are for: private, public, shared or reserved, and which RFC says so.

    \b
    gureum cidr classify 10.1.2.3 100.64.0.0/10 192.0.0.0/16
    gureum cidr classify fd00::1 3fff::/20
    """
    found = [
        {
            "asked": block,
            "block": str(each.block),
            "kind": each.kind,
            "what": each.what,
            "source": each.source,
        }
        for block in blocks
        for each in purposes(_any(block))
    ]
    if as_json:
        print_json(found)
        return
    table = grid("block", "kind", "what it is for", "source")
    for row in found:
        table.add_row(row["block"], row["kind"], row["what"], row["source"])
    show_(table)


@cidr.command("overlap")
@click.argument("blocks", metavar="CIDR...", nargs=-1, required=True)
@json_option
@where_options
@pass_base
def overlap(
    base: Base, blocks: tuple[str, ...], as_json: bool, region: str | None, account: str | None
) -> None:
    """Hold blocks against each other and against the VPCs and subnets of the cloud that is running:
    what overlaps cannot be peered, nor be another subnet.

    Ends with 0 if nothing overlaps, 1 if something does.

    \b
    gureum cidr overlap 10.1.0.0/16 192.168.55.0/25
    """
    networks = [_network(block) for block in blocks]
    known = _in_use(Daemon(base.state, Where(account, region)).get("/map"))
    found = [
        {"block": str(network), "how": _how(network, other), "other": str(other), "what": what}
        for number, network in enumerate(networks)
        for other, what in [*((each, "also given") for each in networks[:number]), *known]
        if network.overlaps(other)
    ]
    if as_json:
        print_json(found)
    elif found:
        table = grid("block", "", "other", "what it is")
        for row in found:
            table.add_row(row["block"], row["how"], row["other"], clean(row["what"]))
        show_(table)
    else:
        click.echo("Nothing overlaps.")
    if found:
        raise click.exceptions.Exit(FAILED)


def _in_use(cloud: dict[str, Any]) -> list[tuple[IPv4Network, str]]:
    """The blocks of a region and what they are."""
    found = [(IPv4Network(PUBLIC), "the internet that the cloud plays")]
    for vpc in cloud["vpcs"]:
        found += [(IPv4Network(each), f"VPC {_named(vpc)}") for each in vpc["cidrs"]]
        found += [
            (IPv4Network(subnet["cidr"]), f"subnet {_named(subnet)}")
            for zone in vpc["zones"]
            for subnet in zone["subnets"]
            if subnet["cidr"]
        ]
    return found


def _named(row: dict[str, Any]) -> str:
    return f"{row['name']} ({row['id']})" if row["name"] else str(row["id"])


def _how(network: IPv4Network, other: IPv4Network) -> str:
    if network == other:
        return "is"
    return "is within" if network.subnet_of(other) else "contains"
