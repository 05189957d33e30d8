"""What ``gureum medium`` prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from gureum.cli.output import clean, grid, show
from gureum.medium.draw import Curve
from gureum.medium.measure import Estimate, Report
from gureum.medium.plan import Plan
from gureum.medium.timeline import SYMBOLS, Moment
from gureum.medium.topology import Topology
from gureum.medium.validation import Check, Hosts

if TYPE_CHECKING:
    from rich.tree import Tree


_SIDE_BY_SIDE = 3
"""Cases that are columns; more are rows, with some of the measures."""
_IN_ROWS = (
    "utilisation",
    "delay, ms",
    "fairness (Jain)",
    "collisions, 1000 frames",
    "frames in a row of one",
    "queue full, 1000 frames",
)


def _value(it: Estimate | None, digits: int = 3) -> str:
    return "-" if it is None else f"{it.mean:.{digits}f} ± {it.half:.{digits}f}"


def _measures(report: Report, shared: bool) -> list[tuple[str, str]]:
    """Names and figures of a report, less what does not matter in it."""
    mean = sum(each.mean for each in report.utilisation) / max(1, len(report.utilisation))
    use = (
        _value(report.utilisation[0], 4)
        if len(report.utilisation) == 1
        else f"{mean:.4f} (mean of {len(report.utilisation)} domains)"
    )
    rows = [
        ("utilisation", use),
        ("frames' bytes, Mb/s", _value(report.goodput)),
        ("delay, ms", _value(report.delay)),
        ("delay, 95 % below, ms", _value(report.slow)),
        ("fairness (Jain)", _value(report.fairness)),
    ]
    if shared:
        rows += [
            ("collisions, 1000 frames", _value(report.collisions, 1)),
            ("tries for a frame", _value(report.attempts)),
            ("frames in a row of one", _value(report.streak, 2)),
            ("given up, 1000 frames", _value(report.dropped)),
        ]
    rows.append(("queue full, 1000 frames", _value(report.overflow, 1)))
    if report.late.mean or report.lost.mean:
        rows += [
            ("late collisions, 1000 frames", _value(report.late)),
            ("lost unheard, 1000 frames", _value(report.lost)),
        ]
    return rows


def reports(found: Sequence[tuple[str, Plan, Report]]) -> None:
    """Reports side by side, and the domains of the last where it has several."""
    shared = any(_shared(layout) for _, layout, _ in found)
    columns = [_measures(report, shared) for _, _, report in found]
    names = list(dict.fromkeys(name for rows in columns for name, _ in rows))
    if len(found) <= _SIDE_BY_SIDE:
        table = grid("", *(name for name, _, _ in found))
        for name in names:
            table.add_row(name, *(dict(rows).get(name, "-") for rows in columns))
    else:
        few = [name for name in names if name in _IN_ROWS]
        table = grid("", *few)
        for (case, _, _), rows in zip(found, columns, strict=True):
            table.add_row(case, *(dict(rows).get(name, "-") for name in few))
    show(table)
    _, layout, report = found[-1]
    if len(found) == 1 and len(report.utilisation) > 1:
        click.echo()
        _by_domain(layout, report)
    events = sum(report.events for _, _, report in found)
    click.echo(f"{found[0][2].runs} runs each, {events:,} events; ± is a 95 % interval.")


def _shared(layout: Plan) -> bool:
    return any(len(wire.senders) > 1 for wire in layout.wires)


def _by_domain(layout: Plan, report: Report) -> None:
    table = grid("domain", "between", "utilisation", "collisions, 1000 frames")
    for number, domain in enumerate(layout.collision):
        between = ", ".join(port.node for port in domain.ports)
        table.add_row(
            str(number + 1),
            clean(between),
            _value(report.utilisation[number], 4),
            "full duplex" if domain.full_duplex else _value(report.domain_collisions[number], 1),
        )
    show(table)


def curves(points: Sequence[tuple[float, Report]]) -> list[Curve]:
    """What a plot shows of reports, over a load or a number of stations."""
    picked: list[tuple[str, Callable[[Report], Estimate | None]]] = [
        ("utilisation", lambda report: _mean(report.utilisation)),
        ("collisions for each 1000 frames", lambda report: report.collisions),
        ("delay, ms", lambda report: report.delay),
        ("fairness (Jain's index)", lambda report: report.fairness),
    ]
    found = []
    for title, pick in picked:
        values = [(across, pick(report)) for across, report in points]
        found.append(Curve(title, tuple((x, each) for x, each in values if each is not None)))
    return found


def _mean(values: Sequence[Estimate]) -> Estimate | None:
    """Of one domain its own; of several the mean of their means, with the widest interval."""
    if not values:
        return None
    return Estimate(
        sum(each.mean for each in values) / len(values), max(each.half for each in values)
    )


def domain_rows(topology: Topology, ready: Plan) -> dict[str, Any]:
    """The domains of a topology as facts."""
    return {
        "collision": [
            {
                "ports": [port.node for port in each.ports],
                "hubs": list(each.hubs),
                "full_duplex": each.full_duplex,
                "round_trip_bits": each.round_trip,
                "fits": each.fits,
            }
            for each in ready.collision
        ],
        "broadcast": [
            {
                "nodes": list(each.nodes),
                "collision": [number + 1 for number in each.collision],
            }
            for each in ready.broadcast
        ],
    }


def domain_tree(topology: Topology, ready: Plan) -> None:
    """The domains of a topology as a tree: broadcast domains with the collision domains in them."""
    from rich.tree import Tree

    slot = topology.rules.slot
    root = Tree(
        f"{len(ready.broadcast)} broadcast domains, {len(ready.collision)} collision domains"
    )
    for number, each in enumerate(ready.broadcast):
        inner = root.add(f"broadcast domain {number + 1}")
        if not each.collision:
            inner.add(f"{clean(each.nodes[0])}, without a link")
        for index in each.collision:
            _collision(inner, index, ready, slot)
    show(root)


def _collision(tree: Tree, index: int, ready: Plan, slot: float) -> None:
    domain = ready.collision[index]
    names = ", ".join(clean(port.node) for port in domain.ports) or "nobody"
    if domain.full_duplex:
        tree.add(f"collision domain {index + 1}: {names}; full duplex, nothing collides")
        return
    hubs = f" by {', '.join(clean(hub) for hub in domain.hubs)}" if domain.hubs else ""
    fits = f"round trip {domain.round_trip:.0f} of {slot:.0f} bits"
    if not domain.fits:
        fits += ": TOO LARGE, collisions come late"
    tree.add(f"collision domain {index + 1}: {names}{hubs}; {fits}")


def through() -> bool:
    """Whether somebody is there to press keys."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def steps(layout: Plan, moments: Sequence[Moment], go_on: Callable[[], bool]) -> None:
    """Moments, a line each; before each but the first somebody may say that it is enough."""
    names = [clean(name) for name in layout.names]
    width = max((len(name) for name in names), default=0)
    wide = len(names) > 12
    columns = "states" if wide else " ".join(names)
    click.echo(f"{'µs':>10}  {'who':<{width}}  {columns}  what")
    for number, each in enumerate(moments):
        if number and not go_on():
            return
        letters = [SYMBOLS[state] for state in each.states]
        states = (
            "".join(letters)
            if wide
            else " ".join(
                letter.rjust(len(name)) for letter, name in zip(letters, names, strict=True)
            )
        )
        at = each.bits / layout.rules.rate
        click.echo(f"{at:>10.2f}  {names[each.sender]:<{width}}  {states}  {each.said}")
    legend = ", ".join(f"{symbol} {state}" for state, symbol in SYMBOLS.items())
    click.echo(f"{legend}")


def checks(found: Sequence[Check]) -> None:
    """Published figures beside ours."""
    table = grid("what", "source", "paper", "ours", "within")
    for each in found:
        table.add_row(
            each.what,
            each.source,
            f"{each.paper:.4f}",
            _value(each.ours, 4),
            "yes" if each.holds else "NO",
        )
    show(table)


def hosts_rows(found: Sequence[Hosts]) -> None:
    """The fall of utilisation with hosts."""
    table = grid("hosts, 64 bytes, always a frame", "utilisation", "less than the line above by")
    for each in found:
        table.add_row(
            str(each.hosts), _value(each.utilisation, 4), _value(each.fall, 4) if each.fall else ""
        )
    show(table)
