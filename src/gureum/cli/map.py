"""``gureum map``: a region's VPCs with all that is in them, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gureum.cli.client import Daemon
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import clean, note, print_json, show

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

Item = dict[str, Any]

_STATES = {
    "running": "green",
    "available": "green",
    "active": "green",
    "pending": "yellow",
    "stopping": "yellow",
}


@click.command("map", short_help="Show what is in a region.")
@click.option("--all", "everything", is_flag=True, help="Unfold empty default VPCs too.")
@json_option
@where_options
@pass_base
def map_(
    base: Base, everything: bool, as_json: bool, region: str | None, account: str | None
) -> None:
    """Show what is in a region: VPCs, zones, subnets, instances, routes, gateways, groups.

    \b
    gureum map
    """
    found = Daemon(base.state, Where(account, region)).get("/map")
    if as_json:
        print_json(found)
        return
    show(tree(found, everything=everything))
    for other in found["elsewhere"]:
        note(f"There is more: gureum map --region {other['region']} --account {other['account']}")


def tree(found: Item, *, everything: bool = False) -> Tree:
    """The console API's map as a tree."""
    from rich.tree import Tree

    names = Names(found)
    root = Tree(line((found["region"], "bold"), f"account {found['account']}"))
    for vpc in found["vpcs"]:
        _vpc(root, vpc, names, everything=everything)
    for gateway in found["internet_gateways"]:
        if not gateway["attached"]:
            root.add(line("internet gateway", *titled(gateway), "detached"))
    for peering in found["peerings"]:
        ends = " <-> ".join(names.of(key) for key in peering["vpcs"])
        root.add(line("peering connection", *titled(peering), _state(peering), ends))
    for gateway in found["transit_gateways"]:
        joined = ", ".join(names.of(key) for key in gateway["vpcs"]) or "no VPC"
        root.add(line("transit gateway", *titled(gateway), _state(gateway), "joins", joined))
    for address in found["elastic_ips"]:
        held = f"-> {names.of(address['holder'])}" if address["holder"] else "free"
        root.add(line("Elastic IP", (address["ip"], "cyan"), *titled(address), held))
    hosts = root.add(line(("internet", "bold")))
    for host in found["internet_hosts"]:
        hosts.add(line((host["name"], "bold"), (host["ip"], "cyan")))
    return root


class Names:
    """What ids are called."""

    def __init__(self, found: Item) -> None:
        self._known: dict[str, str] = {}
        for vpc in found["vpcs"]:
            for table in vpc["route_tables"]:
                if table["main"]:
                    self._known[table["id"]] = "the main table"
        self._gather(found)

    def _gather(self, value: Any) -> None:
        if isinstance(value, dict):
            if value.get("id") and value.get("name"):
                self._known[value["id"]] = value["name"]
            for each in value.values():
                self._gather(each)
        elif isinstance(value, list):
            for each in value:
                self._gather(each)

    def of(self, key: str) -> str:
        """``name (id)``, or the id alone."""
        return f"{self._known[key]} ({key})" if key in self._known else key

    def short(self, key: str) -> str:
        """The name, or the id."""
        return self._known.get(key, key)


Part = str | tuple[str, str]


def line(*parts: Part | None) -> Text:
    """Parts with spaces between them; a pair has a style."""
    from rich.text import Text

    text = Text()
    for part in parts:
        if not part or not part[0]:
            continue
        word, style = part if isinstance(part, tuple) else (part, "")
        text.append(" " if text else "").append(clean(word), style)
    return text


def titled(item: Item) -> tuple[Part, ...]:
    """An item's name and id."""
    if item["name"]:
        return (item["name"], "bold"), (item["id"], "dim")
    return ((item["id"], "bold"),)


def _vpc(root: Tree, vpc: Item, names: Names, *, everything: bool) -> None:
    kind = "default VPC" if vpc["default"] else "VPC"
    head = (kind, *titled(vpc), (", ".join([*vpc["cidrs"], *vpc["ipv6_cidrs"]]), "cyan"))
    if vpc["default"] and not everything and not _used(vpc):
        root.add(line(*head, "empty"))
        return
    branch = root.add(line(*head))
    if vpc["internet_gateway"]:
        branch.add(line("internet gateway", names.of(vpc["internet_gateway"])))
    for zone in vpc["zones"]:
        place = branch.add(line("zone", (zone["zone"], "bold")))
        for subnet in zone["subnets"]:
            _subnet(place, subnet, names)
    for table in vpc["route_tables"]:
        _table(branch, table, names)
    for group in vpc["groups"]:
        _group(branch, group, names)


def _used(vpc: Item) -> bool:
    subnets = [subnet for zone in vpc["zones"] for subnet in zone["subnets"]]
    kinds = ("instances", "nat_gateways", "interfaces")
    return any(subnet[kind] for subnet in subnets for kind in kinds)


def _subnet(place: Tree, subnet: Item, names: Names) -> None:
    mode = subnet["mode"] if subnet["mode"] != "fabric" else None
    routed = f"routes by {names.short(subnet['route_table'])}" if subnet["route_table"] else None
    free = f"{subnet['free_addresses']} free" if subnet["cidr"] else "IPv6-only"
    cidrs = ", ".join(filter(None, [subnet["cidr"], *subnet["ipv6_cidrs"]]))
    head = ("subnet", *titled(subnet), (cidrs, "cyan"), free, routed, mode)
    branch = place.add(line(*head))
    for item in subnet["instances"]:
        groups = ", ".join(names.short(key) for key in item["groups"])
        words = (
            *titled(item),
            _state(item),
            _addresses(item),
            f"[{groups}]",
            (item["type"], "dim"),
        )
        shown = branch.add(line(*words))
        for extra in item["interfaces"][1:]:
            shown.add(line(*titled(extra), _of_interface(extra)))
    for item in subnet["nat_gateways"]:
        branch.add(line("NAT gateway", *titled(item), _state(item), _addresses(item)))
    for item in subnet["interfaces"]:
        branch.add(line("interface", *titled(item), _of_interface(item)))


def _state(item: Item) -> Part:
    return item["state"], _STATES.get(item["state"], "red")


def _addresses(item: Item) -> Part:
    private, public = item["private_ip"] or "", item["public_ip"]
    told = f"{private} <-> {public}" if public else private
    others = [ip for eni in item.get("interfaces", ())[:1] for ip in eni["ipv6_addresses"]]
    return ", ".join(filter(None, [told, *others])), "cyan"


def _of_interface(item: Item) -> Part:
    return ", ".join(item["private_ips"] or item["ipv6_addresses"]), "cyan"


def _table(branch: Tree, table: Item, names: Names) -> None:
    users = [names.short(key) for key in table["used_by"]]
    head = "main route table" if table["main"] else "route table"
    shown = branch.add(line(head, *titled(table), f"for {', '.join(users) or 'no subnet'}"))
    for route in table["routes"]:
        lost = (route["state"], "red") if route["state"] != "active" else None
        shown.add(line((route["destination"], "cyan"), "->", names.of(route["target"]), lost))


def _group(branch: Tree, group: Item, names: Names) -> None:
    shown = branch.add(line("group", *titled(group)))
    for rule in sorted(group["rules"], key=lambda each: str(each["direction"])):
        preposition = "from" if rule["direction"] == "in" else "to"
        peer = names.short(rule["peer"])
        shown.add(line(f"{rule['direction']:3}", (rule["traffic"], "bold"), preposition, peer))
