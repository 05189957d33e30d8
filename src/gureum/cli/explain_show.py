"""Shows an explanation to people: one line a step, forth and back, the verdict, the fixes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gureum.cli.output import clean, console, grid, show

if TYPE_CHECKING:
    from rich.text import Text

LOSERS, HEADERS = 1, 2
"""How often ``-v`` must be given for what else was looked at, and for the packet's headers."""


def show_answer(found: dict[str, Any], verbose: int) -> None:
    """Print a whole explanation."""
    for title, trace in ways(found):
        _show_trace(title, trace, found["names"], verbose)
    show_verdict(found)
    if found["others"]:
        click.echo("\nfrom the other client ports:")
        for title, trace in zip(("forth", "back"), found["others"], strict=False):
            blocked = [step for step in trace["steps"] if not step["passed"]]
            if blocked:
                _show_trace(title, {"steps": blocked}, found["names"], verbose)
    show_fixes(found)


def show_fixes(found: dict[str, Any]) -> None:
    """Print the commands that mend what blocks."""
    for fix in found["fixes"]:
        click.echo(f"\nto mend it: {clean(fix['said'])}")
        for command in fix["commands"]:
            click.echo(f"  {clean(command)}")


def ways(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The ways worth showing: an answer that nobody asked for is, if it would be blocked."""
    yield "forth", found["forth"]
    back = found["back"]
    if back and (found["reach"] != "none" or not back["passed"]):
        yield "back", back


def _show_trace(title: str, trace: dict[str, Any], names: dict[str, str], verbose: int) -> None:
    headers = ("packet",) if verbose >= HEADERS else ()
    table = grid(title, "layer", "where", "what", "said", *headers)
    blocked = False
    for step in trace["steps"]:
        packet = [clean(header(step["after"]))] if headers else []
        told = clean(said(step, verbose))
        marked = mark(step, blocked=blocked)
        blocked = blocked or not step["passed"]
        table.add_row(
            marked, str(step["layer"]), where(step["place"], names), step["kind"], told, *packet
        )
        for lost in step["tried"] if verbose >= LOSERS else ():
            code = f" [{lost['code']}]" if lost["code"] else ""
            table.add_row("", "", "", "", clean(f"  not {_tried(lost)}{code}"))
    show(table)


def where(place: str, names: dict[str, str]) -> str:
    """A place by its id, and by its name if it has one."""
    return clean(f"{place} ({names[place]})" if place in names else place)


def _tried(lost: dict[str, Any]) -> str:
    return lost["said"] if lost["by"].startswith("rtb-") else f"{lost['by']}: {lost['said']}"


def said(step: dict[str, Any], verbose: int) -> str:
    """What is said; AWS's code with a block, and with what passes where more is asked for."""
    told = step["code"] and (not step["passed"] or verbose >= LOSERS)
    return f"{step['said']} [{step['code']}]" if told else str(step["said"])


def mark(step: dict[str, Any], *, blocked: bool) -> Text:
    """``(pass)`` is what would be, if nothing before had stopped the packet."""
    from rich.text import Text  # slow to import, and not needed for --json

    if not step["passed"]:
        return Text("BLOCK", "red")
    return Text("(pass)", "dim") if blocked else Text("pass", "green")


def show_verdict(found: dict[str, Any]) -> None:
    """Print whether the exchange works."""
    console().print(_verdict(found), markup=False)


def _verdict(found: dict[str, Any]) -> str:
    reach, drawn = found["reach"], found["drawn_ports"]
    if reach == "all" and found["listening"] is False:
        return "the network lets it through, but nobody listens"
    if reach == "some" and drawn:
        return f"works if the NAT gateway draws one of some ports only: {_ports(drawn)}"
    if reach == "some":
        return f"works from some client ports only: {_ports(found['client_ports'])}"
    asked = f" from client port {found['source_port']}" if found["source_port"] else ""
    return f"{'works' if reach == 'all' else 'does not work'}{asked}"


def _ports(ranges: list[list[int]]) -> str:
    return ", ".join(f"{low}-{high}" for low, high in ranges)


def header(packet: dict[str, Any]) -> str:
    """A packet's header in words."""
    return " ".join(_header(packet))


def _header(packet: dict[str, Any]) -> Iterator[str]:
    for end in ("source", "target"):
        port = packet[f"{end}_port"]
        yield packet[end] if port is None else f"{packet[end]}:{port}"
        if end == "source":
            yield ">"
    if packet["icmp"]:
        yield f"type {packet['icmp'][0]}"
